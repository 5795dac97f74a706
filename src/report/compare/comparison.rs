//! The comparison of several sides.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    answers::Answers,
    check::check,
    differ::{MetricRow, metric_rows},
    error::CompareError,
    finding::{Finding, finding},
    flips::{Flipped, flipped},
    measured::{Measured, MeasuredSide},
    settings::{Differs, environment, settings},
    side::Side,
    warnings::{other_rows, warnings},
    words::{Tested, sentences},
};
use crate::{
    event::Split,
    metrics::Metric,
    report::input::split_name,
    stats::{Interval, holm},
    store::RunState,
    task::Task,
};

/// The comparison of two or more runs or trials: each with the first one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// What they are trained to do.
    pub problem_type: Task,
    /// The split whose rows they are compared on.
    pub split: Split,
    /// What is compared, in the order given.
    pub sides: Vec<Shown>,
    /// For each side but the first, how it differs from the first.
    pub comparisons: Vec<Against>,
    /// That p-values are corrected for several comparisons, if they are.
    pub correction: Option<String>,
    /// The keys of the spec in which they differ.
    pub settings: Vec<Differs>,
    /// What differs between the environments that can change a result.
    pub environment: Vec<Differs>,
    /// Every metric that all have: the two of the task first.
    pub metrics: Vec<MetricRow>,
    /// How many of these are shown where there is little room.
    #[serde(skip)]
    pub main_metrics: usize,
    /// What to know before trusting the comparison.
    pub warnings: Vec<String>,
    /// Whether the texts of rows were left out ([`Self::without_texts`]).
    #[serde(skip)]
    pub leaves_texts_out: bool,
}

impl Comparison {
    /// The same, with each row named by its line instead of its texts.
    #[must_use]
    pub fn without_texts(mut self) -> Self {
        self.leaves_texts_out = true;
        for flipped in self.comparisons.iter_mut().filter_map(|against| against.flipped.as_mut()) {
            for flip in flipped.gained_examples.iter_mut().chain(&mut flipped.lost_examples) {
                flip.text = format!("line {}", flip.line);
            }
        }
        self
    }
}

/// A side as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// Its letter.
    pub letter: char,
    /// Its name.
    pub name: String,
    /// Its experiment.
    pub experiment: Option<String>,
    /// Whether it is a trial.
    pub is_trial: bool,
    /// Keys of its runs.
    pub runs: Vec<String>,
    /// How many of them the metrics are means of.
    pub measured: usize,
    /// Its state: of a trial, what keeps it from being completed.
    pub state: RunState,
    /// Whether its metrics are those of completed runs.
    #[serde(rename = "final")]
    pub is_final: bool,
    /// Rows that each of its runs is evaluated on; of a cross-validation all folds that are compared together.
    pub rows: u64,
    /// Of a cross-validation the number of folds that are compared, and of all.
    #[serde(skip)]
    pub folds: Option<[usize; 2]>,
}

/// How a side differs from the first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Against {
    /// Its letter.
    pub letter: char,
    /// Whether both were compared row by row, or fold by fold.
    pub paired: bool,
    /// What is tested: `accuracy`, `hamming_loss`, …; shares from 0 to 1.
    pub metric: Metric,
    /// That of the side minus that of the first.
    pub difference: Option<f64>,
    /// Its 95% interval.
    pub interval: Option<Interval>,
    /// The method of the interval.
    pub method: Option<&'static str>,
    /// The test; `None` if nothing can be tested.
    pub test: Option<Test>,
    /// All of this in words.
    pub sentences: Vec<String>,
    /// The rows on which both disagree; `None` if they have different rows, or these are not stored.
    pub flipped: Option<Flipped>,
}

/// A test of a difference.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Test {
    /// Its name.
    pub name: String,
    /// Two-sided p-value.
    pub p: f64,
    /// The p-value with Holm's correction, where several sides are compared with the first.
    pub p_holm: Option<f64>,
    /// Whether the difference is more than chance explains at the 5% level: by the corrected p-value where there is one.
    pub beyond_chance: bool,
}

/// Compares two or more sides, each with the first.
///
/// # Errors
/// They cannot be compared: see [`CompareError`].
pub fn compare(sides: &[Side]) -> Result<Comparison, CompareError> {
    check(sides)?;
    let measured = Measured::of(sides)?;
    let findings: Vec<Finding> = measured.sides[1..].iter().map(|side| finding(&measured, side)).collect();
    let p: Vec<f64> = findings.iter().map(|finding| finding.p().unwrap_or(f64::NAN)).collect();
    let tests = p.iter().filter(|p| !p.is_nan()).count();
    let tested = |(p, adjusted): (&f64, f64)| {
        (!p.is_nan()).then_some(Tested { p: *p, holm: (tests > 1).then_some((adjusted, tests)) })
    };
    let tested: Vec<Option<Tested>> = p.iter().zip(holm(&p)).map(tested).collect();
    let mut comparisons = Vec::with_capacity(findings.len());
    let mut said = warnings(&measured, sides);
    for ((other, finding), tested) in measured.sides[1..].iter().zip(&findings).zip(tested) {
        comparisons.push(against(&measured, other, finding, tested));
        said.extend(unpaired(&measured, other, finding));
    }
    let (metrics, main_metrics) = metric_rows(&measured, &findings);
    Ok(Comparison {
        problem_type: measured.terms.task,
        split: measured.split,
        sides: measured.sides.iter().map(shown).collect(),
        comparisons,
        correction: (tests > 1).then(|| {
            format!(
                "{tests} comparisons with A: their p-values are corrected by Holm's method, so that the chance of finding a difference where there is \
                 none stays at 5% for all together; the intervals are those of each alone"
            )
        }),
        settings: settings(sides),
        environment: environment(sides),
        metrics,
        main_metrics,
        warnings: said,
        leaves_texts_out: false,
    })
}

/// That two sides have no rows in common.
fn unpaired(measured: &Measured<'_>, other: &MeasuredSide<'_>, finding: &Finding) -> Option<String> {
    let first = &measured.sides[0];
    let apart = || {
        let [a, b] = [first, other].map(|side| Answers::of(side, measured.split));
        a.is_ok() && b.is_ok_and(|b| a.is_ok_and(|a| !a.are_of_same_rows(&b)))
    };
    let is_apart = match finding {
        Finding::OtherRows(..) | Finding::OtherErrors(..) => true,
        Finding::Seeds(..) | Finding::Untested(_) => apart(),
        Finding::Right(_) | Finding::Errors { .. } | Finding::Folds(..) => false,
    };
    is_apart.then(|| {
        format!(
            "the {} rows differ: {}; they cannot be compared row by row, and part of the difference may come from the rows",
            split_name(measured.split),
            other_rows(first, other)
        )
    })
}

fn against(measured: &Measured<'_>, other: &MeasuredSide<'_>, finding: &Finding, tested: Option<Tested>) -> Against {
    let (difference, interval) = finding.difference();
    let names = finding.names();
    let metric = match (finding, measured.terms.task) {
        (Finding::Errors { .. } | Finding::OtherErrors(..), Task::Regression) => Metric::Mse,
        (Finding::Errors { .. } | Finding::OtherErrors(..), _) => Metric::HammingLoss,
        _ => measured.terms.first,
    };
    let answers = [&measured.sides[0], other].map(|side| Answers::of(side, measured.split));
    let flipped = match &answers {
        [Ok(a), Ok(b)] if a.are_of_same_rows(b) => {
            let labels = other.side.records().map(|run| &run.labels).max_by_key(|labels| labels.len());
            labels.map(|labels| flipped(a, b, measured.terms.task, labels))
        }
        _ => None,
    };
    Against {
        letter: other.letter,
        paired: finding.is_paired(),
        metric,
        difference: difference.or_else(|| {
            let [a, b] = [&measured.sides[0], other].map(|side| side.mean(metric));
            Some(b - a).filter(|difference| difference.is_finite())
        }),
        interval,
        method: interval.and(names.as_ref().map(|(_, method)| *method)),
        test: tested.zip(names).map(|(tested, (name, _))| Test {
            name,
            p: tested.p,
            p_holm: tested.holm.map(|(p, _)| p),
            beyond_chance: tested.is_significant(),
        }),
        sentences: sentences(measured, other, finding, tested),
        flipped,
    }
}

fn shown(measured: &MeasuredSide<'_>) -> Shown {
    let side = measured.side;
    // A row is in the test rows of one fold, and once for each seed.
    let mut rows: BTreeMap<u32, u64> = BTreeMap::new();
    for (run, metrics) in &measured.runs {
        let fold = side.folds().and(run.run.config.data.fold).map_or(0, |fold| fold.number());
        let most = rows.entry(fold).or_default();
        *most = metrics.rows.max(*most);
    }
    Shown {
        letter: measured.letter,
        name: side.name.clone(),
        experiment: side.experiment.clone(),
        is_trial: side.is_trial,
        runs: side.records().map(|run| run.key.clone()).collect(),
        measured: measured.runs.len(),
        state: RunState::of_several(side.records().map(|run| run.state)),
        is_final: measured.is_final,
        rows: rows.values().sum(),
        folds: side.folds().map(|of| [rows.len(), of as usize]),
    }
}

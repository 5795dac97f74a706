//! What is known of the difference of two sides: the test that fits what they are.

use std::collections::BTreeMap;

use super::{
    answers::Answers,
    measured::{Measured, MeasuredSide},
    over_folds::{OverFolds, have_same_folds},
};
use crate::{
    metrics::Metric,
    report::same_rows::{OnSameRows, compared, error},
    stats::{Interval, MeansDiffer, Paired, Sample, SharesDiffer, SignFlip, paired_t, shares_differ, welch},
};

/// The difference of a side from the first one, and its test. All differences are that side minus the first.
pub enum Finding {
    /// Two runs on the same rows: which was right on how many; the first of the pair is that side.
    Right(Paired),
    /// Two runs on the same rows, each of which has an error.
    Errors {
        /// The number of rows.
        rows: u64,
        /// The test of the mean difference.
        test: SignFlip,
        /// Its interval.
        interval: Option<Interval>,
    },
    /// Two runs on other rows: shares of right rows, and the numbers of rows (that side, first).
    OtherRows(SharesDiffer, [u64; 2]),
    /// Two runs on other rows, each of which has an error: means over the rows, and the numbers of rows (that side, first).
    OtherErrors(MeansDiffer, [u64; 2]),
    /// Means over several seeds, and how many (that side, first); the test that pairs the same seeds.
    Seeds(MeansDiffer, [usize; 2], Option<MeansDiffer>),
    /// Folds of the same division: the test, and what it is of.
    Folds(MeansDiffer, OverFolds),
    /// Nothing can be tested: why.
    Untested(String),
}

impl Finding {
    /// Two-sided p-value.
    pub fn p(&self) -> Option<f64> {
        Some(match self {
            Self::Right(paired) => paired.mcnemar(),
            Self::Errors { test, .. } => test.p,
            Self::OtherRows(shares, _) => shares.p,
            Self::OtherErrors(means, _) | Self::Seeds(means, ..) | Self::Folds(means, _) => means.p,
            Self::Untested(_) => return None,
        })
    }

    /// The difference of what is tested, and its 95% interval.
    pub fn difference(&self) -> (Option<f64>, Option<Interval>) {
        match self {
            Self::Right(paired) => paired.difference().map_or((None, None), |(d, i)| (Some(d), Some(i))),
            Self::Errors { test, interval, .. } => (Some(test.mean), *interval),
            Self::OtherRows(shares, _) => (Some(shares.difference), Some(shares.interval)),
            Self::OtherErrors(means, _) | Self::Seeds(means, ..) | Self::Folds(means, _) => {
                (Some(means.difference), Some(means.interval))
            }
            Self::Untested(_) => (None, None),
        }
    }

    /// The name of the test, and of the method of the interval.
    pub fn names(&self) -> Option<(String, &'static str)> {
        Some(match self {
            Self::Right(_) => ("exact McNemar test".into(), "Agresti and Min"),
            Self::Errors { test, .. } => {
                let flips = test.flips.map_or("exact".into(), |n| format!("{} flips", crate::format::count(n as u64)));
                (format!("permutation test with sign flips, {flips}"), "paired bootstrap")
            }
            Self::OtherRows(..) => ("z-test of two independent shares".into(), "Newcombe, from two Wilson intervals"),
            Self::OtherErrors(..) => ("Welch's t-test over rows".into(), "Welch"),
            Self::Seeds(..) => ("Welch's t-test over seeds".into(), "Welch"),
            Self::Folds(..) => ("Nadeau and Bengio's corrected t-test over folds".into(), "Nadeau and Bengio"),
            Self::Untested(_) => return None,
        })
    }

    /// Whether both sides were compared row by row.
    pub fn is_paired(&self) -> bool {
        matches!(self, Self::Right(_) | Self::Errors { .. } | Self::Folds(..))
    }
}

/// The finding of a side against the first one.
pub fn finding(measured: &Measured<'_>, other: &MeasuredSide<'_>) -> Finding {
    let first = &measured.sides[0];
    if let Some(not_final) = [first, other].into_iter().find(|side| !side.is_final) {
        return Finding::Untested(format!("{} is not final, and its metrics still change", not_final.letter));
    }
    match (first.side.folds(), other.side.folds()) {
        (Some(_), Some(_)) => folds(measured, other),
        (None, None) => match (first.only(), other.only()) {
            (Some(_), Some(_)) => runs(measured, other),
            (None, None) => seeds(first, other, measured.terms.first),
            (one, _) => {
                let one = if one.is_some() { first } else { other };
                Finding::Untested(format!(
                    "{} is one run, and how its value would vary with other seeds is not known: compare runs with runs, or trials with trials",
                    one.letter
                ))
            }
        },
        (of_first, _) => {
            let (with, without) = if of_first.is_some() { (first, other) } else { (other, first) };
            Finding::Untested(format!("{} is a cross-validation and {} is not", with.letter, without.letter))
        }
    }
}

/// Two runs, row by row if both were evaluated on the same rows.
fn runs(measured: &Measured<'_>, other: &MeasuredSide<'_>) -> Finding {
    let first = &measured.sides[0];
    let (Some((a, of_a)), Some((b, of_b))) = (first.only(), other.only()) else {
        return Finding::Untested("there is nothing to compare".into());
    };
    let (of_other, of_first) = match [other, first].map(|side| Answers::of(side, measured.split)) {
        [Ok(of_other), Ok(of_first)] => (of_other, of_first),
        // Whether they have the same rows is not known.
        [Err(why), _] | [_, Err(why)] => return Finding::Untested(why.into()),
    };
    if of_other.are_of_same_rows(&of_first) {
        return match compared(&[b], &[a]) {
            Ok(OnSameRows::Right(paired)) => Finding::Right(paired),
            Ok(OnSameRows::Errors { rows, test, interval }) => Finding::Errors { rows, test, interval },
            Err(why) => Finding::Untested(why.into()),
        };
    }
    if measured.terms.is_single() {
        let differ = shares_differ((of_b.right(), of_b.rows), (of_a.right(), of_a.rows));
        return differ.map_or(Finding::Untested("one has no rows".into()), |differ| {
            Finding::OtherRows(differ, [of_b.rows, of_a.rows])
        });
    }
    let labels = b.run.labels.len();
    let errors = |answers: &Answers<'_>| -> Vec<f64> {
        answers.seeds.iter().flatten().map(|p| error(measured.terms.task, p, labels)).collect()
    };
    let (x, y) = (errors(&of_other), errors(&of_first));
    let rows = [x.len() as u64, y.len() as u64];
    let differ = Sample::new(&x).zip(Sample::new(&y)).and_then(|(x, y)| welch(&x, &y));
    differ.map_or(Finding::Untested("their errors do not vary".into()), |differ| Finding::OtherErrors(differ, rows))
}

/// Two trials of several seeds.
fn seeds(first: &MeasuredSide<'_>, other: &MeasuredSide<'_>, metric: Metric) -> Finding {
    if let Some(few) = [first, other].into_iter().find(|side| side.values(metric).len() < 2) {
        return Finding::Untested(format!(
            "{} is defined for {} of the {} runs of {}, and a test needs two of each side",
            metric.name(),
            few.values(metric).len(),
            few.runs.len(),
            few.letter
        ));
    }
    match differ_over_seeds(first, other, metric) {
        Some(differ) => {
            let n = [other, first].map(|side| side.values(metric).len());
            Finding::Seeds(differ, n, paired_by_seed(first, other, metric))
        }
        None => Finding::Untested(format!(
            "the seeds of neither differ in {}, so nothing is known about how other seeds would differ",
            metric.name()
        )),
    }
}

/// Welch's test of the values of a metric over the seeds.
pub fn differ_over_seeds(first: &MeasuredSide<'_>, other: &MeasuredSide<'_>, metric: Metric) -> Option<MeansDiffer> {
    let [a, b] = [first, other].map(|side| Sample::new(&side.values(metric)));
    welch(&b?, &a?)
}

/// The paired test, if both have the same seeds.
fn paired_by_seed(first: &MeasuredSide<'_>, other: &MeasuredSide<'_>, metric: Metric) -> Option<MeansDiffer> {
    let [a, b] = [first, other].map(|side| side.by_seed(metric).into_iter().collect::<BTreeMap<u64, f64>>());
    let same = a.len() == first.runs.len() && b.len() == other.runs.len() && a.keys().eq(b.keys());
    same.then(|| paired_t(&b.values().zip(a.values()).map(|(b, a)| b - a).collect::<Vec<_>>())).flatten()
}

/// Two cross-validations of the same division.
fn folds(measured: &Measured<'_>, other: &MeasuredSide<'_>) -> Finding {
    let first = &measured.sides[0];
    if first.side.folds() != other.side.folds() {
        return Finding::Untested("they have different numbers of folds".into());
    }
    match have_same_folds(first, other, measured.split) {
        Ok(true) => {}
        Ok(false) => return Finding::Untested("their folds have different rows".into()),
        Err(why) => return Finding::Untested(why.into()),
    }
    let tested = OverFolds::of(first, other, measured.terms.first).and_then(|over| Some((over.test()?, over)));
    match tested {
        Some((differ, over)) => Finding::Folds(differ, over),
        None => Finding::Untested("fewer than two folds are completed by both, or all differ by the same".into()),
    }
}

//! Turns records into charts: what each shows, and in which colours.

use std::collections::BTreeMap;

use super::{
    analysis::Analysis,
    charts::{
        Bar, BeforeAfterChart, Bin, Change, LabelBars, MatrixChart, OTHERS, PALETTE, ProbeBars, ProbesChart,
        ReliabilityChart, ReliabilityWords, ResidualsChart, Said, ScatterChart, Why,
    },
    format,
    input::{ReportInput, RunInput},
    intervals::column_of,
    reference::Reference,
    terms::Terms,
};
use crate::report::language::{Said as _, stored_target, tr};
use crate::{
    event::When,
    metrics::{Metrics, Probabilities, Target},
    stats::wilson,
    store::ProbeRecord,
    task::Task,
};

/// At most this many runs are drawn in the chart of accuracies before and after training.
const MOST_CHANGES: usize = 24;
/// Up to this many labels, everything is shown; with more, only the worst.
pub const MOST_LABELS: usize = 50;
/// At most this many probes are drawn.
const MOST_PROBES: usize = 12;
/// At most this many labels of a probe are drawn: a set may have hundreds.
const MOST_OF_PROBE: usize = 6;

/// Removes the words that `all` names share: a chart only has space for what distinguishes them.
pub fn distinguish(names: Vec<&mut String>, all: &[&str]) {
    let all: Vec<Vec<&str>> = all.iter().map(|name| name.split_whitespace().collect()).collect();
    if all.len() < 2 {
        return;
    }
    for name in names {
        let shared = |word: &&str| all.iter().all(|other| other.contains(word));
        let kept: Vec<&str> = name.split_whitespace().filter(|word| !shared(word)).collect();
        if !kept.is_empty() {
            *name = kept.join(" ");
        }
    }
}

/// The first metric before and after training, in the order of the ranking, and how many runs were left out.
pub fn before_after(input: &ReportInput, analysis: &Analysis) -> Option<(BeforeAfterChart, usize)> {
    let best = &input.runs[analysis.best()?];
    let metric = analysis.terms.first;
    // The predictions before training are not stored, from which other metrics have their intervals.
    let before = |m: &Metrics| match analysis.terms.is_single() {
        true => (m.get(metric), Some(wilson(m.right(), m.rows))),
        false => (m.get(metric), None),
    };
    let change = |&i: &usize| {
        let run = &input.runs[i];
        let metrics = run.run.final_metrics.as_ref()?;
        let after = (metrics.get(metric), analysis.intervals[i][0]);
        let key = format::short(&run.run.key).to_string();
        Some(Change { name: run.run.name.clone(), key, before: run.before().map(before), after })
    };
    let order: Vec<usize> = analysis.in_rank_order().take(MOST_CHANGES).collect();
    let mut changes: Vec<Change> = order.iter().filter_map(change).collect();
    let all: Vec<&str> = input.runs.iter().map(|run| run.run.name.as_str()).collect();
    distinguish(changes.iter_mut().map(|c| &mut c.name).collect(), &all);
    let left_out = analysis.ranked.len() - changes.len();
    let metrics = best.run.final_metrics.as_ref();
    // Each fold has other rows, so that the baseline of one is not that of the others.
    let baseline = Reference::of(best).zip(metrics).filter(|_| !analysis.has_folds());
    let baseline = baseline.and_then(|(b, metrics)| b.value(metrics, true));
    let intervals = if analysis.terms.is_single() {
        tr("95% Wilson intervals", "95% 威尔逊（Wilson）区间")
    } else {
        tr("95% bootstrap intervals", "95% 自助法（bootstrap）区间")
    };
    let split = best.measured_on().said();
    Some((BeforeAfterChart { changes, split, metric, intervals, baseline }, left_out))
}

/// A probe as it was scored before and after training.
pub struct ProbePair<'a> {
    /// Its number, from 1.
    pub number: usize,
    /// Before the first step.
    pub before: Option<&'a ProbeRecord>,
    /// With the kept weights, or the last score.
    pub after: Option<&'a ProbeRecord>,
}

/// The probes of a run, in the spec's order.
pub fn probe_pairs(run: &RunInput) -> Vec<ProbePair<'_>> {
    let mut pairs: BTreeMap<u32, ProbePair<'_>> = BTreeMap::new();
    for record in &run.probes {
        let position = record.score.position;
        let empty = ProbePair { number: position as usize + 1, before: None, after: None };
        let pair = pairs.entry(position).or_insert(empty);
        match record.when {
            When::Before => pair.before = Some(record),
            When::During | When::After => pair.after = Some(record),
        }
    }
    pairs.into_values().collect()
}

/// Bars for the first probes, and how many were left out.
pub fn probes(run: &RunInput) -> Option<(ProbesChart, usize)> {
    let pairs = probe_pairs(run);
    let bars = |pair: &ProbePair<'_>| {
        let shown = pair.after.or(pair.before).filter(|shown| !shown.score.probabilities.is_empty())?;
        let labels = match Terms::of_run(&run.run).task {
            Task::MultiLabel => labels_of_set(run, pair, shown),
            Task::SingleLabel | Task::Regression => vec![one_label(run, pair, shown)],
        };
        let text = format::texts(&shown.score.text, shown.score.text_pair.as_deref()).into_owned();
        Some(ProbeBars { number: pair.number, text, labels })
    };
    let drawn: Vec<ProbeBars> = pairs.iter().take(MOST_PROBES).filter_map(bars).collect();
    if drawn.is_empty() { None } else { Some((ProbesChart { probes: drawn }, pairs.len().saturating_sub(MOST_PROBES))) }
}

/// The moments of a probe.
fn moments<'a>(pair: &ProbePair<'a>) -> impl Iterator<Item = (&'static str, &'a ProbeRecord)> {
    [pair.before.map(|record| ("before", record)), pair.after.map(|record| ("after", record))].into_iter().flatten()
}

/// The expected label, or the predicted one where none is expected.
fn one_label(run: &RunInput, pair: &ProbePair<'_>, shown: &ProbeRecord) -> LabelBars {
    let labels = &run.run.labels;
    let id = |name: &str| labels.iter().position(|label| label == name);
    let expected = shown.score.expect.as_deref().filter(|name| id(name).is_some());
    let label = expected.unwrap_or(&shown.score.predicted);
    let label_id = id(label).unwrap_or_else(|| shown.score.probabilities.argmax() as usize);
    let bar = |(when, record): (&'static str, &ProbeRecord)| Bar {
        when,
        probability: record.score.probabilities.get(label_id as u32).map_or(0.0, f64::from),
        predicted: Said::Label(
            stored_target(&record.score.predicted, run.run.config.data.task()).to_owned(),
            id(&record.score.predicted).unwrap_or(0),
        ),
        right: record.score.is_right().filter(|_| expected.is_some()),
    };
    LabelBars {
        label: labels.get(label_id).map_or(label, String::as_str).to_string(),
        label_id,
        why: if expected.is_some() { Why::Expected } else { Why::Predicted },
        bars: moments(pair).map(bar).collect(),
    }
}

/// Of a set of labels those that are expected, then those that are predicted beyond them; the most probable one if there are none.
fn labels_of_set(run: &RunInput, pair: &ProbePair<'_>, shown: &ProbeRecord) -> Vec<LabelBars> {
    let labels = &run.run.labels;
    let separator = run.run.config.data.label_separator.as_deref();
    let expected = shown.score.expect.as_deref().map(|text| {
        let target = Task::MultiLabel.expected(text, separator, labels);
        target.map(|target| target.ids().to_vec()).unwrap_or_default()
    });
    // A name may have the separator in it.
    let ids = |shown: &str| {
        let within = |text: &str| format!("{0}{text}{0}", Target::SEPARATOR);
        let shown = within(shown);
        (0..).zip(labels).filter(|(_, name)| shown.contains(&within(name))).map(|(id, _)| id).collect::<Vec<u32>>()
    };
    let predicted = ids(&shown.score.predicted);
    let is_expected = |id: &u32| expected.as_ref().is_some_and(|expected| expected.contains(id));
    let why = if expected.is_some() { Why::NotExpected } else { Why::Predicted };
    let beyond = predicted.into_iter().filter(|id| !is_expected(id)).map(|id| (id, why));
    let mut all: Vec<(u32, Why)> =
        expected.iter().flatten().map(|id| (*id, Why::Expected)).chain(beyond).take(MOST_OF_PROBE).collect();
    if all.is_empty() {
        all.push((shown.score.probabilities.argmax(), Why::MostProbable));
    }
    let bars = |(id, why): (u32, Why)| {
        let bar = |(when, record): (&'static str, &ProbeRecord)| {
            let has = ids(&record.score.predicted).contains(&id);
            Bar {
                when,
                probability: record.score.probabilities.get(id).map_or(0.0, f64::from),
                predicted: Said::Has(has),
                right: expected.as_ref().map(|_| has == is_expected(&id)),
            }
        };
        LabelBars {
            label: labels.get(id as usize).cloned().unwrap_or_default(),
            label_id: id as usize,
            why,
            bars: moments(pair).map(bar).collect(),
        }
    };
    all.into_iter().map(bars).collect()
}

/// The confusion matrix of a run with a result, or of sets of labels how often two occur together, unless it has too many labels to draw.
pub fn matrix(run: &RunInput) -> Option<MatrixChart> {
    let metrics = run.run.final_metrics.as_ref().filter(|m| m.per_class.len() <= MOST_LABELS)?;
    let labels = metrics.per_class.iter().map(|c| c.label.clone()).collect();
    match Terms::of_run(&run.run).task {
        Task::SingleLabel => Some(MatrixChart {
            title: tr("Confusion matrix", "混淆矩阵"),
            captions: [tr("label (rows)", "标签（行）"), tr("predicted (columns)", "预测（列）")],
            colours: [PALETTE[0], PALETTE[1]],
            labels,
            totals: metrics.confusion.supports(),
            counts: metrics.confusion.clone(),
        }),
        Task::MultiLabel => {
            let mut counts = metrics.co_occurrence.clone()?;
            let totals: Vec<u64> = metrics.per_class.iter().map(|class| class.support).collect();
            (0..).zip(&totals).for_each(|(id, rows)| counts.add(id, id, *rows));
            Some(MatrixChart {
                title: tr("Labels that occur together", "同时出现的标签"),
                captions: [tr("label (rows)", "标签（行）"), tr("with (columns)", "同时有（列）")],
                colours: [OTHERS, PALETTE[0]],
                labels,
                totals,
                counts,
            })
        }
        Task::Regression => None,
    }
}

/// Columns of numbers that are drawn.
pub const MOST_COLUMNS: usize = 4;

/// For each of the first columns of a run that predicts numbers, the predicted against the true numbers, and the errors.
pub fn numbers(run: &RunInput) -> Vec<(ScatterChart, ResidualsChart)> {
    if Terms::of_run(&run.run).task != Task::Regression || run.predictions.is_empty() {
        return Vec::new();
    }
    let several = run.run.labels.len() > 1;
    let of_column = |(id, name): (usize, &String)| {
        let rows = column_of(&run.predictions, id);
        let name = if several { name.clone() } else { String::new() };
        let errors = rows.iter().map(|(value, predicted)| predicted - value);
        (ScatterChart::new(name.clone(), id, &rows), ResidualsChart::new(name, id, errors))
    };
    run.run.labels.iter().enumerate().take(MOST_COLUMNS).map(of_column).collect()
}

/// The reliability diagram of a run with stored predictions.
pub fn reliability(run: &RunInput) -> Option<ReliabilityChart> {
    let labels = run.run.labels.len();
    let chart = match Terms::of_run(&run.run).task {
        Task::SingleLabel => {
            let rows = run.predictions.iter().filter_map(|p| {
                let confidence = p.confidence()?;
                confidence.is_finite().then_some((confidence, p.predicted == p.label))
            });
            ReliabilityChart::new(ReliabilityWords::of_rows(), rows)
        }
        // Of many labels only the most probable ones are stored.
        Task::MultiLabel if labels <= Probabilities::ALL => {
            let cells = run.predictions.iter().flat_map(|p| {
                let of_row = p.probabilities.iter().filter(|(_, p)| p.is_finite());
                of_row.map(|(id, probability)| (probability, p.label.ids().binary_search(&id).is_ok()))
            });
            ReliabilityChart::new(ReliabilityWords::of_cells(), cells)
        }
        Task::MultiLabel | Task::Regression => return None,
    };
    chart.bins.iter().any(|b: &Bin| b.rows > 0).then_some(chart)
}

/// The part of a caption that says how many were left out.
pub fn left_out(n: usize, thing: &str) -> String {
    if n == 0 {
        String::new()
    } else {
        tr!(" In the tables only: {}.", "另有 {}见表格。", format::plural(n, thing))
    }
}

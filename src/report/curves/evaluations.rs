//! The chart of a metric during training.

use std::collections::BTreeMap;

use super::{
    super::{
        analysis::Analysis,
        charts::{Along, LegendEntry, MUTED, Mean, MetricChart, PALETTE, Symbol, Track},
        input::ReportInput,
        reference::Reference,
    },
    average::average,
    select::Drawn,
    series::{Series, series},
};
use crate::report::language::{Said, tr};
use crate::{
    event::{Split, When},
    store::{EvalRecord, RunRecord},
};

/// The first metric during training, on the split that was evaluated: dev if there is one.
pub fn metric(input: &ReportInput, analysis: &Analysis, drawn: &Drawn) -> Option<MetricChart> {
    let metric = analysis.terms.first;
    let reference = &input.runs[analysis.best().unwrap_or(0).min(input.runs.len().checked_sub(1)?)];
    let on_dev = |e: &EvalRecord| e.when == When::During && e.split == Split::Dev;
    let split = match input.runs.iter().any(|run| run.evals.iter().any(on_dev)) {
        true => Split::Dev,
        false => reference.measured_on(),
    };
    let evals = |i: usize, split: Split| -> Vec<&EvalRecord> { during_training(&input.runs[i].evals, split) };
    let is_shown = |i: usize| evals(i, split).len() > 1;
    let shown: Vec<usize> = drawn.runs().filter(|&i| is_shown(i)).collect();
    if shown.is_empty() {
        return None;
    }
    let by_epoch = shown.iter().all(|&i| one_an_epoch(&input.runs[i].run, &evals(i, split)));
    let points = |i: usize| -> Vec<(f64, f64)> {
        let x = |e: &EvalRecord| if by_epoch { f64::from(e.epoch) } else { e.step as f64 };
        evals(i, split).into_iter().map(|e| (x(e), e.metrics.get(metric))).collect()
    };
    let (series, mut legend) = series(input, analysis, drawn, is_shown);
    let (mut tracks, mut bands) = (Vec::new(), Vec::new());
    let entry = |name: String, colour, symbol| LegendEntry { substitute: name.clone(), name, colour, symbol };
    if shown.len() == 1 {
        legend.push(entry(tr!("{} split", "{}", split.said()), PALETTE[0], Symbol::Line));
    }
    for Series { runs, colour, leads } in series {
        let of_runs: Vec<Vec<(f64, f64)>> = runs.iter().map(|&i| points(i)).collect();
        let averaged = leads && runs.len() > 1;
        let mean = averaged.then(|| average(&of_runs.iter().map(|points| &points[..]).collect::<Vec<_>>()));
        tracks.extend(of_runs.into_iter().map(|points| Track { colour, points, beneath: averaged || !leads }));
        if let Some(mean) = mean {
            tracks.push(Track { colour, points: mean.points.clone(), beneath: false });
            bands.push(Mean { colour, ..mean });
        }
    }
    // The baseline must be of the rows that the chart shows.
    let charted =
        evals(shown.iter().copied().find(|&i| std::ptr::eq(&input.runs[i], reference)).unwrap_or(shown[0]), split);
    let of_result = split == reference.measured_on() && !analysis.has_folds();
    let baseline = Reference::of(reference).zip(charted.first());
    let baseline = baseline.and_then(|(b, eval)| b.value(&eval.metrics, of_result));
    let mut chart = MetricChart {
        metric,
        tracks,
        bands,
        legend,
        along: if by_epoch { Along::Epochs } else { Along::Steps },
        split: split.said(),
        baseline,
    };
    let on_axis = chart.drawn_baseline();
    let name = |b: f64| tr!("baseline {}", "基线 {}", metric.text(b));
    chart.legend.extend(on_axis.map(|b| entry(name(b), MUTED, Symbol::Dashes)));
    Some(chart)
}

/// Evaluations on one split up to the last step, one for each step: the evaluation of the kept weights only if its step has no
/// other.
pub fn during_training(evals: &[EvalRecord], split: Split) -> Vec<&EvalRecord> {
    let mut by_step: BTreeMap<u64, &EvalRecord> = BTreeMap::new();
    for eval in evals.iter().filter(|e| e.split == split) {
        match eval.when {
            When::Before | When::During => by_step.insert(eval.step, eval),
            When::After => Some(*by_step.entry(eval.step).or_insert(eval)),
        };
    }
    by_step.into_values().collect()
}

/// Whether each evaluation but the first is at the end of a different epoch.
pub fn one_an_epoch(run: &RunRecord, evals: &[&EvalRecord]) -> bool {
    let at_the_end = |e: &&EvalRecord| run.size.is_none_or(|size| e.step == u64::from(e.epoch) * size.steps_per_epoch);
    evals.windows(2).all(|w| w[0].epoch < w[1].epoch) && evals.iter().all(at_the_end)
}

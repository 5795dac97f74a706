//! The answer: the best trial with its interval, then the one run whose predictions the page shows.

use super::{BestRun, Headline};
use crate::{
    metrics::{Metric, Metrics},
    report::{
        analysis::{Analysis, Group},
        baseline::Baseline,
        format,
        input::{ReportInput, RunInput, split_name},
        means::{Mean, OVER_ROWS, mean},
        pictures::with_interval,
        tables::label_name,
    },
};

/// The answer of an experiment in which a run has a result.
pub(super) fn headline(input: &ReportInput, analysis: &Analysis) -> Option<Headline> {
    let shown = analysis.shown(&input.runs)?;
    let group = &analysis.groups[analysis.best_group()?];
    let own = Own::of(shown, analysis)?;
    let (subject, of) = subject(input, analysis);
    let single = |name: String| Headline {
        subject: subject.clone(),
        name,
        of,
        split: own.split,
        accuracy: own.accuracy.clone(),
        rows: own.rows.clone(),
        mean_over: String::new(),
        interval: Some(own.interval.clone()),
        macro_f1: own.macro_f1.clone(),
        before: shown.before().map(|m| format::percent(m.get(Metric::Accuracy))),
        baseline: own.baseline.clone(),
        baseline_of: own.baseline_of.clone(),
        baseline_label: own.baseline_label.clone(),
        verdict: own.verdict(shown, if analysis.groups.len() > 1 { "the best trial" } else { "the model" }),
        key: None,
        run: None,
    };
    let folds = analysis.together.is_some();
    if folds && group.complete.len() < 2 {
        return Some(single(trial_name(analysis, group)));
    }
    if analysis.has_folds() && !folds {
        // A fold alone: no trial has all of them.
        let verdict = own.verdict(shown, "this fold");
        return Some(Headline { verdict, ..single(shown.run.name.clone()) });
    }
    if group.planned < 2 {
        let key = (input.runs.len() > 1).then(|| format::short(&shown.run.key).to_string());
        let name = if analysis.groups.len() > 1 { group.name.clone() } else { shown.run.name.clone() };
        return Some(Headline { key, ..single(name) });
    }
    let over = Means::of(input, group)?;
    Some(Headline {
        accuracy: format::percent(over.accuracy.mean),
        rows: if folds { "of all rows right, out-of-fold".into() } else { format!("of the {} rows right", own.split) },
        mean_over: over.seeds(group),
        interval: over
            .accuracy
            .shown()
            .zip(over.accuracy.covers("seed"))
            .map(|((low, high), covers)| (covers, format::percent_range(crate::stats::Interval { low, high }))),
        macro_f1: over.macro_f1.map_or(format::NOTHING.into(), |mean| format::percent(mean.mean)),
        before: over.before.map(|mean| format::percent(mean.mean)),
        verdict: match over.accuracy.n {
            1 => of_one_seed(over.accuracy.mean - own.share_of_baseline),
            _ => of_mean(over.accuracy.mean - own.share_of_baseline),
        },
        run: Some(BestRun {
            intro: match folds {
                true => "The classes and mistakes below are of".into(),
                false => format!(
                    "Its best run by {} {}, whose classes and mistakes are below:",
                    split_name(analysis.criterion.split),
                    analysis.criterion.metric.name()
                ),
            },
            name: shown.run.name.clone(),
            key: (!folds).then(|| format::short(&shown.run.key).to_string()),
            verdict: own.verdict(shown, if folds { "this seed" } else { "this run" }),
            accuracy: own.accuracy.clone(),
            rows: own.rows.clone(),
            interval: own.interval.clone(),
            macro_f1: own.macro_f1.clone(),
            of: if folds { "of one seed of it".into() } else { format!("of its best run, {}", shown.run.name) },
        }),
        ..single(trial_name(analysis, group))
    })
}

/// How the answer calls what it is of, and the same after a number.
fn subject(input: &ReportInput, analysis: &Analysis) -> (String, &'static str) {
    if analysis.has_folds() && analysis.together.is_none() {
        return ("The first completed fold,".into(), " of the first completed fold");
    }
    match (analysis.groups.len() > 1, input.runs.len() > 1) {
        (true, _) if analysis.has_rank() => ("Best trial".into(), " of the best trial"),
        (true, _) => ("Best trial so far".into(), " of the best trial so far"),
        (false, true) if analysis.together.is_some() => ("Cross-validation,".into(), ""),
        (false, true) => ("The trial".into(), ""),
        (false, false) => ("The run".into(), ""),
    }
}

/// The name of the best trial with its folds. The only trial needs none.
fn trial_name(analysis: &Analysis, group: &Group) -> String {
    let folds = group.out_of_fold.as_ref().map(|folds| format::plural(folds.folds, "fold"));
    let own = (analysis.groups.len() > 1).then(|| group.name.clone());
    own.into_iter().chain(folds).collect::<Vec<_>>().join(", ")
}

/// What is measured of the run, or of the folds together, that the page shows.
struct Own {
    split: &'static str,
    accuracy: String,
    rows: String,
    interval: (String, String),
    macro_f1: String,
    baseline: String,
    baseline_of: String,
    baseline_label: String,
    share_of_baseline: f64,
}

impl Own {
    fn of(run: &RunInput, analysis: &Analysis) -> Option<Self> {
        let metrics = run.run.final_metrics.as_ref()?;
        let (accuracy, interval) = with_interval(metrics);
        let baseline = Baseline::of(run)?;
        let folds = analysis.together.is_some();
        let split = if folds { "out-of-fold" } else { split_name(run.measured_on()) };
        let rows = format::count(metrics.rows);
        Some(Self {
            split,
            accuracy: format::percent(accuracy),
            rows: if folds {
                format!("of all {rows} rows right, {split}")
            } else {
                format!("of {rows} {split} rows right")
            },
            interval: (OVER_ROWS.into(), format::percent_range(interval)),
            macro_f1: format::percent(metrics.get(Metric::MacroF1)),
            baseline: format::percent(baseline.accuracy(metrics)),
            share_of_baseline: baseline.accuracy(metrics),
            baseline_label: label_name(run, baseline.label),
            baseline_of: baseline.words,
        })
    }

    /// Compares it with the baseline, row by row.
    fn verdict(&self, run: &RunInput, what: &str) -> String {
        let verdict = Baseline::of(run).zip(run.run.final_metrics.as_ref()).map(|(baseline, m)| baseline.against(m));
        verdict.map_or(String::new(), |verdict| verdict.sentence(what, |id| label_name(run, id)))
    }
}

/// The means of the best trial over its seeds.
struct Means {
    accuracy: Mean,
    macro_f1: Option<Mean>,
    before: Option<Mean>,
}

impl Means {
    fn of(input: &ReportInput, group: &Group) -> Option<Self> {
        let of = |runs: &[usize]| runs.iter().map(|&i| input.runs[i].before()).collect::<Option<Vec<&Metrics>>>();
        // As the accuracy after training: of folds, all rows of a seed together.
        let pooled: Vec<Metrics> = group.complete.iter().filter_map(|folds| Metrics::pooled(&of(folds)?)).collect();
        let before: Vec<&Metrics> = match &group.out_of_fold {
            Some(_) => pooled.iter().collect(),
            None => group.finished.iter().filter_map(|&i| input.runs[i].before()).collect(),
        };
        let (accuracy, macro_f1) = match &group.out_of_fold {
            Some(folds) => (folds.accuracy, folds.macro_f1),
            None => (group.accuracy, group.macro_f1),
        };
        Some(Self { accuracy: accuracy?, macro_f1, before: mean(&before, Metric::Accuracy) })
    }

    /// What the means are over: `mean over 2 of 3 seeds`.
    fn seeds(&self, group: &Group) -> String {
        let planned = group.out_of_fold.as_ref().map_or(group.planned, |folds| folds.seeds);
        match self.accuracy.n {
            n if n == planned => format!("mean over {}", format::plural(n, "seed")),
            1 => format!("1 of {} completed", format::plural(planned, "seed")),
            n => format!("mean over {n} of {}", format::plural(planned, "seed")),
        }
    }
}

/// Compares a mean accuracy with the baseline's.
fn of_mean(difference: f64) -> String {
    against_baseline("The mean", difference)
}

/// The same of the only completed seed of several.
fn of_one_seed(difference: f64) -> String {
    against_baseline("The completed seed", difference)
}

fn against_baseline(what: &str, difference: f64) -> String {
    let points = format::decimals(difference.abs() * 100.0, 1);
    match points.as_str() {
        "0.0" => format!("{what} equals the baseline."),
        points if difference > 0.0 => format!("{what} is {points} points above the baseline."),
        points => format!("{what} is {points} points below the baseline."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_is_compared_with_the_baseline() {
        assert_eq!(of_mean(0.417), "The mean is 41.7 points above the baseline.");
        assert_eq!(of_mean(-0.02), "The mean is 2.0 points below the baseline.");
        assert_eq!(of_mean(-0.0004), "The mean equals the baseline.");
        assert_eq!(of_one_seed(0.05), "The completed seed is 5.0 points above the baseline.");
    }
}

//! The ranking of the trials, and the comparison of the first two.

use super::{Ranking, TrialRow, folds};
use crate::{
    format::{and, command::shell_word},
    metrics::Metric,
    report::{
        analysis::{Analysis, Comparison, Group},
        format,
        input::{ReportInput, split_name},
        means::{Mean, OVER_ROWS},
    },
    stats::Interval,
    store::RunState,
};

/// Trials that the page shows at once; the others are folded away.
const MOST_TRIALS: usize = 20;

/// The table of trials; `None` for a single run. `accuracy` and `chosen` are the headings of single runs.
pub(super) fn ranking(
    input: &ReportInput,
    analysis: &Analysis,
    accuracy: &str,
    chosen: Option<&str>,
) -> Option<Ranking> {
    let (several, has_folds) = (analysis.groups.len() > 1, analysis.has_folds());
    if !several && !analysis.has_seeds() {
        return None;
    }
    let ranked_by =
        format!("{} {}", format::capital(split_name(analysis.criterion.split)), analysis.criterion.metric.name());
    let (mut rows, mut folded) = (rows(analysis), Vec::new());
    if rows.len() > MOST_TRIALS + 4 {
        folded = rows.split_off(MOST_TRIALS);
    }
    Some(Ranking {
        title: if several { "Ranking".into() } else { format!("Mean over {}s", analysis.averaged_over()) },
        count: analysis.has_seeds().then_some(if has_folds { "Runs completed" } else { "Seeds completed" }),
        chosen: chosen.map(|_| heading(analysis, &ranked_by)),
        accuracy: heading(analysis, accuracy),
        macro_f1: heading(analysis, "Macro-F1"),
        has_folds,
        rows,
        folded,
        notes: notes(input, analysis),
    })
}

/// Explains the table of trials: each sentence only where it applies.
fn notes(input: &ReportInput, analysis: &Analysis) -> Vec<String> {
    let mut notes = Vec::new();
    let open = analysis.groups.iter().any(|group| group.rank.is_none());
    if analysis.groups.len() > 1 {
        let dash = match analysis.has_seeds() {
            _ if !open => String::new(),
            true => format!(" “–”: no rank, because not all {}s of the trial are completed.", analysis.replicate),
            false => " “–”: no rank, because the run is not completed.".into(),
        };
        let name = shell_word(&input.experiment.name);
        notes.push(format!("Best first, as in `taper list {name} --leaderboard`.{dash}"));
    }
    if input.runs.iter().any(|run| run.run.state == RunState::Pruned) && analysis.groups.len() > 1 {
        notes.push("Of pruned trials, those that were trained further come first.".into());
    }
    let seed = |run: usize| input.runs[run].run.config.data.seed;
    if (1..input.runs.len()).any(|run| seed(run) != seed(0)) {
        notes.push("Runs with a different `data.seed` are different trials, because they have other rows.".into());
    }
    notes.extend(intervals(analysis));
    if analysis.has_seeds() {
        notes.push(format!(
            "SD: sample standard deviation of the accuracy over {}s, in percentage points.",
            analysis.averaged_over()
        ));
    }
    if analysis.has_folds() {
        notes.push(
            "Out-of-fold: all folds together; each row is predicted once, by the model whose test fold contains it. \
             Its interval is Wilson's 95% interval over rows: how much the accuracy may differ on other rows."
                .into(),
        );
        notes.push(
            "SD and intervals over folds are too small for other data, because the training rows of the folds overlap."
                .into(),
        );
    }
    notes
}

/// Explains the intervals in the table.
fn intervals(analysis: &Analysis) -> Vec<String> {
    let means = |group: &Group| {
        let finished = !group.finished.is_empty();
        [
            (analysis.criterion.metric, group.chosen.filter(|_| finished)),
            (Metric::Accuracy, group.accuracy),
            (Metric::MacroF1, group.macro_f1),
        ]
    };
    let means = analysis.groups.iter().flat_map(means).filter_map(|(metric, mean)| Some((metric, mean?)));
    interval_sentences(&means.filter(|(_, mean)| mean.shown().is_some()).collect::<Vec<_>>(), analysis.averaged_over())
}

/// Says which intervals these means have. `replicate`: what the means are over.
fn interval_sentences(means: &[(Metric, Mean)], replicate: &str) -> Vec<String> {
    let accuracies: Vec<&Mean> = means.iter().filter(|(by, _)| *by == Metric::Accuracy).map(|(_, mean)| mean).collect();
    let wider = match accuracies.iter().any(|mean| mean.n > 1 && mean.rows.is_some()) {
        true => format!(", or {OVER_ROWS} if that is wider"),
        false => String::new(),
    };
    let kinds = [
        (1..=1, format!("for one {replicate}"), OVER_ROWS.to_string()),
        (2..=2, format!("for two {replicate}s"), format!("from the lower to the higher value{wider}")),
        (3..=usize::MAX, "for three or more".into(), format!("95% Student's t interval over {replicate}s{wider}")),
    ];
    let found: Vec<_> = kinds.into_iter().filter(|(n, ..)| accuracies.iter().any(|mean| n.contains(&mean.n))).collect();
    let mut sentences = Vec::new();
    match &found[..] {
        [] => {}
        [(_, _, only)] => sentences.push(format!("In parentheses after an accuracy: {only}.")),
        several => {
            let each: Vec<String> = several.iter().map(|(_, of, what)| format!("{of}, {what}")).collect();
            sentences.push(format!("In parentheses after an accuracy: {}.", each.join("; ")));
        }
    }
    if accuracies.iter().any(|mean| mean.n == 2) && replicate == "seed" {
        sentences.push("Two seeds say little about how other seeds would perform.".into());
    }
    let others: Vec<&(Metric, Mean)> =
        means.iter().filter(|(by, mean)| *by != Metric::Accuracy && mean.n > 1).collect();
    let mut names: Vec<String> = others.iter().map(|(by, _)| by.name().to_string()).collect();
    names.sort();
    names.dedup();
    if !names.is_empty() {
        let what = match others.iter().all(|(_, mean)| mean.n == 2) {
            true => "from the lower to the higher value".into(),
            false => format!("the same over {replicate}s alone"),
        };
        sentences.push(format!("After {}: {what}; none if all values are the same.", and(&names)));
    }
    sentences
}

fn mean_text(mean: Option<Mean>, metric: Metric) -> String {
    mean.map_or(format::NOTHING.into(), |mean| mean.text(metric))
}

/// The rows of the table, best first.
fn rows(analysis: &Analysis) -> Vec<TrialRow> {
    let best = analysis.best_group();
    let row = |&index: &usize| {
        let group: &Group = &analysis.groups[index];
        TrialRow {
            rank: group.rank.map_or(format::NOTHING.into(), |rank| rank.to_string()),
            name: group.name.clone(),
            best: best == Some(index) && group.rank.is_some() && analysis.groups.len() > 1,
            state: group.state.word(),
            n: format!("{} of {}", group.finished.len(), group.planned),
            chosen: match group.chosen {
                Some(mean) if group.finished.is_empty() => {
                    let steps = group.unfinished_at.as_ref().map(|steps| match steps.contains('–') {
                        true => format!("at steps {steps}, "),
                        false => format!("at step {steps}, "),
                    });
                    let value = analysis.criterion.metric.text(mean.mean);
                    format!("{value} ({}not final)", steps.unwrap_or_default())
                }
                chosen => mean_text(chosen, analysis.criterion.metric),
            },
            accuracy: mean_text(group.accuracy, Metric::Accuracy),
            sd: group.accuracy.and_then(|m| m.sd).map_or(format::NOTHING.into(), |sd| format::decimals(sd * 100.0, 1)),
            macro_f1: mean_text(group.macro_f1, Metric::MacroF1),
            out_of_fold: folds::cell(group, |folds| folds.accuracy, |mean| mean.text(Metric::Accuracy)),
            out_of_fold_f1: folds::cell(group, |folds| folds.macro_f1, |mean| mean.text(Metric::MacroF1)),
        }
    };
    analysis.order.iter().map(row).collect()
}

/// The heading of the table's column of a metric: what its mean and its interval are over.
fn heading(analysis: &Analysis, of: &str) -> String {
    match (analysis.has_seeds(), analysis.has_folds()) {
        (_, true) => format!("{of}, mean over folds (interval over folds)"),
        (true, false) => format!("{of}, mean (interval)"),
        (false, false) => format!("{of} (interval)"),
    }
}

/// An interval of a difference of shares: `−1.2 to +3.4, Welch`. Where it goes beyond what a difference can be, it is cut and says so.
fn of_difference(i: Interval, how: &str) -> String {
    let cut = if i.low < -1.0 || i.high > 1.0 { ", cut at the largest possible difference" } else { "" };
    format!("{} to {}, {how}{cut}", format::points(i.low.max(-1.0)), format::points(i.high.min(1.0)))
}

/// Compares the best configuration with the next, in words.
pub(super) fn comparison(input: &ReportInput, analysis: &Analysis, c: &Comparison) -> String {
    let verdict = |p: f64, first_is_better: bool, on: &str| match (p < 0.05, first_is_better) {
        (false, _) => "no significant difference at the 5% level".to_string(),
        (true, true) => format!("the first is significantly better at the 5% level{on}"),
        (true, false) => format!("the second is significantly better at the 5% level{on}"),
    };
    let differ = |what: &str, d: f64, interval: Interval, how: &str| {
        format!(" The {what} differ by {} points (95% interval {}).", format::points(d), of_difference(interval, how))
    };
    // The split that all runs are evaluated on, or a general word if they differ.
    let on = |runs: &[usize]| {
        let mut splits = runs.iter().map(|&i| input.runs[i].measured_on());
        let first = splits.next().filter(|first| splits.all(|other| other == *first));
        if analysis.has_folds() { "out-of-fold" } else { first.map_or("final", split_name) }
    };
    match c {
        Comparison::Means { first, second, differ: means } => {
            let (a, b) = (&analysis.groups[*first].finished, &analysis.groups[*second].finished);
            let on = on(&[&a[..], &b[..]].concat());
            let group = |g: usize| {
                let group = &analysis.groups[g];
                let seeds = if analysis.has_folds() { group.complete.len() } else { group.finished.len() };
                format!("“{}” ({})", group.name, format::plural(seeds, "seed"))
            };
            let (first, second) = (group(*first), group(*second));
            let Some(means) = means else {
                return format!(
                    "{first} against {second} cannot be tested: the seeds of neither differ in {on} accuracy, so nothing is known \
                     about how other seeds would differ."
                );
            };
            format!(
                "{first} against {second}, by mean {on} accuracy: {} (Welch's t-test over seeds, {}).{}",
                verdict(means.p, means.difference > 0.0, ""),
                format::p_value(means.p),
                differ(&format!("mean {on} accuracies"), means.difference, means.interval, "Welch")
            )
        }
        Comparison::Runs { first, second, paired } => {
            let name = |runs: &[usize]| match runs {
                [one] if !analysis.has_folds() => input.runs[*one].run.name.as_str(),
                _ => runs.first().map_or("", |&i| analysis.groups[analysis.group_of(i)].name.as_str()),
            };
            let on = on(&[&first[..], second].concat());
            let (first, second) = (name(first), name(second));
            let paired = match paired {
                Ok(paired) => paired,
                Err(why) => return format!("“{first}” and “{second}” cannot be compared row by row: {why}."),
            };
            let p = paired.mcnemar();
            let difference = paired
                .difference()
                .map_or(String::new(), |(d, i)| differ(&format!("{on} accuracies"), d, i, "Agresti and Min's"));
            format!(
                "“{first}” against “{second}” on the same {}: {} (exact McNemar test, {}). The first alone is right on \
                 {}, the second alone on {}.{difference} This compares {}: with other seeds the result may differ.",
                format::plural(paired.rows() as usize, &format!("{on} row")),
                verdict(p, paired.first_only > paired.second_only, " on these rows"),
                format::p_value(p),
                format::count(paired.first_only),
                format::count(paired.second_only),
                match analysis.has_folds() {
                    true => "the models of all folds of both, none of which has seen the row that it predicts",
                    false => "two trained models",
                },
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_that_was_cut_says_so() {
        let of = |low, high| of_difference(Interval { low, high }, "Welch");
        assert_eq!(of(-0.012, 0.034), "−1.2 to +3.4, Welch");
        let cut = "cut at the largest possible difference";
        assert_eq!(of(-1.5, 0.034), format!("−100.0 to +3.4, Welch, {cut}"));
        assert_eq!(of(0.1, 1.2), format!("+10.0 to +100.0, Welch, {cut}"));
    }

    #[test]
    fn the_intervals_of_a_table_are_said_once() {
        let of = |n: usize, rows: Option<(f64, f64)>| Mean {
            n,
            mean: 0.5,
            sd: Some(0.1),
            low: Some(0.4),
            high: Some(0.6),
            range: (0.45, 0.55),
            rows,
        };
        let (accuracy, f1, rows) = (Metric::Accuracy, Metric::MacroF1, Some((0.3, 0.7)));
        let seeds = |means: &[(Metric, Mean)]| interval_sentences(means, "seed").join(" ");
        assert_eq!(
            seeds(&[(accuracy, of(1, rows))]),
            "In parentheses after an accuracy: 95% Wilson interval over rows."
        );
        assert_eq!(
            seeds(&[(accuracy, of(3, rows)), (accuracy, of(4, rows)), (f1, of(3, None))]),
            "In parentheses after an accuracy: 95% Student's t interval over seeds, or 95% Wilson interval over rows if that is wider. \
             After macro-F1: the same over seeds alone; none if all values are the same."
        );
        assert_eq!(
            seeds(&[(accuracy, of(3, rows)), (accuracy, of(2, rows)), (f1, of(2, None))]),
            "In parentheses after an accuracy: for two seeds, from the lower to the higher value, or 95% Wilson \
             interval over rows if that is wider; for three or more, 95% Student's t interval over seeds, or 95% \
             Wilson interval over rows if that is wider. Two seeds say little about how other seeds would perform. \
             After macro-F1: from the lower to the higher value; none if all values are the same."
        );
        assert_eq!(
            interval_sentences(&[(accuracy, of(5, None))], "fold"),
            ["In parentheses after an accuracy: 95% Student's t interval over folds."]
        );
        assert!(interval_sentences(&[], "seed").is_empty());
    }
}

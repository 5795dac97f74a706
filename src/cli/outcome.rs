//! The end of `taper run`: the results, their significance, failures, and what to do next.

use std::collections::HashSet;

use anyhow::Result;
use taper::{
    event::{FailureKind, Split, When},
    experiment::Outcome,
    format::{self, command::shell_word, names},
    metrics::{Metric, Metrics, Unit, majority, majority_words},
    plan::{Keep, sanity::CHOSEN_ON_TEST},
    report,
    store::{EvalRecord, RunRecord, RunState, Store},
    task::Task,
    warning::{Kind, Warning},
};

use super::{
    common, decision,
    evaluation::proportion,
    leaderboard::{self, cell, word},
    output::Output,
};

/// Trials shown in the leaderboard after a sweep.
const LEADERS: usize = 10;
/// The most names listed for runs with something in common.
const NAMED: usize = 4;

/// Prints the outcome of a command, and what to do next.
pub fn print_outcome(store: &Store, outcome: &Outcome, out: &mut Output) -> Result<()> {
    let Outcome { tally, experiment, warnings, elapsed, trained_before_s, .. } = outcome;
    let parts = [
        (tally.completed, "completed"),
        (tally.done_elsewhere, "completed by another command"),
        (tally.already_done, "completed before"),
        (tally.failed, "failed"),
        (tally.diverged_before, "skipped (diverged before)"),
        (tally.pruned, "pruned"),
        (tally.pruned_before, "pruned before"),
        (tally.elsewhere, "running in another command"),
        (tally.waiting, RunState::Waiting.word()),
        (tally.stopped, RunState::Interrupted.word()),
        (tally.not_started, RunState::Pending.word()),
        (outcome.to_come, "not yet proposed"),
    ];
    // Some of the runs that are left may have been trained up to a rung.
    let waiting = match tally.left_waiting {
        0 => String::new(),
        n => format!(" ({n} of them waiting)"),
    };
    let left = [
        (tally.beyond_budget, "the sweep's budget is spent"),
        (tally.held, "they wait for a run that failed: fix its cause, then run the same command again"),
    ];
    let left = left.iter().filter(|(n, _)| *n > 0).map(|(n, why)| format!("{n} left{waiting}: {why}"));
    let said = parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}"));
    let said: Vec<String> = said.chain(left).collect();
    let runs = store.runs_in(experiment)?;
    let mut line = format!("{}: {}", experiment.name, said.join(", "));
    // Rust's sum of nothing is -0, which would be shown.
    let trained = store.training_seconds(runs.iter().map(|run| run.key.as_str()))?.values().sum::<f64>() + 0.0;
    let ended = tally.completed + tally.failed + tally.pruned + tally.stopped + tally.waiting;
    // The same seconds, added in another order, may differ in their last digit.
    let trained_more = trained - *trained_before_s > 1e-6;
    if ended > 0 || trained_more {
        line += &format!("; took {}", format::duration(elapsed.as_secs_f64()));
        if runs.len() > 1 {
            let included = match tally.done_elsewhere + tally.elsewhere {
                _ if *trained_before_s > 0.0 => ", earlier commands included",
                0 => "",
                _ => ", other commands included",
            };
            line += &format!(" ({} of training in all runs{included})", format::duration(trained));
        } else if *trained_before_s > 0.0 {
            line += &format!(" ({} of training, earlier commands included)", format::duration(trained));
        }
    }
    out.wrapped(&line)?;
    let measured = runs.iter().any(|run| run.final_metrics.is_some());
    let lines = match &runs[..] {
        [run] if measured => one(store, run)?,
        [] | [_] => Vec::new(),
        _ => {
            // Names come from the whole plan; runs that were not started are counted above.
            let board = report::leaderboard_of(store, experiment, &runs)?;
            let begun = |trial: &report::Trial| trial.state != RunState::Pending || trial.completed > 0;
            match measured || board.trials.iter().any(|trial| trial.value.is_some()) {
                true => {
                    out.line("")?;
                    leaderboard::print_those(&board, begun, Some(LEADERS), out)?;
                    out.line("")?;
                    best(store, &board, &runs)?.into_iter().map(|line| (None, line)).collect()
                }
                false => Vec::new(),
            }
        }
    };
    for (label, text) in lines {
        match label {
            Some(label) => out.labelled((&label, VALUES), &text)?,
            None => out.wrapped(&text)?,
        }
    }
    if runs.len() > 1 {
        let left_by_budget = tally.beyond_budget > 0 && tally.stopped == 0;
        interrupted(&runs, left_by_budget, out)?;
        let early = runs.iter().filter(|run| run.early_stop().is_some()).count();
        if early > 0 {
            out.wrapped(&format!(
                "{} stopped early: `taper show RUN` says at which step",
                format::counted(early as u64, "run")
            ))?;
        }
        warned(store, &runs)?.into_iter().try_for_each(|line| out.wrapped(&line))?;
        warnings.iter().try_for_each(|w| out.wrapped(&format!("warning: {}", format::one_line(&w.message))))?;
    }
    failures(&runs).into_iter().try_for_each(|line| out.wrapped(&line))?;
    if tally.stopped + tally.waiting + tally.not_started > 0 {
        // Of a single run its last line has said so.
        if runs.len() > 1 || tally.stopped == 0 {
            out.line("run the same command again to resume")?;
        }
    } else if measured {
        let report = format!("taper report {}", shell_word(&experiment.name));
        out.line(format!("next: {}", out.command(&report)))?;
    }
    Ok(())
}

/// The column of the values of a result after their labels.
const VALUES: usize = 18;

/// A line of the result, with its label if it has one.
type Said = (Option<String>, String);

/// The result of a single run.
fn one(store: &Store, run: &RunRecord) -> Result<Vec<Said>> {
    let Some(m) = &run.final_metrics else { return Ok(Vec::new()) };
    let labelled = |label: String, text: String| (Some(format!("  {label}")), text);
    let evals = store.evals(&run.key)?;
    let split = run.measured_on();
    let [shown, _] = m.headline();
    let mut lines = vec![
        (None, format!("{}  {}", format::short(&run.key), run.name)),
        labelled(
            format!("{} {}", word(&split), shown.name()),
            format!("{}, loss {}{}", with_interval(m), Metric::Loss.text(m.get(Metric::Loss)), undecided(run)),
        ),
    ];
    lines.splice(1..1, run.early_stop().map(|early| (None, format!("  {early}"))));
    lines.extend(chosen_weights(run, &evals).map(|weights| labelled("weights".into(), weights)));
    if let Some(before) = at(&evals, When::Before, split) {
        let gain = gain(shown, m.get(shown) - before.get(shown));
        let text = format!("{}, changed by {gain}", shown.text(before.get(shown)));
        lines.push(labelled("before training".into(), text));
    }
    if let Some((label, right)) = baseline(&[run]) {
        let share = right as f64 / m.rows.max(1) as f64;
        let of = run.train_labels.as_deref().map_or(String::new(), |rows| majority_words(rows, "label"));
        let text = format!("always predicting `{}`, {of} in training", format::one_line(&label));
        lines.push(labelled("baseline".into(), format!("{}: {text}", format::percent(share))));
    }
    let dev = at(&evals, When::After, Split::Dev).filter(|_| split != Split::Dev);
    if let Some(dev) = dev {
        lines.push(labelled(format!("dev {}", shown.name()), shown.text(dev.get(shown))));
    }
    let metric = run.config.checkpoint.metric;
    if metric != shown {
        let of = [("dev", dev), (&word(&split), Some(m))]
            .map(|(split, m)| Some(format!("{split} {}", metric.text(m?.get(metric)))));
        let values = of.into_iter().flatten().collect::<Vec<_>>().join(", ");
        let label = if chosen_weights(run, &evals).is_some() { "selected by" } else { "metric" };
        lines.push(labelled(label.into(), format!("{}: {values}", metric.name())));
    }
    lines.extend(decided(run).into_iter().map(|(label, text)| labelled(label, text)));
    let results =
        report::about_result(run, &store.last_steps(&run.key, report::LAST_STEPS)?, store.warnings(&run.key)?);
    let said = |w: Warning| (None, format!("warning: {}", format::one_line(&w.message)));
    lines.extend(results.into_iter().map(said));
    Ok(lines)
}

/// That the metrics beside it are without what was chosen on the dev rows, which the kept model answers with.
pub fn undecided(run: &RunRecord) -> String {
    let chosen = run.decided.as_ref().map(|_| report::chosen(&run.config.data));
    chosen.map_or(String::new(), |chosen| format!(", without {chosen} below"))
}

/// What was chosen on the dev rows, and what it changes on the rows of the result: `thresholds`: `yes 0.411: test F1 of yes 38.5% with, 34.5%
/// without; test accuracy 60.0% with, 68.3% without`.
pub fn decided(run: &RunRecord) -> Vec<(String, String)> {
    let (Some(decided), Some(before)) = (&run.decided, &run.final_metrics) else { return Vec::new() };
    let split = run.measured_on();
    let after = if split == Split::Test { decided.test.as_ref() } else { Some(&decided.dev) };
    let change = |metric: Metric| {
        after.map_or(String::new(), |after| {
            let (value, without) = (metric.text(after.get(metric)), metric.text(before.get(metric)));
            format!("{} {} {value} with, {without} without", word(&split), metric.name())
        })
    };
    let mut lines = Vec::new();
    let temperature = decided.decision.temperature;
    if run.config.data.calibrate {
        let mut changes = vec![change(Metric::Loss)];
        changes.extend(before.is_measured(Metric::CalibrationError).then(|| change(Metric::CalibrationError)));
        lines.push(("temperature".into(), format!("{}: {}", format::decimals(temperature, 3), changes.join("; "))));
    }
    if let Some(metric) = decided.metric {
        let [first, _] = before.headline();
        let metrics = [Some(metric), Some(first).filter(|first| *first != metric)];
        let changes: Vec<String> = metrics.into_iter().flatten().map(change).collect();
        let thresholds = decision::thresholds(decided, &run.labels);
        lines.push(("thresholds".into(), format!("{thresholds}: {}", changes.join("; "))));
    }
    lines
}

/// The step of the weights that the result is of, where the dev rows chose it.
fn chosen_weights(run: &RunRecord, evals: &[EvalRecord]) -> Option<String> {
    let chosen = run.config.checkpoint.keep == Keep::Best && run.config.data.has_dev();
    report::weights(run, evals).filter(|_| chosen)
}

/// Where the next command resumes the interrupted runs: `interrupted: lr=1e-3 seed=2 resumes at step 30 of 108`; none where the budget leaves
/// them.
fn interrupted(runs: &[RunRecord], left_by_budget: bool, out: &mut Output) -> Result<()> {
    let interrupted: Vec<&RunRecord> = runs.iter().filter(|run| run.state == RunState::Interrupted).collect();
    for run in interrupted.iter().take(NAMED) {
        let from = match common::resumes_at(out.runs(), run) {
            Some(step) if left_by_budget => {
                let of = format::count(run.total_steps);
                format!("at step {} of {of}: the sweep's budget is spent", format::count(step))
            }
            None if left_by_budget => "without a checkpoint: the sweep's budget is spent".into(),
            Some(step) if step == run.total_steps => {
                format!("has trained all its {} and is evaluated next", format::counted(step, "step"))
            }
            Some(step) => format!("resumes at step {} of {}", format::count(step), format::count(run.total_steps)),
            None => "starts again: it has no checkpoint".into(),
        };
        out.wrapped(&format!("interrupted: {} {from}", run.name))?;
    }
    match interrupted.len().saturating_sub(NAMED) {
        0 => Ok(()),
        more => out.wrapped(&format!("interrupted: {more} more")),
    }
}

/// The best trial of a sweep and its gain, and last its best run.
fn best(store: &Store, board: &report::Leaderboard, runs: &[RunRecord]) -> Result<Vec<String>> {
    let Some(trial) = board.trials.first().filter(|trial| trial.rank == Some(1)) else { return Ok(Vec::new()) };
    let mut value = format!("{} {} {}", word(&board.split), board.metric.name(), cell(trial.value, board.metric, true));
    let on = if trial.out_of_fold.is_some() { "out-of-fold" } else { "test" };
    if let Some(also) = trial.test_of_rank.filter(|also| also.mean.is_some()) {
        value += &format!(", {on} {} {}", also.metric.name(), cell(also.mean, also.metric, true));
    }
    if (board.split != Split::Test || trial.out_of_fold.is_some()) && trial.test.mean.is_some() {
        value += &format!(", {on} {} {}", trial.test.metric.name(), cell(trial.test.mean, trial.test.metric, true));
    }
    if board.is_chosen_on_test() {
        value += &format!(", {CHOSEN_ON_TEST}");
    }
    // The accuracy of all folds together is no mean.
    let mean = match (trial.planned(), trial.out_of_fold.is_some()) {
        (2.., false) => format!(" (mean of {} {}s)", trial.planned(), trial.replicate),
        _ => String::new(),
    };
    let mut lines = vec![format!("{}: {}{mean}", board.progress.heading(), trial.name), format!("  {value}")];
    // The gain is measured on rows that were not used for selection. Runs count by their rows: the folds of a cross-validation together, as
    // in the accuracy above.
    let measured = |run: &&RunRecord| trial.runs.contains(&run.key) && run.final_metrics.is_some();
    let measured: Vec<&RunRecord> = runs.iter().filter(measured).collect();
    let (mut after, mut before) = (Pooled::default(), Pooled::default());
    for run in &measured {
        let Some(m) = &run.final_metrics else { continue };
        after.add(m.right(), m.rows);
        if let Some(m) = at(&store.evals(&run.key)?, When::Before, run.measured_on()) {
            before.add(m.right(), m.rows);
        }
    }
    if let (Some(first), Some((label, right)), Some(own), Some(before)) =
        (measured.first(), baseline(&measured), after.share(), before.share())
    {
        let share = right as f64 / after.rows as f64;
        let on = if trial.out_of_fold.is_some() { "all folds together".into() } else { word(&first.measured_on()) };
        let gain = points(own - before);
        lines.push(format!("  on {on}: {gain} vs. before training ({})", format::percent(before)));
        let text = format!(
            "{} vs. the baseline, always predicting `{}` ({})",
            points(own - share),
            format::one_line(&label),
            format::percent(share)
        );
        lines.push(format!("  on {on}: {text}"));
    }
    lines.extend(leaderboard::best_run(board, trial).map(|run| format!("  its {run}")));
    if let [run] = measured[..] {
        lines.extend(chosen_weights(run, &store.evals(&run.key)?).map(|weights| format!("  its weights: {weights}")));
    }
    Ok(lines)
}

/// Rows of several runs together.
#[derive(Default)]
struct Pooled {
    right: u64,
    rows: u64,
}

impl Pooled {
    fn add(&mut self, right: u64, rows: u64) {
        self.right += right;
        self.rows += rows;
    }

    /// The share of the rows that are right; `None` without rows.
    fn share(&self) -> Option<f64> {
        (self.rows > 0).then(|| self.right as f64 / self.rows as f64)
    }
}

fn at(evals: &[EvalRecord], when: When, split: Split) -> Option<&Metrics> {
    evals.iter().rfind(|e| e.when == when && e.split == split).map(|e| &e.metrics)
}

/// The most common label of the training rows of these runs, and how many of their evaluated rows have it.
fn baseline(runs: &[&RunRecord]) -> Option<(String, u64)> {
    // Where rows have any number of labels, or numbers, no single label is an answer.
    let of_label = |run: &&&RunRecord| run.config.data.task() == Task::SingleLabel;
    if !runs.iter().all(|run| of_label(&run)) {
        return None;
    }
    let counts = runs.iter().map(|run| Some((run.train_labels.clone()?, run.final_metrics.as_ref()?)));
    let (label, right) = commonest(counts.collect::<Option<_>>()?)?;
    Some((runs.first()?.labels.get(label as usize)?.clone(), right))
}

/// The same, from the training rows of each label and the evaluation of each run. It is one label for all of them, as in the report: the most
/// common one of a fold may be another.
fn commonest(runs: Vec<(Vec<u64>, &Metrics)>) -> Option<(u32, u64)> {
    let (counts, measured): (Vec<_>, Vec<_>) = runs.into_iter().unzip();
    let sum = counts.into_iter().reduce(|sum, more| sum.iter().zip(more).map(|(a, b)| a + b).collect());
    let label = majority(&sum?)?;
    Some((label, measured.iter().map(|metrics| metrics.right_if_always(label)).sum()))
}

/// `91.3% (95% interval 90.1–92.4, 240 rows)`; without an interval where the metric that is shown is no share of the rows.
pub fn with_interval(metrics: &Metrics) -> String {
    let [shown, _] = metrics.headline();
    let rows = format::counted(metrics.rows, "row");
    let interval = proportion(shown, metrics).map_or(String::new(), |interval| {
        format!("95% interval {}, ", format::percents((interval.low, interval.high)))
    });
    format!("{} ({interval}{rows})", shown.text(metrics.get(shown)))
}

/// A difference of two values of a metric: `+1.2 points`, `−0.1234`.
fn gain(metric: Metric, difference: f64) -> String {
    match metric.info().unit {
        Unit::Share => points(difference),
        Unit::Nats | Unit::Plain => format::signed(difference, 4),
    }
}

/// `+1.2 points`.
fn points(difference: f64) -> String {
    format!("{} points", format::points(difference))
}

/// Runs with warnings, a sentence for each reason.
fn warned(store: &Store, runs: &[RunRecord]) -> Result<Vec<String>> {
    // A run can have both warnings.
    let (mut names, mut high_loss, mut advice, mut still) = (Vec::new(), Vec::new(), HashSet::new(), false);
    let completed = || runs.iter().filter(|run| run.state == RunState::Completed);
    for run in completed() {
        if report::high_loss(run, &store.last_steps(&run.key, report::LAST_STEPS)?).is_some() {
            high_loss.push(run.name.as_str());
            advice.insert(run.config.train.about_loss(run.total_steps));
            still |= run.config.train.hardly_moves(run.total_steps);
        }
        if store.warnings(&run.key)?.iter().any(|warning| warning.kind == Kind::Result) {
            names.push(run.name.as_str());
        }
    }
    // Advice that applies to all of them: settings that some already have are left out.
    let advice = match advice.len() {
        1 => advice.into_iter().collect(),
        _ if still => "try another train.lr".to_string(),
        _ => "try a smaller train.lr".to_string(),
    };
    let by_number = |names: &[&str], one, many| format::by_number(names.len() as u64, one, many).to_string();
    let does_nothing = match runs.iter().all(|run| run.config.data.task() == Task::SingleLabel) {
        true => {
            by_number(&names, "predicts only one label, or is", "predict only one label, or are")
                + " no better than always predicting the most common label"
        }
        false => by_number(&names, "is", "are") + " no better than always making the same prediction",
    };
    let rose = format!("ended with a training loss far above that of uniform guessing; {advice}");
    let groups = [(names, does_nothing), (high_loss, rose)];
    let lines = groups.iter().filter(|(names, _)| !names.is_empty()).flat_map(|(names, what)| {
        let all = format::counted(completed().count() as u64, "completed run");
        [format!("warning: {} of {all} {what}", names.len()), format!("  {}", listed(names))]
    });
    Ok(lines.collect())
}

/// The failures, grouped by reason, and what to do.
fn failures(runs: &[RunRecord]) -> Vec<String> {
    let first_line =
        |run: &RunRecord| run.message.as_deref().unwrap_or_default().lines().next().unwrap_or_default().to_string();
    let mut groups: Vec<(Option<FailureKind>, String, Vec<&RunRecord>)> = Vec::new();
    for run in runs.iter().filter(|run| run.state == RunState::Failed) {
        let why = names::without_numbers(&first_line(run));
        match groups.iter_mut().find(|(kind, known, _)| *kind == run.failure && *known == why) {
            Some((_, _, runs)) => runs.push(run),
            None => groups.push((run.failure, why, vec![run])),
        }
    }
    let lines = groups.into_iter().flat_map(|(kind, _, failed)| {
        let what_to_do = match kind {
            Some(FailureKind::Diverged) => {
                // The message contains the advice.
                match failed.len() {
                    1 => "the same command leaves it out; with --retry it is trained again",
                    _ => "the same command leaves them out; with --retry they are trained again",
                }
            }
            Some(FailureKind::Oom) => match failed.len() {
                1 => {
                    "lower train.batch_size, train.micro_batch_tokens or data.max_length; the same command tries \
                     it again"
                }
                _ => {
                    "lower train.batch_size, train.micro_batch_tokens or data.max_length; the same command tries \
                     them again"
                }
            },
            Some(FailureKind::Crashed) => "the same command tries again",
            Some(FailureKind::Error) | None => "fix the cause, then run the same command again",
        };
        let names: Vec<&str> = failed.iter().map(|run| run.name.as_str()).collect();
        [
            format!("{} failed: {}", format::counted(failed.len() as u64, "run"), listed(&names)),
            format!("  {}", first_line(failed[0])),
            format!("  {what_to_do}"),
        ]
    });
    lines.collect()
}

/// The first of these names, and how many more there are.
fn listed(names: &[&str]) -> String {
    let mut seen = HashSet::new();
    let names: Vec<&str> = names.iter().copied().filter(|name| seen.insert(*name)).collect();
    let shown = names[..names.len().min(NAMED)].join("; ");
    match names.len().saturating_sub(NAMED) {
        0 => shown,
        more => format!("{shown}; and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use taper::metrics::Scored;

    use super::*;

    /// The most common label of the first fold's training rows is 0, of the second 1, of both 1.
    #[test]
    fn folds_have_one_baseline() {
        let of = |rows: [u64; 2]| {
            let labels = (0..2).flat_map(|label| (0..rows[label as usize]).map(move |_| label));
            let scored = labels.map(|label| Scored::of_label(label, (0, 1.0), &[], 0.0));
            Metrics::new(&["a".into(), "b".into()], scored)
        };
        let (first, second) = (of([3, 7]), of([8, 2]));
        let folds = vec![(vec![11, 9], &first), (vec![6, 14], &second)];
        assert_eq!(commonest(folds), Some((1, 7 + 2)), "not 3 + 2");
        assert_eq!(commonest(vec![(vec![11, 9], &first)]), Some((0, 3)));
        assert_eq!(commonest(Vec::new()), None);
    }
}

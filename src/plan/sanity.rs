//! Warnings about settings that are legal but probably a mistake, in a run and in a sweep.

mod compared;
mod same;
mod values;

use std::collections::HashSet;

pub use self::{
    compared::{EvaluatedRows, on_different_rows},
    same::without_effect,
    values::LEAST_LR,
};
use super::{
    Batches, Keep, LongPolicy, LongTexts, Metric, Promotions, Prune, RunConfig, Rung,
    prune::{evaluations, rungs},
    schedule,
};
use crate::{
    format::{by_number, count, counted},
    metrics::{Score, Unit},
    spec::{PruneRule, Search, Sweep},
    warning::{Kind, Warning},
};

/// A run with more passes over its training rows probably has the wrong number of steps.
const MANY_PASSES: u64 = 1000;

/// Warnings about a run on `rows` training rows, or windows of them, and `dev` dev rows, whose tokenizer adds `special` tokens to a text.
pub fn of_run(config: &RunConfig, rows: u64, dev: u64, special: usize) -> Vec<Warning> {
    let train = &config.train;
    let mut found = Vec::new();
    let mut warn = |message: String| found.push(Warning::new(Kind::Training, message));
    let total = schedule::total_steps(train, rows);
    let per_epoch = schedule::steps_per_epoch(rows, train.batch_size, train.gradient_accumulation_steps);
    let evaluations = schedule::evaluations(train, rows);
    if total == 0 {
        return found;
    }
    if train.max_steps.is_some() && total / per_epoch.max(1) >= MANY_PASSES {
        let passes = count(total / per_epoch.max(1));
        warn(format!(
            "train.max_steps = {total} is {passes} passes over the {}: lower it, or remove it and set train.epochs",
            examples(config, rows)
        ));
    }
    let rows_per_step = train.batch_size as u64 * train.gradient_accumulation_steps as u64;
    if rows_per_step > rows {
        let what = match train.gradient_accumulation_steps {
            1 => format!("train.batch_size = {}", train.batch_size),
            n => format!("train.batch_size = {} times train.gradient_accumulation_steps = {n}", train.batch_size),
        };
        warn(format!(
            "{what} is more than the {}: an epoch is a single step, and the run has {}",
            examples(config, rows),
            steps(total)
        ));
    }
    let warmup = schedule::warmup_steps(train, total);
    if warmup > 0 && 2 * warmup > total {
        let key = if train.warmup_ratio > 0.0 {
            format!("train.warmup_ratio = {}", train.warmup_ratio)
        } else {
            format!("train.warmup_steps = {}", train.warmup_steps)
        };
        let rest = match total.saturating_sub(warmup) {
            0 => "train.lr is never reached".into(),
            left => format!("train.lr is reached {} before the end", steps(left)),
        };
        warn(format!("{key} takes more than half of the {} of the run: {rest}", steps(total)));
    }
    if train.eval_steps > total {
        warn(format!(
            "train.eval_steps = {} is more than the {} of the run: the only evaluation during training is at its end",
            train.eval_steps,
            steps(total)
        ));
    }
    let patience = u64::from(train.early_stopping_patience);
    if patience > 0 && dev > 0 && patience + 1 >= evaluations {
        warn(format!(
            "train.early_stopping_patience = {patience} can never stop this run early: that takes {} without \
             improvement between the first and the last, and there {} only {} in all; lower it, or evaluate more \
             often (train.eval_steps)",
            counted(patience, "evaluation"),
            by_number(evaluations, "is", "are"),
            count(evaluations)
        ));
    }
    if patience == 0 && train.early_stopping_min_delta > 0.0 {
        warn(
            "train.early_stopping_min_delta has no effect: train.early_stopping_patience is 0, so nothing stops early"
                .into(),
        );
    }
    if let (Some(keep), true) = (keeps_last(config), patience > 0 && dev > 0 && patience + 1 < evaluations) {
        warn(format!(
            "train.early_stopping_patience = {patience} stops the run {} after its best one, but checkpoint.keep = \"{keep}\" takes the \
             weights of the last step as its result; set checkpoint.keep = \"best\"",
            counted(patience, "evaluation")
        ));
    }
    stride(config, special, &mut warn);
    values::unusual(train, &mut warn);
    let (metric, delta) = (config.checkpoint.metric, train.early_stopping_min_delta);
    let (low, high) = metric.info().range;
    if patience > 0 && delta >= high - low {
        warn(format!(
            "train.early_stopping_min_delta = {delta}: no evaluation can be better by more than {}, the whole range of {}, so none after \
             the first is an improvement{}",
            high - low,
            metric.name(),
            if metric.info().unit == Unit::Share { "; one point is 0.01" } else { "" }
        ));
    }
    if config.checkpoint.keep == Keep::Best && dev > 0 && evaluations == 1 {
        let message = "checkpoint.keep = \"best\" has only one evaluation to choose from, that of the last step: set \
                       train.eval_steps";
        warn(message.into());
    }
    found
}

/// How a run keeps its weights if those of the last step are its result. If no model is kept, nothing is lost.
fn keeps_last(config: &RunConfig) -> Option<&'static str> {
    match config.checkpoint.keep {
        Keep::Last => Some("last"),
        Keep::All => Some("all"),
        Keep::Best | Keep::None => None,
    }
}

/// Windows that share more than half of their tokens.
fn stride(config: &RunConfig, special: usize, warn: &mut impl FnMut(String)) {
    let LongTexts { max_length, policy: LongPolicy::Windows { stride } } = config.data.long_texts() else { return };
    let room = max_length.saturating_sub(special);
    if 2 * stride <= room || stride >= room {
        return;
    }
    let step = room - stride;
    let times = (10.0 * room as f64 / step as f64).round() / 10.0;
    warn(format!(
        "data.stride = {stride} of {room} tokens in a window: each window begins {} after the one before it, so long texts are read \
         about {times} times over; stride is the number of tokens that windows share, not the distance between them: for a distance of \
         {stride}, set data.stride = {step}",
        counted(step as u64, "token")
    ));
}

/// What a run trains on.
fn examples(config: &RunConfig, n: u64) -> String {
    match config.data.long_texts().has_windows() {
        true => format!("{} of the training rows", counted(n, "window")),
        false => counted(n, "training row"),
    }
}

fn steps(n: u64) -> String {
    counted(n, "step")
}

/// A run of a sweep, as far as the sweep's warnings need it.
pub struct SweptRun<'a> {
    /// Its identity.
    pub key: &'a str,
    /// Its name for people.
    pub name: &'a str,
    /// Number of its trial.
    pub trial: usize,
    /// Its settings.
    pub config: &'a RunConfig,
    /// Its training rows, or their windows if it reads long texts in windows.
    pub rows: u64,
}

/// How many trials a sweep has, and why not more.
#[derive(Debug, Clone, Copy, Default)]
pub struct Trials {
    /// All of them, including those that a search has yet to propose.
    pub all: u64,
    /// Requested trials for which the axes have no points.
    pub undrawn: u64,
    /// Points that are the same run as another point.
    pub repeats: u64,
}

/// What is said beside a best trial that was chosen by the test rows that it is measured on.
pub const CHOSEN_ON_TEST: &str = "chosen on test: optimistic";

/// The same of dev rows, where there are no test rows.
pub const CHOSEN_ON_DEV: &str = "chosen on dev, no test rows: optimistic";

/// Warnings about a sweep.
pub fn of_sweep(sweep: &Sweep, runs: &[SweptRun], trials: Trials) -> Vec<Warning> {
    let (mut messages, mut expected) = (Vec::new(), None);
    match Prune::of(sweep) {
        Prune::None => {}
        prune @ Prune::Median { startup_trials } => median(&prune, startup_trials, runs, trials.all, &mut messages),
        prune @ Prune::Asha { .. } => expected = asha(&prune, sweep, runs, trials.all, &mut messages),
    }
    let tpe = sweep.search == Search::Tpe;
    if tpe && trials.all <= sweep.startup_trials {
        messages.push(format!(
            "sweep.search = \"tpe\" draws every trial at random: it learns only after sweep.startup_trials = {}, but \
             there {}; raise sweep.trials, or lower sweep.startup_trials",
            sweep.startup_trials,
            are_trials(trials.all)
        ));
    }
    let compares = match (sweep.prune, tpe) {
        (PruneRule::None, false) => None,
        (PruneRule::None, true) => Some("sweep.search = \"tpe\""),
        (PruneRule::Median, _) => Some("sweep.prune = \"median\""),
        (PruneRule::Asha, _) => Some("sweep.prune = \"asha\""),
    };
    let kept_last =
        |run: &&SweptRun| keeps_last(run.config).is_some() && schedule::evaluations(&run.config.train, run.rows) > 1;
    if let (Some(rule), Some(run)) = (compares, runs.iter().find(kept_last)) {
        let keep = serde_json::to_value(run.config.checkpoint.keep).unwrap_or_default();
        messages.push(format!(
            "{rule} compares trials by their evaluations during training, but checkpoint.keep = {keep} ranks a \
             finished trial by its last step, even if an earlier evaluation was better; with checkpoint.keep = \
             \"best\", the best evaluation is kept and ranked"
        ));
    }
    messages.extend(chosen_on_test(runs, trials.all));
    let asked = trials.all.saturating_mul(sweep.runs_of_point() as u64).max(runs.len() as u64);
    if let Some(most) = sweep.max_runs.filter(|most| *most < asked) {
        // A run that waits for another seed of its trial is not completed without it.
        let at_least = if sweep.prune == PruneRule::None { "" } else { "at least " };
        messages.push(format!(
            "sweep.max_runs = {most} leaves {at_least}{} of the {} unfinished",
            count(asked - most),
            counted(asked, "run")
        ));
    }
    if trials.undrawn > 0 {
        messages.push(format!(
            "sweep.trials asks for {}, but the axes have only {} different {}",
            counted(trials.all + trials.undrawn, "point"),
            count(trials.all),
            by_number(trials.all, "one", "ones")
        ));
    }
    if trials.repeats > 0 {
        let points = by_number(trials.repeats, "point means", "points mean");
        messages.push(format!(
            "{} {points} the same run as another one, which is trained only once: two values of an axis are equivalent",
            count(trials.repeats)
        ));
    }
    same_runs(runs, &mut messages);
    let expected = expected.map(|message| Warning::new(Kind::Forecast, message));
    let optimistic = chosen_on_dev(runs, trials.all).map(|message| Warning::new(Kind::Optimistic, message));
    let messages = messages.into_iter().map(|message| Warning::new(Kind::Sweep, message));
    messages.chain(optimistic).chain(expected).collect()
}

/// A rung at which some trials went on and others did not, although they have the same value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tie {
    /// The rung, from 0.
    pub rung: usize,
    /// How many trials reached it, without those that failed.
    pub trials: usize,
    /// How many of them have the same value, and how many of these went on.
    pub tied: usize,
    /// See `tied`.
    pub went_on: usize,
    /// That value.
    pub score: Score,
}

/// The warning that the order of trials decided at a rung; `at`: where it falls, as [`rung_steps::at`](super::rung_steps::at) says it;
/// `so_far`: other trials may still reach it.
pub fn decided_by_order(tie: Tie, metric: Metric, prune: &Prune, at: &str, so_far: bool) -> Warning {
    let Tie { rung, trials, tied, went_on, score } = tie;
    let loss = match metric {
        // Only shares of rows tie.
        metric if metric.info().unit != Unit::Share => "",
        _ => "choose checkpoint.metric = \"loss\", which hardly ever ties",
    };
    // At 1 rung and a factor of 2 there is nothing to lower.
    let lower = match *prune {
        Prune::Asha { rungs: ..2, reduction_factor: ..3 } => "",
        Prune::Asha { rungs: ..2, .. } => "to compare trials later, lower sweep.reduction_factor",
        Prune::Asha { reduction_factor: ..3, .. } => "to compare trials later, lower sweep.rungs",
        _ => "to compare trials later, lower sweep.rungs or sweep.reduction_factor",
    };
    let advice: Vec<&str> = [lower, loss].into_iter().filter(|advice| !advice.is_empty()).collect();
    let advice = match advice.is_empty() {
        true => String::new(),
        false => format!("; {}", advice.join("; or ")),
    };
    let those = if so_far { "trials that have reached it so far" } else { "trials" };
    let all = match tied == trials {
        true if trials == 2 => format!("both {those}"),
        true => format!("all {} {those}", count(trials as u64)),
        false if so_far => format!("{} of the {} {those}", count(tied as u64), count(trials as u64)),
        false => format!("{} of {} {those}", count(tied as u64), count(trials as u64)),
    };
    let were = by_number(went_on as u64, "was", "were");
    let message = format!(
        "at rung {} ({at}), {all} tie on dev {} ({}), so the {} of them that {were} promoted {were} chosen by plan order, not by \
         score{advice}",
        rung + 1,
        metric.name(),
        if score.is_undefined() { "undefined".into() } else { metric.text(metric.value(score)) },
        count(went_on as u64),
    );
    Warning::new(Kind::Sweep, message)
}

fn are_trials(n: u64) -> String {
    format!("{} {}", by_number(n, "is", "are"), counted(n, "trial"))
}

/// That trials are compared on the test rows, for want of a dev split.
fn chosen_on_test(runs: &[SweptRun], trials: u64) -> Option<String> {
    let without = runs.iter().filter(|run| !run.config.data.has_dev() && run.config.data.has_test()).count();
    let which = match without {
        n if n == runs.len() => "the sweep has no dev split".into(),
        n => {
            let have = by_number(n as u64, "has", "have");
            format!("{} of {} {have} no dev split", count(n as u64), counted(runs.len() as u64, "run"))
        }
    };
    (trials > 1 && without > 0).then(|| {
        format!(
            "{which}: the best trial is chosen on the same test rows on which it is evaluated, so its result is \
             optimistic; set data.dev to choose on other rows"
        )
    })
}

/// That the best trial or checkpoint is chosen by the dev rows that its metrics are of, for want of test rows.
fn chosen_on_dev(runs: &[SweptRun], trials: u64) -> Option<String> {
    let without = |run: &&SweptRun| run.config.data.has_dev() && !run.config.data.has_test();
    let chooses = |run: &&SweptRun| {
        run.config.checkpoint.keep == Keep::Best && schedule::evaluations(&run.config.train, run.rows) > 1
    };
    let n = runs.iter().filter(without).count() as u64;
    let what = match (trials > 1, runs.iter().filter(without).any(|run| chooses(&run))) {
        _ if n == 0 => return None,
        (true, _) => "the best trial",
        (false, true) => "the checkpoint that is kept",
        (false, false) => return None,
    };
    let which = match n == runs.len() as u64 {
        true => "there are no test rows".into(),
        false => format!(
            "{} of {} {} no test rows",
            count(n),
            counted(runs.len() as u64, "run"),
            by_number(n, "has", "have")
        ),
    };
    Some(format!(
        "{which}: {what} is chosen on the same dev rows on which it is evaluated, so its metrics are optimistic; set data.test to \
         evaluate it on other rows"
    ))
}

/// Runs with the same key: their points differ in something that affects no result.
fn same_runs(runs: &[SweptRun], messages: &mut Vec<String>) {
    let mut first = std::collections::HashMap::new();
    let mut same = runs.iter().filter_map(|run| {
        let before = *first.entry(run.key).or_insert(run.name);
        (before != run.name).then_some((before, run.name))
    });
    let Some((a, b)) = same.next() else { return };
    let more = match same.count() {
        0 => String::new(),
        more => format!(", and {} more", count(more as u64)),
    };
    messages
        .push(format!("these points give the same run: `{a}` and `{b}`{more}; remove the axis that changes no result"));
}

/// The rungs of a run, and its total steps.
fn decisions(prune: &Prune, run: &SweptRun) -> (Vec<Rung>, u64) {
    (rungs(prune, &run.config.train, run.rows), schedule::total_steps(&run.config.train, run.rows))
}

fn median(prune: &Prune, startup_trials: u64, runs: &[SweptRun], trials: u64, messages: &mut Vec<String>) {
    let never = runs.iter().filter(|run| decisions(prune, run).0.is_empty()).count();
    if never > 0 {
        messages.push(cannot_prune("median", never, runs, None));
    } else if trials <= startup_trials {
        messages.push(format!(
            "sweep.prune = \"median\" prunes no run: it compares trials from trial {} on (sweep.startup_trials = \
             {startup_trials}), but there {}; lower sweep.startup_trials",
            startup_trials + 1,
            are_trials(trials)
        ));
    }
}

/// Adds warnings; returns the expected number of complete trials if fewer than two are expected.
fn asha(prune: &Prune, sweep: &Sweep, runs: &[SweptRun], trials: u64, messages: &mut Vec<String>) -> Option<String> {
    let Prune::Asha { rungs: asked, reduction_factor: factor } = *prune else { return None };
    let all: Vec<_> = runs.iter().map(|run| decisions(prune, run)).collect();
    let never = all.iter().filter(|(rungs, _)| rungs.is_empty()).count();
    if trials < 2 {
        messages.push(format!(
            "sweep.prune = \"asha\" prunes no run: it compares trials, and there {}",
            are_trials(trials)
        ));
        return None;
    }
    if never > 0 {
        messages.push(cannot_prune("asha", never, runs, Some((factor, asked))));
        if never == runs.len() {
            return None;
        }
    }
    let fewer = all.iter().zip(runs).find(|((rungs, _), _)| !rungs.is_empty() && (rungs.len() as u64) < asked);
    if let Some(((_, total), run)) = fewer {
        let steps_of = |run: &SweptRun| evaluations(prune, &run.config.train, run.rows);
        // Rungs of other runs may fall on other steps.
        let same = all.iter().zip(runs).all(|((_, of), other)| of == total && steps_of(other) == steps_of(run));
        let of_run = if same { String::new() } else { format!("in `{}`, ", run.name) };
        messages.push(format!(
            "sweep.rungs = {asked}, but there are too few evaluations: {of_run}{}; {}",
            falls(&steps_of(run), *total),
            match every(*total, factor, asked) {
                Some(every) => format!("{}, or lower sweep.rungs", set_eval_steps(every)),
                None => "lower sweep.rungs or sweep.reduction_factor, or train for more steps".into(),
            }
        ));
    }
    let mut known = HashSet::new();
    let of_trials: Vec<(&[Rung], u64)> = runs
        .iter()
        .zip(&all)
        .filter(|(run, _)| known.insert(run.trial))
        .map(|(_, (rungs, total))| (&rungs[..], *total))
        .collect();
    let promotions = Promotions::by(prune, trials, Batches::of(sweep), &of_trials)?;
    // The same forecast as in the plan and in the live table.
    (promotions.finishing() * (trials as f64) < 2.0).then(|| {
        format!(
            "sweep.prune = \"asha\" is expected to train {} of {} trials to the end ({}{}): for more, lower \
             sweep.reduction_factor (now {factor}) or sweep.rungs (now {asked}), or add more trials",
            promotions.finishing_words(),
            count(trials),
            promotions.words(),
            if Batches::of(sweep).is_some() { ", or more" } else { "" }
        )
    })
}

/// `rungs 1 and 2 both fall on step 20 of 81, where they count as one, and rung 3 falls on step 40 of 81`: the evaluations on which the rungs
/// fall.
fn falls(steps: &[u64], total: u64) -> String {
    let mut first = 1;
    let mut parts: Vec<String> = Vec::new();
    for same in steps.chunk_by(|a, b| a == b) {
        let last = first + same.len() - 1;
        let rungs = match same.len() {
            1 => format!("rung {first} falls"),
            2 => format!("rungs {first} and {last} both fall"),
            _ => format!("rungs {first} to {last} all fall"),
        };
        let one = if same.len() > 1 { ", where they count as one" } else { "" };
        parts.push(format!("{rungs} on step {} of {}{one}", count(same[0]), count(total)));
        first = last + 1;
    }
    parts.join(", and ")
}

/// Steps between evaluations so that each rung has one; `None` if there are fewer steps than rungs need.
fn every(total: u64, factor: u64, rungs: u64) -> Option<u64> {
    let parts = factor.checked_pow(u32::try_from(rungs).ok()?)?.max(1);
    Some(total / parts).filter(|every| *every > 0)
}

fn set_eval_steps(most: u64) -> String {
    match most {
        1 => "set train.eval_steps = 1".into(),
        most => format!("set train.eval_steps = {most} or less"),
    }
}

/// The warning for a rule that finds no evaluation before the end of some runs.
fn cannot_prune(rule: &str, never: usize, runs: &[SweptRun], asha: Option<(u64, u64)>) -> String {
    let which = match never == runs.len() {
        true => "a run".to_string(),
        false => format!("{} of {} runs", count(never as u64), count(runs.len() as u64)),
    };
    let total = runs.iter().map(|run| schedule::total_steps(&run.config.train, run.rows)).min().unwrap_or(0);
    let (factor, rungs) = asha.unwrap_or((2, 1));
    let fix = match total {
        0 | 1 => "train for more steps".to_string(),
        _ => every(total, factor, rungs).map_or_else(
            || "train for more steps, or lower sweep.rungs or sweep.reduction_factor".into(),
            set_eval_steps,
        ),
    };
    format!(
        "sweep.prune = \"{rule}\" never stops {which}: the only evaluation is at the end, after {}; {fix}",
        steps(total)
    )
}

#[cfg(test)]
mod tests;

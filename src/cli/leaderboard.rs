//! Prints a leaderboard.

use anyhow::Result;
use serde_json::Value;
use taper::{
    event::Split,
    format::{self, names},
    observe::all_in,
    observe::swept_columns,
    plan::Metric,
    report::{Leaderboard, Mean, OutOfFold, Trial, interval_notes, replicates},
    store::RunState,
};

mod best;

pub use best::best_run;

use super::{
    marks::{mark, not_final_mark},
    output::{Output, marked, unbroken},
};

/// How much of a trial is shown, from most to least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Detail {
    /// Values with intervals, full states.
    Full,
    /// Values with intervals, short states.
    Intervals,
    /// Values only, short states.
    Short,
    /// The same without the test split.
    Least,
}

impl Detail {
    fn has_intervals(self) -> bool {
        matches!(self, Self::Full | Self::Intervals)
    }
}

/// Explains a ranking without a dev split.
const BY_TEST: &str = "ranked on the test rows, because there is no dev split: the best value is optimistic, because it was chosen on the same rows on which it is evaluated";

/// Explains the order of pruned trials with values of different steps.
const FURTHER_FIRST: &str = "pruned trials: those that completed a larger share of their steps come first";

/// Prints the `most` best trials, or all: as a table, or with `--json` as an array.
pub fn print(board: &Leaderboard, most: Option<usize>, out: &mut Output) -> Result<()> {
    print_those(board, |_| true, most, out)
}

/// The same of those trials that are `wanted`, and of the other one if there is only one; what tells them apart is what differs in the whole
/// plan.
pub fn print_those(
    board: &Leaderboard,
    wanted: impl Fn(&Trial) -> bool,
    most: Option<usize>,
    out: &mut Output,
) -> Result<()> {
    let mut listed: Vec<usize> = (0..board.trials.len()).filter(|&i| wanted(&board.trials[i])).collect();
    listed.truncate(most.unwrap_or(usize::MAX));
    // A line that says how many more there are would take the line of a single one.
    if listed.len() + 1 == board.trials.len() {
        listed = (0..board.trials.len()).collect();
    }
    let positions = &listed[..];
    let shown: Vec<&Trial> = positions.iter().map(|&i| &board.trials[i]).collect();
    if out.json {
        return out.document(&shown);
    }
    let (columns, layout) = arranged(board, &shown, positions, out.width());
    let header = layout.header();
    let intervals = layout.detail.has_intervals();
    let has_interval = |trial: &&Trial| {
        let means =
            [trial.value.filter(|_| trial.is_final), trial.test.mean, trial.test_of_rank.and_then(|of| of.mean)];
        means.into_iter().flatten().any(|mean| mean.shown().is_some())
    };
    if !intervals && shown.iter().any(has_interval) {
        out.leave_out("intervals");
    }
    if !layout.also && is_also_tested(&shown) {
        out.leave_out(&format!("{} {}", on(&shown), board.metric.name()));
    }
    if !layout.tested && is_tested(board, &shown) {
        out.leave_out(&format!("{} {}", on(&shown), board.test_metric.name()));
    }
    let header: Vec<&str> = ["#"].into_iter().chain(columns.keys.iter().chain(&header).map(String::as_str)).collect();
    let rank = |trial: &Trial| trial.rank.map_or(format::NOTHING.into(), |rank| rank.to_string());
    let rows = shown.iter().zip(columns.values).map(|(trial, values)| {
        [rank(trial)].into_iter().chain(values).chain(layout.row(trial)).collect::<Vec<String>>()
    });
    let names = |metric: Metric| [metric.name(), metric.info().short].map(|name| format!("{} {name}", on(&shown)));
    let (tested, also) = (names(board.test_metric), names(board.metric));
    let first_left_out =
        [&tested[0], &tested[1], OUT_OF_FOLD, &also[0], &also[1], "seeds", "folds", "runs", "state"].map(AsRef::as_ref);
    out.fitted(&header, rows, &first_left_out)?;
    out.say_what_is_left_out()?;
    if let Some(more) = more(board, positions) {
        let all = format!("taper list {} --leaderboard", format::command::shell_word(&board.experiment));
        out.wrapped(&format!("{more}: {}", out.command(&all)))?;
    }
    for note in footnotes(&shown, board.metric, (layout.also && intervals, layout.tested && intervals), intervals) {
        out.wrapped(&note)?;
    }
    tie(board).iter().try_for_each(|note| out.wrapped(note))?;
    board.undefined().iter().try_for_each(|note| out.wrapped(note))?;
    if board.is_chosen_on_test() {
        out.wrapped(BY_TEST)?;
    }
    board.missing.iter().try_for_each(|note| out.wrapped(note))
}

/// `… and 17 more (12 pending, 5 pruned)`, `… and 4 more, all pending`: all trials that are not at these positions, also those that no command has begun.
fn more(board: &Leaderboard, positions: &[usize]) -> Option<String> {
    let left = (0..board.trials.len()).filter(|i| !positions.contains(i)).map(|i| board.trials[i].state);
    let states = RunState::counted(left.clone());
    let first = left.clone().next()?;
    Some(match left.clone().count() {
        n if left.clone().all(|state| state == first) => all_in(n, first),
        n => format!("… and {n} more ({states})"),
    })
}

/// That other trials have the value of the first, and what put it first.
fn tie(board: &Leaderboard) -> Option<String> {
    let ranked: Vec<&Trial> = board.trials.iter().filter(|trial| trial.rank.is_some()).collect();
    let value = |trial: &&Trial| trial.value.map(|value| value.mean);
    let first = value(ranked.first()?)?;
    let equal: Vec<&&Trial> = ranked.iter().take_while(|trial| value(trial) == Some(first)).collect();
    // Losses may tie too, all of them or only those of the first.
    let same_loss = equal.iter().take_while(|trial| trial.loss == equal[0].loss).count();
    let split = word(&board.split);
    let decides = match same_loss {
        all if all == equal.len() || board.metric == Metric::Loss => "by their order in the plan".to_owned(),
        1 => format!("by their {split} loss"),
        n => format!("by their {split} loss, which is the same for {n}, and then by their order in the plan"),
    };
    let metric = board.metric.name();
    (equal.len() > 1)
        .then(|| format!("{} trials share the best {split} {metric}: they are ranked {decides}", equal.len()))
}

/// The columns that tell these trials apart in the whole plan, and how much of each trial a terminal of `width` columns shows.
fn arranged<'a>(
    board: &'a Leaderboard,
    shown: &'a [&'a Trial],
    positions: &[usize],
    width: Option<usize>,
) -> (names::Columns, Layout<'a>) {
    let all: Vec<&str> = board.trials.iter().map(|trial| trial.name.as_str()).collect();
    let tested = is_tested(board, shown);
    let seeds = shown.iter().any(|trial| trial.planned() > 1);
    let also = is_also_tested(shown);
    let layout = |(detail, tested): (Detail, bool)| {
        let has_room = detail != Detail::Least;
        Layout { board, shown, detail, also: also && has_room, tested: tested && has_room, seeds }
    };
    // Of two metrics on the test rows, the one that does not rank is left out first.
    let and_less = |details: &[Detail]| {
        let whole = details.iter().map(|detail| (*detail, tested));
        whole.chain(details.iter().map(|detail| (*detail, false)).filter(|_| also && tested)).collect::<Vec<_>>()
    };
    // A column for each value, and a line for each trial, where there is room for all of them.
    let columns = swept_columns(&all).map(|columns| names::Columns {
        values: positions.iter().map(|&i| columns.values[i].clone()).collect(),
        ..columns
    });
    if let Some((columns, width)) = columns.zip(width) {
        let mut details = and_less(&[Detail::Full, Detail::Intervals, Detail::Short]).into_iter();
        if let Some(detail) = details.find(|detail| layout(*detail).fits(&columns, width)) {
            return (columns, layout(detail));
        }
    }
    // Otherwise names, wrapped as needed.
    let names: Vec<String> = positions.iter().map(|&i| all[i].to_string()).collect();
    let details = and_less(&[Detail::Full, Detail::Short]);
    let detail = details.into_iter().find(|detail| layout(*detail).has_room(&names, width));
    let detail = detail.unwrap_or((Detail::Least, false));
    let values = names.into_iter().map(|name| vec![name]).collect();
    (names::Columns { keys: vec!["trial".into()], values }, layout(detail))
}

/// The heading of what all folds of a cross-validation say together.
const OUT_OF_FOLD: &str = "out-of-fold";

/// Whether there are results on test rows to show. If the test split ranks, its accuracy is the ranking value itself, except that with folds
/// that is the mean over the folds.
fn is_tested(board: &Leaderboard, shown: &[&Trial]) -> bool {
    has_folds(shown) || board.split != Split::Test && shown.iter().any(|trial| trial.test.mean.is_some())
}

/// Whether the metric that ranks is also shown on test rows, beside the first one of the task.
fn is_also_tested(shown: &[&Trial]) -> bool {
    shown.iter().any(|trial| trial.test_of_rank.is_some_and(|also| also.mean.is_some()))
}

fn has_folds(shown: &[&Trial]) -> bool {
    shown.iter().any(|trial| trial.out_of_fold.is_some())
}

/// What the metrics of these trials beside the one that ranks are measured on.
fn on(shown: &[&Trial]) -> &'static str {
    if has_folds(shown) { OUT_OF_FOLD } else { "test" }
}

/// The heading of the metric on the test rows.
fn test_heading(shown: &[&Trial], detail: Detail) -> String {
    let metric = shown.first().map_or(Metric::Accuracy, |trial| trial.test.metric);
    match detail {
        _ if has_folds(shown) && !is_also_tested(shown) => OUT_OF_FOLD.into(),
        Detail::Full => format!("{} {}", on(shown), metric.name()),
        _ => format!("{} {}", on(shown), metric.info().short),
    }
}

/// The metric that ranks, on the test rows.
fn also_cell(trial: &Trial, intervals: bool) -> String {
    trial.test_of_rank.map_or(format::NOTHING.into(), |also| cell(also.mean, also.metric, intervals))
}

/// The accuracy on the test rows; in a cross-validation on those of all folds, or how many folds are completed.
fn test_cell(trial: &Trial, intervals: bool) -> String {
    match trial.out_of_fold.as_ref().and_then(OutOfFold::incomplete) {
        Some(folds) if trial.test.mean.is_none() => folds,
        _ => cell(trial.test.mean, trial.test.metric, intervals),
    }
}

/// What a table shows of its trials beside what tells them apart.
struct Layout<'a> {
    board: &'a Leaderboard,
    shown: &'a [&'a Trial],
    detail: Detail,
    /// Whether there is a column of the metric that ranks on the test rows, and one of the first metric of the task.
    also: bool,
    tested: bool,
    seeds: bool,
}

impl Layout<'_> {
    fn header(&self) -> Vec<String> {
        let metric = match (self.detail, self.board.metric) {
            (Detail::Full, metric) => metric.name(),
            (_, metric) => metric.info().short,
        };
        let test = test_heading(self.shown, self.detail);
        let value = format!("{} {metric}", word(&self.board.split));
        let also = self.also.then(|| format!("{} {metric}", on(self.shown)));
        let seeds = self.seeds.then(|| replicates_of(self.shown)).into_iter();
        seeds.chain([value]).chain(also).chain(self.tested.then_some(test)).chain(["state".to_string()]).collect()
    }

    fn row(&self, trial: &Trial) -> Vec<String> {
        let intervals = self.detail.has_intervals();
        let test = self.tested.then(|| test_cell(trial, intervals));
        let seeds = self.seeds.then(|| of_seeds(trial)).into_iter();
        seeds
            .chain([value_text(trial, self.board.metric, intervals)])
            .chain(self.also.then(|| also_cell(trial, intervals)))
            .chain(test)
            .chain([state(trial, self.detail)])
            .collect()
    }

    /// Whether every trial has room on a line of its own.
    fn fits(&self, columns: &names::Columns, width: usize) -> bool {
        let header: Vec<String> = columns.keys.iter().cloned().chain(self.header()).collect();
        let rows = self.shown.iter().zip(&columns.values);
        let rows: Vec<Vec<String>> =
            rows.map(|(trial, values)| values.iter().cloned().chain(self.row(trial)).collect()).collect();
        let widest = |i: usize| {
            let cells = rows.iter().map(|row| &row[i]).chain([&header[i]]);
            // A short state may be continued on a second line: the kind of a failure is worth more than intervals.
            let is_broken = i + 1 == header.len() && self.detail != Detail::Full;
            let width = |cell: &String| match is_broken {
                true => widest_word(cell),
                false => console::measure_text_width(cell),
            };
            cells.map(|cell| width(cell) + 1).max().unwrap_or(0)
        };
        // The ranks come before them, and nothing follows the last column.
        let ranks = self.board.trials.len().to_string().len();
        ranks + (0..header.len()).map(widest).sum::<usize>() <= width
    }

    /// Whether this fits a terminal of `width` columns with trials by their names, without breaking a word of one.
    fn has_room(&self, names: &[String], width: Option<usize>) -> bool {
        let Some(width) = width else { return true };
        let Self { shown, detail, .. } = *self;
        let widest = |texts: &mut dyn Iterator<Item = String>| {
            texts.map(|text| console::measure_text_width(&text) + 1).max().unwrap_or(0)
        };
        let word = widest(&mut names.iter().flat_map(|name| name.split_whitespace()).map(String::from));
        let full = detail == Detail::Full;
        let heading = test_heading(shown, detail);
        let values =
            |value: &dyn Fn(&Trial) -> String| widest(&mut shown.iter().map(|t| value(t)).chain([heading.clone()]));
        let mut fixed = 4 + values(&|trial| value_text(trial, self.board.metric, full));
        if self.seeds {
            fixed += widest(&mut shown.iter().map(|t| of_seeds(t)).chain([replicates_of(shown)]));
        }
        if self.also {
            fixed += values(&|trial| also_cell(trial, full));
        }
        if self.tested {
            fixed += values(&|trial| test_cell(trial, full));
        }
        let state = shown.iter().map(|trial| widest_word(&state(trial, detail)) + 1).max().unwrap_or(0);
        let left = width.saturating_sub(fixed);
        left >= word + state
    }
}

/// Columns of the widest word of a cell.
fn widest_word(cell: &str) -> usize {
    cell.split(' ').map(console::measure_text_width).max().unwrap_or(0)
}

/// Explains the intervals of these trials, and the marks.
fn footnotes(shown: &[&Trial], metric: Metric, (also, tested): (bool, bool), intervals: bool) -> Vec<String> {
    let value = |trial: &&Trial| trial.value.filter(|_| intervals && trial.is_final).map(|mean| (metric, mean));
    let test = |trial: &&Trial| trial.test.mean.filter(|_| tested).map(|mean| (trial.test.metric, mean));
    let also_mean = |trial: &&Trial| trial.test_of_rank.filter(|_| also).and_then(|of| Some((of.metric, of.mean?)));
    let folds = has_folds(shown);
    let means: Vec<(Metric, Mean)> = shown
        .iter()
        .flat_map(|trial| [value(trial), also_mean(trial).filter(|_| !folds), test(trial).filter(|_| !folds)])
        .flatten()
        .collect();
    let of = |means: &[(Metric, Mean)], what, replicate| {
        interval_notes(means.iter().map(|(metric, mean)| (*metric, mean)), what, replicate)
    };
    let mut notes = of(&means, "intervals", if folds { "fold" } else { replicates(shown.iter().copied()) });
    if let (true, Some(first)) = (folds, shown.first()) {
        notes.push(format!("out-of-fold: test {} {ON_ALL_FOLDS}", first.test.metric.name()));
        let together: Vec<_> = shown.iter().flat_map(|trial| [also_mean(trial), test(trial)]).flatten().collect();
        notes.extend(of(&together, "out-of-fold intervals", "seed"));
    }
    if shown.iter().any(|trial| !trial.is_final && trial.value.is_some()) {
        let open = || shown.iter().filter(|trial| !trial.is_final && trial.value.is_some());
        let is_pruned = open().any(|trial| trial.state == RunState::Pruned);
        notes.push(not_final_mark(open().map(|trial| trial.is_best_so_far), is_pruned));
    }
    let pruned = || shown.iter().filter(|trial| trial.state == RunState::Pruned && trial.value.is_some());
    let progress = |trial: &&Trial| (trial.step, trial.steps);
    if pruned().any(|trial| Some(progress(trial)) != pruned().next().map(progress)) {
        notes.push(FURTHER_FIRST.into());
    }
    if shown.iter().any(|trial| trial.warned > 0) {
        let of_seeds = shown.iter().any(|trial| trial.planned() > 1);
        let marked = if of_seeds { "a trial with a run" } else { "a run" };
        notes.push(mark(marked, shown.iter().all(|trial| trial.test.metric == Metric::Accuracy)));
    }
    notes
}

/// What a value of the out-of-fold column covers.
const ON_ALL_FOLDS: &str = "on all folds together, each row predicted once, by the model whose test fold contains it";

/// The heading of the number of runs of each trial.
fn replicates_of(shown: &[&Trial]) -> String {
    format!("{}s", replicates(shown.iter().copied()))
}

/// The number of seeds; `2/3 done` if not all are completed.
fn of_seeds(trial: &Trial) -> String {
    match trial.planned() {
        all if trial.completed < all => format!("{}/{all} done", trial.completed),
        all => all.to_string(),
    }
}

/// The value of a trial, `91.3% (90.1–92.4)`; without a completed run the value with its step, `91.3% @225*`.
fn value_text(trial: &Trial, metric: Metric, intervals: bool) -> String {
    match trial.value {
        Some(value) if !trial.is_final => {
            not_final(&metric.text(value.mean), trial.unfinished_at().map(|at| at.to_string()).as_deref())
        }
        value => cell(value, metric, intervals),
    }
}

/// A value of an evaluation during training: `91.3% @225*`.
pub fn not_final(value: &str, step: Option<&str>) -> String {
    format!("{value}{}*", step.map_or(String::new(), |step| format!(" @{step}")))
}

/// `91.3% (90.1–92.4)`.
pub fn cell(value: Option<Mean>, metric: Metric, intervals: bool) -> String {
    let Some(value) = value else { return format::NOTHING.into() };
    if intervals { value.text(metric) } else { metric.text(value.mean) }
}

/// `completed`; `failed (diverged)`; `pruned at step 12 of 36`, or in short `pruned @12`. Marked if its model does nothing useful.
fn state(trial: &Trial, detail: Detail) -> String {
    let (state, steps) = (trial.state_text(), format::count(trial.steps));
    let text = match (trial.state, trial.step) {
        (RunState::Pruned, Some(_)) if detail != Detail::Full => unbroken(&format!("{state} @{steps}")),
        (RunState::Pruned, Some((_, total))) => {
            format!("{state} at step {steps} of {}", format::count(total))
        }
        _ => state,
    };
    if trial.warned > 0 { marked(&text) } else { text }
}

/// The best trial and its best run, or why there is none.
pub fn print_best_run(board: &Leaderboard, out: &mut Output) -> Result<()> {
    let Some(first) = board.trials.first() else { return Ok(()) };
    if first.rank.is_none() {
        let all = replicates(&board.trials);
        let why = match board.trials.iter().all(|trial| trial.planned() == 1) {
            _ if board.trials.len() == 1 && first.planned() == 1 => "no rank, because its run is not completed".into(),
            true => "no trial has a rank, because no run is completed".into(),
            false => format!("no trial has a rank, because none has completed all its {all}s"),
        };
        return out.wrapped(&why);
    }
    let run = best_run(board, first);
    match (board.has_several(), run) {
        (false, run) => run.map_or(Ok(()), |run| out.wrapped(&run)),
        (true, run) => {
            let run = run.map_or(String::new(), |run| format!("; its {run}"));
            out.wrapped(&format!("{}: {}{run}", board.progress.heading(), first.name))
        }
    }
}

/// The name that an enumeration is stored as.
pub fn word(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => word,
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests;

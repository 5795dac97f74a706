//! Prints a leaderboard.

use anyhow::Result;
use serde_json::Value;
use taper::{
    event::Split,
    format::{self, names},
    plan::Metric,
    report::{Leaderboard, Mean, Trial, interval_notes},
    store::RunState,
};

use super::output::Output;

/// How much of a trial is shown, from most to least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Detail {
    /// Values with intervals, full states.
    Full,
    /// Values only, states in one word.
    Short,
    /// The same without the test split.
    Least,
}

/// Explains the mark beside a value.
pub const NOT_FINAL: &str = "* not final: the value of an evaluation during training, at the step after @";

/// Explains the mark beside a state.
pub const MARK: &str = "! predicts only one class, or is no better than always answering the most common label";

/// Prints the `most` best trials, or all: as a table, or with `--json` as an array.
pub fn print(board: &Leaderboard, most: Option<usize>, out: &mut Output) -> Result<()> {
    let shown = &board.trials[..board.trials.len().min(most.unwrap_or(usize::MAX))];
    if out.json {
        return out.document(&shown);
    }
    let split = word(&board.split);
    // If the test split ranks, its accuracy is the ranking value itself.
    let tested = board.split != Split::Test && shown.iter().any(|t| t.test_accuracy.is_some());
    let seeds = shown.iter().any(|trial| trial.planned() > 1);
    let all: Vec<&str> = board.trials.iter().map(|trial| trial.name.as_str()).collect();
    let whole: Vec<String> = all.iter().map(|name| name.to_string()).collect();
    let details = [Detail::Full, Detail::Short].into_iter();
    let detail =
        details.into_iter().find(|detail| has_room(shown, &whole, *detail, tested, seeds, board.metric, out.width()));
    let detail = detail.unwrap_or(Detail::Least);
    let (intervals, tested) = (detail == Detail::Full, tested && detail != Detail::Least);
    let values = |trial: &Trial| {
        let test = tested.then(|| cell(trial.test_accuracy, Metric::Accuracy, intervals));
        [Some(value_text(trial, board.metric, intervals)), test].into_iter().flatten()
    };
    let rest = |trial: &Trial| {
        let seeds = seeds.then(|| of_seeds(trial));
        seeds.into_iter().chain(values(trial)).chain([state(trial, detail)]).collect::<Vec<String>>()
    };
    let metric = match (detail, board.metric) {
        (Detail::Full, metric) => metric.name(),
        (_, metric) => metric.info().short,
    };
    let test = if intervals { "test accuracy" } else { "test acc" };
    let heads = [Some(format!("{split} {metric}")), tested.then(|| test.to_string())];
    let mut header: Vec<String> =
        seeds.then(|| "seeds".to_string()).into_iter().chain(heads.into_iter().flatten()).collect();
    header.push("state".into());
    let rows: Vec<Vec<String>> = shown.iter().map(rest).collect();
    // A column for each swept key if they all fit; otherwise names, wrapped as needed.
    let fits = |columns: &names::Columns| {
        let widest = |i: usize, heads: &[String], cells: &[Vec<String>]| {
            let cells = cells.iter().map(|row| console::measure_text_width(&row[i]));
            cells.chain([console::measure_text_width(&heads[i])]).max().unwrap_or(0) + 1
        };
        let names: usize = (0..columns.keys.len()).map(|i| widest(i, &columns.keys, &columns.values)).sum();
        let others: usize = (0..header.len()).map(|i| widest(i, &header, &rows)).sum();
        out.width().is_some_and(|width| names + others + 4 <= width)
    };
    let columns = names::columns(&all).filter(fits).unwrap_or_else(|| names::Columns {
        keys: vec!["trial".into()],
        values: whole.into_iter().map(|name| vec![name]).collect(),
    });
    let header: Vec<&str> = ["#"].into_iter().chain(columns.keys.iter().chain(&header).map(String::as_str)).collect();
    let rank = |trial: &Trial| trial.rank.map_or(format::NOTHING.into(), |rank| rank.to_string());
    let rows =
        shown.iter().zip(columns.values).zip(rows).map(|((trial, values), rest)| {
            [rank(trial)].into_iter().chain(values).chain(rest).collect::<Vec<String>>()
        });
    out.fitted(&header, rows, &["test accuracy", "test acc", "seeds", "state"])?;
    if shown.len() < board.trials.len() {
        let more = board.trials.len() - shown.len();
        let all = format!("taper list {} --leaderboard", format::command::shell_word(&board.experiment));
        out.line(format!("… and {more} more: {}", out.command(&all)))?;
    }
    for note in footnotes(shown, board.metric, tested && intervals, intervals) {
        out.wrapped(&note)?;
    }
    board.missing.iter().try_for_each(|note| out.wrapped(note))
}

/// Whether this fits a terminal of `width` columns without breaking a word of a name.
fn has_room(
    shown: &[Trial],
    names: &[String],
    detail: Detail,
    tested: bool,
    seeds: bool,
    metric: Metric,
    width: Option<usize>,
) -> bool {
    let Some(width) = width else { return true };
    let widest = |texts: &mut dyn Iterator<Item = String>| {
        texts.map(|text| console::measure_text_width(&text) + 1).max().unwrap_or(0)
    };
    let word = widest(&mut names.iter().flat_map(|name| name.split_whitespace()).map(String::from));
    let full = detail == Detail::Full;
    let heading = if full { "test accuracy" } else { "test acc" }.to_string();
    let values = |value: &dyn Fn(&Trial) -> String| widest(&mut shown.iter().map(value).chain([heading.clone()]));
    let mut fixed = 4 + values(&|trial| value_text(trial, metric, full));
    if seeds {
        fixed += widest(&mut shown.iter().map(of_seeds).chain(["seeds".to_string()]));
    }
    if tested {
        fixed += values(&|trial| cell(trial.test_accuracy, Metric::Accuracy, full));
    }
    let state = widest(&mut shown.iter().map(|trial| state(trial, detail)));
    let left = width.saturating_sub(fixed);
    // Long states are wrapped like names: they share the remaining width.
    left >= word + state || full && left / 2 > word.max("completed".len())
}

/// Explains the intervals of these trials, and the marks.
fn footnotes(shown: &[Trial], metric: Metric, tested: bool, intervals: bool) -> Vec<String> {
    let cells = |trial: &Trial| {
        let value = trial.value.filter(|_| intervals && trial.is_final).map(|mean| (metric, mean));
        let test = trial.test_accuracy.filter(|_| tested).map(|mean| (Metric::Accuracy, mean));
        [value, test]
    };
    let means: Vec<(Metric, Mean)> = shown.iter().flat_map(cells).flatten().collect();
    let mut notes = interval_notes(means.iter().map(|(metric, mean)| (*metric, mean)));
    if shown.iter().any(|trial| !trial.is_final && trial.value.is_some()) {
        notes.push(NOT_FINAL.into());
    }
    if shown.iter().any(|trial| trial.warned > 0) {
        let of_seeds = shown.iter().any(|trial| trial.planned() > 1);
        notes.push(if of_seeds { MARK.replacen("! ", "! at least one run ", 1) } else { MARK.into() });
    }
    notes
}

/// The number of seeds that the mean is over, if only some are completed: `2 of 3`.
fn of_seeds(trial: &Trial) -> String {
    match trial.completed {
        n if n > 0 && n < trial.planned() => format!("{n} of {}", trial.planned()),
        _ => trial.planned().to_string(),
    }
}

/// The value of a trial, `91.3% (90.1–92.4)`; without a completed run the value with its step, `91.3% @225*`.
fn value_text(trial: &Trial, metric: Metric, intervals: bool) -> String {
    match trial.value {
        Some(value) if !trial.is_final => not_final(&metric.text(value.mean), trial.unfinished_at().as_deref()),
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

/// `completed`; `failed`; `pruned at step 12 of 36`; for several seeds with the number done: `running, 2 of 3 done`. Marked if its model
/// does nothing useful.
fn state(trial: &Trial, detail: Detail) -> String {
    let state = word(&trial.state);
    let text = match (trial.planned(), trial.state, trial.step) {
        _ if detail != Detail::Full => state,
        (_, RunState::Pruned, Some((_, total))) => format!("{state} at step {} of {total}", trial.steps),
        (n, ..) if n > 1 && trial.completed < n => format!("{state}, {} of {n} done", trial.completed),
        _ => state,
    };
    if trial.warned > 0 { format!("{text} !") } else { text }
}

/// The name that an enumeration is stored as.
pub fn word(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => word,
        _ => String::new(),
    }
}

//! A leaderboard on standard output.

use anyhow::Result;
use serde_json::Value;
use taper::{
    event::Split,
    format,
    plan::Metric,
    report::{Leaderboard, Mean, Trial},
};

use super::output::Output;

/// Prints the `most` best trials, all of them where it is absent: a table, or with `--json` an array.
pub fn print(board: &Leaderboard, most: Option<usize>, out: &mut Output) -> Result<()> {
    let shown = &board.trials[..board.trials.len().min(most.unwrap_or(usize::MAX))];
    if out.json {
        return out.document(&shown);
    }
    let split = word(&board.split);
    let metric = match board.metric {
        Metric::Accuracy => "accuracy",
        Metric::MacroF1 => "macro-F1",
        Metric::Loss => "loss",
    };
    // Where the test split chooses, its accuracy is the figure itself.
    let tested = board.split != Split::Test && shown.iter().any(|t| t.test_accuracy.is_some());
    let chosen = format!("{split} {metric}");
    let mut header = vec!["#", "trial", "seeds", &chosen];
    header.extend(tested.then_some("test accuracy"));
    header.push("state");
    let rows = shown.iter().map(|trial| {
        let mut row = vec![
            trial.rank.map_or(format::NOTHING.into(), |rank| rank.to_string()),
            trial.name.clone(),
            trial.runs.len().to_string(),
            cell(trial.figure, board.metric),
        ];
        row.extend(tested.then(|| cell(trial.test_accuracy, Metric::Accuracy)));
        row.push(state(trial));
        row
    });
    out.table(&header, rows)?;
    if shown.len() < board.trials.len() {
        let more = board.trials.len() - shown.len();
        out.line(format!("… and {more} more: taper list {} --leaderboard", board.experiment))?;
    }
    let has = |several: bool| shown.iter().any(|t| t.figure.is_some_and(|f| f.low.is_some() && (f.n > 1) == several));
    if has(true) {
        out.line("±: 95 % interval of the mean over seeds (Student)")?;
    }
    if has(false) {
        out.line("(…): 95 % interval of one run's accuracy for its number of rows (Wilson)")?;
    }
    Ok(())
}

/// `91.3% ± 0.8` of several seeds, `91.3% (90.1–92.4)` of one.
fn cell(figure: Option<Mean>, metric: Metric) -> String {
    let Some(Mean { n, mean, half, low, high, .. }) = figure else { return format::NOTHING.into() };
    let text = if metric == Metric::Loss { format!("{mean:.4}") } else { format::percent(mean) };
    match (half.filter(|_| n > 1), low.zip(high)) {
        (Some(half), _) if metric == Metric::Loss => format!("{text} ± {half:.4}"),
        // Two seeds far apart tell nothing: more than everything is not more.
        (Some(half), _) => format!("{text} ± {:.1}", (half * 100.0).min(100.0)),
        (None, None) => text,
        (None, Some((low, high))) => format!("{text} ({:.1}–{:.1})", low * 100.0, high * 100.0),
    }
}

/// `completed`; `failed`; of several seeds with what is done: `running, 2 of 3 done`.
fn state(trial: &Trial) -> String {
    let state = word(&trial.state);
    match trial.runs.len() {
        n if n > 1 && trial.completed < n => format!("{state}, {} of {n} done", trial.completed),
        _ => state,
    }
}

/// The word that an enumeration is stored as.
fn word(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => word,
        _ => String::new(),
    }
}

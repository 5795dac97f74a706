//! Stored warnings and those that follow from the results, grouped over the runs.

use crate::report::language::{Said, is_chinese, tr};
use crate::{
    metrics::Degenerate,
    plan::Metric,
    report::{baseline::Baseline, cells::label_name, format, high_loss, input::RunInput, sentence::Sentence},
    warning::{Kind, Warning},
};

/// Warnings of one kind.
pub struct WarningGroup {
    /// The kind, in words.
    pub kind: String,
    /// Its warnings, each once.
    pub warnings: Vec<WarningRow>,
}

/// A warning.
pub struct WarningRow {
    /// What was found.
    pub message: Sentence,
    /// The lines of the data file that the message does not name; empty if there are none.
    pub lines: String,
    /// The runs that it is about.
    pub runs: String,
}

/// A warning, with the runs that have it.
struct Found<'a> {
    warning: Warning,
    /// Whether it is from the records, and thus English.
    is_stored: bool,
    names: Vec<&'a str>,
}

/// A warning names at most this many runs.
const MOST_RUNS: usize = 5;

/// All warnings of the sweep and its runs, by kind, in the order in which kinds first appear; those about results come last.
/// `said` is whether a caveat says that the best result is optimistic.
pub fn warnings(sweep: &[Warning], runs: &[RunInput], said: bool) -> Vec<WarningGroup> {
    // Those of the sweep are not about particular runs. Where all runs are measured on the same split, a caveat says whether their metrics
    // are optimistic; where some have test rows and some have none, it speaks of the best alone.
    let alike = runs.iter().all(|run| run.measured_on() == runs[0].measured_on());
    let sweep = sweep.iter().filter(|warning| warning.kind != Kind::Optimistic || !(said || alike));
    let found = sweep.map(|warning| Found { warning: warning.clone(), is_stored: true, names: Vec::new() });
    let mut found: Vec<Found<'_>> = found.collect();
    for run in runs {
        // Results are checked here, from the records, so that runs of versions without these warnings get them too.
        let high_loss = high_loss(&run.run, &run.steps);
        // A loss that is too high explains the rest.
        let of_result = high_loss.or_else(|| of_result(run));
        let stored = run.warnings.iter().filter(|w| of_result.is_none() || w.kind != Kind::Result).cloned();
        let stored = stored.map(|warning| (warning, true));
        for (warning, is_stored) in stored.chain(of_result.clone().map(|warning| (warning, false))) {
            match found.iter_mut().find(|known| known.warning == warning) {
                Some(known) => known.names.push(&run.run.name),
                None => found.push(Found { warning, is_stored, names: vec![&run.run.name] }),
            }
        }
    }
    let mut groups: Vec<(Kind, WarningGroup)> = Vec::new();
    for Found { warning, is_stored, names } in found {
        let row = WarningRow {
            lines: further_lines(&warning),
            runs: run_names(&names, runs.len()),
            message: if is_stored { Sentence::stored(warning.message) } else { warning.message.into() },
        };
        match groups.iter_mut().find(|(kind, _)| *kind == warning.kind) {
            Some((_, group)) => group.warnings.push(row),
            None => groups.push((warning.kind, WarningGroup { kind: heading(warning.kind), warnings: vec![row] })),
        }
    }
    groups.sort_by_key(|(kind, _)| *kind == Kind::Result);
    groups.into_iter().map(|(_, group)| group).collect()
}

/// The warning for a final evaluation that is probably not a success.
fn of_result(run: &RunInput) -> Option<Warning> {
    let baseline = Baseline::of(run)?;
    let split = run.measured_on().said();
    let name = |id| label_name(run, id);
    let (metrics, metric) = run.run.used()?;
    let message = match metrics.degenerate_beside(baseline.label, metric)? {
        Degenerate::OneClass(id) => {
            tr!(
                "predicts only one class: “{}” for every row of the {split} split",
                "只预测一个类别：{split}的每一行都预测为“{}”",
                name(id)
            )
        }
        Degenerate::NoBetter { metric, .. } => {
            let by = if metric == Metric::Accuracy { String::new() } else { tr!(" ({})", "（{}）", metric.said()) };
            tr!(
                "no better on the {split} split than always predicting “{}”{by}",
                "在{split}上不比总是预测“{}”更好{by}",
                name(baseline.label)
            )
        }
    };
    Some(Warning::new(Kind::Result, message))
}

/// The lines that the message does not have.
fn further_lines(warning: &Warning) -> String {
    let english = warning.further_lines();
    match is_chinese() && !english.is_empty() {
        true => format!("第 {} 行", warning.lines.iter().map(u64::to_string).collect::<Vec<_>>().join("、")),
        false => english,
    }
}

/// `data_file` as `Data file`.
fn heading(kind: Kind) -> String {
    format::capital(kind.said())
}

/// The names of the runs that a warning is about, out of `of`.
fn run_names(names: &[&str], of: usize) -> String {
    match names.len() {
        0 => String::new(),
        _ if of == 1 => String::new(),
        n if n == of => tr("all runs", "所有运行").into(),
        n if n > MOST_RUNS => tr!("{} and {} more", "{} 以及另外 {} 次", names[..MOST_RUNS].join("; "), n - MOST_RUNS),
        _ => names.join("; "),
    }
}

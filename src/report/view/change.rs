//! What training changed in the predictions of the tested rows, as text.

use super::Picture;
use crate::{
    event::PredictionBefore,
    metrics::{Metric, Target},
    report::{
        change::{self, ClassChange, ColumnChange, Flips, Row},
        format,
        input::{RunInput, split_name},
        pictures::MOST_LABELS,
        terms::{Terms, signed},
    },
    task::Task,
};

/// What training changed.
pub struct ChangeSection {
    /// The counts in words.
    pub sentences: Vec<String>,
    /// Charts.
    pub charts: Vec<Picture>,
    /// Headings of the labels or columns, each with whether it is a number.
    pub heads: Vec<(&'static str, bool)>,
    /// Each label, or each column of numbers.
    pub classes: Vec<Vec<String>>,
    /// Which of them are listed, if not all are.
    pub classes_note: Option<String>,
    /// The predictions that became right, and those that became wrong.
    pub flips: Vec<FlipTable>,
}

/// Rows whose prediction changed sides.
pub struct FlipTable {
    /// Title.
    pub title: String,
    /// Which of them are listed.
    pub note: String,
    /// Headings after line and text, each with whether it is a number.
    pub heads: Vec<(&'static str, bool)>,
    /// The rows.
    pub rows: Vec<FlipRow>,
}

/// One of them.
pub struct FlipRow {
    /// Line of the data file.
    pub line: u64,
    /// The text.
    pub text: String,
    /// Its target, and what was and is predicted.
    pub cells: Vec<String>,
}

/// Rows that are listed of each side.
const MOST_FLIPS: usize = 10;
/// Labels listed where there are more than [`MOST_LABELS`].
const MOST_LISTED: usize = 20;

/// That of the result that the page shows; `None` if it was not measured before training. At most `listed` rows of each side are listed.
pub(super) fn section(run: &RunInput, terms: Terms, listed: usize, charts: Vec<Picture>) -> Option<ChangeSection> {
    run.before()?;
    let Some(rows) = change::joined(run) else {
        // An earlier version, or a run whose predictions are not stored or not of the same rows.
        let sentence =
            "What was predicted before training is not stored for this run, or not of the rows that it was tested on.";
        return Some(ChangeSection {
            sentences: vec![sentence.into()],
            charts,
            heads: Vec::new(),
            classes: Vec::new(),
            classes_note: None,
            flips: Vec::new(),
        });
    };
    let numbers = terms.task == Task::Regression;
    let flips = change::flips(&rows, numbers);
    let labels = run.run.labels.len();
    let (heads, classes, classes_note) = match numbers {
        true => (column_heads(), change::columns(&rows, labels).iter().map(|of| column(run, of)).collect(), None),
        false => {
            let all = change::classes(&rows, labels);
            let (shown, note) = shown(all);
            (class_heads(terms), shown.iter().map(|of| class(run, of)).collect(), note)
        }
    };
    let most = MOST_FLIPS.min(listed);
    Some(ChangeSection {
        sentences: sentences(run, terms, &rows, &flips),
        charts,
        heads,
        classes,
        classes_note,
        flips: tables(run, terms, flips, most),
    })
}

/// The counts in words.
fn sentences(run: &RunInput, terms: Terms, rows: &[Row<'_>], flips: &Flips<'_>) -> Vec<String> {
    let counts = flips.counts;
    let all = format::count(rows.len() as u64);
    let split = split_name(run.measured_on());
    let (better, worse) = (format::count(counts.first_only), format::count(counts.second_only));
    let p = format::p_value(counts.mcnemar());
    let mut said = Vec::new();
    if terms.task == Task::Regression {
        let same = format::count(counts.both + counts.neither);
        said.push(format!(
            "Of {all} {split} rows, the error is smaller after training for {better}, larger for {worse}, and the same for {same} (exact \
             sign test, {p})."
        ));
    } else {
        let right = |n: u64| format!("{} ({})", format::count(n), format::percent(n as f64 / rows.len() as f64));
        let (what, test) = match terms.task {
            Task::MultiLabel => ("predicted exactly", "sign test"),
            _ => ("predicted correctly", "McNemar test"),
        };
        said.push(format!(
            "Of {all} {split} rows, {} were {what} before training and {} are after: {better} became right and {worse} became wrong (exact \
             {test}, {p}).",
            right(counts.both + counts.second_only),
            right(counts.both + counts.first_only),
        ));
    }
    let own: Option<Vec<(f64, f64)>> = rows.iter().map(Row::own).collect();
    if let Some(own) = own {
        let mean = |of: fn(&(f64, f64)) -> f64| format::percent(own.iter().map(of).sum::<f64>() / own.len() as f64);
        said.push(format!(
            "On average, a row’s own label has a probability of {} after training; before, it was {}.",
            mean(|(_, after)| *after),
            mean(|(before, _)| *before),
        ));
    }
    if let Some(first) = rows.first().filter(|_| rows.len() > 1) {
        let same = rows.iter().all(|row| row.before.predicted == first.before.predicted);
        if same && terms.task != Task::Regression {
            said.push(format!(
                "Before training, “{}” was predicted for every row.",
                first.before.predicted.shown(&run.run.labels)
            ));
        }
    }
    said
}

fn class_heads(terms: Terms) -> Vec<(&'static str, bool)> {
    let rows = if terms.is_single() { "Rows" } else { "Rows with it" };
    vec![
        ("Label", false),
        (rows, true),
        ("Recall before", true),
        ("Recall after (95% Wilson interval)", true),
        ("F1 before", true),
        ("F1 after", true),
        ("Change of F1", true),
    ]
}

fn class(run: &RunInput, of: &ClassChange) -> Vec<String> {
    let name = run.run.labels.get(of.id).cloned().unwrap_or_default();
    let after = format::percent(of.after.recall());
    let rise = of.after.f1() - of.before.f1();
    vec![
        name,
        format::count(of.after.support),
        format::percent(of.before.recall()),
        of.interval().map_or(after.clone(), |interval| format!("{after} ({})", format::percent_range(interval))),
        format::percent(of.before.f1()),
        format::percent(of.after.f1()),
        if rise.is_finite() { format!("{} points", format::points(rise)) } else { format::NOTHING.into() },
    ]
}

/// All labels, or of many those that changed most.
fn shown(mut all: Vec<ClassChange>) -> (Vec<ClassChange>, Option<String>) {
    if all.len() <= MOST_LABELS {
        return (all, None);
    }
    let labels = all.len();
    all.sort_by(|a, b| b.rise().abs().total_cmp(&a.rise().abs()));
    all.truncate(MOST_LISTED);
    let note = format!("The {MOST_LISTED} labels whose F1 changed most, of {labels}; change.csv has all.");
    (all, Some(note))
}

fn column_heads() -> Vec<(&'static str, bool)> {
    vec![
        ("Column", false),
        ("RMSE before", true),
        ("RMSE after", true),
        ("Mean absolute error before", true),
        ("Mean absolute error after", true),
        ("R² before", true),
        ("R² after", true),
    ]
}

fn column(run: &RunInput, of: &ColumnChange) -> Vec<String> {
    let (before, after) = (of.before, of.after);
    vec![
        run.run.labels.get(of.id).cloned().unwrap_or_default(),
        Metric::Rmse.text(before.rmse),
        Metric::Rmse.text(after.rmse),
        Metric::Mae.text(before.mae),
        Metric::Mae.text(after.mae),
        Metric::R2.text(before.r2),
        Metric::R2.text(after.r2),
    ]
}

/// Those of both sides that have rows.
fn tables(run: &RunInput, terms: Terms, flips: Flips<'_>, most: usize) -> Vec<FlipTable> {
    let (to_right, to_wrong, by) = match terms.task {
        Task::SingleLabel => ("Became right", "Became wrong", "whose own label’s probability changed most"),
        Task::MultiLabel => ("Became right", "Became wrong", "with the most changed labels"),
        Task::Regression if run.run.labels.len() > 1 => {
            ("Smaller errors", "Larger errors", "whose largest error (in brackets) changed most")
        }
        Task::Regression => ("Smaller errors", "Larger errors", "whose error (in brackets) changed most"),
    };
    let table = |(title, rows): (&str, Vec<Row<'_>>)| {
        let all = rows.len();
        let counted = format::plural(all, "row");
        let note = match all > most {
            true if most == 0 => format!("{counted}; flips.csv has them."),
            true => format!("{counted}; the {most} {by} are listed. flips.csv has all."),
            false => format!("{counted}."),
        };
        let rows = rows.iter().take(most).map(|row| flip(run, row)).collect();
        FlipTable { title: title.into(), note, heads: flip_heads(terms), rows }
    };
    let sides = [(to_right, flips.to_right), (to_wrong, flips.to_wrong)];
    sides.into_iter().filter(|(_, rows)| !rows.is_empty()).map(table).collect()
}

fn flip_heads(terms: Terms) -> Vec<(&'static str, bool)> {
    match terms.task {
        Task::SingleLabel => vec![("Label", false), ("Before", false), ("After", false)],
        Task::MultiLabel => vec![("Labels", false), ("Before", false), ("After", false)],
        Task::Regression => vec![("True", true), ("Before", true), ("After", true)],
    }
}

fn flip(run: &RunInput, row: &Row<'_>) -> FlipRow {
    let shown = |target: &Target| target.shown(&run.run.labels);
    let (before, after) = (row.before, row.after);
    // How sure of a set says little: it is a mean over all labels.
    let with = |predicted: &Target, sure: Option<f32>| match (predicted, sure) {
        (Target::Label(_), Some(sure)) => format!("{} {}", shown(predicted), format::percent(f64::from(sure))),
        _ => shown(predicted),
    };
    let error =
        |of: fn((f64, f64)) -> f64| row.errors().map_or(String::new(), |errors| format!(" ({})", signed(of(errors))));
    let cells = match after.label {
        Target::Values(_) => vec![
            shown(&after.label),
            format!("{}{}", shown(&before.predicted), error(|(before, _)| before)),
            format!("{}{}", shown(&after.predicted), error(|(_, after)| after)),
        ],
        _ => vec![
            shown(&after.label),
            with(&before.predicted, PredictionBefore::confidence(before)),
            with(&after.predicted, after.confidence()),
        ],
    };
    FlipRow { line: after.line, text: format::texts(&after.text, after.text_pair.as_deref()).into_owned(), cells }
}

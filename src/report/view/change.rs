//! What training changed in the predictions of the tested rows, as text.

use super::Picture;
use crate::report::language::{self, Said, tr};
use crate::report::without_texts::shown_text;
use crate::{
    event::PredictionBefore,
    metrics::{Metric, Target},
    report::{
        change::{self, ClassChange, ColumnChange, Flips, Row},
        format,
        input::RunInput,
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
        let sentence = tr(
            "What was predicted before training is not stored for this run, or not of the rows that it was tested on.",
            "没有存储该运行训练前的预测，或者存储的不是它所测试的行。",
        );
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
    let split = run.measured_on().said();
    let (better, worse) = (format::count(counts.first_only), format::count(counts.second_only));
    let p = format::p_value(counts.mcnemar());
    let mut said = Vec::new();
    if terms.task == Task::Regression {
        let same = format::count(counts.both + counts.neither);
        said.push(tr!(
            "Of {all} {split} rows, the error is smaller after training for {better}, larger for {worse}, and the same for {same} (exact \
             sign test, {p}).", "{split}的 {all} 行中，训练后误差变小的有 {better} 行，变大的有 {worse} 行，不变的有 {same} 行（精确符号检验，{p}）。"
        ));
    } else {
        let right =
            |n: u64| tr!("{} ({})", "{} 行（{}）", format::count(n), format::percent(n as f64 / rows.len() as f64));
        let (what, test) = match terms.task {
            Task::MultiLabel => (tr("predicted exactly", "完全预测正确"), tr("sign test", "符号检验")),
            _ => (tr("predicted correctly", "预测正确"), tr("McNemar test", "麦克尼马尔（McNemar）检验")),
        };
        said.push(tr!(
            "Of {all} {split} rows, {} were {what} before training and {} are after: {better} became right and {worse} became wrong (exact \
             {test}, {p}).", "{split}的 {all} 行中，训练前{what}的有 {}，训练后有 {}：{better} 行由错变对，{worse} 行由对变错（精确{test}，{p}）。",
            right(counts.both + counts.second_only),
            right(counts.both + counts.first_only),
        ));
    }
    let own: Option<Vec<(f64, f64)>> = rows.iter().map(Row::own).collect();
    if let Some(own) = own {
        let mean = |of: fn(&(f64, f64)) -> f64| format::percent(own.iter().map(of).sum::<f64>() / own.len() as f64);
        said.push(tr!(
            "On average, a row’s own label has a probability of {} after training; before, it was {}.",
            "各行真实标签的概率，训练后平均为 {}，训练前为 {}。",
            mean(|(_, after)| *after),
            mean(|(before, _)| *before),
        ));
    }
    if let Some(first) = rows.first().filter(|_| rows.len() > 1) {
        let same = rows.iter().all(|row| row.before.predicted == first.before.predicted);
        if same && terms.task != Task::Regression {
            said.push(tr!(
                "Before training, “{}” was predicted for every row.",
                "训练前，每一行都被预测为“{}”。",
                language::target(&first.before.predicted, &run.run.labels)
            ));
        }
    }
    said
}

fn class_heads(terms: Terms) -> Vec<(&'static str, bool)> {
    let rows = if terms.is_single() { tr("Rows", "行数") } else { tr("Rows with it", "含该标签的行数") };
    vec![
        (tr("Label", "标签"), false),
        (rows, true),
        (tr("Recall before", "训练前召回率"), true),
        (tr("Recall after (95% Wilson interval)", "训练后召回率（95% 威尔逊区间）"), true),
        (tr("F1 before", "训练前 F1"), true),
        (tr("F1 after", "训练后 F1"), true),
        (tr("Change of F1", "F1 的变化"), true),
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
        if rise.is_finite() {
            tr!("{} points", "{} 个百分点", format::points(rise))
        } else {
            format::NOTHING.into()
        },
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
    let note = tr!(
        "The {MOST_LISTED} labels whose F1 changed most, of {labels}; change.csv has all.",
        "F1 变化最大的 {MOST_LISTED} 个标签，共 {labels} 个；change.csv 有全部标签。"
    );
    (all, Some(note))
}

fn column_heads() -> Vec<(&'static str, bool)> {
    vec![
        (tr("Column", "列"), false),
        (tr("RMSE before", "训练前均方根误差"), true),
        (tr("RMSE after", "训练后均方根误差"), true),
        (tr("Mean absolute error before", "训练前平均绝对误差"), true),
        (tr("Mean absolute error after", "训练后平均绝对误差"), true),
        (tr("R² before", "训练前 R²"), true),
        (tr("R² after", "训练后 R²"), true),
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
        Task::SingleLabel => (
            tr("Became right", "由错变对"),
            tr("Became wrong", "由对变错"),
            tr("whose own label’s probability changed most", "真实标签的概率变化最大的"),
        ),
        Task::MultiLabel => (
            tr("Became right", "由错变对"),
            tr("Became wrong", "由对变错"),
            tr("with the most changed labels", "标签变化最多的"),
        ),
        Task::Regression if run.run.labels.len() > 1 => (
            tr("Smaller errors", "误差变小"),
            tr("Larger errors", "误差变大"),
            tr("whose largest error (in brackets) changed most", "最大误差（括号内）变化最大的"),
        ),
        Task::Regression => (
            tr("Smaller errors", "误差变小"),
            tr("Larger errors", "误差变大"),
            tr("whose error (in brackets) changed most", "误差（括号内）变化最大的"),
        ),
    };
    let table = |(title, rows): (&str, Vec<Row<'_>>)| {
        let all = rows.len();
        let counted = format::plural(all, "row");
        let note = match all > most {
            true if most == 0 => tr!("{counted}; flips.csv has them.", "{counted}；见 flips.csv。"),
            true => tr!(
                "{counted}; the {most} {by} are listed. flips.csv has all.",
                "{counted}；列出其中{by} {most} 行。全部见 flips.csv。"
            ),
            false => tr!("{counted}.", "{counted}。"),
        };
        let rows = rows.iter().take(most).map(|row| flip(run, row)).collect();
        FlipTable { title: title.into(), note, heads: flip_heads(terms), rows }
    };
    let sides = [(to_right, flips.to_right), (to_wrong, flips.to_wrong)];
    sides.into_iter().filter(|(_, rows)| !rows.is_empty()).map(table).collect()
}

fn flip_heads(terms: Terms) -> Vec<(&'static str, bool)> {
    match terms.task {
        Task::SingleLabel => {
            vec![(tr("Label", "标签"), false), (tr("Before", "训练前"), false), (tr("After", "训练后"), false)]
        }
        Task::MultiLabel => {
            vec![(tr("Labels", "标签"), false), (tr("Before", "训练前"), false), (tr("After", "训练后"), false)]
        }
        Task::Regression => {
            vec![(tr("True", "真实值"), true), (tr("Before", "训练前"), true), (tr("After", "训练后"), true)]
        }
    }
}

fn flip(run: &RunInput, row: &Row<'_>) -> FlipRow {
    let shown = |target: &Target| language::target(target, &run.run.labels);
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
    FlipRow { line: after.line, text: shown_text(run, after), cells }
}

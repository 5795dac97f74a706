//! The rows on which two sides disagree.

use std::cmp::Ordering;

use serde::Serialize;

use super::answers::Answers;
use crate::{
    format,
    metrics::Target,
    report::{language::tr, same_rows::error},
    store::PredictionRecord,
    task::Task,
};

/// Examples in each direction.
const EXAMPLES: usize = 10;

/// The rows on which a side and the first one disagree. Of labels: where one is right and the other wrong, by most of their seeds. Of numbers: where
/// the squared error of one is smaller.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Flipped {
    /// The number of rows.
    pub rows: u64,
    /// Rows that the side has right and the first has wrong; of numbers, on which its error is smaller.
    pub gained: u64,
    /// Rows that the side has wrong and the first has right; of numbers, on which its error is larger.
    pub lost: u64,
    /// The clearest of the gained rows.
    pub gained_examples: Vec<Flip>,
    /// The clearest of the lost rows.
    pub lost_examples: Vec<Flip>,
    /// The seeds of the first and of the side.
    #[serde(skip)]
    pub seeds: [usize; 2],
}

impl Flipped {
    /// Whether a side has several seeds, so that the counts are not those of single predictions.
    pub fn is_of_seeds(&self) -> bool {
        self.seeds.iter().any(|seeds| *seeds > 1)
    }

    /// How rows count on which the seeds of a side differ, and which of their predictions the examples show; empty for single runs.
    pub fn of_seeds(&self, task: Task) -> String {
        let mut said = Vec::new();
        // Half of an odd number of seeds cannot be right.
        if task != Task::Regression && self.seeds.iter().any(|seeds| seeds % 2 == 0) {
            said.push(tr(
                "a row that exactly half of the seeds of a side have right is in neither count",
                "若一方恰有一半的种子在某行上正确，则该行不计入任何一方",
            ));
        }
        if self.is_of_seeds() && !(self.gained_examples.is_empty() && self.lost_examples.is_empty()) {
            said.push(tr(
                "the columns of the sides show what most of the seeds predict, or, if several predictions are equally \
                 frequent, that of the first seed",
                "各方的列显示多数种子的预测；若次数相同，则取较先的种子的预测",
            ));
        }
        said.join(tr("; ", "；"))
    }
}

/// One of these rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Flip {
    /// Line of the data file.
    pub line: u64,
    /// Text of the row; both texts of a pair.
    pub text: String,
    /// Its target, as shown.
    pub target: String,
    /// What the first predicts.
    pub first: String,
    /// What the side predicts.
    pub other: String,
}

/// A row as both sides see it.
struct Row<'a> {
    first: Vec<&'a PredictionRecord>,
    other: Vec<&'a PredictionRecord>,
    /// How much better the side is; 0 if they do not disagree.
    gain: f64,
}

/// The rows on which they disagree; `labels` has the name of each id.
pub fn flipped(first: &Answers<'_>, other: &Answers<'_>, task: Task, labels: &[String]) -> Flipped {
    let row = |(first, other): (Vec<_>, Vec<_>)| {
        let gain = gain(&first, &other, task, labels.len());
        Row { first, other, gain }
    };
    let rows: Vec<Row<'_>> = first.by_row().zip(other.by_row()).map(row).collect();
    let examples = |sign: f64| -> (u64, Vec<Flip>) {
        let mut found: Vec<&Row<'_>> = rows.iter().filter(|row| row.gain * sign > 0.0).collect();
        // Ties are in file order.
        found.sort_by(|a, b| -> Ordering { b.gain.abs().total_cmp(&a.gain.abs()) });
        (found.len() as u64, found.iter().take(EXAMPLES).map(|row| shown(row, labels)).collect())
    };
    let ((gained, gained_examples), (lost, lost_examples)) = (examples(1.0), examples(-1.0));
    let seeds = [first, other].map(|side| side.seeds.len());
    Flipped { rows: rows.len() as u64, gained, lost, gained_examples, lost_examples, seeds }
}

/// Of labels, 1 to 2 if only the side is right, by its confidence, and -1 to -2 if only the first is; of numbers how much smaller its squared
/// error is.
fn gain(first: &[&PredictionRecord], other: &[&PredictionRecord], task: Task, labels: usize) -> f64 {
    if task == Task::Regression {
        let mean = |of: &[&PredictionRecord]| of.iter().map(|p| error(task, p, labels)).sum::<f64>() / of.len() as f64;
        let gain = mean(first) - mean(other);
        return if gain.is_finite() { gain } else { 0.0 };
    }
    let share =
        |of: &[&PredictionRecord]| of.iter().filter(|p| p.label == p.predicted).count() as f64 / of.len().max(1) as f64;
    let sure = |p: &&PredictionRecord| p.confidence().filter(|sure| sure.is_finite()).map_or(0.0, f64::from);
    let confidence = other.iter().map(sure).sum::<f64>() / other.len().max(1) as f64;
    match (share(first), share(other)) {
        (first, other) if first < 0.5 && other > 0.5 => 1.0 + confidence,
        (first, other) if first > 0.5 && other < 0.5 => -1.0 - confidence,
        _ => 0.0,
    }
}

fn shown(row: &Row<'_>, labels: &[String]) -> Flip {
    let any = row.first[0];
    Flip {
        line: any.line,
        text: format::texts(&any.text, any.text_pair.as_deref()).into_owned(),
        target: any.label.shown(labels),
        first: most_frequent(&row.first).shown(labels),
        other: most_frequent(&row.other).shown(labels),
    }
}

/// What most seeds predict; the first of equals.
fn most_frequent<'a>(of: &[&'a PredictionRecord]) -> &'a Target {
    let times = |target: &Target| of.iter().filter(|p| p.predicted == *target).count();
    let mut best = &of[0].predicted;
    for p in &of[1..] {
        if times(&p.predicted) > times(best) {
            best = &p.predicted;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Probabilities;

    fn row(line: u64, label: u32, predicted: u32, sure: f32) -> PredictionRecord {
        PredictionRecord {
            row: line as u32 - 1,
            line,
            text: format!("row {line}"),
            text_pair: None,
            label: Target::Label(label),
            predicted: Target::Label(predicted),
            probabilities: Probabilities::from(if predicted == 0 {
                vec![sure, 1.0 - sure]
            } else {
                vec![1.0 - sure, sure]
            }),
        }
    }

    #[test]
    fn rows_that_one_alone_has_right_are_listed_the_surest_first() {
        let names = ["no", "yes"].map(String::from);
        let a = [row(1, 0, 1, 0.9), row(2, 0, 1, 0.6), row(3, 1, 1, 0.9), row(4, 1, 1, 0.9), row(5, 0, 1, 0.8)];
        let b = [row(1, 0, 0, 0.6), row(2, 0, 0, 0.9), row(3, 1, 0, 0.7), row(4, 1, 1, 0.9), row(5, 0, 1, 0.7)];
        let of =
            |rows: &[&[PredictionRecord]]| -> Vec<Vec<PredictionRecord>> { rows.iter().map(|r| r.to_vec()).collect() };
        let (a, b) = (of(&[&a]), of(&[&b]));
        let answers = |rows: &'static [Vec<PredictionRecord>]| Answers {
            seeds: rows.iter().map(|r| r.iter().collect()).collect(),
        };
        let [a, b] = [a, b].map(|rows| answers(Box::leak(rows.into_boxed_slice())));
        let got = flipped(&a, &b, Task::SingleLabel, &names);
        assert_eq!((got.rows, got.gained, got.lost), (5, 2, 1));
        let lines = |flips: &[Flip]| flips.iter().map(|flip| flip.line).collect::<Vec<_>>();
        assert_eq!((lines(&got.gained_examples), lines(&got.lost_examples)), (vec![2, 1], vec![3]));
        let first = &got.gained_examples[0];
        assert_eq!([&first.target, &first.first, &first.other], ["no", "yes", "no"]);
    }

    #[test]
    fn most_of_the_seeds_decide_and_a_tie_is_no_disagreement() {
        let right = row(1, 0, 0, 0.5);
        let wrong = row(1, 0, 1, 0.5);
        let of = |first: &[&PredictionRecord], other: &[&PredictionRecord]| gain(first, other, Task::SingleLabel, 2);
        assert!(of(&[&wrong, &wrong, &right], &[&right, &right, &wrong]) > 0.0);
        assert!(of(&[&right, &right, &wrong], &[&wrong]) < 0.0);
        assert_eq!(of(&[&right, &wrong], &[&right, &right]), 0.0);
        assert_eq!(most_frequent(&[&wrong, &right, &right]), &Target::Label(0));
        assert_eq!(most_frequent(&[&wrong, &right]), &Target::Label(1), "of a tie the first");
    }

    #[test]
    fn what_a_tie_of_seeds_means_is_said_where_there_can_be_one() {
        let flip = Flip { line: 1, text: "t".into(), target: "a".into(), first: "a".into(), other: "b".into() };
        let of = |seeds, lost_examples: &[Flip], task| {
            let lost_examples = lost_examples.to_vec();
            Flipped { rows: 9, gained: 0, lost: 1, gained_examples: Vec::new(), lost_examples, seeds }.of_seeds(task)
        };
        let one = [flip];
        assert_eq!(of([1, 1], &one, Task::SingleLabel), "");
        assert!(of([3, 3], &one, Task::SingleLabel).starts_with("the columns of the sides show what most"));
        let half = "a row that exactly half of the seeds of a side have right is in neither count";
        assert_eq!(of([3, 2], &[], Task::SingleLabel), half);
        assert!(of([2, 2], &one, Task::MultiLabel).starts_with(&format!("{half}; the columns")));
        assert!(!of([2, 2], &one, Task::Regression).contains("half"), "errors are averaged");
    }
}

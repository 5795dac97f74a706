//! The CSV tables with a line for each prediction.

use std::collections::{BTreeMap, HashSet};

use super::{
    analysis::Analysis,
    cells::{Table, Targets, label_name, text},
    input::{ReportInput, RunInput},
    mistakes::{confidence, mistakes_of},
    pictures::MOST_LABELS,
    with_decision::rows,
};
use crate::{
    metrics::{Probabilities, Target},
    store::PredictionRecord,
    task::Task,
};

/// With more than [`MOST_LABELS`] labels, this many probabilities are written for each row.
const MOST_RANKED: usize = 5;

/// The columns that depend on the runs of a table.
struct Columns<'a> {
    /// Names of the labels, in the order they first appear.
    labels: Vec<&'a str>,
    /// Names of the columns of numbers, likewise.
    numbers: Vec<&'a str>,
    /// Whether a run reads two texts.
    pairs: bool,
    /// Whether there are columns of what is predicted with the decision of a run.
    decided: bool,
}

impl<'a> Columns<'a> {
    fn of(runs: &[&'a RunInput]) -> Self {
        let named = |numbers: bool| {
            let mut seen = HashSet::new();
            let runs = runs.iter().filter(|run| predicts_numbers(run) == numbers);
            runs.flat_map(|run| &run.run.labels).map(String::as_str).filter(|name| seen.insert(*name)).collect()
        };
        Self {
            labels: named(false),
            numbers: named(true),
            pairs: runs.iter().any(|run| reads_two(run)),
            decided: runs.iter().any(|run| run.run.decided.is_some()),
        }
    }

    fn head(&self) -> impl Iterator<Item = String> {
        let fixed = ["run", "row", "file", "line", "label", "predicted", "right", "confidence"].map(String::from);
        let numbers = self.numbers.iter().flat_map(|name| [format!("true({name})"), format!("predicted({name})")]);
        let own = probability_head(&self.labels).into_iter().chain(numbers).collect::<Vec<_>>();
        let decided = ["predicted_with_decision", "right_with_decision"].map(String::from);
        let decided = decided.into_iter().filter(|_| self.decided);
        fixed.into_iter().chain(own).chain(decided).chain(text_head(self.pairs))
    }

    /// `decided`: what is predicted with the decision of the run, if that is known.
    fn record(
        &self,
        (run, targets): (&RunInput, Targets<'_>),
        p: &PredictionRecord,
        decided: Option<&Target>,
    ) -> Vec<String> {
        let numbers = predicts_numbers(run);
        let mut record = vec![
            text(&run.run.name),
            p.row.to_string(),
            text(&run.file_of_rows()),
            p.line.to_string(),
            targets.cell(&p.label),
            targets.cell(&p.predicted),
            if numbers { String::new() } else { (p.label == p.predicted).to_string() },
            if numbers { String::new() } else { confidence(p).to_string() },
        ];
        if self.labels.len() <= MOST_LABELS {
            record.extend(by_label(run, &self.labels, &p.probabilities));
        } else {
            let own = p.label.label().and_then(|label| p.probabilities.get(label));
            record.push(own.map(|p| p.to_string()).unwrap_or_default());
            let mut most = p.probabilities.most(MOST_RANKED).into_iter();
            for _ in 0..MOST_RANKED {
                match most.next() {
                    Some((id, p)) => record.extend([text(&label_name(run, id)), p.to_string()]),
                    None => record.extend([String::new(), String::new()]),
                }
            }
        }
        for name in &self.numbers {
            let column = run.run.labels.iter().position(|own| own == name).filter(|_| numbers);
            let cell = |numbers: &[f64]| {
                let value = column.and_then(|column| numbers.get(column)).filter(|value| value.is_finite());
                value.map(f64::to_string).unwrap_or_default()
            };
            record.extend([cell(p.label.numbers()), cell(p.predicted.numbers())]);
        }
        if self.decided {
            record.push(decided.map_or(String::new(), |target| targets.cell(target)));
            record.push(decided.map_or(String::new(), |target| (p.label == *target).to_string()));
        }
        record.extend(text_cells(&p.text, p.text_pair.as_deref(), self.pairs));
        record
    }
}

/// What is predicted of each stored row with the decision of the run; `None` of each where that is not known.
fn with_decision(run: &RunInput) -> Vec<Option<Target>> {
    match rows(run) {
        Some(rows) => rows.into_iter().map(|(target, _)| Some(target)).collect(),
        None => vec![None; run.predictions.len()],
    }
}

fn predicts_numbers(run: &RunInput) -> bool {
    run.run.config.data.task() == Task::Regression
}

/// Probabilities in the columns of all labels; empty for labels that the run does not have.
pub fn by_label(run: &RunInput, labels: &[&str], probabilities: &Probabilities) -> Vec<String> {
    let name = |id: u32| run.run.labels.get(id as usize).map(String::as_str);
    let own: BTreeMap<&str, f32> = probabilities.iter().filter_map(|(id, p)| Some((name(id)?, p))).collect();
    labels.iter().map(|l| own.get(l).map(f32::to_string).unwrap_or_default()).collect()
}

/// The columns between prediction and text: a probability for each label, or with many labels, those of the most probable
/// labels and of the row's own.
fn probability_head(labels: &[&str]) -> Vec<String> {
    if labels.len() <= MOST_LABELS {
        return labels.iter().map(|l| format!("p({l})")).collect();
    }
    let ranked = (1..=MOST_RANKED).flat_map(|rank| [format!("label_{rank}"), format!("p_{rank}")]);
    std::iter::once("p_of_label".to_string()).chain(ranked).collect()
}

/// Whether a run reads two texts.
pub fn reads_two(run: &RunInput) -> bool {
    run.run.config.data.text_pair_column.is_some()
}

/// The columns of the texts. There are two only where a run reads two.
pub fn text_head(pairs: bool) -> impl Iterator<Item = String> {
    ["text", "text_pair"].into_iter().take(1 + usize::from(pairs)).map(String::from)
}

/// Their cells.
pub fn text_cells<'a>(first: &'a str, pair: Option<&'a str>, pairs: bool) -> impl Iterator<Item = String> + use<'a> {
    [first, pair.unwrap_or_default()].into_iter().take(1 + usize::from(pairs)).map(text)
}

/// predictions.csv.
pub fn predictions(table: &mut Table, input: &ReportInput) -> csv::Result<()> {
    let columns = Columns::of(&input.runs.iter().collect::<Vec<_>>());
    table.write_record(columns.head())?;
    for run in &input.runs {
        let targets = Targets::of(run);
        for (p, decided) in run.predictions.iter().zip(with_decision(run)) {
            table.write_record(columns.record((run, targets), p, decided.as_ref()))?;
        }
    }
    Ok(())
}

/// out_of_fold.csv: the predictions of all folds together, row by row.
pub fn out_of_fold(table: &mut Table, input: &ReportInput, analysis: &Analysis) -> csv::Result<()> {
    let columns = Columns::of(&input.runs.iter().collect::<Vec<_>>());
    let head = ["trial", "seed", "fold"].map(String::from);
    table.write_record(head.into_iter().chain(columns.head()))?;
    let targets: Vec<Targets<'_>> = input.runs.iter().map(Targets::of).collect();
    for group in &analysis.groups {
        for set in &group.complete {
            let of = |i: usize| {
                let run = &input.runs[i];
                run.predictions.iter().zip(with_decision(run)).map(move |(p, decided)| (p.row, i, p, decided))
            };
            let mut rows: Vec<_> = set.iter().flat_map(|&i| of(i)).collect();
            rows.sort_by_key(|(row, ..)| *row);
            for (_, i, p, decided) in rows {
                let (run, config) = (&input.runs[i], &input.runs[i].run.config);
                let fold = config.data.fold.map(|fold| fold.number().to_string()).unwrap_or_default();
                let of_trial = [text(&group.name), config.train.seed.to_string(), fold];
                table.write_record(of_trial.into_iter().chain(columns.record(
                    (run, targets[i]),
                    p,
                    decided.as_ref(),
                )))?;
            }
        }
    }
    Ok(())
}

/// mistakes.csv.
pub fn mistakes(table: &mut Table, input: &ReportInput, analysis: &Analysis) -> csv::Result<()> {
    let shown = analysis.predicted_rows(&input.runs);
    // Its predictions are those that are shown already.
    let columns = Columns { decided: false, ..Columns::of(&shown.into_iter().collect::<Vec<_>>()) };
    table.write_record(columns.head())?;
    if let Some(run) = shown {
        let targets = Targets::of(run);
        for p in mistakes_of(run) {
            table.write_record(columns.record((run, targets), p, None))?;
        }
    }
    Ok(())
}

//! What a side predicts for each row.

use super::measured::MeasuredSide;
use crate::report::language::tr;
use crate::{
    event::Split,
    report::{
        fold_rows::complete,
        input::RunInput,
        same_rows::{are_same, by_row},
    },
    store::{PredictionRecord, RunRecord},
};

/// The stored predictions of a side.
pub struct Answers<'a> {
    /// One list for each seed: every row once, in the order of the rows. All lists have the same rows.
    pub seeds: Vec<Vec<&'a PredictionRecord>>,
}

/// Checks that what each run of a side predicts for the rows of this split is stored, or says why it is not.
pub fn are_stored(side: &MeasuredSide<'_>, split: Split) -> Result<(), &'static str> {
    if !side.is_final {
        return Err(tr("predictions are stored of completed runs alone", "只存储已完成运行的预测"));
    }
    if side.runs.iter().any(|(run, _)| run.predictions.is_empty() || run.run.measured_on() != split) {
        return Err(tr("the predictions of one of them are not stored", "其中一方没有存储预测"));
    }
    Ok(())
}

impl<'a> Answers<'a> {
    /// The predictions of a side, or why it has none.
    pub fn of(side: &MeasuredSide<'a>, split: Split) -> Result<Self, &'static str> {
        are_stored(side, split)?;
        let runs: Vec<&'a RunInput> = side.runs.iter().map(|(run, _)| *run).collect();
        let seeds: Vec<Vec<&RunInput>> = match side.side.folds() {
            None => runs.iter().map(|run| vec![*run]).collect(),
            Some(_) => {
                let records: Vec<&RunRecord> = runs.iter().map(|run| &run.run).collect();
                complete(&records).into_iter().map(|set| set.into_iter().map(|i| runs[i]).collect()).collect()
            }
        };
        let seeds: Vec<Vec<&PredictionRecord>> = seeds.iter().map(|runs| by_row(runs)).collect();
        match seeds.split_first() {
            None => Err(tr("the folds of one of them are not all completed", "其中一方的折没有全部完成")),
            Some((first, others)) if others.iter().any(|other| !are_same(first, other)) => Err(tr(
                "the runs of one of them were evaluated on different rows",
                "其中一方的各次运行在不同的行上评测",
            )),
            Some(_) => Ok(Self { seeds }),
        }
    }

    /// Whether two sides predict the same rows.
    pub fn are_of_same_rows(&self, other: &Self) -> bool {
        match (self.seeds.first(), other.seeds.first()) {
            (Some(a), Some(b)) => are_same(a, b),
            _ => false,
        }
    }

    /// What is predicted for each row, by each seed.
    pub fn by_row(&self) -> impl Iterator<Item = Vec<&'a PredictionRecord>> + '_ {
        let rows = self.seeds.first().map_or(0, Vec::len);
        (0..rows).map(|row| self.seeds.iter().map(|seed| seed[row]).collect())
    }
}

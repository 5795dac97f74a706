//! Which runs and trials the arguments name.

use anyhow::{Result, anyhow};
use taper::{
    event::Split,
    format::{command::with_runs, one_line, short},
    report::{Leaderboard, RunInput, Trial, compare::Side, leaderboard},
    store::{RunRecord, Store, StoreError},
};

use super::super::{
    Global, Unusable, common,
    named::{self, Named},
    output::Output,
};

/// The run or the trial that an argument names: `EXPERIMENT#RANK`, `EXPERIMENT#TRIAL`, a run as in `taper show`, an experiment or spec file with
/// one trial, or the name that exactly one trial has.
pub fn side(store: &Store, wanted: &str, global: &Global, out: &Output) -> Result<Side> {
    if let Some(Named { board, trial: found, by_rank }) = named::named(store, wanted)? {
        let side = trial(store, &board, &found)?;
        let chosen_by = if by_rank { chooses_by(&board) } else { side.chosen_by };
        return Ok(Side { chosen_by, ..side });
    }
    let unknown = match store.find_among(wanted) {
        Ok(_) => return run(store, named::find(store, wanted, global)?),
        // Its runs may be those of one trial.
        Err(error @ (StoreError::AmbiguousRun { .. } | StoreError::UnknownRun { .. })) => error,
        Err(error) => return Err(error.into()),
    };
    if let Some((board, only)) = named::only_trial(store, wanted)? {
        return trial(store, &board, &only);
    }
    if !matches!(unknown, StoreError::UnknownRun { .. }) {
        return Err(named::find(store, wanted, global).err().unwrap_or_else(|| unknown.into()));
    }
    by_name(store, wanted, out)?
        .map_or_else(|| Err(named::find(store, wanted, global).err().unwrap_or(unknown.into())), Ok)
}

/// A run, which may be the best one of several trials.
fn run(store: &Store, run: RunRecord) -> Result<Side> {
    let board = run.experiment.as_ref().filter(|_| run.in_plan).map(|experiment| leaderboard(store, experiment));
    let is_best = |board: &Leaderboard| board.trials.first().is_some_and(|t| t.best_run.as_ref() == Some(&run.key));
    let chosen_by = board.transpose()?.filter(is_best).and_then(|board| chooses_by(&board));
    let again = again(store, &run);
    Ok(Side { chosen_by, again, ..Side::of_run(RunInput::read(store, run)?) })
}

/// The command that trains the plan of a run again, in this store.
fn again(store: &Store, run: &RunRecord) -> String {
    with_runs(&common::run_again(store, run), store.folder())
}

/// The split whose rows rank the trials, if the plan has several.
fn chooses_by(board: &Leaderboard) -> Option<Split> {
    board.has_several().then_some(board.split)
}

/// The trial of this name, if exactly one experiment has one.
fn by_name(store: &Store, wanted: &str, out: &Output) -> Result<Option<Side>> {
    let mut found: Vec<(Leaderboard, Trial)> = Vec::new();
    for experiment in store.experiments()? {
        let board = leaderboard(store, &experiment.name)?;
        let named = board.trials.iter().find(|trial| trial.name == wanted && trial.planned() > 1).cloned();
        found.extend(named.map(|trial| (board, trial)));
    }
    match &found[..] {
        [] => Ok(None),
        [(board, one)] => Ok(Some(trial(store, board, one)?)),
        several => {
            let each = several.iter().map(|(board, trial)| format!("\n  {}", named::argument(board, trial)));
            let each: String = each.take(named::LISTED).collect();
            let command = out.command("taper compare …");
            Err(Unusable(anyhow!(
                "`{}` is a trial of {} experiments; name one of them in `{command}`:{each}",
                one_line(wanted),
                several.len()
            ))
            .into())
        }
    }
}

/// A trial with everything that is stored of its runs.
fn trial(store: &Store, board: &Leaderboard, trial: &Trial) -> Result<Side> {
    let records: Vec<RunRecord> = store.runs_of(&board.experiment)?;
    let runs = records.into_iter().filter(|run| trial.runs.contains(&run.key));
    let runs: Vec<RunInput> = runs.map(|run| RunInput::read(store, run)).collect::<Result<_, _>>()?;
    let Some(first) = runs.first() else {
        return Err(StoreError::NoRuns { experiment: board.experiment.clone() }.into());
    };
    let chosen_by = chooses_by(board).filter(|_| trial.rank == Some(1));
    let again = again(store, &first.run);
    if trial.planned() == 1 {
        return Ok(Side { chosen_by, again, ..Side::of_run(first.clone()) });
    }
    // A trial alone is called by what its runs differ in.
    let name = match board.trials.len() {
        1 => format!("{}, {}", board.experiment, trial.name),
        _ => trial.name.clone(),
    };
    let name = if name.is_empty() { short(&first.run.key).to_string() } else { name };
    Ok(Side {
        name,
        experiment: Some(board.experiment.clone()),
        is_trial: true,
        planned: trial.planned(),
        runs,
        chosen_by,
        again,
    })
}

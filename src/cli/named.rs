//! What run a text names, and what trial: `EXPERIMENT#RANK`, `EXPERIMENT#TRIAL`.

use anyhow::{Result, anyhow};
use taper::{
    format::{
        self,
        command::{shell_word, with_runs},
        one_line,
    },
    plan::closest,
    report::{Leaderboard, Trial, leaderboard},
    store::{RunRecord, Store, StoreError},
};

use super::{Global, Unusable, common, input};

/// Trials that a message lists.
pub const LISTED: usize = 5;

/// Separates an experiment from the rank or the name of its trial.
pub const MARK: char = '#';

/// A trial that a text names.
pub struct Named {
    /// The leaderboard that it is on.
    pub board: Leaderboard,
    /// The trial.
    pub trial: Trial,
    /// Whether it is named by its rank.
    pub by_rank: bool,
}

/// The run named by its key or the beginning of it, by its name, as the only run of an experiment, given by name or spec file, or as the best
/// run of a trial (`EXPERIMENT#RANK`). Where an experiment has several, the error names the best of them; where the text may mean others too, a
/// note says which it is.
pub fn find(store: &Store, wanted: &str, global: &Global) -> Result<RunRecord> {
    let (ambiguous, name) = match store.find_among(wanted) {
        Err(StoreError::UnknownRun { .. }) if common::is_file(wanted) => {
            let name = common::experiment(store, wanted)?;
            let runs = store.runs_of(&name)?;
            match &runs[..] {
                [run] => return Ok(run.clone()),
                runs => {
                    let keys = runs.iter().map(|run| run.key.clone()).collect();
                    (StoreError::ambiguous(wanted, keys, runs), name)
                }
            }
        }
        Err(error @ StoreError::AmbiguousRun { .. }) => (error, wanted.to_string()),
        Err(error @ StoreError::UnknownRun { .. }) => {
            return match best_run(store, wanted)? {
                Some((run, runs)) => {
                    if runs > 1 && !global.quiet {
                        let (key, name) = (format::short(&run.key), one_line(&run.name));
                        let wanted = one_line(wanted);
                        input::note(&format!(
                            "`{wanted}` has {runs} runs; this command uses the best of them, {key} ({name})"
                        ));
                    }
                    Ok(run)
                }
                None => Err(error.into()),
            };
        }
        found => {
            let (run, may_mean) = found?;
            if may_mean > 1 && !global.quiet {
                let (key, name) = (format::short(&run.key), one_line(&run.name));
                let wanted = one_line(wanted);
                input::note(&format!(
                    "`{wanted}` matches {may_mean} runs; this command uses {key} ({name}): give a key to choose another"
                ));
            }
            return Ok(run);
        }
    };
    let board = leaderboard(store, &name).ok();
    let ambiguous = match (ambiguous, &board) {
        (StoreError::AmbiguousRun { wanted, keys, .. }, Some(board)) => best_first(store, board, &name, &wanted, keys)?,
        (ambiguous, _) => ambiguous,
    };
    let best = board.as_ref().and_then(|board| board.trials.first().filter(|trial| trial.best_run.is_some()));
    Err(match (ambiguous, best) {
        // The text may also be the name of other runs than those of the experiment.
        (StoreError::AmbiguousRun { wanted, keys, candidates }, Some(best))
            if best.best_run.as_ref().is_some_and(|key| keys.contains(key)) =>
        {
            let best_trial =
                board.as_ref().map_or("the best trial".into(), |board| board.progress.best_trial_in_full());
            let which = match (best.out_of_fold.is_some(), best.best_run.as_deref().map(format::short)) {
                (false, Some(key)) if best.planned() > 1 => {
                    format!("the best run of {best_trial}: {key} ({})", best.name)
                }
                (false, Some(key)) => format!("{best_trial}: {key} ({})", best.name),
                // Its runs are measured on other rows each.
                (true, _) | (false, None) => format!("{best_trial}: {}", best.name),
            };
            let candidates = format!("{candidates}\n  {which}");
            StoreError::AmbiguousRun { wanted, keys, candidates }
        }
        (ambiguous, _) => ambiguous,
    }
    .into())
}

/// The error that `wanted` means each of these runs, the best one by the leaderboard first: only the first few are listed.
fn best_first(
    store: &Store,
    board: &Leaderboard,
    experiment: &str,
    wanted: &str,
    mut keys: Vec<String>,
) -> Result<StoreError> {
    let of_trial = |trial: &Trial| trial.best_run.iter().chain(&trial.runs).cloned().collect::<Vec<_>>();
    let order: Vec<String> = board.trials.iter().flat_map(of_trial).collect();
    keys.sort_by_key(|key| order.iter().position(|other| other == key).unwrap_or(usize::MAX));
    let planned = store.runs_of(experiment)?;
    let record = |key: &String| match planned.iter().find(|run| run.key == *key) {
        Some(run) => Ok(run.clone()),
        None => store.run(key),
    };
    let runs = keys.iter().map(record).collect::<Result<Vec<_>, _>>()?;
    Ok(StoreError::ambiguous(wanted, keys, &runs))
}

/// The trial that the text names; `None` if what is before the mark is no experiment, nor its spec file, and if the whole text is one.
///
/// # Errors
/// The experiment has no such trial.
pub fn named(store: &Store, wanted: &str) -> Result<Option<Named>> {
    // A name may have the mark in it, too.
    if wanted.contains(MARK) && common::is_there(store, wanted)? {
        return Ok(None);
    }
    let mut refused = None;
    for (at, _) in wanted.match_indices(MARK) {
        let (experiment, which) = (&wanted[..at], &wanted[at + MARK.len_utf8()..]);
        if common::is_there(store, experiment)? {
            let board = leaderboard(store, &common::experiment(store, experiment)?)?;
            match chosen(store, &board, which) {
                Ok((trial, by_rank)) => return Ok(Some(Named { board, trial, by_rank })),
                Err(error) => refused = Some(error),
            }
        }
    }
    refused.map_or(Ok(None), Err)
}

/// The only trial of an experiment that is given by its name or its spec file; `None` if the text is neither.
///
/// # Errors
/// The experiment has several trials, or none.
pub fn only_trial(store: &Store, wanted: &str) -> Result<Option<(Leaderboard, Trial)>> {
    if !common::is_there(store, wanted)? {
        return Ok(None);
    }
    let board = leaderboard(store, &common::experiment(store, wanted)?)?;
    match &board.trials[..] {
        [only] => Ok(Some((board.clone(), only.clone()))),
        trials => Err(several(&board, trials, wanted, store)),
    }
}

/// How a trial is named in a command.
pub fn argument(board: &Leaderboard, trial: &Trial) -> String {
    let which = trial.rank.map_or_else(|| trial.name.clone(), |rank| rank.to_string());
    shell_word(&format!("{}{}{which}", board.experiment, MARK)).into_owned()
}

/// The error that an experiment has several trials.
fn several(board: &Leaderboard, trials: &[Trial], wanted: &str, store: &Store) -> anyhow::Error {
    if trials.is_empty() {
        return StoreError::NoRuns { experiment: board.experiment.clone() }.into();
    }
    let each =
        trials.iter().take(LISTED).map(|trial| format!("\n  {}  {}", argument(board, trial), one_line(&trial.name)));
    let each: String = each.collect();
    let more = match trials.len().saturating_sub(LISTED) {
        0 => String::new(),
        n => format!(
            "\n  … and {n} more: {}",
            with_runs(&format!("taper list {} --leaderboard", shell_word(&board.experiment)), store.folder())
        ),
    };
    Unusable(anyhow!("`{}` has {} trials; name one of them:{each}{more}", one_line(wanted), trials.len())).into()
}

/// The best run of the trial that the text names, and how many runs the trial has; `None` if the text names no trial.
///
/// # Errors
/// The experiment has no such trial, or none of its runs is the best: none is completed, or they are measured on other rows each.
pub fn best_run(store: &Store, wanted: &str) -> Result<Option<(RunRecord, usize)>> {
    let Some(Named { board, trial, .. }) = named(store, wanted)? else { return Ok(None) };
    let runs = store.runs_of(&board.experiment)?;
    let of_key = |key: &String| runs.iter().find(|run| run.key == *key).cloned();
    if let [only] = &trial.runs[..]
        && let Some(run) = of_key(only)
    {
        return Ok(Some((run, 1)));
    }
    let why = match trial.out_of_fold.is_some() {
        true => {
            "its runs are folds, each of which is measured on different rows (`taper predict` and `taper eval` average all of them with --ensemble)"
        }
        false => "none of its runs is completed",
    };
    let best = trial.best_run.as_ref().filter(|_| trial.out_of_fold.is_none()).and_then(of_key);
    best.map(|run| Some((run, trial.runs.len()))).ok_or_else(|| {
        let list = with_runs(&format!("taper list {}", shell_word(&board.experiment)), store.folder());
        Unusable(anyhow!("`{}` has no best run: {why}; name one of its runs by its key (`{list}`)", one_line(wanted)))
            .into()
    })
}

/// The trial of a leaderboard with this rank or name, and whether it is the rank.
fn chosen(store: &Store, board: &Leaderboard, which: &str) -> Result<(Trial, bool)> {
    let by_rank = which.parse().ok().and_then(|rank| board.trials.iter().find(|trial| trial.rank == Some(rank)));
    let by_name = || board.trials.iter().find(|trial| trial.name == which);
    if let Some(found) = by_rank.or_else(by_name) {
        return Ok((found.clone(), by_rank.is_some()));
    }
    let experiment = one_line(&board.experiment);
    let ranks = board.trials.iter().filter_map(|trial| trial.rank).max();
    let others = without_rank(board);
    let what = match (which.parse::<usize>(), ranks) {
        (Ok(rank), Some(1)) => format!("`{experiment}` has no trial of rank {rank}: it has only rank 1{others}"),
        (Ok(rank), Some(ranks)) => {
            format!("`{experiment}` has no trial of rank {rank}: it has ranks 1 to {ranks}{others}")
        }
        (Ok(_), None) => format!("no trial of `{experiment}` has a rank yet, because none is completed: name a trial"),
        (Err(_), _) => {
            let nearest = closest(which, board.trials.iter().map(|trial| trial.name.as_str()));
            let meant = nearest.map_or(String::new(), |name| format!(", did you mean `{}`?", one_line(name)));
            format!("`{experiment}` has no trial `{}`{meant}", one_line(which))
        }
    };
    let list = with_runs(&format!("taper list {} --leaderboard", shell_word(&board.experiment)), store.folder());
    Err(Unusable(anyhow!("{what} (`{list}` shows its ranking)")).into())
}

/// The trials of a plan that have no rank, and why: `, and 2 trials have none (1 pruned, 1 failed)`.
fn without_rank(board: &Leaderboard) -> String {
    let states = board.trials.iter().filter(|trial| trial.rank.is_none()).map(|trial| trial.state);
    // Those whose runs were all removed have no state.
    let removed = board.planned - board.trials.len();
    let n = states.clone().count() + removed;
    let removed = (removed > 0).then(|| format!("{removed} removed"));
    let why: Vec<String> = Some(taper::store::RunState::counted(states))
        .filter(|counts| !counts.is_empty())
        .into_iter()
        .chain(removed)
        .collect();
    match n {
        0 => String::new(),
        n => format!(
            ", and {} {} none ({})",
            format::counted(n as u64, "trial"),
            format::by_number(n as u64, "has", "have"),
            why.join(", ")
        ),
    }
}

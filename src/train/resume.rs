//! What a run goes on from: the newest checkpoint that can be used with all that belongs to it.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use super::{
    Saved, State, TrainError,
    checkpoint::{of_another_run, peek_state, previous, read_best, read_state},
};
use crate::model::ModelError;

/// What a run goes on from.
#[derive(Default)]
pub struct Resumed {
    /// The state; none: the run begins at its beginning.
    pub saved: Option<Saved>,
    /// What the user should know: which file could not be used and what that means, one sentence each.
    pub notes: Vec<String>,
}

/// What has to be true of a state, beyond that it is whole.
#[derive(Clone, Copy)]
pub struct Claim<'a> {
    /// Key of the run: a state that names another is not used.
    pub run: &'a str,
    /// Whether everything up to the state is stored; if not, what is missing. The second argument tells whether the state
    /// names its run.
    ///
    /// A state without its log must not be used: the steps before it would be missing from the run for ever.
    pub is_logged: &'a dyn Fn(&State, bool) -> Result<(), String>,
}

/// The step of the newest state of a run that is at most `logged`, the number of steps that are stored; from headers alone.
/// None where there is no such state with a sound header.
pub fn resume_step(state: &Path, logged: u64) -> Option<u64> {
    let peek = |path: &Path| peek_state(path).ok().map(|(_, state)| state.step).filter(|step| *step <= logged);
    peek(state).or_else(|| peek(&previous(state)))
}

/// Reads the newest state at `state` that is whole, that the claim holds for, and with which training can end as it would have:
/// the one before it where the newer cannot be used, none where neither can. Files that cannot be used are removed, so that
/// they never replace one that can.
///
/// `best` is where the weights of the best evaluation lie, for a run that keeps those. They may be of a later step than the
/// state: the steps up to there are made again, and the evaluation with them. They may not be damaged or of another step,
/// unless a later evaluation is known to be better: an older state helps only if it lies before that one.
///
/// # Errors
/// Where a file is there and the system does not let it be opened or removed.
pub fn resume(state: &Path, best: Option<&Path>, claim: Claim) -> Result<Resumed, TrainError> {
    let mut problems = Vec::new();
    let mut unusable = Vec::new();
    // The step of the best evaluation that a newer state knows of.
    let mut known_best = 0;
    for path in [state.to_path_buf(), previous(state)] {
        let Some(read) = if_there(&path, || read_state(&path))? else { continue };
        let fits = read.and_then(|saved| {
            claim.check(&path, &saved)?;
            if let Some(best) = best.filter(|_| saved.state.best.score.is_some()) {
                fit_together(&saved.state, best, claim.run, known_best)?;
            }
            Ok(saved)
        });
        match fits {
            Ok(saved) => {
                remove(&unusable)?;
                let step = saved.state.step;
                let note =
                    |problems| format!("the run resumes from the previous checkpoint, of step {step}: {problems}");
                return Ok(Resumed { saved: Some(saved), notes: told(&problems).map(note).into_iter().collect() });
            }
            Err(e) => {
                let own = |(run, state): (Option<String>, State)| {
                    run.is_none_or(|run| run == claim.run).then_some(state.best.step)
                };
                known_best = known_best.max(peek_state(&path).ok().and_then(own).unwrap_or(0));
                problems.push(e.to_string());
                unusable.push(path);
            }
        }
    }
    remove(&unusable)?;
    // Nothing is lost but time: the run gives the same numbers again.
    let note = |problems| format!("the checkpoint cannot be used, the run begins again: {problems}");
    Ok(Resumed { saved: None, notes: told(&problems).map(note).into_iter().collect() })
}

impl Claim<'_> {
    /// Whether it holds for a state.
    fn check(&self, path: &Path, saved: &Saved) -> Result<(), TrainError> {
        let unfit = |message: String| TrainError::State { path: path.into(), message };
        if let Some(other) = saved.run.as_deref().filter(|run| *run != self.run) {
            return Err(unfit(of_another_run(other)));
        }
        (self.is_logged)(&saved.state, saved.run.is_some()).map_err(unfit)
    }
}

/// None for a file that is not there; an error for one that the system does not let be opened.
fn if_there<T>(
    path: &Path,
    read: impl FnOnce() -> Result<T, TrainError>,
) -> Result<Option<Result<T, TrainError>>, TrainError> {
    // A pipe that bears the name would be waited for.
    if path.metadata().is_ok_and(|facts| !facts.is_file()) {
        let message = "it is not a plain file: remove it".into();
        return Err(TrainError::State { path: path.into(), message });
    }
    match read() {
        Err(TrainError::Model(ModelError::Io { error, .. })) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(e @ TrainError::Model(ModelError::Io { .. })) => Err(e),
        read => Ok(Some(read)),
    }
}

/// Whether a run that goes on from `state` will have the weights of its best evaluation. `known_best` is the step of an
/// evaluation that is known to be the best so far.
fn fit_together(state: &State, best: &Path, run: &str, known_best: u64) -> Result<(), TrainError> {
    let will_be_made = |step: u64| step > state.evaluated_at;
    if will_be_made(known_best) {
        return Ok(());
    }
    let unfit = |message: String| TrainError::State { path: best.into(), message };
    let missing = || unfit("not there, though an evaluation was the best so far".into());
    let (step, _) = if_there(best, || read_best(best, run))?.ok_or_else(missing)??;
    if step == state.best.step || will_be_made(step) {
        return Ok(());
    }
    Err(unfit(format!("holds the weights of step {step}, not those of step {}, which were the best", state.best.step)))
}

fn told(problems: &[String]) -> Option<String> {
    (!problems.is_empty()).then(|| problems.join("; "))
}

fn remove(files: &[PathBuf]) -> Result<(), TrainError> {
    for path in files {
        match fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(ModelError::Io { path: path.clone(), error }.into());
            }
            _ => {}
        }
    }
    Ok(())
}

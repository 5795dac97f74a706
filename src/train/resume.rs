//! Finds the checkpoint that a run resumes from: the newest one that is usable together with its best weights and its log.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use super::{
    Checkpoint, TrainError, TrainState,
    checkpoint::{of_another_run, peek_state, previous, read_best, read_state},
};
use crate::model::ModelError;

/// What a run resumes from.
#[derive(Default)]
pub struct Resumed {
    /// The checkpoint; `None` if the run begins at step 0.
    pub saved: Option<Checkpoint>,
    /// Messages for the user, one sentence each: which file could not be used and what follows.
    pub notes: Vec<String>,
}

/// Conditions that a complete state has to meet before a run resumes from it.
#[derive(Clone, Copy)]
pub struct ResumeCheck<'a> {
    /// Key of the run: a state with another key is not used.
    pub run: &'a str,
    /// Returns what the database lacks of the measurements before the state, as an error. The second argument is whether the state names
    /// its run.
    ///
    /// A run that resumed from a state without its log would lack the steps before it for ever.
    pub is_logged: &'a dyn Fn(&TrainState, bool) -> Result<(), String>,
}

/// The step of the newest state whose step is at most `logged`, the number of stored steps. Reads headers only; `None` if there is no
/// such state with an intact header.
pub fn resume_step(state: &Path, logged: u64) -> Option<u64> {
    let peek = |path: &Path| peek_state(path).ok().map(|(_, state)| state.step).filter(|step| *step <= logged);
    peek(state).or_else(|| peek(&previous(state)))
}

/// Reads the newest state at `state` that is complete, meets `check` and fits the best weights: the previous one if the newest cannot be
/// used, none if neither can. Unusable files are removed, so that they never replace a usable one.
///
/// `best` is the path of the weights of the best evaluation, for a run that keeps those. They can be of a later step than the state: the
/// run then repeats the steps up to there, and the evaluation. Otherwise they must be intact and of the state's best step, unless a newer
/// state knows of a better evaluation: then an older state is usable only if it is from before that evaluation.
///
/// # Errors
/// If a file exists and the system refuses to open or remove it.
pub fn resume(state: &Path, best: Option<&Path>, check: ResumeCheck) -> Result<Resumed, TrainError> {
    let mut problems = Vec::new();
    let mut unusable = Vec::new();
    // The step of the best evaluation according to a newer state.
    let mut known_best = 0;
    for path in [state.to_path_buf(), previous(state)] {
        let Some(read) = if_exists(&path, || read_state(&path))? else { continue };
        let fits = read.and_then(|saved| {
            check.allows(&path, &saved)?;
            if let Some(best) = best.filter(|_| saved.state.best.score.is_some()) {
                check_best(&saved.state, best, check.run, known_best)?;
            }
            Ok(saved)
        });
        match fits {
            Ok(saved) => {
                remove(&unusable)?;
                let step = saved.state.step;
                let note =
                    |problems| format!("the run resumes from the previous checkpoint, of step {step}: {problems}");
                return Ok(Resumed { saved: Some(saved), notes: joined(&problems).map(note).into_iter().collect() });
            }
            Err(e) => {
                let own = |(run, state): (Option<String>, TrainState)| {
                    run.is_none_or(|run| run == check.run).then_some(state.best.step)
                };
                known_best = known_best.max(peek_state(&path).ok().and_then(own).unwrap_or(0));
                problems.push(e.to_string());
                unusable.push(path);
            }
        }
    }
    remove(&unusable)?;
    // Only time is lost: the run gives the same numbers again.
    let note = |problems| format!("the checkpoint cannot be used, so the run begins again: {problems}");
    Ok(Resumed { saved: None, notes: joined(&problems).map(note).into_iter().collect() })
}

impl ResumeCheck<'_> {
    /// Whether a run can resume from a state.
    fn allows(&self, path: &Path, saved: &Checkpoint) -> Result<(), TrainError> {
        let unfit = |message: String| TrainError::State { path: path.into(), message };
        if let Some(other) = saved.run.as_deref().filter(|run| *run != self.run) {
            return Err(unfit(of_another_run(other)));
        }
        (self.is_logged)(&saved.state, saved.run.is_some()).map_err(unfit)
    }
}

/// `None` if the file does not exist; an error if the system refuses to open it.
fn if_exists<T>(
    path: &Path,
    read: impl FnOnce() -> Result<T, TrainError>,
) -> Result<Option<Result<T, TrainError>>, TrainError> {
    // Opening a pipe of this name would block.
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

/// Whether a run that resumes from `state` will have the weights of its best evaluation. `known_best` is the step of the best evaluation
/// according to a newer state.
fn check_best(state: &TrainState, best: &Path, run: &str, known_best: u64) -> Result<(), TrainError> {
    let will_be_repeated = |step: u64| step > state.evaluated_at;
    if will_be_repeated(known_best) {
        return Ok(());
    }
    let unfit = |message: String| TrainError::State { path: best.into(), message };
    let missing = || unfit("missing, although the run had a best evaluation".into());
    let (step, _) = if_exists(best, || read_best(best, run))?.ok_or_else(missing)??;
    if step == state.best.step || will_be_repeated(step) {
        return Ok(());
    }
    Err(unfit(format!("holds the weights of step {step}, not those of step {}, which were the best", state.best.step)))
}

fn joined(problems: &[String]) -> Option<String> {
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

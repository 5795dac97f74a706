//! `taper verify`

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use anyhow::Result;
use clap::Args;
use serde::Serialize;
use taper::{
    execute::{ExecuteError, Verification, Verifier},
    format,
    observe::{Listener, Progress},
    store::RunRecord,
    train::TrainError,
};

use super::{
    Global, Unusable, common, named,
    output::{self, Output},
};

/// Retrain a run from its stored spec and compare the results. Stores nothing.
#[derive(Args)]
#[command(after_help = "Exit codes: 0 the results match; 1 they differ; 2 the run cannot be verified.\n\n\
    Examples:\n  taper verify 3f2a\n  taper verify 3f2a --steps 100")]
pub struct Verify {
    /// Run: its key, a prefix of its key, its name, an experiment or spec file that has only one run, or EXPERIMENT#RANK (or
    /// EXPERIMENT#TRIAL) for the best run of a trial.
    run: String,
    /// Train and compare only the first N steps.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    steps: Option<u64>,
}

/// The result and its run.
#[derive(Serialize)]
struct Whole<'a> {
    run: &'a str,
    name: &'a str,
    #[serde(flatten)]
    result: &'a Verification,
}

impl Verify {
    /// Trains the run again and reports whether the result is the same.
    pub fn execute(&self, global: &Global, out: &mut Output) -> Result<ExitCode> {
        let store = common::open_existing(global)?;
        let record = named::find(&store, &self.run, global)?;
        let ending = Ending::default();
        catch_signals(ending.clone())?;
        let mut progress = Progress::stderr(global.quiet || out.json);
        let mut verifier = Verifier {
            runs: &global.runs,
            device: global.device,
            steps: self.steps,
            offline: global.offline,
            listener: &mut progress,
            stop: &common::stop_requested,
            created: &|folder| ending.created(folder),
        };
        let result = verifier.verify(&store, &record);
        progress.finish()?;
        let was_stopped = !ending.finish();
        let result = match result {
            Err(ExecuteError::Train(TrainError::StopRequested)) => return Ok(ExitCode::from(130)),
            // What was said of the stop stays true.
            Ok(_) if was_stopped => return Ok(ExitCode::from(130)),
            result => result.map_err(|e| Unusable(e.into()))?,
        };
        match out.json {
            true => out.document(&Whole { run: &record.key, name: &record.name, result: &result })?,
            false => print(&record, &result, out)?,
        }
        Ok(ExitCode::from(u8::from(!result.equal)))
    }
}

fn print(record: &RunRecord, result: &Verification, out: &mut Output) -> Result<()> {
    let name = format!("{}  {}", format::short(&record.key), record.name);
    for note in &result.notes {
        out.wrapped(&format!("note: {note}"))?;
    }
    if let Some(d) = &result.difference {
        out.line(format!("{name}: differs at {}", d.at))?;
        return out.rows(
            [("stored", &d.stored), ("now", &d.now)]
                .map(|(when, value)| vec![format!("  {} {when}", d.what), value.clone()]),
        );
    }
    let mut compared = vec![format!("{} (loss, gradient norm, learning rate)", format::counted(result.steps, "step"))];
    if let Some(tolerance) = result.tolerance {
        compared[0] = format!("{} (loss within {}%)", format::counted(result.steps, "step"), tolerance * 100.0);
    }
    for (n, what) in [(result.evaluations, "evaluation"), (result.predictions, "prediction")] {
        if n > 0 {
            compared.push(format::counted(n, what));
        }
    }
    if result.weights {
        compared.push("the kept weights".into());
    }
    if result.model {
        let weights = if result.weights { "" } else { " (undamaged; not compared with what training gives)" };
        compared.push(format!("the files of the kept model{weights}"));
    }
    let how = if result.tolerance.is_some() { "the same within the tolerance" } else { "the same, bit for bit" };
    out.wrapped(&format!("{name}: {how}: {}", compared.join(", ")))
}

/// The time within which a step usually ends after Ctrl-C.
const A_STEP: Duration = Duration::from_secs(1);

/// Whether the user or the result ends a verification: the first of them, and not both.
#[derive(Clone, Default)]
struct Ending(Arc<Mutex<Progressed>>);

#[derive(Default)]
struct Progressed {
    /// The folder of temporary files, once it belongs to this command.
    folder: Option<PathBuf>,
    finished: bool,
    stopped: bool,
}

impl Ending {
    fn state(&self) -> MutexGuard<'_, Progressed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The folder was created by this command: before, it may be that of another one.
    fn created(&self, folder: &Path) {
        self.state().folder = Some(folder.to_path_buf());
    }

    /// Returns whether the result counts: the user has not stopped the command before.
    fn finish(&self) -> bool {
        let mut state = self.state();
        // The verification has removed it, and it may be that of another command from now on.
        state.folder = None;
        state.finished = true;
        !state.stopped
    }

    /// Returns whether there was something to stop; `say` is called if so, before the result can count.
    fn stop(&self, say: impl FnOnce()) -> bool {
        let mut state = self.state();
        if !state.finished {
            state.stopped = true;
            say();
        }
        state.stopped
    }

    /// Removes the folder, if there is one of this command.
    fn clean(&self) {
        if let Some(folder) = self.state().folder.take() {
            let _ = fs::remove_dir_all(folder);
        }
    }
}

/// Ctrl-C ends the verification without leaving files: after the present step or, while it takes long or rows are read, in its middle.
fn catch_signals(ending: Ending) -> Result<()> {
    Ok(super::stop::on_signal(move || {
        let again = common::request_stop();
        if ending.stop(|| output::error("\nstopped: the run is not verified")) {
            thread::sleep(A_STEP);
            ending.clean();
        } else if !again {
            // The result is being printed.
            return;
        }
        std::process::exit(130);
    })?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_removes_only_the_folder_of_this_command() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("verify-3f2a");
        fs::create_dir(&path).unwrap();
        let ending = Ending::default();
        assert!(ending.stop(|| {}));
        ending.clean();
        assert!(path.exists(), "it belongs to another command");
        ending.created(&path);
        ending.clean();
        assert!(!path.exists());
    }

    #[test]
    fn a_verification_is_either_stopped_or_finished() {
        let said = std::cell::Cell::new(0);
        let stop = |ending: &Ending| ending.stop(|| said.set(said.get() + 1));
        let ending = Ending::default();
        assert!(ending.finish());
        assert!(!stop(&ending), "the result is there");
        assert_eq!(said.get(), 0);
        let ending = Ending::default();
        assert!(stop(&ending));
        assert!(!ending.finish(), "it was said that the run is not verified");
        assert_eq!(said.get(), 1);
    }
}

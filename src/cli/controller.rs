//! Submits a job that runs `taper run --executor slurm`: for sweeps in which what is trained depends on the results of other runs.

use std::{env, fs, path, process::ExitCode};

use anyhow::{Result, anyhow};
use serde_json::json;
use taper::{
    cluster::{ClusterError, Script, Slurm, SlurmSettings, quoted},
    execute::{DeviceChoice, SubmissionFolder},
    experiment::{Experiment, controllers},
    format::{self, command::shell_word},
    store::{Store, SubmissionRecord, unix_time},
};

use super::{Global, Unusable, common::SpecArgs, output::Output, slurm};

/// A command that submits the runs of a sweep as their results ask for it.
pub struct Controller<'a> {
    /// The spec, with all that overrides it.
    pub spec: &'a SpecArgs,
    /// What the jobs ask for.
    pub settings: &'a SlurmSettings,
    /// `--retries`.
    pub retries: u32,
    /// `--retry`.
    pub retry: bool,
    /// Why it is needed.
    pub why: &'static str,
    /// The experiment.
    pub name: &'a str,
}

impl Controller<'_> {
    /// The command of the job, in shell.
    fn command(&self, global: &Global) -> Result<String> {
        let text = |path: &path::Path| -> Result<String> {
            Ok(path.to_str().ok_or_else(|| Unusable(anyhow!("{path:?} is not UTF-8")))?.to_string())
        };
        let mut words = vec![text(&env::current_exe()?)?, "run".into(), text(&self.spec.spec)?];
        let mut option = |name: &str, value: String| words.extend([name.into(), value]);
        self.spec.sets.iter().for_each(|set| option("--set", set.clone()));
        self.spec.engine.iter().for_each(|engine| option("--engine", engine.clone()));
        self.spec.profile.iter().for_each(|profile| option("--profile", profile.clone()));
        option("--executor", "slurm".into());
        option("--retries", self.retries.to_string());
        option("--runs", text(&path::absolute(&global.runs)?)?);
        if global.device != DeviceChoice::Auto {
            option("--device", global.device.to_string());
        }
        global.threads.iter().for_each(|threads| option("--threads", threads.to_string()));
        words.extend(global.offline.then(|| "--offline".into()));
        let words = words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
        // A job that is requeued must not train anew what this sweep itself has pruned or given up.
        let once = if self.retry { r#" $([ "${SLURM_RESTART_COUNT:-0}" -eq 0 ] && echo --retry)"# } else { "" };
        Ok(words + once)
    }

    /// The script of the job.
    pub fn script(&self, folder: &SubmissionFolder, global: &Global) -> Result<String> {
        let (logs, here) = (path::absolute(folder.logs())?, env::current_dir()?);
        let (settings, command) = (self.settings.without_resources(), self.command(global)?);
        let script = Script { settings: &settings, logs: &logs, folder: &here, command: &command };
        Ok(script.single().map_err(|e| Unusable(e.into()))?)
    }

    /// Shows what would be submitted.
    pub fn dry_run(&self, global: &Global, out: &mut Output) -> Result<ExitCode> {
        let text = self.script(&SubmissionFolder::next(&global.runs)?, global)?;
        if out.json {
            out.document(&json!({ "jobs": 1, "controller": true, "script": text }))?;
            return Ok(ExitCode::SUCCESS);
        }
        out.wrapped(&format!("would submit 1 job, which submits the jobs of the runs, because {}:", self.why))?;
        text.lines().try_for_each(|line| out.line(line))?;
        Ok(ExitCode::SUCCESS)
    }

    /// Submits it, unless there is one that waits or runs. The caller holds the lock of `taper submit`.
    pub fn submit(
        &self,
        cluster: &Slurm,
        experiment: &mut Experiment,
        global: &Global,
        out: &mut Output,
    ) -> Result<ExitCode> {
        let mut store = experiment.register()?;
        let mut submissions = store.submissions()?;
        let known = submissions.last().map_or(0, |last| last.number);
        submissions.retain(|submission| submission.experiment == self.name);
        let present = controllers(|| Ok(cluster.clone()), &global.runs, submissions).map_err(|e| Unusable(e.into()))?;
        if let Some(present) = present.first() {
            let said = format!("job {} submits its runs, and is {}", present.id, present.cluster.described());
            match out.json {
                true => out.document(&json!({ "submission": null, "controller": present.id.array, "jobs": 0 }))?,
                false => out.wrapped(&format!("nothing to submit: {said}"))?,
            }
            return Ok(ExitCode::SUCCESS);
        }
        let (number, folder) = SubmissionFolder::create(&global.runs, known + 1)?;
        let script = folder.path().join("script.sh");
        fs::write(&script, self.script(&folder, global)?)?;
        let command = slurm::command_line();
        let record = SubmissionRecord { number, experiment: self.name.into(), command, created_at: unix_time() };
        store.add_submission(&record, &[])?;
        let id = match cluster.submit(&script, None, self.name) {
            Ok(id) => id,
            Err(e) => {
                let is_refused = !e.may_be_done();
                let error = refused(e, &mut store, &folder, number);
                if is_refused {
                    experiment.take_back()?;
                }
                return Err(error);
            }
        };
        folder.set_controller(id, unix_time())?;
        let log = folder.logs().join(format!("{id}.out"));
        if out.json {
            let (folder, controller) = (folder.path(), id);
            out.document(
                &json!({ "submission": number, "folder": folder, "controller": controller, "jobs": 1, "log": log }),
            )?;
            return Ok(ExitCode::SUCCESS);
        }
        out.wrapped(&format!(
            "submitted job {id}, which submits the runs of {}, because {}; its output: {}",
            format::one_line(self.name),
            self.why,
            log.display()
        ))?;
        let list = out.command(&format!("taper list {}", shell_word(self.name)));
        out.wrapped(&format!("next: `{list}` shows the runs and their jobs"))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// What is said of a job that was not accepted, or has no answer.
fn refused(error: ClusterError, store: &mut Store, folder: &SubmissionFolder, number: u64) -> anyhow::Error {
    if error.may_be_done() {
        return anyhow!(
            "{error}; the job may have been accepted all the same: look with `squeue --me`, and `scancel` what is there \
             before you submit again"
        );
    }
    let removed = store.remove_submission(number).map_err(anyhow::Error::from);
    match removed.and_then(|()| Ok(folder.remove_unless_used()?)) {
        Ok(()) => Unusable(error.into()).into(),
        Err(e) => e,
    }
}

//! `taper submit`

use std::{collections::HashSet, fs, ops::Range, process::ExitCode};

use anyhow::{Result, anyhow};
use clap::Args;
use serde_json::json;
use taper::{
    cluster::{ClusterError, ElementId, Slurm, SlurmSettings},
    execute::{self, DeviceChoice, SubmissionFolder, SubmitOptions, Submitted},
    experiment::{Job, Planner, Skipped, jobs},
    format::{self, command::shell_word},
    store::{RunLock, Store, is_locked, unix_time},
};

use super::{
    Global, Unusable, common,
    common::SpecArgs,
    controller::Controller,
    costs::Costs,
    earlier_plan::replaced_warning,
    failure::sentence,
    output::{self, Output},
    slurm, stop,
};

/// Submit the runs of a spec that are not completed yet to a Slurm cluster, one job for each, and return at once.
#[derive(Args)]
#[command(after_help = "The options for Slurm override [slurm] in the spec.\n\nExamples:\n  \
    taper submit experiments/sweep.toml --partition gpu --gres gpu:1 --time 4:00:00 --dry-run\n  \
    taper submit experiments/sweep.toml --set 'slurm.setup=[\"module load cuda\"]' --max-parallel 8")]
pub struct Submit {
    #[command(flatten)]
    spec: SpecArgs,
    /// Partition. Same as --set slurm.partition=…; the options below, up to --runs-per-job, set other keys of [slurm] in the same way.
    #[arg(long, value_name = "NAME")]
    partition: Option<String>,
    /// Generic resources (GRES) of a job, such as gpu:1.
    #[arg(long, value_name = "LIST")]
    gres: Option<String>,
    /// The time limit of a job, such as 4:00:00. A run that reaches it continues in its next job.
    #[arg(long, value_name = "TIME")]
    time: Option<String>,
    /// CPUs per job; also the number of threads of its run.
    #[arg(long, value_name = "N")]
    cpus_per_task: Option<u32>,
    /// Memory per job, such as 8G.
    #[arg(long, value_name = "SIZE")]
    mem: Option<String>,
    /// Maximum number of jobs of an array that run at the same time.
    #[arg(long, value_name = "N")]
    max_parallel: Option<u32>,
    /// Number of runs that each job trains, one after another; for short runs.
    #[arg(long, value_name = "N")]
    runs_per_job: Option<u32>,
    /// How many times to restart a run whose process died.
    #[arg(long, value_name = "N", default_value_t = 2)]
    retries: u32,
    /// Train diverged and pruned runs again.
    #[arg(long)]
    retry: bool,
    /// Show the job script without submitting anything.
    #[arg(long)]
    dry_run: bool,
}

impl Submit {
    /// Submits.
    pub fn execute(&self, global: &Global, out: &mut Output) -> Result<ExitCode> {
        let slurm = Slurm::find();
        if !self.dry_run {
            slurm.clone().map_err(|e| Unusable(e.into()))?;
        }
        let spec = SpecArgs { sets: self.spec.sets.iter().cloned().chain(self.sets()).collect(), ..self.spec.clone() };
        // What the machine here can do is not what a node can.
        let devices = if global.device == DeviceChoice::Auto { Vec::new() } else { vec![global.device] };
        let mut experiment = spec.open(global, devices, "stopped: nothing was submitted")?;
        let mut existing = match Store::is_there(&global.runs) {
            true => Some(common::open_existing(global)?),
            false => None,
        };
        let bench = experiment.workbench()?;
        let planner = experiment.plan_with(existing.as_ref(), bench)?;
        let settings = planner.spec.spec().slurm.clone();
        let name = planner.spec.spec().name.clone();
        let (retries, retry) = (self.retries, self.retry);
        let controller = decides(planner).map(|why| Controller {
            spec: &spec,
            settings: &settings,
            retries,
            retry,
            why,
            name: &name,
        });
        let replaced = match &existing {
            Some(store) => replaced_warning(store, &name, &planner.runs, self.dry_run)?,
            None => None,
        };
        let too_little = Costs::on(global.device).too_little(&settings, &planner.runs)?;
        if !out.json {
            planner.warning_lines().iter().try_for_each(|line| out.wrapped(line))?;
        }
        // With --json, too: the document says what is submitted.
        for warning in replaced.into_iter().chain(too_little) {
            let line = format!("warning: {}", format::one_line(&warning.message));
            match out.json {
                true => output::error(&line),
                false => out.wrapped(&line)?,
            }
        }
        if self.dry_run {
            let todo = self.todo(planner, existing.as_mut(), &slurm, global)?;
            return match controller {
                _ if planner.to_come() == 0 && todo.is_empty() => nothing_left(planner.runs.len(), out),
                Some(controller) => controller.dry_run(global, out),
                None => dry_run(planner, &todo, &settings, global, out),
            };
        }
        let slurm = slurm.map_err(|e| Unusable(e.into()))?;
        // While nothing is written.
        script(&settings, &SubmissionFolder::next(&global.runs)?, global)?;
        let lock = RunLock::acquire(&global.runs, SUBMITTING).map_err(|e| Unusable(e.into()))?;
        let Some(_lock) = lock else {
            let why = "another `taper submit` is running in this runs folder: try again when it has ended";
            return Err(Unusable(anyhow!(why)).into());
        };
        if let Some(controller) = controller {
            stop_after_answer()?;
            return controller.submit(&slurm, &mut experiment, global, out);
        }
        // Opened again: another command may have submitted since.
        let waiting = match Store::is_there(&global.runs) {
            true => underway(&Ok(slurm.clone()), &common::open_existing(global)?)?,
            false => HashSet::new(),
        };
        let command = slurm::command_line();
        let options = SubmitOptions {
            runs: &global.runs,
            underway: &waiting,
            retry: self.retry,
            retries: self.retries,
            requeues: settings.requeues,
            runs_per_element: settings.runs_per_job as usize,
            command: &command,
        };
        let (submitted, left_out) = experiment.write_jobs(&options)?;
        let mut accepted = Vec::new();
        let mut halt = None;
        if let Some(submitted) = &submitted {
            let mut store = Store::open(&global.runs).map_err(|e| Unusable(e.into()))?;
            let submission = Submission { slurm: &slurm, settings: &settings, submitted, name: &name, global };
            stop_after_answer()?;
            let may_be_there;
            (halt, may_be_there) = submission.submit(&mut store, &mut accepted)?;
            if accepted.is_empty() && !may_be_there {
                experiment.take_back()?;
            }
        }
        let jobs_of = |array: &(u64, Range<u64>)| array.1.end - array.1.start;
        let jobs: u64 = accepted.iter().map(jobs_of).sum();
        match out.json {
            true => out.document(&json!({
                "submission": submitted.as_ref().filter(|_| jobs > 0).map(|submitted| submitted.number),
                "folder": submitted.as_ref().filter(|_| jobs > 0).map(|submitted| submitted.folder.path()),
                "arrays": accepted.iter().map(|(id, elements)| json!({
                    "job": id, "first_element": elements.start, "elements": elements.end - elements.start,
                })).collect::<Vec<_>>(),
                "jobs": jobs,
                "runs": submitted.iter().flat_map(|s| s.elements.iter().take(jobs as usize)).flatten().collect::<Vec<_>>(),
                "left_out": left_out.iter().map(|skipped| json!({ "run": skipped.key, "why": skipped.why })).collect::<Vec<_>>(),
            }))?,
            false => {
                say_left_out(&left_out, out)?;
                if let Some(submitted) = submitted.as_ref().filter(|_| jobs > 0) {
                    say_submitted(submitted, &accepted, (&name, jobs), out)?;
                } else if halt.is_none() {
                    out.line("nothing to submit: all runs are done or under way")?;
                }
            }
        }
        let Some(halt) = halt else { return Ok(ExitCode::SUCCESS) };
        match (&halt, jobs) {
            (Halt::Signal, 0) => output::error("stopped: nothing was submitted"),
            (Halt::Failed(why), 0) => return Err(Unusable(anyhow!("{why}")).into()),
            _ => {
                let ids: Vec<String> = accepted.iter().map(|(id, _)| id.to_string()).collect();
                let (jobs, arrays) =
                    (format::counted(jobs, "job"), format::by_number(ids.len() as u64, "array", "arrays"));
                let why = match &halt {
                    Halt::Signal => "stopped".into(),
                    Halt::Failed(why) => format!("error: {why}"),
                };
                output::error(&format!(
                    "{why}; Slurm accepted {jobs} ({arrays} {}): the same command submits the others",
                    ids.join(", ")
                ));
            }
        }
        Ok(match halt {
            Halt::Signal => ExitCode::from(130),
            Halt::Failed(_) => ExitCode::FAILURE,
        })
    }

    /// The keys of the runs that would be submitted.
    fn todo(
        &self,
        planner: &Planner,
        mut store: Option<&mut Store>,
        slurm: &Result<Slurm, ClusterError>,
        global: &Global,
    ) -> Result<HashSet<String>> {
        let waiting = match store.as_deref().map(|store| underway(slurm, store)).transpose() {
            Ok(waiting) => waiting.unwrap_or_default(),
            Err(e) => {
                let why = sentence(&e);
                output::error(&format!("warning: runs that are under way are counted too, since {why}"));
                HashSet::new()
            }
        };
        let mut todo = HashSet::new();
        for run in &planner.runs {
            let is_left = store
                .as_deref_mut()
                .map_or(Ok(true), |store| execute::is_left(store, run, &global.runs, self.retry))?;
            if is_left && !waiting.contains(&run.key) && !is_locked(&global.runs, &run.key) {
                todo.insert(run.key.clone());
            }
        }
        Ok(todo)
    }

    /// The options as keys of the spec.
    fn sets(&self) -> Vec<String> {
        let texts = [("partition", &self.partition), ("gres", &self.gres), ("time", &self.time), ("mem", &self.mem)];
        let numbers = [
            ("cpus_per_task", self.cpus_per_task),
            ("max_parallel", self.max_parallel),
            ("runs_per_job", self.runs_per_job),
        ];
        let texts =
            texts.iter().filter_map(|(key, value)| value.as_ref().map(|value| format!("slurm.{key}={value:?}")));
        let numbers = numbers.iter().filter_map(|(key, value)| value.map(|value| format!("slurm.{key}={value}")));
        texts.chain(numbers).collect()
    }
}

/// Why a sweep's runs depend on each other's results; `None` if they do not.
fn decides(planner: &Planner) -> Option<&'static str> {
    let sweep = &planner.spec.spec().sweep;
    if planner.prunes() {
        Some("sweep.prune ends trials early")
    } else if planner.more {
        Some("sweep.search proposes trials from the results of earlier ones")
    } else if sweep.max_runs.is_some() || sweep.max_hours.is_some() {
        Some("sweep.max_runs or sweep.max_hours limits what is trained")
    } else {
        None
    }
}

/// Keys of the runs whose jobs wait or run.
fn underway(slurm: &Result<Slurm, ClusterError>, store: &Store) -> Result<HashSet<String>> {
    let mut submitted = store.submitted(None)?;
    submitted.retain(|run| run.array_job.is_some() && run.collected_at.is_none());
    if submitted.is_empty() {
        return Ok(HashSet::new());
    }
    let submissions = store.submissions()?;
    let asked = slurm.clone().and_then(|slurm| jobs(&slurm, submitted, &submissions));
    let jobs = asked.map_err(|e| Unusable(e.into()))?;
    Ok(jobs.into_iter().filter(Job::is_underway).map(|job| job.run.run).collect())
}

/// The script of an array.
fn script(settings: &SlurmSettings, folder: &SubmissionFolder, global: &Global) -> Result<String> {
    Ok(slurm::script(settings.clone(), global)?.array(folder).map_err(|e| Unusable(e.into()))?)
}

fn dry_run(
    planner: &Planner,
    todo: &HashSet<String>,
    settings: &SlurmSettings,
    global: &Global,
    out: &mut Output,
) -> Result<ExitCode> {
    let (runs, all) = (todo.len() as u64, planner.runs.len() as u64);
    let jobs = runs.div_ceil(settings.runs_per_job.into());
    let text = script(settings, &SubmissionFolder::next(&global.runs)?, global)?;
    if out.json {
        out.document(&json!({ "runs": runs, "jobs": jobs, "script": text }))?;
        return Ok(ExitCode::SUCCESS);
    }
    out.wrapped(&format!(
        "would submit {} for {runs} of {}:",
        format::counted(jobs, "job"),
        format::counted(all, "run")
    ))?;
    text.lines().try_for_each(|line| out.line(line))?;
    Ok(ExitCode::SUCCESS)
}

/// That a dry run has nothing to show.
fn nothing_left(runs: usize, out: &mut Output) -> Result<ExitCode> {
    match out.json {
        true => out.document(&json!({ "runs": 0, "jobs": 0, "script": null }))?,
        false => out.wrapped(&match runs {
            1 => "nothing to submit: the run is done, or was submitted before".to_string(),
            all => format!("nothing to submit: all {all} runs are done, or were submitted before"),
        })?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The lock of `taper submit`: two that ask at the same time what is under way would both submit the rest.
const SUBMITTING: &str = "submitting";

/// From now on a signal is a request to stop, however often it comes: an array that Slurm accepts must be stored, or nobody knows of its jobs.
fn stop_after_answer() -> Result<()> {
    Ok(stop::on_signal(|| {
        if !common::request_stop() {
            output::error("\nstopping when `sbatch` has answered");
        }
    })?)
}

/// Why not all arrays were submitted.
enum Halt {
    /// The user asked to stop.
    Signal,
    /// What went wrong, and what to do.
    Failed(String),
}

/// A submission whose jobs are written.
struct Submission<'a> {
    slurm: &'a Slurm,
    settings: &'a SlurmSettings,
    submitted: &'a Submitted,
    name: &'a str,
    global: &'a Global,
}

impl Submission<'_> {
    /// Submits the elements in arrays as large as the cluster allows; adds each that it accepted, with its id. Returns why it ended before the last, and
    /// whether Slurm may have jobs without our knowledge: nothing of the submission remains if it has none.
    fn submit(&self, store: &mut Store, accepted: &mut Vec<(u64, Range<u64>)>) -> Result<(Option<Halt>, bool)> {
        let folder = &self.submitted.folder;
        let path = folder.path().join("script.sh");
        fs::write(&path, script(self.settings, folder, self.global)?)?;
        let logs = std::path::absolute(folder.logs())?;
        let all = self.submitted.elements.len() as u64;
        let mut first = 0;
        // Jobs that Slurm may have without our knowledge need the folder, and its number must not be given to others.
        let mut may_be_there = false;
        let halt = loop {
            if common::ended_by_signal() {
                break Some(Halt::Signal);
            }
            let most = match self.slurm.max_array_size() {
                Ok(most) => most.max(1),
                Err(e) => break Some(Halt::Failed(e.to_string())),
            };
            let elements = first..(first + most).min(all);
            let id = match self.slurm.submit_part(&path, &elements, self.settings.max_parallel, &logs, self.name) {
                Ok(id) => id,
                Err(e) if e.may_be_done() => {
                    may_be_there = true;
                    break Some(Halt::Failed(format!(
                        "{e}; the jobs may have been accepted all the same: look with `squeue --me`, and `scancel` what is there before you submit again"
                    )));
                }
                Err(e) => break Some(Halt::Failed(e.to_string())),
            };
            // At once: what is not stored would be submitted again.
            if let Err(e) = store.set_array(self.submitted.number, elements.clone(), (id, 0), unix_time()) {
                may_be_there = true;
                let why = sentence(&e.into());
                break Some(Halt::Failed(match self.slurm.cancel(&[ElementId { array: id, task: None }]) {
                    Ok(()) => format!("{why}; Slurm had accepted the jobs as array {id}: they were cancelled"),
                    Err(_) => {
                        format!("{why}; Slurm has accepted the jobs as array {id}: cancel them with `scancel {id}`")
                    }
                }));
            }
            first = elements.end;
            accepted.push((id, elements));
            if first == all {
                break None;
            }
        };
        if accepted.is_empty() && !may_be_there {
            store.remove_submission(self.submitted.number)?;
            folder.remove_unless_used()?;
        }
        Ok((halt, may_be_there))
    }
}

fn say_submitted(
    submitted: &Submitted,
    accepted: &[(u64, Range<u64>)],
    (name, jobs): (&str, u64),
    out: &mut Output,
) -> Result<()> {
    let runs = submitted.elements.iter().take(jobs as usize).map(|keys| keys.len() as u64).sum::<u64>();
    let ids: Vec<String> = accepted.iter().map(|(id, _)| id.to_string()).collect();
    let array = format::by_number(accepted.len() as u64, "array", "arrays");
    out.wrapped(&format!(
        "submitted {} of {} as {array} {} ({}); the script: {}",
        format::counted(runs, "run"),
        format::one_line(name),
        ids.join(", "),
        format::counted(jobs, "job"),
        submitted.folder.path().join("script.sh").display()
    ))?;
    let list = out.command(&format!("taper list {}", shell_word(name)));
    out.wrapped(&format!("next: `{list}` shows the jobs and collects their results"))
}

fn say_left_out(left_out: &[Skipped], out: &mut Output) -> Result<()> {
    let mut whys: Vec<(&str, u64)> = Vec::new();
    for skipped in left_out {
        match whys.iter_mut().find(|(why, _)| *why == skipped.why) {
            Some((_, n)) => *n += 1,
            None => whys.push((&skipped.why, 1)),
        }
    }
    whys.iter().try_for_each(|(why, n)| out.wrapped(&format!("left out {}: {why}", format::counted(*n, "run"))))
}

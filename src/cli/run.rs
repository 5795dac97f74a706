//! `taper run`

use std::{cell::Cell, collections::HashSet, io, process::ExitCode};

use anyhow::{Result, anyhow};
use clap::{Args, ValueEnum};
use serde_json::json;
use taper::{
    execute::{DeviceChoice, Prepared, RunsPerDevice, Slot, SubmissionFolder, Tally, threads},
    experiment::{Outcome, Planner, RunOptions, Skipped},
    format::{
        self,
        command::{shell_word, with_runs},
        names,
    },
    observe::{JsonLines, Listeners, Mirror, Progress},
    store::{Store, unix_time},
};

use super::{
    Global, Unusable,
    at_work::AtWork,
    common,
    common::SpecArgs,
    costs::Costs,
    earlier_plan::replaced_warning,
    mirror::MirrorTo,
    outcome::print_outcome,
    output::{self, Output},
    plan_data,
    reader::Reader,
    slurm, stop,
};

/// Up to this many runs that are left out have a line each.
const SKIPPED: usize = 10;

/// Train the runs of a spec that are not completed yet, resuming interrupted ones.
#[derive(Args)]
#[command(after_help = "Examples:\n  taper run experiments/quickstart.toml\n  \
    taper run experiments/finetune.toml --set model.source=path:DIR --set train.epochs=1 --set name=short\n  \
    taper run experiments/quickstart.toml --json | jq -r 'select(.event==\"step_completed\").loss'")]
pub struct Run {
    #[command(flatten)]
    spec: SpecArgs,
    /// Where to train. `local`: on this machine; `slurm`: on a Slurm cluster, each run in its own job, with the settings in [slurm] of the
    /// spec. `taper submit` does the latter without waiting for the results.
    #[arg(long, value_enum, value_name = "local|slurm", hide_possible_values = true, default_value_t = Place::Local)]
    executor: Place,
    /// Number of runs to train in parallel, each in its own process; on the CPU they share the threads. With --executor slurm, the
    /// maximum number of jobs at a time; by default slurm.max_parallel, or 16 if that is not set.
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// Devices to train on, separated by commas: cuda:0,cuda:1,cpu.
    #[arg(long, value_name = "LIST", value_delimiter = ',', conflicts_with = "jobs")]
    devices: Vec<DeviceChoice>,
    /// Number of runs to train in parallel on each device; auto: as many as fit into the free memory of a GPU, up to four, and one
    /// on the CPU.
    #[arg(long, value_name = "K|auto", default_value_t, conflicts_with = "jobs")]
    runs_per_device: RunsPerDevice,
    /// How many times to restart a run whose process died.
    #[arg(long, value_name = "N", default_value_t = 2)]
    retries: u32,
    /// Train diverged and pruned runs again.
    #[arg(long)]
    retry: bool,
    /// Also write the curves as event files for TensorBoard while runs train, into a folder for each run; can be repeated. If a mirror cannot be written, taper warns, and training continues.
    #[arg(long, value_name = "tensorboard=DIR")]
    mirror: Vec<MirrorTo>,
}

/// Where runs are trained.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Place {
    Local,
    Slurm,
}

impl Run {
    /// Trains.
    pub fn execute(&self, global: &Global, out: &mut Output) -> Result<ExitCode> {
        // While it plans, the request is only noted: then no run begins.
        stop::catch_checkpoint_signal();
        let devices = self.devices(global)?;
        let here = self.executor == Place::Local;
        let mut experiment = self.spec.open(global, devices.clone(), "stopped: nothing was trained")?;
        let existing = match Store::is_there(&global.runs) {
            true => Some(common::open_existing(global)?),
            false => None,
        };
        let bench = experiment.workbench()?;
        let planner = experiment.plan_with(existing.as_ref(), bench)?;
        for device in devices.iter().filter(|_| here) {
            device.open().map_err(|e| Unusable(e.into()))?;
        }
        // Runs that a search has yet to propose are like the known ones.
        let runs = if planner.more { usize::MAX } else { planner.runs.len() };
        let (slots, jobs) = match here {
            true => (self.slots(&devices, planner, runs)?, None),
            false => {
                let settings = planner.spec.spec().slurm.clone();
                let jobs = slurm::attached(settings, self.jobs, runs, global)?;
                jobs.script.array(&SubmissionFolder::next(&global.runs)?).map_err(|e| Unusable(e.into()))?;
                (Vec::new(), Some(jobs))
            }
        };
        let before = slurm::submitted_before(existing.as_ref(), &planner.runs)?;
        let store = Store::open(&global.runs).map_err(|e| Unusable(e.into()))?;
        let namesake = common::namesake_warning(&store, &planner.spec.spec().name, &self.spec.spec)?;
        let replaced = replaced_warning(&store, &planner.spec.spec().name, &planner.runs, false)?;
        let progress = Progress::stderr(global.quiet || out.json);
        let above = progress.above();
        let say = {
            let (above, quiet) = (above.clone(), global.quiet);
            move |text: &str| {
                if !quiet {
                    above.say(text)
                }
            }
        };
        match &jobs {
            None => self.device_lines(&slots, global).iter().for_each(|line| say(line)),
            Some(jobs) => {
                let many = format::counted(jobs.most as u64, "job");
                say(&format!("on the cluster: at most {many} at a time; `taper list` shows their states"));
            }
        }
        for line in dropped(&planner.runs) {
            say(&line);
        }
        if !out.json {
            planner.warning_lines().iter().for_each(|line| above.say(line));
        } else {
            // Warnings about single runs come with their events.
            for warning in planner.sweep_warnings() {
                out.line(json!({ "event": "sweep_warned", "warning": warning }))?;
            }
        }
        for warning in namesake.into_iter().chain(replaced) {
            match out.json {
                true => out.line(json!({ "event": "warned", "kind": warning.kind, "message": warning.message }))?,
                false => above.say(&format!("warning: {}", format::one_line(&warning.message))),
            }
        }
        let reader = Reader::default();
        let lines = out.json.then(|| JsonLines::new(reader.lines(io::stdout(), above.clone())));
        let on_cpu = slots.iter().filter(|slot| slot.device == DeviceChoice::Cpu).count();
        if on_cpu > threads() {
            above.say(&format!(
                "warning: {on_cpu} runs at a time share {} of the CPU: more runs than threads need more memory but \
                 finish no sooner; use --jobs {}",
                format::counted(threads() as u64, "thread"),
                threads()
            ));
        }
        let at_work = AtWork::default();
        let (for_signal, told) = (above.clone(), Cell::new(false));
        let (above_mirrors, above_all) = (above.clone(), above.clone());
        let stop_requested = || {
            if stop::checkpoint_requested() && !told.replace(true) {
                for_signal.say("SIGUSR1: stopping after this step, with a checkpoint");
            }
            common::stop_requested()
        };
        let (interrupted, runs) = (at_work.clone(), global.runs.clone());
        common::catch_signals(move |again| {
            match again {
            true if !here => above.end(
                "stopped waiting: running jobs continue to train; `taper list` shows them, and `taper cancel NAME` ends them",
            ),
            false if !here => above.say(
                "stopping: pending jobs are cancelled, and running jobs write a checkpoint and end; press Ctrl-C again to \
                 stop waiting for them",
            ),
            false if interrupted.trains() => {
                above.say("stopping after this step, with a checkpoint; press Ctrl-C again to stop at once")
            }
            false => above.say("stopping before the next run starts; press Ctrl-C again to stop at once"),
            true => {
                above.end(
                    "stopped at once: runs in progress were interrupted; the same command resumes each from its \
                     last checkpoint, if it has one",
                );
                interrupted.interrupt(&runs);
            }
        }
        })?;

        let listeners = lines.into_iter().fold(Listeners::new(), Listeners::with).with(at_work).with(progress);
        let mirrors = self.mirror.iter().map(|MirrorTo(folder)| {
            let above = above_mirrors.clone();
            Mirror::new(folder, &global.runs, move |text| above.say(text))
        });
        let listeners = mirrors.collect::<Result<Vec<_>, _>>()?.into_iter().fold(listeners, Listeners::with);
        let options = RunOptions {
            slots,
            retry: self.retry,
            retries: self.retries,
            stop: &stop_requested,
            say: &say,
            program: None,
            slurm: jobs,
        };
        let outcome = experiment.run(listeners, options)?;
        common::work_is_done();
        slurm::cancel_idle(&store, before, &say)?;
        let tally = &outcome.tally;
        let trained = tally.completed + tally.failed + tally.pruned + tally.stopped + tally.waiting;
        if !self.mirror.is_empty() && trained == 0 && !global.quiet {
            above_all.say(&format!(
                "nothing is mirrored, because this command trains nothing: `{}` writes the curves of stored runs",
                with_runs(
                    &format!("taper export {} DIR --format tensorboard", shell_word(&outcome.experiment.name)),
                    &global.runs
                )
            ));
        }
        match reader.failure() {
            None => {
                // After a stop, what this command did is of interest: runs that were completed before are only counted.
                let stopped = !outcome.tally.is_over() && common::stop_requested();
                let told = say_skipped(&store, &outcome, global.quiet || stopped, out).and_then(|()| match out.json {
                    true => outcome
                        .warnings
                        .iter()
                        .try_for_each(|w| out.line(json!({ "event": "sweep_warned", "warning": w }))),
                    false => print_outcome(&store, &outcome, out),
                });
                match told {
                    // The results are stored and in the exit code, whether or not the output is read.
                    Err(e) if !output::is_from_closed(&e) => return Err(e),
                    _ => {}
                }
            }
            Some(e) if output::is_closed(e) => {}
            Some(e) => {
                let why = format::io(e);
                anyhow::bail!("cannot write the JSON lines: {why}; each run stopped with a checkpoint");
            }
        }
        Ok(match outcome.tally {
            tally if tally.is_stopped() => ExitCode::from(130),
            Tally { failed: 1.., .. } | Tally { diverged_before: 1.., .. } => ExitCode::from(1),
            _ => ExitCode::SUCCESS,
        })
    }

    /// The devices to train on that are known.
    fn devices(&self, global: &Global) -> Result<Vec<DeviceChoice>> {
        if self.executor == Place::Slurm {
            if !self.devices.is_empty() || self.runs_per_device != RunsPerDevice::default() {
                let why = "--devices and --runs-per-device apply to this machine: with --executor slurm, set the number of \
                           jobs with --jobs, and the GPUs of each with slurm.gres";
                return Err(Unusable(anyhow!(why)).into());
            }
            // What the machine here can do is not what a node can.
            return Ok(if global.device == DeviceChoice::Auto { Vec::new() } else { vec![global.device] });
        }
        let asked = if self.devices.is_empty() { std::slice::from_ref(&global.device) } else { &self.devices };
        Ok(asked.iter().map(|device| device.resolve()).collect())
    }

    /// The slots: the first of each device before the second of any.
    fn slots(&self, devices: &[DeviceChoice], planner: &Planner, runs: usize) -> Result<Vec<Slot>> {
        let asked = self.jobs.map_or(self.runs_per_device, |jobs| RunsPerDevice::Exactly(jobs.into()));
        let each = devices.iter().map(|device| {
            let peak = || Costs::on(*device).largest_memory(&planner.runs);
            asked.on(*device, runs, threads() / devices.len(), peak)
        });
        let each = each.collect::<Result<Vec<usize>>>()?;
        let turns = 0..each.iter().copied().max().unwrap_or(0);
        let at = |turn: usize| devices.iter().zip(&each).filter(move |(_, n)| turn < **n).map(|(device, _)| *device);
        Ok(Slot::share(&turns.flat_map(at).collect::<Vec<_>>(), threads()))
    }

    /// A line for each device; and why no GPU is used, if the choice was automatic and there is a driver.
    fn device_lines(&self, slots: &[Slot], global: &Global) -> Vec<String> {
        let mut devices: Vec<DeviceChoice> = Vec::new();
        for slot in slots {
            if !devices.contains(&slot.device) {
                devices.push(slot.device);
            }
        }
        let line = |device: &DeviceChoice| {
            let there: Vec<&Slot> = slots.iter().filter(|slot| slot.device == *device).collect();
            // Each has at least one thread.
            let all = there.iter().map(|slot| slot.threads).sum::<usize>();
            let threads = if *device == DeviceChoice::Cpu { all.min(threads()) } else { all };
            let side_by_side =
                if there.len() > 1 { format!(" in all, {} runs at a time", there.len()) } else { String::new() };
            format!("device: {}, {}{side_by_side}", device.description(), format::counted(threads as u64, "thread"))
        };
        let left_open = self.devices.is_empty() && global.device == DeviceChoice::Auto;
        let refused = if left_open { DeviceChoice::why_no_gpu() } else { None };
        devices.iter().map(line).chain(refused).collect()
    }
}

/// A line for each dataset with rows that were dropped while it was read.
fn dropped(runs: &[Prepared]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for run in runs {
        let files = run.dataset.files.iter().map(|file| (file.name.clone(), &file.cleaning));
        let all = std::iter::once((run.config.data.source.shown(), &run.dataset.cleaning)).chain(files);
        for (name, cleaning) in all.filter(|(_, cleaning)| cleaning.dropped() > 0) {
            let line = format!(
                "data: {} of {name}; {}",
                format::counted(cleaning.read - cleaning.dropped(), "row"),
                plan_data::dropped(cleaning, run.config.data.task())
            );
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
    }
    lines
}

/// Why runs were left out: what has been said of another run, with other numbers, is not repeated.
fn once(skipped: &[Skipped]) -> Vec<String> {
    let mut known = HashSet::new();
    let mut is_known = |because: &String| !known.insert(names::without_numbers(because));
    let why = |run: &Skipped| match run.because.as_ref().is_some_and(&mut is_known) {
        true => format!("{}, for the same reason", run.why),
        false => run.whole(),
    };
    skipped.iter().map(why).collect()
}

/// Prints which runs were left out, and why.
fn say_skipped(store: &Store, outcome: &Outcome, quiet: bool, out: &mut Output) -> Result<()> {
    let skipped = &outcome.skipped;
    for (run, said) in skipped.iter().zip(once(skipped)) {
        let Skipped { key, name, .. } = run;
        match out.json {
            true => {
                let record = store.run(key)?;
                out.line(json!({
                    "run": key, "name": name, "time": unix_time(), "event": "run_skipped", "why": run.whole(),
                    "state": record.state, "metrics": record.final_metrics,
                }))?
            }
            // If there are more, the last line says how many.
            false if quiet || skipped.len() > SKIPPED => {}
            false => out.wrapped(&format!("{}  {name}: {said}", format::short(key)))?,
        }
    }
    let pruned = outcome.tally.pruned_before as u64;
    if !out.json && !quiet && skipped.len() > SKIPPED && pruned > 0 {
        let (runs, are) = (format::counted(pruned, "run"), format::by_number(pruned, "is", "are"));
        let them = format::by_number(pruned, "it", "them");
        out.wrapped(&format!("{runs} pruned by an earlier command {are} left out; --retry trains {them} again"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_that_several_runs_have_is_said_once() {
        let pruned =
            |rank: u32| Some(format!("at step 4: rank {rank} of 9 (1 more failed); the best (1 in 3) goes on"));
        let skipped = |why: &str, because| Skipped { key: "k".into(), name: "n".into(), why: why.into(), because };
        let runs = [
            skipped("pruned before", pruned(2)),
            skipped("completed before", None),
            skipped("pruned before", pruned(3)),
            skipped("completed (before)", None),
            skipped("completed (before)", None),
        ];
        let want = [
            "pruned before (at step 4: rank 2 of 9 (1 more failed); the best (1 in 3) goes on)",
            "completed before",
            "pruned before, for the same reason",
            "completed (before)",
            "completed (before)",
        ];
        assert_eq!(once(&runs), want);
    }
}

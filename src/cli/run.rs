//! `taper run`

use std::{collections::HashSet, io, process::ExitCode, time::Instant};

use anyhow::Result;
use clap::Args;
use serde_json::json;
use taper::{
    execute::{
        DeviceChoice, Planning, Prepared, RunFolder, Runner, RunsPerDevice, Slot, Tally, Workbench, run_all, threads,
    },
    format,
    observe::{JsonLines, Listener, Listeners, PlannedInfo, PlannedSweep, Progress, Recorder, past},
    plan::{Budget, Metric, Prune, prune::rungs, sanity::decided_nothing},
    spec::LoadedSpec,
    store::{ExperimentRecord, NewRun, RunState, SpecFile, Store},
    warning::Warning,
};

use super::{
    Global, Unusable, common,
    common::SpecArgs,
    conclude::conclude,
    costs::{self, Costs},
    output::{self, Output},
    planner::Planner,
    reader::Reader,
};

/// Runs up to which each that is not run again has a line of its own.
const SKIPPED: usize = 10;

/// Train the runs of a spec that are not done yet; resume interrupted ones.
#[derive(Args)]
#[command(after_help = "Examples:\n  taper run experiments/quickstart.toml\n  \
    taper run experiments/finetune.toml --set model.source=path:DIR --set train.epochs=1\n  \
    taper run experiments/quickstart.toml --json | jq -r 'select(.event==\"step_completed\").loss'")]
pub struct Run {
    #[command(flatten)]
    spec: SpecArgs,
    /// Number of runs to train in parallel, each in its own process; on the CPU they share the threads.
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
}

impl Run {
    /// Trains.
    pub fn execute(&self, global: &Global, out: &mut Output) -> Result<ExitCode> {
        let spec = self.spec.load()?;
        let devices = self.devices(global);
        let existing = match common::has_runs(global) {
            true => Some(common::open_existing(global)?),
            false => None,
        };
        let mut planner =
            Planner::new(&self.spec, &spec, &devices, existing.as_ref(), Workbench::new(self.spec.library(global)?))?;
        for device in &devices {
            device.open().map_err(|e| Unusable(e.into()))?;
        }
        let slots = self.slots(&devices, &planner)?;
        let mut store = Store::open(&global.runs).map_err(|e| Unusable(e.into()))?;
        let namesake = common::namesake_warning(&store, &spec.spec().name, &self.spec.spec)?;
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
        for line in self.places(&slots, global) {
            say(&line);
        }
        if !out.json {
            planner.warning_lines().iter().for_each(|line| above.say(line));
        } else {
            // Those of runs come with their events.
            for warning in planner.sweep_warnings() {
                out.line(json!({ "event": "sweep_warned", "warning": warning }))?;
            }
        }
        if let Some(warning) = namesake {
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
                "warning: {on_cpu} runs at a time share {} of the CPU: more runs than threads take more memory and no less time \
                 (--jobs {})",
                format::counted(threads() as u64, "thread"),
                threads()
            ));
        }
        common::catch_signals(move |again| {
            match again {
                false => above.say("stopping after this step, with a checkpoint; press Ctrl-C again to stop at once"),
                true => above.end(
                    "stopped at once: runs that were running are interrupted; the same command resumes from the last checkpoint, if any",
                ),
            }
        })?;

        // Nobody may remove a run that this command is yet to come to.
        let _planning = Planning::begin(&global.runs, &spec.spec().name)?;
        let mut listeners = Listeners::new().with(Recorder::new(Store::open(&global.runs)?)?);
        if let Some(lines) = lines {
            listeners = listeners.with(lines);
        }
        let mut listeners = listeners.with(progress);
        let mut skipped = Vec::new();
        let sweep = &spec.spec().sweep;
        let mut runner = Runner {
            runs: &global.runs,
            program: common::this_program()?,
            slots,
            listener: &mut listeners,
            stop: &common::stop_requested,
            retry: self.retry,
            retries: self.retries,
            prune: Prune::of(sweep),
            budget: Budget::of(sweep),
            ended: HashSet::new(),
            undecided: Vec::new(),
            waits: false,
            say: &say,
            skipped: &mut |run, why| skipped.push((run.key.clone(), run.name.clone(), why.to_string())),
        };
        let begin = Instant::now();
        let mut tally = Tally::default();
        let mut told = HashSet::new();
        let result = loop {
            planner.save_lock()?;
            planner.record_proposals(&mut store)?;
            let experiment = self.register(&mut store, &spec, &planner)?;
            let runs = planned(&store, &planner.runs, &runner.prune, global, &mut told)?;
            let (to_come, prune, budget) = (planner.to_come(), runner.prune, runner.budget);
            runner.listener.planned(&PlannedSweep { runs, to_come, prune, budget });
            match run_all(&mut store, &planner.runs, &mut runner) {
                Ok(part) => tally += part,
                Err(e) => break Err(e),
            }
            // A search that learns goes on with what these runs have shown.
            if tally.stopped + tally.waiting + tally.not_started + tally.beyond_budget + tally.held > 0
                || !planner.extend(&store)?
            {
                break Ok(experiment);
            }
        };
        let undecided = std::mem::take(&mut runner.undecided);
        listeners.finish()?;
        let mut experiment = result?;
        store.check_is_there()?;
        let metric = planner.runs.first().map_or(Metric::Accuracy, |run| run.config.checkpoint.metric);
        let undecided: Vec<Warning> = undecided.into_iter().map(|rung| decided_nothing(rung, metric)).collect();
        // What was expected of the sweep gives way to what came of it.
        planner.take_stock(&store)?;
        experiment.warnings = planner.sweep_warnings().into_iter().chain(undecided.iter().cloned()).collect();
        store.renew_warnings(&experiment)?;
        common::conclude();
        match reader.failure() {
            None => {
                let told = say_skipped(&store, &skipped, global, out).and_then(|()| match out.json {
                    true => {
                        undecided.iter().try_for_each(|w| out.line(json!({ "event": "sweep_warned", "warning": w })))
                    }
                    false => conclude(&store, &experiment, (tally, begin.elapsed()), &undecided, out),
                });
                match told {
                    // What came of the runs is stored and in the exit code, whether or not anybody reads it.
                    Err(e) if !output::is_from_closed(&e) => return Err(e),
                    _ => {}
                }
            }
            Some(e) if output::is_closed(e) => {}
            Some(e) => {
                let why = format::io(e);
                anyhow::bail!("cannot write the JSON lines: {why}; the runs stopped with a checkpoint each");
            }
        }
        Ok(match tally {
            Tally { stopped: 1.., .. } | Tally { waiting: 1.., .. } => ExitCode::from(130),
            Tally { failed: 1.., .. } | Tally { diverged_before: 1.., .. } => ExitCode::from(1),
            _ => ExitCode::SUCCESS,
        })
    }

    /// Stores the plan as far as it is known.
    fn register(&self, store: &mut Store, spec: &LoadedSpec, planner: &Planner) -> Result<ExperimentRecord> {
        let runs = &planner.runs;
        let new: Vec<NewRun> = runs
            .iter()
            .map(|run| NewRun {
                key: &run.key,
                name: &run.name,
                experiment: &run.config.name,
                config: &run.config,
                labels: &run.dataset.labels,
                total_steps: run.steps.total,
            })
            .collect();
        store.register_all(&new)?;
        let experiment = ExperimentRecord {
            name: spec.spec().name.clone(),
            description: spec.spec().description.clone(),
            spec_path: self.spec.spec.display().to_string(),
            arguments: self.spec.arguments(),
            spec_text: spec.text().to_string(),
            extends: spec
                .extends()
                .map(|(path, text)| SpecFile { path: path.display().to_string(), text: text.into() })
                .collect(),
            report: serde_json::to_value(&spec.spec().report)?,
            warnings: planner.sweep_warnings(),
            runs: runs.iter().map(|run| (run.key.clone(), run.name.clone())).collect(),
            trials: runs.iter().map(|run| run.trial).collect(),
        };
        store.save_experiment(&experiment)?;
        Ok(experiment)
    }

    /// The devices that runs are made on.
    fn devices(&self, global: &Global) -> Vec<DeviceChoice> {
        let asked = if self.devices.is_empty() { std::slice::from_ref(&global.device) } else { &self.devices };
        asked.iter().map(|device| device.resolve()).collect()
    }

    /// Where the runs are made: the first slot of each device before the second of any.
    fn slots(&self, devices: &[DeviceChoice], planner: &Planner) -> Result<Vec<Slot>> {
        let asked = self.jobs.map_or(self.runs_per_device, |jobs| RunsPerDevice::Exactly(jobs.into()));
        // Those that a search has yet to propose are like those that are known.
        let runs = if planner.more { usize::MAX } else { planner.runs.len() };
        let each = devices.iter().map(|device| {
            let peak = || Costs::on(*device).largest_memory(&planner.runs);
            asked.on(*device, runs, threads() / devices.len(), peak)
        });
        let each = each.collect::<Result<Vec<usize>>>()?;
        let turns = 0..each.iter().copied().max().unwrap_or(0);
        let at = |turn: usize| devices.iter().zip(&each).filter(move |(_, n)| turn < **n).map(|(device, _)| *device);
        Ok(Slot::share(&turns.flat_map(at).collect::<Vec<_>>(), threads()))
    }

    /// Where runs are made, a line for each device; and why not on a GPU, where that was left open and there is a driver.
    fn places(&self, slots: &[Slot], global: &Global) -> Vec<String> {
        let mut devices: Vec<DeviceChoice> = Vec::new();
        for slot in slots {
            if !devices.contains(&slot.device) {
                devices.push(slot.device);
            }
        }
        let line = |device: &DeviceChoice| {
            let there: Vec<&Slot> = slots.iter().filter(|slot| slot.device == *device).collect();
            // Each has one at least, however few there are.
            let all = there.iter().map(|slot| slot.threads).sum::<usize>();
            let threads = if *device == DeviceChoice::Cpu { all.min(threads()) } else { all };
            let side_by_side =
                if there.len() > 1 { format!(", {} runs at a time", there.len()) } else { String::new() };
            format!("device: {}, {}{side_by_side}", device.description(), format::counted(threads as u64, "thread"))
        };
        let left_open = self.devices.is_empty() && global.device == DeviceChoice::Auto;
        let refused = if left_open { DeviceChoice::why_no_gpu() } else { None };
        devices.iter().map(line).chain(refused).collect()
    }
}

/// What a step of a run costs beside those of others: the arithmetic of its rows, each taken to be of a usual length.
fn step_cost(run: &Prepared) -> f64 {
    const USUAL: usize = 64;
    let train = &run.config.train;
    let rows = (train.batch_size * train.gradient_accumulation_steps).min(run.splits.train.len().max(1));
    rows as f64 * costs::shape(run).forward_flop(run.config.data.max_length.min(USUAL) as u64)
}

/// The runs as the live view wants to know them. Of those that it was not `told` of yet, with what earlier commands did.
fn planned(
    store: &Store,
    runs: &[Prepared],
    prune: &Prune,
    global: &Global,
    told: &mut HashSet<String>,
) -> Result<Vec<PlannedInfo>> {
    let trained = store.training_seconds(runs.iter().map(|run| run.key.as_str()))?;
    let mut info = |run: &Prepared| {
        let record = store.run(&run.key)?;
        let step = match record.state {
            RunState::Completed | RunState::Pruned => record.steps,
            _ => RunFolder::new(&global.runs, &run.key).resume_step(record.steps).unwrap_or(0),
        };
        Ok(PlannedInfo {
            key: run.key.clone(),
            name: run.name.clone(),
            trial: run.trial,
            state: record.state,
            total_steps: run.steps.total,
            step,
            trained_s: trained.get(&run.key).copied().unwrap_or(0.0),
            metric: run.config.checkpoint.metric,
            keep: run.config.checkpoint.keep,
            has_dev: !run.splits.dev.is_empty(),
            rungs: rungs(prune, &run.config.train, run.splits.train.len() as u64),
            step_cost: step_cost(run),
            past: if told.insert(run.key.clone()) { past(store, &record)? } else { Vec::new() },
        })
    };
    runs.iter().map(&mut info).collect()
}

/// Says which runs were left out, and why.
fn say_skipped(store: &Store, skipped: &[(String, String, String)], global: &Global, out: &mut Output) -> Result<()> {
    for (key, name, why) in skipped {
        match out.json {
            true => {
                let record = store.run(key)?;
                out.line(json!({
                    "run": key, "name": name, "event": "run_skipped", "why": why, "state": record.state,
                    "metrics": record.final_metrics,
                }))?
            }
            // Of more the last line says how many there are.
            false if global.quiet || skipped.len() > SKIPPED => {}
            false => out.wrapped(&format!("{}  {name}: {why}", format::short(key)))?,
        }
    }
    Ok(())
}

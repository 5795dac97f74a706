//! `taper run`

use std::{io, process::ExitCode};

use anyhow::Result;
use clap::Args;
use serde_json::json;
use taper::{
    execute::{Budget, DeviceChoice, Runner, Slot, Tally, run_all, threads},
    format,
    observe::{JsonLines, Listener, Listeners, Progress, Recorder},
    plan::Prune,
    store::{ExperimentRecord, NewRun, Store},
};

use super::{Global, Unusable, common, common::SpecArgs, output::Output};

/// Run what is not yet done; resumes what was interrupted; safe to repeat.
#[derive(Args)]
#[command(after_help = "Examples:\n  taper run experiments/quickstart.toml\n  \
    taper run experiments/finetune.toml --set model.source=path:DIR --set train.epochs=1\n  \
    taper run experiments/quickstart.toml --json | jq -r 'select(.event==\"step_completed\").loss'")]
pub struct Run {
    #[command(flatten)]
    spec: SpecArgs,
    /// Runs made at a time, each in a process of its own; on the CPU they share the threads.
    #[arg(long, short, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: u16,
    /// Devices to make runs on, one at a time on each: cuda:0,cuda:1,cpu.
    #[arg(long, value_name = "LIST", value_delimiter = ',', conflicts_with = "jobs")]
    devices: Vec<DeviceChoice>,
    /// How often a run is tried again whose process died.
    #[arg(long, value_name = "N", default_value_t = 2)]
    retries: u32,
    /// Make runs again that diverged or were pruned.
    #[arg(long)]
    retry: bool,
}

impl Run {
    /// Trains.
    pub fn execute(&self, global: &Global, out: &mut Output) -> Result<ExitCode> {
        let spec = self.spec.load()?;
        let slots = self.slots(global);
        let mut devices: Vec<DeviceChoice> = slots.iter().map(|slot| slot.device).collect();
        devices.dedup();
        let prepared = common::prepare(&self.spec.expand(&spec)?, &devices)?;
        for device in devices {
            device.open().map_err(|e| Unusable(e.into()))?;
        }
        common::catch_signals(
            "stopping after this step, with a checkpoint; once more to stop at once (`taper run` goes on either way)",
        )?;

        let mut store = Store::open(&global.runs)?;
        common::settle(&mut store, global)?;
        for run in &prepared {
            store.register(&NewRun {
                key: &run.key,
                name: &run.name,
                experiment: &run.config.name,
                config: &run.config,
                labels: &run.dataset.labels,
                total_steps: run.steps.total,
            })?;
        }
        let experiment = ExperimentRecord {
            name: spec.spec().name.clone(),
            description: spec.spec().description.clone(),
            spec_path: self.spec.spec.display().to_string(),
            arguments: self.spec.arguments(),
            spec_text: spec.text().to_string(),
            report: serde_json::to_value(&spec.spec().report)?,
            runs: prepared.iter().map(|run| (run.key.clone(), run.name.clone())).collect(),
        };
        store.save_experiment(&experiment)?;

        let mut listeners = Listeners::new().with(Recorder::new(Store::open(&global.runs)?)?);
        listeners = match out.json {
            true => listeners.with(JsonLines::new(io::stdout())).with(Progress::stderr(true)),
            false => listeners.with(Progress::stderr(global.quiet)),
        };
        let mut skipped = Vec::new();
        let mut runner = Runner {
            runs: &global.runs,
            program: common::this_program()?,
            slots,
            listener: &mut listeners,
            stop: &common::stop_requested,
            retry: self.retry,
            retries: self.retries,
            prune: Prune::None,
            budget: Budget::default(),
            ended: std::collections::HashSet::new(),
            skipped: &mut |run, why| skipped.push((run.key.clone(), run.name.clone(), why.to_string())),
        };
        let tally = run_all(&mut store, &prepared, &mut runner);
        listeners.finish()?;
        let tally = tally?;
        for (key, name, why) in &skipped {
            match out.json {
                true => out.line(json!({ "run": key, "name": name, "event": "run_skipped", "why": why }))?,
                false if global.quiet => {}
                false => out.line(format!("{}  {name}: {why}", format::short(key)))?,
            }
        }
        if !out.json {
            self.conclude(&store, &experiment, tally, out)?;
        }
        Ok(match tally {
            Tally { stopped: 1.., .. } => ExitCode::from(130),
            Tally { failed: 1.., .. } => ExitCode::from(1),
            _ => ExitCode::SUCCESS,
        })
    }

    /// Where the runs are made.
    fn slots(&self, global: &Global) -> Vec<Slot> {
        let devices = match self.devices.is_empty() {
            true => vec![global.device; self.jobs.into()],
            false => self.devices.clone(),
        };
        Slot::share(&devices, threads())
    }

    /// What came of it, and what to do next.
    fn conclude(&self, store: &Store, experiment: &ExperimentRecord, tally: Tally, out: &mut Output) -> Result<()> {
        let parts = [
            (tally.completed, "completed"),
            (tally.already_done, "done before"),
            (tally.failed, "failed"),
            (tally.pruned, "pruned"),
            (tally.stopped, "stopped"),
            (tally.beyond_budget, "left: the sweep's budget is spent"),
        ];
        let said: Vec<String> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
        out.line(format!("{}: {}", experiment.name, said.join(", ")))?;
        let runs = store.runs_of(&experiment.name)?;
        let scored = runs.iter().filter_map(|run| Some((run, run.final_metrics.as_ref()?)));
        let rows: Vec<Vec<String>> = scored
            .map(|(run, m)| {
                let split = if run.config.data.test > 0.0 { "test" } else { "dev" };
                let figure = format!("{split} accuracy {}", format::percent(m.accuracy));
                vec![format::short(&run.key).into(), run.name.clone(), figure, format!("loss {:.4}", m.loss)]
            })
            .collect();
        let measured = !rows.is_empty();
        out.rows(rows)?;
        if tally.stopped > 0 {
            out.line("the same command goes on where this one stopped")?;
        } else if measured {
            out.line(format!("next: taper report {}", experiment.name))?;
        }
        Ok(())
    }
}

//! `taper cancel`

use std::{collections::BTreeMap, process::ExitCode};

use anyhow::{Result, anyhow};
use clap::Args;
use serde_json::json;
use taper::{
    cluster::{ElementId, Slurm},
    execute::SubmissionFolder,
    experiment::{Job, controllers, jobs},
    format::{self, counted},
    store::Store,
};

use super::{Global, Unusable, common, output::Output};

/// Cancel the cluster jobs of runs.
#[derive(Args)]
#[command(after_help = "A run that is training writes a checkpoint first, and continues from it when it is submitted \
    again.\n\nExamples:\n  taper cancel waimai\n  taper cancel 3f2a 77c1")]
pub struct Cancel {
    /// Runs whose jobs are cancelled: keys, prefixes of keys, or names of runs, or an experiment (name or spec file) for
    /// all of its runs.
    #[arg(value_name = "NAME|RUN", required = true)]
    wanted: Vec<String>,
}

/// A job of the cluster, with all runs that it has yet to train.
struct Shared {
    submission: u64,
    element: u64,
    runs: Vec<String>,
    was: String,
}

impl Cancel {
    /// Cancels.
    pub fn execute(&self, global: &Global, out: &mut Output) -> Result<ExitCode> {
        let store = common::open_existing(global)?;
        let (wanted, experiments) = self.runs(&store)?;
        let waiting =
            store.submitted(None)?.into_iter().filter(|run| run.array_job.is_some() && run.collected_at.is_none());
        let slurm = Slurm::find().map_err(|e| Unusable(e.into()))?;
        let submissions = store.submissions()?;
        // First: it would submit other jobs in the place of those that are cancelled.
        let of_them: Vec<_> =
            submissions.iter().filter(|submission| experiments.contains(&submission.experiment)).cloned().collect();
        let controllers = controllers(|| Ok(slurm.clone()), &global.runs, of_them)?;
        slurm.cancel(&controllers.iter().map(|controller| controller.id).collect::<Vec<_>>())?;
        controllers.iter().for_each(|c| SubmissionFolder::new(&global.runs, c.submission.number).forget_controller());
        let all = jobs(&slurm, waiting.collect(), &submissions)?;
        let found = shared(all, &wanted);
        for (id, job) in &found {
            let others: Vec<&str> =
                job.runs.iter().filter(|key| !wanted.contains(key)).map(|key| format::short(key)).collect();
            if !others.is_empty() {
                let many = counted(others.len() as u64, "other run");
                let why = format!("the job {id} also trains {many}: {}", others.join(", "));
                return Err(Unusable(anyhow!("{why}; give their keys too, or the experiment")).into());
            }
        }
        let mut ordered = Vec::new();
        for job in found.values() {
            let folder = SubmissionFolder::new(&global.runs, job.submission);
            if !folder.is_to_stop(job.element) {
                // Otherwise it would be requeued if its time is up at this moment.
                folder.order_to_stop(job.element)?;
                ordered.push((folder, job.element));
            }
        }
        let ids: Vec<ElementId> = found.keys().copied().collect();
        if let Err(e) = slurm.cancel(&ids) {
            ordered.iter().try_for_each(|(folder, element)| folder.withdraw_stop(*element))?;
            let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
            let why = "the jobs may still be running: cancel them again, here or with";
            return Err(anyhow!("{e}; {why} `scancel {}`", ids.join(" ")));
        }
        if out.json {
            let cancelled =
                found.iter().map(|(id, job)| json!({ "job": id.to_string(), "was": job.was, "runs": job.runs }));
            let of_controllers = controllers.iter().map(
                |c| json!({ "job": c.id.to_string(), "was": c.cluster.described(), "controller": c.submission.experiment }),
            );
            out.document(&of_controllers.chain(cancelled).collect::<Vec<_>>())?;
        } else if ids.is_empty() && controllers.is_empty() {
            out.line("nothing to cancel: no job of these runs is pending or running")?;
        } else if !global.quiet {
            for controller in &controllers {
                let (id, experiment) = (controller.id, format::one_line(&controller.submission.experiment));
                let was = controller.cluster.described();
                out.wrapped(&format!("cancelled {id}, which submits the runs of {experiment}: it was {was}"))?;
            }
            for (id, job) in &found {
                let runs: Vec<&str> = job.runs.iter().map(|key| format::short(key)).collect();
                out.wrapped(&format!("cancelled {id} ({}): it was {}", runs.join(", "), job.was))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The keys of the runs, and the experiments that were given as such.
    fn runs(&self, store: &Store) -> Result<(Vec<String>, Vec<String>)> {
        let (mut keys, mut experiments) = (Vec::new(), Vec::new());
        for wanted in &self.wanted {
            match common::is_there(store, wanted)? {
                true => {
                    let experiment = common::experiment(store, wanted)?;
                    keys.extend(store.keys_ever_of(&experiment)?);
                    experiments.push(experiment);
                }
                false => keys.push(store.find_surely(wanted)?.key),
            }
        }
        Ok((keys, experiments))
    }
}

/// The jobs that wait or run for at least one of the runs.
fn shared(all: Vec<Job>, wanted: &[String]) -> BTreeMap<ElementId, Shared> {
    let mut found: BTreeMap<ElementId, Shared> = BTreeMap::new();
    for job in all {
        let (Some(id), Some(cluster)) = (job.id(), job.cluster.as_ref().filter(|_| job.is_underway())) else {
            continue;
        };
        let (submission, element) = (job.run.submission, job.run.element);
        let new = || Shared { submission, element, runs: Vec::new(), was: cluster.described() };
        found.entry(id).or_insert_with(new).runs.push(job.run.run);
    }
    found.retain(|_, job| job.runs.iter().any(|key| wanted.contains(key)));
    found
}

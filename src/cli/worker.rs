//! `taper worker`: an internal command. `taper run` starts one for each slot; an element of a cluster's job array is one too.

use std::{cell::Cell, env, io, path::PathBuf, process::ExitCode, thread, time::Duration};

use anyhow::Result;
use clap::Args;
use taper::{
    cluster::{ClusterError, ElementId, Slurm},
    execute::{Asked, DeviceChoice, ElementEnd, ElementOptions, Slot, attend, threads, work_for_command},
    format::counted,
    store::unix_time,
};

use super::{Global, common, list::date, output, stop};

/// Train the runs that another taper process sends.
// They come on standard input, until it ends; with --element they are those of an element of a submission.
#[derive(Args)]
pub struct Worker {
    /// The folder of a submission.
    #[arg(long, value_name = "DIR", requires = "task")]
    element: Option<PathBuf>,
    /// The element of the submission whose runs are trained.
    #[arg(long, value_name = "N", requires = "element")]
    task: Option<u64>,
}

impl Worker {
    /// Trains.
    pub fn execute(&self, global: &Global) -> Result<ExitCode> {
        match (&self.element, self.task) {
            (Some(folder), Some(task)) => element(folder, task, global),
            _ => take_orders(global.device),
        }
    }
}

fn take_orders(device: DeviceChoice) -> Result<ExitCode> {
    // Ctrl-C in a terminal reaches every process of the command.
    common::catch_signals(|_| {})?;
    // Not locked: locks of standard output are bound to a thread.
    let result = work_for_command(io::stdin(), io::stdout(), device, &common::stop_requested);
    // The parent process is gone, so nothing would read an error.
    Ok(if result.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Trains the runs of an element. The exit code is 0 if all are done, 1 if one failed, 130 if it was asked to stop.
fn element(folder: &std::path::Path, task: u64, global: &Global) -> Result<ExitCode> {
    common::catch_signals(|_| {})?;
    // What the job was given; elsewhere the processors that this process may use.
    let given = if global.threads.is_none() { number("SLURM_CPUS_PER_TASK") } else { None };
    let threads = given.map_or_else(threads, |cpus| cpus as usize);
    let say = |text: &str| output::error(&format!("{}  {text}", date(unix_time(), "%m-%d %H:%M:%S")));
    let told = Cell::new(false);
    let asked = || {
        let asked = match (stop::checkpoint_requested(), common::ended_by_signal()) {
            (true, _) => Some(Asked::Requeue),
            (false, true) => Some(Asked::End),
            (false, false) => None,
        };
        if asked.is_some() && !told.replace(true) {
            say("asked to stop: stopping after this step, with a checkpoint");
        }
        asked
    };
    let slot = Slot { device: global.device.resolve(), threads };
    let threads = counted(slot.threads as u64, "thread");
    say(&format!("element {task}: {}, {threads}", slot.device.description()));
    let program = PathBuf::from("/proc/self/exe");
    let program = if program.exists() { program } else { env::current_exe()? };
    let restarts = number("SLURM_RESTART_COUNT").unwrap_or(0) as u32;
    let options = ElementOptions { program, slot, restarts, asked: &asked, requeue: &requeue, say: &say };
    let end = attend(folder, task, options)?;
    Ok(match end {
        ElementEnd::Done { failed: 0 } => ExitCode::SUCCESS,
        ElementEnd::Done { failed } => {
            say(&format!("{failed} failed"));
            ExitCode::FAILURE
        }
        ElementEnd::Requeued | ElementEnd::Stopped => ExitCode::from(130),
    })
}

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok()?.parse().ok()
}

/// Queues the job that this process is in again. While the controller is restarted it does not answer for a moment.
fn requeue() -> Result<(), String> {
    let id = match (number("SLURM_ARRAY_JOB_ID"), number("SLURM_ARRAY_TASK_ID"), number("SLURM_JOB_ID")) {
        (Some(array), Some(task), _) => ElementId { array, task: Some(task) },
        (_, _, Some(job)) => ElementId { array: job, task: None },
        _ => return Err("this process is not in a Slurm job".into()),
    };
    let mut attempt = 1;
    loop {
        match Slurm::requeue_from_within(&id) {
            Err(ClusterError::NotInstalled(name)) => {
                return Err(format!(
                    "`{name}` is not found; a container needs `{name}`, Slurm's configuration and munge's socket"
                ));
            }
            Err(e) if e.is_temporary() && attempt < REQUEUES => {
                attempt += 1;
                thread::sleep(BETWEEN);
            }
            result => return result.map_err(|e| e.to_string()),
        }
    }
}

/// How often, and at which interval, the controller is asked.
const REQUEUES: u32 = 12;
const BETWEEN: Duration = Duration::from_secs(5);

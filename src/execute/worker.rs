//! The worker process, which trains runs one after the other for a command.
//!
//! It writes only checkpoints and models. It reports measurements to the command and waits until they are stored before anything depends on
//! them. When the command that started it ends, it ends at once.

use std::{
    io::{self, Read, Write},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver},
    },
    thread,
};

use super::{
    DeviceChoice, ExecuteError, Prepared, Workbench,
    connection::Connection,
    probes,
    protocol::{Order, Report, Work, WorkerJob, receive},
    train_run,
};
use crate::engine::Device;
use crate::{
    assets::{Library, Settings},
    event::{Event, FailureKind, Outcome},
    plan::PlannedRun,
};

/// Trains the runs that are ordered on `input` until it is closed; reports on `output`. `stop` is called after each step.
///
/// # Errors
/// If the command is gone.
pub fn work_for_command(
    input: impl Read + Send + 'static,
    output: impl Write + 'static,
    device: DeviceChoice,
    stop: &dyn Fn() -> bool,
) -> io::Result<()> {
    let stopped = Arc::new(AtomicBool::new(false));
    let orders = listen(input, stopped.clone());
    let connection = Connection::new(output, orders);
    let device = match device.ready() {
        Ok(device) => device,
        Err(e) => return connection.report(&Report::Unusable(e.to_string())),
    };
    connection.report(&Report::Ready)?;
    let settings = match Settings::from_env(true) {
        Ok(settings) => settings,
        Err(e) => return connection.report(&Report::Unusable(e.to_string())),
    };
    let mut bench = Workbench::new(Library::new(settings));
    loop {
        let Order::Begin(job) = connection.next_order()? else { continue };
        let asked = || stop() || stopped.load(Ordering::Relaxed);
        work(&mut bench, &job, &device, &connection, &asked)?;
    }
}

/// Reads orders on a separate thread, so that a request to stop and the end of the command take effect at once.
fn listen(mut input: impl Read + Send + 'static, stopped: Arc<AtomicBool>) -> Receiver<Order> {
    let (sender, orders) = mpsc::channel();
    thread::spawn(move || {
        while let Ok(order) = receive(&mut input) {
            match order {
                Order::Stop => stopped.store(true, Ordering::Relaxed),
                order => {
                    // Reset here, not when the work starts: a request to stop can follow immediately.
                    if matches!(order, Order::Begin(_)) {
                        stopped.store(false, Ordering::Relaxed);
                    }
                    let _ = sender.send(order);
                }
            }
        }
        // Without the command no measurement is stored, and another command can start the run.
        std::process::exit(0);
    });
    orders
}

/// The run of a job, prepared again.
///
/// # Errors
/// If it cannot be prepared, or is another one than the command prepared.
pub(super) fn prepare(bench: &mut Workbench, job: &WorkerJob) -> Result<Prepared, ExecuteError> {
    let planned = PlannedRun { trial: 0, name: job.name.clone(), point: Vec::new(), config: job.config.clone() };
    bench.library().know(&job.located);
    let run = bench.prepare(&planned)?;
    match run.key == job.key {
        true => Ok(run),
        false => Err(ExecuteError::Setting(
            "its data or model changed since the command began; run the same command again".into(),
        )),
    }
}

/// Does the work on one run.
fn work(
    bench: &mut Workbench,
    job: &WorkerJob,
    device: &(Device, String),
    connection: &Connection,
    stop: &dyn Fn() -> bool,
) -> io::Result<()> {
    let prepared = prepare(bench, job);
    match (prepared, &job.work) {
        (Ok(run), Work::Train { rungs, micro_batch_tokens, stored }) => {
            let assignment =
                train_run::Assignment { runs: &job.runs, stored, rungs, micro_batch_tokens: *micro_batch_tokens };
            train_run::train_run(run, &assignment, device, connection, stop)?;
        }
        (Err(e), Work::Train { .. }) => {
            let failed = Outcome::Failed { kind: FailureKind::Error, message: e.to_string() };
            connection.emit(Event::RunFinished(failed))?;
        }
        (run, Work::Probes { last_step }) => {
            // A completed run stays completed if its probes cannot be scored.
            if let Err(e) = run.and_then(|run| probes::score(&run, &job.runs, *last_step, &device.0, connection)) {
                connection.emit(Event::Note { message: format!("the new probes could not be scored: {e}") })?;
            }
        }
    }
    connection.report(&Report::Finished)
}

//! The worker's side: a process that makes one run after the other, as it is told.
//!
//! It writes checkpoints and models and nothing else: what it measures it reports, and before anything is built on a
//! measurement it waits until that is on disk. When the command that started it is gone, it ends at once.

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
    DeviceChoice, ExecuteError, Workbench,
    line::Line,
    make, probes,
    protocol::{Job, Order, Report, Work, receive},
};
use crate::engine::Device;
use crate::{
    assets::{Library, Settings},
    event::{Event, FailureKind, Outcome},
    plan::PlannedRun,
};

/// Makes the runs that are ordered on `input` until it ends; reports on `output`. `stop` is asked after each step.
///
/// # Errors
/// Where the other end is gone.
pub fn serve(
    input: impl Read + Send + 'static,
    output: impl Write + 'static,
    device: DeviceChoice,
    stop: &dyn Fn() -> bool,
) -> io::Result<()> {
    let stopped = Arc::new(AtomicBool::new(false));
    let orders = listen(input, stopped.clone());
    let line = Line::new(output, orders);
    let device = match device.ready() {
        Ok(device) => device,
        Err(e) => return line.say(&Report::Unusable(e.to_string())),
    };
    line.say(&Report::Ready)?;
    let settings = match Settings::from_env(true) {
        Ok(settings) => settings,
        Err(e) => return line.say(&Report::Unusable(e.to_string())),
    };
    let mut bench = Workbench::new(Library::new(settings));
    loop {
        let Order::Begin(job) = line.next()? else { continue };
        let asked = || stop() || stopped.load(Ordering::Relaxed);
        work(&mut bench, &job, &device, &line, &asked)?;
    }
}

/// Reads orders on a thread of its own: a request to stop counts at once, and so does the end of who gives them.
fn listen(mut input: impl Read + Send + 'static, stopped: Arc<AtomicBool>) -> Receiver<Order> {
    let (sender, orders) = mpsc::channel();
    thread::spawn(move || {
        while let Ok(order) = receive(&mut input) {
            match order {
                Order::Stop => stopped.store(true, Ordering::Relaxed),
                order => {
                    // Here and not where the job is taken up: a request to stop may follow at its heels.
                    if matches!(order, Order::Begin(_)) {
                        stopped.store(false, Ordering::Relaxed);
                    }
                    let _ = sender.send(order);
                }
            }
        }
        // Without the command nobody records what is measured, and somebody else may take up the run.
        std::process::exit(0);
    });
    orders
}

/// Does one job.
fn work(
    bench: &mut Workbench,
    job: &Job,
    device: &(Device, String),
    line: &Line,
    stop: &dyn Fn() -> bool,
) -> io::Result<()> {
    let planned = PlannedRun { trial: 0, name: job.name.clone(), point: Vec::new(), config: job.config.clone() };
    bench.library().know(&job.located);
    let prepared = bench.prepare(&planned).and_then(|run| match run.key == job.key {
        true => Ok(run),
        false => Err(ExecuteError::Setting(
            "its data or model changed since the command began; run the same command again".into(),
        )),
    });
    match (prepared, &job.work) {
        (Ok(run), Work::Train { rungs, micro_batch_tokens, logged }) => {
            let assignment =
                make::Assignment { runs: &job.runs, logged, rungs, micro_batch_tokens: *micro_batch_tokens };
            make::make(run, &assignment, device, line, stop)?;
        }
        (Err(e), Work::Train { .. }) => {
            let failed = Outcome::Failed { kind: FailureKind::Error, message: e.to_string() };
            line.event(Event::RunFinished(failed))?;
        }
        (run, Work::Probes { last_step }) => {
            // Scores that cannot be made are no reason to call a done run failed.
            if let Err(e) = run.and_then(|run| probes::score(&run, &job.runs, *last_step, &device.0, line)) {
                line.event(Event::Note { message: format!("the new probes could not be scored: {e}") })?;
            }
        }
    }
    line.say(&Report::Finished)
}

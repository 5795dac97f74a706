//! Worker processes.

use std::{io, path::PathBuf};

use crate::execute::{DeviceChoice, set_threads, work_for_command};

/// Runs this process as a worker if [`Experiment::run`](super::Experiment::run) started it as one, and returns its exit code when nothing
/// is left to train. Programs that run experiments must call this first in `main`: runs are trained by other processes of the same
/// program.
pub fn worker() -> Option<i32> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [command, device_flag, device, threads_flag, threads] = &arguments[..] else { return None };
    if (command.as_str(), device_flag.as_str(), threads_flag.as_str()) != ("worker", "--device", "--threads") {
        return None;
    }
    let (device, threads): (DeviceChoice, usize) = (device.parse().ok()?, threads.parse().ok()?);
    let worked = set_threads(threads).map_err(io::Error::other);
    // Not locked: locks of standard output are bound to a thread.
    let worked = worked.and_then(|()| work_for_command(io::stdin(), io::stdout(), device, &|| false));
    // The parent process is gone, so nothing would read an error.
    Some(i32::from(worked.is_err()))
}

/// The program of this process, even if its file has been replaced since it started (by a build or an update).
///
/// # Errors
/// If the system does not provide it.
pub(super) fn this_program() -> io::Result<PathBuf> {
    let own = PathBuf::from("/proc/self/exe");
    if own.exists() { Ok(own) } else { std::env::current_exe() }
}

//! The processes that train.

use std::{io, path::PathBuf};

use crate::execute::{DeviceChoice, serve, set_threads};

/// Makes this process a worker, where [`Experiment::run`](super::Experiment::run) started it as one, and returns its exit code when
/// nothing is left to train. To be called first of all in `main` by a program that runs experiments: runs are trained by more
/// processes of the same program.
pub fn worker() -> Option<i32> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [command, device_flag, device, threads_flag, threads] = &arguments[..] else { return None };
    if (command.as_str(), device_flag.as_str(), threads_flag.as_str()) != ("worker", "--device", "--threads") {
        return None;
    }
    let (device, threads): (DeviceChoice, usize) = (device.parse().ok()?, threads.parse().ok()?);
    let served = set_threads(threads).map_err(io::Error::other);
    // Not locked: locks of standard output are bound to a thread.
    let served = served.and_then(|()| serve(io::stdin(), io::stdout(), device, &|| false));
    // Who gave the orders is gone: so is who would read an error.
    Some(i32::from(served.is_err()))
}

/// The program of this process, also where its file was replaced since it began (a build, an update).
///
/// # Errors
/// Where the system does not tell.
pub(super) fn this_program() -> io::Result<PathBuf> {
    let own = PathBuf::from("/proc/self/exe");
    if own.exists() { Ok(own) } else { std::env::current_exe() }
}

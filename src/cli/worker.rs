//! `taper worker`: an internal command, which `taper run` starts for each slot.

use std::{io, process::ExitCode};

use anyhow::Result;
use taper::execute::serve;

use super::{Global, common};

/// Trains the runs received on standard input, until it ends.
pub fn execute(global: &Global) -> Result<ExitCode> {
    // Ctrl-C in a terminal reaches every process of the command.
    common::catch_signals(|_| {})?;
    // Not locked: locks of standard output are bound to a thread.
    let result = serve(io::stdin(), io::stdout(), global.device, &common::stop_requested);
    // The parent process is gone, so nothing would read an error.
    Ok(if result.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

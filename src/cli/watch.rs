//! `taper list --watch`: the table of a sweep in another terminal, from the database alone.

use std::{process::ExitCode, thread, time::Duration};

use anyhow::{Result, bail};
use console::Term;
use taper::observe::{Size, Watch};

use super::{Global, common, list, output::Output};

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(2);
/// Looks in a row that find nothing at work before it ends: between two runs there may be none for a moment.
const QUIET: u32 = 4;

/// Redraws the table until no run is at work and none will follow.
///
/// # Errors
/// Where standard output is no terminal; a database that is not there or cannot be read.
pub fn watch(global: &Global, experiment: Option<&str>, out: &mut Output) -> Result<ExitCode> {
    if !out.terminal {
        bail!(
            "--watch redraws a terminal, and standard output is none; without it, `taper list --json` tells the same"
        );
    }
    ctrlc::set_handler(|| std::process::exit(0))?;
    let colour = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let terminal = Term::stdout();
    let mut store = common::open_existing(global)?;
    let mut watch = Watch::default();
    let (mut drawn, mut quiet) = (0, 0);
    loop {
        common::settle(&mut store, global)?;
        let runs = list::runs(&store, experiment)?;
        let (height, width) = terminal.size();
        // The cursor stands below the table.
        let size = Size { width: width.into(), height: usize::from(height).saturating_sub(1).max(1) };
        let look = watch.look(&store, &runs, size.height)?;
        let lines = look.board.lines(size, colour);
        terminal.clear_last_lines(drawn)?;
        drawn = lines.len();
        for line in &lines {
            out.painted(line)?;
        }
        quiet = if look.running > 0 { 0 } else { quiet + 1 };
        if look.open == 0 || quiet >= QUIET {
            return Ok(ExitCode::SUCCESS);
        }
        thread::sleep(PAUSE);
    }
}

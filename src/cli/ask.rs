//! Asks before something is removed.

use std::io::{self, BufRead, IsTerminal, Write};

use anyhow::Result;
use taper::observe::wrap;

/// Whether there is a terminal to ask on.
pub fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks on the terminal; any answer but yes is no.
pub fn confirm(question: &str) -> Result<bool> {
    let mut terminal = io::stderr();
    let width = usize::from(console::Term::stderr().size().1);
    let question = format!("{} [y/N]", taper::format::visible(question));
    // Room for the answer.
    write!(terminal, "{} ", wrap(&question, width.saturating_sub(2)).join("\n"))?;
    terminal.flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

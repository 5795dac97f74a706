//! Standard output: plain text, tables that fit the terminal, or JSON.

use std::io::{self, BufWriter, IsTerminal, Write};

use anyhow::Result;
use comfy_table::{ColumnConstraint, ContentArrangement, Table, presets};
use serde::Serialize;
use taper::{format, observe::wrap};

use super::Global;

/// Where a command's result goes.
pub struct Output {
    writer: io::StdoutLock<'static>,
    /// Whether it is a terminal.
    pub terminal: bool,
    /// Whether machines read it.
    pub json: bool,
}

impl Output {
    /// Standard output as the options want it.
    pub fn new(global: &Global) -> Self {
        let stdout = io::stdout();
        Self { terminal: stdout.is_terminal(), writer: stdout.lock(), json: global.json }
    }

    /// Columns of the terminal; none where it is none. One that does not tell its size has those of `COLUMNS`, or else 80.
    pub fn width(&self) -> Option<usize> {
        let told = || console::Term::stdout().size_checked().map(|(_, columns)| usize::from(columns));
        let set = || std::env::var("COLUMNS").ok()?.parse().ok().filter(|columns| *columns > 0);
        self.terminal.then(|| told().or_else(set).unwrap_or(80))
    }

    /// A text, on a terminal in as many lines as it takes.
    pub fn wrapped(&mut self, text: &str) -> Result<()> {
        match self.width() {
            None => self.line(text),
            Some(width) => wrap(&format::visible(text), width).into_iter().try_for_each(|line| self.line(line)),
        }
    }

    /// One line, or several. Whatever names and texts hold, nothing in it steers a terminal.
    pub fn line(&mut self, text: impl std::fmt::Display) -> Result<()> {
        Ok(writeln!(self.writer, "{}", format::visible(&text.to_string()))?)
    }

    /// A line that holds taper's own colours; what came from outside was made [`format::visible`] before they were added.
    pub fn painted(&mut self, text: &str) -> Result<()> {
        Ok(writeln!(self.writer, "{text}")?)
    }

    /// Whole lines for a program, byte for byte; on a terminal nothing in them steers it.
    pub fn bytes(&mut self, lines: &[u8]) -> Result<()> {
        match self.terminal {
            true => Ok(self.writer.write_all(format::visible(&String::from_utf8_lossy(lines)).as_bytes())?),
            false => Ok(self.writer.write_all(lines)?),
        }
    }

    /// A JSON document.
    pub fn document(&mut self, value: &impl Serialize) -> Result<()> {
        // Standard output writes each line by itself: thousands of them go in larger pieces.
        let mut writer = BufWriter::new(&mut self.writer);
        serde_json::to_writer_pretty(&mut writer, value).map_err(io::Error::from)?;
        writeln!(writer)?;
        Ok(writer.flush()?)
    }

    /// A table under a header; columns shrink to the terminal's width.
    pub fn table(&mut self, header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> Result<()> {
        let mut table = Table::new();
        table.set_header(header.iter().map(|h| h.to_uppercase()));
        self.print(table, rows)
    }

    /// A table without a header.
    pub fn rows(&mut self, rows: impl IntoIterator<Item = Vec<String>>) -> Result<()> {
        self.print(Table::new(), rows)
    }

    fn print(&mut self, mut table: Table, rows: impl IntoIterator<Item = Vec<String>>) -> Result<()> {
        table.load_style(presets::NOTHING);
        for row in rows {
            // A row is one line in a pipe, and a cell cannot begin another row.
            table.add_row(row.iter().map(|cell| cell_text(cell)));
        }
        // A pipe gets each row on a line of its own, however long.
        if self.terminal {
            table.set_content_arrangement(ContentArrangement::Dynamic);
            // One space between columns is enough where there are few of them.
            for column in table.column_iter_mut() {
                column.set_padding((0, 1));
            }
            let width = self.width().unwrap_or(80);
            table.set_width(u16::try_from(width).unwrap_or(u16::MAX).max(20));
            // Only what can be read in pieces is broken: names and texts, not keys, states and numbers.
            let widths = table.column_max_content_widths();
            for (column, width) in table.column_iter_mut().zip(widths) {
                if width <= 14 {
                    column.set_constraint(ColumnConstraint::ContentWidth);
                }
            }
        } else {
            table.set_content_arrangement(ContentArrangement::Disabled);
        }
        let mut writer = BufWriter::new(&mut self.writer);
        for line in table.lines() {
            writeln!(writer, "{}", line.trim_end())?;
        }
        Ok(writer.flush()?)
    }
}

/// A cell's text: visible, and on one line; spaces stay as they are.
fn cell_text(cell: &str) -> String {
    format::visible(cell).replace(['\n', '\t'], " ")
}

/// An error for people on standard error, as far as anybody reads it: nothing in it steers a terminal, and no line is longer
/// than can be read.
pub fn error(text: &str) {
    /// Characters of a line: the longest lists of keys are shorter.
    const MOST: usize = 2000;
    let _ = writeln!(io::stderr(), "{}", format::visible(&format::bounded(text, MOST)));
}

/// Whether nobody reads any more.
pub fn is_closed(e: &io::Error) -> bool {
    e.kind() == io::ErrorKind::BrokenPipe
}

/// Whether an error says that nobody reads any more.
pub fn is_from_closed(e: &anyhow::Error) -> bool {
    e.chain().any(|cause| cause.downcast_ref::<io::Error>().is_some_and(is_closed))
}

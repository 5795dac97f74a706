//! Standard output: plain text, tables that fit the terminal, or JSON.

use std::io::{self, IsTerminal, Write};

use anyhow::Result;
use comfy_table::{ColumnConstraint, ContentArrangement, Table, presets};
use serde::Serialize;

use super::Global;

/// Where a command's result goes.
pub struct Output {
    writer: io::StdoutLock<'static>,
    terminal: bool,
    /// Whether machines read it.
    pub json: bool,
}

impl Output {
    /// Standard output as the options want it.
    pub fn new(global: &Global) -> Self {
        let stdout = io::stdout();
        Self { terminal: stdout.is_terminal(), writer: stdout.lock(), json: global.json }
    }

    /// One line.
    pub fn line(&mut self, text: impl std::fmt::Display) -> Result<()> {
        Ok(writeln!(self.writer, "{text}")?)
    }

    /// A JSON document.
    pub fn document(&mut self, value: &impl Serialize) -> Result<()> {
        serde_json::to_writer_pretty(&mut self.writer, value).map_err(io::Error::from)?;
        Ok(writeln!(self.writer)?)
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
            table.add_row(row);
        }
        // A pipe gets each row on a line of its own, however long.
        if self.terminal {
            table.set_content_arrangement(ContentArrangement::Dynamic);
            if table.width().is_none_or(|width| width < 40) {
                table.set_width(80);
            }
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
        for line in table.lines() {
            writeln!(self.writer, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// Whether nobody reads any more.
pub fn is_closed(e: &io::Error) -> bool {
    e.kind() == io::ErrorKind::BrokenPipe
}

/// `12,345`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1.2 GiB`.
pub fn bytes(n: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let power = if n == 0 { 0 } else { (n.ilog2() / 10).min(4) };
    let value = n as f64 / f64::from(1u32 << (10 * power.min(3))) / if power == 4 { 1024.0 } else { 1.0 };
    if power == 0 { format!("{n} B") } else { format!("{value:.1} {}", units[power as usize]) }
}

/// `90.3 %`.
pub fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// `3m12s`.
pub fn duration(seconds: f64) -> String {
    let s = seconds.round() as u64;
    match s {
        0 => format!("{seconds:.1}s"),
        1..60 => format!("{s}s"),
        60..3600 => format!("{}m{:02}s", s / 60, s % 60),
        _ => format!("{}h{:02}m", s / 3600, s / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people() {
        assert_eq!([0, 999, 1000, 11_987, 1_234_567].map(count), ["0", "999", "1,000", "11,987", "1,234,567"]);
        assert_eq!([0, 1023, 1536, 3 << 30, 5 << 40].map(bytes), ["0 B", "1023 B", "1.5 KiB", "3.0 GiB", "5.0 TiB"]);
        assert_eq!([0.2, 59.4, 61.0, 7260.0].map(duration), ["0.2s", "59s", "1m01s", "2h01m"]);
        assert_eq!(percent(0.9026), "90.3 %");
    }
}

//! Standard output as plain text, tables that fit the terminal, or JSON; and results on standard error, beside others on it.

use std::{
    io::{self, BufWriter, IsTerminal, Write},
    path::{Path, PathBuf},
};

use anyhow::Result;
use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width, presets};
use serde::Serialize;
use taper::{
    format,
    observe::{wrap, wrap_below, wrap_words},
};

use super::Global;

/// Writes a command's result.
pub struct Output {
    writer: Box<dyn Write>,
    /// Its terminal, if it is one.
    term: console::Term,
    /// Whether it is a terminal.
    pub terminal: bool,
    /// Whether the output is JSON.
    pub json: bool,
    /// The runs folder.
    runs: PathBuf,
    /// What tables had no room for since that was last said.
    left_out: Vec<String>,
}

impl Output {
    /// Standard output with the given options.
    pub fn new(global: &Global) -> Self {
        let stdout = io::stdout();
        Self {
            terminal: stdout.is_terminal(),
            writer: Box::new(stdout.lock()),
            term: console::Term::stdout(),
            json: global.json,
            runs: global.runs.clone(),
            left_out: Vec::new(),
        }
    }

    /// Standard error as text, for results while others are written to standard output.
    pub fn stderr(global: &Global) -> Self {
        let stderr = io::stderr();
        Self {
            terminal: stderr.is_terminal(),
            writer: Box::new(stderr.lock()),
            term: console::Term::stderr(),
            json: false,
            runs: global.runs.clone(),
            left_out: Vec::new(),
        }
    }

    /// A command as it can be typed for this runs folder.
    pub fn command(&self, command: &str) -> String {
        format::command::with_runs(command, &self.runs)
    }

    /// The runs folder.
    pub fn runs(&self) -> &Path {
        &self.runs
    }

    /// Width of the terminal; `None` if standard output is not one.
    pub fn width(&self) -> Option<usize> {
        self.terminal.then(|| columns(&self.term))
    }

    /// A text, wrapped on a terminal.
    pub fn wrapped(&mut self, text: &str) -> Result<()> {
        match self.width() {
            None => self.line(text),
            Some(width) => wrap(&format::visible(text), width).into_iter().try_for_each(|line| self.line(line)),
        }
    }

    /// A line with a label, `data      9,590 rows`, or one below it, whose label is empty: on a terminal it is continued below its value, which
    /// begins in the column `at`.
    pub fn labelled(&mut self, (label, at): (&str, usize), value: &str) -> Result<()> {
        let text = format!("{label:<at$}{value}");
        match self.width() {
            None => self.line(text),
            Some(width) => {
                let lines = wrap_below(&format::visible(&text), width, at);
                lines.into_iter().try_for_each(|line| self.line(line))
            }
        }
    }

    /// A text with a path or a command, wrapped on a terminal between words alone: these stay whole.
    pub fn unbroken(&mut self, text: &str) -> Result<()> {
        match self.width() {
            None => self.line(text),
            Some(width) => wrap_words(&format::visible(text), width).into_iter().try_for_each(|line| self.line(line)),
        }
    }

    /// One or more lines, with control characters made visible.
    pub fn line(&mut self, text: impl std::fmt::Display) -> Result<()> {
        writeln!(self.writer, "{}", format::visible(&text.to_string())).map_err(unwritten)
    }

    /// A line with taper's own colours; text from outside must be made [`format::visible`] before colours are added.
    pub fn painted(&mut self, text: &str) -> Result<()> {
        writeln!(self.writer, "{text}").map_err(unwritten)
    }

    /// Complete lines for a program, byte for byte; on a terminal, control characters are made visible.
    pub fn bytes(&mut self, lines: &[u8]) -> Result<()> {
        match self.terminal {
            true => self.writer.write_all(format::visible(&String::from_utf8_lossy(lines)).as_bytes()),
            false => self.writer.write_all(lines),
        }
        .map_err(unwritten)
    }

    /// A JSON document.
    pub fn document(&mut self, value: &impl Serialize) -> Result<()> {
        // Standard output writes each line separately, so large documents are buffered.
        let mut writer = BufWriter::new(&mut self.writer);
        let written = serde_json::to_writer_pretty(&mut writer, value).map_err(io::Error::from);
        written.and_then(|()| writeln!(writer)).and_then(|()| writer.flush()).map_err(unwritten)
    }

    /// A table with a header; text columns shrink to the terminal's width.
    pub fn table(&mut self, header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> Result<()> {
        self.fitted(header, rows, &[])
    }

    /// A table with a header. On a terminal too narrow for every word of every cell, the columns with the headings `least` are left out, the
    /// first of them first; [`Self::say_what_is_left_out`] tells of them.
    pub fn fitted(
        &mut self,
        header: &[&str],
        rows: impl IntoIterator<Item = Vec<String>>,
        least: &[&str],
    ) -> Result<()> {
        let all = header;
        let header = header.iter().map(|h| h.to_uppercase()).collect();
        let rows: Vec<Vec<String>> = std::iter::once(header).chain(rows).collect();
        let least: Vec<String> = least.iter().map(|heading| heading.to_uppercase()).collect();
        let rows = match self.width() {
            Some(width) => leave_out(rows, &least, width),
            None => rows,
        };
        let mut rows = rows.into_iter();
        let mut table = Table::new();
        let shown = rows.next().unwrap_or_default();
        all.iter().filter(|heading| !shown.contains(&heading.to_uppercase())).for_each(|h| self.leave_out(h));
        table.set_header(shown);
        self.print(table, rows)
    }

    /// Notes that a table has no room for this.
    pub fn leave_out(&mut self, what: &str) {
        if self.left_out.iter().all(|other| other != what) {
            self.left_out.push(what.into());
        }
    }

    /// Says what the tables so far had no room for.
    pub fn say_what_is_left_out(&mut self) -> Result<()> {
        match std::mem::take(&mut self.left_out) {
            none if none.is_empty() => Ok(()),
            left_out => {
                self.wrapped(&format!("(no room for {}: widen the terminal, or use --json)", format::and(&left_out)))
            }
        }
    }

    /// A table without a header.
    pub fn rows(&mut self, rows: impl IntoIterator<Item = Vec<String>>) -> Result<()> {
        self.print(Table::new(), rows)
    }

    fn print(&mut self, mut table: Table, rows: impl IntoIterator<Item = Vec<String>>) -> Result<()> {
        table.load_style(presets::NOTHING);
        // In a pipe every row is one line, so a cell must not contain line breaks.
        let rows: Vec<Vec<String>> =
            rows.into_iter().map(|row| row.iter().map(|cell| cell_text(cell)).collect()).collect();
        // In a pipe each row is on one line, however long.
        if self.terminal {
            table.set_content_arrangement(ContentArrangement::Dynamic);
            let heading: Vec<String> =
                table.header().map(|h| h.cell_iter().map(|cell| cell.content()).collect()).unwrap_or_default();
            let width = self.width().unwrap_or(80);
            let least = |most| least_widths(std::iter::once(&heading).chain(&rows), most);
            let needs = |least: &[usize]| least.iter().map(|least| least + 1).sum::<usize>();
            // If not all words fit, the longest are broken.
            let whole = Some(least(usize::MAX)).filter(|least| needs(least) <= width);
            let least = whole.unwrap_or_else(|| least(longest(width)));
            let room = needs(&least) <= width;
            table.add_rows(rows);
            // One space between columns is enough if there are few of them.
            for column in table.column_iter_mut() {
                column.set_padding((0, 1));
            }
            table.set_width(u16::try_from(width).unwrap_or(u16::MAX).max(20));
            // Only names and texts are wrapped, not keys, states and numbers; they are wrapped between words if the words
            // fit.
            let widths = table.column_max_content_widths();
            for ((column, width), least) in table.column_iter_mut().zip(widths).zip(least) {
                if usize::from(width) <= UNBROKEN {
                    column.set_constraint(ColumnConstraint::ContentWidth);
                } else if room {
                    let least = u16::try_from(least + 1).unwrap_or(u16::MAX);
                    column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(least)));
                }
            }
        } else {
            table.set_content_arrangement(ContentArrangement::Disabled);
            table.add_rows(rows);
        }
        let mut writer = BufWriter::new(&mut self.writer);
        let mut lines = table.lines();
        let written = lines.try_for_each(|line| writeln!(writer, "{}", line.replace(JOINED, " ").trim_end()));
        written.and_then(|()| writer.flush()).map_err(unwritten)
    }
}

/// Keeps the words of a cell on one line, for which other columns make room.
pub fn unbroken(cell: &str) -> String {
    cell.replace(' ', JOINED)
}

/// The same of a short cell; of a longer one, its last two words.
pub fn last_unbroken(cell: &str) -> String {
    const SHORT: usize = 24;
    match cell.rsplit_once(' ').filter(|_| console::measure_text_width(cell) > SHORT) {
        Some(_) => last_two_unbroken(cell),
        None => unbroken(cell),
    }
}

/// A cell whose last two words stay on one line.
pub fn last_two_unbroken(cell: &str) -> String {
    cell.rsplit_once(' ').map_or_else(|| cell.into(), |(before, last)| format!("{before}{JOINED}{last}"))
}

/// A cell with a mark that stays on the line of its last word.
pub fn marked(cell: &str) -> String {
    format!("{cell}{JOINED}!")
}

/// A space at which no line of a table ends; it is printed as a space.
const JOINED: &str = "\u{a0}";

/// Columns up to this width are not wrapped.
const UNBROKEN: usize = 14;

/// The longest word that columns are left out for on a terminal of this width: a longer one is broken.
fn longest(width: usize) -> usize {
    width * 3 / 8
}

/// The width that each column needs: all of it if it is not wrapped, otherwise its longest word, but at most `most`.
fn least_widths<'a>(rows: impl Iterator<Item = &'a Vec<String>> + Clone, most: usize) -> Vec<usize> {
    let columns = rows.clone().map(Vec::len).max().unwrap_or(0);
    let widest = |column: usize, width: &dyn Fn(&str) -> usize| {
        rows.clone().filter_map(|row| row.get(column)).map(|cell| width(cell)).max().unwrap_or(0)
    };
    let least = |column: usize| match widest(column, &console::measure_text_width) {
        narrow if narrow <= UNBROKEN => narrow,
        _ => widest(column, &|cell| cell.split([' ', '\t', '\n']).map(columns_unbroken).max().unwrap_or(0))
            .min(most.max(UNBROKEN)),
    };
    (0..columns).map(least).collect()
}

/// Columns of the longest part of a word that is not broken: Chinese is broken between any two characters, as long as a few of them stay
/// together.
fn columns_unbroken(word: &str) -> usize {
    const TOGETHER: usize = 16;
    let wide = |c: char| console::measure_text_width(c.encode_utf8(&mut [0; 4])) > 1;
    let latin = word.split(wide).map(console::measure_text_width).max().unwrap_or(0);
    if word.contains(wide) { latin.max(console::measure_text_width(word).min(TOGETHER)) } else { latin }
}

/// The rows (the first is the header) without those columns named by `least` whose words do not fit; the first of them is left out
/// first. Of a long word a part has to fit.
fn leave_out(mut rows: Vec<Vec<String>>, least: &[String], width: usize) -> Vec<Vec<String>> {
    for heading in least {
        if least_widths(rows.iter(), longest(width)).iter().map(|least| least + 1).sum::<usize>() <= width {
            break;
        }
        if let Some(column) = rows.first().and_then(|header| header.iter().position(|h| h == heading)) {
            rows.iter_mut().filter(|row| row.len() > column).for_each(|row| drop(row.remove(column)));
        }
    }
    rows
}

/// A cell's text on one line, with control characters made visible; spaces are kept.
fn cell_text(cell: &str) -> String {
    format::visible(cell).replace(['\n', '\t'], " ")
}

/// Prints an error on standard error, if it is still open: control characters are made visible, very long lines shortened, and on a
/// terminal lines are wrapped between words.
pub fn error(text: &str) {
    /// The longest line: the longest lists of keys are shorter.
    const MOST: usize = 2000;
    let bounded = format::bounded(text, MOST);
    let mut text = format::visible(&bounded);
    if io::stderr().is_terminal() {
        let width = columns(&console::Term::stderr());
        text = wrap_words(&text, width).join("\n").into();
    }
    let _ = writeln!(io::stderr(), "{text}");
}

/// Width of a terminal. If its size is unknown, it is that of `COLUMNS`, or 80.
fn columns(terminal: &console::Term) -> usize {
    let told = terminal.size_checked().map(|(_, columns)| usize::from(columns)).filter(|columns| *columns > 0);
    let set = || std::env::var("COLUMNS").ok()?.parse().ok().filter(|columns| *columns > 0);
    told.or_else(set).unwrap_or(80)
}

/// Standard output cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("standard output cannot be written")]
struct Unwritten(#[source] io::Error);

fn unwritten(e: io::Error) -> anyhow::Error {
    Unwritten(e).into()
}

/// Whether the reader has closed the pipe.
pub fn is_closed(e: &io::Error) -> bool {
    e.kind() == io::ErrorKind::BrokenPipe
}

/// Whether an error means that the reader has closed the pipe.
pub fn is_from_closed(e: &anyhow::Error) -> bool {
    e.chain().any(|cause| cause.downcast_ref::<io::Error>().is_some_and(is_closed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Vec<String>> {
        let row = |cells: [&str; 5]| cells.map(String::from).to_vec();
        vec![
            row(["#", "TRIAL", "SEEDS", "DEV ACCURACY", "STATE"]),
            row(["1", "batch_size=32 lr=1e-3 dropout=0.1", "3", "93.3% (86.4–96.0)", "completed"]),
            row(["–", "batch_size=8 lr=1e-3", "3", "50.0% (41.2–58.8)", "pruned"]),
        ]
    }

    #[test]
    fn the_number_at_the_end_of_a_long_state_stays_with_its_word() {
        assert_eq!(last_unbroken("waiting at step 1,234"), "waiting\u{a0}at\u{a0}step\u{a0}1,234");
        let long = last_unbroken("interrupted, resumes at step 1,234");
        assert_eq!(long, "interrupted, resumes at step\u{a0}1,234");
        // On 80 columns it is wrapped, and no number is cut.
        let row =
            ["fd9e23a1eeed", "slow", &long, "1,800", "~2.5s", "~89.1 MiB", "~880.4 KiB"].map(String::from).to_vec();
        let longest_words = least_widths(std::iter::once(&row), longest(80));
        assert_eq!(longest_words[2], "interrupted,".len());
    }

    #[test]
    fn each_column_needs_its_longest_word_and_narrow_ones_are_whole() {
        // "batch_size=32", "DEV ACCURACY" is broken between its words as the intervals are: "(86.4–96.0)".
        assert_eq!(least_widths(rows().iter(), usize::MAX), [1, 13, 5, 11, 9]);
    }

    #[test]
    fn chinese_needs_only_a_few_characters_per_line() {
        let row = |cells: [&str; 2]| cells.map(String::from).to_vec();
        let sentence = "这家饭店真贴心，知道我吃不饱还特地在里面放蟑螂";
        let rows = vec![row(["PROBE", "EXPECTED"]), row([sentence, "negative"])];
        assert_eq!(least_widths(rows.iter(), usize::MAX), [16, 8]);
        let least = ["EXPECTED".to_string()];
        assert_eq!(leave_out(rows, &least, 30)[0].len(), 2, "there is room for both");
        let columns = ["好吃", "model-of-2024", "好aaaaaaaaaaaaaaaaaaaa吃"].map(columns_unbroken);
        assert_eq!(columns, [4, 13, 20]);
        let row = vec![unbroken("interrupted, resumes at step 345")];
        assert_eq!(least_widths([&row].into_iter(), usize::MAX), [32], "its words stay together");
    }

    #[test]
    fn a_long_name_is_broken_before_columns_are_left_out() {
        let row = |cells: [&str; 4]| cells.map(String::from).to_vec();
        let rows =
            vec![row(["RUN", "NAME", "STATE", "DEV"]), row(["3f2a1b2c3d4e", &"n".repeat(80), "completed", "93.3%"])];
        let least = ["STATE", "DEV"].map(String::from);
        let headings = |width| leave_out(rows.clone(), &least, width)[0].join("|");
        assert_eq!(least_widths(rows.iter(), longest(80)), [12, 30, 9, 5]);
        assert_eq!([headings(120), headings(80), headings(60)], ["RUN|NAME|STATE|DEV"; 3]);
        assert_eq!(headings(40), "RUN|NAME|DEV", "15 columns of the name");
    }

    #[test]
    fn columns_are_left_out_before_a_word_is_cut() {
        let least = ["SEEDS", "STATE"].map(String::from);
        let headings = |width| leave_out(rows(), &least, width)[0].join("|");
        assert_eq!(headings(44), "#|TRIAL|SEEDS|DEV ACCURACY|STATE");
        assert_eq!(headings(43), "#|TRIAL|DEV ACCURACY|STATE");
        assert_eq!(headings(38), "#|TRIAL|DEV ACCURACY|STATE");
        assert_eq!(headings(37), "#|TRIAL|DEV ACCURACY");
        assert_eq!(headings(10), "#|TRIAL|DEV ACCURACY", "the others stay");
        assert!(leave_out(rows(), &least, 10).iter().all(|row| row.len() == 3));
    }
}

//! What is noticed while the rows of a file are read, and what is said about it.

use super::{counted_rows::Noticed, delimited::BACKSLASHES, rows::Rows, settings::Wording};
use crate::{
    format::{by_number, counted},
    warning::{Kind, Warning, lines, lines_of},
};

/// Says that only the bytes of a file speak for its encoding.
pub(super) fn guessed(file: &Rows, wording: Wording) -> Option<Warning> {
    let encoding = file.input().guessed()?;
    let message = format!(
        "the file is not UTF-8 and is read as {encoding}, judging by its bytes; if that is right, set {}",
        wording.set("encoding", &encoding.to_string())
    );
    Some(Warning::new(Kind::DataFile, message))
}

/// Says which rows have fields in quotes that are read as part of them, since the run's data was read so.
pub(super) fn quoted(file: &Rows, wording: Wording) -> Option<Warning> {
    let Noticed { rows, lines } = file.quoted_as_in_run()?;
    let message = format!(
        "{} ({}) {} a text or a label in quotation marks, which are read as part of it, as the run's spec says (data.quoting); if they only \
         enclose it, set {}",
        counted(*rows, "row"),
        lines_of(lines, *rows),
        by_number(*rows, "has", "have"),
        wording.set("quoting", "minimal")
    );
    (*rows > 0).then(|| Warning::new(Kind::DataFile, message).at(lines.iter().copied()))
}

/// Says which rows have a quoted field that goes on after its closing quote, so that it is mangled.
pub(super) fn reopened(file: &Rows) -> Option<Warning> {
    let Noticed { rows, lines } = file.reopened()?;
    let message = format!(
        "{} ({}) {} a quoted field that goes on after its closing quotation mark, so that its text is wrong: {BACKSLASHES}",
        counted(*rows, "row"),
        lines_of(lines, *rows),
        by_number(*rows, "has", "have"),
    );
    (*rows > 0).then(|| Warning::new(Kind::DataFile, message).at(lines.iter().copied()))
}

/// Says which rows a quote has probably swallowed.
pub(super) fn swallowed(file: &Rows, is_label: Option<&dyn Fn(&str) -> bool>, wording: Wording) -> Vec<Warning> {
    let found = file.swallowed().map(|swallowed| swallowed.found(is_label)).unwrap_or_default();
    let at: Vec<u64> = found.iter().map(|(line, _)| *line).collect();
    let breaks: u64 = found.iter().map(|(_, breaks)| breaks).sum();
    let fields = match found.len() {
        0 => return Vec::new(),
        1 => format!("the quoted field on {} contains", lines(&at)),
        n => format!("{n} quoted fields ({}) contain", lines(&at)),
    };
    let message = format!(
        "{fields} {} and what look like separate rows: a field that begins with a quotation mark includes everything up to the next \
         one; if quotes are ordinary characters in this file, set {}",
        counted(breaks, "line break"),
        wording.set("quoting", "none")
    );
    vec![Warning::new(Kind::DataFile, message).at(at)]
}

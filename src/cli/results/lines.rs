//! Results as lines of text: CSV, or JSON objects.

use std::borrow::Cow;

use anyhow::Result;
use serde::ser::{SerializeMap, Serializer};
use taper::{
    data::{Kept, RowText, Text},
    format,
    task::{Answer, Task},
};

use super::{
    answer::{ByLabel, Cell},
    heading::Heading,
};

/// The names of the columns.
pub fn csv_head(heading: &Heading) -> Result<Vec<u8>> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(heading.names().map(|name| format::inert(name).into_owned()))?;
    Ok(csv.into_inner()?)
}

/// Adds a row to CSV. Cells that a spreadsheet would run are made inert. `exact`: probabilities with all their digits.
pub fn csv_row(
    csv: &mut csv::Writer<Vec<u8>>,
    heading: &Heading,
    kept: &[&Kept],
    (row, answer): (&Text, Option<&Answer>),
    exact: bool,
) -> Result<()> {
    let mut cells: Vec<Cow<'_, str>> = kept.iter().map(|value| format::inert(as_text(value).unwrap_or(""))).collect();
    cells.push(row.line.to_string().into());
    // Numbers are in any unit, so that no number of decimals would do.
    let exact = exact || heading.says.task == Task::Regression;
    let cell = |cell: Option<Cell>| match cell {
        Some(text @ Cell::Text(_)) => format::inert(&text.text(exact)).into_owned(),
        Some(number) => number.text(exact),
        None => String::new(),
    };
    cells.extend(heading.says.cells(answer).into_iter().map(|of_row| cell(of_row).into()));
    let probability = |id: usize| answer.map_or(String::new(), |answer| answer.probabilities()[id].to_string()).into();
    cells.extend((0..heading.each.len()).map(probability));
    cells.extend(RowText::from(row).texts().take(heading.texts.len()).map(format::inert));
    csv.write_record(cells.iter().map(|cell| cell.as_bytes()))?;
    Ok(())
}

/// A kept value as text; nothing where there is none.
pub fn as_text(value: &Kept) -> Option<&str> {
    match value {
        Kept::Null => None,
        Kept::Text(text) | Kept::Json(text) => Some(text),
    }
}

/// Adds a row as a JSON object.
pub fn json_row(lines: &mut Vec<u8>, heading: &Heading, row: &Text, answer: Option<&Answer>) -> Result<()> {
    if heading.keep {
        kept_json(lines, heading, row, answer)?;
    } else {
        let mut json = serde_json::Serializer::new(&mut *lines);
        let mut object = json.serialize_map(None)?;
        object.serialize_entry(&heading.line, &row.line)?;
        object.serialize_entry("text", &row.text)?;
        if let Some(text_pair) = &row.text_pair {
            object.serialize_entry("text_pair", text_pair)?;
        }
        results(&mut object, heading, answer)?;
        object.end()?;
    }
    lines.push(b'\n');
    Ok(())
}

/// An object whose first fields are those of the input, as they are written there.
fn kept_json(lines: &mut Vec<u8>, heading: &Heading, row: &Text, answer: Option<&Answer>) -> Result<()> {
    lines.push(b'{');
    for (name, value) in &row.kept {
        serde_json::to_writer(&mut *lines, &**name)?;
        lines.push(b':');
        match value {
            Kept::Null => lines.extend(b"null"),
            Kept::Text(text) => serde_json::to_writer(&mut *lines, text)?,
            Kept::Json(json) => lines.extend(json.as_bytes()),
        }
        lines.push(b',');
    }
    let mut own = Vec::new();
    let mut json = serde_json::Serializer::new(&mut own);
    let mut object = json.serialize_map(None)?;
    object.serialize_entry(&heading.line, &row.line)?;
    results(&mut object, heading, answer)?;
    object.end()?;
    lines.extend(&own[1..]);
    Ok(())
}

/// What is predicted, and the probabilities if there are any; null for rows without a text.
fn results<M: SerializeMap>(object: &mut M, heading: &Heading, answer: Option<&Answer>) -> Result<(), M::Error> {
    heading.answer.write(object, &heading.says, answer)?;
    match &heading.probabilities {
        Some(name) => {
            let labels = &heading.says.labels;
            let all = answer.map(|answer| ByLabel { labels, probabilities: answer.probabilities() });
            object.serialize_entry(name, &all)
        }
        None => Ok(()),
    }
}

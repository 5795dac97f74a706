//! Results as lines of text: CSV, or JSON objects.

use std::borrow::Cow;

use anyhow::Result;
use serde::ser::{Serialize, SerializeMap, Serializer};
use taper::{
    data::{Kept, RowText, Text},
    format,
    task::Answer,
};

use super::heading::Heading;

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
    let probability = |id: usize| answer.map_or(String::new(), |answer| answer.probabilities()[id].to_string()).into();
    match answer.map(|answer| (answer, answer.label as usize)) {
        Some((answer, label)) => {
            cells.push(format::inert(&heading.labels[label]));
            cells.push(if exact {
                probability(label)
            } else {
                format::decimals(answer.probabilities()[label].into(), 4).into()
            });
        }
        None => cells.extend(["".into(), "".into()]),
    }
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

/// Label, confidence and probabilities; null for rows without a text.
fn results<M: SerializeMap>(object: &mut M, heading: &Heading, answer: Option<&Answer>) -> Result<(), M::Error> {
    let label = answer.map(|answer| answer.label as usize);
    object.serialize_entry(&heading.label, &label.map(|label| &heading.labels[label]))?;
    let confidence = answer.zip(label).map(|(answer, label)| answer.probabilities()[label]);
    object.serialize_entry(&heading.confidence, &confidence)?;
    let all = answer.map(|answer| ByLabel { labels: &heading.labels, probabilities: answer.probabilities() });
    object.serialize_entry(&heading.probabilities, &all)
}

/// The probability of each label as a JSON object: with the digits of a float32, as the confidence beside it has.
pub struct ByLabel<'a> {
    /// The labels, by id.
    pub labels: &'a [String],
    /// Their probabilities.
    pub probabilities: &'a [f32],
}

impl Serialize for ByLabel<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.labels.iter().zip(self.probabilities))
    }
}

//! Writes results as they come.

use std::io::Write;

use anyhow::{Context, Result, anyhow};
use taper::{
    data::{Kept, Text},
    task::Answer,
};

use super::{
    super::output::Output,
    file::{NewFile, Packed},
    form::Form,
    heading::{Heading, Wanted},
    lines::{csv_head, csv_row, json_row},
    table::Table,
};

/// A row, and what the model says of it; nothing if it has no text.
pub type Scored<'a> = (&'a Text, Option<&'a Answer>);

/// Results that are being written.
pub struct Results<'a> {
    wanted: Wanted,
    heading: Heading,
    to: To<'a>,
}

/// Where they are written.
enum To<'a> {
    Standard(&'a mut Output),
    Lines(NewFile, Box<Packed>),
    Table(NewFile, Box<Table<Packed>>),
}

impl<'a> Results<'a> {
    /// Results of rows with these columns, in a file or on standard output. The names of the columns are written.
    ///
    /// # Errors
    /// If columns cannot be named, or nothing can be written.
    pub fn begin(
        wanted: Wanted,
        columns: Vec<String>,
        file: Option<(NewFile, Packed)>,
        out: &'a mut Output,
    ) -> Result<Self> {
        let heading = Heading::new(&wanted, columns)?;
        let to = match file {
            None => To::Standard(out),
            Some((file, packed)) if wanted.form == Form::Parquet => {
                let table = Table::new(packed, &heading).with_context(|| file.unwritten())?;
                To::Table(file, Box::new(table))
            }
            Some((file, packed)) => To::Lines(file, Box::new(packed)),
        };
        let mut results = Self { wanted, heading, to };
        if results.wanted.form == Form::Csv {
            let head = csv_head(&results.heading)?;
            results.lines(&head)?;
        }
        Ok(results)
    }

    /// Adds rows.
    ///
    /// # Errors
    /// If they cannot be written, or a row has a column that no row before it has, for which there is none in the results.
    pub fn add<'r>(&mut self, rows: impl Iterator<Item = Scored<'r>>) -> Result<()> {
        let mut csv = csv::Writer::from_writer(Vec::new());
        let mut lines = Vec::new();
        for (row, answer) in rows {
            if self.wanted.form == Form::Jsonl {
                if let Some(name) = self.heading.clash(row) {
                    return Err(anyhow!(
                        "line {}: the field `{}` has the name of a result, but none of the first rows has it; rename \
                         it, or give the rows as a file (--file FILE), whose fields are all read in advance",
                        row.line,
                        name.escape_debug()
                    ));
                }
                json_row(&mut lines, &self.heading, row, answer)?;
                continue;
            }
            let kept = kept(&self.heading, row)?;
            match &mut self.to {
                To::Table(file, table) => {
                    table.add(&self.heading.says, &kept, row, answer).with_context(|| file.unwritten())?
                }
                _ => csv_row(&mut csv, &self.heading, &kept, (row, answer), self.wanted.each)?,
            }
        }
        match self.wanted.form {
            Form::Csv => self.lines(&csv.into_inner()?),
            Form::Jsonl => self.lines(&lines),
            Form::Parquet => Ok(()),
        }
    }

    fn lines(&mut self, lines: &[u8]) -> Result<()> {
        match &mut self.to {
            To::Standard(out) => out.bytes(lines),
            To::Lines(file, packed) => packed.write_all(lines).with_context(|| file.unwritten()),
            To::Table(..) => Ok(()),
        }
    }

    /// Gives the file its name.
    pub fn finish(self) -> Result<()> {
        match self.to {
            To::Standard(_) => Ok(()),
            To::Lines(file, packed) => file.publish(*packed),
            To::Table(file, table) => {
                let packed = table.finish().with_context(|| file.unwritten())?;
                file.publish(packed)
            }
        }
    }
}

/// The kept values of a row, one for each column.
fn kept<'r>(heading: &Heading, row: &'r Text) -> Result<Vec<&'r Kept>> {
    heading.values(row).map_err(|name| {
        anyhow!(
            "line {}: the field `{}` is in none of the first rows, which determine the columns; give the rows as a \
             file (--file FILE), whose fields are all read in advance, or write JSON Lines (--out FILE.jsonl, or \
             --json), which keep the fields of each row",
            row.line,
            name.escape_debug()
        )
    })
}

//! The columns of the table of `taper list`, and which of them a terminal has room for.

use std::collections::HashMap;

use taper::{format::names, observe::swept_columns};

/// A column of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Its heading, as it is left out by.
    pub heading: String,
    /// A cell for each run.
    pub cells: Vec<String>,
}

/// Columns in the order in which they are left out.
pub const LEAST: [&str; 4] = ["time", "started", "train loss", "steps"];

/// A column for each key that runs of the names `all` differ in, with the values of those of the names `shown`.
fn swept(shown: &[String], all: &[String]) -> Option<names::Columns> {
    let every: Vec<&str> = all.iter().map(String::as_str).collect();
    let columns = swept_columns(&every).filter(|_| every.len() > 1)?;
    let values: HashMap<&str, &Vec<String>> = every.iter().copied().zip(&columns.values).collect();
    let values = shown.iter().map(|name| values.get(name.as_str()).map(|values| (*values).clone()));
    Some(names::Columns { values: values.collect::<Option<_>>()?, keys: columns.keys })
}

/// The columns as they fit a terminal: where every run then has one line, each key that the names `all` differ in has its own column, and
/// columns of less interest are left out, whose headings are returned.
pub fn arranged(mut columns: Vec<Column>, all: &[String], width: usize) -> (Vec<Column>, Vec<String>) {
    let widest = |column: &Column| {
        let cells = column.cells.iter().chain([&column.heading]);
        cells.map(|cell| console::measure_text_width(cell) + 1).max().unwrap_or(0)
    };
    let fits = |columns: &[Column]| columns.iter().map(widest).sum::<usize>() <= width;
    let whole = columns.clone();
    let at = columns.iter().position(|column| column.heading == "name").unwrap_or(0);
    // Runs of earlier plans may have names of another kind.
    let shown = &whole[at].cells;
    if let Some(keys) = swept(shown, all).or_else(|| swept(shown, shown)) {
        let cells = |key: usize| keys.values.iter().map(|values| values[key].clone()).collect();
        let keys = keys.keys.iter().enumerate().map(|(i, key)| Column { heading: key.clone(), cells: cells(i) });
        columns.splice(at..=at, keys);
    }
    let mut left_out = Vec::new();
    for heading in [None].into_iter().chain(LEAST.map(Some)) {
        if let Some(at) = columns.iter().position(|column| Some(column.heading.as_str()) == heading) {
            left_out.push(columns.remove(at).heading);
        }
        if fits(&columns) {
            return (columns, left_out);
        }
    }
    // Names are wrapped.
    (whole, Vec::new())
}

//! Maps label values of the file to label ids.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, HashMap},
};

use foldhash::fast::RandomState;
use rayon::prelude::*;

use super::{Row, error::shorten, invisible::escaped, settings::Wording};

/// The labels that a file may have.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    /// Value → name; empty: any value, which is its own name.
    pub(super) labels: &'a BTreeMap<String, String>,
    /// Names of the values 0, 1, …, for a column of class labels if `labels` is empty.
    pub(super) classes: Option<&'a [String]>,
    /// The file that they are the labels of.
    pub(super) of: Option<&'a str>,
}

/// What is wrong with a row whose label none has: the column and the value.
pub(super) fn unknown_label((column, value): (&str, &str), known: Known<'_>, wording: Wording) -> String {
    const SHOWN: usize = 20;
    let labels = known.labels;
    let mut names: Vec<String> = labels.keys().take(SHOWN).map(|key| format!("`{}`", escaped(key))).collect();
    if labels.len() > SHOWN {
        names.push(format!("and {} more", labels.len() - SHOWN));
    }
    let label = format!("label `{}` (column `{}`)", escaped(&shorten(value)), shorten(column));
    let names = names.join(", ");
    match (known.of, wording) {
        (Some(source), _) => format!(
            "{label} does not occur in {source}, whose labels are {names}; correct the label, or add training rows with it"
        ),
        (None, Wording::Keys) => {
            format!("{label} is not in data.labels, which has {names}; correct the label, or add it to data.labels")
        }
        (None, Wording::Options | Wording::Run { .. }) => {
            let is_number = |text: &str| text.trim().parse::<i64>().is_ok();
            // Numbers are what other tools call labels by.
            let hint = match is_number(value) && !labels.keys().any(|known| is_number(known)) {
                true => {
                    "; if the numbers stand for these, write the names instead, or train with data.labels = { 0 = \"NAME\", … }, so that both are read"
                }
                false => "",
            };
            format!("{label} is not a label of the model, whose labels are {names}{hint}")
        }
    }
}

/// The labels of a dataset that is being read.
pub(super) struct Labels {
    ids: HashMap<String, u32, RandomState>,
    /// Those of values of one byte, as most class labels are, by that byte: faster than a hash.
    of_one_byte: Vec<Option<u32>>,
    names: Vec<String>,
    /// Whether each new value becomes a label.
    open: bool,
}

impl Labels {
    /// Labels given as value and name, or collected from the file if `given` is empty. Values with the same name are one label.
    pub(super) fn new(given: &BTreeMap<String, String>) -> Self {
        let mut values: Vec<&String> = given.keys().collect();
        values.sort_by(|a, b| by_value(a, b));
        let mut names: Vec<String> = Vec::new();
        let mut ids = HashMap::default();
        for value in values {
            let id = names.iter().position(|name| *name == given[value]).unwrap_or_else(|| {
                names.push(given[value].clone());
                names.len() - 1
            });
            ids.insert(value.clone(), id as u32);
        }
        let mut of_one_byte = vec![None; 128];
        for (value, id) in &ids {
            if let Some(known) = of_one_byte.get_mut(one_byte(value)) {
                *known = Some(*id);
            }
        }
        Self { ids, of_one_byte, names, open: given.is_empty() }
    }

    /// The id of a value; `None` for a value that is not given. Ids of collected labels are provisional until [`Self::finish`].
    pub(super) fn id(&mut self, value: &str) -> Option<u32> {
        if let Some(known) = self.of_one_byte.get(one_byte(value)).copied().flatten() {
            return Some(known);
        }
        if let Some(&id) = self.ids.get(value) {
            return Some(id);
        }
        if !self.open {
            return None;
        }
        let id = self.names.len() as u32;
        if let Some(known) = self.of_one_byte.get_mut(one_byte(value)) {
            *known = Some(id);
        }
        self.ids.insert(value.to_owned(), id);
        self.names.push(value.to_owned());
        Some(id)
    }

    /// Their names so far, by id.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// The number of labels so far.
    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether a value is one of the labels so far.
    pub(super) fn knows(&self, value: &str) -> bool {
        self.ids.contains_key(value)
    }

    /// The names of the labels by id. Collected labels get the ids of their sorted values, also in `rows`.
    pub(super) fn finish(mut self, rows: &mut [Row]) -> Vec<String> {
        if self.open {
            let mut order: Vec<usize> = (0..self.names.len()).collect();
            order.sort_by(|&a, &b| by_value(&self.names[a], &self.names[b]));
            let mut sorted_id = vec![0; order.len()];
            for (id, &provisional) in order.iter().enumerate() {
                sorted_id[provisional] = id as u32;
            }
            if !sorted_id.is_sorted() {
                rows.par_iter_mut().for_each(|row| row.target = row.target.renamed(&sorted_id));
            }
            self.names.sort_by(|a, b| by_value(a, b));
        }
        self.names
    }
}

/// The byte of a value that has only one; beyond those of ASCII for any other.
fn one_byte(value: &str) -> usize {
    match value.as_bytes() {
        [byte] => usize::from(*byte),
        _ => 128,
    }
}

/// Integers first, by size; then all other values by code point.
fn by_value(a: &str, b: &str) -> Ordering {
    match (a.parse::<i128>(), b.parse::<i128>()) {
        (Ok(x), Ok(y)) => x.cmp(&y).then_with(|| a.cmp(b)),
        (Ok(_), Err(_)) => Ordering::Less,
        (Err(_), Ok(_)) => Ordering::Greater,
        (Err(_), Err(_)) => a.cmp(b),
    }
}

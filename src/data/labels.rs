//! From label values in the file to label ids.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, HashMap},
};

use super::Row;
use crate::task::Target;

/// The labels of a data set while it is read.
pub(super) struct Labels {
    ids: HashMap<String, u32>,
    names: Vec<String>,
    /// Whether values not known yet are labels of their own.
    open: bool,
}

impl Labels {
    /// Labels given by value and name, or found where `given` is empty. Values of the same name are one label.
    pub(super) fn new(given: &BTreeMap<String, String>) -> Self {
        let mut values: Vec<&String> = given.keys().collect();
        values.sort_by(|a, b| by_value(a, b));
        let mut names: Vec<String> = Vec::new();
        let mut ids = HashMap::new();
        for value in values {
            let id = names.iter().position(|name| *name == given[value]).unwrap_or_else(|| {
                names.push(given[value].clone());
                names.len() - 1
            });
            ids.insert(value.clone(), id as u32);
        }
        Self { ids, names, open: given.is_empty() }
    }

    /// The id of a value. While labels are being found, ids are provisional until [`Self::finish`].
    pub(super) fn id(&mut self, value: &str) -> Option<u32> {
        if let Some(&id) = self.ids.get(value) {
            return Some(id);
        }
        if !self.open {
            return None;
        }
        let id = self.names.len() as u32;
        self.ids.insert(value.to_owned(), id);
        self.names.push(value.to_owned());
        Some(id)
    }

    /// How many labels there are so far.
    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether a value is one of the labels so far.
    pub(super) fn knows(&self, value: &str) -> bool {
        self.ids.contains_key(value)
    }

    /// The names of the ids. Labels that were found get the ids of their sorted values, in `rows` too.
    pub(super) fn finish(mut self, rows: &mut [Row]) -> Vec<String> {
        if self.open {
            let mut order: Vec<usize> = (0..self.names.len()).collect();
            order.sort_by(|&a, &b| by_value(&self.names[a], &self.names[b]));
            let mut sorted_id = vec![0; order.len()];
            for (id, &provisional) in order.iter().enumerate() {
                sorted_id[provisional] = id as u32;
            }
            for row in rows {
                row.target = Target::Label(sorted_id[row.label() as usize]);
            }
            self.names.sort_by(|a, b| by_value(a, b));
        }
        self.names
    }
}

/// Integers by size and before everything else, the rest by code point: an order of any mixture.
fn by_value(a: &str, b: &str) -> Ordering {
    match (a.parse::<i128>(), b.parse::<i128>()) {
        (Ok(x), Ok(y)) => x.cmp(&y).then_with(|| a.cmp(b)),
        (Ok(_), Err(_)) => Ordering::Less,
        (Err(_), Ok(_)) => Ordering::Greater,
        (Err(_), Err(_)) => a.cmp(b),
    }
}

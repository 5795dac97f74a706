//! Maps label values of the file to label ids.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, HashMap},
};

use foldhash::fast::RandomState;

use super::Row;
use crate::task::Target;

/// The labels of a data set that is being read.
pub(super) struct Labels {
    ids: HashMap<String, u32, RandomState>,
    /// The first of them.
    few: Vec<(String, u32)>,
    names: Vec<String>,
    /// Whether each new value becomes a label.
    open: bool,
}

impl Labels {
    const FEW: usize = 4;

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
        let few = ids.iter().take(Self::FEW).map(|(value, id)| (value.clone(), *id)).collect();
        Self { ids, few, names, open: given.is_empty() }
    }

    /// The id of a value; `None` for a value that is not given. Ids of collected labels are provisional until [`Self::finish`].
    pub(super) fn id(&mut self, value: &str) -> Option<u32> {
        // Few labels are compared faster than one is hashed.
        let few = self.few.iter().find(|(known, _)| known == value).map(|(_, id)| *id);
        if let Some(id) = few.or_else(|| self.ids.get(value).copied()) {
            return Some(id);
        }
        if !self.open {
            return None;
        }
        let id = self.names.len() as u32;
        if self.few.len() < Self::FEW {
            self.few.push((value.to_owned(), id));
        }
        self.ids.insert(value.to_owned(), id);
        self.names.push(value.to_owned());
        Some(id)
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
            for row in rows {
                row.target = Target::Label(sorted_id[row.label() as usize]);
            }
            self.names.sort_by(|a, b| by_value(a, b));
        }
        self.names
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

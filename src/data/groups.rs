//! Groups of rows that belong together, while a file is read.

use std::collections::HashMap;

use super::{error::shorten, invisible::escaped};

/// The groups found so far, numbered in the order in which they occur.
#[derive(Default)]
pub(super) struct Groups<'a> {
    /// The column that names them; none if rows belong to no groups.
    column: Option<&'a str>,
    ids: HashMap<String, u32>,
    of_rows: Vec<u32>,
}

impl<'a> Groups<'a> {
    pub(super) fn new(column: Option<&'a str>) -> Self {
        Self { column, ..Self::default() }
    }

    /// Checks the value of a row before it is added.
    ///
    /// # Errors
    /// There is none: rows without a group would be taken to have nothing in common, and may belong together.
    pub(super) fn check(&self, value: &str) -> Result<(), String> {
        match self.column.filter(|_| value.is_empty()) {
            None => Ok(()),
            Some(column) => Err(format!(
                "`{}` is empty, so this row's group is unknown: give it the value of its group, or a value of its \
                 own if it belongs to none",
                escaped(&shorten(column))
            )),
        }
    }

    /// Adds the next row.
    pub(super) fn add(&mut self, value: &str) {
        if self.column.is_none() {
            return;
        }
        let next = self.ids.len() as u32;
        let id = match self.ids.get(value) {
            Some(id) => *id,
            None => *self.ids.entry(value.to_owned()).or_insert(next),
        };
        self.of_rows.push(id);
    }

    /// The group of each row; empty without a column.
    pub(super) fn finish(self) -> Vec<u32> {
        self.of_rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_numbered_as_they_occur() {
        let mut groups = Groups::new(Some("author"));
        ["b", "a", "b", "c"].into_iter().for_each(|value| groups.add(value));
        assert!(groups.check("").unwrap_err().starts_with("`author` is empty, so this row's group is unknown"));
        assert!(groups.check("a").is_ok() && Groups::new(None).check("").is_ok());
        assert_eq!(groups.finish(), [0, 1, 0, 2]);
        let mut none = Groups::new(None);
        none.add("");
        assert!(none.finish().is_empty());
    }
}

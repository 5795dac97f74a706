//! Rows whose split a column names.

use super::{error::shorten, invisible::escaped};
use crate::{
    format::{self, counted},
    plan::SplitValues,
};

/// The rows that a column assigns to the splits, while a file is read.
pub(super) struct Assigned<'a> {
    column: &'a str,
    /// Each split that has a value in `data.splits`, with the value and its rows.
    splits: Vec<(&'static str, &'a str, Vec<u32>)>,
}

impl<'a> Assigned<'a> {
    /// For a file without such a column, every row is free.
    pub(super) fn new(column: Option<&'a str>, splits: Option<&'a SplitValues>) -> Self {
        let named = splits.filter(|_| column.is_some()).into_iter().flat_map(SplitValues::named);
        let splits = named.map(|(split, value)| (split, value, Vec::new())).collect();
        Self { column: column.unwrap_or_default(), splits }
    }

    /// Assigns the row with index `row`, which has this value.
    ///
    /// # Errors
    /// The value is that of no split.
    pub(super) fn add(&mut self, value: &str, row: usize) -> Result<(), String> {
        if self.splits.is_empty() {
            return Ok(());
        }
        if let Some((_, _, rows)) = self.splits.iter_mut().find(|(_, of, _)| *of == value) {
            rows.push(row as u32);
            return Ok(());
        }
        let known: Vec<String> =
            self.splits.iter().map(|(split, value, _)| format!("`{}` ({split})", escaped(value))).collect();
        let found = match value {
            "" => "is empty".to_owned(),
            value => format!("is `{}`", escaped(&shorten(value))),
        };
        Err(format!(
            "`{}` {found}, which data.splits does not have: expected {}; correct the row, or assign this value to a \
             split in data.splits",
            self.column,
            format::or(&known)
        ))
    }

    /// The rows of the dev and test splits, of `all` rows.
    ///
    /// # Errors
    /// A split has no row.
    pub(super) fn finish(self, all: usize) -> Result<[Vec<u32>; 2], String> {
        let empty: Vec<String> = self
            .splits
            .iter()
            .filter(|(.., rows)| rows.is_empty())
            .map(|(split, value, _)| format!("`{}` ({split})", escaped(value)))
            .collect();
        if !empty.is_empty() {
            let (rows, column) = (counted(all as u64, "row"), self.column);
            return Err(format!(
                "none of the {rows} has {} in column `{column}`: correct data.splits",
                empty.join(" or ")
            ));
        }
        let [mut dev, mut test] = [Vec::new(), Vec::new()];
        for (split, _, rows) in self.splits {
            match split {
                "dev" => dev = rows,
                "test" => test = rows,
                _ => {}
            }
        }
        Ok([dev, test])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(dev: Option<&str>, test: Option<&str>) -> SplitValues {
        SplitValues { train: "train".into(), dev: dev.map(String::from), test: test.map(String::from) }
    }

    #[test]
    fn rows_go_to_the_split_that_their_value_names() {
        let splits = values(Some("validation"), Some("test"));
        let mut assigned = Assigned::new(Some("split"), Some(&splits));
        for (row, value) in ["train", "test", "validation", "train", "test"].into_iter().enumerate() {
            assigned.add(value, row).unwrap();
        }
        let error = assigned.add("valid", 5).unwrap_err();
        assert_eq!(
            error,
            "`split` is `valid`, which data.splits does not have: expected `train` (train), `validation` (dev) or \
             `test` (test); correct the row, or assign this value to a split in data.splits"
        );
        assert!(assigned.add("", 5).unwrap_err().starts_with("`split` is empty, which data.splits does not have"));
        assert_eq!(assigned.finish(5).unwrap(), [vec![2], vec![1, 4]]);
    }

    #[test]
    fn a_value_that_never_occurs_is_refused() {
        let splits = values(Some("dev"), None);
        let mut assigned = Assigned::new(Some("split"), Some(&splits));
        assigned.add("train", 0).unwrap();
        assert_eq!(
            assigned.finish(1).unwrap_err(),
            "none of the 1 row has `dev` (dev) in column `split`: correct data.splits"
        );
    }

    #[test]
    fn without_a_column_every_row_is_free() {
        let mut assigned = Assigned::new(None, None);
        assigned.add("", 0).unwrap();
        assert_eq!(assigned.finish(1).unwrap(), [Vec::<u32>::new(), Vec::new()]);
    }
}

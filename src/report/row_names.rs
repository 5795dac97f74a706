//! Names of rows whose texts are left out.

use std::{collections::HashMap, sync::Arc};

use super::language::tr;
use crate::store::PredictionRecord;

/// What a row is called in place of its texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowName {
    /// The name of the file with the row.
    pub file: Arc<str>,
    /// The line on which the row begins, from 1.
    pub line: u64,
    /// Which of the texts that runs of the report read on this line, from 1 in the order of the runs.
    pub version: u32,
}

impl RowName {
    /// The name in the language of the work in progress: `rows.csv, line 12`.
    pub fn said(&self) -> String {
        let (file, line) = (&self.file, self.line);
        match self.version {
            1 => tr!("{file}, line {line}", "{file} 第 {line} 行"),
            version => tr!("{file}, line {line} (version {version})", "{file} 第 {line} 行（版本 {version}）"),
        }
    }
}

/// The names of rows, by their index after cleaning and their line. Rows without a name are shown by their texts.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RowNames(HashMap<(u32, u64), RowName>);

impl RowNames {
    /// Names the row of this prediction.
    pub(super) fn insert(&mut self, p: &PredictionRecord, name: RowName) {
        self.0.insert((p.row, p.line), name);
    }

    /// The name of the row of this prediction.
    pub fn of(&self, p: &PredictionRecord) -> Option<&RowName> {
        self.0.get(&(p.row, p.line))
    }
}

impl<'a> FromIterator<&'a RowNames> for RowNames {
    fn from_iter<T: IntoIterator<Item = &'a RowNames>>(names: T) -> Self {
        Self(names.into_iter().flat_map(|names| names.0.clone()).collect())
    }
}

//! What the labels in a file mean: they may be values of `data.labels`, as in the training data, or names. A string can be both: the value
//! of one label and the name of another. Then all labels of the file are read in the same way.

use std::collections::BTreeMap;

use clap::ValueEnum;
use taper::{
    data::{TargetColumns, escaped},
    plan::DataConfig,
    task::{Target, Task},
};

use super::Unusable;

/// How the labels of a file are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LabelsAre {
    /// As in the training data.
    Values,
    /// As `data.labels` names them.
    Names,
}

/// String → label of each string that a label column may have.
type Meaning = BTreeMap<String, String>;

/// What the strings of a label column may mean.
pub struct LabelWords {
    values: Meaning,
    names: Meaning,
    are: Option<LabelsAre>,
    /// Whether labels are strings in a column. Otherwise they are columns.
    in_column: bool,
}

impl LabelWords {
    /// Those of a model with these labels, in the columns `target`. `are` is what the user says.
    ///
    /// # Errors
    /// The user says how labels are written, and there are none.
    pub fn new(
        config: &DataConfig,
        labels: &[String],
        target: &TargetColumns,
        are: Option<LabelsAre>,
    ) -> Result<Self, Unusable> {
        let in_column = !target.each && target.task != Task::Regression;
        if are.is_some() && !in_column {
            let what = "--labels-are says how the labels in a column are written, but the model reads numbers or one column for each label: \
                        leave it out";
            return Err(Unusable(anyhow::anyhow!(what)));
        }
        let given = config.labels.iter().filter(|(_, name)| labels.contains(name));
        let values = given.map(|(value, name)| (value.clone(), name.clone())).collect();
        let names = labels.iter().map(|name| (name.trim().to_owned(), name.clone())).collect();
        Ok(Self { values, names, are, in_column })
    }

    /// Whether the meaning of a string depends on the other labels of the file.
    pub fn depend_on_file(&self) -> bool {
        let is_another = |(value, name): (&String, &String)| self.names.get(value).is_some_and(|own| own != name);
        self.in_column && self.are.is_none() && self.values.iter().any(is_another)
    }

    /// What the strings mean; where that depends on the file, each is its own label until [`Self::of_file`].
    pub fn to_read(&self) -> Meaning {
        match self.are {
            // A dataset without `data.labels` has no other values than its names.
            Some(LabelsAre::Values) if !self.values.is_empty() => self.values.clone(),
            Some(_) => self.names.clone(),
            None if self.depend_on_file() => {
                self.values.keys().chain(self.names.keys()).map(|string| (string.clone(), string.clone())).collect()
            }
            None => self.names.iter().chain(&self.values).map(|(a, b)| (a.clone(), b.clone())).collect(),
        }
    }

    /// What the strings of `file` mean, in which `found` were found: the labels are values if all of them are, else names if all of them are.
    ///
    /// # Errors
    /// Some can only be values, and some only names; or all can be both, and the two readings differ.
    pub fn of_file(&self, file: &str, found: &Found) -> Result<&Meaning, Unusable> {
        let no_value = found.first(|string| !self.values.contains_key(string));
        let no_name = found.first(|string| !self.names.contains_key(string));
        let quoted = |string: &str| format!("`{}`", escaped(string));
        let what = match (no_value, no_name) {
            (Some((name, at_name)), Some((value, at_value))) => format!(
                "{file} mixes values and names of data.labels, so labels that can be either are ambiguous: {} (line {at_value}) is \
                 only a value, {} (line {at_name}) only a name; write all labels as values, or all as names",
                quoted(value),
                quoted(name)
            ),
            (None, Some(_)) => return Ok(&self.values),
            (Some(_), None) => return Ok(&self.names),
            (None, None) => match found.first(|string| self.values[string] != self.names[string]) {
                None => return Ok(&self.values),
                Some((string, line)) => format!(
                    "the labels in {file} can be values of data.labels or names: {} (line {line}) is the value of {}, and the name of \
                     another label; say which with --labels-are values or --labels-are names",
                    quoted(string),
                    quoted(&self.values[string])
                ),
            },
        };
        Err(Unusable(anyhow::anyhow!(what)))
    }

    /// The error for rows that are read only once, so that no label is known before it is used.
    pub fn only_once(&self) -> Unusable {
        let both: Vec<String> = self.values.keys().filter(|value| self.names.contains_key(*value)).cloned().collect();
        Unusable(anyhow::anyhow!(
            "the labels {} are values in data.labels, and also names of other labels; rows from a pipe are read only once, so taper cannot \
             find out first which is meant: say which with --labels-are values or --labels-are names",
            both.iter().map(|string| format!("`{}`", escaped(string))).collect::<Vec<_>>().join(", ")
        ))
    }
}

/// The strings that were found in a label column, by id, each with the first line that has it.
pub struct Found {
    strings: Vec<String>,
    lines: Vec<Option<u64>>,
}

impl Found {
    /// None of these so far.
    pub fn new(strings: &[String]) -> Self {
        Self { strings: strings.to_vec(), lines: vec![None; strings.len()] }
    }

    /// Looks at the target of the row on a line.
    pub fn look(&mut self, target: &Target, line: u64) {
        target.ids().iter().for_each(|id| {
            self.lines[*id as usize].get_or_insert(line);
        });
    }

    /// The first in the file that is such a string, with its line.
    fn first(&self, is: impl Fn(&str) -> bool) -> Option<(&str, u64)> {
        let found = self.strings.iter().zip(&self.lines).filter_map(|(string, line)| Some((string.as_str(), (*line)?)));
        found.filter(|(string, _)| is(string)).min_by_key(|(_, line)| *line)
    }
}

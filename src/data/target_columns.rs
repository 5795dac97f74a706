//! The columns that targets are read from.

use super::{DataConfig, settings::Wording};
use crate::task::Task;

/// The columns (or JSON fields) that hold the target of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetColumns {
    /// What the model is trained to do.
    pub task: Task,
    /// Their names. Never empty.
    pub names: Vec<String>,
    /// Whether each column has a part of the target: 0 or 1 for one label, or one of several numbers. Otherwise there is one column, which
    /// has all of it.
    pub each: bool,
    /// The separator of the labels of a row.
    pub separator: Option<String>,
}

impl TargetColumns {
    /// Those of a run, for a file in which the target is in the column `other`, if that is given by this option.
    ///
    /// # Errors
    /// One column cannot hold the target: the model predicts several numbers.
    pub fn of_run(config: &DataConfig, other: Option<&str>, option: &str) -> Result<Self, String> {
        let own = Self::from(config);
        match other {
            None => Ok(own),
            Some(_) if own.task == Task::Regression && own.names.len() > 1 => Err(format!(
                "{option} names one column, but the model predicts {} numbers ({}), each in a column of its own: {}, and give the \
                 columns of the file these names",
                own.names.len(),
                own.names.iter().map(|name| format!("`{}`", super::escaped(name))).collect::<Vec<_>>().join(", "),
                if option == "--labels" { "write --labels alone" } else { "leave it out" }
            )),
            Some(name) => Ok(Self { names: vec![name.to_owned()], each: false, ..own }),
        }
    }

    /// The key of a spec that names them.
    pub(super) fn key(&self) -> &'static str {
        if self.each { "label_columns" } else { "label_column" }
    }

    /// Whether a value may be a list of labels.
    pub(super) fn takes_lists(&self) -> bool {
        self.task == Task::MultiLabel && !self.each
    }

    /// Whether values are labels, which may have names that a dataset gives them.
    pub(super) fn has_labels(&self) -> bool {
        match self.task {
            Task::SingleLabel | Task::MultiLabel => !self.each,
            Task::Regression => false,
        }
    }

    /// What a value has to be, in a file that has types.
    pub(super) fn expects(&self) -> &'static str {
        match (self.task, self.each) {
            (Task::SingleLabel, _) => "a string, a number or a boolean",
            (Task::MultiLabel, false) => "a list of labels or a string",
            (Task::MultiLabel, true) => "0 or 1",
            (Task::Regression, _) => "a number",
        }
    }

    /// After the message about a list that is none of these: how several values are written.
    pub(super) fn instead_of_list(&self, wording: Wording) -> &'static str {
        match (self.task, wording) {
            (Task::SingleLabel, Wording::Keys) => {
                "; if a text can have several labels, set data.problem_type = \"multi_label_classification\""
            }
            (Task::Regression, Wording::Keys) => "; several numbers need a column each (data.label_columns)",
            _ => "",
        }
    }

    /// For a message: `column `a`` or `columns `a`, `b``.
    pub fn shown(&self) -> String {
        let names: Vec<String> = self.names.iter().map(|name| format!("`{}`", super::escaped(name))).collect();
        format!("column{} {}", if names.len() > 1 { "s" } else { "" }, names.join(", "))
    }
}

impl From<&DataConfig> for TargetColumns {
    fn from(config: &DataConfig) -> Self {
        let each = !config.label_columns.is_empty();
        let names = if each { config.label_columns.clone() } else { vec![config.label_column.clone()] };
        Self { task: config.task(), names, each, separator: config.label_separator.clone() }
    }
}

/// A column of one label for each row.
impl From<&str> for TargetColumns {
    fn from(name: &str) -> Self {
        Self { task: Task::SingleLabel, names: vec![name.into()], each: false, separator: None }
    }
}

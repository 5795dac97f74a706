//! Cells of CSV tables, and the names of labels.

use csv::Writer;

use super::input::RunInput;
use crate::{format::inert, metrics::Target, task::Task};

/// A table in memory.
pub type Table = Writer<Vec<u8>>;

/// Text from a spec, data or a model, as a cell.
pub fn text(cell: &str) -> String {
    inert(cell).into_owned()
}

/// Writes the targets of a run's rows as `taper predict` does: sets of labels can be read back.
#[derive(Clone, Copy)]
pub struct Targets<'a> {
    labels: &'a [String],
    separator: Option<&'a str>,
}

impl<'a> Targets<'a> {
    /// Those of this run.
    pub fn of(run: &'a RunInput) -> Self {
        let (labels, separator) = (&run.run.labels[..], run.run.config.data.label_separator.as_deref());
        Self { labels, separator: Target::sound(separator, labels) }
    }

    /// The cell of what a probe expects or is predicted as. Of sets, the labels of `shown` have `between` between them.
    pub fn probe(&self, task: Task, shown: &str, between: Option<&str>) -> String {
        let set = match shown {
            Target::NONE => Ok(Target::labels(Vec::new())),
            shown => task.expected(shown, between, self.labels),
        };
        match (task, set) {
            (Task::MultiLabel, Ok(set)) => self.cell(&set),
            _ => text(shown),
        }
    }

    /// The cell of a target.
    pub fn cell(&self, target: &Target) -> String {
        text(&target.written(self.labels, self.separator))
    }
}

/// The name of a label, or its number if the run has no name for it.
pub fn label_name(run: &RunInput, id: u32) -> String {
    run.run.labels.get(id as usize).cloned().unwrap_or_else(|| format!("label {id}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_probe_is_predicted_as_can_be_read_back() {
        let names = ["food", "price", "a;b"].map(String::from);
        let of = |separator: Option<&'static str>| Targets { labels: &names, separator };
        // As predictions.csv has sets: with the separator of the spec, or as a JSON list.
        let set = |shown| of(Some("+")).probe(Task::MultiLabel, shown, None);
        assert_eq!([set("food|price"), set("a;b"), set("(none)")], ["food+price", "a;b", ""]);
        assert_eq!(of(None).probe(Task::MultiLabel, "food|price", None), r#"["food","price"]"#);
        // What is expected has the separator of the spec.
        assert_eq!(of(Some("+")).probe(Task::MultiLabel, "price + food", Some("+")), "food+price");
        // Others stay as they are shown.
        assert_eq!(of(None).probe(Task::SingleLabel, "price", None), "price");
        assert_eq!(of(None).probe(Task::Regression, "1.5, 2", None), "1.5, 2");
        assert_eq!(of(None).probe(Task::MultiLabel, "unknown", None), "unknown");
    }
}

//! Completed runs for which the metric that ranks is undefined, and what is said of them.

use serde::Serialize;

use super::long_texts::few;
use crate::report::language::{Said, measured, tr};
use crate::{event::Split, format::counted, metrics::Metric, store::RunRecord};

/// A completed run for which the metric that ranks is undefined.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct UndefinedRun {
    /// Its key.
    pub key: String,
    /// Its name.
    pub name: String,
}

impl UndefinedRun {
    /// The run of this record.
    pub(super) fn of(run: &RunRecord) -> Self {
        Self { key: run.key.clone(), name: run.name.clone() }
    }
}

/// That the metric that ranks is undefined for completed runs with these names, and how their trials are ranked, if there are `several`; `None`
/// without names.
pub(super) fn undefined((split, metric): (Split, Metric), names: &[&str], several: bool) -> Option<String> {
    if names.is_empty() {
        return None;
    }
    let (what, few) = (measured(split, metric), few(names));
    let order = match several {
        true => tr!(
            "; a trial with such a run ranks below all others, and several such trials by their {} loss",
            "；含这种运行的试验排在其他试验之后，彼此按{}损失排序",
            split.said()
        ),
        false => String::new(),
    };
    let n = names.len();
    let runs = counted(n as u64, "completed run");
    Some(tr!("{what} is undefined for {runs} ({few}){order}", "{n} 次已完成的运行（{few}）的{what}无定义{order}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_without_a_value_are_named() {
        let of = |names: &[&str], several| undefined((Split::Dev, Metric::Mcc), names, several);
        assert_eq!(of(&[], true), None);
        assert_eq!(of(&["seed=2"], false).unwrap(), "dev MCC is undefined for 1 completed run (seed=2)");
        assert_eq!(
            of(&["a", "b"], true).unwrap(),
            "dev MCC is undefined for 2 completed runs (a; b); a trial with such a run ranks below all others, and several such trials by \
             their dev loss"
        );
    }
}

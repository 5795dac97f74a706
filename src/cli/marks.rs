//! Explains the marks in tables of runs and trials.

use taper::report::{NOT_FINAL, which_evaluation};

/// Explains the mark beside a state. `marked`: what has it, such as `a run`; `of_label`: whether all are of single labels.
pub fn mark(marked: &str, of_label: bool) -> String {
    let why = match of_label {
        true => "predicts only one label, or is no better than always predicting the most common label",
        false => "is no better than always making the same prediction",
    };
    format!("! {marked} that {why}")
}

/// Explains the mark of a best trial among those of experiments of any problem type.
pub const MARK_OF_BEST: &str =
    "! the best trial has a run that predicts only one label, or is no better than always making the same prediction";

/// Explains the mark beside a value. `are_best`: for each marked value whether it is that of the best evaluation so far, and not of the last
/// one; `is_pruned`: whether some of the runs were pruned, by a value that need not be the best one.
pub fn not_final_mark(are_best: impl Iterator<Item = bool> + Clone, is_pruned: bool) -> String {
    let is_other = is_pruned && are_best.clone().any(|best| best);
    let other = if is_other { "; not always the value that it was pruned by" } else { "" };
    format!("* {NOT_FINAL}: {}, at the step given after @{other}", which_evaluation(are_best))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_is_not_final_is_said_to_be_the_best_or_the_last() {
        let said = |best: &[bool], is_pruned| not_final_mark(best.iter().copied(), is_pruned);
        let best = "* not final: the best evaluation of each run so far, at the step given after @";
        assert_eq!(said(&[true], false), best);
        assert_eq!(said(&[true], true), format!("{best}; not always the value that it was pruned by"));
        let last = "* not final: the last evaluation of each run so far, at the step given after @";
        assert_eq!([said(&[false], false), said(&[false, false], true)], [last, last]);
        assert!(said(&[true, false], true).contains("or the last one without `checkpoint.keep"));
    }
}

//! Keys about cross-validation that contradict each other.

use super::{
    conflicts::{Conflict, conflict},
    schema::{PruneRule, Spec},
};

impl Spec {
    /// Whether its runs are those of a cross-validation, so that a fold is the test split of each.
    pub(super) fn has_folds(&self) -> bool {
        self.sweep.folds.is_some() || self.data.fold.is_some()
    }

    /// The share of the rows that is the test split of a run.
    pub(super) fn test_share(&self) -> f64 {
        let folds = self.data.fold.map(|fold| u64::from(fold.of())).or(self.sweep.folds);
        match (folds, self.data.test_value()) {
            (Some(folds), _) => 1.0 / folds as f64,
            (None, Some(_)) => 0.0,
            (None, None) => self.data.test.share(),
        }
    }

    /// The key that says that it has folds.
    pub(super) fn folds_key(&self) -> &'static str {
        if self.sweep.folds.is_some() { "sweep.folds" } else { "data.fold" }
    }
}

/// Contradictions that depend on which keys were set: `says_test`: `data.test` was; `says_fold`: `data.fold` was.
pub(super) fn of_layers(spec: &Spec, says_test: bool, says_fold: bool) -> Vec<Conflict> {
    let mut found = Vec::new();
    if !spec.has_folds() {
        return found;
    }
    let by = spec.folds_key();
    let mut refuse = |with: &str, message: String, help: &str| found.push(conflict(&[with, by], message, help));
    if spec.data.test_value().is_some() {
        let message = format!("`data.splits.test` and `{by}` both say which rows are the test split");
        refuse("data.splits", message, "remove `test` from data.splits, or remove the folds");
    } else if says_test && !spec.data.test.is_none() {
        let message = format!("`data.test` and `{by}` both say which rows are the test split: each fold is one");
        refuse("data.test", message, "remove `data.test` or set it to 0, or remove the folds");
    }
    if spec.sweep.folds.is_some() && says_fold {
        let message = "`sweep.folds` trains a run for every fold, and `data.fold` chooses one".into();
        refuse("data.fold", message, "remove one of them");
    }
    if spec.sweep.prune != PruneRule::None && spec.sweep.folds.is_some() {
        let message = format!(
            "`sweep.prune` does not work with `{by}`: the runs of a trial have different rows and so need not be evaluated at the same steps"
        );
        refuse(
            "sweep.prune",
            message,
            "remove one of them; `sweep.search` and `train.early_stopping_patience` work with folds",
        );
    }
    found
}

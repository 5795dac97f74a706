//! Settings of a run without effect beside its others: runs that differ only in these compute the same.

use super::super::{LossKind, RunConfig, schedule};

/// The settings of a run on `rows` training rows, or windows of them, with those that have no effect on it set to a fixed value: two runs
/// that are then equal compute the same. `vocabulary` is the number of tokens if a vocabulary is built; `is_short` is whether no text has more
/// tokens than the model reads at once.
pub fn without_effect(config: &RunConfig, rows: u64, vocabulary: Option<usize>, is_short: bool) -> RunConfig {
    let mut same = config.clone();
    let train = &mut same.train;
    let total = schedule::total_steps(train, rows);
    (train.warmup_steps, train.warmup_ratio) = (schedule::warmup_steps(train, total), 0.0);
    // No evaluation is the one that stops it: as its own warning says.
    if u64::from(train.early_stopping_patience) + 1 >= schedule::evaluations(train, rows) {
        train.early_stopping_patience = 0;
    }
    if train.early_stopping_patience == 0 {
        train.early_stopping_min_delta = 0.0;
    }
    if train.max_steps.is_some() {
        train.epochs = 0;
    }
    if train.weight_decay == 0.0 {
        train.no_decay.clear();
    }
    if train.loss != LossKind::Focal {
        train.focal_gamma = None;
    }
    // A vocabulary that has room left has all words of the training rows.
    if let Some(tokens) = vocabulary.filter(|tokens| *tokens < same.model.vocab_size) {
        same.model.vocab_size = tokens;
    }
    if is_short {
        same.data = same.data.without_lengths();
    }
    same
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        plan::{resolve, testing::spec},
        spec::{Long, Spec},
    };

    /// Whether two changes of the spec compute the same on 288 rows: 27 steps in 3 epochs.
    fn same(a: impl Fn(&mut Spec), b: impl Fn(&mut Spec), is_short: bool) -> bool {
        let of = |change: &dyn Fn(&mut Spec)| {
            let mut spec = spec();
            change(&mut spec);
            without_effect(&resolve(&spec).unwrap(), 288, Some(500), is_short)
        };
        of(&a) == of(&b)
    }

    #[test]
    fn settings_without_effect_make_no_difference() {
        assert!(same(|spec| spec.data.max_length = 96, |spec| spec.data.max_length = 200, true));
        assert!(same(|spec| spec.data.long = Long::Windows, |spec| spec.data.long = Long::HeadTail, true));
        assert!(same(|_| {}, |spec| spec.train.early_stopping_min_delta = 0.1, false));
        assert!(same(
            |spec| spec.train.early_stopping_patience = 9,
            |spec| spec.train.early_stopping_patience = 3,
            false
        ));
        assert!(same(|spec| spec.train.warmup_steps = 14, |spec| spec.train.warmup_ratio = 0.5, false));
        assert!(same(|spec| spec.model.vocab_size = 600, |spec| spec.model.vocab_size = 501, false));
        let steps = |spec: &mut Spec| spec.train.max_steps = Some(20);
        assert!(same(steps, |spec| (spec.train.max_steps, spec.train.epochs) = (Some(20), 7), false));
    }

    #[test]
    fn settings_with_an_effect_make_one() {
        assert!(!same(|spec| spec.data.max_length = 96, |spec| spec.data.max_length = 200, false));
        assert!(!same(|_| {}, |spec| spec.train.epochs = 7, true));
        assert!(!same(|spec| spec.train.early_stopping_patience = 1, |_| {}, true));
        let patient = |spec: &mut Spec| spec.train.early_stopping_patience = 1;
        assert!(!same(
            patient,
            |spec| (spec.train.early_stopping_patience, spec.train.early_stopping_min_delta) = (1, 0.1),
            true
        ));
        assert!(!same(|spec| spec.model.vocab_size = 400, |spec| spec.model.vocab_size = 501, true));
        assert!(!same(|spec| spec.train.weight_decay = 0.1, |_| {}, true));
        assert!(!same(|spec| spec.train.warmup_steps = 13, |spec| spec.train.warmup_ratio = 0.5, true));
    }
}

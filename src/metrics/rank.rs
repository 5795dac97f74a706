//! The order of results: one rule for the leaderboard, the live table and the report.

use std::cmp::Ordering;

use super::{Metric, Metrics, Score};

/// The scores by which a run or a trial is ranked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RankKey {
    /// The score of the metric that chooses (`checkpoint.metric`).
    pub score: Score,
    /// The score of the loss on the same rows, which breaks ties.
    pub loss_score: Score,
}

impl RankKey {
    /// The key of a result that is ranked by `metric`.
    pub fn new(metrics: &Metrics, metric: Metric) -> Self {
        Self { score: metrics.score(metric), loss_score: metrics.score(Metric::Loss) }
    }

    /// The means of several keys; `None` without keys.
    pub fn mean(results: &[Self]) -> Option<Self> {
        let mean = |of: fn(&Self) -> Score| Score::mean(results.iter().map(of));
        Some(Self { score: mean(|r| r.score)?, loss_score: mean(|r| r.loss_score)? })
    }
}

/// Whether an evaluation with the score `next` becomes the best of its run: one that only equals the best does not, and one that is undefined
/// never does.
pub fn is_new_best(best: Option<Score>, next: Score) -> bool {
    !next.is_undefined() && best.is_none_or(|best| next > best.or_worst())
}

/// The order of runs and trials, best first: by score, an undefined one as the worst, then by loss, `None` last. In a stable sort, ties keep
/// the order of the plan.
pub fn better_first(a: Option<RankKey>, b: Option<RankKey>) -> Ordering {
    let score = |key: Option<RankKey>| key.map_or(Score::WORST, |key| key.score.or_worst().rounded());
    let loss_score = |key: Option<RankKey>| key.map_or(Score::WORST, |key| key.loss_score.or_worst());
    score(b).total_cmp(&score(a)).then(loss_score(b).total_cmp(&loss_score(a)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_scores_are_ordered_by_loss_and_equal_losses_by_the_plan() {
        let score = |accuracy, loss| {
            Some(RankKey { score: Metric::Accuracy.score(accuracy), loss_score: Metric::Loss.score(loss) })
        };
        let order = |scores: &[Option<RankKey>]| {
            let mut order: Vec<usize> = (0..scores.len()).collect();
            order.sort_by(|&a, &b| better_first(scores[a], scores[b]));
            order
        };
        assert_eq!(order(&[score(0.9, 0.3), score(0.9, 0.2), score(0.95, 0.9), None]), [2, 1, 0, 3]);
        assert_eq!(order(&[score(0.9, 0.3), score(0.9, 0.3), score(0.9, 0.3)]), [0, 1, 2]);
        // The mean of 0.1, 0.2 and 0.3 differs in its last bit from that of 0.3, 0.2 and 0.1.
        assert_eq!(order(&[score((0.1 + 0.2) + 0.3, 0.3), score((0.3 + 0.2) + 0.1, 0.2)]), [1, 0]);
        assert_eq!(order(&[score(0.9, f64::NAN), score(0.9, 5.0)]), [1, 0]);
        // Undefined scores come after all others, by their loss, and before what was not measured.
        let undefined = |loss| score(f64::NAN, loss);
        assert_eq!(order(&[None, undefined(0.4), undefined(0.2), score(0.1, 9.0)]), [3, 2, 1, 0]);
    }

    /// A metric can be undefined at first, such as the MCC of a model that predicts one label.
    #[test]
    fn an_undefined_score_is_never_the_best() {
        let score = |value| Metric::Mcc.score(value);
        assert!(!is_new_best(None, score(f64::NAN)) && is_new_best(None, score(-0.5)));
        // As states of earlier versions have it.
        assert!(is_new_best(Some(score(f64::NAN)), score(-0.5)));
        assert!(
            !is_new_best(Some(score(-0.5)), score(f64::NAN)) && !is_new_best(Some(score(f64::NAN)), score(f64::NAN))
        );
    }
}

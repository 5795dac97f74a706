//! Which of several results is better: one rule for the leaderboard, the live table and the report.

use std::cmp::Ordering;

use super::{Metric, Metrics, Score};

/// How good a run or a trial is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judged {
    /// By the metric that chooses.
    pub score: Score,
    /// By the loss on the same rows, which decides between equal scores.
    pub by_loss: Score,
}

impl Judged {
    /// A result, judged by `metric`.
    pub fn new(metrics: &Metrics, metric: Metric) -> Self {
        Self { score: metrics.score(metric), by_loss: metrics.score(Metric::Loss) }
    }

    /// The means of several results; none of none.
    pub fn mean(results: &[Self]) -> Option<Self> {
        let mean = |of: fn(&Self) -> Score| Score::mean(results.iter().map(of));
        Some(Self { score: mean(|r| r.score)?, by_loss: mean(|r| r.by_loss)? })
    }
}

/// Whether an evaluation of this score becomes the best of its run: one that is only as good as an earlier one does not.
pub fn is_new_best(best: Option<Score>, next: Score) -> bool {
    best.is_none_or(|best| next > best)
}

/// The order of runs and trials, best first: the higher score, of equal ones the better loss; none last. What is equal in both
/// stays in the order that it came in, which is the plan's.
pub fn better_first(a: Option<Judged>, b: Option<Judged>) -> Ordering {
    let score = |judged: Option<Judged>| judged.map_or(Score::WORST, |j| j.score.rounded());
    let by_loss = |judged: Option<Judged>| judged.map_or(Score::WORST, |j| j.by_loss.or_worst());
    score(b).total_cmp(&score(a)).then(by_loss(b).total_cmp(&by_loss(a)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_scores_go_by_loss_and_equal_losses_stay_in_the_plans_order() {
        let score = |accuracy, loss| {
            Some(Judged { score: Metric::Accuracy.score(accuracy), by_loss: Metric::Loss.score(loss) })
        };
        let order = |scores: &[Option<Judged>]| {
            let mut order: Vec<usize> = (0..scores.len()).collect();
            order.sort_by(|&a, &b| better_first(scores[a], scores[b]));
            order
        };
        assert_eq!(order(&[score(0.9, 0.3), score(0.9, 0.2), score(0.95, 0.9), None]), [2, 1, 0, 3]);
        assert_eq!(order(&[score(0.9, 0.3), score(0.9, 0.3), score(0.9, 0.3)]), [0, 1, 2]);
        // The mean of 0.1, 0.2 and 0.3 is not to the bit that of 0.3, 0.2 and 0.1.
        assert_eq!(order(&[score((0.1 + 0.2) + 0.3, 0.3), score((0.3 + 0.2) + 0.1, 0.2)]), [1, 0]);
        assert_eq!(order(&[score(0.9, f64::NAN), score(0.9, 5.0)]), [1, 0]);
    }
}

//! The majority-class baseline of a run, and whether the run beats it. Pure functions of records.

use super::{format, input::RunInput};
use crate::report::language::{is_chinese, tr};
use crate::{
    metrics::{Degenerate, Metrics, majority, majority_words},
    plan::Metric,
    stats::Paired,
};

/// A classifier that predicts the most common label for every row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Baseline {
    /// Id of the label.
    pub label: u32,
    /// The label in a few words: `the most common training label`. Runs of earlier versions did not store training counts; for those it is
    /// the most common label of the evaluated rows, and the words say so.
    pub words: String,
}

impl Baseline {
    /// The baseline of a run with a result.
    pub fn of(run: &RunInput) -> Option<Self> {
        let metrics = run.run.final_metrics.as_ref()?;
        let of = |rows: &[u64], of_training| {
            let words = match is_chinese() {
                false => majority_words(rows, if of_training { "training label" } else { "label" }),
                true => majority_in_chinese(rows, if of_training { "训练标签" } else { "标签" }),
            };
            majority(rows).map(|label| Self { label, words })
        };
        let training = run.run.train_labels.as_deref().and_then(|rows| of(rows, true));
        training.or_else(|| of(&metrics.confusion.supports(), false))
    }

    /// Its accuracy on the rows of an evaluation.
    pub fn accuracy(&self, metrics: &Metrics) -> f64 {
        metrics.right_if_always(self.label) as f64 / metrics.rows.max(1) as f64
    }

    /// Compares a model's accuracy with the baseline's on the same rows.
    pub fn against(&self, metrics: &Metrics) -> AgainstBaseline {
        let right = metrics.right_if_always(self.label);
        let both = metrics.confusion.get(self.label, self.label);
        let (first_only, second_only) = (metrics.right() - both, right - both);
        let paired = Paired { both, first_only, second_only, neither: metrics.rows - both - first_only - second_only };
        let difference = (metrics.right() as f64 - right as f64) / metrics.rows.max(1) as f64;
        match (metrics.degenerate_beside(self.label, Metric::Accuracy), paired.mcnemar()) {
            (Some(Degenerate::OneClass(label)), _) => AgainstBaseline::OneClass(label),
            (Some(Degenerate::NoBetter { .. }), _) => AgainstBaseline::NoBetter,
            (None, p) if p < 0.05 => AgainstBaseline::Better { difference },
            (None, p) => AgainstBaseline::Unsure { difference, p },
        }
    }
}

/// How the most common label compares with the others, as [`majority_words`] says it in English.
fn majority_in_chinese(rows: &[u64], label: &str) -> String {
    let most = rows.iter().max().copied().unwrap_or(0);
    match (rows.iter().filter(|n| **n == most).count(), rows.len()) {
        (1, _) => format!("最常见的{label}"),
        (n, all) if n == all => format!("与其他所有{label}同样常见"),
        (n, _) => format!("{n} 个最常见的{label}之一"),
    }
}

/// The result of comparing a model with the baseline.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum AgainstBaseline {
    /// It predicts this one label for every row, though the rows have several.
    OneClass(u32),
    /// It is right on at most as many rows.
    NoBetter,
    /// It is right on more rows, but the difference may be chance.
    Unsure {
        /// Its accuracy minus the baseline's.
        difference: f64,
        /// p-value of McNemar's exact test.
        p: f64,
    },
    /// It is right on significantly more rows.
    Better {
        /// Its accuracy minus the baseline's.
        difference: f64,
    },
}

impl AgainstBaseline {
    /// The comparison as a sentence that follows one about the baseline. `what` is compared: `the best run`. `label` gives the names of
    /// labels.
    pub fn sentence(&self, what: &str, label: impl Fn(u32) -> String) -> String {
        let what = format::capital(what);
        match self {
            Self::OneClass(id) => tr!("{what} predicts “{}” for every row.", "{what}对每一行都预测“{}”。", label(*id)),
            Self::NoBetter => tr!("{what} is no better than the baseline.", "{what}不比基线更好。"),
            Self::Unsure { difference, p } => tr!(
                "{what} is {} points above the baseline, which may be chance (exact McNemar test, {}).",
                "{what}比基线高 {} 个百分点，但可能是偶然（精确麦克尼马尔（McNemar）检验，{}）。",
                format::decimals(difference * 100.0, 1),
                format::p_value(*p)
            ),
            Self::Better { difference } => {
                tr!(
                    "{what} is {} points above the baseline.",
                    "{what}比基线高 {} 个百分点。",
                    format::decimals(difference * 100.0, 1)
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Scored;

    fn metrics(cells: &[(u32, u32, usize)]) -> Metrics {
        let names = ["a", "b", "c"].map(String::from);
        let scored = |&(label, predicted, rows): &(u32, u32, usize)| {
            std::iter::repeat_n(Scored::of_label(label, (predicted, 0.5), &[], 0.7), rows)
        };
        Metrics::new(&names, cells.iter().flat_map(scored))
    }

    #[test]
    fn a_model_is_compared_with_the_majority_class() {
        let baseline_a = Baseline { label: 0, words: String::new() };
        // 10 rows of `a` and 8 of `b`: all predicted as `a`; all as `b`.
        assert_eq!(baseline_a.against(&metrics(&[(0, 0, 10), (1, 0, 8)])), AgainstBaseline::OneClass(0));
        assert_eq!(baseline_a.against(&metrics(&[(0, 1, 10), (1, 1, 8)])), AgainstBaseline::OneClass(1));
        // As many right as the baseline, and fewer.
        assert_eq!(
            baseline_a.against(&metrics(&[(0, 0, 8), (0, 1, 2), (1, 1, 2), (1, 0, 6)])),
            AgainstBaseline::NoBetter
        );
        assert_eq!(
            baseline_a.against(&metrics(&[(0, 0, 5), (0, 1, 5), (1, 1, 2), (1, 0, 6)])),
            AgainstBaseline::NoBetter
        );
        // scipy: binomtest(0, 4).pvalue = 0.125, binomtest(1, 20).pvalue = 4.0e-5.
        let few = baseline_a.against(&metrics(&[(0, 0, 10), (1, 1, 4), (1, 0, 4)]));
        assert_eq!(few, AgainstBaseline::Unsure { difference: 4.0 / 18.0, p: 0.125 });
        let many = baseline_a.against(&metrics(&[(0, 0, 9), (0, 2, 1), (1, 1, 19), (1, 0, 1)]));
        assert_eq!(many, AgainstBaseline::Better { difference: 18.0 / 30.0 });
        // The most common training label need not be the most common of the evaluated rows.
        let always_c = Baseline { label: 2, ..baseline_a.clone() };
        let measured = metrics(&[(0, 0, 3), (1, 0, 3), (2, 2, 1), (2, 0, 1)]);
        assert_eq!(always_c.accuracy(&measured), 0.25);
        assert_eq!(metrics(&[(1, 1, 5)]).one_class(), None);
    }

    #[test]
    fn a_verdict_says_what_was_compared() {
        let said = |verdict: AgainstBaseline, what: &str| verdict.sentence(what, |_| "a".into());
        let better = AgainstBaseline::Better { difference: 0.425 };
        assert_eq!(said(better, "the best run"), "The best run is 42.5 points above the baseline.");
        assert_eq!(said(AgainstBaseline::NoBetter, "the model"), "The model is no better than the baseline.");
        assert_eq!(said(AgainstBaseline::OneClass(0), "the best trial"), "The best trial predicts “a” for every row.");
    }
}

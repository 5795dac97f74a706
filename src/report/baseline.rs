//! What a run would get by always giving one label, and whether it does better. Pure functions of records.

use super::{format, input::RunInput};
use crate::{
    metrics::{Metrics, NoResult, is_tied, majority},
    plan::Metric,
    stats::Paired,
};

/// Always giving the most common label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Baseline {
    /// Id of the label.
    pub label: u32,
    /// Whether it is the most common one of the training rows. Runs of earlier versions did not store those: then it is that of the
    /// rows that are measured.
    pub of_training: bool,
    /// Whether another label is as common.
    pub tied: bool,
}

impl Baseline {
    /// The baseline of a run with a result.
    pub fn of(run: &RunInput) -> Option<Self> {
        let metrics = run.run.final_metrics.as_ref()?;
        let of =
            |rows: &[u64], of_training| majority(rows).map(|label| Self { label, of_training, tied: is_tied(rows) });
        let training = run.run.train_labels.as_deref().and_then(|rows| of(rows, true));
        training.or_else(|| of(&metrics.confusion.supports(), false))
    }

    /// Its accuracy on the rows of an evaluation.
    pub fn accuracy(&self, metrics: &Metrics) -> f64 {
        metrics.right_by_always(self.label) as f64 / metrics.rows.max(1) as f64
    }

    /// What it is, in a few words.
    pub fn word(&self) -> &'static str {
        match (self.of_training, self.tied) {
            (true, false) => "the most common training label",
            (true, true) => "one of the most common training labels",
            (false, false) => "the most common label",
            (false, true) => "one of the most common labels",
        }
    }

    /// The same in a chart's legend, where there is less room.
    pub fn legend(&self) -> &'static str {
        match (self.of_training, self.tied) {
            (_, true) => "tied majority label",
            (true, false) => "majority training label",
            (false, false) => "majority label",
        }
    }

    /// How a model compares with it on the same rows, by accuracy.
    pub fn against(&self, metrics: &Metrics) -> Standing {
        let right = metrics.right_by_always(self.label);
        let both = metrics.confusion.get(self.label, self.label);
        let (first_only, second_only) = (metrics.right() - both, right - both);
        let paired = Paired { both, first_only, second_only, neither: metrics.rows - both - first_only - second_only };
        let difference = (metrics.right() as f64 - right as f64) / metrics.rows.max(1) as f64;
        match (metrics.no_result(self.label, Metric::Accuracy), paired.mcnemar()) {
            (Some(NoResult::OneClass(label)), _) => Standing::OneClass(label),
            (Some(NoResult::NoBetter { .. }), _) => Standing::NoBetter,
            (None, p) if p < 0.05 => Standing::Better { difference },
            (None, p) => Standing::Unsure { difference, p },
        }
    }
}

/// A model beside always giving one label.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Standing {
    /// It gives all rows this label, though they have several.
    OneClass(u32),
    /// It is right on no more rows.
    NoBetter,
    /// It is right on more rows, but they may be chance.
    Unsure {
        /// Its accuracy less the baseline's.
        difference: f64,
        /// p-value of McNemar's exact test.
        p: f64,
    },
    /// It is right on more rows.
    Better {
        /// Its accuracy less the baseline's.
        difference: f64,
    },
}

impl Standing {
    /// In words, as a sentence about “it”. `label` names labels.
    pub fn sentence(&self, always: &str, label: impl Fn(u32) -> String) -> String {
        match self {
            Self::OneClass(id) => format!("It answers “{}” for every row.", label(*id)),
            Self::NoBetter => format!("It is no better than always answering “{always}”."),
            Self::Unsure { difference, p } => format!(
                "It is {:.1} points above always answering “{always}”, which may be chance (exact McNemar test, {}).",
                difference * 100.0,
                format::p_value(*p)
            ),
            Self::Better { difference } => {
                format!("It is {:.1} points above always answering “{always}”.", difference * 100.0)
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
            std::iter::repeat_n(Scored { label, predicted, confidence: 0.5, loss: 0.7 }, rows)
        };
        Metrics::new(&names, cells.iter().flat_map(scored))
    }

    #[test]
    fn a_model_is_held_beside_always_giving_one_label() {
        let always_a = Baseline { label: 0, of_training: true, tied: false };
        // Of 10 rows of `a` and 8 of `b`, all taken for `a`; all for `b`.
        assert_eq!(always_a.against(&metrics(&[(0, 0, 10), (1, 0, 8)])), Standing::OneClass(0));
        assert_eq!(always_a.against(&metrics(&[(0, 1, 10), (1, 1, 8)])), Standing::OneClass(1));
        // As many right, and fewer.
        assert_eq!(always_a.against(&metrics(&[(0, 0, 8), (0, 1, 2), (1, 1, 2), (1, 0, 6)])), Standing::NoBetter);
        assert_eq!(always_a.against(&metrics(&[(0, 0, 5), (0, 1, 5), (1, 1, 2), (1, 0, 6)])), Standing::NoBetter);
        // scipy: binomtest(0, 4).pvalue = 0.125, binomtest(1, 20).pvalue = 4.0e-5.
        let few = always_a.against(&metrics(&[(0, 0, 10), (1, 1, 4), (1, 0, 4)]));
        assert_eq!(few, Standing::Unsure { difference: 4.0 / 18.0, p: 0.125 });
        let many = always_a.against(&metrics(&[(0, 0, 9), (0, 2, 1), (1, 1, 19), (1, 0, 1)]));
        assert_eq!(many, Standing::Better { difference: 18.0 / 30.0 });
        // The training rows' most common label need not be that of the rows measured.
        let always_c = Baseline { label: 2, of_training: true, tied: false };
        let measured = metrics(&[(0, 0, 3), (1, 0, 3), (2, 2, 1), (2, 0, 1)]);
        assert_eq!(always_c.accuracy(&measured), 0.25);
        assert_eq!(metrics(&[(1, 1, 5)]).one_class(), None);
    }
}

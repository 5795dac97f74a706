//! Precision, recall and F1 from the counts of labels. A value is NaN where it is 0/0: undefined.

/// How often a label occurs in the rows, in the predictions, and in both.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Rows that have the label and are predicted to have it.
    pub right: u64,
    /// Rows that are predicted to have it.
    pub predicted: u64,
    /// Rows that have it.
    pub support: u64,
}

impl Counts {
    /// Share (0 to 1) of the rows predicted to have the label that have it.
    pub fn precision(self) -> f64 {
        ratio(self.right, self.predicted)
    }

    /// Share (0 to 1) of the rows that have the label that are predicted to have it.
    pub fn recall(self) -> f64 {
        ratio(self.right, self.support)
    }

    /// Twice the right ones by all predicted and all in the rows: the harmonic mean of precision and recall, 0 if none is right.
    pub fn f1(self) -> f64 {
        ratio(2 * self.right, self.predicted + self.support)
    }

    /// Whether the label is in the rows or in the predictions.
    pub fn occurs(self) -> bool {
        self.predicted + self.support > 0
    }

    /// The counts of the rows of both.
    pub fn plus(self, other: Self) -> Self {
        Self {
            right: self.right + other.right,
            predicted: self.predicted + other.predicted,
            support: self.support + other.support,
        }
    }
}

/// How the values of the labels are joined, as in scikit-learn's `average`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Average {
    /// The value of the sums of the counts.
    Micro,
    /// The mean over the labels that occur in the rows or in the predictions.
    Macro,
    /// The mean over the same labels, weighted by the rows that have each.
    Weighted,
}

impl Average {
    /// The average of `value`, such as [`Counts::f1`], over labels. NaN if no label occurs, or if the value of one that occurs is
    /// undefined: the cases in which scikit-learn warns that the metric is ill-defined.
    pub fn of(self, labels: &[Counts], value: fn(Counts) -> f64) -> f64 {
        if self == Self::Micro {
            return value(labels.iter().copied().fold(Counts::default(), Counts::plus));
        }
        let weight = |label: Counts| if self == Self::Macro { 1.0 } else { label.support as f64 };
        let occurring = labels.iter().copied().filter(|label| label.occurs());
        let sum = |(sum, weights): (f64, f64), label| (sum + weight(label) * value(label), weights + weight(label));
        let (sum, weights) = occurring.fold((0.0, 0.0), sum);
        sum / weights
    }
}

/// `a / b`; NaN if both are 0.
pub(super) fn ratio(a: u64, b: u64) -> f64 {
    a as f64 / b as f64
}

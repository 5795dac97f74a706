//! What a confusion matrix says besides its diagonal: balanced accuracy, Matthews' correlation, quadratic-weighted kappa. A value is NaN
//! where it is 0/0: undefined.

use super::confusion::Confusion;

impl Confusion {
    /// Mean recall of the labels that have rows: scikit-learn's `balanced_accuracy_score`.
    pub fn balanced_accuracy(&self) -> f64 {
        let with_rows = self.counts().into_iter().filter(|label| label.support > 0);
        let (sum, n) = with_rows.fold((0.0, 0.0), |(sum, n), label| (sum + label.recall(), n + 1.0));
        sum / n
    }

    /// Matthews' correlation coefficient, −1 to 1: scikit-learn's `matthews_corrcoef`, but undefined where the labels or the predictions
    /// are constant.
    pub fn mcc(&self) -> f64 {
        let whole = i128::from(self.rows());
        let (supports, predicted) = (self.supports(), self.predicted());
        let dot = |a: &[u64], b: &[u64]| a.iter().zip(b).map(|(a, b)| i128::from(*a) * i128::from(*b)).sum::<i128>();
        let covariance = i128::from(self.right()) * whole - dot(&supports, &predicted);
        let variance = |counts: &[u64]| (whole * whole - dot(counts, counts)) as f64;
        covariance as f64 / (variance(&supports) * variance(&predicted)).sqrt()
    }

    /// Cohen's kappa with squared distances of ids as weights, −1 to 1: scikit-learn's `cohen_kappa_score(weights="quadratic")` with all
    /// labels. The labels are ordinal, in the order of their ids. Undefined if all rows and all predictions have the same label.
    pub fn quadratic_kappa(&self) -> f64 {
        let distances =
            |(label, predicted, rows): (u32, u32, u64)| i128::from(label.abs_diff(predicted)).pow(2) * i128::from(rows);
        let observed: i128 = self.cells().map(distances).sum();
        // Sums of rows · id^power.
        let moment = |counts: &[u64], power| -> i128 {
            (0i128..).zip(counts).map(|(id, rows)| id.pow(power) * i128::from(*rows)).sum()
        };
        let (labels, predicted) = (self.supports(), self.predicted());
        let squares = moment(&labels, 2) + moment(&predicted, 2);
        let whole = i128::from(self.rows());
        let expected = whole * squares - 2 * moment(&labels, 1) * moment(&predicted, 1);
        1.0 - (whole * observed) as f64 / expected as f64
    }
}

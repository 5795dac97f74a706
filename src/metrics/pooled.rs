//! The metrics of several evaluations together.

use super::{
    Metric,
    classes::{per_class, per_label},
    confusion::Confusion,
    counts::Counts,
    derived,
    measured::Metrics,
};

impl Metrics {
    /// The metrics of the rows of several evaluations together, such as those of the folds of a cross-validation, all of which have the same
    /// labels: each row counts once. Metrics that do not follow from theirs are left out: the calibration error, ROC AUC, average precision,
    /// samples-precision and -recall, R², correlations, and the RMSE of columns whose errors differ. `None` without evaluations.
    pub fn pooled(parts: &[&Self]) -> Option<Self> {
        let first = parts.first()?;
        let names = first.per_class.iter().map(|class| &class.label);
        let rows = parts.iter().map(|part| part.rows).sum();
        let confusion = sum(first.confusion.labels(), parts.iter().map(|part| &part.confusion));
        let of_sets = parts.iter().any(|part| part.is_measured(Metric::SubsetAccuracy));
        let of_numbers = parts.iter().any(|part| part.is_measured(Metric::Mse));
        let mut pooled = if of_sets {
            let counts = counts(parts);
            let mut pooled =
                Self::stored(rows, per_label(names, counts.as_deref().unwrap_or_default(), None), confusion);
            pooled.set_all(counts.iter().flat_map(|counts| derived::of_counts(counts)));
            pooled.set_means(parts, &[Metric::SubsetAccuracy, Metric::HammingLoss, Metric::SamplesF1]);
            let together: Option<Vec<&Confusion>> = parts.iter().map(|part| part.co_occurrence.as_ref()).collect();
            pooled.co_occurrence = together.map(|all| sum(all[0].labels(), all.into_iter()));
            pooled
        } else if of_numbers {
            let mut pooled = Self::stored(rows, Vec::new(), confusion);
            pooled.set_means(parts, &[Metric::Mse, Metric::Mae]);
            // The mean of roots is the root of the mean only if all columns have the same error.
            let alike = |part: &&Self| {
                let mse = part.get(Metric::Mse);
                (part.get(Metric::Rmse).powi(2) - mse).abs() <= 1e-12 * mse
            };
            if parts.iter().filter(|part| part.rows > 0).all(alike) {
                pooled.set(Metric::Rmse, pooled.get(Metric::Mse).sqrt());
            }
            pooled
        } else {
            let mut pooled = Self::stored(rows, per_class(names, &confusion), confusion);
            pooled.set_all(derived::of_confusion(&pooled.confusion));
            pooled
        };
        pooled.set_means(parts, &[Metric::Loss, Metric::Brier]);
        Some(pooled)
    }

    /// Sets those of these metrics that all parts have to the means over the rows of the parts.
    fn set_means(&mut self, parts: &[&Self], metrics: &[Metric]) {
        for &metric in metrics.iter().filter(|metric| parts.iter().all(|part| part.is_measured(**metric))) {
            let with_rows = parts.iter().filter(|part| part.rows > 0);
            let sum: f64 = with_rows.map(|part| part.get(metric) * part.rows as f64).sum();
            self.set(metric, sum / self.rows as f64);
        }
    }
}

fn sum<'a>(labels: usize, parts: impl Iterator<Item = &'a Confusion>) -> Confusion {
    let mut all = Confusion::new(labels);
    parts.flat_map(Confusion::cells).for_each(|(label, predicted, rows)| all.add(label, predicted, rows));
    all
}

/// The counts of each label of all parts; `None` if they do not follow from a part.
fn counts(parts: &[&Metrics]) -> Option<Vec<Counts>> {
    let of = |part: &&Metrics| part.per_class.iter().map(|class| class.counts()).collect::<Option<Vec<Counts>>>();
    let mut parts = parts.iter().map(of).collect::<Option<Vec<_>>>()?.into_iter();
    let first = parts.next()?;
    Some(parts.fold(first, |sum, part| sum.into_iter().zip(part).map(|(a, b)| a.plus(b)).collect()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::metrics::Scored;

    /// All metrics of `all` but `left_out` are in `pooled`, with their values.
    fn same_but(pooled: &Metrics, all: &Metrics, left_out: &[Metric]) {
        for (metric, want) in all.values() {
            assert_eq!(pooled.is_measured(metric), !left_out.contains(&metric), "{metric:?}");
            let got = pooled.get(metric);
            assert!(
                left_out.contains(&metric) || (got - want).abs() < 1e-14 || got.is_nan() && want.is_nan(),
                "{metric:?}"
            );
        }
        assert!(pooled.values().all(|(metric, _)| all.is_measured(metric)));
    }

    /// The rows of two evaluations are those of one; only the calibration error is not known of both together.
    #[test]
    fn pooled_metrics_are_those_of_all_rows() {
        let names: Vec<String> = ["a", "b", "c"].map(String::from).to_vec();
        let row = |(label, predicted, loss)| {
            let p = [0, 1, 2].map(|id| if id == predicted { 0.7 } else { 0.15 });
            Scored::of_label(label, (predicted, 0.7), &p, loss)
        };
        let rows = [(0, 0, 0.1), (0, 1, 0.9), (1, 1, 0.2), (2, 2, 0.4), (2, 0, 1.5), (1, 1, 0.3), (0, 0, 0.6)];
        let of = |rows: &[(u32, u32, f64)]| Metrics::new(&names, rows.iter().copied().map(row));
        let (all, parts) = (of(&rows), [of(&rows[..3]), of(&rows[3..])]);
        let pooled = Metrics::pooled(&parts.iter().collect::<Vec<_>>()).unwrap();
        assert_eq!((pooled.rows, &pooled.per_class, &pooled.confusion), (7, &all.per_class, &all.confusion));
        same_but(&pooled, &all, &[Metric::CalibrationError, Metric::RocAuc, Metric::AveragePrecision]);
        // Not the mean of those of the parts.
        let mean = parts.iter().map(|part| part.get(Metric::Accuracy)).sum::<f64>() / 2.0;
        assert!((pooled.get(Metric::Accuracy) - mean).abs() > 1e-3);
        assert_eq!(Metrics::pooled(&[]), None);
    }

    #[test]
    fn pooled_metrics_of_sets_are_those_of_all_rows() {
        let names: Vec<String> = ["a", "b", "c"].map(String::from).to_vec();
        let row = |i: u32| Scored::Multi {
            labels: Arc::new((0..3).filter(|id| (i >> id) % 2 == 1).collect()),
            predicted: (0..2).filter(|id| i % (id + 2) == 1).collect(),
            probabilities: (1..4).map(|id| (i * id % 7) as f32 / 7.0).collect(),
            loss: f64::from(i) / 10.0,
        };
        let of = |rows: std::ops::Range<u32>| Metrics::new(&names, rows.map(row));
        let (all, parts) = (of(0..11), [of(0..4), of(4..4), of(4..11)]);
        let pooled = Metrics::pooled(&[&parts[0], &parts[2]]).unwrap();
        let of_rows = [Metric::SamplesPrecision, Metric::SamplesRecall];
        same_but(&pooled, &all, &[&[Metric::RocAuc, Metric::AveragePrecision], &of_rows[..]].concat());
        assert_eq!((pooled.rows, pooled.right(), &pooled.co_occurrence), (11, all.right(), &all.co_occurrence));
        let counts = |metrics: &Metrics| metrics.per_class.iter().map(|class| class.counts()).collect::<Vec<_>>();
        assert_eq!(counts(&pooled), counts(&all));
    }

    #[test]
    fn pooled_errors_of_numbers_are_those_of_all_rows() {
        let row = |columns: usize| {
            move |i: u32| {
                let values = (0..columns).map(|column| f64::from(i * 7 % 5) + column as f64).collect();
                let predicted = (0..columns).map(|column| f64::from(i * (column as u32 + 3) % 4)).collect();
                Scored::Values { values: Arc::new(values), predicted, loss: f64::from(i) }
            }
        };
        let left_out = [Metric::R2, Metric::Pearson, Metric::Spearman, Metric::Rmse];
        for (columns, left_out) in [(1, &left_out[..3]), (2, &left_out)] {
            let of = |rows: std::ops::Range<u32>| Metrics::new(&[], rows.map(row(columns)));
            let pooled = Metrics::pooled(&[&of(0..4), &of(4..11)]).unwrap();
            same_but(&pooled, &of(0..11), left_out);
            assert_eq!((pooled.rows, pooled.right()), (11, 0));
        }
    }
}

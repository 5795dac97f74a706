//! Counts predictions row by row, and computes the metrics from the counts.

use std::ops::Range;

use super::{
    Metric, brier,
    classes::{per_class, per_label},
    confusion::Confusion,
    derived,
    measured::Metrics,
    numbers::{Column, Errors, spearman},
    ranking::{Ranked, Ranking, mean},
    scored::Scored,
    sets::Sets,
};

/// Number of equal-width bins of the expected calibration error.
const BINS: usize = 10;

/// What metrics are computed from. [`Tally::streamed`] takes constant memory. [`Tally::new`] keeps the probabilities of up to
/// [`Scored::MOST`] labels, 4 bytes for each row and label (of two labels that exclude each other, only for the second), or the numbers of
/// each row, 16 bytes for each row and column.
#[derive(Debug, Clone)]
pub struct Tally {
    labels: usize,
    rows: u64,
    /// Sum of the losses.
    loss: f64,
    /// Whether rows are kept for metrics that compare them.
    keeps: bool,
    of: Of,
}

/// What is predicted.
#[derive(Debug, Clone)]
enum Of {
    Labels(OneLabel),
    Sets(SetOfLabels),
    Numbers(Numbers),
}

#[derive(Debug, Clone)]
struct OneLabel {
    confusion: Confusion,
    /// Sum of the confidences and number of right rows in each bin.
    bins: [(f64, u64); BINS],
    scores: Scores,
}

#[derive(Debug, Clone)]
struct SetOfLabels {
    sets: Sets,
    scores: Scores,
}

#[derive(Debug, Clone, Default)]
struct Numbers {
    columns: Vec<Column>,
    /// (value, predicted) of each row, of each column.
    rows: Vec<Vec<(f64, f64)>>,
}

/// What is counted of the probabilities of all labels.
#[derive(Debug, Clone)]
struct Scores {
    /// Sum of the squared errors; `None` if the probabilities of a row are not known.
    brier: Option<f64>,
    /// Id of the first label that is ranked.
    first: usize,
    /// Of each label that is ranked; `None` if none is, or if the probabilities of a row are not known.
    ranked: Option<Vec<Ranked>>,
}

impl Tally {
    /// No row so far of a model with this number of labels.
    pub fn new(labels: usize) -> Self {
        Self::keeping(labels, true)
    }

    /// Likewise, without what compares rows with each other, so that it takes constant memory: ROC AUC, average precision and Spearman's
    /// correlation are not measured.
    pub fn streamed(labels: usize) -> Self {
        Self::keeping(labels, false)
    }

    fn keeping(labels: usize, keeps: bool) -> Self {
        let of = OneLabel {
            confusion: Confusion::new(labels),
            bins: [(0.0, 0); BINS],
            // Of two labels the second is ranked.
            scores: Scores::new(if labels == 2 { 1..2 } else { 0..labels }, keeps),
        };
        Self { labels, rows: 0, loss: 0.0, keeps, of: Of::Labels(of) }
    }

    /// Counts a row.
    ///
    /// # Panics
    /// If the row is not of the same kind as those before, or has an id that is not below the number of labels.
    pub fn add(&mut self, row: Scored) {
        if self.rows == 0 {
            self.begin(&row);
        }
        self.rows += 1;
        self.loss += row.loss();
        match (&mut self.of, row) {
            (Of::Labels(of), Scored::Single { label, predicted, confidence, probabilities, .. }) => {
                of.confusion.add(label, predicted, 1);
                let bin = &mut of.bins[((confidence * BINS as f32) as usize).min(BINS - 1)];
                bin.0 += f64::from(confidence);
                bin.1 += u64::from(predicted == label);
                let known = probabilities.len() == self.labels;
                of.scores.add(known.then_some(&probabilities[..]), |id| id == label, |p| brier::of_label(label, p));
            }
            (Of::Sets(of), Scored::Multi { labels, predicted, probabilities, .. }) => {
                of.sets.add(&labels, &predicted);
                let known = probabilities.len() == self.labels;
                let has = |id| labels.contains(&id);
                of.scores.add(known.then_some(&probabilities[..]), has, |p| brier::of_set(&labels, p));
            }
            (Of::Numbers(of), Scored::Values { values, predicted, .. }) => {
                for (i, pair) in values.iter().copied().zip(predicted).enumerate() {
                    of.columns[i].add(pair.0, pair.1);
                    if self.keeps {
                        of.rows[i].push(pair);
                    }
                }
            }
            (_, row) => panic!("a row of another kind than those before: {row:?}"),
        }
    }

    /// The first row says what is predicted.
    fn begin(&mut self, row: &Scored) {
        match row {
            Scored::Single { .. } => {}
            Scored::Multi { .. } => {
                let scores = Scores::new(0..self.labels, self.keeps);
                self.of = Of::Sets(SetOfLabels { sets: Sets::new(self.labels), scores });
            }
            Scored::Values { values, .. } => {
                let columns = vec![Column::default(); values.len()];
                self.of = Of::Numbers(Numbers { columns, rows: vec![Vec::new(); values.len()] });
            }
        }
    }

    /// The metrics of the rows; `names` are the names of the labels by id. Without rows all values are NaN.
    pub fn metrics(self, names: &[String]) -> Metrics {
        let n = self.rows as f64;
        let mut metrics = match self.of {
            Of::Labels(of) => of.metrics(names, self.rows),
            Of::Sets(of) => of.metrics(names, self.rows),
            Of::Numbers(of) => of.metrics(self.rows, self.keeps),
        };
        metrics.set(Metric::Loss, self.loss / n);
        metrics
    }
}

impl OneLabel {
    fn metrics(self, names: &[String], rows: u64) -> Metrics {
        let mut metrics = Metrics::stored(rows, per_class(names, &self.confusion), self.confusion);
        metrics.set_all(derived::of_confusion(&metrics.confusion));
        let ece = self.bins.iter().map(|b| (b.0 - b.1 as f64).abs()).sum::<f64>() / rows as f64;
        metrics.set(Metric::CalibrationError, ece);
        if let Some(sum) = self.scores.brier {
            metrics.set(Metric::Brier, sum / rows as f64);
        }
        if let Some(rankings) = self.scores.rankings() {
            metrics.set(Metric::RocAuc, mean(rankings.iter().map(|ranking| ranking.roc_auc)));
            metrics.set(Metric::AveragePrecision, mean(rankings.iter().map(|ranking| ranking.average_precision)));
        }
        metrics
    }
}

impl SetOfLabels {
    fn metrics(self, names: &[String], rows: u64) -> Metrics {
        let Self { sets, scores } = self;
        let (brier, rankings) = (scores.brier, scores.rankings());
        let counts = &sets.counts;
        let mut metrics = Metrics::stored(rows, per_label(names, counts, rankings.as_deref()), Confusion::default());
        metrics.set_all(derived::of_counts(counts));
        metrics.set(Metric::SamplesPrecision, sets.samples_precision());
        metrics.set(Metric::SamplesRecall, sets.samples_recall());
        metrics.set(Metric::SamplesF1, sets.samples_f1());
        metrics.set(Metric::SubsetAccuracy, sets.subset_accuracy());
        metrics.set(Metric::HammingLoss, sets.hamming_loss());
        if let Some(sum) = brier {
            metrics.set(Metric::Brier, sum / rows as f64);
        }
        if let Some(rankings) = rankings {
            metrics.set(Metric::RocAuc, mean(rankings.iter().map(|ranking| ranking.roc_auc)));
            // Of a label without rows it is undefined; such labels have no part in the mean.
            let with_rows = rankings.iter().zip(counts).filter(|(_, counts)| counts.support > 0);
            metrics.set(Metric::AveragePrecision, mean(with_rows.map(|(ranking, _)| ranking.average_precision)));
        }
        metrics.co_occurrence = Some(sets.together());
        metrics
    }
}

impl Numbers {
    fn metrics(self, rows: u64, keeps: bool) -> Metrics {
        let errors = Errors::of(&self.columns);
        let mut metrics = Metrics::stored(rows, Vec::new(), Confusion::default());
        metrics.set_all([
            (Metric::Mse, errors.mse),
            (Metric::Rmse, errors.rmse),
            (Metric::Mae, errors.mae),
            (Metric::R2, errors.r2),
            (Metric::Pearson, errors.pearson),
        ]);
        if keeps {
            metrics.set(Metric::Spearman, mean(self.rows.iter().map(|rows| spearman(rows))));
        }
        metrics
    }
}

impl Scores {
    /// No row so far. The labels with these ids are ranked, if `keeps`.
    fn new(ids: Range<usize>, keeps: bool) -> Self {
        let ranked = keeps && ids.end <= Scored::MOST;
        Self { brier: Some(0.0), first: ids.start, ranked: ranked.then(|| vec![Ranked::default(); ids.len()]) }
    }

    /// Adds a row with the probabilities of all labels, if they are known; `has` says whether it has a label, `brier` is its squared
    /// error.
    fn add(&mut self, probabilities: Option<&[f32]>, has: impl Fn(u32) -> bool, brier: impl FnOnce(&[f32]) -> f64) {
        let Some(probabilities) = probabilities else {
            (self.brier, self.ranked) = (None, None);
            return;
        };
        if let Some(sum) = &mut self.brier {
            *sum += brier(probabilities);
        }
        let by_id = (0..).zip(probabilities).skip(self.first);
        self.ranked.iter_mut().flatten().zip(by_id).for_each(|(ranked, (id, p))| ranked.add(*p, has(id)));
    }

    fn rankings(self) -> Option<Vec<Ranking>> {
        Some(self.ranked?.into_iter().map(Ranked::ranking).collect())
    }
}

impl Metrics {
    /// The metrics of these predictions; `names` are the names of the labels by id. Without rows all values are NaN.
    ///
    /// # Panics
    /// If rows are of different kinds, or a row has an id that is not below the number of names.
    pub fn new(names: &[String], rows: impl IntoIterator<Item = Scored>) -> Self {
        let mut tally = Tally::new(names.len());
        rows.into_iter().for_each(|row| tally.add(row));
        tally.metrics(names)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// Expected values: scikit-learn's classification_report on the same six rows.
    #[test]
    fn metrics_match_scikit_learn() {
        let names: Vec<String> = ["neg", "pos", "none"].map(String::from).to_vec();
        let p = |i: usize, c: f32| {
            let mut v = vec![(1.0 - c) / 2.0; 3];
            v[i] = c;
            v
        };
        let probabilities = [p(0, 0.9), p(1, 0.6), p(1, 0.8), p(1, 0.7), p(0, 0.5), p(1, 0.95)];
        let rows = [0, 0, 1, 1, 1, 1].into_iter().zip(&probabilities).zip([0.1, 0.2, 0.3, 0.4, 0.5, 0.6]);
        let m = Metrics::new(&names, rows.map(|((label, p), loss)| Scored::new(label, p, loss)));
        assert_eq!(m.confusion, Confusion::from_rows([[1, 1, 0], [1, 3, 0], [0, 0, 0]]));
        assert!((m.get(Metric::Accuracy) - 4.0 / 6.0).abs() < 1e-12);
        assert!((m.get(Metric::Loss) - 0.35).abs() < 1e-12);
        assert!((m.per_class[0].precision - 0.5).abs() < 1e-12 && (m.per_class[0].recall - 0.5).abs() < 1e-12);
        assert!((m.per_class[1].precision - 0.75).abs() < 1e-12 && (m.per_class[1].f1 - 0.75).abs() < 1e-12);
        assert!((m.get(Metric::MacroF1) - (0.5 + 0.75) / 2.0).abs() < 1e-12);
        // Bins: 0.5 (wrong), 0.6 (wrong), 0.7 (right), 0.8 (right), 0.9 and 0.95 (both right).
        let want = (0.5 + 0.6 + 0.3 + 0.2 + (1.85f64 - 2.0).abs()) / 6.0;
        assert!((m.get(Metric::CalibrationError) - want).abs() < 1e-6, "{} {want}", m.get(Metric::CalibrationError));
    }

    fn scored(kind: usize, i: u32, labels: usize) -> Scored {
        let probabilities: Vec<f32> = (0..labels as u32).map(|id| (i * (id + 1) % 5) as f32 / 5.0).collect();
        match kind {
            0 => Scored::new(i % labels as u32, &probabilities, 0.5),
            1 => Scored::Multi {
                labels: Arc::new(vec![i % labels as u32]),
                predicted: vec![i / 3 % labels as u32],
                probabilities,
                loss: 0.5,
            },
            _ => Scored::Values { values: Arc::new(vec![f64::from(i)]), predicted: vec![f64::from(i % 3)], loss: 0.5 },
        }
    }

    /// Metrics that compare rows with each other need all of them.
    #[test]
    fn streamed_rows_have_all_metrics_but_those_that_compare_rows() {
        let names: Vec<String> = ["a", "b"].map(String::from).to_vec();
        for kind in 0..3 {
            let (mut whole, mut streamed) = (Tally::new(2), Tally::streamed(2));
            for i in 0..9 {
                whole.add(scored(kind, i, 2));
                streamed.add(scored(kind, i, 2));
            }
            let (whole, streamed) = (whole.metrics(&names), streamed.metrics(&names));
            let comparing = [Metric::RocAuc, Metric::AveragePrecision, Metric::Spearman];
            let want: Vec<(Metric, f64)> = whole.values().filter(|(metric, _)| !comparing.contains(metric)).collect();
            assert_eq!(streamed.values().collect::<Vec<_>>(), want, "{kind}");
            assert!(want.len() < whole.values().count(), "{kind}");
        }
    }

    /// With many labels, or where only the predicted label's probability is known, metrics of all probabilities are not measured.
    #[test]
    fn without_all_probabilities_their_metrics_are_not_measured() {
        let measured = |metrics: &Metrics| {
            [Metric::Brier, Metric::RocAuc, Metric::AveragePrecision].map(|metric| metrics.is_measured(metric))
        };
        let most = Metric::RocAuc.most_labels().unwrap();
        let names: Vec<String> = (0..=most).map(|id| id.to_string()).collect();
        let of = |labels: usize| Metrics::new(&names[..labels], (0..9).map(|i| scored(0, i, labels)));
        assert_eq!([measured(&of(most)), measured(&of(most + 1))], [[true; 3], [false; 3]]);
        let one_without = (0..9).map(|i| match i {
            4 => Scored::of_label(1, (0, 0.5), &[], 0.5),
            i => scored(0, i, 3),
        });
        assert_eq!(measured(&Metrics::new(&names[..3], one_without)), [false; 3]);
    }

    #[test]
    fn labels_that_occur_together_are_counted_for_few_and_for_many_labels() {
        for labels in [3, 300] {
            let names: Vec<String> = (0..labels).map(|id| id.to_string()).collect();
            let row = |labels: &[u32]| Scored::Multi {
                labels: Arc::new(labels.to_vec()),
                predicted: vec![],
                probabilities: vec![],
                loss: 0.5,
            };
            let metrics = Metrics::new(&names, [row(&[2, 0]), row(&[0, 1, 2]), row(&[1]), row(&[])]);
            let together = metrics.co_occurrence.as_ref().unwrap();
            let want = [(0, 1, 1), (0, 2, 2), (1, 0, 1), (1, 2, 1), (2, 0, 2), (2, 1, 1)];
            assert_eq!((together.cells().collect::<Vec<_>>(), together.labels()), (want.to_vec(), labels));
            assert_eq!((metrics.right(), metrics.confusion.rows()), (1, 0));
        }
    }
}

//! Metrics of predicted sets of labels.

use super::{
    confusion::Confusion,
    counts::{Counts, ratio},
};

/// The counts over rows with sets of labels, in constant memory.
#[derive(Debug, Clone)]
pub struct Sets {
    /// The counts of each label, by id.
    pub counts: Vec<Counts>,
    rows: u64,
    /// Rows whose predicted set is theirs.
    exact: u64,
    /// Labels of rows that are missing or superfluous in the prediction.
    wrong: u64,
    /// Sum of the precisions of the rows for which a label is predicted, and their number.
    precision: (f64, u64),
    /// Sum of the recalls of the rows that have a label, and their number.
    recall: (f64, u64),
    /// Sum of the F1 of the rows.
    f1: f64,
    together: Together,
}

/// Numbers of rows that have both of two labels.
#[derive(Debug, Clone)]
enum Together {
    /// Of few labels, `[lower id][higher id]`.
    All(Vec<u64>),
    /// Of many labels, the pairs that occur.
    Some(Confusion),
}

impl Sets {
    /// No row so far of a model with this number of labels.
    pub fn new(labels: usize) -> Self {
        let together = match labels > Confusion::WHOLE {
            true => Together::Some(Confusion::new(labels)),
            false => Together::All(vec![0; labels * labels]),
        };
        Self {
            counts: vec![Counts::default(); labels],
            rows: 0,
            exact: 0,
            wrong: 0,
            precision: (0.0, 0),
            recall: (0.0, 0),
            f1: 0.0,
            together,
        }
    }

    /// Counts a row with these label ids, each once.
    ///
    /// # Panics
    /// If an id is not below the number of labels.
    pub fn add(&mut self, labels: &[u32], predicted: &[u32]) {
        let mut right = 0;
        for id in labels {
            let counts = &mut self.counts[*id as usize];
            let hit = predicted.contains(id);
            counts.support += 1;
            counts.right += u64::from(hit);
            right += u64::from(hit);
        }
        predicted.iter().for_each(|id| self.counts[*id as usize].predicted += 1);
        let both = (labels.len() + predicted.len()) as u64;
        self.rows += 1;
        self.exact += u64::from(2 * right == both);
        self.wrong += both - 2 * right;
        for (mean, of) in [(&mut self.precision, predicted.len()), (&mut self.recall, labels.len())] {
            if of > 0 {
                *mean = (mean.0 + ratio(right, of as u64), mean.1 + 1);
            }
        }
        self.f1 += if both == 0 { 1.0 } else { ratio(2 * right, both) };
        for (i, a) in labels.iter().enumerate() {
            for b in &labels[i + 1..] {
                let (low, high) = (*a.min(b), *a.max(b));
                match &mut self.together {
                    Together::All(rows) => rows[low as usize * self.counts.len() + high as usize] += 1,
                    Together::Some(rows) => rows.add(low, high, 1),
                }
            }
        }
    }

    /// The number of rows that have both of two different labels, for each pair of ids, in both orders.
    pub fn together(&self) -> Confusion {
        let labels = self.counts.len();
        let mut all = Confusion::new(labels);
        let mut add = |(low, high, rows)| {
            all.add(low, high, rows);
            all.add(high, low, rows);
        };
        match &self.together {
            Together::All(rows) => {
                let cell = |(i, rows): (usize, &u64)| ((i / labels) as u32, (i % labels) as u32, *rows);
                rows.iter().enumerate().map(cell).for_each(&mut add);
            }
            Together::Some(rows) => rows.cells().for_each(&mut add),
        }
        all
    }

    /// Share (0 to 1) of the rows whose predicted set is theirs: scikit-learn's `accuracy_score`. NaN without rows.
    pub fn subset_accuracy(&self) -> f64 {
        ratio(self.exact, self.rows)
    }

    /// Share (0 to 1) of all labels of all rows that are predicted wrongly: scikit-learn's `hamming_loss`. NaN without rows.
    pub fn hamming_loss(&self) -> f64 {
        ratio(self.wrong, self.rows * self.counts.len() as u64)
    }

    /// Mean precision (0 to 1) of the rows for which a label is predicted: scikit-learn's `precision_score(average="samples",
    /// zero_division=np.nan)`. NaN if there is no such row.
    pub fn samples_precision(&self) -> f64 {
        self.precision.0 / self.precision.1 as f64
    }

    /// Mean recall (0 to 1) of the rows that have a label: scikit-learn's `recall_score(average="samples", zero_division=np.nan)`. NaN if
    /// there is no such row.
    pub fn samples_recall(&self) -> f64 {
        self.recall.0 / self.recall.1 as f64
    }

    /// Mean F1 (0 to 1) of the rows: scikit-learn's `f1_score(average="samples", zero_division=1)`. It is 1 for a row without labels that
    /// is predicted to have none. NaN without rows.
    pub fn samples_f1(&self) -> f64 {
        self.f1 / self.rows as f64
    }
}

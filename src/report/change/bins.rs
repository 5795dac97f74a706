//! How sure the model is, and how often it is right then, before and after training.

use super::{
    super::charts::{Bin, ReliabilityChart, ReliabilityWords},
    rows::Row,
};
use crate::metrics::{Probabilities, Target};

/// (probability, right) of each row or, of sets of labels, of each label of each row, before and after.
#[derive(Debug, Default)]
pub struct Sure {
    /// Before training.
    pub before: Vec<(f32, bool)>,
    /// With the kept weights.
    pub after: Vec<(f32, bool)>,
}

/// Those of these rows; `None` if not all probabilities are stored, and of numbers.
pub fn sure(rows: &[Row<'_>], labels: usize) -> Option<Sure> {
    let mut sure = Sure::default();
    for row in rows {
        match &row.after.label {
            Target::Label(_) => {
                sure.before.push((row.before.confidence()?, row.was_right()));
                sure.after.push((row.after.confidence()?, row.is_right()));
            }
            // Of many labels only the most probable ones are stored.
            Target::Labels(_) if labels > Probabilities::ALL => return None,
            Target::Labels(ids) => {
                let cells = |probabilities: &Probabilities| {
                    let of = |(id, p): (u32, f32)| (p, ids.binary_search(&id).is_ok());
                    probabilities.iter().map(of).collect::<Vec<_>>()
                };
                sure.before.extend(cells(&row.before.probabilities));
                sure.after.extend(cells(&row.after.probabilities));
            }
            Target::Values(_) => return None,
        }
    }
    let finite = |of: &[(f32, bool)]| of.iter().all(|(p, _)| p.is_finite());
    (!sure.before.is_empty() && finite(&sure.before) && finite(&sure.after)).then_some(sure)
}

/// Ten bins of equal width, as those of the calibration error.
pub fn bins(words: ReliabilityWords, of: &[(f32, bool)]) -> Vec<Bin> {
    ReliabilityChart::new(words, of.iter().copied()).bins
}

/// Expected calibration error: the mean distance of probability and share over the bins, weighted by what is in them.
pub fn calibration_error(bins: &[Bin]) -> f64 {
    let all: u64 = bins.iter().map(|bin| bin.rows).sum();
    let distance = |bin: &Bin| (bin.confidence - bin.right as f64).abs();
    bins.iter().map(distance).sum::<f64>() / all as f64
}

/// Ranges of a histogram, each a twentieth of 0 to 1.
pub const RANGES: usize = 20;

/// How many are in each of [`RANGES`] ranges.
pub fn histogram(of: &[(f32, bool)]) -> Vec<u64> {
    let mut counts = vec![0; RANGES];
    for (p, _) in of {
        counts[((p * RANGES as f32) as usize).min(RANGES - 1)] += 1;
    }
    counts
}

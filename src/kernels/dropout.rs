//! Dropout (Srivastava et al. 2014) whose mask is a function of (seed, step, site, index), so that it is the same on every
//! device, for every number of threads, and after a resumption.

use crate::random::{Purpose, Stream};

/// Values whose random bits are generated together: 16 counters of four words each, the i-th words contiguous, as vector
/// instructions need them.
const GROUP: usize = 64;

/// Dropout at one site in one step.
#[derive(Debug, Clone, Copy)]
pub struct Dropout {
    /// Random bits by index of the mask.
    pub(super) stream: Stream,
    /// A value is kept where its 32 random bits are at least this.
    pub(super) threshold: u32,
    /// The factor of kept values.
    pub(super) scale: f32,
    /// Index of the tensor's first row among the step's rows.
    pub(super) first_row: u64,
}

impl Dropout {
    /// Dropout of share `p` in [0, 1) at one `site` of the model in one optimizer `step`.
    ///
    /// `first_row` is the index of the tensor's first row among the step's rows (not 0 in gradient accumulation).
    pub fn new(seed: u64, step: u64, site: u32, p: f64, first_row: usize) -> Option<Self> {
        (p > 0.0).then(|| Self {
            stream: Stream::new(seed, Purpose::Dropout, step, site),
            threshold: (p * 4_294_967_296.0) as u32,
            scale: (1.0 / (1.0 - p)) as f32,
            first_row: first_row as u64,
        })
    }

    /// The factors, 0 or 1/(1−p), of the values at `index`, `index + 1`, … of the mask.
    #[inline(always)]
    pub fn fill(&self, index: u64, factors: &mut [f32]) {
        let (mut at, mut group) = ((index % GROUP as u64) as usize, index / GROUP as u64);
        let mut rest = factors;
        while !rest.is_empty() {
            let n = (GROUP - at).min(rest.len());
            let (now, later) = std::mem::take(&mut rest).split_at_mut(n);
            if n == GROUP {
                self.group(group, now);
            } else {
                let mut whole = [0.0; GROUP];
                self.group(group, &mut whole);
                now.copy_from_slice(&whole[at..at + n]);
            }
            (rest, at, group) = (later, 0, group + 1);
        }
    }

    #[inline(always)]
    fn group(&self, group: u64, factors: &mut [f32]) {
        for (bits, factors) in self.stream.at4x16(group).iter().zip(factors.chunks_exact_mut(16)) {
            for (factor, bits) in factors.iter_mut().zip(bits) {
                *factor = if *bits >= self.threshold { self.scale } else { 0.0 };
            }
        }
    }

    /// Index in the mask of column 0 of `row`, for rows of `width` values.
    pub fn index(&self, row: usize, width: usize) -> u64 {
        (self.first_row + row as u64) * width as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(dropout: Dropout, index: u64, n: usize) -> Vec<f32> {
        let mut factors = vec![7.0; n];
        dropout.fill(index, &mut factors);
        factors
    }

    #[test]
    fn a_share_is_dropped_and_the_rest_keeps_the_mean() {
        for p in [0.1, 0.5] {
            let factors = mask(Dropout::new(1, 2, 3, p, 0).expect("dropout"), 5, 100_000);
            let kept = (1.0 / (1.0 - p)) as f32;
            assert!(factors.iter().all(|f| *f == 0.0 || *f == kept));
            let dropped = factors.iter().filter(|f| **f == 0.0).count() as f64 / 1e5;
            assert!((dropped - p).abs() < 0.005, "{dropped} of {p}");
        }
        assert!(Dropout::new(1, 2, 3, 0.0, 0).is_none());
    }

    #[test]
    fn a_value_depends_on_its_index_alone() {
        let dropout = Dropout::new(1, 2, 3, 0.5, 0).expect("dropout");
        let whole = mask(dropout, 0, 1000);
        for (from, n) in [(0, 64), (0, 5), (3, 200), (63, 2), (64, 64), (65, 300), (999, 1)] {
            assert_eq!(mask(dropout, from as u64, n), whole[from..from + n], "{n} from {from}");
        }
        // Rows of a later part of a step.
        let later = Dropout::new(1, 2, 3, 0.5, 10).expect("dropout");
        assert_eq!(mask(later, later.index(2, 7), 7), whole[84..91]);
    }

    #[test]
    fn seeds_steps_and_sites_have_masks_of_their_own() {
        let at = |seed, step, site| mask(Dropout::new(seed, step, site, 0.5, 0).expect("dropout"), 0, 200);
        let base = at(1, 2, 3);
        for other in [at(2, 2, 3), at(1, 3, 3), at(1, 2, 4)] {
            let alike = base.iter().zip(&other).filter(|(a, b)| a == b).count();
            assert!((60..140).contains(&alike), "{alike} of 200 alike");
        }
    }
}

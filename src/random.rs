//! Counter-based random numbers: a value depends on (seed, purpose, counter), never on how many were drawn before.
//!
//! The generator is Philox4x32-10 (Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", SC'11), the one that
//! PyTorch and cuRAND use on GPUs. Because nothing is carried from one draw to the next, a resumed run, another thread
//! count and another device see the same numbers.

/// The purpose of the numbers: each has its own stream under the same seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Purpose {
    /// Which rows go to which split, and which rows `data.limit` keeps.
    Split = 1,
    /// The order of the training rows; one stream for each epoch.
    Order = 2,
    /// Initial weights; one stream for each parameter.
    Init = 3,
    /// Dropout masks; one stream for each (step, site).
    Dropout = 4,
    /// Resampling in statistics.
    Bootstrap = 5,
    /// Points of a sweep; one stream for each (trial, key).
    Search = 6,
}

/// Weyl constants: added to the key in each round.
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
/// Multipliers of two words of the counter in each round.
const MULTIPLIER: [u64; 2] = [0xD251_1F53, 0xCD9E_8D57];

/// Philox4x32 with ten rounds: 128 random bits for each (key, counter).
#[inline]
pub fn philox(mut key: [u32; 2], mut ctr: [u32; 4]) -> [u32; 4] {
    for round in 0..10 {
        if round > 0 {
            key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
        }
        let a = u64::from(ctr[0]) * MULTIPLIER[0];
        let b = u64::from(ctr[2]) * MULTIPLIER[1];
        ctr = [(b >> 32) as u32 ^ ctr[1] ^ key[0], b as u32, (a >> 32) as u32 ^ ctr[3] ^ key[1], a as u32];
    }
    ctr
}

/// A stream of random numbers addressed by index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stream {
    key: [u32; 2],
    high: [u32; 2],
}

impl Stream {
    /// The stream for `purpose` under `seed`; `a` and `b` select a substream (epoch; step and site; …).
    pub fn new(seed: u64, purpose: Purpose, a: u64, b: u32) -> Self {
        // Seed, purpose, a and b are 64 + 32 + 64 + 32 bits, twice as many as the counter has:
        // one Philox call folds them into a key and the counter's high words.
        let folded = philox([seed as u32, (seed >> 32) as u32], [a as u32, (a >> 32) as u32, b, purpose as u32]);
        Self { key: [folded[0], folded[1]], high: [folded[2], folded[3]] }
    }

    /// Philox's key, and the high words of its counter; the low words are the index.
    pub fn words(&self) -> ([u32; 2], [u32; 2]) {
        (self.key, self.high)
    }

    /// Four independent uniform 32-bit numbers at `index`.
    #[inline]
    pub fn at4(&self, index: u64) -> [u32; 4] {
        philox(self.key, [index as u32, (index >> 32) as u32, self.high[0], self.high[1]])
    }

    /// The results of [`Self::at4`] at the sixteen indices from `16 · group` on: first the first words of all, then the second, third and
    /// fourth. This layout lets loops be vectorised.
    #[inline(always)]
    pub fn at4x16(&self, group: u64) -> [[u32; 16]; 4] {
        let mut key = self.key;
        let first = group * 16;
        // 16 divides 2^32: the sixteen indices have the same high word.
        let mut ctr: [[u32; 16]; 4] = [
            std::array::from_fn(|i| first as u32 + i as u32),
            [(first >> 32) as u32; 16],
            [self.high[0]; 16],
            [self.high[1]; 16],
        ];
        for round in 0..10 {
            if round > 0 {
                key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
            }
            let [c0, c1, c2, c3] = &mut ctr;
            for (((c0, c1), c2), c3) in c0.iter_mut().zip(c1).zip(c2).zip(c3) {
                let a = u64::from(*c0) * MULTIPLIER[0];
                let b = u64::from(*c2) * MULTIPLIER[1];
                (*c0, *c2) = ((b >> 32) as u32 ^ *c1 ^ key[0], (a >> 32) as u32 ^ *c3 ^ key[1]);
                (*c1, *c3) = (b as u32, a as u32);
            }
        }
        ctr
    }

    /// A uniform 64-bit number at `index`.
    pub fn at(&self, index: u64) -> u64 {
        let x = self.at4(index);
        u64::from(x[0]) | u64::from(x[1]) << 32
    }

    /// A uniform number in [0, 1) with 53 bits, at `index`.
    pub fn uniform(&self, index: u64) -> f64 {
        (self.at(index) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A standard normal number at `index` (Box–Muller).
    pub fn normal(&self, index: u64) -> f64 {
        let x = self.at4(index);
        let bits = |lo: u32, hi: u32| (u64::from(lo) | u64::from(hi) << 32) >> 11;
        let u = (bits(x[0], x[1]) as f64 + 1.0) / (1u64 << 53) as f64; // (0, 1]
        let v = bits(x[2], x[3]) as f64 / (1u64 << 53) as f64;
        (-2.0 * u.ln()).sqrt() * (2.0 * std::f64::consts::PI * v).cos()
    }

    /// A uniform integer below `n` (multiply-shift; its bias of n / 2^64 is below anything measurable).
    pub fn below(&self, index: u64, n: u64) -> u64 {
        ((u128::from(self.at(index)) * u128::from(n)) >> 64) as u64
    }

    /// A permutation of `0..n` (Fisher–Yates).
    pub fn permutation(&self, n: usize) -> Vec<u32> {
        let mut order: Vec<u32> = (0..n as u32).collect();
        for i in (1..n).rev() {
            order.swap(i, self.below(i as u64, i as u64 + 1) as usize);
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Known answers from the authors' Random123 library (kat_vectors, philox4x32 10).
    #[test]
    fn philox_matches_random123() {
        assert_eq!(philox([0; 2], [0; 4]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(philox([u32::MAX; 2], [u32::MAX; 4]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        assert_eq!(
            philox([0xa409_3822, 0x299f_31d0], [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344]),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

    /// Splits, orders, weights and masks come from these; expected values: the same formulas in Python. If one changes, a run gets
    /// other numbers under the same key: if that is intended, raise `train::NUMERICS` and put the new numbers
    /// here.
    #[test]
    fn the_numbers_of_a_stream_do_not_change() {
        let stream = Stream::new(42, Purpose::Order, 1 << 40, 7);
        assert_eq!(stream.permutation(8), [4, 3, 1, 0, 7, 2, 5, 6]);
        assert_eq!((stream.below(3, 1000), stream.uniform(4)), (19, 0.475_531_032_788_481_5));
        assert!((stream.normal(5) + 1.181_158_503_896_575_5).abs() < 1e-12, "{}", stream.normal(5));
    }

    #[test]
    fn sixteen_at_once_equal_those_one_by_one() {
        let stream = Stream::new(42, Purpose::Dropout, 3, 7);
        for group in [0, 5, (1 << 28) - 1, 1 << 28, 1 << 40] {
            let many = stream.at4x16(group);
            for (i, one) in (0..16).map(|i| (i, stream.at4(group * 16 + i as u64))) {
                assert_eq!(many.map(|word| word[i]), one);
            }
        }
    }

    #[test]
    fn streams_differ_in_each_of_their_parameters() {
        let base = Stream::new(1, Purpose::Order, 2, 3).at4(0);
        for other in [
            Stream::new(2, Purpose::Order, 2, 3),
            Stream::new(1, Purpose::Init, 2, 3),
            Stream::new(1, Purpose::Order, 3, 3),
            Stream::new(1, Purpose::Order, 2, 4),
        ] {
            assert_ne!(base, other.at4(0));
        }
    }

    #[test]
    fn permutations_are_valid_and_normal_numbers_have_their_moments() {
        let stream = Stream::new(7, Purpose::Order, 0, 0);
        let mut order = stream.permutation(1000);
        assert_ne!(order, (0..1000).collect::<Vec<u32>>());
        order.sort_unstable();
        assert_eq!(order, (0..1000).collect::<Vec<u32>>());

        let n = 100_000;
        let mean = (0..n).map(|i| stream.normal(i)).sum::<f64>() / n as f64;
        let var = (0..n).map(|i| stream.normal(i).powi(2)).sum::<f64>() / n as f64;
        assert!(mean.abs() < 0.015 && (var - 1.0).abs() < 0.02, "mean {mean}, variance {var}");
    }
}

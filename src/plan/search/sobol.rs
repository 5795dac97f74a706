//! An Owen-scrambled Sobol sequence: of the first 2^k points, one is in each of 2^k equal parts of every axis.

use super::{Space, UnitPoint};
use crate::random::{Purpose, Stream};

/// The number of points that `sobol_burley` has.
const LENGTH: u64 = 1 << 16;

/// Point number `index` of the sequence of `seed`; `None` after its end.
pub(super) fn sample(space: &Space, seed: u64, index: u64) -> Option<UnitPoint> {
    let index = u32::try_from(index).ok().filter(|_| index < LENGTH)?;
    let seed = Stream::new(seed, Purpose::Search, 0, 0).at(0) as u32;
    // Fewer keys can be swept than the sequence has dimensions.
    Some((0..space.names().count() as u32).map(|axis| f64::from(sobol_burley::sample(index, axis, seed))).collect())
}

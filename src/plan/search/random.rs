//! Independent draws: each is a function of (seed, trial, key, attempt), independent of the other axes.

use sha2::{Digest, Sha256};

use super::{Space, UnitPoint};
use crate::random::{Purpose, Stream};

/// A uniformly distributed point.
pub(super) fn sample(space: &Space, seed: u64, trial: u64, attempt: u64) -> UnitPoint {
    space.names().map(|name| stream(seed, trial, name).uniform(attempt)).collect()
}

/// The random stream of one axis in one trial: adding or removing axes does not change it.
pub(super) fn stream(seed: u64, trial: u64, name: &str) -> Stream {
    let digest = Sha256::digest(name);
    let name = u32::from_le_bytes([digest[0], digest[1], digest[2], digest[3]]);
    Stream::new(seed, Purpose::Search, trial, name)
}

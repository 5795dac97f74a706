//! Independent draws: each a function of (seed, trial, key, attempt), whatever else is varied.

use sha2::{Digest, Sha256};

use super::{Place, Space};
use crate::random::{Purpose, Stream};

/// A uniform place.
pub(super) fn place(space: &Space, seed: u64, trial: u64, attempt: u64) -> Place {
    space.names().map(|name| stream(seed, trial, name).uniform(attempt)).collect()
}

/// The stream of one axis in one trial. An axis that comes or goes changes nothing for the others.
pub(super) fn stream(seed: u64, trial: u64, name: &str) -> Stream {
    let digest = Sha256::digest(name);
    let name = u32::from_le_bytes([digest[0], digest[1], digest[2], digest[3]]);
    Stream::new(seed, Purpose::Search, trial, name)
}

//! The distances between the tokens of a batch, and their rows of the table of relative positions.

use crate::{
    data::Batch,
    kernels::{Memory, Relative},
    model::{ModelConfig, Relative as Positions},
};

/// The distances of a batch, and their rows of the table.
#[derive(Debug, Clone, Copy)]
pub struct Met {
    /// The greatest distance.
    pub reach: usize,
    /// The first row.
    pub first: usize,
    /// The number of rows.
    pub len: usize,
}

impl Met {
    /// Those of a batch; `None` if the model has no relative positions.
    pub fn of(config: &ModelConfig, batch: &Batch) -> Option<Self> {
        let relative = config.relative.as_ref()?;
        let reach = batch.offsets.windows(2).map(|o| (o[1] - o[0]) as usize).max().unwrap_or(1) - 1;
        let first = relative.row(-(reach as isize));
        Some(Self { reach, first, len: relative.row(reach as isize) + 1 - first })
    }
}

/// The distances that the table of rows holds, in both directions.
fn held(config: &ModelConfig) -> usize {
    config.longest_computed() - 1
}

/// The rows of all distances on a device; empty if the model has no relative positions.
pub fn rows<M: Memory>(memory: &M, config: &ModelConfig) -> M::Buffer {
    let rows = config.relative.as_ref().map_or_else(Vec::new, |relative| relative.rows(held(config) + 1));
    let mut buffer = memory.zeros(rows.len());
    memory.write(&mut buffer, 0, &rows);
    buffer
}

/// The number of values of [`rows`].
pub fn values(config: &ModelConfig) -> usize {
    config.relative.as_ref().map_or(0, |_| 2 * held(config) + 1)
}

/// What attention needs of the positions of a layer.
pub fn relative<'a, T>(
    config: &ModelConfig,
    met: Option<Met>,
    positions: &'a T,
    rows: &'a T,
) -> Option<Relative<'a, T>> {
    let (Positions { c2p, p2c, .. }, met) = (config.relative.as_ref()?, met?);
    let Met { reach, first, len } = met;
    Some(Relative { positions, rows, center: held(config), reach, first, len, c2p: *c2p, p2c: *p2c })
}

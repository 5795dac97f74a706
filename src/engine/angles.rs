//! The tables of angles of rotary positions.

use crate::{kernels::Memory, model::ModelConfig};

/// Values of all tables.
pub fn values(config: &ModelConfig) -> usize {
    config.rotary.as_ref().map_or(0, |rotary| rotary.thetas.len() * config.longest_computed() * config.head_width())
}

/// The tables on a device, by [`crate::model::LayerAttention::angles`].
pub fn tables<M: Memory>(memory: &M, config: &ModelConfig) -> Vec<M::Buffer> {
    let Some(rotary) = &config.rotary else { return Vec::new() };
    let table = |table: usize| {
        let values = rotary.angles(table, config.longest_computed(), config.head_width());
        let mut buffer = memory.zeros(values.len());
        memory.write(&mut buffer, 0, &values);
        buffer
    };
    (0..rotary.thetas.len()).map(table).collect()
}

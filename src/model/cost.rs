//! The sizes that the cost of a model depends on.

use super::{ModelConfig, ModelSpec, Pooling};
use crate::plan::ModelShape;

impl ModelConfig {
    /// The sizes that the cost of such a model depends on.
    pub fn cost_shape(&self, labels: usize) -> ModelShape {
        let local = |i: &usize| self.attention_of(*i).window.is_some();
        ModelShape {
            hidden: self.hidden_size,
            layers: self.num_hidden_layers,
            intermediate: self.intermediate_size,
            up: self.up_width(),
            local_layers: (0..self.num_hidden_layers - 1).filter(local).count(),
            window: self.rotary.as_ref().map_or(0, |rotary| 2 * rotary.window + 1),
            relative_terms: self.relative.as_ref().map_or(0, |relative| relative.terms() - 1),
            reads_all: self.pooling == Pooling::Mean,
            labels,
            parameters: ModelSpec::count(self, labels).try_into().unwrap_or(u64::MAX),
        }
    }
}

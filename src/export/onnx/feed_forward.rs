//! The feed-forward network of a layer.

use super::{graph::Value, modules::Modules};
use crate::model::{LayerModule, Module};

/// Its output, of the layer whose parameters `group` holds.
pub fn feed_forward(m: &mut Modules, group: usize, x: &Value) -> Value {
    let activation = m.config.activation;
    let wide = m.linear(x, Module::Layer(group, LayerModule::FfnUp));
    let inner = match m.config.family.is_gated {
        true => {
            let [inputs, gates] = m.graph.halves(&wide);
            let inputs = m.activation(&inputs, activation);
            m.graph.mul(&inputs, &gates)
        }
        false => m.activation(&wide, activation),
    };
    m.linear(&inner, Module::Layer(group, LayerModule::FfnDown))
}

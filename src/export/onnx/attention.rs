//! Attention.

use super::{
    graph::{Value, integer},
    modules::Modules,
    relative::{Positions, Scores},
    rotary::Angles,
    texts::{Queries, Texts},
};
use crate::model::{LayerModule, Module};

/// What the layers of a model have in common.
pub struct Shared<'a> {
    /// The texts.
    pub texts: Texts,
    /// Tables of the angles of rotary positions.
    pub angles: Vec<Angles>,
    /// Relative positions.
    pub positions: Option<Positions<'a>>,
}

/// The output of attention in layer `i` before its dense layer, `[batch, queries, hidden]`.
pub fn attention(m: &mut Modules, shared: &mut Shared, i: usize, x: &Value, queries: Queries) -> Value {
    let config = m.config;
    let (group, of_layer) = (config.group_of(i), config.attention_of(i));
    let [query, key, value] = qkv(m, group, x, queries);
    let [mut query, mut key, value] = [query, key, value].map(|x| heads(m, &x));
    if let Some(angles) = of_layer.angles.map(|table| &shared.angles[table]) {
        // First tokens need no rotation: their position is 0, and so is its angle.
        query = if queries == Queries::All { angles.turn(&mut m.graph, &query) } else { query };
        key = angles.turn(&mut m.graph, &key);
    }
    let scale = m.graph.number(config.attention_scale());
    // Before the product, which may not fit into float16 without it.
    let query = m.graph.mul(&query, &scale);
    let transposed = m.graph.transpose(&key, &[0, 1, 3, 2]);
    let mut scores = m.graph.matmul(&query, &transposed);
    if let Some(positions) = &shared.positions {
        let product = Scores { query: &query, key: &key, product: scores };
        scores = positions.add_terms(m, &mut shared.texts, product, (group, queries));
    }
    let masked = shared.texts.scores(&mut m.graph, queries, of_layer.window);
    let scores = m.graph.add(&scores, &masked);
    let probabilities = m.graph.node("Softmax", &[&scores], vec![integer("axis", -1)]);
    let context = m.graph.matmul(&probabilities, &value);
    let context = m.graph.transpose(&context, &[0, 2, 1, 3]);
    m.graph.reshape(&context, &[0, 0, config.hidden_size as i64])
}

/// Queries, keys and values, `[batch, rows, hidden]`.
fn qkv(m: &mut Modules, group: usize, x: &Value, queries: Queries) -> [Value; 3] {
    let of = |module| Module::Layer(group, module);
    let first = |m: &mut Modules, x: &Value| match queries {
        Queries::All => x.clone(),
        Queries::First => Texts::first(&mut m.graph, x),
    };
    if m.has(of(LayerModule::Qkv)) {
        let all = m.linear(x, of(LayerModule::Qkv));
        let [query, key, value] = m.graph.nodes_outputs("Split", &[&all], vec![integer("axis", -1)]);
        return [first(m, &query), key, value];
    }
    let asking = first(m, x);
    let query = m.linear(&asking, of(LayerModule::Query));
    [query, m.linear(x, of(LayerModule::Key)), m.linear(x, of(LayerModule::Value))]
}

/// Heads apart: `[batch, rows, hidden]` → `[batch, heads, rows, head width]`.
fn heads(m: &mut Modules, x: &Value) -> Value {
    let (heads, width) = (m.config.num_attention_heads as i64, m.config.head_width() as i64);
    let x = m.graph.reshape(x, &[0, 0, heads, width]);
    m.graph.transpose(&x, &[0, 2, 1, 3])
}

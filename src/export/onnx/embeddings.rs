//! From the ids of tokens to the input of the first layer.

use super::{graph::Value, modules::Modules, texts::Texts};
use crate::model::Module;

/// The input of the first layer, `[batch, sequence, hidden]`.
pub fn embeddings(m: &mut Modules, texts: &Texts) -> Value {
    let config = m.config;
    m.graph.begin("embeddings");
    let mut x = m.words(&texts.ids);
    if m.has(Module::Positions) {
        let table = m.table(Module::Positions);
        let first = m.graph.integers(&[config.first_position() as i64]);
        let end = m.graph.add(&texts.length, &first);
        let positions = m.graph.slice(&table, &first, &end, 0);
        x = m.graph.add(&x, &positions);
    }
    if m.has(Module::TokenTypes) {
        let table = m.table(Module::TokenTypes);
        // A table of one row is added as it is.
        let types = texts.types.as_ref().map(|types| m.graph.node("Gather", &[&table, types], Vec::new()));
        x = m.graph.add(&x, types.as_ref().unwrap_or(&table));
    }
    if m.has(Module::Tasks) {
        let table = m.table(Module::Tasks);
        let first = m.graph.integer(0);
        let task = m.graph.node("Gather", &[&table, &first], Vec::new());
        x = m.graph.add(&x, &task);
    }
    x = m.norm(&x, Module::EmbeddingNorm);
    match m.has(Module::EmbeddingProjection) {
        true => m.linear(&x, Module::EmbeddingProjection),
        false => x,
    }
}

//! The terms of attention's scores that depend on the distance of query and key.

use super::{
    graph::{Value, integer},
    initializer::i64_bytes,
    modules::Modules,
    proto::DataType,
    texts::{Queries, Texts},
};
use crate::model::{LayerModule, Module, Relative};

/// The positions that the layers of a model read.
pub struct Positions<'a> {
    relative: &'a Relative,
    /// Their table, after its norm.
    table: Value,
}

/// Queries and keys of a layer, `[batch, heads, rows, head width]`, with their product.
pub struct Scores<'a> {
    /// Queries, multiplied by the scale of attention.
    pub query: &'a Value,
    /// Keys.
    pub key: &'a Value,
    /// Their product, `[batch, heads, queries, sequence]`.
    pub product: Value,
}

/// The relative positions of a model, if it has some.
pub fn positions<'a>(m: &mut Modules<'a>) -> Option<Positions<'a>> {
    let relative = m.config.relative.as_ref()?;
    m.graph.begin("relative_positions");
    let table = m.table(Module::RelativePositions);
    let table = if m.has(Module::RelativeNorm) { m.norm(&table, Module::RelativeNorm) } else { table };
    Some(Positions { relative, table })
}

impl Positions<'_> {
    /// The scores of a layer with the terms of its positions; `group` holds the layer's parameters.
    pub fn add_terms(
        &self,
        m: &mut Modules,
        texts: &mut Texts,
        scores: Scores,
        (group, queries): (usize, Queries),
    ) -> Value {
        let of = |module| Module::Layer(group, module);
        let own = if self.relative.is_shared {
            [LayerModule::Query, LayerModule::Key]
        } else {
            [LayerModule::PositionQuery, LayerModule::PositionKey]
        };
        let [query_module, key_module] = own.map(of);
        let rows = self.rows(m, texts, queries);
        let mut sum = scores.product.clone();
        if self.relative.c2p {
            let keys = self.heads(m, key_module);
            let all = m.graph.matmul(scores.query, &keys);
            let shape = m.graph.node("Shape", &[&scores.product], Vec::new());
            let term = gather(m, &all, &rows, &shape);
            sum = m.graph.add(&sum, &term);
        }
        if self.relative.p2c {
            let scale = m.graph.number(m.config.attention_scale());
            let of_positions = self.heads(m, query_module);
            let of_positions = m.graph.mul(&of_positions, &scale);
            let all = m.graph.matmul(scores.key, &of_positions);
            let product = m.graph.transpose(&scores.product, &[0, 1, 3, 2]);
            let shape = m.graph.node("Shape", &[&product], Vec::new());
            let rows = m.graph.transpose(&rows, &[1, 0]);
            let term = gather(m, &all, &rows, &shape);
            let term = m.graph.transpose(&term, &[0, 1, 3, 2]);
            sum = m.graph.add(&sum, &term);
        }
        sum
    }

    /// The row of the table for each query and key, `[queries, sequence]`.
    fn rows(&self, m: &mut Modules, texts: &mut Texts, queries: Queries) -> Value {
        let longest = m.config.longest_computed();
        // From the greatest distance on: first tokens have only distances below 0, and of a text that is too long the last one must be beyond
        // the table, not before it, where an index counts from the end.
        let rows: Vec<i64> = self.relative.rows(longest).into_iter().rev().map(|row| row as i64).collect();
        let numbers = Box::new(move || Ok(i64_bytes(&rows)));
        let rows = m.graph.constant("rows_of_distances", &[2 * longest - 1], DataType::Int64, numbers);
        let distances = texts.distances(&mut m.graph, queries);
        let center = m.graph.integer(longest as i64 - 1);
        let distances = m.graph.node("Sub", &[&center, &distances], Vec::new());
        m.graph.node("Gather", &[&rows, &distances], Vec::new())
    }

    /// Queries or keys of the positions, `[heads, head width, positions]`.
    fn heads(&self, m: &mut Modules, module: Module) -> Value {
        let x = m.linear_of_constants(&self.table, module);
        let (heads, width) = (m.config.num_attention_heads as i64, m.config.head_width() as i64);
        let x = m.graph.reshape(&x, &[0, heads, width]);
        m.graph.transpose(&x, &[1, 2, 0])
    }
}

/// The columns of `x` that `columns`, of two dimensions, name for each row, in all texts and heads: of the shape `shape`.
fn gather(m: &mut Modules, x: &Value, columns: &Value, shape: &Value) -> Value {
    let columns = m.graph.node("Expand", &[columns, shape], Vec::new());
    m.graph.node("GatherElements", &[x, &columns], vec![integer("axis", -1)])
}

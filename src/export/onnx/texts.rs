//! What a graph reads of texts, and which tokens attend to which.

use std::collections::BTreeMap;

use super::{
    graph::{Dimension, Graph, Value},
    proto::DataType,
};

/// The names of the dimensions that differ between calls, as Hugging Face's Optimum has them.
pub const BATCH: Dimension = Dimension::Named("batch_size");
const SEQUENCE: Dimension = Dimension::Named("sequence_length");

/// The tokens whose outputs are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Queries {
    /// All.
    All,
    /// The first of each text: what the last layer needs for a head that reads nothing else.
    First,
}

/// The texts of a call, `[batch, sequence]`, padded at the end.
pub struct Texts {
    /// Ids of the tokens.
    pub ids: Value,
    /// 1 for tokens, 0 for padding.
    pub mask: Value,
    /// Types of the tokens, where the model tells several apart.
    pub types: Option<Value>,
    /// The length of a row, `[1]`.
    pub length: Value,
    /// `[batch, 1, 1, sequence]`: whether it is a token.
    is_token: Value,
    distances: BTreeMap<Queries, Value>,
    scores: BTreeMap<(Queries, Option<usize>), Value>,
}

impl Texts {
    /// Adds the inputs to a graph.
    pub fn new(g: &mut Graph, has_types: bool) -> Self {
        g.begin("texts");
        let mut input = |name| g.input(name, DataType::Int64, &[BATCH, SEQUENCE]);
        let (ids, mask) = (input("input_ids"), input("attention_mask"));
        let types = has_types.then(|| input("token_type_ids"));
        let shape = g.node("Shape", &[&ids], Vec::new());
        let [from, to] = [1, 2].map(|i| g.integers(&[i]));
        let length = g.slice(&shape, &from, &to, 0);
        let is_token = g.cast(&mask, DataType::Bool);
        let is_token = g.unsqueeze(&is_token, &[1, 2]);
        Self { ids, mask, types, length, is_token, distances: BTreeMap::new(), scores: BTreeMap::new() }
    }

    /// Query − key, `[queries, sequence]`.
    pub fn distances(&mut self, g: &mut Graph, queries: Queries) -> Value {
        if let Some(known) = self.distances.get(&queries) {
            return known.clone();
        }
        let (zero, one) = (g.integer(0), g.integer(1));
        let axis = g.integers(&[0]);
        let length = g.node("Squeeze", &[&self.length, &axis], Vec::new());
        let keys = g.node("Range", &[&zero, &length, &one], Vec::new());
        let of_queries = if queries == Queries::First { g.integers(&[0]) } else { keys.clone() };
        let column = g.unsqueeze(&of_queries, &[1]);
        let distances = g.node("Sub", &[&column, &keys], Vec::new());
        self.distances.insert(queries, distances.clone());
        distances
    }

    /// What is added to the scores of attention: 0 where a query attends to a key, at most `window` apart, else so little that nothing of
    /// the key is left. It is finite: padding may be apart from all tokens.
    pub fn scores(&mut self, g: &mut Graph, queries: Queries, window: Option<usize>) -> Value {
        if let Some(known) = self.scores.get(&(queries, window)) {
            return known.clone();
        }
        let attends = match window {
            None => self.is_token.clone(),
            Some(window) => {
                let distances = self.distances(g, queries);
                let size = g.node("Abs", &[&distances], Vec::new());
                let window = g.integer(window as i64);
                let is_near = g.node("LessOrEqual", &[&size, &window], Vec::new());
                g.node("And", &[&self.is_token, &is_near], Vec::new())
            }
        };
        let masked = if g.float() == DataType::Float16 { -3e4 } else { -1e30 };
        let [zero, masked] = [0.0, masked].map(|v| g.number(v));
        let scores = g.node("Where", &[&attends, &zero, &masked], Vec::new());
        self.scores.insert((queries, window), scores.clone());
        scores
    }

    /// The first token of each text, `[batch, 1, width]`.
    pub fn first(g: &mut Graph, x: &Value) -> Value {
        let [from, to] = [0, 1].map(|i| g.integers(&[i]));
        g.slice(x, &from, &to, 1)
    }
}

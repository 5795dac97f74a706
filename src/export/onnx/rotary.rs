//! Rotary positions.

use super::{
    graph::{Graph, Value},
    modules::Modules,
    texts::Texts,
};

/// Cosines and sines of the angles of a text's positions, `[sequence, head width / 2]`.
#[derive(Clone)]
pub struct Angles([Value; 2]);

/// The tables of angles of a model's layers; none, if it has no rotary positions.
pub fn angles(m: &mut Modules, texts: &Texts) -> Vec<Angles> {
    let config = m.config;
    let Some(rotary) = &config.rotary else { return Vec::new() };
    m.graph.begin("angles");
    let (positions, width) = (config.longest_computed(), config.head_width());
    let of = |table: usize| {
        let values = rotary.angles(table, positions, width);
        let table = m.graph.floats(&format!("angles_{table}"), &[positions, width], values);
        let from = m.graph.integers(&[0]);
        let table = m.graph.slice(&table, &from, &texts.length, 0);
        Angles(m.graph.halves(&table))
    };
    (0..rotary.thetas.len()).map(of).collect()
}

impl Angles {
    /// Turns queries or keys, `[batch, heads, sequence, head width]`.
    pub fn turn(&self, g: &mut Graph, x: &Value) -> Value {
        let [cos, sin] = &self.0;
        let [a, b] = g.halves(x);
        let [a_cos, a_sin, b_cos, b_sin] = [(&a, cos), (&a, sin), (&b, cos), (&b, sin)].map(|(x, y)| g.mul(x, y));
        let turned_a = g.node("Sub", &[&a_cos, &b_sin], Vec::new());
        let turned_b = g.add(&b_cos, &a_sin);
        g.node("Concat", &[&turned_a, &turned_b], vec![super::graph::integer("axis", -1)])
    }
}

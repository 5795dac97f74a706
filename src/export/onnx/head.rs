//! From the encoder's output to the logits.

use super::{graph::Value, modules::Modules, proto::DataType, texts::Texts};
use crate::model::{Module, Pooling};

/// The logits, `[batch, labels]`. `x` has the tokens that the head reads.
pub fn head(m: &mut Modules, texts: &Texts, x: &Value) -> Value {
    m.graph.begin("head");
    let pooled = match m.config.pooling {
        Pooling::First => {
            let axis = m.graph.integers(&[1]);
            m.graph.node("Squeeze", &[x, &axis], Vec::new())
        }
        Pooling::Mean => mean(m, texts, x),
    };
    let hidden = m.linear(&pooled, Module::HeadDense);
    let mut hidden = m.activation(&hidden, m.config.head_activation);
    if m.has(Module::HeadNorm) {
        hidden = m.norm(&hidden, Module::HeadNorm);
    }
    let logits = m.linear(&hidden, Module::Classifier);
    if m.graph.float() == DataType::Float { logits } else { m.graph.cast(&logits, DataType::Float) }
}

/// The mean of the tokens of each text, without padding. In float32: float16 would lose the sum of a long text.
fn mean(m: &mut Modules, texts: &Texts, x: &Value) -> Value {
    let g = &mut m.graph;
    let float = g.float();
    let x = if float == DataType::Float { x.clone() } else { g.cast(x, DataType::Float) };
    let weights = g.cast(&texts.mask, DataType::Float);
    let weights = g.unsqueeze(&weights, &[2]);
    let x = g.mul(&x, &weights);
    let axis = g.integers(&[1]);
    let keep = || vec![super::graph::integer("keepdims", 0)];
    let sum = g.node("ReduceSum", &[&x, &axis], keep());
    let tokens = g.node("ReduceSum", &[&weights, &axis], keep());
    let mean = g.node("Div", &[&sum, &tokens], Vec::new());
    if float == DataType::Float { mean } else { g.cast(&mean, float) }
}

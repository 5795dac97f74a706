//! A whole classifier as a graph.

use super::{
    attention::{Shared, attention},
    embeddings::embeddings,
    feed_forward::feed_forward,
    graph::{Dimension, Value},
    head::head,
    initializer::Initializer,
    modules::Modules,
    proto::{DataType, GraphProto},
    relative::positions,
    rotary::angles,
    texts::{BATCH, Queries, Texts},
};
use crate::{
    export::Numbers,
    model::{LayerModule, ModelConfig, Module, Parameters, Part, Pooling},
};

/// The graph of a classifier without its constants, and these.
pub fn classifier<'a>(
    config: &'a ModelConfig,
    parameters: &'a Parameters,
    numbers: Numbers,
) -> (GraphProto, Vec<Initializer<'a>>) {
    let mut m = Modules::new(config, parameters, numbers);
    let texts = Texts::new(&mut m.graph, config.type_vocab_size > 1);
    let mut x = embeddings(&mut m, &texts);
    let (angles, positions) = (angles(&mut m, &texts), positions(&mut m));
    let mut shared = Shared { texts, angles, positions };
    for i in 0..config.num_hidden_layers {
        let is_last = i + 1 == config.num_hidden_layers;
        let queries = if is_last && config.pooling == Pooling::First { Queries::First } else { Queries::All };
        x = layer(&mut m, &mut shared, i, &x, queries);
    }
    if m.has(Module::FinalNorm) {
        x = m.norm(&x, Module::FinalNorm);
    }
    let logits = head(&mut m, &shared.texts, &x);
    let labels = parameters.spec().get(Module::Classifier, Part::Weight).shape[0];
    m.graph.output("logits", &logits, DataType::Float, &[BATCH, Dimension::Fixed(labels)]);
    m.graph.finish("classifier")
}

/// From a layer's input to its output; with pre-norm both are residuals, before any norm.
fn layer(m: &mut Modules, shared: &mut Shared, i: usize, x: &Value, queries: Queries) -> Value {
    let (group, pre_norm) = (m.config.group_of(i), m.config.family.is_pre_norm);
    let [attention_norm, ffn_norm] =
        [LayerModule::AttentionNorm, LayerModule::FfnNorm].map(|module| Module::Layer(group, module));
    let before = |m: &mut Modules, x: &Value, norm| if pre_norm && m.has(norm) { m.norm(x, norm) } else { x.clone() };
    let after = |m: &mut Modules, x: Value, norm| if pre_norm { x } else { m.norm(&x, norm) };
    m.graph.begin(format!("layer.{i}/attention"));
    let normed = before(m, x, attention_norm);
    let context = attention(m, shared, i, &normed, queries);
    let attended = m.linear(&context, Module::Layer(group, LayerModule::AttentionOutput));
    let residual = if queries == Queries::First { Texts::first(&mut m.graph, x) } else { x.clone() };
    let sum = m.graph.add(&attended, &residual);
    let x = after(m, sum, attention_norm);
    m.graph.begin(format!("layer.{i}/feed_forward"));
    let normed = before(m, &x, ffn_norm);
    let narrow = feed_forward(m, group, &normed);
    let sum = m.graph.add(&narrow, &x);
    after(m, sum, ffn_norm)
}

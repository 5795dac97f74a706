//! BERT: transformers' `BertForSequenceClassification`.
//!
//! Learned embeddings of tokens, positions and token types with a norm; post-norm layers with biases; a pooler with tanh over the
//! first token, and a linear classifier.

use super::super::{
    BertConfig,
    spec::{Kind, LayerModule, Module, Naming},
};

/// BERT's names in files. TensorFlow's checkpoints call a norm's weight and bias gamma and beta.
pub static NAMING: Naming = Naming {
    prefix: "bert.",
    groups: &["embeddings.", "encoder.", "pooler."],
    layers: "bert.encoder.layer.",
    renamed: &[("gamma", "weight"), ("beta", "bias")],
    counters: &["bert.embeddings.position_ids", "bert.embeddings.token_type_ids"],
    freezable: "embeddings, encoder.layer.0, pooler, classifier",
};

/// What transformers calls a module.
pub fn name(module: Module) -> String {
    match module {
        Module::Words => "bert.embeddings.word_embeddings".into(),
        Module::Positions => "bert.embeddings.position_embeddings".into(),
        Module::TokenTypes => "bert.embeddings.token_type_embeddings".into(),
        Module::EmbeddingNorm => "bert.embeddings.LayerNorm".into(),
        Module::Layer(i, module) => {
            let name = match module {
                LayerModule::Query => "attention.self.query",
                LayerModule::Key => "attention.self.key",
                LayerModule::Value => "attention.self.value",
                LayerModule::AttentionOutput => "attention.output.dense",
                LayerModule::AttentionNorm => "attention.output.LayerNorm",
                LayerModule::FfnUp => "intermediate.dense",
                LayerModule::FfnDown => "output.dense",
                LayerModule::FfnNorm => "output.LayerNorm",
            };
            format!("{}{i}.{name}", NAMING.layers)
        }
        Module::Pooler => "bert.pooler.dense".into(),
        Module::Classifier => "classifier".into(),
    }
}

/// The modules before the first layer.
pub fn embeddings(c: &BertConfig) -> Vec<(Module, Kind)> {
    let table = |rows, zero_row| Kind::Table { rows, width: c.hidden_size, zero_row };
    vec![
        (Module::Words, table(c.vocab_size, Some(c.pad_token_id))),
        (Module::Positions, table(c.max_position_embeddings, None)),
        (Module::TokenTypes, table(c.type_vocab_size, None)),
        (Module::EmbeddingNorm, Kind::Norm { width: c.hidden_size }),
    ]
}

/// The modules of a layer.
pub fn layer(c: &BertConfig, i: usize) -> Vec<(Module, Kind)> {
    let (h, f) = (c.hidden_size, c.intermediate_size);
    let (linear, norm) = (|out, width| Kind::Linear { out, width }, Kind::Norm { width: h });
    [
        (LayerModule::Query, linear(h, h)),
        (LayerModule::Key, linear(h, h)),
        (LayerModule::Value, linear(h, h)),
        (LayerModule::AttentionOutput, linear(h, h)),
        (LayerModule::AttentionNorm, norm),
        (LayerModule::FfnUp, linear(f, h)),
        (LayerModule::FfnDown, linear(h, f)),
        (LayerModule::FfnNorm, norm),
    ]
    .map(|(module, kind)| (Module::Layer(i, module), kind))
    .into()
}

/// The modules of the head.
pub fn head(c: &BertConfig, labels: usize) -> Vec<(Module, Kind)> {
    let linear = |out| Kind::Linear { out, width: c.hidden_size };
    vec![(Module::Pooler, linear(c.hidden_size)), (Module::Classifier, linear(labels))]
}

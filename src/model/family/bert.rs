//! BERT: transformers' `BertForSequenceClassification`.
//!
//! Learned embeddings of tokens, positions and token types with a norm; post-norm layers with biases; a pooler with tanh over the
//! first token, and a linear classifier.

use super::{
    super::spec::{LayerModule, Module},
    registry::{ConfigKeys, Family, Naming},
};

/// BERT. TensorFlow's checkpoints call a norm's weight and bias gamma and beta.
pub static BERT: Family = Family {
    model_type: "bert",
    class: "Bert",
    keys: ConfigKeys {
        hidden_dropout: "hidden_dropout_prob",
        attention_dropout: "attention_probs_dropout_prob",
        classifier_dropout: "classifier_dropout",
    },
    naming: Naming {
        prefix: "bert.",
        groups: &["embeddings.", "encoder.", "pooler."],
        layers: "bert.encoder.layer.",
        renamed: &[("gamma", "weight"), ("beta", "bias")],
        counters: &["bert.embeddings.position_ids", "bert.embeddings.token_type_ids"],
        freezable: "embeddings, encoder.layer.0, pooler, classifier",
    },
    name,
};

/// What transformers calls a module.
fn name(module: Module) -> String {
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
            format!("bert.encoder.layer.{i}.{name}")
        }
        Module::HeadDense => "bert.pooler.dense".into(),
        Module::Classifier => "classifier".into(),
    }
}

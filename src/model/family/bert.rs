//! BERT: transformers' `BertForSequenceClassification`.
//!
//! Learned embeddings of tokens, positions and token types with a norm; post-norm layers with biases; a pooler with tanh over the
//! first token, and a linear classifier.

use super::{
    super::{
        heads::POOLER,
        module::{LayerModule, Module},
    },
    kind::{ConfigKeys, DropoutKeys, Family, InitScheme, Naming, Positions},
};
use crate::kernels::Activation;

/// BERT. TensorFlow's checkpoints call a norm's weight and bias gamma and beta; most other families take their names in files
/// ([`Naming`]) from here.
pub const BERT: Family = Family {
    model_type: "bert",
    class: "Bert",
    keys: ConfigKeys {
        hidden_size: "hidden_size",
        layers: "num_hidden_layers",
        heads: "num_attention_heads",
        intermediate_size: "intermediate_size",
        activation: "hidden_act",
        default_activation: Activation::Gelu,
        head_activation: None,
        norm_eps: (Some("layer_norm_eps"), 1e-12),
        positions: 512,
        embedding_size: None,
        groups: None,
        task_types: None,
        biases: None,
        pooling: None,
        dropout: DropoutKeys {
            embedding: "hidden_dropout_prob",
            attention: "attention_probs_dropout_prob",
            attention_output: Some("hidden_dropout_prob"),
            ffn: Some("hidden_dropout_prob"),
            head: ("classifier_dropout", None),
            head_input: None,
            default: 0.1,
        },
    },
    pad_token_id: 0,
    positions: Positions::Learned,
    token_types: Some(2),
    is_always_projected: false,
    has_fused_qkv: false,
    is_pre_norm: false,
    is_gated: false,
    init: InitScheme::Normal,
    head: POOLER,
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

/// transformers' name of a module of the encoder, after the family's prefix. Later families kept these names.
pub fn encoder_name(module: Module) -> String {
    match module {
        Module::Words => "embeddings.word_embeddings".into(),
        Module::Positions => "embeddings.position_embeddings".into(),
        Module::TokenTypes => "embeddings.token_type_embeddings".into(),
        Module::Tasks => "embeddings.task_type_embeddings".into(),
        Module::EmbeddingNorm => "embeddings.LayerNorm".into(),
        Module::EmbeddingProjection => "embeddings_project".into(),
        Module::Layer(i, module) => {
            let name = match module {
                LayerModule::Qkv | LayerModule::PositionQuery | LayerModule::PositionKey => {
                    unreachable!("BERT has no {module:?}")
                }
                LayerModule::Query => "attention.self.query",
                LayerModule::Key => "attention.self.key",
                LayerModule::Value => "attention.self.value",
                LayerModule::AttentionOutput => "attention.output.dense",
                LayerModule::AttentionNorm => "attention.output.LayerNorm",
                LayerModule::FfnUp => "intermediate.dense",
                LayerModule::FfnDown => "output.dense",
                LayerModule::FfnNorm => "output.LayerNorm",
            };
            format!("encoder.layer.{i}.{name}")
        }
        Module::RelativePositions | Module::RelativeNorm | Module::FinalNorm | Module::HeadNorm => {
            unreachable!("BERT has no {module:?}")
        }
        Module::HeadDense => "pooler.dense".into(),
        Module::Classifier => "classifier".into(),
    }
}

fn name(module: Module) -> String {
    match module {
        Module::Classifier => encoder_name(module),
        module => format!("bert.{}", encoder_name(module)),
    }
}

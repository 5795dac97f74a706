//! ModernBERT (Warner et al. 2024), also mmBERT and Ettin: transformers' `ModernBertForSequenceClassification`.
//!
//! Words without positions; pre-norm layers with one dense layer for queries, keys and values, rotary positions, and a gated
//! feed-forward network, by default all without biases. Every third layer attends to the whole text, the others within a window. The head,
//! which language models of the family have too, reads the first token or the mean of all tokens.

use super::{
    super::{
        heads,
        module::{LayerModule, Module},
    },
    bert::BERT,
    kind::{BiasKeys, ConfigKeys, DropoutKeys, Family, InitScheme, Naming, Positions},
};

/// ModernBERT.
pub const MODERNBERT: Family = Family {
    model_type: "modernbert",
    class: "ModernBert",
    keys: ConfigKeys {
        activation: "hidden_activation",
        head_activation: Some("classifier_activation"),
        norm_eps: (Some("norm_eps"), 1e-5),
        positions: 8192,
        biases: Some(BiasKeys {
            attention: "attention_bias",
            ffn: "mlp_bias",
            norms: "norm_bias",
            head: "classifier_bias",
        }),
        pooling: Some("classifier_pooling"),
        dropout: DropoutKeys {
            embedding: "embedding_dropout",
            attention: "attention_dropout",
            attention_output: Some("attention_dropout"),
            ffn: Some("mlp_dropout"),
            head: ("classifier_dropout", Some(0.0)),
            head_input: None,
            default: 0.0,
        },
        ..BERT.keys
    },
    pad_token_id: 50283,
    positions: Positions::Rotary,
    token_types: None,
    is_always_projected: false,
    has_fused_qkv: true,
    is_pre_norm: true,
    is_gated: true,
    init: InitScheme::Truncated,
    head: heads::MODERNBERT,
    naming: Naming {
        prefix: "model.",
        groups: &["embeddings.", "layers.", "final_norm."],
        layers: "model.layers.",
        renamed: &[],
        counters: &[],
        freezable: "embeddings, layers.0, final_norm, head, classifier",
    },
    name,
};

fn name(module: Module) -> String {
    let of_the_encoder = match module {
        Module::HeadDense => return "head.dense".into(),
        Module::HeadNorm => return "head.norm".into(),
        Module::Classifier => return "classifier".into(),
        Module::Words => "embeddings.tok_embeddings".into(),
        Module::EmbeddingNorm => "embeddings.norm".into(),
        Module::FinalNorm => "final_norm".into(),
        Module::Layer(i, module) => {
            let name = match module {
                LayerModule::Qkv => "attn.Wqkv",
                LayerModule::AttentionOutput => "attn.Wo",
                LayerModule::AttentionNorm => "attn_norm",
                LayerModule::FfnUp => "mlp.Wi",
                LayerModule::FfnDown => "mlp.Wo",
                LayerModule::FfnNorm => "mlp_norm",
                LayerModule::Query
                | LayerModule::Key
                | LayerModule::Value
                | LayerModule::PositionQuery
                | LayerModule::PositionKey => unreachable!("ModernBERT has no {module:?}"),
            };
            format!("layers.{i}.{name}")
        }
        Module::Positions
        | Module::TokenTypes
        | Module::Tasks
        | Module::EmbeddingProjection
        | Module::RelativePositions
        | Module::RelativeNorm => unreachable!("ModernBERT has no {module:?}"),
    };
    format!("model.{of_the_encoder}")
}

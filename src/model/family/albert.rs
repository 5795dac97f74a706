//! ALBERT (Lan et al. 2020): transformers' `AlbertForSequenceClassification`.
//!
//! BERT's encoder with narrow embeddings that a dense layer projects to the hidden size, and with one set of parameters for all layers of a
//! group (usually: for all layers). No dropout is applied to the feed-forward network. BERT's head, under a name of its own.

use super::{
    super::module::{LayerModule, Module},
    bert::{BERT, encoder_name},
    kind::{ConfigKeys, DropoutKeys, Family, GroupKeys, Naming},
};
use crate::kernels::Activation;

/// ALBERT. Files also contain the heads of pretraining (`predictions`, `sop_classifier`), which are not used.
pub const ALBERT: Family = Family {
    model_type: "albert",
    class: "Albert",
    keys: ConfigKeys {
        default_activation: Activation::GeluTanh,
        embedding_size: Some(("embedding_size", 128)),
        groups: Some(GroupKeys { groups: "num_hidden_groups", layers_of_a_group: "inner_group_num" }),
        dropout: DropoutKeys {
            ffn: None,
            head: ("classifier_dropout_prob", Some(0.1)),
            default: 0.0,
            ..BERT.keys.dropout
        },
        ..BERT.keys
    },
    is_always_projected: true,
    naming: Naming {
        prefix: "albert.",
        layers: "albert.encoder.albert_layer_groups.",
        counters: &["albert.embeddings.position_ids", "albert.embeddings.token_type_ids"],
        freezable: "embeddings, encoder.albert_layer_groups.0, pooler, classifier",
        ..BERT.naming
    },
    name,
    ..BERT
};

fn name(module: Module) -> String {
    let of_the_encoder = match module {
        Module::Classifier => return encoder_name(module),
        Module::HeadDense => "pooler".into(),
        Module::EmbeddingProjection => "encoder.embedding_hidden_mapping_in".into(),
        Module::Layer(group, module) => {
            let name = match module {
                LayerModule::Qkv | LayerModule::PositionQuery | LayerModule::PositionKey => {
                    unreachable!("ALBERT has no {module:?}")
                }
                LayerModule::Query => "attention.query",
                LayerModule::Key => "attention.key",
                LayerModule::Value => "attention.value",
                LayerModule::AttentionOutput => "attention.dense",
                LayerModule::AttentionNorm => "attention.LayerNorm",
                LayerModule::FfnUp => "ffn",
                LayerModule::FfnDown => "ffn_output",
                LayerModule::FfnNorm => "full_layer_layer_norm",
            };
            format!("encoder.albert_layer_groups.{group}.albert_layers.0.{name}")
        }
        module => encoder_name(module),
    };
    format!("albert.{of_the_encoder}")
}

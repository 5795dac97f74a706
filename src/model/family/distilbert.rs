//! DistilBERT: transformers' `DistilBertForSequenceClassification`.
//!
//! BERT's encoder without token types and without dropout on attention's output, under names of its own. The classifier has a
//! dense layer with ReLU.

use super::{
    super::{
        heads,
        module::{LayerModule, Module},
    },
    bert::BERT,
    kind::{ConfigKeys, DropoutKeys, Family, Naming},
};

/// DistilBERT.
pub const DISTILBERT: Family = Family {
    model_type: "distilbert",
    class: "DistilBert",
    keys: ConfigKeys {
        hidden_size: "dim",
        layers: "n_layers",
        heads: "n_heads",
        intermediate_size: "hidden_dim",
        activation: "activation",
        norm_eps: (None, 1e-12),
        dropout: DropoutKeys {
            embedding: "dropout",
            attention: "attention_dropout",
            attention_output: None,
            ffn: Some("dropout"),
            head: ("seq_classif_dropout", Some(0.2)),
            head_input: None,
            default: 0.1,
        },
        ..BERT.keys
    },
    token_types: None,
    head: heads::DISTILBERT,
    naming: Naming {
        prefix: "distilbert.",
        groups: &["embeddings.", "transformer."],
        layers: "distilbert.transformer.layer.",
        counters: &["distilbert.embeddings.position_ids"],
        freezable: "embeddings, transformer.layer.0, pre_classifier, classifier",
        ..BERT.naming
    },
    name,
    ..BERT
};

fn name(module: Module) -> String {
    let of_the_encoder = match module {
        Module::HeadDense => return "pre_classifier".into(),
        Module::Classifier => return "classifier".into(),
        Module::Words => "embeddings.word_embeddings".into(),
        Module::Positions => "embeddings.position_embeddings".into(),
        Module::EmbeddingNorm => "embeddings.LayerNorm".into(),
        Module::TokenTypes
        | Module::Tasks
        | Module::EmbeddingProjection
        | Module::RelativePositions
        | Module::RelativeNorm
        | Module::FinalNorm
        | Module::HeadNorm => unreachable!("DistilBERT has no {module:?}"),
        Module::Layer(i, module) => {
            let name = match module {
                LayerModule::Qkv | LayerModule::PositionQuery | LayerModule::PositionKey => {
                    unreachable!("DistilBERT has no {module:?}")
                }
                LayerModule::Query => "attention.q_lin",
                LayerModule::Key => "attention.k_lin",
                LayerModule::Value => "attention.v_lin",
                LayerModule::AttentionOutput => "attention.out_lin",
                LayerModule::AttentionNorm => "sa_layer_norm",
                LayerModule::FfnUp => "ffn.lin1",
                LayerModule::FfnDown => "ffn.lin2",
                LayerModule::FfnNorm => "output_layer_norm",
            };
            format!("transformer.layer.{i}.{name}")
        }
    };
    format!("distilbert.{of_the_encoder}")
}

//! DeBERTa-v2 and -v3, also mDeBERTa: transformers' `DebertaV2ForSequenceClassification`.
//!
//! BERT's encoder whose attention is disentangled: scores have terms for the distance of query and key, from one table of relative positions
//! with a norm of its own. There may be no table of positions and none of token types. The pooler has GELU, and its name is outside of the
//! encoder's prefix.

use super::{
    super::{
        heads,
        module::{LayerModule, Module},
    },
    bert::{BERT, encoder_name},
    kind::{ConfigKeys, DropoutKeys, Family, Naming, Positions},
};

/// DeBERTa-v2 and -v3. Files of the hub also contain the heads of their pre-training, which are not used.
pub const DEBERTA_V2: Family = Family {
    model_type: "deberta-v2",
    class: "DebertaV2",
    keys: ConfigKeys {
        head_activation: Some("pooler_hidden_act"),
        norm_eps: (Some("layer_norm_eps"), 1e-7),
        dropout: DropoutKeys {
            head: ("cls_dropout", None),
            head_input: Some(("pooler_dropout", 0.0)),
            ..BERT.keys.dropout
        },
        ..BERT.keys
    },
    positions: Positions::Relative,
    token_types: Some(0),
    head: heads::DEBERTA,
    naming: Naming {
        prefix: "deberta.",
        groups: &["embeddings.", "encoder."],
        layers: "deberta.encoder.layer.",
        counters: &["deberta.embeddings.position_ids"],
        freezable: "embeddings, encoder.layer.0, encoder.rel_embeddings, pooler, classifier",
        ..BERT.naming
    },
    name,
    ..BERT
};

fn name(module: Module) -> String {
    let of_the_encoder = match module {
        Module::HeadDense | Module::Classifier => return encoder_name(module),
        Module::RelativePositions => "encoder.rel_embeddings".into(),
        Module::RelativeNorm => "encoder.LayerNorm".into(),
        Module::Layer(i, LayerModule::Query) => projection(i, "query"),
        Module::Layer(i, LayerModule::Key) => projection(i, "key"),
        Module::Layer(i, LayerModule::Value) => projection(i, "value"),
        Module::Layer(i, LayerModule::PositionQuery) => projection(i, "pos_query"),
        Module::Layer(i, LayerModule::PositionKey) => projection(i, "pos_key"),
        module => encoder_name(module),
    };
    format!("deberta.{of_the_encoder}")
}

fn projection(layer: usize, what: &str) -> String {
    format!("encoder.layer.{layer}.attention.self.{what}_proj")
}

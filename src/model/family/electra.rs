//! ELECTRA: transformers' `ElectraForSequenceClassification`.
//!
//! BERT's encoder with embeddings that may be narrower than its layers, and are then projected by a dense layer. The classifier has its own
//! dense layer with GELU instead of a pooler.

use super::{
    super::{heads, module::Module},
    bert::{BERT, encoder_name},
    kind::{ConfigKeys, Family, Naming},
};

/// ELECTRA. Files also contain the discriminator's own head, which is not used.
pub const ELECTRA: Family = Family {
    model_type: "electra",
    class: "Electra",
    keys: ConfigKeys { embedding_size: Some(("embedding_size", 128)), ..BERT.keys },
    head: heads::ELECTRA,
    naming: Naming {
        prefix: "electra.",
        groups: &["embeddings.", "embeddings_project.", "encoder."],
        layers: "electra.encoder.layer.",
        counters: &["electra.embeddings.position_ids", "electra.embeddings.token_type_ids"],
        freezable: "embeddings, embeddings_project, encoder.layer.0, classifier",
        ..BERT.naming
    },
    name,
    ..BERT
};

fn name(module: Module) -> String {
    match module {
        Module::HeadDense => "classifier.dense".into(),
        Module::Classifier => "classifier.out_proj".into(),
        module => format!("electra.{}", encoder_name(module)),
    }
}

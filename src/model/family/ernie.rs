//! ERNIE 1, 2 and 3: transformers' `ErnieForSequenceClassification`.
//!
//! BERT, and in ERNIE 3 (`use_task_id`) a table of task types, of which every token has the first row.

use super::{
    super::module::Module,
    bert::{BERT, encoder_name},
    kind::{ConfigKeys, Family, Naming},
};

/// ERNIE.
pub const ERNIE: Family = Family {
    model_type: "ernie",
    class: "Ernie",
    keys: ConfigKeys { task_types: Some(("use_task_id", "task_type_vocab_size")), ..BERT.keys },
    naming: Naming {
        prefix: "ernie.",
        layers: "ernie.encoder.layer.",
        counters: &["ernie.embeddings.position_ids", "ernie.embeddings.token_type_ids"],
        ..BERT.naming
    },
    name,
    ..BERT
};

fn name(module: Module) -> String {
    match module {
        Module::Classifier => encoder_name(module),
        module => format!("ernie.{}", encoder_name(module)),
    }
}

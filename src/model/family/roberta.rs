//! RoBERTa and the families that are RoBERTa with other vocabularies: transformers' `RobertaForSequenceClassification`,
//! `XLMRobertaForSequenceClassification` and `CamembertForSequenceClassification`.
//!
//! BERT's encoder with positions that begin after that of the padding token, so that a table of 514 positions is for 512 tokens. The
//! classifier has its own dense layer instead of a pooler.

use super::{
    super::{heads, module::Module},
    bert::{BERT, encoder_name},
    kind::{Family, Naming, Positions},
};

/// RoBERTa.
pub const ROBERTA: Family = Family {
    model_type: "roberta",
    class: "Roberta",
    pad_token_id: 1,
    positions: Positions::LearnedAfterPadding,
    head: heads::ROBERTA,
    naming: Naming {
        prefix: "roberta.",
        groups: &["embeddings.", "encoder."],
        layers: "roberta.encoder.layer.",
        counters: &["roberta.embeddings.position_ids", "roberta.embeddings.token_type_ids"],
        freezable: "embeddings, encoder.layer.0, classifier",
        ..BERT.naming
    },
    name,
    ..BERT
};

/// XLM-RoBERTa.
pub const XLM_ROBERTA: Family = Family { model_type: "xlm-roberta", class: "XLMRoberta", ..ROBERTA };

/// CamemBERT.
pub const CAMEMBERT: Family = Family { model_type: "camembert", class: "Camembert", ..ROBERTA };

fn name(module: Module) -> String {
    match module {
        Module::HeadDense => "classifier.dense".into(),
        Module::Classifier => "classifier.out_proj".into(),
        module => format!("roberta.{}", encoder_name(module)),
    }
}

//! The list of families.

use super::{albert, bert, deberta, distilbert, electra, ernie, kind::Family, modernbert, roberta};

/// Every family that taper trains; BERT is the first.
pub static ALL: [Family; 10] = [
    bert::BERT,
    ernie::ERNIE,
    roberta::ROBERTA,
    roberta::XLM_ROBERTA,
    roberta::CAMEMBERT,
    distilbert::DISTILBERT,
    electra::ELECTRA,
    modernbert::MODERNBERT,
    deberta::DEBERTA_V2,
    albert::ALBERT,
];

/// The family with this `model_type` in config.json.
pub fn of_model_type(model_type: &str) -> Option<&'static Family> {
    ALL.iter().find(|family| family.model_type == model_type)
}

/// The family of a transformers class, for old files without a `model_type`: the one with the matching class prefix, or BERT if the class is
/// named after BERT and no other family.
pub fn of_class(class: &str) -> Option<&'static Family> {
    const OTHERS: [&str; 9] = [
        "roberta",
        "albert",
        "deberta",
        "distilbert",
        "camembert",
        "mobilebert",
        "modernbert",
        "squeezebert",
        "megatron",
    ];
    let is_of = |family: &&Family| {
        class.strip_prefix(family.class).is_some_and(|rest| rest.starts_with("For") || rest.starts_with("Model"))
    };
    let lower = class.to_lowercase();
    let is_bert = lower.contains("bert") && !OTHERS.iter().any(|other| lower.contains(other));
    ALL.iter().find(is_of).or_else(|| is_bert.then_some(&ALL[0]))
}

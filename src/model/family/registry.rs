//! What a family of encoders is, and which there are.

use std::fmt;

use super::{super::spec::Module, bert::BERT};

/// A family of encoders: how its files are recognised, and what they call keys and tensors.
pub struct Family {
    /// `model_type` in config.json.
    pub model_type: &'static str,
    /// What transformers' classes of the family begin with: `Bert` of `BertForSequenceClassification`.
    pub class: &'static str,
    /// Keys of config.json.
    pub keys: ConfigKeys,
    /// How weights files name tensors.
    pub naming: Naming,
    /// What transformers calls a module.
    pub name: fn(Module) -> String,
}

/// What a family's config.json calls the dropout probabilities.
#[derive(Debug)]
pub struct ConfigKeys {
    /// Of the embeddings and of each sublayer's output.
    pub hidden_dropout: &'static str,
    /// Of the attention probabilities.
    pub attention_dropout: &'static str,
    /// Of the head.
    pub classifier_dropout: &'static str,
}

/// How files name a family's tensors.
#[derive(Debug)]
pub struct Naming {
    /// What a model with a head puts before the names of the encoder; a file of the encoder alone does not.
    pub prefix: &'static str,
    /// What the encoder's names begin with after that.
    pub groups: &'static [&'static str],
    /// What precedes the number of a layer.
    pub layers: &'static str,
    /// Last parts of names in old files, and what they are called today.
    pub renamed: &'static [(&'static str, &'static str)],
    /// Tensors that every model of the family has and no file need hold.
    pub counters: &'static [&'static str],
    /// What names in `train.freeze` begin with, for messages.
    pub freezable: &'static str,
}

/// Every family that taper trains.
pub static ALL: [&Family; 1] = [&BERT];

/// The family whose config.json has this `model_type`.
pub fn of_model_type(model_type: &str) -> Option<&'static Family> {
    ALL.into_iter().find(|family| family.model_type == model_type)
}

/// The family of a class of transformers, for files without a `model_type`: they are old, and of BERT unless the class is named
/// after another family.
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
    let class = class.to_lowercase();
    (class.contains("bert") && !OTHERS.iter().any(|other| class.contains(other))).then_some(&BERT)
}

impl Family {
    /// transformers' class of the family's classifiers.
    pub fn classifier(&self) -> String {
        format!("{}ForSequenceClassification", self.class)
    }
}

impl fmt::Debug for Family {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.model_type)
    }
}

impl PartialEq for Family {
    fn eq(&self, other: &Self) -> bool {
        self.model_type == other.model_type
    }
}

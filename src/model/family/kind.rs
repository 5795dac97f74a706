//! The description of a family of encoders.

use std::fmt;

use super::super::{heads::Head, module::Module};

/// A family of encoders: the blocks of its models, and the names of keys and tensors in its files.
pub struct Family {
    /// `model_type` in config.json.
    pub model_type: &'static str,
    /// The prefix of the family's transformers classes: `Bert` in `BertForSequenceClassification`.
    pub class: &'static str,
    /// Keys of config.json.
    pub keys: ConfigKeys,
    /// `pad_token_id` if config.json has none.
    pub pad_token_id: u64,
    /// Whether the first token has the position after `pad_token_id`, instead of position 0.
    pub positions_follow_padding: bool,
    /// Whether there is an embedding table of token types.
    pub has_token_types: bool,
    /// Whether dropout is applied to attention's output.
    pub drops_attention_output: bool,
    /// The epsilon of the norms, if config.json has no key for it.
    pub fixed_eps: Option<f64>,
    /// The head of its classifiers.
    pub head: Head,
    /// How weights files name tensors.
    pub naming: Naming,
    /// transformers' name of a module.
    pub name: fn(Module) -> String,
}

/// The family's config.json keys for sizes and dropout probabilities.
#[derive(Debug, Clone, Copy)]
pub struct ConfigKeys {
    /// Width of a token.
    pub hidden_size: &'static str,
    /// Encoder layers.
    pub layers: &'static str,
    /// Attention heads of a layer.
    pub heads: &'static str,
    /// Width of the feed-forward layer.
    pub intermediate_size: &'static str,
    /// Activation of the feed-forward layer.
    pub activation: &'static str,
    /// Width of the embeddings and its default; `None`: the hidden size.
    pub embedding_size: Option<(&'static str, u64)>,
    /// Keys for task types and their number; `None`: the family has none.
    pub task_types: Option<(&'static str, &'static str)>,
    /// Dropout of the embeddings and of each sublayer's output.
    pub hidden_dropout: &'static str,
    /// Dropout of the attention probabilities.
    pub attention_dropout: &'static str,
    /// Dropout of the head, and its default; `None`: the hidden dropout.
    pub classifier_dropout: (&'static str, Option<f64>),
}

/// How files name a family's tensors.
#[derive(Debug, Clone, Copy)]
pub struct Naming {
    /// The prefix of the encoder's names in models with a head; files of the encoder alone do not have it.
    pub prefix: &'static str,
    /// What the encoder's names begin with after the prefix.
    pub groups: &'static [&'static str],
    /// The part before a layer's number.
    pub layers: &'static str,
    /// Last parts of names in old files, and their current names.
    pub renamed: &'static [(&'static str, &'static str)],
    /// Tensors that every model of the family has and files may omit.
    pub counters: &'static [&'static str],
    /// Example of names in `train.freeze`, for messages.
    pub freezable: &'static str,
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

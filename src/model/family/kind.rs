//! The description of a family of encoders.

use std::fmt;

use super::super::{heads::Head, module::Module};
use crate::kernels::Activation;

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
    /// How the position of a token is known.
    pub positions: Positions,
    /// `type_vocab_size` if config.json has none; `None`: there is no embedding table of token types.
    pub token_types: Option<u64>,
    /// Whether a dense layer projects the embeddings even if they are as wide as the layers.
    pub is_always_projected: bool,
    /// Whether queries, keys and values are one dense layer.
    pub has_fused_qkv: bool,
    /// Whether norms precede attention and feed-forward network, instead of following them.
    pub is_pre_norm: bool,
    /// Whether the feed-forward network is gated.
    pub is_gated: bool,
    /// How new weights are drawn.
    pub init: InitScheme,
    /// The head of its classifiers.
    pub head: Head,
    /// How weights files name tensors.
    pub naming: Naming,
    /// transformers' name of a module.
    pub name: fn(Module) -> String,
}

/// How the position of a token is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Positions {
    /// By an embedding table, from row 0 on.
    Learned,
    /// By an embedding table, from the row after `pad_token_id` on.
    LearnedAfterPadding,
    /// By rotations of queries and keys.
    Rotary,
    /// By terms of attention's scores, and, if `position_biased_input` is true, by an embedding table, from row 0 on.
    Relative,
}

/// How new weights are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InitScheme {
    /// Normal, with one deviation for all.
    Normal,
    /// Truncated normal; smaller deviations of the dense layers that write to the residual stream and of the head, and one of
    /// hidden^-½ of the classifier.
    Truncated,
}

/// The family's config.json keys for sizes and options.
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
    /// That activation if config.json names none.
    pub default_activation: Activation,
    /// Activation of the head; `None`: the family's.
    pub head_activation: Option<&'static str>,
    /// Epsilon of the norms, `None` if it is fixed, and its default.
    pub norm_eps: (Option<&'static str>, f64),
    /// `max_position_embeddings` if config.json has none.
    pub positions: u64,
    /// Width of the embeddings and its default; `None`: the hidden size.
    pub embedding_size: Option<(&'static str, u64)>,
    /// Groups of layers with the same parameters; `None`: each layer has its own.
    pub groups: Option<GroupKeys>,
    /// Keys for task types and their number; `None`: the family has none.
    pub task_types: Option<(&'static str, &'static str)>,
    /// Which modules have a bias; `None`: all.
    pub biases: Option<BiasKeys>,
    /// What the head reads of a text; `None`: its first token.
    pub pooling: Option<&'static str>,
    /// Dropout probabilities.
    pub dropout: DropoutKeys,
}

/// Keys for layers that share their parameters.
#[derive(Debug, Clone, Copy)]
pub struct GroupKeys {
    /// Number of groups, by default 1. The layers of a group have the same parameters.
    pub groups: &'static str,
    /// Layers with parameters of their own that a group consists of; only 1, the default, is supported.
    pub layers_of_a_group: &'static str,
}

/// Keys that are true if modules have a bias; by default they have none.
#[derive(Debug, Clone, Copy)]
pub struct BiasKeys {
    /// The dense layers of attention.
    pub attention: &'static str,
    /// Those of the feed-forward network.
    pub ffn: &'static str,
    /// Norms.
    pub norms: &'static str,
    /// The head's dense layer.
    pub head: &'static str,
}

/// The family's config.json keys for dropout probabilities, by site.
#[derive(Debug, Clone, Copy)]
pub struct DropoutKeys {
    /// The embeddings.
    pub embedding: &'static str,
    /// The attention probabilities.
    pub attention: &'static str,
    /// The output of attention; `None`: none is applied there.
    pub attention_output: Option<&'static str>,
    /// The output of the feed-forward network, or the product inside a gated one; `None`: none is applied there.
    pub ffn: Option<&'static str>,
    /// The head, and its default; `None`: that of the embeddings.
    pub head: (&'static str, Option<f64>),
    /// The head's input, and its default, where it is not that of the head.
    pub head_input: Option<(&'static str, f64)>,
    /// The probability of those without a key in config.json, but for the head.
    pub default: f64,
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

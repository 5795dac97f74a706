//! What follows the encoder, on the first token of each text or the mean of its tokens: a dense layer, an activation, and a row for
//! each label.

use crate::kernels::Activation;

/// A classification head: dropout (in some), dense layer, activation, norm (in some), dropout, classifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Whether dropout is also applied to the encoder's output.
    pub drops_input: bool,
    /// The activation after the dense layer, where config.json does not name another.
    pub activation: Activation,
    /// Whether a norm follows the activation.
    pub has_norm: bool,
}

/// What a head reads of the encoder's output for a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooling {
    /// The first token.
    First,
    /// The mean of all tokens.
    Mean,
}

/// BERT's: the pooler with tanh.
pub const POOLER: Head = Head { drops_input: false, activation: Activation::Tanh, has_norm: false };
/// RoBERTa's (`RobertaClassificationHead`).
pub const ROBERTA: Head = Head { drops_input: true, activation: Activation::Tanh, has_norm: false };
/// ELECTRA's (`ElectraClassificationHead`).
pub const ELECTRA: Head = Head { drops_input: true, activation: Activation::Gelu, has_norm: false };
/// DeBERTa's: `ContextPooler` with GELU, which drops its input with a probability of its own.
pub const DEBERTA: Head = Head { drops_input: true, activation: Activation::Gelu, has_norm: false };
/// DistilBERT's: `pre_classifier` with ReLU.
pub const DISTILBERT: Head = Head { drops_input: false, activation: Activation::Relu, has_norm: false };
/// ModernBERT's: `ModernBertPredictionHead`, also that of its language models.
pub const MODERNBERT: Head = Head { drops_input: false, activation: Activation::Gelu, has_norm: true };

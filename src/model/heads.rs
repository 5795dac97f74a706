//! What follows the encoder, on the first token of each text: a dense layer, an activation, and a row for each label.

use crate::kernels::Activation;

/// A classification head: dropout (in some), dense layer, activation, dropout, classifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Whether dropout is also applied to the encoder's output.
    pub drops_input: bool,
    /// The activation after the dense layer.
    pub activation: Activation,
}

/// BERT's: the pooler with tanh.
pub const POOLER: Head = Head { drops_input: false, activation: Activation::Tanh };
/// RoBERTa's (`RobertaClassificationHead`).
pub const ROBERTA: Head = Head { drops_input: true, activation: Activation::Tanh };
/// ELECTRA's (`ElectraClassificationHead`).
pub const ELECTRA: Head = Head { drops_input: true, activation: Activation::Gelu };
/// DistilBERT's: `pre_classifier` with ReLU.
pub const DISTILBERT: Head = Head { drops_input: false, activation: Activation::Relu };

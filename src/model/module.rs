//! The modules of an encoder classifier.

use crate::plan::RateGroup;

/// A module of an encoder classifier, by its function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Module {
    /// The embedding table of tokens.
    Words,
    /// The embedding table of positions.
    Positions,
    /// The embedding table of token types.
    TokenTypes,
    /// The embedding table of task types.
    Tasks,
    /// The norm of the sum of the embeddings.
    EmbeddingNorm,
    /// The dense layer from the width of the embeddings to the hidden size.
    EmbeddingProjection,
    /// A module of the encoder layer of this number, from 0 on; where layers share their parameters, of the group of layers of this number.
    Layer(usize, LayerModule),
    /// The embedding table of relative positions, which the attention of every layer reads.
    RelativePositions,
    /// Its norm.
    RelativeNorm,
    /// The norm after the last layer, with pre-norm.
    FinalNorm,
    /// The dense layer of the head, before its activation: BERT's pooler.
    HeadDense,
    /// The norm after that activation.
    HeadNorm,
    /// The last layer of the head: a row for each label.
    Classifier,
}

/// A module of an encoder layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LayerModule {
    /// Queries, keys and values of attention as one dense layer.
    Qkv,
    /// Queries of attention.
    Query,
    /// Keys.
    Key,
    /// Values.
    Value,
    /// Queries of relative positions, where they are not those of attention.
    PositionQuery,
    /// Their keys.
    PositionKey,
    /// The dense layer after attention.
    AttentionOutput,
    /// The norm of attention: after it, with pre-norm before it.
    AttentionNorm,
    /// The first dense layer of the feed-forward network; of a gated one, its inputs and its gates.
    FfnUp,
    /// The second.
    FfnDown,
    /// The norm of the feed-forward network: after it, with pre-norm before it.
    FfnNorm,
}

impl Module {
    /// Whether it is a norm.
    pub fn is_norm(self) -> bool {
        let of_layer = |module| matches!(module, LayerModule::AttentionNorm | LayerModule::FfnNorm);
        match self {
            Self::EmbeddingNorm | Self::RelativeNorm | Self::FinalNorm | Self::HeadNorm => true,
            Self::Layer(_, module) => of_layer(module),
            _ => false,
        }
    }

    /// The parameters that it has its learning rate in common with, where no layers share parameters.
    pub fn rate_group(self) -> RateGroup {
        match self {
            // Every layer reads the relative positions, the first as well.
            Self::Words
            | Self::Positions
            | Self::TokenTypes
            | Self::Tasks
            | Self::EmbeddingNorm
            | Self::EmbeddingProjection
            | Self::RelativePositions
            | Self::RelativeNorm => RateGroup::Embeddings,
            Self::Layer(layer, _) => RateGroup::Layer(layer),
            Self::FinalNorm => RateGroup::FinalNorm,
            Self::HeadDense | Self::HeadNorm | Self::Classifier => RateGroup::Head,
        }
    }

    /// Whether it belongs to the head, which checkpoints of the encoder alone do not have.
    pub fn is_head(self) -> bool {
        matches!(self, Self::HeadDense | Self::HeadNorm | Self::Classifier)
    }
}

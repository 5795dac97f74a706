//! The modules of an encoder classifier.

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
    /// A module of the encoder layer of this number, from 0 on.
    Layer(usize, LayerModule),
    /// The dense layer of the head, before its activation: BERT's pooler.
    HeadDense,
    /// The last layer of the head: a row for each label.
    Classifier,
}

/// A module of an encoder layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LayerModule {
    /// Queries of attention.
    Query,
    /// Keys.
    Key,
    /// Values.
    Value,
    /// The dense layer after attention.
    AttentionOutput,
    /// The norm after it.
    AttentionNorm,
    /// The first dense layer of the feed-forward network.
    FfnUp,
    /// The second.
    FfnDown,
    /// The norm after it.
    FfnNorm,
}

impl Module {
    /// Whether it is a norm.
    pub fn is_norm(self) -> bool {
        matches!(
            self,
            Self::EmbeddingNorm | Self::Layer(_, LayerModule::AttentionNorm) | Self::Layer(_, LayerModule::FfnNorm)
        )
    }

    /// Whether it belongs to the head, which checkpoints of the encoder alone do not have.
    pub fn is_head(self) -> bool {
        matches!(self, Self::HeadDense | Self::Classifier)
    }
}

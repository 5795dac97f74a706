//! The learning rate of each group of parameters, as a multiple of `train.lr`.

use super::TrainConfig;

/// Parameters with the same learning rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RateGroup {
    /// The embedding tables, their norm and their projection to the hidden size.
    Embeddings,
    /// The encoder layer of this number, from 0 on.
    Layer(usize),
    /// The norm after the last layer, with pre-norm.
    FinalNorm,
    /// Everything after the encoder: the head's dense layer and the classifier.
    Head,
}

/// How the learning rates of groups differ.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    /// The head's, as a multiple of `train.lr`.
    head: f64,
    /// `train.layer_lr_decay`.
    decay: f64,
}

impl Default for Rates {
    fn default() -> Self {
        Self { head: 1.0, decay: 1.0 }
    }
}

impl Rates {
    /// As `train.head_lr` and `train.layer_lr_decay` say beside `train.lr`.
    pub fn new(lr: f64, head: Option<f64>, decay: Option<f64>) -> Self {
        Self { head: head.map_or(1.0, |head| head / lr), decay: decay.unwrap_or(1.0) }
    }

    /// As the settings of a run say.
    pub fn of(train: &TrainConfig) -> Self {
        Self::new(train.lr, train.head_lr, train.layer_lr_decay)
    }

    /// The learning rate of a group in a model of `layers` encoder layers, as a multiple of `train.lr`. Of the layers the last has d, the
    /// one below it d², and so on; the embeddings are below the first (d is `train.layer_lr_decay`). A norm after the last layer has the
    /// rate itself, as in timm.
    pub fn factor(self, group: RateGroup, layers: usize) -> f64 {
        let below = match group {
            RateGroup::Head => return self.head,
            RateGroup::FinalNorm => 0,
            RateGroup::Layer(layer) => layers - layer,
            RateGroup::Embeddings => layers + 1,
        };
        self.decay.powi(below as i32)
    }

    /// Whether all groups have one learning rate.
    pub fn are_equal(self) -> bool {
        self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::testing::full_config, *};

    /// The values of PaddleNLP's `layerwise_lr_decay` and of BEiT's and timm's layer decay: 1 for the head, d for the last layer.
    #[test]
    fn rates_fall_from_the_head_to_the_embeddings() {
        let mut train = full_config().train;
        let factors = |train: &TrainConfig| {
            let groups = [RateGroup::Embeddings, RateGroup::Layer(0), RateGroup::Layer(2), RateGroup::Head];
            groups.map(|group| Rates::of(train).factor(group, 3))
        };
        assert_eq!(factors(&train), [1.0; 4]);
        assert!(Rates::of(&train).are_equal());
        train.layer_lr_decay = Some(0.5);
        assert_eq!(factors(&train), [0.0625, 0.125, 0.5, 1.0]);
        (train.lr, train.head_lr) = (1e-3, Some(4e-3));
        assert_eq!(factors(&train), [0.0625, 0.125, 0.5, 4.0]);
        assert_eq!(Rates::of(&train).factor(RateGroup::FinalNorm, 3), 1.0);
        train.layer_lr_decay = None;
        assert_eq!(factors(&train), [1.0, 1.0, 1.0, 4.0]);
        assert!(!Rates::of(&train).are_equal());
    }
}

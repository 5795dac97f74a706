//! The learning rates of a run's head, layers and embeddings, where they differ.

use crate::{
    format::rate,
    model::{ModelConfig, ModelSpec},
    plan::{RateGroup, Rates, TrainConfig, sanity::LEAST_LR},
    warning::{Kind, Warning},
};

/// Below this, the decay is probably a mistake: published values are 0.65 (BEiT's large model) to 0.95.
const LEAST_DECAY: f64 = 0.65;

/// The peak learning rate of each group of parameters; `None` where all of them are frozen.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct GroupRates {
    /// Of the head.
    pub head: Option<f64>,
    /// Of the norm after the last layer; also `None` where the family has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub final_norm: Option<f64>,
    /// Of the encoder's layers, the first one first.
    pub layers: Vec<Option<f64>>,
    /// Of the embeddings.
    pub embeddings: Option<f64>,
}

impl GroupRates {
    /// Of a model of this shape.
    pub fn of(train: &TrainConfig, shape: &ModelConfig) -> Self {
        let (rates, layers) = (Rates::of(train), shape.num_hidden_layers);
        // Which parameters there are depends on no number of labels.
        let spec = ModelSpec::new(shape, 2);
        let trained: Vec<RateGroup> =
            spec.parameters().iter().filter(|p| !p.is_frozen(&train.freeze)).map(|p| p.rate_group).collect();
        let of = |group| trained.contains(&group).then(|| train.lr * rates.factor(group, layers));
        Self {
            head: of(RateGroup::Head),
            final_norm: of(RateGroup::FinalNorm),
            layers: (0..layers).map(|layer| of(RateGroup::Layer(shape.last_layer_of(shape.group_of(layer))))).collect(),
            embeddings: of(RateGroup::Embeddings),
        }
    }

    /// In words: `head 1e-3, layers 9e-5 (last) to 5.9e-5 (first), embeddings 5.314e-5`.
    pub fn words(&self) -> String {
        let group = |name: &str, of: Option<f64>| match of {
            Some(lr) => format!("{name} {}", rate(lr)),
            None => format!("{name} frozen"),
        };
        let trained: Vec<(usize, f64)> =
            self.layers.iter().enumerate().filter_map(|(layer, lr)| Some((layer, (*lr)?))).collect();
        let layers = match (trained.first(), trained.last()) {
            (Some((_, first)), Some((_, last))) if rate(*first) == rate(*last) => format!("layers {}", rate(*last)),
            (Some((lowest, first)), Some((highest, last))) => {
                let end = |is_end: bool, end: &str| if is_end { end.into() } else { format!("{end} trainable") };
                format!(
                    "layers {} ({}) to {} ({})",
                    rate(*last),
                    end(*highest + 1 == self.layers.len(), "last"),
                    rate(*first),
                    end(*lowest == 0, "first")
                )
            }
            _ => "layers frozen".into(),
        };
        let norm = self.final_norm.map_or_else(String::new, |lr| format!("final norm {}, ", rate(lr)));
        format!("{}, {norm}{layers}, {}", group("head", self.head), group("embeddings", self.embeddings))
    }

    /// Warnings about settings of rates that change nothing, or leave next to nothing of a rate.
    pub(super) fn warnings(&self, train: &TrainConfig) -> Vec<Warning> {
        let mut found = Vec::new();
        let mut warn = |message| found.push(Warning::new(Kind::Training, message));
        let encoder: Vec<f64> = self.layers.iter().chain([&self.embeddings]).flatten().copied().collect();
        if let (Some(lr), None) = (train.head_lr, self.head) {
            warn(format!(
                "train.head_lr = {} has no effect: train.freeze excludes the whole head from training; remove one of the two",
                rate(lr)
            ));
        }
        let Some(decay) = train.layer_lr_decay else { return found };
        if encoder.is_empty() {
            warn(format!(
                "train.layer_lr_decay = {decay} has no effect: it does not apply to the head, and train.freeze excludes the embeddings and all \
                 layers from training; remove one of the two"
            ));
        }
        let lowest = encoder.iter().copied().fold(f64::INFINITY, f64::min);
        // Of a rate that is too small itself, another warning says so.
        // The usual 0.65 leaves the embeddings of 24 layers 2e-5 of the rate, which is meant.
        if lowest < LEAST_LR && train.lr >= LEAST_LR && decay < LEAST_DECAY {
            warn(format!(
                "train.layer_lr_decay = {decay} leaves a learning rate of {} for {}, which changes almost no weight in float32: \
                 train.layer_lr_decay is usually 0.65 to 0.95",
                rate(lowest),
                if self.embeddings == Some(lowest) { "the embeddings" } else { "the lowest layer that is trained" }
            ));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Preset;

    fn of(change: impl Fn(&mut TrainConfig)) -> (String, Vec<String>) {
        let mut train = crate::store::testing::config().train;
        (train.lr, train.freeze) = (1e-3, Vec::new());
        change(&mut train);
        let mut shape = ModelConfig::preset(Preset::Tiny);
        shape.num_hidden_layers = 3;
        let rates = GroupRates::of(&train, &shape);
        (rates.words(), rates.warnings(&train).into_iter().map(|warning| warning.message).collect())
    }

    fn freeze(prefixes: &[&str]) -> Vec<String> {
        prefixes.iter().map(|prefix| prefix.to_string()).collect()
    }

    #[test]
    fn rates_of_groups_are_said_in_words() {
        let said = |change: &dyn Fn(&mut TrainConfig)| of(change).0;
        assert_eq!(said(&|_| ()), "head 1e-3, layers 1e-3, embeddings 1e-3");
        let decay = |train: &mut TrainConfig| train.layer_lr_decay = Some(0.5);
        assert_eq!(said(&decay), "head 1e-3, layers 5e-4 (last) to 1.25e-4 (first), embeddings 6.25e-5");
        let head = |train: &mut TrainConfig| (train.head_lr, train.freeze) = (Some(0.02), freeze(&["embeddings"]));
        assert_eq!(said(&head), "head 0.02, layers 1e-3, embeddings frozen");
        let some = |train: &mut TrainConfig| {
            decay(train);
            train.freeze = freeze(&["embeddings", "encoder.layer.0"]);
        };
        assert_eq!(said(&some), "head 1e-3, layers 5e-4 (last) to 2.5e-4 (first trainable), embeddings frozen");
        assert_eq!(
            said(&|train| train.freeze = freeze(&["embeddings", "encoder"])),
            "head 1e-3, layers frozen, embeddings frozen"
        );
    }

    #[test]
    fn the_norm_after_the_last_layer_has_the_rate_itself() {
        let config = r#"{"model_type": "modernbert", "vocab_size": 9, "hidden_size": 8, "num_hidden_layers": 3, "num_attention_heads": 2,
            "intermediate_size": 6}"#;
        let shape = ModelConfig::parse(config).expect("a config");
        let mut train = crate::store::testing::config().train;
        (train.lr, train.head_lr, train.layer_lr_decay) = (1e-3, Some(2e-3), Some(0.5));
        let rates = GroupRates::of(&train, &shape);
        let words = "head 2e-3, final norm 1e-3, layers 5e-4 (last) to 1.25e-4 (first), embeddings 6.25e-5";
        assert_eq!(rates.words(), words);
    }

    /// Layers 0 to 2 have one set of parameters, layers 3 and 4 the other: each has the rate of its last layer.
    #[test]
    fn layers_with_the_same_parameters_have_the_rate_of_the_last_of_them() {
        let config = r#"{"model_type": "albert", "vocab_size": 9, "hidden_size": 8, "num_hidden_layers": 5, "num_attention_heads": 2,
            "intermediate_size": 6, "num_hidden_groups": 2}"#;
        let shape = ModelConfig::parse(config).expect("a config");
        let mut train = crate::store::testing::config().train;
        (train.lr, train.layer_lr_decay, train.freeze) = (1e-3, Some(0.5), Vec::new());
        let rates = GroupRates::of(&train, &shape);
        assert_eq!(rates.layers, [1.25e-4, 1.25e-4, 1.25e-4, 5e-4, 5e-4].map(Some));
        assert_eq!(rates.words(), "head 1e-3, layers 5e-4 (last) to 1.25e-4 (first), embeddings 1.563e-5");
        train.freeze = freeze(&["encoder.albert_layer_groups.0"]);
        assert_eq!(GroupRates::of(&train, &shape).layers, [None, None, None, Some(5e-4), Some(5e-4)]);
    }

    #[test]
    fn rates_without_effect_are_warned_of() {
        let warned = |change: &dyn Fn(&mut TrainConfig)| of(change).1;
        assert_eq!(warned(&|train| (train.head_lr, train.layer_lr_decay) = (Some(2e-3), Some(0.9))), [""; 0]);
        let head = warned(&|train| (train.head_lr, train.freeze) = (Some(2e-3), freeze(&["pooler", "classifier"])));
        let words = "train.head_lr = 2e-3 has no effect: train.freeze excludes the whole head from training";
        assert!(head.len() == 1 && head[0].starts_with(words), "{head:?}");
        let layers =
            warned(&|train| (train.layer_lr_decay, train.freeze) = (Some(0.9), freeze(&["embeddings", "encoder"])));
        assert!(layers.len() == 1 && layers[0].contains("train.layer_lr_decay = 0.9 has no effect"), "{layers:?}");
        let tiny = warned(&|train| train.layer_lr_decay = Some(1e-3));
        assert!(tiny.len() == 1 && tiny[0].contains("a learning rate of 1e-15 for the embeddings"), "{tiny:?}");
        let lowest = warned(&|train| {
            train.layer_lr_decay = Some(1e-4);
            train.freeze = freeze(&["embeddings"]);
        });
        assert!(lowest[0].contains("a learning rate of 1e-15 for the lowest layer that is trained"), "{lowest:?}");
    }
}

//! ALBERT's weights files: of models with the heads of pretraining, of encoders alone under older names, and with other numbers of groups of layers.

use std::{collections::BTreeMap, fs, path::PathBuf};

use candle_core::Tensor;
use serde_json::Value;
use taper::model::{Loaded, ModelConfig, ModelError, Parameters, Weights, read_weights};

use crate::model_files::values;

/// Five layers in two groups, two labels.
fn fixture() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/families/albert_groups")
}

/// With this number of groups of layers.
fn config(groups: u64) -> ModelConfig {
    let config = fs::read(fixture().join("config.json")).expect("a config");
    let mut config: Value = serde_json::from_slice(&config).expect("JSON");
    config["num_hidden_groups"] = groups.into();
    ModelConfig::parse(&config.to_string()).expect("a config")
}

/// With another number of groups of layers in config.json, and other names in the file.
fn load(groups: u64, name: impl Fn(&str) -> Option<String>) -> Result<Loaded, ModelError> {
    let path = fixture().join("model.safetensors");
    let tensors = read_weights(&path).expect("a file");
    let tensors: BTreeMap<String, Tensor> =
        tensors.into_iter().filter_map(|(old, tensor)| Some((name(&old)?, tensor))).collect();
    Parameters::load(&config(groups), 2, tensors, &path, 1)
}

fn same(name: &str) -> Option<String> {
    Some(name.into())
}

const NORM: &str = "albert.encoder.albert_layer_groups.1.albert_layers.0.full_layer_layer_norm.weight";

/// `AlbertForPreTraining` has heads for two other tasks; that for the order of sentences ends as the classifier does.
#[test]
fn the_heads_of_pretraining_are_not_used() {
    let loaded = load(2, |name| match name {
        "classifier.weight" => Some("sop_classifier.classifier.weight".into()),
        "classifier.bias" => Some("sop_classifier.classifier.bias".into()),
        // Of some shape.
        "albert.pooler.bias" => Some("predictions.bias".into()),
        name => same(name),
    });
    assert_eq!(
        loaded.expect("it fits").notes,
        [
            "not in the weights file, initialised from seed 1: albert.pooler.bias, classifier.weight, classifier.bias",
            "3 tensors of the weights file are not used: predictions.bias, sop_classifier.classifier.bias, \
             sop_classifier.classifier.weight",
        ]
    );
}

/// `AlbertModel` saves its weights without the prefix; TensorFlow's names of norms end otherwise.
#[test]
fn an_encoder_alone_under_older_names_is_the_same() {
    let old = load(2, |name| {
        let name = name.strip_prefix("albert.")?;
        let (norm, part) = name.rsplit_once('.')?;
        match (norm.to_lowercase().ends_with("norm"), part) {
            (true, "weight") => Some(format!("{norm}.gamma")),
            (true, _) => Some(format!("{norm}.beta")),
            _ => same(name),
        }
    })
    .expect("it fits");
    assert_eq!(old.notes, ["not in the weights file, initialised from seed 1: classifier.weight, classifier.bias"]);
    let whole = load(2, same).expect("it fits");
    for name in [NORM, "albert.pooler.weight", "albert.encoder.embedding_hidden_mapping_in.weight"] {
        assert_eq!(values(&old.parameters, name), values(&whole.parameters, name), "{name}");
    }
}

#[test]
fn groups_of_layers_are_counted() {
    let error = load(3, same).err().expect("refused").to_string();
    assert!(error.contains("  config.json's num_hidden_groups is 3, but the file has 2 layer groups\n"), "{error}");
    let weights = Weights::open(&fixture().join("model.safetensors")).expect("a file");
    let said = Parameters::check(&config(1), &2.into(), Some(&weights), &[], &[]).expect("it fits");
    let warned: Vec<&str> = said.warnings.iter().map(|warning| warning.message.as_str()).collect();
    let want = "the weights file has 2 layer groups, but config.json's num_hidden_groups is 1: the first one is used";
    assert!(warned.contains(&want), "{warned:?}");
    let notes = load(1, same).expect("it fits").notes;
    let left = "16 tensors of the weights file are not used: albert.encoder.albert_layer_groups.1.albert_layers.0.";
    assert!(notes.iter().any(|note| note.starts_with(left)), "{notes:?}");
}

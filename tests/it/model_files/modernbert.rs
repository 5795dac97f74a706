//! ModernBERT's weights files: of language models, whose head is loaded into the classifier, and of encoders alone.

use std::{collections::BTreeMap, path::PathBuf};

use candle_core::Tensor;
use taper::model::{Loaded, ModelConfig, Parameters, read_weights};

use crate::model_files::values;

fn fixture() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/families/modernbert_cls")
}

fn load(name: impl Fn(&str) -> Option<String>) -> Loaded {
    let config = ModelConfig::read(&fixture().join("config.json")).expect("a config");
    let path = fixture().join("model.safetensors");
    let tensors = read_weights(&path).expect("a file");
    let tensors: BTreeMap<String, Tensor> =
        tensors.into_iter().filter_map(|(old, tensor)| Some((name(&old)?, tensor))).collect();
    Parameters::load(&config, 5, tensors, &path, 1).expect("it fits")
}

/// `ModernBertForMaskedLM` has the same `head` as the classifier, and a decoder that is not used.
#[test]
fn the_head_of_a_language_model_is_loaded() {
    let whole = load(|name| Some(name.into()));
    assert_eq!(whole.notes.len(), 1, "{:?}", whole.notes);
    let language_model = load(|name| match name {
        "classifier.weight" => Some("decoder.weight".into()),
        "classifier.bias" => None,
        name => Some(name.into()),
    });
    assert_eq!(
        language_model.notes,
        [
            "not in the weights file, initialised from seed 1: classifier.weight, classifier.bias",
            "1 tensor of the weights file is not used: decoder.weight",
        ]
    );
    for name in ["head.dense.weight", "head.norm.weight", "model.final_norm.weight", "model.layers.6.attn_norm.weight"]
    {
        assert_eq!(values(&language_model.parameters, name), values(&whole.parameters, name), "{name}");
    }
}

/// `ModernBertModel` saves its weights without the prefix, and has no head.
#[test]
fn an_encoder_alone_has_no_prefix_and_no_head() {
    let encoder = load(|name| name.strip_prefix("model.").map(str::to_string));
    let new = "not in the weights file, initialised from seed 1: head.dense.weight, head.norm.weight, classifier.weight, classifier.bias";
    assert_eq!(encoder.notes, [new]);
    let whole = load(|name| Some(name.into()));
    let name = "model.layers.3.attn.Wqkv.weight";
    assert_eq!(values(&encoder.parameters, name), values(&whole.parameters, name));
    assert!(values(&encoder.parameters, "head.norm.weight").iter().all(|v| *v == 1.0));
}

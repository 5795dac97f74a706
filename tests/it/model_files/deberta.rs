//! DeBERTa's weights files: of its pre-training, as on the hub, and of encoders alone.

use std::{collections::BTreeMap, path::PathBuf};

use candle_core::{Device, Tensor};
use taper::model::{Loaded, ModelConfig, Parameters, read_weights};

use crate::model_files::values;

fn fixture() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/families/deberta_v3")
}

fn load(change: impl FnOnce(&mut BTreeMap<String, Tensor>)) -> Loaded {
    let config = ModelConfig::read(&fixture().join("config.json")).expect("a config");
    let path = fixture().join("model.safetensors");
    let mut tensors: BTreeMap<String, Tensor> = read_weights(&path).expect("a file").into_iter().collect();
    change(&mut tensors);
    Parameters::load(&config, 5, tensors, &path, 1).expect("it fits")
}

/// Files of the hub have the heads of pre-training, and a table of positions that the model does not read: transformers leaves them
/// out as well.
#[test]
fn a_file_of_pre_training_gives_the_encoder_and_new_heads() {
    let whole = load(|_| ());
    let unused = [
        "deberta.embeddings.position_embeddings.weight",
        "lm_predictions.lm_head.dense.weight",
        "mask_predictions.dense.weight",
    ];
    let hub = load(|tensors| {
        tensors.retain(|name, _| !name.starts_with("pooler.") && !name.starts_with("classifier."));
        for name in unused {
            tensors
                .insert(name.into(), Tensor::zeros((3, 8), candle_core::DType::F32, &Device::Cpu).expect("a tensor"));
        }
    });
    let new = "not in the weights file, initialised from seed 1: pooler.dense.weight, pooler.dense.bias, classifier.weight, classifier.bias";
    let left = format!("3 tensors of the weights file are not used: {}", unused.join(", "));
    assert_eq!(hub.notes, [new, &left]);
    for name in ["deberta.encoder.rel_embeddings.weight", "deberta.encoder.layer.2.attention.self.key_proj.bias"] {
        assert_eq!(values(&hub.parameters, name), values(&whole.parameters, name), "{name}");
    }
}

/// `DebertaV2Model` saves its weights without the prefix; old files call a norm's weight and bias gamma and beta.
#[test]
fn an_encoder_alone_has_no_prefix() {
    let whole = load(|_| ());
    let encoder = load(|tensors| {
        let old = std::mem::take(tensors).into_iter().filter_map(|(name, tensor)| {
            let name = name.strip_prefix("deberta.")?;
            let name = name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta");
            Some((name, tensor))
        });
        *tensors = old.collect();
    });
    for name in ["deberta.encoder.LayerNorm.weight", "deberta.embeddings.LayerNorm.bias"] {
        assert_eq!(values(&encoder.parameters, name), values(&whole.parameters, name), "{name}");
    }
    assert_eq!(encoder.notes.len(), 1, "{:?}", encoder.notes);
}

/// A file without the relative positions is not one of this model.
#[test]
fn relative_positions_are_needed() {
    let config = ModelConfig::read(&fixture().join("config.json")).expect("a config");
    let path = fixture().join("model.safetensors");
    let tensors = read_weights(&path).expect("a file").into_iter();
    let tensors = tensors.filter(|(name, _)| !name.contains("rel_embeddings")).collect();
    let refused = Parameters::load(&config, 5, tensors, &path, 1).err().expect("refused").to_string();
    assert!(refused.contains("deberta.encoder.rel_embeddings.weight"), "{refused}");
}

//! What becomes of the classifier head of a weights file, and of tensors under several names; the same in `plan` and `run`.

use std::{collections::BTreeMap, fs, path::Path};

use candle_core::{Device, Tensor};
use serde_json::{Value, json};
use taper::{
    model::{Label, Labels, Loaded, ModelConfig, Named, Parameters, Weights, read_weights, write_tensors},
    warning::Warning,
};

use crate::{
    model_files::{file, sandbox, values},
    support::{Sandbox, words},
};

/// The shape of `tiny_bert.bin` with more keys.
pub fn config(more: Value) -> ModelConfig {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("config.json");
    fs::write(&path, shape(more).to_string()).expect("a config");
    ModelConfig::read(&path).expect("a sound config")
}

pub fn shape(more: Value) -> Value {
    let mut shape = json!({
        "model_type": "bert", "vocab_size": 12, "hidden_size": 4, "num_hidden_layers": 1, "num_attention_heads": 2,
        "intermediate_size": 8, "max_position_embeddings": 8,
    });
    shape.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    shape
}

pub fn tensor(values: impl IntoIterator<Item = f32>, shape: &[usize]) -> Tensor {
    Tensor::from_iter(values, &Device::Cpu).and_then(|t| t.reshape(shape)).expect("a tensor")
}

/// The tensors of `tiny_bert.bin` with a head of so many rows; row i holds i.
pub fn with_head(rows: usize) -> BTreeMap<String, Tensor> {
    let mut found = read_weights(&file()).expect("a readable file");
    let each = (0..rows).flat_map(|row| [row as f32; 4]);
    found.insert("classifier.weight".into(), tensor(each, &[rows, 4]));
    found.insert("classifier.bias".into(), tensor((0..rows).map(|row| row as f32), &[rows]));
    found
}

pub fn neg_pos() -> Labels {
    let label = |(name, value): (&str, &str)| Label { name: name.into(), values: vec![value.into()] };
    Labels { task: taper::task::Task::SingleLabel, all: [("neg", "0"), ("pos", "1")].map(label).into() }
}

fn load(names: Value, rows: usize) -> Loaded {
    Parameters::load(&config(names), neg_pos(), with_head(rows), &file(), 1).expect("it fits")
}

fn bias(loaded: &Loaded) -> Vec<f32> {
    assert_eq!(
        values(&loaded.parameters, "classifier.weight")[..4],
        [values(&loaded.parameters, "classifier.bias")[0]; 4]
    );
    values(&loaded.parameters, "classifier.bias")
}

#[test]
fn rows_follow_the_names_of_their_labels() {
    for (names, want, words) in [
        (json!({"0": "neg", "1": "pos"}), [0.0, 1.0], "kept the classifier head (labels neg, pos)"),
        (json!({"0": "pos", "1": "neg"}), [1.0, 0.0], "neg from row 1, pos from row 0"),
        (json!({"1": "NEG", "0": "POS"}), [1.0, 0.0], "called POS, NEG in config.json"),
        (json!({"0": "1", "1": "0"}), [1.0, 0.0], "called 1, 0 in config.json"),
        (json!({"0": "LABEL_0", "1": "LABEL_1"}), [0.0, 1.0], "rows by position"),
    ] {
        let loaded = load(json!({ "id2label": names }), 2);
        assert_eq!(bias(&loaded), want, "{names}");
        assert!(loaded.notes.iter().any(|note| note.contains(words)), "{:?}", loaded.notes);
    }
}

#[test]
fn a_head_for_something_else_is_a_new_one() {
    let new = Parameters::fresh(&config(json!({})), 2, 1).expect("a model");
    for (names, rows) in [
        (json!({"0": "joy", "1": "anger"}), 2),
        (json!({"0": "neg", "1": "pos", "2": "neutral"}), 3),
        (json!({"0": "LABEL_0"}), 1),
    ] {
        let loaded = load(json!({ "id2label": names }), rows);
        for name in ["classifier.weight", "classifier.bias"] {
            assert_eq!(values(&loaded.parameters, name), values(&new, name), "{names}");
        }
        let want = "not taken from the weights file, but initialised from seed 1: classifier.weight, classifier.bias";
        assert_eq!(loaded.notes[0], want);
    }
}

pub fn write(path: &Path, tensors: &BTreeMap<String, Tensor>) {
    let named: Vec<Named> = tensors.iter().map(|(name, tensor)| Named::of(name.clone(), tensor)).collect();
    write_tensors(path, &named, &BTreeMap::new()).expect("a file");
}

/// Warnings for a file of these tensors.
pub fn warnings(tensors: &BTreeMap<String, Tensor>, more: Value) -> Result<Vec<Warning>, String> {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("model.safetensors");
    write(&path, tensors);
    let weights = Weights::open(&path).expect("sound");
    let said = Parameters::check(&config(more), &neg_pos(), Some(&weights), &[], &[]);
    said.map(|said| said.warnings).map_err(|error| error.to_string())
}

#[test]
fn of_several_names_of_a_weight_transformers_own_is_used() {
    let mut found = with_head(2);
    let names = json!({"id2label": {"0": "neg", "1": "pos"}});
    assert_eq!(warnings(&found, names.clone()), Ok(Vec::new()));
    for (name, value) in [("bert.pooler.dense.bias", 5.0), ("module.pooler.dense.bias", 6.0)] {
        found.insert(name.into(), tensor([value; 4], &[4]));
    }
    let said = warnings(&found, names.clone()).expect("it fits");
    let want = "several names: bert.pooler.dense.bias is used, not module.pooler.dense.bias, pooler.dense.bias";
    assert!(said.len() == 1 && said[0].message.contains(want), "{said:?}");
    let loaded = Parameters::load(&config(names), neg_pos(), found, &file(), 1).expect("it fits");
    assert_eq!(values(&loaded.parameters, "bert.pooler.dense.bias"), [5.0; 4]);
}

#[test]
fn layers_are_counted_before_anything_is_listed() {
    let error = warnings(&with_head(2), json!({"num_hidden_layers": 900})).expect_err("refused");
    let want = "config.json's num_hidden_layers is 900, but the file has 1 layer\n  use the config.json that was saved with these weights";
    assert!(error.ends_with(want), "{error}");
    let mut found = with_head(2);
    for (name, tensor) in with_head(2) {
        found.insert(name.replace("layer.0", "layer.1"), tensor);
    }
    let said = warnings(&found, json!({"id2label": {"0": "neg", "1": "pos"}})).expect("it fits");
    assert!(
        said.len() == 1 && said[0].message.contains("has 2 layers") && said[0].message.contains("first one"),
        "{said:?}"
    );
}

#[test]
fn numbers_that_are_not_finite_are_refused_by_their_tensor() {
    let mut found = with_head(2);
    found.insert("pooler.dense.bias".into(), tensor([1.0, f32::NAN, f32::INFINITY, 2.0], &[4]));
    // What no classifier uses may hold anything.
    found.insert("cls.predictions.bias".into(), tensor([f32::NAN; 12], &[12]));
    let error = Parameters::load(&config(json!({})), neg_pos(), found, &file(), 1).err().expect("refused").to_string();
    assert!(error.contains("NaN or infinite") && error.ends_with("  pooler.dense.bias: 2 of 4 numbers"), "{error}");
}

/// A spec whose model has these tensors and this config.
pub fn folder(tensors: &BTreeMap<String, Tensor>, more: Value) -> Sandbox {
    let dir = sandbox("");
    fs::remove_file(dir.path("model/pytorch_model.bin")).expect("a file");
    write(&dir.path("model/model.safetensors"), tensors);
    fs::write(dir.path("model/config.json"), shape(more).to_string()).expect("a config");
    dir
}

#[test]
fn plan_and_run_say_the_same_of_a_head() {
    let names = json!({"id2label": {"0": "joy", "1": "anger"}});
    let dir = folder(&with_head(2), names);
    for command in ["plan", "run"] {
        let output = dir.taper(&[command, "it.toml"]);
        let text = words(&output);
        assert!(output.status.success(), "{text}");
        for words in [
            "warning: the classifier head in the weights file is not used",
            "joy, anger",
            "bad, good",
            "note: not taken from the weights file, but initialised",
        ] {
            assert!(text.contains(words), "{command}: no `{words}` in:\n{text}");
        }
    }
}

/// The weights are float32 now: transformers would quantise them again, or ask for the attention of another machine.
#[test]
fn keys_of_other_weights_and_machines_are_not_exported() {
    let keys = json!({
        "quantization_config": {"quant_method": "bitsandbytes", "load_in_8bit": true}, "_attn_implementation": "flash_attention_2",
        "pretraining_tp": 1,
    });
    let dir = folder(&with_head(2), keys);
    let note = "`quantization_config`, `_attn_implementation` of config.json are ignored and not exported: the weights are float32";
    for command in ["plan", "run"] {
        let (code, said) = dir.says(&[command, "it.toml"]);
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(code == 0 && said.contains(note), "{command}: {said}");
    }
    dir.ok(&["export", "it", "out"]);
    let config: Value = serde_json::from_slice(&fs::read(dir.path("out/config.json")).expect("a file")).expect("JSON");
    let has = |key: &str| config.get(key).is_some();
    assert!(!has("quantization_config") && !has("_attn_implementation") && has("pretraining_tp"), "{config}");
}

/// transformers names rows by id2label; label2id counts where there is none.
#[test]
fn ids_of_labels_can_be_strings() {
    for (ids, want) in [
        (json!({"neg": "0", "pos": "1"}), [0.0, 1.0]),
        (json!({"pos": "0", "neg": "1"}), [1.0, 0.0]),
        (json!({"pos": " 0", "neg": 1}), [1.0, 0.0]),
        (json!({"pos": 0.0, "neg": 1.0}), [1.0, 0.0]),
    ] {
        let loaded = load(json!({ "label2id": ids }), 2);
        assert_eq!(bias(&loaded), want, "{ids}");
    }
    for (ids, words) in [
        (json!({"neg": "1", "pos": "2"}), "label2id does not number its labels from 0"),
        (json!({"neg": "a", "pos": "b"}), "label2id has an id that is not an integer"),
        (json!({"neg": 0.5, "pos": 1}), "label2id has an id that is not an integer"),
        (json!({"neg": null, "pos": 1}), "label2id has an id that is not an integer"),
        (json!({"neg": "0", "pos": 0}), "label2id has an id twice"),
    ] {
        let said = warnings(&with_head(2), json!({ "label2id": ids })).expect("it fits");
        assert!(said.len() == 1 && said[0].message.contains(words), "{said:?}");
    }
}

#[test]
fn a_config_that_makes_a_kept_head_doubtful_gives_a_warning() {
    let names = json!({"0": "neg", "1": "pos"});
    let with = |more: Value| {
        let mut config = json!({ "id2label": names });
        config.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        let said = warnings(&with_head(2), config).expect("it fits");
        said.into_iter().map(|warning| warning.message).collect::<Vec<_>>()
    };
    for more in [
        json!({"label2id": {"neg": 0, "pos": 1}}),
        json!({"label2id": {"neg": "0", "pos": "1"}}),
        json!({"label2id": {}}),
        json!({"problem_type": "single_label_classification", "num_labels": 2}),
        json!({"problem_type": null, "num_labels": null}),
    ] {
        assert_eq!(with(more.clone()), [""; 0], "{more}");
    }
    for (more, words) in [
        (json!({"label2id": {"neg": 1, "pos": 0}}), "id 0 is `neg` in id2label and `pos` in label2id"),
        (json!({"label2id": {"neg": "1", "pos": "0"}}), "id 0 is `neg` in id2label and `pos` in label2id"),
        (json!({"label2id": {"LABEL_0": 0, "LABEL_1": 1}}), "id 0 is `neg` in id2label and `LABEL_0` in label2id"),
        (json!({"num_labels": 3}), "num_labels is 3, but the classifier head in the weights file has 2 rows"),
        (json!({"num_labels": 1}), "num_labels is 1, but the classifier head"),
        (
            json!({"problem_type": "multi_label_classification"}),
            "problem_type is `multi_label_classification`: the head was",
        ),
        (json!({"problem_type": "regression"}), "problem_type is `regression`: the head was trained for regression"),
        (json!({"problem_type": "ranking"}), "problem_type is `ranking`: transformers has no such problem type"),
    ] {
        let said = with(more.clone());
        assert!(said.len() == 1 && said[0].contains(words), "{more}: {said:?}");
    }
    // Of a head that is not kept nothing more is said.
    let other = json!({"id2label": {"0": "a", "1": "b"}, "problem_type": "regression"});
    let said = warnings(&with_head(2), other).expect("it fits");
    assert!(said.len() == 1 && said[0].message.contains("is not used"), "{said:?}");
}

#[test]
fn weights_of_nan_start_nothing() {
    let mut found = with_head(2);
    found.insert("embeddings.LayerNorm.beta".into(), tensor([f32::NAN; 4], &[4]));
    let dir = folder(&found, json!({}));
    for command in ["plan", "run"] {
        let output = dir.taper(&[command, "it.toml"]);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{command}: {error}");
        assert!(error.contains("embeddings.LayerNorm.beta: 4 of 4 numbers"), "{command}: {error}");
    }
}

/// With only the config of another model, the error says that, and does not advise to download its weights.
#[test]
fn a_model_of_another_kind_is_refused_before_what_it_lacks() {
    let dir = sandbox("");
    fs::remove_file(dir.path("model/pytorch_model.bin")).expect("a file");
    for kind in ["deberta", "llama"] {
        fs::write(dir.path("model/config.json"), json!({"model_type": kind}).to_string()).expect("a config");
        let error = String::from_utf8_lossy(&dir.taper(&["plan", "it.toml"]).stderr).into_owned();
        assert!(error.contains(&format!("`model_type` is \"{kind}\"")) && !error.contains("lacks"), "{error}");
    }
}

/// transformers refuses an encoder with cross-attention; a switch that is off stays as it is.
#[test]
fn keys_of_a_decoder_are_not_exported() {
    let dir = folder(&with_head(2), json!({ "add_cross_attention": true, "is_encoder_decoder": false }));
    let note = "`add_cross_attention` of config.json is ignored and not exported: an encoder has no cross-attention";
    let (code, said) = dir.says(&["run", "it.toml"]);
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(code == 0 && said.contains(note), "{said}");
    dir.ok(&["export", "it", "out"]);
    let config: Value = serde_json::from_slice(&fs::read(dir.path("out/config.json")).expect("a file")).expect("JSON");
    assert_eq!((config.get("add_cross_attention"), config.get("is_encoder_decoder")), (None, Some(&json!(false))));
    let dir = folder(&with_head(2), json!({ "is_decoder": 1 }));
    let (code, said) = dir.says(&["plan", "it.toml"]);
    assert!(code == 2 && said.contains("`is_decoder` is 1; taper fine-tunes only encoders"), "{said}");
}

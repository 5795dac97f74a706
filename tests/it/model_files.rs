//! Weights from other programs, and newly initialised weights.

mod albert;
mod deberta;
mod fits;
mod heads;
mod hostile;
mod modernbert;
mod mutated;
mod safetensors;
mod torch;

use std::{collections::BTreeMap, fs, path::PathBuf};

use candle_core::{Device, Tensor};
use taper::model::{Loaded, ModelConfig, ModelError, Parameters, Said, Weights, read_weights};

use crate::support::Sandbox;

/// What `tests/fixtures/tiny_bert.py` wrote.
fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny_bert.bin")
}

fn config(hidden: usize) -> ModelConfig {
    let dir = tempfile::tempdir().expect("a folder");
    let json = serde_json::json!({
        "model_type": "bert", "vocab_size": 12, "hidden_size": hidden, "num_hidden_layers": 1,
        "num_attention_heads": 2, "intermediate_size": 2 * hidden, "max_position_embeddings": 8, "pad_token_id": 3,
        "initializer_range": 0.5,
    });
    let path = dir.path().join("config.json");
    fs::write(&path, json.to_string()).expect("a config");
    ModelConfig::read(&path).expect("a sound config")
}

fn load(labels: usize, found: BTreeMap<String, Tensor>, seed: u64) -> Result<Loaded, ModelError> {
    Parameters::load(&config(4), labels, found, &file(), seed)
}

fn check(config: &ModelConfig, labels: usize) -> Result<Said, ModelError> {
    Parameters::check(config, &labels.into(), Some(&Weights::open(&file())?), &[], &[])
}

fn values(parameters: &Parameters, name: &str) -> Vec<f32> {
    parameters.get(name).flatten_all().and_then(|t| t.to_vec1()).expect("values")
}

/// The file holds them in transformers' order, without the head.
#[test]
fn an_old_pytorch_file_gives_every_weight_to_its_tensor() {
    let loaded = load(3, read_weights(&file()).expect("a readable file"), 1).expect("it fits");
    let mut n = 0;
    for (k, (name, tensor)) in loaded.parameters.iter().enumerate() {
        if name.starts_with("classifier.") {
            continue;
        }
        let first = if name == "bert.pooler.dense.bias" { 0 } else { 1000 * k };
        let want: Vec<f32> = (0..tensor.elem_count()).map(|i| (first + i) as f32 / 4096.0).collect();
        assert!(values(&loaded.parameters, name) == want, "{name}");
        n += 1;
    }
    assert_eq!(n, 5 + 16 + 2);
    assert_eq!(
        loaded.notes,
        [
            "not in the weights file, initialised from seed 1: classifier.weight, classifier.bias",
            "1 tensor of the weights file is not used: cls.predictions.bias",
        ]
    );
    let said = check(&config(4), 3).expect("the same without reading a weight");
    assert_eq!(said.notes(Some(1)), loaded.notes);
    assert_eq!(said.notes(None)[0], "not in the weights file, initialised: classifier.weight, classifier.bias");
}

#[test]
fn a_missing_head_depends_on_the_seed_and_a_missing_pooler_is_initialised_too() {
    let head = |seed| {
        let mut found = read_weights(&file()).expect("a readable file");
        found.retain(|name, _| !name.starts_with("pooler"));
        let loaded = load(2, found, seed).expect("it fits");
        assert!(loaded.notes[0].contains("bert.pooler.dense.weight"), "{:?}", loaded.notes);
        (values(&loaded.parameters, "classifier.weight"), values(&loaded.parameters, "bert.pooler.dense.weight"))
    };
    assert!(head(1) == head(1) && head(1).0 != head(2).0 && head(1).1 != head(2).1);
    // Whatever else the file holds, the head is the one that a new model has.
    let new = Parameters::fresh(&config(4), 2, 1).expect("a model");
    assert_eq!(head(1).0, values(&new, "classifier.weight"));
}

#[test]
fn all_that_does_not_fit_is_reported_at_once() {
    let mut found = read_weights(&file()).expect("a readable file");
    found.remove("encoder.layer.0.output.LayerNorm.gamma");
    found.insert(
        "embeddings.LayerNorm.beta".into(),
        Tensor::zeros(5, candle_core::DType::F32, &Device::Cpu).expect("t"),
    );
    let error = load(3, found, 1).err().expect("refused").to_string();
    for words in [
        "tiny_bert.bin",
        "embeddings.LayerNorm.beta: shape [5], expected [4]\n",
        "bert.encoder.layer.0.output.LayerNorm.weight: missing, expected shape [4]",
    ] {
        assert!(error.contains(words), "no `{words}` in:\n{error}");
    }
    let wide = check(&config(8), 3).expect_err("refused without reading a weight");
    assert!(wide.to_string().contains("embeddings.word_embeddings.weight: shape [12, 4], expected [12, 8]"), "{wide}");
    // The keys that are wrong, with what the file has.
    let wide = wide.to_string();
    let advice = wide.lines().last().expect("advice");
    assert!(
        advice.contains("config.json has hidden_size") && advice.contains("= 8, where the weights have 4"),
        "{wide}"
    );
    assert!(advice.ends_with("use the config.json that was saved with these weights"), "{wide}");
}

#[test]
fn a_new_model_is_as_transformers_creates_one() {
    let new = Parameters::fresh(&config(64), 3, 1).expect("a model");
    for (name, tensor) in new.iter() {
        let values = values(&new, name);
        if tensor.rank() == 1 {
            let want = if name.ends_with("LayerNorm.weight") { 1.0 } else { 0.0 };
            assert!(values.iter().all(|v| *v == want), "{name}");
        } else {
            let spread = (values.iter().map(|v| v * v).sum::<f32>() / values.len() as f32).sqrt();
            assert!((0.4..0.6).contains(&spread), "{name}: {spread}, wanted 0.5");
        }
    }
    let words = new.get("bert.embeddings.word_embeddings.weight").to_vec2::<f32>().expect("rows");
    assert!(words[3].iter().all(|v| *v == 0.0) && words[0].iter().any(|v| *v != 0.0), "the padding's row is zero");
    let layer = "bert.encoder.layer.0.attention.self";
    assert!(values(&new, &format!("{layer}.query.weight")) != values(&new, &format!("{layer}.key.weight")));
}

/// A folder with a model, data and a spec of two steps. `more` is TOML of `[train]` and below.
fn sandbox(more: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let shape = r#"{"model_type": "bert", "vocab_size": 12, "hidden_size": 4, "num_hidden_layers": 1,
        "num_attention_heads": 2, "intermediate_size": 8, "max_position_embeddings": 8}"#;
    sandbox.write("model/config.json", shape);
    sandbox.write("model/vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n好\n吃\n难\n快\n慢\n不\n很\n");
    sandbox.write("model/pytorch_model.bin", fs::read(file()).expect("weights"));
    let rows = "good,很好吃\nbad,不好吃\ngood,很快\nbad,很慢\n".repeat(3);
    sandbox.write("rows.csv", format!("label,review\n{rows}"));
    let spec = format!(
        "name = \"it\"\n[model]\nsource = \"path:model\"\n[data]\nsource = \"path:rows.csv\"\n\
         text_column = \"review\"\ntest = 0.25\nmax_length = 8\n[train]\nmax_steps = 2\nbatch_size = 4\nlr = 1e-2\n{more}"
    );
    sandbox.write("it.toml", spec);
    sandbox
}

#[test]
fn a_folder_becomes_a_run_whose_frozen_part_goes_out_as_it_came_in() {
    let dir = sandbox("freeze = [\"embeddings\"]\ninit_seed = 7\ndropout = 0.25\n");
    let key = dir.json(&["plan", "it.toml"])["runs"][0]["key"].as_str().expect("a key").to_string();
    let folder = dir.path("runs").join(&key[..12]);
    // What a process left behind that was killed while it wrote the model.
    fs::create_dir_all(folder.join("model.new/half")).expect("a folder");
    assert!(dir.taper(&["run", "it.toml"]).status.success());
    assert!(folder.join("model").is_dir() && !folder.join("model/half").exists() && !folder.join("model.new").exists());
    let notes = dir.json(&["show", &key])["notes"].to_string();
    assert!(notes.contains("initialised from seed 7: classifier.weight, classifier.bias"), "{notes}");

    let out = read_weights(&folder.join("model/model.safetensors")).expect("weights");
    let before = load(2, read_weights(&file()).expect("weights"), 7).expect("it fits").parameters;
    for (name, tensor) in before.iter() {
        let same = values(&before, name) == out[name].flatten_all().and_then(|t| t.to_vec1::<f32>()).expect("values");
        let zero_gradient = name.ends_with("key.bias") || name.ends_with("key.weight") || name.ends_with("query.bias");
        assert!(same == name.contains("embeddings.") || zero_gradient || name.contains("query"), "{name} {tensor}");
    }
    let config = fs::read_to_string(folder.join("model/config.json")).expect("a config");
    let config: serde_json::Value = serde_json::from_str(&config).expect("JSON");
    for key in ["hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout"] {
        assert_eq!(config[key], 0.25, "{key}");
    }
    assert_eq!(config["id2label"], serde_json::json!({ "0": "bad", "1": "good" }));
    assert!(!folder.join("state.safetensors").exists(), "a run that is done needs no state");

    // What a process left behind that ended between the run's last event and its tidying.
    fs::write(folder.join("state.safetensors"), "left").expect("a file");
    assert!(dir.taper(&["run", "it.toml"]).status.success());
    assert!(!folder.join("state.safetensors").exists());
}

#[test]
fn a_run_that_keeps_no_model_says_so() {
    let dir = sandbox("[checkpoint]\nkeep = \"none\"\n");
    assert!(dir.taper(&["run", "it.toml"]).status.success());
    let key = dir.json(&["list"])[0]["key"].as_str().expect("a key").to_string();
    assert!(!dir.path("runs").join(&key[..12]).join("model").exists());
    let error = dir.taper(&["export", &key, "out"]);
    assert!(String::from_utf8_lossy(&error.stderr).contains("checkpoint.keep = \"none\""));
}

#[test]
fn a_model_that_cannot_be_written_fails_its_run_and_no_other() {
    let dir = sandbox("[checkpoint]\nkeep = \"all\"\n[sweep]\nseeds = [1, 2]\n");
    let key = dir.json(&["plan", "it.toml"])["runs"][0]["key"].as_str().expect("a key").to_string();
    let folder = dir.path("runs").join(&key[..12]);
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join("models"), "in the way").expect("a file");
    assert_eq!(dir.taper(&["run", "it.toml"]).status.code(), Some(1));
    let list = dir.json(&["list"]);
    assert_eq!((&list[0]["state"], &list[1]["state"]), (&"failed".into(), &"completed".into()));
    assert!(list[0]["message"].as_str().expect("a message").contains("models"), "{}", list[0]["message"]);
}

/// The only text with 快 is a probe, and the model's vocabulary ends before it.
#[test]
fn a_probe_beyond_the_models_vocabulary_starts_nothing() {
    let dir = sandbox("[[probes]]\ntext = \"快\"\n");
    let vocabulary = fs::read_to_string(dir.path("model/vocab.txt")).expect("a vocabulary");
    fs::write(dir.path("model/vocab.txt"), vocabulary.replace("快\n", "") + "快\n").expect("a vocabulary");
    let shape = fs::read_to_string(dir.path("model/config.json")).expect("a config");
    fs::write(dir.path("model/config.json"), shape.replace("12", "11")).expect("a config");
    fs::write(dir.path("rows.csv"), "label,review\n".to_string() + &"good,很好吃\nbad,不好吃\n".repeat(4))
        .expect("rows");
    let output = dir.taper(&["plan", "it.toml"]);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(2) && error.contains("produces token id 11"), "{error}");
}

/// A program that reads the events and exits: the run stops, and nothing claims that it continues.
#[cfg(unix)]
#[test]
fn a_run_whose_listener_is_gone_is_not_left_running() {
    let dir = sandbox("");
    let mut command = dir.command(&["run", "it.toml", "--json"]);
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let output = command.stdout(writer).output().expect("taper starts");
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
    let store = taper::store::Store::open_existing(&dir.path("runs")).expect("a store");
    let run = store.runs().expect("runs").remove(0);
    assert_eq!(run.state, taper::store::RunState::Interrupted);
}

//! Which tensors of a file are a classifier's: by their names, types and numbers; what does not fit says why.

use std::{collections::BTreeMap, fs, path::Path};

use candle_core::Tensor;
use serde_json::{Value, json};
use taper::model::{Parameters, Weights, read_weights};

use crate::{
    model_files::{
        file,
        heads::{config, folder, neg_pos, tensor, warnings, with_head, write},
        values,
    },
    support::words,
};

/// As [`write`], with some of the tensors as so many bytes of another type.
fn write_with(path: &Path, tensors: &BTreeMap<String, Tensor>, others: &[(&str, &str, usize)]) {
    write(path, tensors);
    let bytes = fs::read(path).expect("a file");
    let (length, rest) = bytes.split_first_chunk::<8>().expect("a header");
    let (header, numbers) = rest.split_at(u64::from_le_bytes(*length) as usize);
    let mut header: Value = serde_json::from_slice(header).expect("a header");
    let mut numbers = numbers.to_vec();
    for (name, dtype, size) in others {
        let from = numbers.len();
        numbers.resize(from + size, 1);
        let width = match *dtype {
            "I64" => 8,
            "I32" => 4,
            "I16" => 2,
            _ => 1,
        };
        header[*name] = json!({"dtype": dtype, "shape": [size / width], "data_offsets": [from, numbers.len()]});
    }
    let header = header.to_string();
    fs::write(path, [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &numbers].concat()).expect("a file");
}

/// What is said of a file of these tensors.
fn fit(tensors: &BTreeMap<String, Tensor>, others: &[(&str, &str, usize)]) -> Result<Vec<String>, String> {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("model.safetensors");
    write_with(&path, tensors, others);
    let weights = Weights::open(&path).expect("sound");
    let names = config(json!({"id2label": {"0": "neg", "1": "pos"}}));
    let said = Parameters::check(&names, &neg_pos(), Some(&weights), &[], &[]);
    said.map(|said| said.notes(None)).map_err(|error| error.to_string())
}

fn renamed(name: impl Fn(&str) -> String) -> BTreeMap<String, Tensor> {
    with_head(2).into_iter().map(|(old, tensor)| (name(&old), tensor)).collect()
}

#[test]
fn a_tensor_whose_numbers_are_not_read_is_refused_by_name_and_type() {
    let layer = "encoder.layer.0";
    for (name, dtype) in [
        ("classifier.weight", "I8"),
        ("classifier.weight", "U8"),
        ("classifier.weight", "F8_E4M3"),
        ("classifier.bias", "I64"),
        ("classifier.bias", "BOOL"),
        ("pooler.dense.weight", "F8_E5M2"),
        ("pooler.dense.bias", "I32"),
        (&format!("{layer}.attention.self.query.weight"), "I8"),
        (&format!("{layer}.output.LayerNorm.gamma"), "I16"),
        ("embeddings.word_embeddings.weight", "U8"),
    ] {
        let mut tensors = with_head(2);
        tensors.remove(name).unwrap_or_else(|| panic!("{name} is there"));
        let size = 8;
        for written in [name.to_string(), format!("module.{name}"), format!("_orig_mod.{name}")] {
            let error = fit(&tensors, &[(&written, dtype, size)]).expect_err(name);
            let words = format!("  {written}: its numbers are {dtype}, expected floating-point ones");
            assert!(error.contains(&words) && error.contains("dequantize"), "{error}");
        }
    }
    // What no classifier has may be of any type, and so may a second one of the same name.
    let others =
        [("lm_head.scale", "I8", 4), ("embeddings.position_ids", "I64", 8), ("module.classifier.bias", "I8", 2)];
    let notes = fit(&with_head(2), &others).expect("it fits");
    let left =
        "3 tensors of the weights file are not used: cls.predictions.bias, lm_head.scale, module.classifier.bias";
    assert!(notes.iter().any(|note| note == left), "{notes:?}");
}

#[test]
fn what_is_left_of_a_file_is_counted_and_named() {
    let mut tensors = with_head(2);
    for (others, want) in [
        (&[][..], "1 tensor of the weights file is not used: cls.predictions.bias"),
        (&[("a", "I64", 8)], "2 tensors of the weights file are not used: a, cls.predictions.bias"),
        (
            &[("a", "U8", 1), ("b", "U8", 1), ("z", "U8", 1)],
            "4 tensors of the weights file are not used: a, b, cls.predictions.bias, …",
        ),
    ] {
        let notes = fit(&tensors, others).expect("it fits");
        assert!(notes.iter().any(|note| note == want), "{notes:?}");
    }
    tensors.remove("cls.predictions.bias");
    // A counter that every BERT has.
    for name in ["embeddings.position_ids", "bert.embeddings.position_ids", "bert.embeddings.token_type_ids"] {
        let notes = fit(&tensors, &[(name, "I64", 8)]).expect("it fits");
        assert!(notes.len() == 1 && notes[0].starts_with("kept the classifier head"), "{notes:?}");
    }
}

#[test]
fn names_that_a_wrapper_changed_are_read() {
    let names = config(json!({"id2label": {"0": "neg", "1": "pos"}}));
    let load = |found| Parameters::load(&names, neg_pos(), found, &file(), 1).expect("it fits");
    let want = load(with_head(2));
    let inside = |name: &str| match name.starts_with("classifier.") {
        true => name.to_string(),
        false => format!("bert._orig_mod.{name}"),
    };
    type Rename<'a> = (&'a str, &'a dyn Fn(&str) -> String);
    let ways: [Rename<'_>; 7] = [
        ("torch.compile", &|name| format!("_orig_mod.{name}")),
        ("DataParallel", &|name| format!("module.{name}")),
        ("both", &|name| format!("module._orig_mod.{name}")),
        ("the other way round", &|name| format!("_orig_mod.module.{name}")),
        ("twice", &|name| format!("module.module.{name}")),
        ("the encoder alone", &inside),
        ("each layer", &|name| name.replace("layer.0.", "layer.0._orig_mod.")),
    ];
    for (way, name) in ways {
        let loaded = load(renamed(name));
        for (name, _) in want.parameters.iter() {
            assert_eq!(values(&loaded.parameters, name), values(&want.parameters, name), "{way}: {name}");
        }
    }
    // Of two that could be meant the nearer name is taken, and it is said.
    let mut both = with_head(2);
    both.insert("_orig_mod.pooler.dense.bias".into(), tensor([9.0; 4], &[4]));
    let said = warnings(&both, json!({"id2label": {"0": "neg", "1": "pos"}})).expect("it fits");
    assert!(said[0].message.contains("pooler.dense.bias is used, not _orig_mod.pooler.dense.bias"), "{said:?}");
}

#[test]
fn an_unknown_prefix_is_named_once() {
    for prefix in ["model.", "transformer.", "net.student.", "roberta.", "encoder.model."] {
        let error = fit(&renamed(|name| format!("{prefix}{name}")), &[]).expect_err(prefix);
        let words = format!("with the prefix `{prefix}` ({prefix}embeddings.LayerNorm.beta, …)");
        assert!(error.contains(&words) && error.contains(&format!("removeprefix({prefix:?})")), "{error}");
        assert!(!error.contains("missing") && error.lines().count() == 2, "{error}");
    }
    // Of two models in one file both are named.
    let mut two = renamed(|name| format!("student.{name}"));
    two.extend(renamed(|name| format!("teacher.{name}")));
    let error = fit(&two, &[]).expect_err("two");
    assert!(error.contains("`student.`") && error.contains("`teacher.`"), "{error}");
    // What is missing besides is missing.
    let mut less = renamed(|name| format!("model.{name}"));
    less.remove("model.embeddings.word_embeddings.weight");
    let error = fit(&less, &[]).expect_err("less");
    assert!(error.contains("`model.`") && error.contains("word_embeddings.weight: missing"), "{error}");
    // One tensor that has such a name is no reason to rename all.
    let mut most = with_head(2);
    let one = most.remove("embeddings.LayerNorm.beta").expect("it is there");
    let error = fit(&most, &[]).expect_err("one is missing");
    assert!(error.contains("bert.embeddings.LayerNorm.bias: missing, expected shape [4]"), "{error}");
    most.insert("model.embeddings.LayerNorm.beta".into(), one);
    assert!(fit(&most, &[]).expect_err("it is elsewhere").contains("the file has 1 tensor with the prefix `model.`"));
}

#[test]
fn names_of_another_model_are_shown() {
    let tensors: BTreeMap<String, Tensor> =
        ["h.0.attn.c_attn.weight", "h.0.ln_1.bias", "ln_f.bias", "wpe.weight", "wte.weight"]
            .iter()
            .map(|name| (name.to_string(), tensor([1.0; 4], &[4])))
            .collect();
    let error = fit(&tensors, &[]).expect_err("another model");
    let words = "the file has 5 tensors: h.0.attn.c_attn.weight, h.0.ln_1.bias, ln_f.bias, wpe.weight and 1 more";
    assert!(error.contains(words) && error.contains("word_embeddings.weight: missing"), "{error}");
}

fn zeroed(is_zero: impl Fn(&str) -> bool) -> BTreeMap<String, Tensor> {
    let zero = |(name, tensor): (String, Tensor)| match is_zero(&name) {
        true => (name, tensor.zeros_like().expect("zeros")),
        false => (name, tensor),
    };
    with_head(2).into_iter().map(zero).collect()
}

#[test]
fn weights_that_are_zero_throughout_are_warned_of_by_name() {
    let names = config(json!({"id2label": {"0": "neg", "1": "pos"}}));
    let said = |tensors| Parameters::load(&names, neg_pos(), tensors, &file(), 1).expect("it fits").warnings;
    for silent in ["nothing", "bias", "beta", "position_embeddings", "token_type", "classifier", "cls.predictions"] {
        assert_eq!(said(zeroed(|name| name.contains(silent))), [], "{silent}");
    }
    for (part, words) in [
        (
            "embeddings.LayerNorm.gamma",
            "is zero throughout (embeddings.LayerNorm.gamma): no information about a text gets through it",
        ),
        ("query.weight", "is zero throughout (encoder.layer.0.attention.self.query.weight)"),
        ("pooler.dense", "is zero throughout (pooler.dense.weight)"),
        ("word_embeddings", "is zero throughout (embeddings.word_embeddings.weight)"),
        (
            "gamma",
            "are zero throughout (embeddings.LayerNorm.gamma, encoder.layer.0.attention.output.LayerNorm.gamma, encoder",
        ),
        ("", "encoder.layer.0.attention.self.value.weight and 6 more): no information about a text gets through them"),
    ] {
        let said = said(zeroed(|name| name.contains(part)));
        assert!(said.len() == 1 && said[0].message.contains(words), "{part}: {said:?}");
    }
}

#[test]
fn plan_run_and_the_stored_run_say_that_weights_are_zero() {
    let dir = folder(&zeroed(|_| true), json!({"id2label": {"0": "bad", "1": "good"}}));
    for command in ["plan", "run"] {
        let output = dir.taper(&[command, "it.toml"]);
        let text = words(&output);
        assert!(output.status.success() && text.contains("are zero throughout"), "{command}: {text}");
    }
    let key = dir.json(&["list"])[0]["key"].as_str().expect("a key").to_string();
    let stored = dir.json(&["show", &key])["warnings"].to_string();
    assert_eq!(stored.matches("zero throughout").count(), 1, "{stored}");
}

#[test]
fn a_file_that_the_index_names_and_that_is_not_there_is_named_with_it() {
    let dir = folder(&with_head(2), json!({}));
    let model = dir.path("model");
    fs::rename(model.join("model.safetensors"), model.join("one.safetensors")).expect("moved");
    let index = json!({"weight_map": {"a": "one.safetensors", "b": "two.safetensors", "c": "three.safetensors"}});
    fs::write(model.join("model.safetensors.index.json"), index.to_string()).expect("an index");
    let error = Weights::open(&model.join("model.safetensors.index.json")).err().expect("refused").to_string();
    assert!(
        error.contains("index.json: ") && error.contains("it lists three.safetensors, which is missing"),
        "{error}"
    );
    for command in ["plan", "run"] {
        let output = dir.taper(&[command, "it.toml"]);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        let words = "index.json names three.safetensors and two.safetensors, which are not in the same folder: copy or \
                     download them too";
        assert!(output.status.code() == Some(2) && error.contains(words), "{command}: {error}");
    }
}

#[test]
fn a_name_is_in_one_file_only_whatever_its_type() {
    let dir = tempfile::tempdir().expect("a folder");
    let index = json!({"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}});
    fs::write(dir.path().join("model.safetensors.index.json"), index.to_string()).expect("an index");
    let float = BTreeMap::from([("t".to_string(), tensor([1.0], &[1]))]);
    let (one, two) = (dir.path().join("one.safetensors"), dir.path().join("two.safetensors"));
    let none = BTreeMap::new();
    for (first, second) in [
        ((&float, false), (&float, false)),
        ((&float, false), (&none, true)),
        ((&none, true), (&float, false)),
        ((&none, true), (&none, true)),
    ] {
        for (path, (tensors, other)) in [(&one, first), (&two, second)] {
            write_with(path, tensors, if other { &[("t", "I8", 1)] } else { &[] });
        }
        let error = read_weights(&dir.path().join("model.safetensors.index.json")).expect_err("twice").to_string();
        assert!(error.contains("tensor t is in more than one of its files"), "{error}");
    }
}

/// Python's json reads and writes both; no parser of the standard does.
#[test]
fn a_config_that_is_almost_json_says_what_to_change() {
    let dir = folder(&with_head(2), json!({}));
    let path = dir.path("model/config.json");
    let sound = fs::read_to_string(&path).expect("a config");
    for (text, words) in [
        (format!("\u{feff}{sound}"), "config.json: it begins with a byte order mark"),
        (sound.replacen('{', "{\"x\": NaN,\n", 1), "config.json: NaN in line 1 is not JSON"),
        (sound.replacen('{', "{\n\"x\": -Infinity,\n", 1), "config.json: -Infinity in line 2 is not JSON"),
        (sound.replacen('{', "{\"x\": Infinity,", 1), "config.json: Infinity in line 1 is not JSON"),
    ] {
        fs::write(&path, text).expect("a config");
        let output = dir.taper(&["plan", "it.toml"]);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && error.contains(words), "{error}");
    }
}

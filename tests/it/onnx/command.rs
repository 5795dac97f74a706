//! `taper export --format onnx`: its files, and what it refuses.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::json;

use super::runtime::run;
use crate::predict::trained;

/// The names of the files in a folder.
fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    entries.map(|name| name.into_string().expect("a name")).collect()
}

#[test]
fn the_folder_has_the_model_beside_what_other_exports_have() {
    let sandbox = trained();
    let exports = [("whole", &[][..]), ("half", &["--dtype", "fp16"]), ("integers", &["--quantize", "int8"])];
    let mut wanted = names(&sandbox.path("model"));
    assert!(wanted.remove("model.safetensors"));
    let mut sizes = Vec::new();
    for (folder, options) in exports {
        let printed = sandbox.ok(&[&["export", "small", folder, "--format", "onnx"], options].concat());
        let mut files = names(&sandbox.path(folder));
        let listed: BTreeSet<String> = printed.lines().map(str::to_string).collect();
        assert_eq!(listed, files.iter().map(|name| format!("{folder}/{name}")).collect());
        assert!(files.remove("model.onnx"));
        assert_eq!(files, wanted);
        // The card says what is in its folder.
        for name in files.iter().filter(|name| *name != "README.md") {
            let [is, was] = [folder, "model"].map(|folder| fs::read(sandbox.path(folder).join(name)).expect("a file"));
            assert!(is == was, "{folder}/{name}");
        }
        sizes.push(fs::metadata(sandbox.path(folder).join("model.onnx")).expect("a file").len());
    }
    let weights = fs::metadata(sandbox.path("model/model.safetensors")).expect("a file").len();
    let graph = 60_000;
    assert!(sizes[0].abs_diff(weights) < graph && sizes[1].abs_diff(weights / 2) < graph, "{weights}, {sizes:?}");
    assert!(sizes[2] < sizes[1], "{weights}, {sizes:?}");
    let call = json!({ "input_ids": [[2, 5, 3]], "attention_mask": [[1, 1, 1]], "token_type_ids": [[0, 0, 0]] });
    let request = |(folder, _): (&str, _)| json!({ "path": sandbox.path(folder).join("model.onnx"), "calls": [call] });
    let Some(found) = run(&exports.map(request), sandbox.root()) else { return };
    let logits = |i: usize| -> Vec<f64> {
        let row = found[i]["found"][0][0].as_array().expect("logits");
        row.iter().map(|v| v.as_f64().expect("a number")).collect()
    };
    assert_eq!(logits(0).len(), 2);
    for i in [1, 2] {
        assert!(logits(0).iter().zip(logits(i)).all(|(a, b)| (a - b).abs() < 0.02), "{found:?}");
    }
}

#[test]
fn what_cannot_be_exported_is_refused_by_name_and_nothing_is_written() {
    let sandbox = trained();
    for (options, wanted) in [
        (&["--quantize", "int8"][..], "--quantize int8 needs --format onnx: --format hf has no such models"),
        (&["--dtype", "fp16"], "--dtype fp16 needs --format onnx: --format hf has no such models"),
        (&["--format", "onnx", "--dtype", "fp16", "--quantize", "int8"], "leave out --dtype fp16"),
        (&["--format", "tflite"], "tflite"),
        (&["--format", "onnx", "--quantize", "int4"], "int4"),
    ] {
        let (code, said) = sandbox.says(&[&["export", "small", "out"], options].concat());
        assert_eq!(code, 2, "{options:?}: {said}");
        assert!(said.contains(wanted), "{options:?}: {said}");
        assert!(!sandbox.path("out").exists(), "{options:?}");
    }
    let (code, said) = sandbox.says(&["export", "small", "model", "--format", "onnx"]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("model already exists and is not an empty folder: choose another"), "{said}");
    assert!(!sandbox.path("model/model.onnx").exists());
    // A damaged model is refused here, too.
    let kept = sandbox.folder(&sandbox.keys()[0]).join("model/model.safetensors");
    let mut bytes = fs::read(&kept).expect("weights");
    *bytes.last_mut().expect("a byte") ^= 1;
    fs::write(&kept, bytes).expect("written");
    let (code, said) = sandbox.says(&["export", "small", "out", "--format", "onnx"]);
    assert!(code != 0 && said.contains("the kept model is damaged"), "{code}: {said}");
    assert!(!sandbox.path("out").exists());
}

//! What lies in a folder that is no complete model: a model in a folder of it, or weights for other programs.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::files;

/// Weights that other programs read, with what to do about them; `DIR` stands for the folder.
const OTHERS: [(&str, &str); 5] = [
    (
        "tf_model.h5",
        "its weights are TensorFlow's: convert them with transformers 4 and TensorFlow: \
         AutoModel.from_pretrained(\"DIR\", from_tf=True).save_pretrained(\"DIR\")",
    ),
    (
        "flax_model.msgpack",
        "its weights are Flax's: convert them with transformers 4 and Flax: \
         AutoModel.from_pretrained(\"DIR\", from_flax=True).save_pretrained(\"DIR\")",
    ),
    ("model.onnx", "ONNX cannot be trained: use the model that this one was exported from"),
    ("onnx/model.onnx", "ONNX cannot be trained: use the model that this one was exported from"),
    ("model.ckpt.index", "its weights are TensorFlow 1's: use a copy of the model with model.safetensors"),
];

/// What to name or to do instead, if that can be told.
pub(super) fn instead(folder: &Path) -> Option<String> {
    // A spec names the folder relative to its own: what follows it is the same from everywhere.
    let path = |sub: &PathBuf| match sub.strip_prefix(folder) {
        Ok(below) => format!("append /{} to the path", below.display()),
        Err(_) => format!("name {}", sub.display()),
    };
    let models = models_in(folder);
    match &models[..] {
        [] => {}
        [model] if folder.join("run.toml").is_file() => {
            return Some(format!(
                "it is the folder of a run, which keeps its model in a folder of its own: {}",
                path(model)
            ));
        }
        [model] => return Some(format!("a model lies in a folder of it: {}", path(model))),
        [.., last] => {
            return Some(format!(
                "{} models lie in folders of it: choose one of them; for the last one, {}",
                models.len(),
                path(last)
            ));
        }
    }
    let gguf = || {
        let mut names = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.file_name());
        let is_gguf = names.any(|name| name.to_string_lossy().ends_with(".gguf"));
        is_gguf
            .then(|| "a GGUF file is for llama.cpp and cannot be trained: use the model that it was made from".into())
    };
    let other = OTHERS.iter().find(|(file, _)| folder.join(file).is_file());
    other.map(|(_, what)| what.replace("DIR", &folder.display().to_string())).or_else(gguf)
}

/// Folders in it with a config.json and weights: the numbers of checkpoints in order.
fn models_in(folder: &Path) -> Vec<PathBuf> {
    let is_model = |sub: &PathBuf| {
        let has = |name: &str| sub.join(name).is_file();
        has("config.json") && files::WEIGHTS.into_iter().any(has)
    };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found: Vec<PathBuf> = entries.filter(is_model).collect();
    let number = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        (name.rsplit('-').next().and_then(|number| number.parse::<u64>().ok()), name)
    };
    found.sort_by_key(number);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        folder
    }

    fn said(files: &[&str]) -> Option<String> {
        let folder = folder(files);
        instead(folder.path()).map(|said| said.replace(&folder.path().display().to_string(), "DIR"))
    }

    #[test]
    fn models_in_folders_are_named() {
        let trainer = ["checkpoint-1000/config.json", "checkpoint-1000/model.safetensors"];
        assert_eq!(
            said(&trainer).as_deref(),
            Some("a model lies in a folder of it: append /checkpoint-1000 to the path")
        );
        let two =
            [&trainer[..], &["checkpoint-500/config.json", "checkpoint-500/pytorch_model.bin", "runs/events"]].concat();
        assert_eq!(
            said(&two).as_deref(),
            Some(
                "2 models lie in folders of it: choose one of them; for the last one, append /checkpoint-1000 to the path"
            )
        );
        let run = said(&["run.toml", "model/config.json", "model/model.safetensors"]).unwrap();
        assert!(run.starts_with("it is the folder of a run") && run.ends_with("append /model to the path"), "{run}");
        assert_eq!(said(&["checkpoint-500/config.json", "config.json"]), None);
    }

    #[test]
    fn weights_of_other_programs_are_named_with_what_to_do() {
        for (file, words) in [
            ("tf_model.h5", "AutoModel.from_pretrained(\"DIR\", from_tf=True).save_pretrained(\"DIR\")"),
            ("flax_model.msgpack", "from_flax=True"),
            ("model.onnx", "ONNX cannot be trained"),
            ("x-q4.gguf", "GGUF"),
        ] {
            let said = said(&["config.json", file]).unwrap();
            assert!(said.contains(words), "{said}");
        }
    }
}

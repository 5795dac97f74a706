//! A server with a model and datasets, and a home folder for what is downloaded.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use taper::{
    assets::{Library, Progress, Settings},
    plan::Source,
};

use crate::{
    hub::server::{Server, TOKEN},
    support::Sandbox,
};

pub const ROWS: &[u8] = "label,review\n1,很好吃\n0,太慢了\n".as_bytes();

/// The weights of the models: large, and nowhere the same.
pub fn weights() -> Vec<u8> {
    let mut state = 1u32;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..60_000).map(next).collect()
}

/// A server that has the model `a/model` and the dataset `a/data`, each also private and gated.
pub fn server() -> Server {
    let weights = weights();
    let index = br#"{"weight_map": {"x": "model-1.safetensors", "y": "model-2.safetensors"}}"#;
    Server::start(&[
        ("models/a/model/config.json", b"{}"),
        ("models/a/model/vocab.txt", b"[PAD]\n"),
        ("models/a/model/tokenizer_config.json", br#"{"do_lower_case": true}"#),
        ("models/a/model/model.safetensors", &weights),
        ("models/a/model/pytorch_model.bin", b"old weights"),
        ("models/a/model/README.md", b"about"),
        ("models/a/shards/config.json", b"{}"),
        ("models/a/shards/tokenizer.json", b"{}"),
        ("models/a/shards/model.safetensors.index.json", index),
        ("models/a/shards/model-1.safetensors", &weights[..30_000]),
        ("models/a/shards/model-2.safetensors", &weights[30_000..]),
        ("models/a/deberta/config.json", br#"{"model_type": "deberta"}"#),
        ("models/a/deberta/tokenizer.json", b"{}"),
        ("models/a/deberta/model.safetensors", &weights),
        ("models/a/steps/step-9/config.json", b"{}"),
        ("models/a/steps/step-9/vocab.txt", b"[PAD]\n"),
        ("models/a/steps/step-9/pytorch_model.bin", &weights[..9000]),
        ("models/a/private/config.json", b"{}"),
        ("models/a/gated/config.json", b"{}"),
        ("models/a/gated/vocab.txt", b"[PAD]\n"),
        ("models/a/gated/model.safetensors", &weights),
        ("datasets/a/data/data/rows.csv", ROWS),
        ("datasets/a/data/README.md", b"about"),
        ("datasets/a/two/train.jsonl", b"{}\n"),
        ("datasets/a/two/test.jsonl", b"[]\n"),
        ("web/rows.csv", ROWS),
    ])
}

/// A folder for caches, and what the environment says.
pub struct Home {
    pub dir: Sandbox,
    pub vars: Vec<(String, String)>,
}

impl Home {
    pub fn new(server: &str) -> Self {
        let dir = Sandbox::new();
        let at = |name: &str| dir.path(name).display().to_string();
        let vars = [
            ("HF_ENDPOINT", server.to_string()),
            ("HF_HOME", at("hf")),
            ("MODELSCOPE_ENDPOINT", server.to_string()),
            ("MODELSCOPE_CACHE", at("ms")),
            ("TAPER_CACHE", at("taper")),
            ("TAPER_DOWNLOAD_WAIT_S", "0.01".into()),
            ("TAPER_DOWNLOAD_ATTEMPTS", "4".into()),
            ("HF_HUB_DOWNLOAD_TIMEOUT", "5".into()),
        ];
        Self { vars: vars.map(|(name, value)| (name.to_string(), value)).to_vec(), dir }
    }

    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.vars.retain(|(known, _)| known != name);
        self.vars.push((name.into(), value.into()));
        self
    }

    pub fn with_token(self) -> Self {
        self.set("HF_TOKEN", TOKEN)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path(name)
    }

    pub fn library(&self) -> Library {
        let var = |name: &str| self.vars.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        Library::new(Settings::from_vars(var, None))
    }

    pub fn offline(&self) -> Library {
        let var = |name: &str| self.vars.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        Library::new(Settings { offline: true, ..Settings::from_vars(var, None) })
    }
}

/// A listener, and what it heard as words.
pub fn ear() -> (taper::assets::Listener, Arc<Mutex<Vec<String>>>) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ear = heard.clone();
    let listener = move |progress: Progress| {
        let text = match progress {
            Progress::Began { file, done, total } => format!("began {file} {done} {}", total.unwrap_or(0)),
            Progress::Advanced { .. } => return,
            Progress::Waits { file, why, .. } => format!("waits {file} {why}"),
            Progress::Ended { file } => format!("ended {file}"),
        };
        ear.lock().unwrap().push(text);
    };
    (Arc::new(listener), heard)
}

pub fn source(text: &str) -> Source {
    Source::try_from(text.to_string()).expect("a source")
}

/// All files below a folder, links followed, with their sizes.
pub fn files(folder: &Path) -> Vec<(PathBuf, u64)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push((path.clone(), fs::metadata(&path).map_or(0, |facts| facts.len()))),
        }
    }
    found
}

/// Whether a folder holds a snapshot of that name.
pub fn holds(folder: &Path, name: &str) -> bool {
    files(folder).iter().any(|(path, _)| path.ends_with(name))
}

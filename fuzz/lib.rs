//! What the fuzz targets share: a folder with a spec, data and a tiny model, of which each target replaces one file.
//!
//! Each input goes the way of `taper plan`: load the spec, expand it, prepare its runs. Whatever comes out is right as long as
//! it is an error with a text or a run; a panic, an abort or a hang is a finding. The tests of the main package include this file, so that
//! the targets keep compiling.

#[path = "targets/checkpoint.rs"]
pub mod checkpoint;
#[path = "targets/data.rs"]
pub mod data;
#[path = "targets/lock.rs"]
pub mod lock;
#[path = "targets/spec.rs"]
pub mod spec;
#[path = "targets/tokenizer.rs"]
pub mod tokenizer;
#[path = "targets/weights.rs"]
pub mod weights;

use std::{
    fs,
    path::{Path, PathBuf},
};

use taper::{
    assets::Library,
    execute::{Prepared, Workbench},
    plan,
    spec::{LoadOptions, LoadedSpec},
};

/// A folder of this process, in memory where there is such a file system.
pub struct Sandbox {
    folder: tempfile::TempDir,
}

impl Default for Sandbox {
    fn default() -> Self {
        let memory = Path::new("/dev/shm");
        let folder = match memory.is_dir() {
            true => tempfile::tempdir_in(memory),
            false => tempfile::tempdir(),
        };
        Self { folder: folder.expect("a temporary folder") }
    }
}

impl Sandbox {
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("the folder");
        fs::write(path, content).expect("the file");
    }

    /// Plans `spec.toml`, as `taper plan` does; panics where an error says nothing.
    pub fn plan(&self) -> Option<Vec<Prepared>> {
        let spec = match LoadedSpec::load(&self.path("spec.toml"), &LoadOptions::default()) {
            Ok(spec) => spec,
            Err(e) => return said(&e),
        };
        let expansion = match plan::expand(
            spec.spec(),
            |point| spec.at(point).map_err(Box::<dyn std::error::Error>::from),
            plan::SearchHistory::default(),
        ) {
            Ok(expansion) => expansion,
            Err(errors) => {
                assert!(!errors.is_empty(), "refused without a reason");
                errors.iter().for_each(|e| _ = said::<()>(e));
                return None;
            }
        };
        let mut bench = Workbench::new(Library::default());
        let mut runs = Vec::new();
        for run in expansion.runs.iter().take(3) {
            match bench.prepare(run) {
                Ok(run) => runs.push(run),
                Err(e) => return said(&e),
            }
        }
        Some(runs)
    }
}

/// Nothing, after a look at the message.
pub fn said<T>(error: &dyn std::fmt::Display) -> Option<T> {
    assert!(error.to_string().len() > 5, "an error that says nothing: {error}");
    None
}

/// Twelve labelled rows.
pub const ROWS: &str = "text,label\n很快好吃,pos\n差评难吃,neg\n味道不错,pos\n慢冷,neg\n满意推荐,pos\n漏了油,neg\n分量足,pos\n没有送水,neg\n准时,pos\n包装漏,neg\nok,pos\nbad,neg\n";

/// A spec over [`ROWS`] in `rows.csv` and the model in `model/`.
pub const SPEC: &str = "model.source = \"path:model\"\ndata.source = \"path:rows.csv\"\ndata.max_length = 16\n";

/// Words of the model's vocabulary.
pub const VOCAB: &str = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n很\n快\n好\n吃\n差\n评\n味\n道\nok\nba\n##d\n";

/// A BERT of one layer of width 4 over [`VOCAB`].
pub const CONFIG: &str = r#"{"model_type": "bert", "vocab_size": 16, "hidden_size": 4, "num_hidden_layers": 1,
"num_attention_heads": 2, "intermediate_size": 6, "max_position_embeddings": 16, "type_vocab_size": 2,
"hidden_act": "gelu", "layer_norm_eps": 1e-12, "initializer_range": 0.02}"#;

/// Names and shapes of its tensors.
pub fn tensors() -> Vec<(&'static str, Vec<usize>)> {
    let layer = [
        ("bert.encoder.layer.0.attention.self.query.weight", vec![4, 4]),
        ("bert.encoder.layer.0.attention.self.query.bias", vec![4]),
        ("bert.encoder.layer.0.attention.self.key.weight", vec![4, 4]),
        ("bert.encoder.layer.0.attention.self.key.bias", vec![4]),
        ("bert.encoder.layer.0.attention.self.value.weight", vec![4, 4]),
        ("bert.encoder.layer.0.attention.self.value.bias", vec![4]),
        ("bert.encoder.layer.0.attention.output.dense.weight", vec![4, 4]),
        ("bert.encoder.layer.0.attention.output.dense.bias", vec![4]),
        ("bert.encoder.layer.0.attention.output.LayerNorm.weight", vec![4]),
        ("bert.encoder.layer.0.attention.output.LayerNorm.bias", vec![4]),
        ("bert.encoder.layer.0.intermediate.dense.weight", vec![6, 4]),
        ("bert.encoder.layer.0.intermediate.dense.bias", vec![6]),
        ("bert.encoder.layer.0.output.dense.weight", vec![4, 6]),
        ("bert.encoder.layer.0.output.dense.bias", vec![4]),
        ("bert.encoder.layer.0.output.LayerNorm.weight", vec![4]),
        ("bert.encoder.layer.0.output.LayerNorm.bias", vec![4]),
        ("bert.pooler.dense.weight", vec![4, 4]),
        ("bert.pooler.dense.bias", vec![4]),
    ];
    let embeddings = [
        ("bert.embeddings.word_embeddings.weight", vec![16, 4]),
        ("bert.embeddings.position_embeddings.weight", vec![16, 4]),
        ("bert.embeddings.token_type_embeddings.weight", vec![2, 4]),
        ("bert.embeddings.LayerNorm.weight", vec![4]),
        ("bert.embeddings.LayerNorm.bias", vec![4]),
    ];
    embeddings.into_iter().chain(layer).collect()
}

/// A sound safetensors file of the model.
pub fn safetensors() -> Vec<u8> {
    let (mut header, mut at) = (Vec::new(), 0);
    for (name, shape) in tensors() {
        let bytes = 4 * shape.iter().product::<usize>();
        header
            .push(format!("{name:?}:{{\"dtype\":\"F32\",\"shape\":{shape:?},\"data_offsets\":[{at},{}]}}", at + bytes));
        at += bytes;
    }
    let header = format!("{{{}}}", header.join(","));
    let values = (0..at / 4).flat_map(|i| ((i % 13) as f32 * 0.01).to_le_bytes());
    (header.len() as u64).to_le_bytes().into_iter().chain(header.into_bytes()).chain(values).collect()
}

/// Everything sound; targets replace one file of it.
pub fn sound() -> Sandbox {
    let sandbox = Sandbox::default();
    sandbox.write("spec.toml", SPEC);
    sandbox.write("rows.csv", ROWS);
    sandbox.write("model/config.json", CONFIG);
    sandbox.write("model/vocab.txt", VOCAB);
    sandbox.write("model/model.safetensors", safetensors());
    assert!(sandbox.plan().is_some(), "the sound folder is refused");
    sandbox
}

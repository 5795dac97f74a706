//! Tiny models of each family: their logits in onnxruntime and here.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use candle_core::{Device, Tensor};
use serde_json::{Value, json};
use taper::{
    data::Batch,
    engine::{Engine, Explicit, Recipe},
    export::{LONGEST, Numbers, write_onnx},
    kernels::Cpu,
    model::{ModelConfig, ModelSpec, Module, Parameters, Part, read_weights},
};

use crate::support::python_with;

/// Reads a list of models with calls, and prints the logits of each call. Texts that are too long must be refused.
const RUN: &str = "
import json, sys
import numpy, onnxruntime
try:
    import onnx
except ImportError:
    onnx = None
for line in open(sys.argv[1]):
    model = json.loads(line)
    if onnx:
        onnx.checker.check_model(model['path'], full_check=True)
    onnxruntime.set_default_logger_severity(4)
    session = onnxruntime.InferenceSession(model['path'], providers=['CPUExecutionProvider'])
    names = [i.name for i in session.get_inputs()]
    found = []
    for call in model['calls']:
        found.append(session.run(['logits'], {name: numpy.array(call[name], dtype=numpy.int64) for name in names})[0].tolist())
    if 'longest' in model:
        try:
            session.run(['logits'], {name: numpy.ones((1, model['longest'] + 1), dtype=numpy.int64) for name in names})
            sys.exit(model['path'] + ' takes texts that are too long')
        except Exception:
            pass
    print(json.dumps({'names': names, 'found': found}))
";

/// The lines that Python prints for a list of models; `None` where there is no onnxruntime.
pub(super) fn run(models: &[Value], folder: &Path) -> Option<Vec<Value>> {
    let program = python_with("onnxruntime")?;
    let path = folder.join("models.jsonl");
    fs::write(&path, models.iter().map(|model| format!("{model}\n")).collect::<String>()).expect("written");
    let output = Command::new(program).args(["-c", RUN]).arg(&path).output().expect("Python starts");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    Some(text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect())
}

/// Numbers that look random, of −1 to 1.
fn noise(n: usize) -> Vec<f32> {
    let mut state = 1u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..n).map(|_| next()).collect()
}

/// A fixture with positions for 512 tokens, if it has a table of fewer.
fn model(folder: &Path) -> (ModelConfig, Parameters) {
    let text = fs::read_to_string(folder.join("config.json")).expect("a config");
    let mut config = ModelConfig::parse(&text).expect("a config");
    let path = folder.join("model.safetensors");
    let mut weights = read_weights(&path).expect("weights");
    if config.has_position_table && config.longest() < 512 {
        let mut json: Value = serde_json::from_str(&text).expect("JSON");
        json["max_position_embeddings"] = json!(512 + config.first_position());
        config = ModelConfig::parse(&json.to_string()).expect("a config");
        let spec = ModelSpec::new(&config, 2);
        let table = spec.get(Module::Positions, Part::Weight);
        let longer = Tensor::from_vec(noise(table.len()), table.shape.as_slice(), &Device::Cpu).expect("a tensor");
        weights.insert(table.name.clone(), longer);
    }
    let bias = ["classifier.bias", "classifier.out_proj.bias"].into_iter().find_map(|name| weights.get(name));
    let labels = bias.expect("a classifier").elem_count();
    let loaded = Parameters::load(&config, labels, weights, &path, 0).expect("weights");
    (config, loaded.parameters)
}

/// A token's id and type for each row and position.
type Rows = Vec<(Vec<u32>, Vec<u32>)>;

/// Batches of 1, 3 and 8 rows; where there are types, rows are pairs.
fn batches(config: &ModelConfig) -> Vec<Rows> {
    let row = |(i, length): (usize, &usize)| {
        let ids = (0..*length).map(|at| ((at * 7 + at * at * (i + 3) + length) % (config.vocab_size - 2) + 2) as u32);
        let second = if config.type_vocab_size > 1 { length / 2 + 1 } else { *length };
        (ids.collect(), (0..*length).map(|at| u32::from(at >= second)).collect())
    };
    let lengths: [&[usize]; 10] =
        [&[1], &[2], &[63], &[64], &[65], &[66], &[512], &[66, 1, 64], &[1, 2, 63, 64, 65, 66, 512, 5], &[2; 8]];
    lengths.iter().map(|lengths| lengths.iter().enumerate().map(row).collect()).collect()
}

/// A batch as the graph reads it. Padding has an id like any other: the mask alone tells it apart.
fn call(rows: &Rows) -> Value {
    let longest = rows.iter().map(|(ids, _)| ids.len()).max().expect("rows");
    let padded = |values: &[u32], with| {
        values.iter().copied().chain(std::iter::repeat_n(with, longest - values.len())).collect::<Vec<u32>>()
    };
    json!({
        "input_ids": rows.iter().map(|(ids, _)| padded(ids, 5)).collect::<Vec<_>>(),
        "attention_mask": rows.iter().map(|(ids, _)| padded(&vec![1; ids.len()], 0)).collect::<Vec<_>>(),
        "token_type_ids": rows.iter().map(|(_, types)| padded(types, 0)).collect::<Vec<_>>(),
    })
}

/// The fixtures of each family.
fn folders() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/families");
    let entries = folder.read_dir().expect("the families").map(|entry| entry.expect("an entry").path());
    let mut folders: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

/// The largest difference of the logits in onnxruntime from those here, and the largest logit.
fn difference(found: &Value, wanted: &[Vec<Vec<f32>>]) -> (f64, f64) {
    let found = found["found"].as_array().expect("calls").iter().flat_map(|call| call.as_array().expect("rows"));
    let found: Vec<f64> = found
        .flat_map(|row| row.as_array().expect("logits"))
        // JSON has no NaN: Python's is read as none.
        .map(|v| v.as_f64().unwrap_or(f64::INFINITY))
        .collect();
    let wanted: Vec<f64> = wanted.iter().flatten().flatten().map(|v| f64::from(*v)).collect();
    assert_eq!(found.len(), wanted.len());
    let most = |values: &mut dyn Iterator<Item = f64>| values.fold(0.0, f64::max);
    (most(&mut found.iter().zip(&wanted).map(|(a, b)| (a - b).abs())), most(&mut wanted.iter().map(|v| v.abs())))
}

/// Exports each fixture with such numbers, in files of at most `longest` bytes, and compares. `most` is the largest difference that rounding explains, as a part of the largest
/// logit.
#[expect(clippy::print_stdout, reason = "the differences that docs/export.md states, for --nocapture")]
fn agree(numbers: Numbers, longest: u64, most: f64) {
    // Without it the rest is in vain.
    if python_with("onnxruntime").is_none() {
        return;
    }
    let dir = tempfile::tempdir().expect("a folder");
    let (mut requests, mut wanted) = (Vec::new(), Vec::new());
    for folder in folders() {
        let (config, parameters) = model(&folder);
        let to = dir.path().join(folder.file_name().expect("a name"));
        fs::create_dir(&to).expect("a folder");
        let files = write_onnx(&config, &parameters, numbers, longest, &to).expect("written");
        assert_eq!(files.len(), if longest == LONGEST { 1 } else { 2 });
        let calls = batches(&config);
        let mut engine = Explicit::new(Cpu::default(), &config, parameters, &Recipe::default()).expect("an engine");
        let mut logits = |rows: &Rows| {
            let tokens: Vec<(&[u32], &[u32])> = rows.iter().map(|(ids, types)| (&ids[..], &types[..])).collect();
            engine.scores(&Batch::of_tokens(&tokens)).expect("logits")
        };
        wanted.push(calls.iter().map(&mut logits).collect::<Vec<_>>());
        requests.push(json!({ "path": to.join("model.onnx"), "calls": calls.iter().map(call).collect::<Vec<_>>(), "longest": config.longest() }));
    }
    let Some(found) = run(&requests, dir.path()) else { return };
    assert_eq!((found.len(), wanted.len()), (24, 24));
    let mut faults = Vec::new();
    for ((folder, found), wanted) in folders().iter().zip(&found).zip(&wanted) {
        let (difference, largest) = difference(found, wanted);
        let name = folder.file_name().expect("a name").display().to_string();
        let line = format!("{name}: logits of up to {largest:.2} differ by {difference:.1e}");
        println!("{numbers:?} {line}");
        if difference.is_nan() || difference > most * largest.max(1.0) {
            faults.push(line);
        }
    }
    assert!(faults.is_empty(), "{numbers:?}:\n{}", faults.join("\n"));
}

#[test]
fn logits_of_each_family_are_those_of_onnxruntime() {
    agree(Numbers::Fp32, LONGEST, 1e-5);
}

#[test]
fn half_precision_and_integers_round_and_no_more() {
    agree(Numbers::Fp16, LONGEST, 1e-2);
    agree(Numbers::Int8, LONGEST, 5e-2);
}

/// As those of a model of more than 2 GiB are.
#[test]
fn weights_in_a_file_of_their_own_give_the_same_logits() {
    agree(Numbers::Fp32, 2_000, 1e-5);
}

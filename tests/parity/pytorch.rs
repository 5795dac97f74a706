//! PyTorch's numbers for tiny classifiers, and an engine's beside them.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use candle_core::{Device, Tensor};
use taper::{
    data::Batch,
    engine::{Engine, Recipe},
    model::{DropoutPlan, ModelConfig, Parameters, read_weights},
    plan::Rates,
    task::{Objective, Target, Task},
};

pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Creates an engine.
pub type Create<'a> = &'a dyn Fn(&ModelConfig, Parameters, &Recipe) -> Result<Box<dyn Engine>>;

/// The project's folder, or where the binary was carried to another machine, the folder it is run in.
pub fn root() -> PathBuf {
    let built = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    if built.is_dir() { built } else { ".".into() }
}

/// Folders with PyTorch's numbers for tiny models of each family.
pub fn families() -> Vec<PathBuf> {
    let folder = root().join("tests/fixtures/families");
    let entries = folder.read_dir().expect("the families").map(|entry| entry.expect("an entry").path());
    entries.filter(|path| path.is_dir()).collect()
}

/// Folders with PyTorch's numbers for parts of a model that have their own learning rates.
pub fn rates() -> Vec<PathBuf> {
    let models = ["albert", "bert", "deberta", "distilbert", "electra", "modernbert"];
    models.map(|model| root().join("tests/fixtures/rates").join(model)).into()
}

/// Folders with PyTorch's numbers for the losses of each problem type.
pub fn tasks() -> Vec<PathBuf> {
    let folder = root().join("tests/fixtures/tasks");
    let entries = folder.read_dir().expect("the tasks").map(|entry| entry.expect("an entry").path());
    entries.filter(|path| path.is_dir()).collect()
}

/// Folders with PyTorch's results: a tiny model in this repository, and another one if it is available.
pub fn references() -> Vec<PathBuf> {
    let folders = ["tests/fixtures/reference", "../shared/reference"].map(|folder| root().join(folder));
    let (here, missing): (Vec<_>, Vec<_>) = folders.into_iter().partition(|folder| folder.is_dir());
    missing.iter().for_each(|folder| eprintln!("skipped: PyTorch's numbers in {} are not here", folder.display()));
    here
}

/// The problem type of a reference.
fn task_of(json: &serde_json::Value) -> Task {
    json["objective"]["problem_type"]
        .as_str()
        .map_or(Task::SingleLabel, |name| Task::from_problem_type(name).expect("a task"))
}

/// What training minimises in a reference.
fn objective_of(json: &serde_json::Value) -> Objective {
    let given = &json["objective"];
    let weights = given["weights"].as_array().map(|list| list.iter().map(|v| v.as_f64().expect("a number")).collect());
    let number = |key: &str| given[key].as_f64().unwrap_or(0.0);
    task_of(json).objective(number("gamma"), weights, number("smoothing"))
}

fn targets_of(json: &serde_json::Value) -> Vec<Target> {
    let id = |v: &serde_json::Value| v.as_u64().expect("an id") as u32;
    let list = |v: &serde_json::Value| v.as_array().expect("a list").clone();
    let target = |v: &serde_json::Value| match task_of(json) {
        Task::SingleLabel => Target::Label(id(v)),
        Task::MultiLabel => Target::labels(list(v).iter().map(id).collect()),
        Task::Regression => Target::values(list(v).iter().map(|v| v.as_f64().expect("a number")).collect()),
    };
    list(&json["labels"]).iter().map(target).collect()
}

/// The reference's batch, without its padding.
fn reference_batch(json: &serde_json::Value) -> Batch {
    let numbers = |v: &serde_json::Value| -> Vec<u32> {
        v.as_array().expect("an array").iter().map(|x| x.as_u64().expect("a number") as u32).collect()
    };
    let list = |key: &str| json[key].as_array().expect("an array").iter().map(numbers).collect::<Vec<_>>();
    let rows: Vec<Vec<u32>> = list("input_ids")
        .into_iter()
        .zip(list("attention_mask"))
        .map(|(ids, mask)| ids.into_iter().zip(mask).filter(|(_, m)| *m == 1).map(|(id, _)| id).collect())
        .collect();
    let batch = Batch { targets: targets_of(json), ..Batch::of_texts(&rows) };
    if json["token_type_ids"].is_null() {
        return batch;
    }
    let types =
        list("token_type_ids").into_iter().zip(&rows).flat_map(|(types, row)| types.into_iter().take(row.len()));
    Batch { token_types: types.collect(), ..batch }
}

pub fn recipe() -> Recipe {
    Recipe { betas: (0.9, 0.999), eps: 1e-8, weight_decay: 0.01, ..Recipe::default() }
}

/// Largest absolute difference.
pub fn difference(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter()
        .zip(b)
        .map(|(a, b)| f64::from((a - b).abs()))
        .fold(0.0, |most, d| if d > most || d.is_nan() { d } else { most })
}

pub fn numbers(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().and_then(|t| t.to_vec1()).expect("numbers")
}

/// The settings of AdamW that a reference names, and the learning rate of each of five steps.
fn recipe_of(json: &serde_json::Value) -> (Recipe, [f64; 5]) {
    let given = &json["recipe"];
    if given.is_null() {
        return (recipe(), [1e-3; 5]);
    }
    let number = |key: &str| given[key].as_f64().expect("a number");
    let list = |key: &str| given[key].as_array().expect("a list").clone();
    let texts = list("no_decay").into_iter().map(|text| text.as_str().expect("a text").to_string());
    let lrs: Vec<f64> = list("lrs").iter().map(|lr| lr.as_f64().expect("a number")).collect();
    let rates = Rates::new(number("lr"), Some(number("head_lr")), Some(number("layer_lr_decay")));
    let recipe = Recipe { rates, weight_decay: number("weight_decay"), no_decay: texts.collect(), ..recipe() };
    (recipe, lrs.try_into().expect("five learning rates"))
}

fn setup(dir: &Path, create: Create, recipe: &Recipe) -> Result<Box<dyn Engine>> {
    let config = ModelConfig::read(&dir.join("config.json"))?;
    let path = dir.join("model.safetensors");
    let weights = read_weights(&path)?;
    let bias = ["classifier.bias", "classifier.out_proj.bias"].into_iter().find_map(|name| weights.get(name));
    let labels = bias.expect("a classifier").elem_count();
    let loaded = Parameters::load(&config, labels, weights, &path, 0)?;
    let list: Vec<String> = (0..labels).map(|id| format!("LABEL_{id}")).collect();
    assert_eq!(loaded.notes, [format!("kept the classifier head (labels {})", list.join(", "))]);
    create(&config, loaded.parameters, recipe)
}

/// The loss of one or more batches of a step together, and its gradients, which stay in the engine.
pub fn minimise(
    engine: &mut dyn Engine,
    objective: &Objective,
    batches: &[Batch],
    labels: usize,
    plan: Option<DropoutPlan>,
) -> Result<f64> {
    let denominator = objective.denominator(batches.iter().flat_map(|b| &b.targets), labels);
    let targets: Vec<_> = batches.iter().map(|b| objective.targets(&b.targets, labels, denominator)).collect();
    Ok(engine.gradients(batches, &targets, plan)?)
}

pub fn names(engine: &dyn Engine) -> Vec<String> {
    engine.state().1.into_iter().map(|t| t.name).filter(|name| !name.contains("_moment.")).collect()
}

/// Whether a parameter is a bias whose gradient is analytically zero: Adam turns its rounding noise into steps. Biases of keys add the same to
/// all scores of a query, unless keys are multiplied with positions as well; so does the bias of positions that only keys are computed from.
fn is_noise(name: &str, want: &HashMap<String, Tensor>) -> bool {
    name.ends_with(".bias") && numbers(&want[&format!("grad.{name}")]).iter().all(|v| v.abs() < 1e-12)
}

/// Logits, loss and every gradient, then the parameters after 1 and 5 AdamW steps and the losses on the way.
///
/// Tolerances: float32 against float64 of the same code differs by 4.8e-7 in logits, 2.7e-7 in gradients and 2.4e-6 in
/// parameters in PyTorch itself; ours allow about four times as much. Single parameters may be 2% of a step of 1e-3
/// apart: where a gradient is near AdamW's epsilon of 1e-8, rounding moves the step; so their mean is held too.
/// `rounding` multiplies all of them.
pub fn follows_pytorch(dir: &Path, kind: &str, rounding: f64, create: Create) -> Result<()> {
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(dir.join("reference.json"))?)?;
    let want: HashMap<String, Tensor> =
        candle_core::safetensors::load(dir.join("expected_f64.safetensors"), &Device::Cpu)?;
    let batch = reference_batch(&json);
    let labels = want["logits"].dims()[1];
    let (recipe, lrs) = recipe_of(&json);
    let (recipe, objective) = (Recipe { loss: objective_of(&json).loss(), ..recipe }, objective_of(&json));
    let mut engine = setup(dir, create, &recipe)?;
    let error = difference(&engine.scores(&batch)?.concat(), &numbers(&want["logits"]));
    assert!(error < 2e-6 * rounding, "{kind}: logits differ by {error:e}");
    for step in 1..=5 {
        let loss = minimise(engine.as_mut(), &objective, std::slice::from_ref(&batch), labels, None)?;
        let want_loss = json["f64"]["loss_steps"][step - 1].as_f64().expect("a loss");
        assert!((loss - want_loss).abs() < 2e-6 * rounding, "{kind}: loss {loss} of step {step}, wanted {want_loss}");
        let norm = engine.norm()?;
        if step == 1 {
            for name in names(engine.as_ref()) {
                let error = difference(&engine.gradient(&name)?, &numbers(&want[&format!("grad.{name}")]));
                assert!(error < 1e-6 * rounding, "{kind}: gradient of {name} differs by {error:e}");
            }
            let want = json["f64"]["grad_norm"].as_f64().expect("a norm");
            assert!((norm - want).abs() < 1e-5 * rounding, "{kind}: norm {norm}, wanted {want}");
        }
        engine.update(lrs[step - 1])?;
        if step == 1 || step == 5 {
            for tensor in engine.parameters().iter().filter(|t| !is_noise(&t.name, &want)) {
                let (name, got) = (&tensor.name, tensor.values().expect("values"));
                let want = numbers(&want[&format!("param_after{step}.{name}")]);
                let error = difference(&got, &want);
                assert!(error < 2e-5 * rounding, "{kind}: {name} differs by {error:e} after {step} steps");
                let sum: f64 = got.iter().zip(&want).map(|(a, b)| f64::from((a - b).abs())).sum();
                let mean = sum / want.len() as f64;
                assert!(mean < 2e-7 * rounding, "{kind}: {name} differs by {mean:e} on average after {step} steps");
            }
        }
    }
    let error = difference(&engine.scores(&batch)?.concat(), &numbers(&want["logits_after5"]));
    assert!(error < 2e-5 * rounding, "{kind}: logits after five steps differ by {error:e}");
    Ok(())
}

//! Specs and configs for the tests of this module.

use serde_json::Value;

use super::{Expansion, PlanError, Proposal, SearchHistory};
use crate::{
    plan::{RunConfig, resolve},
    spec::{
        Checkpoint, ClassWeights, Data, EngineKind, FOCAL_GAMMA, Format, Keep, Long, LossKind, Metric, Model,
        Precision, Probe, Quoting, Report, Scheduler, SlurmSettings, Spec, Sweep, Thresholds, Train,
    },
    task::Task,
};

/// A spec with only the required keys.
pub fn spec() -> Spec {
    Spec {
        name: "demo".into(),
        description: String::new(),
        model: Model { source: "scratch:tiny".parse().expect("a source"), vocab_size: 4000 },
        data: Data {
            source: "path:reviews.csv".parse().expect("a source"),
            file: None,
            format: None,
            config: None,
            encoding: None,
            sheet: None,
            missing: Vec::new(),
            delimiter: None,
            quoting: Quoting::Minimal,
            text_column: "review".into(),
            text_columns: vec![],
            separator: None,
            text_pair_column: None,
            problem_type: Task::SingleLabel,
            label_column: "label".into(),
            label_columns: vec![],
            label_separator: None,
            thresholds: Thresholds::Half,
            threshold_metric: None,
            calibrate: false,
            labels: [("0", "negative"), ("1", "positive")].map(|(a, b)| (a.to_string(), b.to_string())).into(),
            test: 0.2.into(),
            dev: 0.0.into(),
            split_column: None,
            splits: None,
            fold: None,
            group_column: None,
            seed: 42,
            stratify: false,
            max_length: 128,
            long: Long::Cut,
            stride: None,
            head_tokens: None,
            limit: None,
        },
        train: Train {
            epochs: 3,
            max_steps: None,
            batch_size: 32,
            micro_batch_tokens: 2048,
            gradient_accumulation_steps: 1,
            precision: Precision::Fp32,
            engine: EngineKind::Fused,
            lr: 1e-5,
            head_lr: None,
            layer_lr_decay: None,
            weight_decay: 0.01,
            no_decay: vec!["bias".into(), "LayerNorm.weight".into()],
            betas: vec![0.9, 0.999],
            eps: 1e-8,
            scheduler: Scheduler::Linear,
            warmup_steps: 0,
            warmup_ratio: 0.0,
            max_grad_norm: 1.0,
            dropout: None,
            loss: LossKind::Standard,
            focal_gamma: FOCAL_GAMMA,
            label_smoothing: 0.0,
            class_weights: ClassWeights::None,
            seed: 42,
            init_seed: None,
            order_seed: None,
            log_steps: 50,
            eval_steps: 0,
            early_stopping_patience: 0,
            early_stopping_min_delta: 0.0,
            freeze: vec![],
        },
        checkpoint: Checkpoint { keep: Keep::Last, metric: None, every_steps: 0, every_minutes: 0.0 },
        probes: vec![],
        report: Report { title: None, smoothing: 0.9, mistakes: 20 },
        sweep: Sweep::default(),
        slurm: SlurmSettings::default(),
    }
}

/// A config in which every field has a value and affects the run.
pub fn full_config() -> RunConfig {
    let mut spec = spec();
    spec.data.file = Some("train.csv".into());
    spec.data.format = Some(Format::Csv);
    spec.data.limit = Some(1000);
    spec.train.max_steps = Some(100);
    spec.train.dropout = Some(0.1);
    spec.train.class_weights = ClassWeights::Given(vec![1.0, 2.5]);
    spec.train.early_stopping_patience = 2;
    spec.train.freeze = vec!["embeddings".into()];
    spec.checkpoint.keep = Keep::Best;
    spec.probes = vec![Probe { text: "送餐很快".into(), text_pair: None, expect: Some("positive".into()) }];
    resolve(&spec).expect("the spec of the tests is sound")
}

/// The spec with keys overridden as the spec module does it, without its validation.
pub fn at(spec: &Spec, point: &[(String, Value)]) -> Result<Spec, PlanError> {
    let mut value = serde_json::to_value(spec).expect("a spec is JSON");
    for (key, new) in point {
        *value.pointer_mut(&format!("/{}", key.replace('.', "/"))).expect(key) = new.clone();
    }
    Ok(serde_json::from_value(value).expect("values of the right type"))
}

/// The spec with a sweep: the defaults and the keys given.
pub fn swept(sweep: &Value) -> Spec {
    let mut whole = serde_json::to_value(Sweep::default()).expect("a sweep is JSON");
    for (key, value) in sweep.as_object().expect("a table") {
        whole[key] = value.clone();
    }
    Spec { sweep: serde_json::from_value(whole).expect("a sweep"), ..spec() }
}

/// The expansion of a sweep whose trials have these accuracies, or its first error.
pub fn expand(sweep: &Value, accuracies: &[Option<f64>]) -> Result<Expansion, PlanError> {
    expand_again(sweep, accuracies, &[])
}

/// The same, with points proposed earlier.
pub fn expand_again(sweep: &Value, accuracies: &[Option<f64>], proposed: &[Proposal]) -> Result<Expansion, PlanError> {
    let spec = swept(sweep);
    let scores: Vec<_> = accuracies.iter().map(|value| value.map(|value| Metric::Accuracy.score(value))).collect();
    let past = SearchHistory { scores: &scores, proposed };
    super::expand(&spec, |point| at(&spec, point), past).map_err(|mut errors| errors.remove(0))
}

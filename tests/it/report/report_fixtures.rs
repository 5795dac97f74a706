//! Synthetic experiments: records like those of real ones, from counter-based random numbers.

use taper::{
    event::{FailureKind, Prediction, PredictionBefore, ProbeScore, Split, StepCompleted, When},
    metrics::{Metrics, Probabilities, Scored, Target, argmax},
    plan::{
        CheckpointConfig, ClassWeights, DataConfig, EngineKind, Keep, LossKind, Metric, ModelConfig, Precision, Probe,
        RunConfig, Scheduler, Source, TrainConfig,
    },
    random::{Purpose, Stream},
    report::{FoldRows, ReportInput, RowNames, RunInput},
    store::{Environment, EvalRecord, ExperimentRecord, ProbeRecord, RunRecord, RunState},
};

/// Sentences that reviews are put together from.
const PARTS: [&str; 10] = [
    "送餐很快",
    "味道不错，分量也足",
    "等了一个半小时才到，饭都凉了",
    "汤洒了一半，打电话没人接",
    "老板人很好，多送了一份小菜",
    "肉太少，全是土豆",
    "包装很用心",
    "太咸了，吃完一直喝水",
    "下次还会再来",
    "骑手态度差",
];

/// Probes with and without an expected label; the third would be markup if it were not escaped.
const PROBES: [(&str, Option<usize>); 4] = [
    ("这家饭店真贴心，知道我吃不饱还特地在里面放蟑螂", Some(0)),
    ("Delivery was quick and the noodles were still hot", Some(1)),
    ("</td><script>alert('这不是评论')</script> | **很好吃** & more", Some(1)),
    (
        "一开始以为送错了，打开一看量比上次多了一倍，味道也没有变，就是餐具少了一双，打电话过去老板马上让骑手又送了一趟，\
         这样的态度真的没话说，以后就认准这一家了，希望一直保持下去不要涨价",
        None,
    ),
];

/// A synthetic run.
#[derive(Clone)]
pub struct Recipe {
    pub name: String,
    pub lr: f64,
    pub seed: u64,
    pub labels: Vec<String>,
    pub test: f64,
    pub dev: f64,
    pub rows: usize,
    pub epochs: u32,
    pub steps_per_epoch: u64,
    /// Logit margin by which the trained model is right on average: 0 is a guess, 3 is good.
    pub skill: f64,
}

impl Recipe {
    pub fn new(name: &str, labels: &[&str]) -> Self {
        Self {
            name: name.into(),
            lr: 1e-5,
            seed: 1,
            labels: labels.iter().map(|l| (*l).to_string()).collect(),
            test: 0.2,
            dev: 0.0,
            rows: 600,
            epochs: 3,
            steps_per_epoch: 75,
            skill: 2.6,
        }
    }

    fn config(&self) -> RunConfig {
        let probe = |p: &(&str, Option<usize>)| Probe {
            text: p.0.into(),
            text_pair: None,
            expect: p.1.map(|id| self.labels[id].clone()),
        };
        let values = self.labels.iter().enumerate();
        RunConfig {
            name: "rbt3-waimai".into(),
            model: ModelConfig {
                source: Source::try_from("hf:hfl/rbt3".to_string()).expect("a source"),
                vocab_size: 8000,
            },
            data: DataConfig {
                source: Source::Path("data/waimai_10k.csv".into()),
                labels: values.map(|(id, name)| (id.to_string(), name.clone())).collect(),
                test: self.test.into(),
                dev: self.dev.into(),
                max_length: 512,
                ..crate::data::config()
            },
            train: TrainConfig {
                epochs: self.epochs,
                max_steps: None,
                batch_size: 32,
                micro_batch_tokens: 2048,
                gradient_accumulation_steps: 1,
                precision: Precision::Fp32,
                engine: EngineKind::Fused,
                lr: self.lr,
                head_lr: None,
                layer_lr_decay: None,
                weight_decay: 0.01,
                no_decay: vec!["bias".into(), "LayerNorm.weight".into()],
                betas: (0.9, 0.999),
                eps: 1e-8,
                scheduler: Scheduler::Linear,
                warmup_steps: 0,
                warmup_ratio: 0.1,
                max_grad_norm: 1.0,
                dropout: None,
                loss: LossKind::Standard,
                focal_gamma: None,
                label_smoothing: 0.0,
                class_weights: ClassWeights::None,
                seed: self.seed,
                init_seed: self.seed,
                order_seed: self.seed,
                log_steps: 50,
                eval_steps: 0,
                early_stopping_patience: 0,
                early_stopping_min_delta: 0.0,
                freeze: Vec::new(),
            },
            checkpoint: CheckpointConfig {
                keep: Keep::Best,
                metric: Metric::Accuracy,
                every_steps: 0,
                every_minutes: 0.0,
            },
            probes: PROBES.iter().map(probe).collect(),
        }
    }

    fn stream(&self, a: u64) -> Stream {
        Stream::new(self.seed.wrapping_mul(1_000_003) ^ self.lr.to_bits(), Purpose::Bootstrap, a, 0)
    }

    /// Rows as a model of this skill sees them; texts and labels are the same for every run.
    fn predictions(&self, skill: f64, moment: u64) -> Vec<Prediction> {
        let shared = Stream::new(7, Purpose::Bootstrap, 99, 0);
        let own = self.stream(moment);
        let k = self.labels.len();
        (0..self.rows)
            .map(|row| {
                let at = (row * 16) as u64;
                // The first label is twice as frequent as each other.
                let label = (shared.below(at, k as u64 + 1) as usize).saturating_sub(1);
                let difficulty = shared.normal(at + 1);
                let logits: Vec<f64> = (0..k)
                    .map(|j| {
                        let margin = if j == label { skill * (1.0 - 0.5 * difficulty) } else { 0.0 };
                        margin + own.normal(at + 2 + j as u64) * 0.9
                    })
                    .collect();
                let top = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let sum: f64 = logits.iter().map(|l| (l - top).exp()).sum();
                let probabilities: Vec<f32> = logits.iter().map(|l| ((l - top).exp() / sum) as f32).collect();
                let part = |i: u64| PARTS[shared.below(at + 10 + i, PARTS.len() as u64) as usize];
                let text = match row {
                    7 => "=HYPERLINK(\"x\") | a\nsecond line <script>alert(1)</script>".to_string(),
                    _ => format!("{}，{}", part(0), part(1)),
                };
                let predicted = argmax(&probabilities) as u32;
                Prediction {
                    row: row as u32,
                    line: row as u64 + 2,
                    text,
                    text_pair: None,
                    label: Target::Label(label as u32),
                    predicted: Target::Label(predicted),
                    probabilities: Probabilities::new(probabilities, &[label as u32]),
                }
            })
            .collect()
    }

    /// Training rows of each label: the first twice as many as each other.
    fn train_labels(&self) -> Vec<u64> {
        (0..self.labels.len()).map(|id| if id == 0 { 1600 } else { 800 }).collect()
    }

    fn metrics(&self, predictions: &[Prediction]) -> Metrics {
        let scored = |p: &Prediction| {
            let (label, predicted) = (p.label.ids()[0], p.predicted.ids()[0]);
            let loss = -f64::from(p.probabilities.get(label).unwrap_or(0.0).max(1e-9)).ln();
            let all: Vec<f32> = p.probabilities.iter().map(|(_, p)| p).collect();
            let all = if all.len() == self.labels.len() { &all[..] } else { &[] };
            Scored::of_label(label, (predicted, p.probabilities.highest()), all, loss)
        };
        Metrics::new(&self.labels, predictions.iter().map(scored))
    }

    fn steps(&self) -> Vec<StepCompleted> {
        let noise = self.stream(1);
        let (k, total) = (self.labels.len() as f64, u64::from(self.epochs) * self.steps_per_epoch);
        let floor = 0.12 + 0.3 / self.skill.max(0.3);
        (1..=total)
            .map(|step| {
                let progress = step as f64 * (self.lr / 1e-5).sqrt();
                let mean = floor + (k.ln() - floor).max(0.05) * (-progress / 60.0).exp();
                StepCompleted {
                    step,
                    epoch: ((step - 1) / self.steps_per_epoch) as u32 + 1,
                    loss: (mean * (1.0 + 0.25 * noise.normal(step))).max(0.01),
                    lr: self.lr * (1.0 - step as f64 / total as f64),
                    grad_norm: 2.0 + noise.uniform(step + 100_000),
                    tokens: 900 + noise.below(step + 200_000, 300),
                    elapsed_s: step as f64 * 0.85,
                }
            })
            .collect()
    }

    fn probes(&self, when: When, skill: f64) -> Vec<ProbeRecord> {
        let noise = self.stream(2 + when as u64);
        let k = self.labels.len();
        let score = |(i, p): (usize, &(&str, Option<usize>))| {
            // The sarcastic one stays hard.
            let margin = if i == 0 { skill * 0.1 - 0.4 } else { skill };
            let truth = p.1.unwrap_or(1);
            let logits: Vec<f64> = (0..k)
                .map(|j| if j == truth { margin } else { 0.0 } + 0.4 * noise.normal((i * 16 + j) as u64))
                .collect();
            let sum: f64 = logits.iter().map(|l| l.exp()).sum();
            let probabilities: Vec<f32> = logits.iter().map(|l| (l.exp() / sum) as f32).collect();
            ProbeRecord {
                when,
                step: if when == When::Before { 0 } else { self.epochs as u64 * self.steps_per_epoch },
                score: ProbeScore {
                    position: i as u32,
                    text: p.0.into(),
                    text_pair: None,
                    expect: p.1.map(|id| self.labels[id].clone()),
                    predicted: self.labels[argmax(&probabilities)].clone(),
                    right: None,
                    confidence: None,
                    probabilities: probabilities.into(),
                },
            }
        };
        PROBES.iter().enumerate().map(score).collect()
    }

    /// The run as it is when done.
    pub fn completed(&self) -> RunInput {
        let steps = self.steps();
        let mut evals = Vec::new();
        let mut evaluate = |when, epoch: u32, skill: f64| {
            for (split, share) in [(Split::Dev, self.dev), (Split::Test, self.test)] {
                if share > 0.0 {
                    let moment = 10 + u64::from(epoch) * 2 + split as u64;
                    evals.push(EvalRecord {
                        when,
                        step: u64::from(epoch) * self.steps_per_epoch,
                        epoch,
                        split,
                        metrics: self.metrics(&self.predictions(skill, moment)),
                        elapsed_s: 1.5,
                    });
                }
            }
        };
        evaluate(When::Before, 0, 0.1);
        for epoch in 1..=self.epochs {
            evaluate(When::During, epoch, self.skill * (1.0 - 0.4f64.powi(epoch as i32)));
        }
        evaluate(When::After, self.epochs, self.skill);
        let measured = if self.test > 0.0 { Split::Test } else { Split::Dev };
        let predictions = self.predictions(self.skill, 10 + u64::from(self.epochs) * 2 + measured as u64);
        let before = self.predictions(0.1, 10 + measured as u64).into_iter().map(PredictionBefore::from).collect();
        let mut probes = self.probes(When::Before, 0.0);
        probes.extend(self.probes(When::After, self.skill));
        let total = steps.len() as u64;
        RunInput {
            run: RunRecord {
                decided: None,
                waits_at: None,
                pruned_at: None,
                key: format!("{:016x}{:048x}", self.stream(5).at(0), self.seed),
                name: self.name.clone(),
                experiment: Some("rbt3-waimai".into()),
                experiments: vec!["rbt3-waimai".into()],
                in_plan: true,
                state: RunState::Completed,
                failure: None,
                message: None,
                config: self.config(),
                labels: self.labels.clone(),
                train_labels: Some(self.train_labels()),
                environment: Some(environment()),
                total_steps: total,
                size: None,
                checkpoint_step: None,
                steps: total,
                at_step: 0,
                last_loss: steps.last().map(|s| s.loss),
                weights_sha256: None,
                created_at: 1_772_366_000.0,
                started_at: Some(1_772_366_400.0),
                finished_at: Some(1_772_366_400.0 + 0.9 * total as f64),
                final_metrics: Some(self.metrics(&predictions)),
            },
            steps,
            evals,
            probes,
            predictions,
            row_names: RowNames::default(),
            before,
            warnings: Vec::new(),
            audit: None,
        }
    }

    /// The run stopped by a loss that grew beyond all numbers.
    pub fn diverged(&self) -> RunInput {
        let mut run = self.broken_at(90);
        run.run.state = RunState::Failed;
        run.run.failure = Some(FailureKind::Diverged);
        run.run.message = Some(format!("loss is not finite at step 90 (lr {}); a lower train.lr may help", self.lr));
        for step in run.steps.iter_mut().skip(60) {
            step.loss *= 1.6f64.powi((step.step - 60) as i32);
        }
        if let Some(last) = run.steps.last_mut() {
            last.loss = f64::NAN;
            last.grad_norm = f64::INFINITY;
        }
        run.run.last_loss = Some(f64::NAN);
        run
    }

    /// The run up to a step, with nothing after it.
    pub fn broken_at(&self, step: u64) -> RunInput {
        let mut run = self.completed();
        run.steps.retain(|s| s.step <= step);
        run.evals.retain(|e| e.when != When::After && e.step <= step);
        run.probes.retain(|p| p.when == When::Before);
        run.predictions.clear();
        run.before.clear();
        run.run.final_metrics = None;
        run.run.state = RunState::Interrupted;
        run.run.steps = step;
        run.run.last_loss = run.steps.last().map(|s| s.loss);
        run
    }

    /// The run as planned.
    pub fn pending(&self) -> RunInput {
        let mut run = self.broken_at(0);
        run.evals.clear();
        run.probes.clear();
        run.run.state = RunState::Pending;
        run.run.environment = None;
        run.run.started_at = None;
        run.run.finished_at = None;
        run
    }

    /// The run as a failure before its first step left it.
    pub fn failed(&self, message: &str) -> RunInput {
        let mut run = self.pending();
        run.run.state = RunState::Failed;
        run.run.failure = Some(FailureKind::Error);
        run.run.message = Some(message.into());
        run
    }
}

fn environment() -> Environment {
    Environment {
        taper: "0.1.0".into(),
        git_commit: Some("910d2c2f3b5b76c4aef48ecf8cb3abaafe960f09".into()),
        platform: "linux x86_64".into(),
        cpu: "Example CPU @ 2.60GHz".into(),
        instructions: String::new(),
        device: "cpu".into(),
        gpu: String::new(),
        gpu_libraries: String::new(),
        threads: 2,
        data_digest: "b8b5c11c00b51578d35937fca56e03a126b45381f1ea4b22893237cb377a26fe".into(),
        model_digest: "3b5b76c4aef48ecf8cb3abaafe960f093b5b76c4aef48ecf8cb3abaafe960f09".into(),
        data_source: String::new(),
        model_source: String::new(),
        micro_batch_tokens: None,
        learning_rates: String::new(),
        texts: Vec::new(),
        numerics: 1,
    }
}

/// An experiment of these runs.
pub fn experiment(runs: Vec<RunInput>) -> ReportInput {
    ReportInput {
        experiment: ExperimentRecord {
            name: "rbt3-waimai".into(),
            description: "rbt3 fine-tuned on takeaway reviews <b>as in the tutorial</b>: 外卖评论情感分类.".into(),
            spec_path: "experiments/rbt3-waimai.toml".into(),
            arguments: vec!["--set".into(), "probes=[{text = \"it's\"}]".into()],
            extends: Vec::new(),
            spec_text: "name = \"rbt3-waimai\"\n\n[model]\nsource = \"hf:hfl/rbt3\" # ``` and </pre>\n".into(),
            report: serde_json::json!({"title": null, "smoothing": 0.9, "mistakes": 8}),
            warnings: Vec::new(),
            prunes: false,
            to_come: 0,
            runs: runs.iter().map(|r| (r.run.key.clone(), r.run.name.clone())).collect(),
            trials: Vec::new(),
        },
        runs,
        folds: FoldRows::default(),
        leaves_texts_out: false,
    }
}

const TWO: [&str; 2] = ["negative", "positive"];

/// Every fixture by name.
pub fn all() -> Vec<(&'static str, ReportInput)> {
    vec![
        ("single", single()),
        ("sweep", sweep()),
        ("wide-sweep", wide_sweep()),
        ("seven-labels", seven_labels()),
        ("dev-split", dev_split()),
        ("one-step", one_step()),
        ("no-result", experiment(vec![Recipe::new("lr=1e-5", &TWO).failed("out of `disk`: 0 bytes left | <full>")])),
        ("no-runs", experiment(Vec::new())),
    ]
}

/// One run that went well.
pub fn single() -> ReportInput {
    experiment(vec![Recipe::new("rbt3-waimai", &TWO).completed()])
}

/// Three learning rates by three seeds; some runs went wrong.
pub fn sweep() -> ReportInput {
    let mut runs = Vec::new();
    for (lr, text, skill) in [(1e-5, "1e-5", 2.2), (1e-4, "1e-4", 2.9), (1e-3, "1e-3", 0.5)] {
        for seed in 1..=3 {
            let recipe = Recipe { lr, seed, skill, ..Recipe::new(&format!("lr={text} seed={seed}"), &TWO) };
            runs.push(match (text, seed) {
                ("1e-3", 1) => recipe.diverged(),
                ("1e-3", 2) => recipe.failed("data row 17: label `maybe` is not in data.labels"),
                ("1e-3", 3) => recipe.pending(),
                ("1e-5", 3) => recipe.broken_at(120),
                _ => recipe.completed(),
            });
        }
    }
    // One was trained elsewhere.
    if let Some(environment) = &mut runs[1].run.environment {
        environment.device = "cuda:0".into();
        environment.platform = "linux aarch64".into();
    }
    experiment(runs)
}

/// Thirteen configurations with long names.
pub fn wide_sweep() -> ReportInput {
    let run = |i: u64| {
        let lr = 1e-5 * (i + 1) as f64;
        let name = format!("train.lr={lr:.0e} train.warmup_ratio=0.{i} data.max_length=128 model.source=path:模型{i}");
        let mut run = Recipe { lr, skill: 1.5 + 0.1 * i as f64, ..Recipe::new(&name, &TWO) }.completed();
        run.run.config.train.warmup_ratio = 0.01 * i as f64;
        run
    };
    experiment((0..13).map(run).collect())
}

/// Seven labels with Chinese names, and a title.
pub fn seven_labels() -> ReportInput {
    let labels = ["财经", "体育", "娱乐", "科技", "教育", "国际政治与社会新闻", "misc"];
    let run = Recipe { skill: 3.4, ..Recipe::new("新闻 seed=1", &labels) }.completed();
    let mut input = experiment(vec![run]);
    input.experiment.report = serde_json::json!({"title": "新闻分类", "smoothing": 0.95, "mistakes": 3});
    input
}

/// Two runs, the best of which is chosen by a dev split.
pub fn dev_split() -> ReportInput {
    let recipe = |seed| Recipe { seed, dev: 0.1, ..Recipe::new(&format!("seed={seed}"), &TWO) };
    experiment(vec![recipe(1).completed(), recipe(2).completed()])
}

/// Two learning rates, the better of which is chosen by a dev split.
pub fn two_rates() -> ReportInput {
    let recipe = |lr, skill, name| Recipe { lr, skill, dev: 0.1, ..Recipe::new(name, &TWO) };
    experiment(vec![recipe(1e-5, 2.9, "lr=1e-5").completed(), recipe(2e-5, 1.5, "lr=2e-5").completed()])
}

/// A run of one step, without a test split.
pub fn one_step() -> ReportInput {
    let recipe = Recipe { epochs: 1, steps_per_epoch: 1, rows: 3, test: 0.0, dev: 0.1, ..Recipe::new("short", &TWO) };
    experiment(vec![recipe.completed()])
}

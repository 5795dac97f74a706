//! Read-only records of the store, without SQL.

use serde::{Deserialize, Serialize};

use crate::{
    event::{Decided, FailureKind, Prediction, ProbeScore, PrunedAt, Split, SplitTexts, StepCompleted, When},
    format::{count, counted},
    metrics::{Metric, Metrics},
    plan::RunConfig,
    warning::Warning,
};

/// The state of a run. Every view uses the same name for it, [`RunState::word`], which is also its name in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Planned, not started.
    Pending,
    /// Its process is alive.
    Running,
    /// Held by its sweep at a rung, with a checkpoint, until the runs that it is compared with get there. The database stores it as
    /// interrupted, with the step of the rung.
    Waiting,
    /// Stopped on request or with its process; can be resumed from its checkpoint.
    Interrupted,
    /// Completed.
    Completed,
    /// Ended before its last step by the rule of its sweep.
    Pruned,
    /// Ended by a failure.
    Failed,
}

impl RunState {
    /// All states, in the order in which counts are listed.
    pub const ALL: [Self; 7] =
        [Self::Completed, Self::Failed, Self::Pruned, Self::Waiting, Self::Interrupted, Self::Running, Self::Pending];

    /// Its name.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Interrupted => "interrupted",
            Self::Completed => "completed",
            Self::Pruned => "pruned",
            Self::Failed => "failed",
        }
    }

    /// The state of runs that are shown as one, such as the seeds of a trial: states that continue take precedence over final ones, a
    /// failure over pruning, and an interruption over waiting: the next command resumes the interrupted run before it compares the others.
    pub fn of_several(states: impl Iterator<Item = Self> + Clone) -> Self {
        let order = [Self::Running, Self::Failed, Self::Pruned, Self::Interrupted, Self::Waiting, Self::Pending];
        order.into_iter().find(|state| states.clone().any(|other| other == *state)).unwrap_or(Self::Completed)
    }

    /// The class of a trial whose runs together have this state, for ranking: 0 all runs completed and measured, 1 some completed, 2 none,
    /// 3 pruned, 4 failed, 5 not begun. Within a class the better value comes first.
    pub fn class_of_trial(self, completed: usize, measured: usize, planned: usize) -> u8 {
        match self {
            Self::Completed if measured == planned => 0,
            Self::Pending if completed == 0 => 5,
            Self::Completed | Self::Running | Self::Waiting | Self::Interrupted | Self::Pending => {
                if completed > 0 {
                    1
                } else {
                    2
                }
            }
            Self::Pruned => 3,
            Self::Failed => 4,
        }
    }

    /// `12 completed, 3 waiting`: the number of runs in each state.
    pub fn counted(states: impl Iterator<Item = Self> + Clone) -> String {
        let of = |state: Self| states.clone().filter(|other| *other == state).count();
        let parts: Vec<String> =
            Self::ALL.into_iter().filter(|&s| of(s) > 0).map(|s| format!("{} {}", of(s), s.word())).collect();
        parts.join(", ")
    }
}

/// The environment that a run was trained in.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Environment {
    /// Version of taper.
    pub taper: String,
    /// Commit of the working folder's git repository, with `-dirty` if files differ from it.
    pub git_commit: Option<String>,
    /// Operating system and architecture.
    pub platform: String,
    /// Processor and, for runs on the CPU, the instructions used: `AMD EPYC 9654, avx512`.
    pub cpu: String,
    /// The instructions used on the CPU; empty on other devices, and in records of earlier versions, which have them only at the end of
    /// `cpu`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub instructions: String,
    /// `cpu`, `cuda:0`, …
    pub device: String,
    /// The GPU: `NVIDIA H200, compute capability 9.0, CUDA 13.0`, the last being the newest version that its driver supports; empty for the
    /// CPU.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub gpu: String,
    /// Versions of the libraries that affect the GPU's results: `driver 580.159.04, cuBLAS 13.1.0`; empty for the CPU, and in records of
    /// earlier versions.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub gpu_libraries: String,
    /// Threads used.
    pub threads: u32,
    /// SHA-256 of the data file.
    pub data_digest: String,
    /// SHA-256 over the model's files; empty for `scratch:`.
    pub model_digest: String,
    /// The data source with its revision or digest. Empty in records of earlier versions.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub data_source: String,
    /// The same for the model.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub model_source: String,
    /// `train.micro_batch_tokens` if memory ran out and the run continued with less than its config says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub micro_batch_tokens: Option<usize>,
    /// The learning rates of head, layers and embeddings, in words, where they differ; else empty, as in records of earlier versions.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub learning_rates: String,
    /// How much of the texts was cut, of each split that has rows. Empty until a run has completed, and in records of earlier versions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub texts: Vec<SplitTexts>,
    /// Version of the engine's arithmetic: runs of different versions are not compared bit for bit.
    pub numerics: u32,
}

impl Environment {
    /// The GPU and the libraries that affect its results, separated by commas; empty for the CPU.
    pub fn gpu_with_libraries(&self) -> String {
        let parts = [&self.gpu, &self.gpu_libraries].into_iter().filter(|part| !part.is_empty());
        parts.map(String::as_str).collect::<Vec<_>>().join(", ")
    }

    /// `cpu`, or `cuda:0 (NVIDIA H200, …)`.
    pub fn device_in_full(&self) -> String {
        match self.gpu_with_libraries() {
            gpu if gpu.is_empty() => self.device.clone(),
            gpu => format!("{} ({gpu})", self.device),
        }
    }
}

/// The size of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct RunSize {
    /// Optimizer steps of one epoch.
    pub steps_per_epoch: u64,
    /// Training rows.
    pub train_rows: u64,
    /// Dev rows.
    pub dev_rows: u64,
    /// Test rows.
    pub test_rows: u64,
    /// Trainable parameters.
    pub parameters: u64,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunRecord {
    /// Identity: SHA-256 in hex.
    pub key: String,
    /// Its name: what distinguishes it from its siblings.
    pub name: String,
    /// The experiment that it was read for; else the first of `experiments`; else one that planned it before. `None` if those were removed.
    pub experiment: Option<String>,
    /// The experiments whose current plan has it, in the order in which they were first stored.
    pub experiments: Vec<String>,
    /// Whether the current plan of `experiment` has it. If not, it is from an earlier plan or a variant.
    pub in_plan: bool,
    /// Its state.
    pub state: RunState,
    /// Kind of failure.
    pub failure: Option<FailureKind>,
    /// The message of a failure.
    pub message: Option<String>,
    /// The resolved config: what the experiment says that it was read for, or else the last command that had it. They differ only in keys
    /// that are not part of the run's identity, such as the probes. Once the run is completed or pruned, `train` and `checkpoint` are what it was
    /// trained with, except for the metric that ranks it.
    pub config: RunConfig,
    /// Names of the labels, by id.
    pub labels: Vec<String>,
    /// Training rows of each label, by id; `None` before it started, and in records of earlier versions.
    pub train_labels: Option<Vec<u64>>,
    /// The environment it was trained in; `None` before it started.
    pub environment: Option<Environment>,
    /// Optimizer steps planned.
    pub total_steps: u64,
    /// Its size; `None` before it started.
    pub size: Option<RunSize>,
    /// Steps stored.
    pub steps: u64,
    /// The step that training reached: for a completed run its last one. Less than `steps` while steps are trained again.
    #[serde(skip)]
    pub at_step: u64,
    /// Loss of the last stored step.
    pub last_loss: Option<f64>,
    /// Step of the checkpoint that it would resume from.
    pub checkpoint_step: Option<u64>,
    /// Step at which its sweep holds it until the runs that it is compared with get there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits_at: Option<u64>,
    /// The comparison that pruned it; `None` of other runs, and of those that ended because another run of their trial did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pruned_at: Option<PrunedAt>,
    /// SHA-256 over the kept weights, in hex; `None` before it completed.
    pub weights_sha256: Option<String>,
    /// Unix time, in seconds.
    pub created_at: f64,
    /// Unix time, in seconds.
    pub started_at: Option<f64>,
    /// Unix time, in seconds.
    pub finished_at: Option<f64>,
    /// Evaluation of the kept weights on the test split, or on the dev split if there is no test split.
    pub final_metrics: Option<Metrics>,
    /// The temperature and the thresholds that were chosen on the dev rows, and what follows from them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided: Option<Decided>,
}

impl RunRecord {
    /// Its state, with the kind of a failure: `failed (oom)`.
    pub fn state_text(&self) -> String {
        match self.failure {
            Some(kind) if self.state == RunState::Failed => format!("{} ({})", self.state.word(), kind.word()),
            _ => self.state.word().into(),
        }
    }

    /// Of a completed run that early stopping ended: `stopped early at step 16 of 160: dev accuracy did not improve in 3 evaluations`.
    pub fn early_stop(&self) -> Option<String> {
        let (train, metric) = (&self.config.train, self.config.checkpoint.metric);
        let early = self.state == RunState::Completed && self.steps < self.total_steps;
        (early && train.early_stopping_patience > 0).then(|| {
            let by = match train.early_stopping_min_delta {
                least if least > 0.0 => format!(" by more than {least}"),
                _ => String::new(),
            };
            format!(
                "stopped early at step {} of {}: dev {} did not improve{by} in {}",
                count(self.steps),
                count(self.total_steps),
                metric.name(),
                counted(train.early_stopping_patience.into(), "evaluation")
            )
        })
    }

    /// The final metrics of the model as it is used, with its thresholds if it has any, and the metric by which it was chosen.
    pub fn used(&self) -> Option<(&Metrics, Metric)> {
        let tuned = self.decided.as_ref().and_then(|decided| {
            let metrics = if self.measured_on() == Split::Test { decided.test.as_ref()? } else { &decided.dev };
            Some((metrics, decided.metric?))
        });
        tuned.or(self.final_metrics.as_ref().map(|metrics| (metrics, self.config.checkpoint.metric)))
    }

    /// The split of its final evaluation: test if there is one, else dev.
    pub fn measured_on(&self) -> Split {
        if self.config.data.has_test() { Split::Test } else { Split::Dev }
    }
}

/// One evaluation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EvalRecord {
    /// Before, during or after training.
    pub when: When,
    /// Steps completed by then.
    pub step: u64,
    /// Epoch of that step.
    pub epoch: u32,
    /// Part of the data.
    pub split: Split,
    /// Its metrics.
    pub metrics: Metrics,
    /// Seconds it took.
    pub elapsed_s: f64,
}

/// A probe's score at one moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProbeRecord {
    /// Before, during or after training.
    pub when: When,
    /// Steps completed by then.
    pub step: u64,
    /// The probe's score.
    #[serde(flatten)]
    pub score: ProbeScore,
}

/// A note about a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NoteRecord {
    /// Unix time, in seconds.
    pub at: f64,
    /// One sentence.
    pub message: String,
}

/// One experiment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExperimentRecord {
    /// Its name.
    pub name: String,
    /// One sentence.
    pub description: String,
    /// The spec file, as given on the command line.
    pub spec_path: String,
    /// Command-line overrides of its last run (`--set`, `--profile`), as typed.
    pub arguments: Vec<String>,
    /// Text of the spec file.
    pub spec_text: String,
    /// The files that it extends, as they were read; empty in records of earlier versions.
    pub extends: Vec<SpecFile>,
    /// `[report]`, as JSON.
    pub report: serde_json::Value,
    /// Warnings about its sweep; empty in records of earlier versions.
    pub warnings: Vec<Warning>,
    /// Whether its sweep prunes runs.
    pub prunes: bool,
    /// How many runs its search had yet to propose when it was stored; 0 in records of earlier versions.
    pub to_come: usize,
    /// Key and name of each of its planned runs, in the plan's order, including removed ones.
    pub runs: Vec<(String, String)>,
    /// The trial of each of these runs; empty in plans of earlier versions.
    pub trials: Vec<usize>,
}

/// A file that a spec extends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpecFile {
    /// Its path from the working folder.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// The stored steps of a run, in order.
pub type StepRecord = StepCompleted;
/// The stored predictions of a run.
pub type PredictionRecord = Prediction;

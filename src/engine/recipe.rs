//! The settings of a run that the engine uses.

use crate::{
    plan::{EngineKind, Precision, RateGroup, Rates, TrainConfig},
    task::{Loss, Task},
};

/// A run's hyperparameters for the engine. The default is for a model that is not trained.
#[derive(Debug, Clone, Default)]
pub struct Recipe {
    /// Decay rates of AdamW's moments.
    pub betas: (f64, f64),
    /// AdamW's epsilon, added outside the square root.
    pub eps: f64,
    /// How the learning rates of layers and head differ.
    pub rates: Rates,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Parameters whose name contains one of these have no weight decay.
    pub no_decay: Vec<String>,
    /// The gradient is clipped to this norm; 0 disables clipping.
    pub max_grad_norm: f64,
    /// Frozen parameters, as in `train.freeze`.
    pub freeze: Vec<String>,
    /// Precision of the inputs of matrix products.
    pub precision: Precision,
    /// The engine.
    pub engine: EngineKind,
    /// What training minimises.
    pub loss: Loss,
    /// Whether the model only predicts, so that its weights may be packed once.
    pub predicts: bool,
}

impl Recipe {
    /// Whether weight decay applies to a parameter.
    pub(super) fn decays(&self, name: &str) -> bool {
        !self.no_decay.iter().any(|part| name.contains(part.as_str()))
    }

    /// The learning rate of a group of parameters in a model of `layers` encoder layers, as a multiple of that of the step.
    pub(super) fn rate(&self, group: RateGroup, layers: usize) -> f64 {
        self.rates.factor(group, layers)
    }

    /// The number of values that each output has in the targets of its loss.
    pub(super) fn values_of_target(&self) -> usize {
        match self.loss {
            Loss::CrossEntropy { .. } => 1,
            Loss::BinaryCrossEntropy { .. } | Loss::SquaredError => 2,
        }
    }

    /// For a task, with a run's hyperparameters.
    pub fn new(task: Task, train: &TrainConfig) -> Self {
        Self {
            betas: train.betas,
            eps: train.eps,
            rates: Rates::of(train),
            weight_decay: train.weight_decay,
            no_decay: train.no_decay.clone(),
            max_grad_norm: train.max_grad_norm,
            freeze: train.freeze.clone(),
            precision: train.precision,
            engine: train.engine,
            loss: task.loss(train.gamma()),
            predicts: false,
        }
    }
}

//! Configs for the tests of this module: mostly the defaults of specs.

use crate::plan::{
    CheckpointConfig, ClassWeights, EngineKind, Keep, LossKind, Metric, Precision, Scheduler, TrainConfig,
};

pub fn train() -> TrainConfig {
    TrainConfig {
        epochs: 1,
        max_steps: None,
        batch_size: 4,
        micro_batch_tokens: 2048,
        gradient_accumulation_steps: 1,
        precision: Precision::Fp32,
        engine: EngineKind::Fused,
        lr: 1e-3,
        head_lr: None,
        layer_lr_decay: None,
        weight_decay: 0.01,
        no_decay: Vec::new(),
        betas: (0.9, 0.999),
        eps: 1e-8,
        scheduler: Scheduler::Constant,
        warmup_steps: 0,
        warmup_ratio: 0.0,
        max_grad_norm: 0.0,
        dropout: None,
        loss: LossKind::Standard,
        focal_gamma: None,
        label_smoothing: 0.0,
        class_weights: ClassWeights::None,
        seed: 42,
        init_seed: 42,
        order_seed: 42,
        log_steps: 1,
        eval_steps: 0,
        early_stopping_patience: 0,
        early_stopping_min_delta: 0.0,
        freeze: Vec::new(),
    }
}

pub fn checkpoint() -> CheckpointConfig {
    CheckpointConfig { keep: Keep::Last, metric: Metric::Accuracy, every_steps: 0, every_minutes: 0.0 }
}

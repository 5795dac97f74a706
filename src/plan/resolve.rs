//! Resolves a spec without its sweep into a run: fills in seeds, parses sources, checks sizes.

use super::{CheckpointConfig, DataConfig, LongTexts, ModelConfig, PlanError, RunConfig, Source, TrainConfig};
use crate::spec::{Checkpoint, Data, HeldOut, Long, LossKind, Metric, Model, Spec, Thresholds, Train};

/// The run that `spec` means without its sweep.
///
/// Seeds that the spec does not set follow `train.seed`. The spec module checks ranges and contradictions; here only what cannot be
/// resolved is refused.
///
/// # Errors
/// [`PlanError::Source`] for a dataset from `scratch:`; [`PlanError::TooLarge`] for a number
/// that does not fit its type or that no `run.toml` could hold (TOML's integers end at 2^63 − 1); [`PlanError::Betas`].
pub fn resolve(spec: &Spec) -> Result<RunConfig, PlanError> {
    let Spec { name, model, data, train, checkpoint, probes, description: _, report: _, sweep: _, slurm: _ } = spec;
    Ok(RunConfig {
        name: name.clone(),
        model: of_model(model)?,
        data: of_data(data)?,
        train: of_train(train)?,
        checkpoint: of_checkpoint(checkpoint, spec.metric())?,
        probes: probes.clone(),
    })
}

// Each table is taken apart without `..`: a key that is forgotten here does not compile.

fn of_model(model: &Model) -> Result<ModelConfig, PlanError> {
    let Model { source, vocab_size } = model;
    Ok(ModelConfig { source: source.clone(), vocab_size: size("model.vocab_size", *vocab_size)? })
}

fn of_data(data: &Data) -> Result<DataConfig, PlanError> {
    let Data {
        source,
        file,
        config,
        format,
        encoding,
        sheet,
        missing,
        delimiter,
        quoting,
        text_column,
        text_columns,
        separator,
        text_pair_column,
        problem_type,
        label_column,
        label_columns,
        label_separator,
        thresholds,
        threshold_metric,
        calibrate,
        labels,
        test,
        dev,
        split_column,
        splits,
        fold,
        group_column,
        seed,
        stratify,
        max_length,
        long,
        stride,
        head_tokens,
        limit,
    } = data;
    if let Source::Scratch(_) = source {
        let reason = "`scratch:` creates models, not data; expected path:FILE, hf:OWNER/NAME, modelscope:OWNER/NAME or https://HOST/FILE";
        return Err(PlanError::Source { key: "data.source", reason: reason.into() });
    }
    Ok(DataConfig {
        source: source.clone(),
        file: file.clone(),
        config: config.clone(),
        format: *format,
        encoding: *encoding,
        sheet: sheet.clone(),
        missing: missing.clone(),
        delimiter: *delimiter,
        quoting: *quoting,
        // One column says the same by either key, and columns are joined by a space anyway: the run is the same.
        text_column: match &text_columns[..] {
            [] => text_column.clone(),
            [only] => only.clone(),
            _ => String::new(),
        },
        text_columns: if text_columns.len() > 1 { text_columns.clone() } else { Vec::new() },
        separator: separator.clone().filter(|text| text != " " && text_columns.len() > 1),
        text_pair_column: text_pair_column.clone(),
        problem_type: *problem_type,
        label_column: if label_columns.is_empty() { label_column.clone() } else { String::new() },
        label_columns: label_columns.clone(),
        label_separator: label_separator.clone(),
        thresholds: *thresholds,
        threshold_metric: threshold_metric
            .filter(|metric| *thresholds == Thresholds::Tuned && *metric != Metric::MacroF1),
        calibrate: *calibrate,
        labels: labels.clone(),
        test: if data.test_value().is_some() || fold.is_some() { HeldOut::Share(0.0) } else { test.clone() },
        dev: dev.clone(),
        split_column: split_column.clone(),
        splits: splits.clone(),
        fold: *fold,
        group_column: group_column.clone(),
        seed: integer("data.seed", *seed)?,
        stratify: *stratify,
        max_length: size("data.max_length", *max_length)?,
        long: *long,
        stride: part("data.stride", *long == Long::Windows, *stride, *max_length)?,
        head_tokens: part("data.head_tokens", *long == Long::HeadTail, *head_tokens, *max_length)?,
        limit: limit.map(|limit| size("data.limit", limit)).transpose()?,
    })
}

/// Tokens of a part of a long text: a quarter of `max_length` if the spec does not say; none where they are not read.
fn part(key: &'static str, is_read: bool, tokens: Option<u64>, max_length: u64) -> Result<Option<usize>, PlanError> {
    let quarter = || size("data.max_length", max_length).map(LongTexts::quarter);
    is_read.then(|| tokens.map_or_else(quarter, |tokens| size(key, tokens))).transpose()
}

fn of_train(train: &Train) -> Result<TrainConfig, PlanError> {
    let Train {
        epochs,
        max_steps,
        batch_size,
        micro_batch_tokens,
        gradient_accumulation_steps,
        precision,
        engine,
        lr,
        head_lr,
        layer_lr_decay,
        weight_decay,
        no_decay,
        betas,
        eps,
        scheduler,
        warmup_steps,
        warmup_ratio,
        max_grad_norm,
        dropout,
        loss,
        focal_gamma,
        label_smoothing,
        class_weights,
        seed,
        init_seed,
        order_seed,
        log_steps,
        eval_steps,
        early_stopping_patience,
        early_stopping_min_delta,
        freeze,
    } = train;
    let [beta1, beta2] = betas[..] else { return Err(PlanError::Betas { found: betas.len() }) };
    Ok(TrainConfig {
        epochs: count("train.epochs", *epochs)?,
        max_steps: max_steps.map(|steps| integer("train.max_steps", steps)).transpose()?,
        batch_size: size("train.batch_size", *batch_size)?,
        micro_batch_tokens: size("train.micro_batch_tokens", *micro_batch_tokens)?,
        gradient_accumulation_steps: size("train.gradient_accumulation_steps", *gradient_accumulation_steps)?,
        precision: *precision,
        engine: *engine,
        lr: *lr,
        // The same run, whether it says so or not.
        head_lr: head_lr.filter(|head| head != lr),
        layer_lr_decay: layer_lr_decay.filter(|decay| *decay != 1.0),
        weight_decay: *weight_decay,
        no_decay: no_decay.clone(),
        betas: (beta1, beta2),
        eps: *eps,
        scheduler: *scheduler,
        warmup_steps: integer("train.warmup_steps", *warmup_steps)?,
        warmup_ratio: *warmup_ratio,
        max_grad_norm: *max_grad_norm,
        dropout: *dropout,
        loss: *loss,
        focal_gamma: (*loss == LossKind::Focal).then_some(*focal_gamma),
        label_smoothing: *label_smoothing,
        class_weights: class_weights.clone(),
        seed: integer("train.seed", *seed)?,
        init_seed: integer("train.init_seed", init_seed.unwrap_or(*seed))?,
        order_seed: integer("train.order_seed", order_seed.unwrap_or(*seed))?,
        log_steps: integer("train.log_steps", *log_steps)?,
        eval_steps: integer("train.eval_steps", *eval_steps)?,
        early_stopping_patience: count("train.early_stopping_patience", *early_stopping_patience)?,
        early_stopping_min_delta: *early_stopping_min_delta,
        freeze: freeze.clone(),
    })
}

fn of_checkpoint(checkpoint: &Checkpoint, metric: Metric) -> Result<CheckpointConfig, PlanError> {
    let Checkpoint { keep, metric: _, every_steps, every_minutes } = checkpoint;
    Ok(CheckpointConfig {
        keep: *keep,
        metric,
        every_steps: integer("checkpoint.every_steps", *every_steps)?,
        every_minutes: *every_minutes,
    })
}

/// An integer that fits into TOML.
fn integer(key: &'static str, value: u64) -> Result<u64, PlanError> {
    let max = i64::MAX as u64;
    if value > max { Err(PlanError::TooLarge { key, value, max }) } else { Ok(value) }
}

fn size(key: &'static str, value: u64) -> Result<usize, PlanError> {
    usize::try_from(integer(key, value)?).map_err(|_| PlanError::TooLarge { key, value, max: usize::MAX as u64 })
}

fn count(key: &'static str, value: u64) -> Result<u32, PlanError> {
    u32::try_from(value).map_err(|_| PlanError::TooLarge { key, value, max: u32::MAX.into() })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{full_config, spec};
    use super::*;

    #[test]
    fn seeds_follow_the_seed_unless_given() {
        let mut spec = spec();
        spec.train.seed = 7;
        spec.train.order_seed = Some(3);
        let train = resolve(&spec).unwrap().train;
        assert_eq!((train.seed, train.init_seed, train.order_seed), (7, 7, 3));
    }

    #[test]
    fn unresolvable_values_are_refused_with_their_key() {
        let refuse = |change: fn(&mut Spec), want: &str| {
            let mut spec = spec();
            change(&mut spec);
            let message = resolve(&spec).unwrap_err().to_string();
            assert!(message.contains(want), "{message}");
        };
        refuse(|s| s.data.source = "scratch:tiny".parse().unwrap(), "data.source: `scratch:` creates models");
        refuse(|s| s.train.betas = vec![0.9], "train.betas has 1 number; expected 2");
        refuse(|s| s.train.epochs = 1 << 32, "train.epochs = 4294967296 is too large; expected at most 4294967295");
        refuse(|s| s.train.seed = u64::MAX, "train.seed = 18446744073709551615 is too large");
        refuse(|s| s.data.limit = Some(1 << 63), "data.limit = 9223372036854775808 is too large");
    }

    /// `run.toml` repeats the run: read as a spec, it resolves to the same config, to the last bit of each number.
    #[test]
    fn a_stored_run_is_a_spec_of_itself() {
        let mut config = full_config();
        config.train.lr = 1e-5;
        config.train.eps = 0.1 + 0.2;
        config.train.seed = i64::MAX as u64;
        config.probes[0].text = "这家饭店真贴心，\"放\"了蟑螂\n\t😀 \\ '''".into();
        config.data.labels.insert("1.0".into(), "好 评".into());
        for config in [config, resolve(&spec()).unwrap()] {
            let text = toml::to_string(&config).unwrap();
            // The spec module fills in defaults; none of them may change the run.
            let mut table: toml::Table = text.parse().unwrap();
            for key in ["description", "report", "sweep"] {
                let default = toml::Value::try_from(spec()).unwrap()[key].clone();
                assert!(table.insert(key.into(), default).is_none());
            }
            let read: Spec = table.try_into().unwrap();
            assert_eq!(resolve(&read).unwrap(), config, "{text}");
        }
    }
}

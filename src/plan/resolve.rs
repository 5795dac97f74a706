//! Resolves a spec without its sweep into a run: fills in seeds, parses sources, checks sizes.

use super::{CheckpointConfig, DataConfig, ModelConfig, PlanError, RunConfig, Source, TrainConfig};
use crate::spec::{HeldOut, Spec};

/// The run that `spec` means without its sweep.
///
/// Seeds that the spec does not set follow `train.seed`. The spec module checks ranges and contradictions; here only what cannot be
/// resolved is refused.
///
/// # Errors
/// [`PlanError::Source`] for a data set from `scratch:`; [`PlanError::TooLarge`] for a number
/// that does not fit its type or that no `run.toml` could hold (TOML's integers end at 2^63 − 1); [`PlanError::Betas`].
pub fn resolve(spec: &Spec) -> Result<RunConfig, PlanError> {
    let Spec { name, model, data, train, checkpoint, probes, description: _, report: _, sweep: _ } = spec;
    let [beta1, beta2] = train.betas[..] else { return Err(PlanError::Betas { found: train.betas.len() }) };
    Ok(RunConfig {
        name: name.clone(),
        model: ModelConfig { source: model.source.clone(), vocab_size: size("model.vocab_size", model.vocab_size)? },
        data: DataConfig {
            source: match &data.source {
                Source::Scratch(_) => {
                    let reason = "`scratch:` creates models, not data; expected path:FILE, hf:OWNER/NAME, modelscope:OWNER/NAME or https://HOST/FILE".into();
                    return Err(PlanError::Source { key: "data.source", reason });
                }
                source => source.clone(),
            },
            file: data.file.clone(),
            format: data.format,
            delimiter: data.delimiter,
            quoting: data.quoting,
            // One column says the same by either key, and a space is what stands between columns anyway: the run is the same.
            text_column: match &data.text_columns[..] {
                [] => data.text_column.clone(),
                [only] => only.clone(),
                _ => String::new(),
            },
            text_columns: if data.text_columns.len() > 1 { data.text_columns.clone() } else { Vec::new() },
            separator: data.separator.clone().filter(|text| text != " " && data.text_columns.len() > 1),
            text_pair_column: data.text_pair_column.clone(),
            label_column: data.label_column.clone(),
            labels: data.labels.clone(),
            test: if data.test_value().is_some() { HeldOut::Share(0.0) } else { data.test.clone() },
            dev: data.dev.clone(),
            split_column: data.split_column.clone(),
            splits: data.splits.clone(),
            seed: integer("data.seed", data.seed)?,
            stratify: data.stratify,
            max_length: size("data.max_length", data.max_length)?,
            limit: data.limit.map(|limit| size("data.limit", limit)).transpose()?,
        },
        train: TrainConfig {
            epochs: count("train.epochs", train.epochs)?,
            max_steps: train.max_steps.map(|steps| integer("train.max_steps", steps)).transpose()?,
            batch_size: size("train.batch_size", train.batch_size)?,
            micro_batch_tokens: size("train.micro_batch_tokens", train.micro_batch_tokens)?,
            gradient_accumulation_steps: size("train.gradient_accumulation_steps", train.gradient_accumulation_steps)?,
            precision: train.precision,
            engine: train.engine,
            lr: train.lr,
            weight_decay: train.weight_decay,
            no_decay: train.no_decay.clone(),
            betas: (beta1, beta2),
            eps: train.eps,
            scheduler: train.scheduler,
            warmup_steps: integer("train.warmup_steps", train.warmup_steps)?,
            warmup_ratio: train.warmup_ratio,
            max_grad_norm: train.max_grad_norm,
            dropout: train.dropout,
            label_smoothing: train.label_smoothing,
            class_weights: train.class_weights.clone(),
            seed: integer("train.seed", train.seed)?,
            init_seed: integer("train.init_seed", train.init_seed.unwrap_or(train.seed))?,
            order_seed: integer("train.order_seed", train.order_seed.unwrap_or(train.seed))?,
            log_steps: integer("train.log_steps", train.log_steps)?,
            eval_steps: integer("train.eval_steps", train.eval_steps)?,
            early_stopping_patience: count("train.early_stopping_patience", train.early_stopping_patience)?,
            early_stopping_min_delta: train.early_stopping_min_delta,
            freeze: train.freeze.clone(),
        },
        checkpoint: CheckpointConfig {
            keep: checkpoint.keep,
            metric: checkpoint.metric,
            every_steps: integer("checkpoint.every_steps", checkpoint.every_steps)?,
            every_minutes: checkpoint.every_minutes,
        },
        probes: probes.clone(),
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

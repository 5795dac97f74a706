//! Which rows are measured: those of the run's own first steps, and rows of its test split.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use taper::{
    data::epoch_order,
    execute::{DeviceChoice, Prepared, RunFolder, TrainedModel, Workbench},
    plan,
    spec::{LoadOptions, LoadedSpec},
    train::step_batches,
};

use crate::{Options, engine};

/// A run, ready, with the rows that are measured.
pub struct Work {
    /// The run: the first one of its spec.
    pub run: Prepared,
    /// Rows of the steps before the measured ones.
    pub warmup: Vec<Vec<u32>>,
    /// Rows of each measured step.
    pub steps: Vec<Vec<u32>>,
    /// Rows of the evaluation; none where the spec has no test split.
    pub eval: Vec<u32>,
}

/// Reads and checks a spec with `sets` above it.
pub fn load(path: &Path, sets: &[String]) -> Result<LoadedSpec> {
    let options = LoadOptions { profile: None, sets: sets.to_vec(), env: std::env::vars().collect() };
    Ok(LoadedSpec::load(path, &options)?)
}

impl Work {
    /// Prepares the spec's first run. The same options give the same rows.
    pub fn new(options: &Options, sets: &[String]) -> Result<Self> {
        let spec = load(&options.spec, sets)?;
        let runs =
            plan::expand(spec.spec(), |point| Ok::<_, anyhow::Error>(spec.at(point)?), plan::SearchHistory::default());
        let runs = runs.map_err(|mut errors| errors.swap_remove(0))?;
        let run = Workbench::default().prepare(&runs.runs[0])?;
        ensure!(!run.config.data.long_texts().has_windows(), "the peers read whole rows: leave out data.long");
        let train = &run.config.train;
        let (warmup, count) = (options.warmup, options.steps);
        ensure!(warmup > 0 && count > 0, "--warmup and --steps must be at least 1");
        // Within one epoch: between two of them a run writes its state.
        ensure!(
            warmup + count <= run.steps.per_epoch,
            "--warmup {warmup} and --steps {count} are more than the {} steps of an epoch",
            run.steps.per_epoch
        );
        let order = epoch_order(&run.splits.train, train.order_seed, 1);
        let rows = |index| -> Result<Vec<u32>> {
            let batches = step_batches(train, &run.dataset, &run.tokens, &order, index)?;
            Ok(batches.into_iter().flat_map(|batch| batch.rows).collect())
        };
        let mut steps = (0..warmup + count).map(rows).collect::<Result<Vec<_>>>()?;
        run.tokens.encode_all()?;
        let eval = run.splits.test.iter().copied().take(options.eval_rows).collect();
        Ok(Self { steps: steps.split_off(warmup as usize), warmup: steps, eval, run })
    }

    /// The measured training rows.
    pub fn trained(&self) -> Vec<u32> {
        self.steps.concat()
    }

    fn lengths(&self, rows: &[u32]) -> Vec<usize> {
        self.run.tokens.lengths(rows).expect("they were tokenised")
    }

    /// Tokens of these rows.
    pub fn tokens(&self, rows: &[u32]) -> u64 {
        self.lengths(rows).iter().map(|&n| n as u64).sum()
    }

    /// Tokens of a training step on average: the rows of its matrix products.
    pub fn tokens_per_step(&self) -> usize {
        (self.tokens(&self.trained()) / self.steps.len() as u64).max(1) as usize
    }

    /// Floating-point operations of a forward pass over these rows that are necessary: no padding, and the last layer
    /// for `[CLS]` alone but for keys and values.
    pub fn forward_flop(&self, rows: &[u32]) -> f64 {
        let shape = self.run.shape.cost_shape(self.run.dataset.labels.len());
        self.lengths(rows).iter().map(|&n| shape.forward_flop(n as u64)).sum()
    }

    /// The rows of every step of the whole run, and how many steps an epoch has.
    fn whole(&self) -> Result<Vec<Vec<u32>>> {
        let (run, train) = (&self.run, &self.run.config.train);
        let (mut epoch, mut order) = (0, Vec::new());
        let step = |step| {
            let (at, index) = run.steps.epoch_and_index(step);
            if epoch != at {
                (epoch, order) = (at, epoch_order(&run.splits.train, train.order_seed, at));
            }
            let batches = step_batches(train, &run.dataset, &run.tokens, &order, index)?;
            Ok(batches.into_iter().flat_map(|batch| batch.rows).collect())
        };
        (1..=run.steps.total).map(step).collect()
    }

    /// Writes what the peer script needs: texts and labels of the rows, numbered anew, and the recipe. Of the whole run, or of
    /// the measured rows.
    pub fn write_rows(&self, path: &Path, model: &Path, whole: bool) -> Result<()> {
        let whole_steps = if whole { self.whole()? } else { Vec::new() };
        let (warmup, steps) = if whole { (&Vec::new(), &whole_steps) } else { (&self.warmup, &self.steps) };
        let eval_rows = if whole { &self.run.splits.test } else { &self.eval };
        let (mut texts, mut labels, mut numbers) = (Vec::new(), Vec::new(), HashMap::new());
        let mut number = |rows: &[u32]| -> Vec<usize> {
            let number = |row: &u32| {
                *numbers.entry(*row).or_insert_with(|| {
                    let row = &self.run.dataset.rows[*row as usize];
                    texts.push(row.text.as_str());
                    labels.push(row.target.ids()[0]);
                    texts.len() - 1
                })
            };
            rows.iter().map(number).collect()
        };
        let warmup: Vec<_> = warmup.iter().map(|rows| number(rows)).collect();
        let steps: Vec<_> = steps.iter().map(|rows| number(rows)).collect();
        let eval = number(eval_rows);
        let (shape, train) = (&self.run.shape, &self.run.config.train);
        let document: Value = json!({
            "model": model, "max_length": self.run.config.data.max_length, "batch_size": train.batch_size,
            "num_labels": self.run.dataset.labels.len(), "tokens_per_step": self.tokens_per_step(),
            "dropout": shape.dropout_keys(),
            "optimizer": {
                "lr": train.lr, "betas": train.betas, "eps": train.eps, "weight_decay": train.weight_decay,
                "max_grad_norm": train.max_grad_norm,
            },
            "texts": texts, "labels": labels, "warmup": warmup, "steps": steps, "eval": eval,
            "steps_per_epoch": self.run.steps.per_epoch,
        });
        std::fs::write(path, document.to_string()).with_context(|| path.display().to_string())
    }

    /// A folder with the model for transformers; a model from `scratch:` is written into `scratch`.
    pub fn model_folder(&self, scratch: &Path) -> Result<PathBuf> {
        if let Some(files) = &self.run.files {
            return Ok(std::path::absolute(&files.folder)?);
        }
        let folder = scratch.join("model");
        let engine = engine::engine(&self.run, DeviceChoice::Cpu)?;
        let (labels, max_length) = (&self.run.dataset.labels, self.run.config.data.max_length);
        let (task, shape, tokenizer) = (self.run.config.data.task(), &self.run.shape, &self.run.tokenizer);
        let model = TrainedModel { task, shape, labels, tokenizer, max_length };
        RunFolder::write_model(&folder, &model, &engine.parameters(), None)?;
        Ok(folder)
    }
}

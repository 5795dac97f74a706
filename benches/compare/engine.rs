//! How the engine is called: what changes when its interface does.

use anyhow::Result;
use taper::{
    data::epoch_order,
    engine::{self, Engine, Recipe},
    execute::{DeviceChoice, Prepared},
    metrics::Metric,
    model::{DropoutPlan, Parameters, read_weights},
    task::Objective,
    train::{self, step_batches},
};

/// The weights that the run begins with.
pub fn parameters(run: &Prepared) -> Result<Parameters> {
    let (labels, seed) = (run.dataset.labels.len(), run.config.train.init_seed);
    Ok(match &run.files {
        Some(files) => {
            Parameters::load(&run.shape, labels, read_weights(&files.weights)?, &files.weights, seed)?.parameters
        }
        None => Parameters::fresh(&run.shape, labels, seed)?,
    })
}

/// The engine that computes the run.
pub fn engine(run: &Prepared, device: DeviceChoice) -> Result<Box<dyn Engine>> {
    let (device, _) = device.open()?;
    Ok(engine::engine(&run.shape, parameters(run)?, &Recipe::new(run.config.data.task(), &run.config.train), &device)?)
}

/// The steps of a run's first epoch, one after the other, at its peak learning rate.
pub struct Trainer<'a> {
    run: &'a Prepared,
    engine: Box<dyn Engine>,
    objective: Objective,
    order: Vec<u32>,
    /// Steps begun.
    steps: u64,
}

impl<'a> Trainer<'a> {
    /// Before the first step.
    pub fn new(run: &'a Prepared, device: DeviceChoice) -> Result<Self> {
        let engine = engine(run, device)?;
        let order = epoch_order(&run.splits.train, run.config.train.order_seed, 1);
        Ok(Self { run, engine, objective: run.config.data.task().objective(0.0, None, 0.0), order, steps: 0 })
    }

    /// Begins the next step; tells its rows and tokens.
    pub fn step(&mut self) -> Result<(u64, u64)> {
        let train = &self.run.config.train;
        let batches = step_batches(train, &self.run.dataset, &self.run.tokens, &self.order, self.steps)?;
        self.steps += 1;
        let labels = self.run.dataset.labels.len();
        let rows = self.objective.denominator(batches.iter().flat_map(|batch| &batch.targets), labels);
        let targets: Vec<_> =
            batches.iter().map(|batch| self.objective.targets(&batch.targets, labels, rows)).collect();
        self.engine.step(&batches, &targets, Some(DropoutPlan { seed: train.seed, step: self.steps }), train.lr)?;
        let tokens = batches.iter().map(|batch| batch.ids.len() as u64).sum();
        Ok((batches.iter().map(|batch| batch.rows.len() as u64).sum(), tokens))
    }

    /// Losses that have become known; where `wait`, of all steps begun.
    pub fn losses(&mut self, wait: bool) -> Result<Vec<f64>> {
        Ok(self.engine.finished(wait)?.into_iter().map(|sums| sums.loss).collect())
    }
}

/// A function that evaluates rows and gives their mean loss.
pub fn evaluator(run: &Prepared, device: DeviceChoice) -> Result<impl FnMut(&[u32]) -> Result<f64>> {
    let (task, mut engine) = (run.config.data.task(), engine(run, device)?);
    Ok(move |rows: &[u32]| {
        Ok(train::evaluate(task, engine.as_mut(), &run.dataset, &run.tokens, (rows, false), &mut |_| Ok(()))?
            .metrics
            .get(Metric::Loss))
    })
}

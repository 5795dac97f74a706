//! How the engine is called: what changes when its interface does.

use anyhow::Result;
use taper::{
    data::Splits,
    engine::{self, Engine},
    event::{Event, StepCompleted},
    execute::Prepared,
    model::{Parameters, read_weights},
    plan::{CheckpointConfig, Keep},
    train::{self, Job, Outputs},
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

/// The engine that the run is made with.
pub fn engine(run: &Prepared) -> Result<Box<dyn Engine>> {
    Ok(engine::engine(&run.shape, parameters(run)?, &(&run.config.train).into(), &engine::Device::Cpu)?)
}

/// Trains as the run does, without evaluations, until `goes_on` says no after a step. Nothing is written.
pub fn train(run: &Prepared, goes_on: &mut dyn FnMut(&StepCompleted) -> bool) -> Result<()> {
    let mut engine = engine(run)?;
    let splits = Splits { train: run.splits.train.clone(), ..Splits::default() };
    let job = Job {
        train: &run.config.train,
        checkpoint: &CheckpointConfig { keep: Keep::None, ..run.config.checkpoint.clone() },
        dataset: &run.dataset,
        tokens: &run.tokens,
        splits: &splits,
        probes: &[],
        outputs: Outputs { state: None, best: "unused".into(), export: &|_, _| Ok(()) },
        pauses: &|_| false,
    };
    let mut done = false;
    // An error of the listener is the one way to end a run without its last evaluation and checkpoint.
    let mut emit = |event: Event| match event {
        Event::StepCompleted(step) if !goes_on(&step) => {
            done = true;
            Err("measured".into())
        }
        _ => Ok(()),
    };
    match train::fit(&job, engine.as_mut(), None, &mut emit, &|| false) {
        Err(e) if !done => Err(e.into()),
        _ => Ok(()),
    }
}

/// A function that evaluates rows and gives their mean loss.
pub fn evaluator(run: &Prepared) -> Result<impl FnMut(&[u32]) -> Result<f64>> {
    let mut engine = engine(run)?;
    Ok(move |rows: &[u32]| {
        Ok(train::evaluate(engine.as_mut(), &run.dataset, &run.tokens, rows, &mut |_| Ok(()))?.metrics.loss)
    })
}

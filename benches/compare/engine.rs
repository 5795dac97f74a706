//! How the engine is called: what changes when its interface does.

use anyhow::Result;
use candle_core::Device;
use taper::{
    data::Splits,
    event::{Event, StepCompleted},
    execute::Prepared,
    kernels::Form,
    model::{Classifier, Parameters, read_weights},
    plan::{CheckpointConfig, Keep},
    train::{self, Job, Outputs},
};

/// The weights that the run begins with.
pub fn parameters(run: &Prepared) -> Result<Parameters> {
    let (labels, seed) = (run.dataset.labels.len(), run.config.train.init_seed);
    let parameters = match &run.files {
        Some(files) => {
            Parameters::load(&run.shape, labels, read_weights(&files.weights)?, &files.weights, seed)?.parameters
        }
        None => Parameters::fresh(&run.shape, labels, seed)?,
    };
    Ok(parameters.prepare(&run.config.train.freeze, &Device::Cpu)?)
}

/// Trains as the run does, without evaluations, until `goes_on` says no after a step. Nothing is written.
pub fn train(run: &Prepared, goes_on: &mut dyn FnMut(&StepCompleted) -> bool) -> Result<()> {
    let parameters = parameters(run)?;
    let model = Classifier::new(&run.shape, &parameters, Form::default());
    let splits = Splits { train: run.splits.train.clone(), ..Splits::default() };
    let job = Job {
        train: &run.config.train,
        checkpoint: &CheckpointConfig { keep: Keep::None, every_steps: 0, ..run.config.checkpoint.clone() },
        dataset: &run.dataset,
        tokens: &run.tokens,
        splits: &splits,
        probes: &[],
        outputs: Outputs { state: "unused".into(), best: "unused".into(), export: &|_| Ok(()) },
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
    match train::fit(&job, &model, &parameters, None, &mut emit, &|| false) {
        Err(e) if !done => Err(e.into()),
        _ => Ok(()),
    }
}

/// A function that evaluates rows and gives their mean loss.
pub fn evaluator(run: &Prepared) -> Result<impl Fn(&[u32]) -> Result<f64>> {
    let parameters = parameters(run)?;
    let model = Classifier::for_inference(&run.shape, &parameters, Form::default());
    Ok(move |rows: &[u32]| Ok(train::evaluate(&model, &run.dataset, &run.tokens, rows, &mut |_| Ok(()))?.metrics.loss))
}

//! The training loop.

use std::{
    borrow::Cow,
    collections::{BTreeMap, VecDeque},
    path::PathBuf,
    time::Instant,
};

use sha2::{Digest, Sha256};

use super::{
    Checkpoint, Evaluation, ProbeText, TrainError, TrainState, checkpoint,
    decided::decided,
    disk, evaluate, policy,
    schedule::{Steps, learning_rate},
    score_probes, step_batches,
};
use crate::{
    data::{self, Dataset, Splits, Tokens},
    engine::Engine,
    event::{Event, Outcome, PredictionBefore, Split, StepCompleted, When},
    metrics::Metric,
    model::{DropoutPlan, Named},
    plan::{CheckpointConfig, Choices, ClassWeights, Keep, TrainConfig},
    task::{Decision, Objective, Task},
};

/// Where a run writes files while it trains.
pub struct Outputs<'a> {
    /// Key of the run, which its files contain.
    pub run: &'a str,
    /// The checkpoint from which the run can resume; `None` to write no checkpoints.
    pub state: Option<PathBuf>,
    /// Weights of the best evaluation (`keep = best`).
    pub best: PathBuf,
    /// Called with the step after each evaluation if every model is kept (`keep = all`).
    pub export: &'a dyn Fn(u64, &dyn Engine) -> Result<(), TrainError>,
}

/// Everything that a run trains with.
pub struct Training<'a> {
    /// What the model is trained to do.
    pub task: Task,
    /// The recipe.
    pub train: &'a TrainConfig,
    /// What is chosen on the dev rows about decisions.
    pub choices: Option<Choices>,
    /// Which weights are kept.
    pub checkpoint: &'a CheckpointConfig,
    /// The rows.
    pub dataset: &'a Dataset,
    /// Their tokens.
    pub tokens: &'a Tokens,
    /// Which rows are for training, for choosing checkpoints (dev) and for testing.
    pub splits: &'a Splits,
    /// Sentences classified before and after training.
    pub probes: &'a [ProbeText],
    /// Where files are written.
    pub outputs: Outputs<'a>,
    /// Called with the step after each evaluation during training: whether the run pauses there, with a checkpoint.
    pub pauses: &'a dyn Fn(u64) -> bool,
}

type Emit<'a> = dyn FnMut(Event) -> Result<(), Box<dyn std::error::Error + Send + Sync>> + 'a;

struct Fit<'a> {
    training: &'a Training<'a>,
    engine: &'a mut dyn Engine,
    emit: &'a mut Emit<'a>,
    stop: &'a dyn Fn() -> bool,
    /// What it trains on: the windows of the training rows.
    examples: Cow<'a, [u32]>,
    steps: Steps,
    state: TrainState,
    /// The step whose weights the engine holds: that of the state, or at the end that of the best evaluation.
    weights_of: u64,
    /// Step and time of the last checkpoint.
    saved: (u64, Instant),
    /// Size of a checkpoint in bytes.
    state_bytes: u64,
    /// The last evaluation on the test or dev split, with the step it belongs to.
    last: Option<(u64, Split, Evaluation)>,
    /// Steps whose losses the engine has not reported yet, oldest first.
    open: VecDeque<Open>,
}

/// A step whose loss is not known yet.
struct Open {
    step: u64,
    epoch: u32,
    lr: f64,
    tokens: u64,
}

/// Trains until the end or until `stop` returns true, checked before each step and after each batch of an evaluation. Every event goes to
/// `emit`. Resumes from `saved` if it is given. At the end the engine holds the parameters that are kept.
///
/// # Errors
/// [`TrainError::Diverged`] if the loss or the gradient's norm of a step, or the loss on held-out rows after training began, is NaN or
/// infinite; [`TrainError::NoRoom`] if the disk has no room for a checkpoint; [`TrainError::Listener`] for an error of `emit`; any error
/// of the data, the engine or a file.
pub fn fit<'a>(
    training: &'a Training<'a>,
    engine: &'a mut dyn Engine,
    saved: Option<Checkpoint>,
    emit: &'a mut Emit<'a>,
    stop: &'a dyn Fn() -> bool,
) -> Result<Outcome, TrainError> {
    let mut state = TrainState::default();
    if let Some(saved) = saved {
        let damaged = |e: crate::model::ModelError| TrainError::State {
            path: training.outputs.state.clone().unwrap_or_default(),
            message: e.to_string(),
        };
        engine.restore(&saved.optimizer, saved.tensors).map_err(damaged)?;
        state = saved.state;
    }
    let splits = training.splits;
    let examples = training.tokens.windows(&splits.train);
    let steps = Steps::new(training.train, examples.len());
    let parameters = engine.trainable();
    let step = state.step;
    let saved = (step, Instant::now());
    let state_bytes = engine.state().1.iter().map(Named::bytes).sum();
    let open = VecDeque::new();
    let mut fit = Fit {
        training,
        engine,
        emit,
        stop,
        examples,
        steps,
        state,
        weights_of: step,
        saved,
        state_bytes,
        last: None,
        open,
    };
    fit.check_room()?;
    fit.emit(Event::RunStarted {
        total_steps: steps.total,
        steps_per_epoch: steps.per_epoch,
        resumed_from: (fit.state.step > 0).then_some(fit.state.step),
        rows: (splits.train.len() as u64, splits.dev.len() as u64, splits.test.len() as u64),
        parameters,
        train_labels: fit.training.dataset.class_counts(&splits.train),
    })?;
    match fit.run() {
        Err(TrainError::StopRequested) => {
            // Before the first step there is nothing to resume, and the evaluation before training may be incomplete.
            if fit.state.step > 0 {
                fit.save()?;
            }
            Ok(Outcome::Interrupted)
        }
        Err(e) => Err(e),
        Ok(outcome) => Ok(outcome),
    }
}

impl Fit<'_> {
    fn emit(&mut self, event: Event) -> Result<(), TrainError> {
        (self.emit)(event).map_err(TrainError::Listener)
    }

    fn run(&mut self) -> Result<Outcome, TrainError> {
        if self.state.step == 0 {
            self.measure(When::Before)?;
        }
        let objective = self.objective();
        let mut order = (0, Vec::new());
        loop {
            let step = self.state.step;
            let evaluates = policy::evaluates(self.training.train, self.steps, step) && self.state.evaluated_at < step;
            if step > 0 && evaluates {
                self.evaluate_during()?;
            }
            let (saved_at, since_s) = (self.saved.0, self.saved.1.elapsed().as_secs_f64());
            let bytes = self.state_bytes;
            if step > saved_at && policy::saves(self.training.checkpoint, self.steps, step, bytes, since_s) {
                self.save()?;
            }
            if step >= self.steps.total || self.state.stopped {
                self.collect(true, Instant::now())?;
                break;
            }
            if step > 0 && evaluates && (self.training.pauses)(step) {
                if self.saved.0 < step {
                    self.save()?;
                }
                return Ok(Outcome::Paused { step });
            }
            if (self.stop)() {
                return Err(TrainError::StopRequested);
            }
            self.step(&objective, &mut order)?;
        }
        if self.training.checkpoint.keep == Keep::Best && !self.rows(Split::Dev).is_empty() {
            match self.state.best.defined() {
                Some(_) => self.take_best()?,
                None => self.emit(Event::Warned(policy::no_best(self.training.checkpoint.metric)))?,
            }
        }
        self.measure(When::After)?;
        let sha256 = weights_digest(&self.engine.parameters())?;
        self.emit(Event::WeightsKept { sha256 })?;
        Ok(Outcome::Completed)
    }

    fn objective(&self) -> Objective {
        let Training { task, train, dataset, tokens, .. } = self.training;
        let targets = self.examples.iter().map(|&window| &dataset.rows[tokens.row_of(window) as usize].target);
        let weights = match &train.class_weights {
            ClassWeights::None => None,
            ClassWeights::Balanced => Some(task.balanced_weights(dataset.labels.len(), targets)),
            ClassWeights::Given(weights) => Some(weights.clone()),
        };
        task.objective(train.gamma(), weights, train.label_smoothing)
    }

    /// One optimizer step.
    fn step(&mut self, objective: &Objective, order: &mut (u32, Vec<u32>)) -> Result<(), TrainError> {
        let begin = Instant::now();
        let (train, step) = (self.training.train, self.state.step + 1);
        let (epoch, index) = self.steps.epoch_and_index(step);
        if order.0 != epoch {
            *order = (epoch, data::epoch_order(&self.examples, train.order_seed, epoch));
        }
        let batches = step_batches(train, self.training.dataset, self.training.tokens, &order.1, index)?;
        let lr = learning_rate(train, self.steps, step);
        let outputs = self.training.task.outputs(self.training.dataset.labels.len());
        let denominator = objective.denominator(batches.iter().flat_map(|b| &b.targets), outputs);
        let targets: Vec<_> = batches.iter().map(|b| objective.targets(&b.targets, outputs, denominator)).collect();
        let tokens = batches.iter().map(|b| b.ids.len() as u64).sum();
        self.engine.step(&batches, &targets, Some(DropoutPlan { seed: train.seed, step }), lr)?;
        self.open.push_back(Open { step, epoch, lr, tokens });
        (self.state.step, self.weights_of) = (step, step);
        self.collect(false, begin)
    }

    /// Reports the steps that the device has finished; all of them if `wait`. The time since `begin` counts as training time.
    fn collect(&mut self, wait: bool, begin: Instant) -> Result<(), TrainError> {
        let finished = if self.open.is_empty() { Vec::new() } else { self.engine.finished(wait)? };
        let (before, spent) = (self.state.elapsed_s, begin.elapsed().as_secs_f64());
        self.state.elapsed_s += spent;
        let steps = finished.len() as f64;
        for (done, sums) in (1..).zip(finished) {
            let Open { step, epoch, lr, tokens } = self.open.pop_front().expect("an open step");
            // Steps that are reported together share the time equally.
            let elapsed_s = before + spent * f64::from(done) / steps;
            let (loss, grad_norm) = (sums.loss, sums.norm());
            self.emit(Event::StepCompleted(StepCompleted { step, epoch, loss, lr, grad_norm, tokens, elapsed_s }))?;
            let (what, value) = if loss.is_finite() { ("the gradient's norm", grad_norm) } else { ("the loss", loss) };
            if !sums.are_finite() {
                return Err(self.diverged(what, value, step, lr));
            }
        }
        Ok(())
    }

    fn diverged(&self, what: &'static str, value: f64, step: u64, lr: f64) -> TrainError {
        TrainError::Diverged { what, value, step, lr, advice: self.training.train.about_loss(self.steps.total) }
    }

    /// Measures one split, with progress.
    fn evaluate(&mut self, when: When, split: Split) -> Result<Evaluation, TrainError> {
        self.collect(true, Instant::now())?;
        let training = self.training;
        let rows = rows_of(training.splits, split);
        // During training only those of the last step are needed, which is not known to be the last while early stopping can end it.
        let keeps = training.choices.is_some() && when != When::Before;
        let (engine, stop, emit) = (&mut *self.engine, self.stop, &mut *self.emit);
        let mut evaluation =
            evaluate(training.task, engine, training.dataset, training.tokens, (rows, keeps), &mut |done| {
                if stop() {
                    return Err(TrainError::StopRequested);
                }
                emit(Event::EvalProgress { split, done, total: rows.len() as u64 }).map_err(TrainError::Listener)
            })?;
        evaluation.metrics.keep(training.checkpoint.metric);
        self.report(when, split, &evaluation)?;
        // A step's loss shows damage by the steps before it; for the last step this evaluation is the only check.
        let (value, step) = (evaluation.metrics.get(Metric::Loss), self.state.step);
        if when != When::Before && !value.is_finite() {
            let lr = learning_rate(training.train, self.steps, step);
            return Err(self.diverged("the loss on held-out rows", value, step, lr));
        }
        Ok(evaluation)
    }

    fn report(&mut self, when: When, split: Split, evaluation: &Evaluation) -> Result<(), TrainError> {
        let step = self.weights_of;
        let epoch = if step == 0 { 0 } else { self.steps.epoch_and_index(step).0 };
        let (metrics, elapsed_s) = (evaluation.metrics.clone(), evaluation.elapsed_s);
        self.emit(Event::EvalCompleted { when, step, epoch, split, metrics, elapsed_s })
    }

    /// Evaluates every split that has rows, and the probes: before and after training.
    fn measure(&mut self, when: When) -> Result<(), TrainError> {
        let mut answers = BTreeMap::new();
        for split in [Split::Dev, Split::Test] {
            if self.rows(split).is_empty() {
                continue;
            }
            // These weights were already evaluated during training.
            let evaluation = match self.last.take_if(|(step, of, _)| (*step, *of) == (self.weights_of, split)) {
                Some((_, _, evaluation)) => {
                    self.report(when, split, &evaluation)?;
                    evaluation
                }
                None => self.evaluate(when, split)?,
            };
            match when {
                When::After => {
                    self.emit(Event::Predicted { split, predictions: evaluation.predictions })?;
                    answers.insert(split, evaluation.answers);
                }
                // Only of the rows that the result is measured on.
                When::Before if split == Split::Test || self.rows(Split::Test).is_empty() => {
                    let predictions = evaluation.predictions.into_iter().map(PredictionBefore::from).collect();
                    self.emit(Event::PredictedBefore { split, predictions })?;
                }
                When::Before | When::During => {}
            }
        }
        let of = |split| answers.get(&split).map(Vec::as_slice);
        // Probes are answered as the kept model answers.
        let mut decision = Decision::default();
        if let Some((choices, dev)) = self.training.choices.zip(of(Split::Dev)) {
            let decided = decided(choices, dev, of(Split::Test), &self.training.dataset.labels);
            decision = decided.decision.clone();
            self.emit(Event::Decided(Box::new(decided)))?;
        }
        if !self.training.probes.is_empty() {
            let Training { task, probes, dataset, .. } = *self.training;
            let scores = score_probes(task, self.engine, probes, &dataset.labels, &decision)?;
            self.emit(Event::ProbesScored { when, step: self.weights_of, scores })?;
        }
        Ok(())
    }

    /// The evaluation during training: on the dev split, or on the test split if there is no dev split.
    fn evaluate_during(&mut self) -> Result<(), TrainError> {
        let split = if self.rows(Split::Dev).is_empty() { Split::Test } else { Split::Dev };
        let step = self.state.step;
        if !self.rows(split).is_empty() {
            let evaluation = self.evaluate(When::During, split)?;
            // Checkpoints are chosen on the dev split only: the test metrics of a checkpoint chosen on the test split would be biased.
            if split == Split::Dev {
                let score = evaluation.metrics.score(self.training.checkpoint.metric);
                let better = self.state.best.update(score, step, self.training.train.early_stopping_min_delta);
                if better && self.training.checkpoint.keep == Keep::Best {
                    let trained = self.engine.trained_parameters();
                    checkpoint::write_best(&self.training.outputs.best, self.training.outputs.run, step, &trained)?;
                }
                self.state.stopped = self.state.best.stops(self.training.train);
            }
            self.last = Some((step, split, evaluation));
            self.state.evaluations.push(step);
        }
        if self.training.checkpoint.keep == Keep::All {
            (self.training.outputs.export)(step, self.engine)?;
        }
        self.state.evaluated_at = step;
        Ok(())
    }

    /// Loads the weights of the best evaluation.
    fn take_best(&mut self) -> Result<(), TrainError> {
        let (path, want) = (&self.training.outputs.best, self.state.best.step);
        let (step, weights) = checkpoint::read_best(path, self.training.outputs.run)?;
        if step != want {
            // On a device that is not deterministic, repeated steps can give another best evaluation.
            let message = format!("holds the weights of step {step}, not those of step {want}, which were the best");
            return Err(TrainError::State { path: path.clone(), message });
        }
        self.engine.set_parameters(weights)?;
        self.weights_of = want;
        Ok(())
    }

    fn save(&mut self) -> Result<(), TrainError> {
        let (Some(path), step) = (&self.training.outputs.state, self.state.step) else { return Ok(()) };
        self.collect(true, Instant::now())?;
        self.emit(Event::CheckpointStarted { step })?;
        checkpoint::write_state(path, self.training.outputs.run, &self.state, self.engine)?;
        self.saved = (step, Instant::now());
        self.emit(Event::CheckpointSaved { step })
    }

    /// Checks before training that the disk has room for a checkpoint.
    fn check_room(&self) -> Result<(), TrainError> {
        let Some(path) = &self.training.outputs.state else { return Ok(()) };
        let state = self.state_bytes;
        // A third of a state are weights: it holds three numbers for each parameter.
        let best = if self.training.checkpoint.keep == Keep::Best { state / 3 } else { 0 };
        disk::check_room(path.parent().unwrap_or(path), state + best)
    }

    fn rows(&self, split: Split) -> &[u32] {
        rows_of(self.training.splits, split)
    }
}

/// SHA-256, as 64 hexadecimal digits, of the names, shapes and float32 values of `parameters`, sorted by name: the digest in
/// [`Event::WeightsKept`].
///
/// # Errors
/// If the device that holds them fails.
pub fn weights_digest(parameters: &[Named]) -> Result<String, TrainError> {
    let mut sorted: Vec<&Named> = parameters.iter().collect();
    sorted.sort_by(|a, b| a.name.cmp(&b.name));
    let mut hash = Sha256::new();
    for parameter in sorted {
        hash.update(format!("{} {:?}\n", parameter.name, parameter.shape()));
        for part in parameter.parts() {
            hash.update(bytemuck::cast_slice(&part?));
        }
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

fn rows_of(splits: &Splits, split: Split) -> &[u32] {
    match split {
        Split::Train => &splits.train,
        Split::Dev => &splits.dev,
        Split::Test => &splits.test,
    }
}

//! The training loop: its results, which weights it keeps, and that resuming changes nothing.

mod crash;
mod mutations;
mod undefined;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    path::Path,
};

use candle_core::Device;
use taper::{
    data::{self, Dataset, Row, Splits, Tokens},
    engine::{Autograd, Engine, Explicit, Recipe},
    event::{Event, Outcome, Split, StepCompleted, When},
    kernels::Cpu,
    model::{DropoutPlan, ModelConfig, Named, Parameters},
    plan::{CheckpointConfig, ClassWeights, Keep, Metric, Scheduler, TrainConfig},
    task::{Target, Task},
    train::{Outputs, ResumeCheck, Resumed, TrainError, Training, fit, reading_order, resume, schedule, step_batches},
};

/// 15 rows to train, 4 of dev and 6 of test, of 3 to 9 tokens. A row's second token tells its label, but in the dev rows
/// it tells a wrong one: the better a model learns, the worse it does there.
fn rows() -> (Dataset, Tokens, Splits) {
    let labels =
        [0, 1, 0, 2, 0, 1, 0, 0, 2, 0, 1, 0, 2, 0, 1, /* dev */ 0, 1, 2, 2, /* test */ 2, 2, 1, 2, 0, 2];
    let (mut tokens, mut rows) = (Vec::new(), Vec::new());
    for (i, label) in (0..).zip(labels) {
        let told = if (15..19).contains(&i) { (label + 1) % 3 } else { label };
        let ids = [2, 5 + told].into_iter().chain((0..i % 7).map(|j| 8 + (3 * i + j) % 12)).chain([3]);
        tokens.push(ids.collect());
        rows.push(Row {
            line: u64::from(i) + 2,
            text: format!("row {i}").into(),
            text_pair: None,
            target: Target::Label(label),
        });
    }
    let labels = ["a", "b", "c"].map(String::from).to_vec();
    let dataset = Dataset { rows, labels, ..Dataset::default() };
    (
        dataset,
        Tokens::given(tokens),
        Splits { train: (0..15).collect(), dev: (15..19).collect(), test: (19..25).collect(), ..Splits::default() },
    )
}

fn shape() -> ModelConfig {
    let mut shape = ModelConfig::preset(taper::source::Preset::Tiny);
    (shape.vocab_size, shape.hidden_size, shape.num_attention_heads) = (20, 8, 2);
    (shape.intermediate_size, shape.max_position_embeddings, shape.initializer_range) = (16, 10, 0.3);
    shape
}

/// Three steps an epoch.
fn recipe() -> TrainConfig {
    let recipe = serde_json::json!({
        "epochs": 3, "batch_size": 5, "gradient_accumulation_steps": 1, "lr": 1e-3, "weight_decay": 0.01,
        "no_decay": [], "betas": [0.9, 0.999], "eps": 1e-8, "scheduler": "constant", "warmup_steps": 0,
        "warmup_ratio": 0.0, "max_grad_norm": 0.0, "label_smoothing": 0.0, "class_weights": "none", "seed": 1,
        "init_seed": 2, "order_seed": 3, "log_steps": 1, "eval_steps": 0, "early_stopping_patience": 0,
        "early_stopping_min_delta": 0.0, "freeze": [],
    });
    serde_json::from_value(recipe).expect("a recipe")
}

fn keep(keep: Keep) -> CheckpointConfig {
    CheckpointConfig { keep, metric: Metric::Loss, every_steps: 0, every_minutes: 0.0 }
}

/// Key of the runs here.
const RUN: &str = "0123456789abcdef";

/// Conditions that every state of these runs meets.
const ALL_STORED: ResumeCheck = ResumeCheck { run: RUN, is_logged: &|_, _| Ok(()) };

/// How a run is interrupted: at a poll of the request to stop, at an event (as if the process were gone), or by a pause after the
/// evaluation of a step.
#[derive(Clone, Copy)]
enum End {
    Its,
    AtPoll(usize),
    AtEvent(usize),
    AtPause(u64),
}

/// A folder, if possible in memory: these tests write hundreds of checkpoints.
fn memory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder")
}

/// When, after which step, on what.
type Moment = (When, u64, Split);

struct Trained {
    outcome: Result<Outcome, TrainError>,
    events: Vec<Event>,
    weights: Vec<Vec<f32>>,
    exported: Vec<u64>,
}

fn weights(parameters: &[Named]) -> Vec<Vec<f32>> {
    parameters.iter().map(|tensor| tensor.values().expect("values").into_owned()).collect()
}

/// Trains a run in `folder`, from the checkpoint there if there is one.
fn train_run(folder: &Path, train: &TrainConfig, checkpoint: &CheckpointConfig, end: End) -> Trained {
    let fresh = Parameters::fresh(&shape(), 3, train.init_seed).expect("weights");
    train_from(fresh, folder, train, checkpoint, end)
}

fn train_from(
    fresh: Parameters,
    folder: &Path,
    train: &TrainConfig,
    checkpoint: &CheckpointConfig,
    end: End,
) -> Trained {
    let best = folder.join("best.safetensors");
    let best = (checkpoint.keep == Keep::Best).then_some(best.as_path());
    let resumed = resume(&folder.join("state.safetensors"), best, ALL_STORED).expect("the state it resumes from");
    assert!(resumed.notes.is_empty(), "{:?}", resumed.notes);
    train_on(fresh, resumed, rows().2, folder, train, checkpoint, end)
}

/// Trains a run on these splits from the given checkpoint.
fn train_on(
    fresh: Parameters,
    resumed: Resumed,
    splits: Splits,
    folder: &Path,
    train: &TrainConfig,
    checkpoint: &CheckpointConfig,
    end: End,
) -> Trained {
    let (dataset, tokens, _) = rows();
    let mut shape = shape();
    if let Some(p) = train.dropout {
        shape.set_dropout(p);
    }
    let mut engine =
        Explicit::new(Cpu::default(), &shape, fresh, &Recipe::new(Task::SingleLabel, train)).expect("parameters");
    let exported = RefCell::new(Vec::new());
    let export = |step, _: &dyn Engine| {
        exported.borrow_mut().push(step);
        Ok(())
    };
    let (state, best) = (folder.join("state.safetensors"), folder.join("best.safetensors"));
    let outputs = Outputs { run: RUN, state: Some(state), best, export: &export };
    let (dataset, tokens, splits) = (&dataset, &tokens, &splits);
    let pauses = |step| matches!(end, End::AtPause(at) if at == step);
    let training = Training {
        task: Task::SingleLabel,
        train,
        choices: None,
        checkpoint,
        dataset,
        tokens,
        splits,
        probes: &[],
        outputs,
        pauses: &pauses,
    };
    let mut events = Vec::new();
    let mut emit = |event| {
        events.push(event);
        match end {
            End::AtEvent(n) if events.len() == n => Err("the process is gone".into()),
            _ => Ok(()),
        }
    };
    let polls = Cell::new(0);
    let stop = || {
        polls.set(polls.get() + 1);
        matches!(end, End::AtPoll(n) if polls.get() == n)
    };
    let outcome = fit(&training, &mut engine, resumed.saved, &mut emit, &stop);
    Trained { outcome, events, weights: weights(&engine.parameters()), exported: exported.into_inner() }
}

/// A run from beginning to end in a folder of its own.
fn whole(train: &TrainConfig, checkpoint: &CheckpointConfig) -> Trained {
    let run = train_run(memory().path(), train, checkpoint, End::Its);
    assert!(matches!(run.outcome, Ok(Outcome::Completed)), "{:?}", run.outcome);
    run
}

impl Trained {
    fn steps(&self) -> Vec<&StepCompleted> {
        let all = self.events.iter();
        all.filter_map(|event| if let Event::StepCompleted(step) = event { Some(step) } else { None }).collect()
    }

    /// (when, step, split) → (rows, loss), in the order in which they came.
    fn evaluations(&self) -> Vec<(Moment, (u64, f64))> {
        let evaluation = |event: &_| match event {
            Event::EvalCompleted { when, step, split, metrics, .. } => {
                Some(((*when, *step, *split), (metrics.rows, metrics.get(Metric::Loss))))
            }
            _ => None,
        };
        self.events.iter().filter_map(evaluation).collect()
    }
}

/// Every step against the same step computed by hand: one batch without accumulation, order, masks, weights and rate from the
/// recipe's own keys. Two epochs are begun, the second is not finished. Parts of 10 tokens, and of one row, are the same step.
#[test]
fn each_step_is_what_the_recipe_says() -> Result<(), Box<dyn std::error::Error>> {
    for micro_batch_tokens in [2048, 10, 1] {
        each_step_is_as_computed_by_hand(micro_batch_tokens)?;
    }
    Ok(())
}

fn each_step_is_as_computed_by_hand(micro_batch_tokens: usize) -> Result<(), Box<dyn std::error::Error>> {
    let train = TrainConfig {
        micro_batch_tokens,
        max_steps: Some(5),
        batch_size: 3,
        gradient_accumulation_steps: 2,
        scheduler: Scheduler::Linear,
        warmup_steps: 2,
        label_smoothing: 0.2,
        class_weights: ClassWeights::Balanced,
        ..recipe()
    };
    let run = whole(&train, &keep(Keep::Last));
    let (dataset, tokens, splits) = rows();
    let parameters = Parameters::fresh(&shape(), 3, train.init_seed)?;
    let mut engine = Autograd::new(&shape(), parameters, &Recipe::new(Task::SingleLabel, &train), &Device::Cpu)?;
    let steps = schedule::Steps::new(&train, 15);
    // Of the training rows 8, 4 and 3 have labels a, b and c.
    let objective = Task::SingleLabel.objective(0.0, Some([8.0, 4.0, 3.0].map(|n| 15.0 / (3.0 * n)).to_vec()), 0.2);
    assert_eq!(run.steps().len(), 5);
    for (i, got) in run.steps().into_iter().enumerate() {
        let (step, epoch) = (i as u64 + 1, i as u32 / 3 + 1);
        let order = data::epoch_order(&splits.train, train.order_seed, epoch);
        let batch = data::batch(&dataset, &tokens, order.chunks(6).nth(i % 3).expect("rows"))?;
        let targets = objective.targets(&batch.targets, 3, objective.denominator(batch.targets.iter(), 3));
        let plan = Some(DropoutPlan { seed: train.seed, step });
        let want = engine.gradients(std::slice::from_ref(&batch), &[targets], plan)?;
        let norm = engine.norm()?;
        let lr = schedule::learning_rate(&train, steps, step);
        engine.update(lr)?;
        assert!((got.loss - want).abs() < 1e-5, "step {step}: loss {}, wanted {want}", got.loss);
        assert!((got.grad_norm - norm).abs() < 1e-4, "step {step}: norm {}, wanted {norm}", got.grad_norm);
        assert_eq!((got.step, got.epoch, got.lr, got.tokens), (step, epoch, lr, batch.ids.len() as u64));
    }
    let ends: Vec<_> = run.evaluations().iter().map(|(at, _)| *at).filter(|at| at.0 == When::During).collect();
    assert_eq!(ends, [(When::During, 3, Split::Dev), (When::During, 5, Split::Dev)]);
    Ok(())
}

/// Rows 0 to 6 have 3 to 9 tokens, rows 7 to 13 again.
#[test]
fn batches_are_cut_between_rows_by_their_tokens() {
    let (dataset, tokens, _) = rows();
    let order = [6, 0, 1, 13, 2, 3, 4, 7, 8];
    // (rows, rows before them in the step, tokens before them in the step) of each part.
    let parts = |micro_batch_tokens| -> Vec<(Vec<u32>, usize, usize)> {
        let train = TrainConfig { micro_batch_tokens, batch_size: 4, gradient_accumulation_steps: 2, ..recipe() };
        let parts = step_batches(&train, &dataset, &tokens, &order, 0).expect("tokens");
        assert!(parts.iter().all(|part| part.ids.len() <= micro_batch_tokens || part.rows.len() == 1));
        parts.into_iter().map(|part| (part.rows, part.first_row, part.first_token)).collect()
    };
    assert_eq!(parts(25), [(vec![6, 0, 1, 13], 0, 0), (vec![2, 3, 4, 7], 4, 25)]);
    let cut = [(vec![6], 0, 0), (vec![0, 1], 1, 9), (vec![13], 3, 16), (vec![2], 4, 25), (vec![3], 5, 30)];
    assert_eq!(parts(8), [&cut[..], &[(vec![4], 6, 36), (vec![7], 7, 43)]].concat());
    // No part holds rows of two batches, though the last of the first and the first of the second would fit.
    assert_eq!(parts(16)[1..3], [(vec![13], 3, 16), (vec![2, 3], 4, 25)]);
    for micro_batch_tokens in 1..50 {
        let parts = parts(micro_batch_tokens);
        let rows: Vec<u32> = parts.iter().flat_map(|(rows, ..)| rows.clone()).collect();
        assert_eq!(rows, order[..8], "{micro_batch_tokens}");
    }
}

/// Rows are tokenised ahead in the order in which the loop asks for them: measured rows, then each step's.
#[test]
fn rows_are_read_in_the_order_of_need() {
    let (_, _, splits) = rows();
    let splits = Splits { dev: vec![17, 15, 16, 18], ..splits };
    let train = TrainConfig { batch_size: 2, gradient_accumulation_steps: 2, ..recipe() };
    let [first, second] = [1, 2].map(|epoch| data::epoch_order(&splits.train, train.order_seed, epoch));
    let measured: Vec<u32> = (15..25).collect();
    assert_eq!(reading_order(&train, &splits, 0), [&measured[..], &first].concat());
    // Four steps an epoch: after the fifth the second epoch has one step behind it.
    let rest = [&second[4..], &second[..4]].concat();
    assert_eq!(reading_order(&train, &splits, 5), [&rest, &measured[..]].concat());
    let short = TrainConfig { max_steps: Some(2), ..train };
    assert_eq!(reading_order(&short, &splits, 0), [&measured[..], &first[..8]].concat());
    assert_eq!(reading_order(&short, &splits, 1), [&first[4..8], &measured].concat());
    assert_eq!(reading_order(&short, &splits, 2), measured);
}

#[test]
fn the_best_weights_by_the_dev_rows_are_kept_and_measured() {
    let best = whole(&recipe(), &keep(Keep::Best));
    let one_epoch = whole(&TrainConfig { epochs: 1, ..recipe() }, &keep(Keep::Last));
    let last = whole(&recipe(), &keep(Keep::Last));
    assert!(best.weights == one_epoch.weights && best.weights != last.weights);

    let evaluations: BTreeMap<_, _> = best.evaluations().into_iter().collect();
    let order: Vec<_> = best.evaluations().iter().map(|((when, step, split), _)| (*when, *step, *split)).collect();
    let want = [
        (When::Before, 0, Split::Dev),
        (When::Before, 0, Split::Test),
        (When::During, 3, Split::Dev),
        (When::During, 6, Split::Dev),
        (When::During, 9, Split::Dev),
        (When::After, 3, Split::Dev),
        (When::After, 3, Split::Test),
    ];
    assert_eq!(order, want);
    for ((_, _, split), (rows, _)) in &evaluations {
        assert_eq!(*rows, if *split == Split::Dev { 4 } else { 6 });
    }
    let dev = |step| evaluations[&(When::During, step, Split::Dev)].1;
    assert!(dev(3) < dev(6) && dev(3) < dev(9), "the first evaluation was to be the best");
    // Before and after is measured with the weights that are kept.
    assert_eq!(evaluations[&(When::After, 3, Split::Dev)].1, dev(3));
    let after_one: BTreeMap<_, _> = one_epoch.evaluations().into_iter().collect();
    assert_eq!(evaluations[&(When::After, 3, Split::Test)], after_one[&(When::After, 3, Split::Test)]);
    let predicted = best.events.iter().filter_map(|event| match event {
        Event::Predicted { split, predictions } => Some((*split, predictions.len())),
        _ => None,
    });
    assert_eq!(predicted.collect::<Vec<_>>(), [(Split::Dev, 4), (Split::Test, 6)]);
    // Before training, only of the rows that are tested: as many are right as the evaluation says.
    let before = best.events.iter().filter_map(|event| match event {
        Event::PredictedBefore { split, predictions } => Some((*split, predictions)),
        _ => None,
    });
    let [(Split::Test, before)] = before.collect::<Vec<_>>()[..] else { panic!("one event, of the test rows") };
    let after = best.events.iter().find_map(|event| match event {
        Event::Predicted { split: Split::Test, predictions } => Some(predictions),
        _ => None,
    });
    let after = after.expect("the test rows");
    let pairs = || before.iter().zip(after);
    assert!(before.len() == 6 && pairs().all(|(before, after)| before.row == after.row));
    let right = pairs().filter(|(before, after)| before.predicted == after.label).count() as u64;
    let measured = best.events.iter().find_map(|event| match event {
        Event::EvalCompleted { when: When::Before, split: Split::Test, metrics, .. } => Some(metrics.right()),
        _ => None,
    });
    assert_eq!(Some(right), measured);
    // The probabilities of what is predicted and of the row's own label, and no others.
    for (before, after) in pairs() {
        let ids: Vec<u32> = before.probabilities.iter().map(|(id, _)| id).collect();
        let (predicted, own) = (before.predicted.ids()[0], after.label.ids()[0]);
        let want = if predicted == own { vec![own] } else { vec![predicted, own] };
        assert_eq!(ids, want);
    }
}

#[test]
fn training_stops_early_where_the_dev_rows_get_no_better() {
    let train = TrainConfig { epochs: 9, early_stopping_patience: 2, ..recipe() };
    let run = whole(&train, &keep(Keep::Last));
    assert_eq!(run.steps().len(), 9, "three epochs of nine");
    assert!(run.weights == whole(&recipe(), &keep(Keep::Last)).weights);
}

#[test]
fn every_evaluated_model_is_exported_where_all_are_kept() {
    assert_eq!(whole(&recipe(), &keep(Keep::All)).exported, [3, 6, 9]);
    assert!(whole(&recipe(), &keep(Keep::Best)).exported.is_empty());
}

/// All measurements without times, floats bit for bit. A repeated measurement must be equal.
fn log(parts: &[&Trained]) -> BTreeMap<String, String> {
    let mut log = BTreeMap::new();
    for event in parts.iter().flat_map(|run| &run.events) {
        let (at, facts) = match event {
            Event::StepCompleted(s) => {
                (format!("step {}", s.step), format!("{:?}", (s.epoch, s.loss, s.lr, s.grad_norm, s.tokens)))
            }
            Event::EvalCompleted { when, step, split, metrics, .. } => {
                (format!("{when:?} {step} {split:?}"), format!("{metrics:?}"))
            }
            Event::Predicted { split, predictions } => (format!("predicted {split:?}"), format!("{predictions:?}")),
            Event::PredictedBefore { split, predictions } => {
                (format!("predicted {split:?} before"), format!("{predictions:?}"))
            }
            _ => continue,
        };
        if let Some(before) = log.insert(at.clone(), facts.clone()) {
            assert_eq!(before, facts, "{at}");
        }
    }
    log
}

/// Stopped on request at every poll, then killed at every event: each time the rest completes the same run.
#[test]
fn interrupted_at_any_moment_a_run_resumes_to_the_same_end() {
    let train = TrainConfig { eval_steps: 2, early_stopping_patience: 2, ..recipe() };
    let checkpoint = CheckpointConfig { every_steps: 2, ..keep(Keep::Best) };
    let calm = whole(&train, &checkpoint);
    assert_eq!(calm.steps().len(), 6, "it stops early");
    for (how, at_least) in [(End::AtPoll as fn(usize) -> End, 10), (End::AtEvent, 20)] {
        for n in 1.. {
            let folder = memory();
            let first = train_run(folder.path(), &train, &checkpoint, how(n));
            match first.outcome {
                Ok(Outcome::Completed) => {
                    assert!(n > at_least, "there are only {n} moments");
                    break;
                }
                Ok(Outcome::Interrupted) | Err(TrainError::Listener(_)) => {}
                other => panic!("{other:?}"),
            }
            let rest = train_run(folder.path(), &train, &checkpoint, End::Its);
            assert!(matches!(rest.outcome, Ok(Outcome::Completed)), "{:?}", rest.outcome);
            assert!(rest.weights == calm.weights, "other weights after moment {n}");
            assert_eq!(log(&[&first, &rest]), log(&[&calm]), "moment {n}");
            // Training time continues where the rest begins.
            let resumed = rest.steps().first().map_or(0, |s| s.step);
            let run = first.steps().into_iter().filter(|s| s.step < resumed).chain(rest.steps());
            let times: Vec<f64> = run.map(|s| s.elapsed_s).collect();
            assert!(times.is_sorted_by(|a, b| a < b), "moment {n}: {times:?}");
        }
    }
}

/// Labels `a` whose gradient on the pooler is −4.5e38, beyond f32, while the loss is ln 3.
#[test]
fn a_gradient_that_is_not_finite_ends_the_run_before_it_spoils_a_weight() {
    let fresh = Parameters::fresh(&shape(), 3, 1).expect("weights");
    let found = fresh.iter().map(|(name, tensor)| {
        let value = match name {
            "bert.pooler.dense.weight" | "bert.pooler.dense.bias" => tensor.zeros_like(),
            "classifier.weight" => {
                let row = |v: f32| vec![v; 8];
                candle_core::Tensor::new(vec![row(3.4e38), row(-3.4e38), row(-3.4e38)], &Device::Cpu)
            }
            _ => Ok(tensor.clone()),
        };
        (name.to_string(), value.expect("a tensor"))
    });
    let loaded = Parameters::load(&shape(), 3, found.collect(), Path::new("it"), 1).expect("weights").parameters;
    let before: Vec<Vec<f32>> =
        loaded.iter().map(|(_, t)| t.flatten_all().and_then(|t| t.to_vec1()).expect("values")).collect();
    let train = TrainConfig { batch_size: 1, ..recipe() };
    let folder = memory();
    let run = train_from(loaded, folder.path(), &train, &keep(Keep::Last), End::Its);
    let error = run.outcome.as_ref().expect_err("it cannot continue").to_string();
    assert!(error.starts_with("the gradient's norm is") && error.contains(" at step 1 (lr 1e-3)"), "{error}");
    assert!(run.weights == before, "a weight was changed");
    assert!(run.steps()[0].loss.is_finite(), "the step is logged");
}

/// The last step has no next one that would show it.
#[test]
fn weights_that_the_last_step_spoilt_are_no_result() {
    let train = TrainConfig { max_steps: Some(1), lr: 1e38, ..recipe() };
    let folder = memory();
    let run = train_run(folder.path(), &train, &keep(Keep::Last), End::Its);
    let error = run.outcome.expect_err("no result").to_string();
    assert!(error.contains("the loss on held-out rows is NaN at step 1 (lr 1e38)"), "{error}");
}

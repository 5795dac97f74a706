//! Synthetic experiments that predict sets of labels, or numbers: those of [`Recipe`] with other targets.

use std::sync::Arc;

use taper::{
    event::{Decided, Prediction, ProbeScore, Split, When},
    metrics::{Decision, Metric, Metrics, Probabilities, Scored, Target},
    plan::Thresholds,
    random::{Purpose, Stream},
    report::{ReportInput, RunInput},
    store::{ProbeRecord, RunRecord},
    task::Task,
};

use super::report_fixtures::{Recipe, experiment};

/// Labels of sets; no row has the last one, and one would be markup if it were not escaped.
pub const SETS: [&str; 5] = ["送餐快", "味道好", "<b>太咸</b>|多", "包装用心又环保的评价", "never"];

/// Every such fixture by name.
pub fn all() -> Vec<(&'static str, ReportInput)> {
    vec![
        ("sets", sets()),
        ("sets-sweep", sets_sweep()),
        ("numbers", numbers()),
        ("numbers-sweep", numbers_sweep()),
        ("columns", columns()),
        ("sets-folds", sets_folds()),
        ("numbers-folds", numbers_folds()),
    ]
}

/// One run with sets of labels.
pub fn sets() -> ReportInput {
    experiment(vec![typed(&Recipe::new("tags", &SETS), Task::MultiLabel)])
}

/// Two learning rates by two seeds, ranked by dev rows; one run failed.
pub fn sets_sweep() -> ReportInput {
    let run = |lr, text, seed, skill| {
        let name = format!("lr={text} seed={seed}");
        typed(&Recipe { lr, seed, skill, dev: 0.1, ..Recipe::new(&name, &SETS) }, Task::MultiLabel)
    };
    let mut runs = vec![run(1e-5, "1e-5", 1, 2.0), run(1e-5, "1e-5", 2, 2.1), run(1e-4, "1e-4", 1, 1.0)];
    runs.push(run(1e-4, "1e-4", 2, 1.0));
    runs[3] = RunInput {
        run: RunRecord {
            config: runs[3].run.config.clone(),
            ..Recipe { lr: 1e-4, seed: 2, ..Recipe::new("lr=1e-4 seed=2", &SETS) }.failed("no memory").run
        },
        ..runs[3].clone()
    };
    experiment(runs)
}

/// One run with one column of numbers.
pub fn numbers() -> ReportInput {
    experiment(vec![typed(&Recipe::new("stars", &["评分"]), Task::Regression)])
}

/// Two learning rates, whose models are compared on the same rows.
pub fn numbers_sweep() -> ReportInput {
    let run = |lr, text, skill| {
        typed(&Recipe { lr, skill, dev: 0.1, ..Recipe::new(&format!("lr={text}"), &["评分"]) }, Task::Regression)
    };
    experiment(vec![run(1e-5, "1e-5", 1.0), run(1e-4, "1e-4", 2.6)])
}

/// One run with two columns of numbers and more rows than a chart has dots.
pub fn columns() -> ReportInput {
    let recipe = Recipe { rows: 3000, ..Recipe::new("two", &["评分 <i>", "helpful"]) };
    experiment(vec![typed(&recipe, Task::Regression)])
}

/// One configuration on three folds of different rows, each with thresholds and a temperature of its own.
pub fn sets_folds() -> ReportInput {
    let fold = |number| decided(folded("tags", &SETS, Task::MultiLabel, number), number);
    let mut input = experiment((1..=3).map(fold).collect());
    input.experiment.trials = vec![0; 3];
    input
}

/// One configuration on three folds of different rows, of one column of numbers.
pub fn numbers_folds() -> ReportInput {
    let mut input = experiment((1..=3).map(|number| folded("stars", &["评分"], Task::Regression, number)).collect());
    input.experiment.trials = vec![0; 3];
    input
}

/// The run of a fold, of three: its rows are its own.
fn folded(name: &str, labels: &[&str], task: Task, number: u32) -> RunInput {
    let (rows, skill) = (200 + 40 * number as usize, 1.5 + f64::from(number) / 4.0);
    let name = format!("{name} fold={number}/3");
    let mut run = typed(&Recipe { rows, skill, dev: 0.1, ..Recipe::new(&name, labels) }, task);
    run.run.config.data.fold = Some(format!("{number}/3").parse().expect("a fold"));
    run.run.key = format!("{number}{}", &run.run.key[1..]);
    run.predictions.iter_mut().for_each(|p| p.row = 3 * p.row + number);
    run
}

/// The same with a temperature, and thresholds by macro-F1.
fn decided(mut run: RunInput, number: u32) -> RunInput {
    let of_label = |id: usize| 0.3 + 0.05 * (id as f64 + f64::from(number));
    let thresholds = (0..run.run.labels.len()).map(of_label).collect();
    let decision = Decision { temperature: 1.0 + 0.1 * f64::from(number), thresholds: Some(thresholds) };
    let metrics = measure(Task::MultiLabel, &run.run.labels, &by_decision(&run.predictions, &decision));
    let data = &mut run.run.config.data;
    (data.thresholds, data.calibrate) = (Thresholds::Tuned, true);
    let (metric, dev, test) = (Some(Metric::MacroF1), metrics.clone(), Some(metrics));
    run.run.decided = Some(Decided { decision, metric, dev, test });
    run
}

/// These rows as they are predicted with a temperature and thresholds.
pub fn by_decision(rows: &[Prediction], decision: &Decision) -> Vec<Prediction> {
    let thresholds = decision.thresholds.as_ref().expect("thresholds");
    let scaled = |p: f32| {
        let logit = (f64::from(p) / (1.0 - f64::from(p))).ln() / decision.temperature;
        (1.0 / (1.0 + (-logit).exp())) as f32
    };
    let row = |p: &Prediction| {
        let all: Vec<f32> = p.probabilities.iter().map(|(_, p)| scaled(p)).collect();
        let predicted = (0..).zip(&all).filter(|(id, p)| f64::from(**p) >= thresholds[*id as usize]).map(|(id, _)| id);
        let predicted = Target::labels(predicted.collect());
        Prediction { predicted, probabilities: Probabilities::new(all, p.label.ids()), ..p.clone() }
    };
    rows.iter().map(row).collect()
}

/// A completed run of this task.
pub fn typed(recipe: &Recipe, task: Task) -> RunInput {
    let mut run = Recipe { labels: ["a", "b"].map(String::from).into(), ..recipe.clone() }.completed();
    run.run.labels = recipe.labels.clone();
    let data = &mut run.run.config.data;
    data.problem_type = task;
    data.labels.clear();
    run.run.config.checkpoint.metric = task.default_metric();
    run.run.train_labels = None;
    run.run.config.probes.iter_mut().for_each(|probe| probe.expect = None);
    let labels = &run.run.labels;
    let skill = |when, epoch: u32| match when {
        When::Before => 0.1,
        When::During => recipe.skill * (1.0 - 0.4f64.powi(epoch as i32)),
        When::After => recipe.skill,
    };
    for eval in &mut run.evals {
        let moment = 10 + u64::from(eval.epoch) * 2 + eval.split as u64;
        eval.metrics = measure(task, labels, &predictions(recipe, task, skill(eval.when, eval.epoch), moment));
    }
    let measured = if recipe.test > 0.0 { Split::Test } else { Split::Dev };
    let moment = 10 + u64::from(recipe.epochs) * 2 + measured as u64;
    run.predictions = predictions(recipe, task, recipe.skill, moment);
    run.run.final_metrics = Some(measure(task, labels, &run.predictions));
    let before = predictions(recipe, task, skill(When::Before, 0), 10 + measured as u64);
    run.before = before.into_iter().map(Into::into).collect();
    for (i, probe) in run.probes.iter_mut().enumerate() {
        *probe = answered(probe, i, recipe, task);
    }
    run
}

/// A probe as a model of this task answers it.
fn answered(probe: &ProbeRecord, i: usize, recipe: &Recipe, task: Task) -> ProbeRecord {
    let row = &predictions(recipe, task, recipe.skill, 50 + probe.when as u64)[i];
    let (expect, predicted) = (row.label.shown(&recipe.labels), row.predicted.shown(&recipe.labels));
    let probabilities = row.probabilities.clone();
    let expect = probe.score.expect.is_some().then_some(expect);
    ProbeRecord { score: ProbeScore { expect, predicted, probabilities, ..probe.score.clone() }, ..probe.clone() }
}

/// Rows as a model of this skill sees them; texts and targets are the same for every run.
fn predictions(recipe: &Recipe, task: Task, skill: f64, moment: u64) -> Vec<Prediction> {
    let shared = Stream::new(11, Purpose::Bootstrap, 98, 0);
    let own = Stream::new(recipe.seed ^ recipe.lr.to_bits(), Purpose::Bootstrap, moment, 0);
    let texts = Recipe { rows: recipe.rows, ..Recipe::new("", &["a", "b"]) }.completed().predictions;
    let k = recipe.labels.len();
    let row = |(i, text): (usize, Prediction)| {
        let at = (i * 16) as u64;
        let (label, predicted, probabilities) = match task {
            Task::Regression => {
                let values: Vec<f64> = (0..k).map(|j| 3.0 + 1.2 * shared.normal(at + j as u64)).collect();
                let share = 1.0 - (-skill).exp();
                let said = |j: usize| 3.0 + share * (values[j] - 3.0) + 0.4 * own.normal(at + j as u64);
                let predicted = Target::values((0..k).map(said).collect());
                (Target::values(values), predicted, Vec::new())
            }
            _ => {
                // The first label is the most frequent one, and the last has no rows.
                let has = |j: usize| j + 1 < k && shared.uniform(at + j as u64) < 0.5 / (1.0 + 0.6 * j as f64);
                let logit = |j: usize| if has(j) { skill } else { -skill } + own.normal(at + j as u64) - 0.2;
                let p: Vec<f32> = (0..k).map(|j| (1.0 / (1.0 + (-logit(j)).exp())) as f32).collect();
                let predicted = (0..k as u32).filter(|j| p[*j as usize] >= 0.5).collect();
                (Target::labels((0..k as u32).filter(|j| has(*j as usize)).collect()), Target::labels(predicted), p)
            }
        };
        let probabilities = Probabilities::new(probabilities, label.ids());
        Prediction { label, predicted, probabilities, ..text }
    };
    texts.into_iter().enumerate().map(row).collect()
}

/// The metrics of these rows.
pub fn measure(task: Task, labels: &[String], rows: &[Prediction]) -> Metrics {
    let scored = |p: &Prediction| match &p.label {
        Target::Values(values) => {
            let predicted = p.predicted.numbers().to_vec();
            let squares = values.iter().zip(&predicted).map(|(value, predicted)| (value - predicted).powi(2));
            Scored::Values { loss: squares.sum::<f64>() / values.len() as f64, values: values.clone(), predicted }
        }
        label => {
            let probabilities: Vec<f32> = p.probabilities.iter().map(|(_, p)| p).collect();
            let cell =
                |(id, p): (u32, f32)| -f64::from(if label.ids().contains(&id) { p } else { 1.0 - p }.max(1e-9)).ln();
            let loss = p.probabilities.iter().map(cell).sum::<f64>() / probabilities.len() as f64;
            let (labels, predicted) = (Arc::new(label.ids().to_vec()), p.predicted.ids().to_vec());
            Scored::Multi { labels, predicted, probabilities, loss }
        }
    };
    task.measure(labels, rows.iter().map(scored))
}

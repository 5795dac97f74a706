//! `taper compare` on stored records.

use std::fs;

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::Value;
use sha2::{Digest, Sha256};
use taper::{
    event::{Event, Outcome, Prediction, When},
    metrics::{Metric, Target},
    report::{ReportInput, RunInput, compare},
    store::{EvalRecord, ExperimentRecord, NewRun, RunState, Store},
    task::Task,
};

use super::{
    report_fixtures::{Recipe, experiment},
    typed_fixtures::{SETS, measure, typed},
};
use crate::support::Sandbox;

const TWO: [&str; 2] = ["negative", "positive"];

/// Stores the runs of an experiment as training does. Their keys follow from seed and learning rate.
pub fn store(sandbox: &Sandbox, name: &str, input: ReportInput) {
    let mut store = Store::open(&sandbox.path("runs")).unwrap();
    for RunInput { run, steps, evals, predictions, .. } in &input.runs {
        let (labels, config, audit) = (&run.labels[..], &run.config, None);
        let new = NewRun {
            key: &run.key,
            name: &run.name,
            experiment: name,
            config,
            labels,
            total_steps: run.total_steps,
            audit,
        };
        store.register(&new).unwrap();
        if run.state == RunState::Pending {
            continue;
        }
        store.start(&run.key, run.environment.as_ref().unwrap(), None).unwrap();
        let started = run.size.map(|size| Event::RunStarted {
            total_steps: run.total_steps,
            steps_per_epoch: size.steps_per_epoch,
            resumed_from: None,
            rows: (size.train_rows, size.dev_rows, size.test_rows),
            parameters: size.parameters,
            train_labels: Vec::new(),
        });
        let steps = steps.iter().cloned().map(Event::StepCompleted);
        let mut events: Vec<Event> = started.into_iter().chain(steps).collect();
        for EvalRecord { when, step, epoch, split, metrics, elapsed_s } in evals.clone() {
            events.push(Event::EvalCompleted { when, step, epoch, split, metrics, elapsed_s });
        }
        events.push(match run.state {
            RunState::Completed => Event::RunFinished(Outcome::Completed),
            _ => Event::RunFinished(Outcome::Interrupted),
        });
        if !predictions.is_empty() {
            let predicted = Event::Predicted { split: run.measured_on(), predictions: predictions.clone() };
            events.insert(events.len() - 1, predicted);
        }
        store.append(&run.key, &events).unwrap();
    }
    let runs = input.runs.iter().map(|run| (run.run.key.clone(), run.run.name.clone())).collect();
    let spec_path = format!("{name}.toml");
    store.save_experiment(&ExperimentRecord { name: name.into(), runs, spec_path, ..input.experiment }).unwrap();
}

pub fn recipe(name: &str, lr: f64, seed: u64, skill: f64) -> Recipe {
    Recipe { lr, seed, skill, rows: 200, steps_per_epoch: 10, dev: 0.1, ..Recipe::new(name, &TWO) }
}

/// Two learning rates by three seeds in `sweep`.
fn sweep() -> ReportInput {
    let of = |lr, text: &'static str, skill: f64| {
        (1..=3)
            .map(move |seed| recipe(&format!("lr={text} seed={seed}"), lr, seed, skill + 0.3 * seed as f64).completed())
    };
    experiment(of(1e-5, "1e-5", 0.8).chain(of(1e-4, "1e-4", 1.9)).collect::<Vec<_>>())
}

fn key(input: &ReportInput, run: usize) -> String {
    input.runs[run].run.key[..12].to_string()
}

/// `p` of a fair coin for each of `n` rows, of which it came down this way `k` times at most or the other: summed term by term.
fn fair_coin(k: u64, n: u64) -> f64 {
    let term = |k: u64| (1..=k).fold(0.5f64.powi(n as i32), |term, i| term * (n - i + 1) as f64 / i as f64);
    (2.0 * (0..=k).map(term).sum::<f64>()).min(1.0)
}

#[test]
fn two_runs_are_compared_row_by_row() {
    let sandbox = Sandbox::new();
    let input = sweep();
    let (a, b) = (&input.runs[0], &input.runs[3]);
    let right = |p: &Prediction| p.label == p.predicted;
    let rows = || a.predictions.iter().zip(&b.predictions);
    let gained = rows().filter(|(a, b)| !right(a) && right(b)).count() as u64;
    let lost = rows().filter(|(a, b)| right(a) && !right(b)).count() as u64;
    assert!(gained > lost && lost > 0, "{gained} {lost}: fixtures in which both happen");
    let keys = [key(&input, 0), key(&input, 3)];
    store(&sandbox, "sweep", input.clone());
    let command = ["compare", &keys[0], &keys[1]];
    let json = sandbox.json(&command);
    let against = &json["comparisons"][0];
    assert_eq!((&json["split"], &json["problem_type"]), (&"test".into(), &"single_label_classification".into()));
    assert_eq!([&against["flipped"]["gained"], &against["flipped"]["lost"]], [gained, lost]);
    let p = against["test"]["p"].as_f64().unwrap();
    assert!((p - fair_coin(lost, gained + lost)).abs() < 1e-12, "{p}");
    assert_eq!((&against["test"]["p_holm"], against["paired"].as_bool()), (&Value::Null, Some(true)));
    let difference = (gained as f64 - lost as f64) / 200.0;
    assert!((against["difference"].as_f64().unwrap() - difference).abs() < 1e-12);
    // Agresti and Min: half a row more in each cell.
    let (x, y, n) = (gained as f64 + 0.5, lost as f64 + 0.5, 202.0);
    let half = 1.959963984540054 * (x + y - (x - y).powi(2) / n).sqrt() / n;
    let low = against["interval"]["low"].as_f64().unwrap();
    assert!((low - ((x - y) / n - half)).abs() < 1e-12, "{low}");
    let accuracy = &json["metrics"][0];
    assert_eq!(
        (&accuracy["metric"], &accuracy["differences"][0]["interval"]),
        (&"accuracy".into(), &against["interval"])
    );
    let f1 = &json["metrics"][1];
    assert_eq!((&f1["metric"], &f1["differences"][0]["method"]), (&"macro_f1".into(), &"paired bootstrap".into()));
    let ends = ["low", "high"].map(|end| f1["differences"][0]["interval"][end].as_f64().unwrap());
    let d = f1["differences"][0]["difference"].as_f64().unwrap();
    assert!(ends[0] < d && d < ends[1] && ends[1] - ends[0] < 0.3, "{ends:?} {d}");
    // What it says, and what differs: the learning rate alone.
    let said = sandbox.ok(&command).replace('\u{a0}', " ");
    let net = gained - lost;
    assert!(said.contains(&format!("B is right on {net} more of 200 test rows than A: ")), "{said}");
    let verdict = if p < 0.05 { "This is more than chance explains" } else { "not distinguishable from chance" };
    assert!(said.contains(verdict) && said.contains("exact McNemar test, p"), "{said}");
    let keys: Vec<&str> = json["settings"].as_array().unwrap().iter().map(|s| s["key"].as_str().unwrap()).collect();
    assert_eq!((keys, &json["settings"][0]["values"]), (vec!["train.lr"], &serde_json::json!(["1e-5", "1e-4"])));
    assert_eq!(json["environment"], serde_json::json!([]));
    // The same bytes on each call.
    assert_eq!(sandbox.ok(&command), sandbox.ok(&command));
    let page = |name: &str| {
        sandbox.ok(&[&command[..], &["--html", name]].concat());
        fs::read_to_string(sandbox.path(name)).unwrap()
    };
    let first = page("one.html");
    assert!(first == page("deep/two.html"));
    assert!(first.contains("Training loss") && first.contains("Accuracy on the dev split"));
    assert!(first.contains("Content-Security-Policy\" content=\"default-src &#39;none&#39;; "));
    for outside in ["src=", "url(", "@import", "<link", "<img", "<iframe", "unsafe-inline", " style=", "<h2>", "<th>"] {
        assert!(!first.contains(outside), "{outside} in the page");
    }
    // Only its own style and script apply.
    assert_eq!((first.matches("<script").count(), first.matches("<style").count()), (1, 1));
    for (begin, end) in [("<style>", "</style>"), ("<script>", "</script>")] {
        let text = first.split_once(begin).and_then(|(_, rest)| rest.split_once(end)).unwrap().0;
        let hash = BASE64_STANDARD.encode(Sha256::digest(text));
        assert!(first.contains(&format!("-src &#39;sha256-{hash}&#39;")), "{begin}");
    }
    let contents = first.split_once("<nav ").and_then(|(_, rest)| rest.split_once("</nav>")).unwrap().0;
    for id in ["result", "differs", "metrics", "rows-B", "training"] {
        assert!(first.contains(&format!("<h2 id=\"{id}\"")) && contents.contains(&format!("href=\"#{id}\"")), "{id}");
    }
    let tables = first.matches("<table").count();
    assert_eq!(first.matches("<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=").count(), tables);
    assert!(first.contains("<table class=\"stack\" aria-label=\"Right in A, wrong in B\">"), "each by its content");
    assert_eq!(
        first.matches("http").count() - 1,
        first.matches("http://www.w3.org/2000/svg").count(),
        "http-equiv alone"
    );
}

#[test]
fn other_test_rows_are_compared_as_independent_samples() {
    let sandbox = Sandbox::new();
    let mut other = recipe("other", 1e-5, 1, 2.0).completed();
    other.run.config.data.seed = 7;
    other.predictions.iter_mut().for_each(|p| (p.row, p.line) = (p.row + 1000, p.line + 1000));
    let first = recipe("first", 1e-4, 1, 0.8).completed();
    let [a, b] = [&first, &other].map(|run| run.run.final_metrics.as_ref().unwrap().right());
    store(&sandbox, "one", experiment(vec![first]));
    store(&sandbox, "two", experiment(vec![other]));
    let json = sandbox.json(&["compare", "one", "two"]);
    let against = &json["comparisons"][0];
    assert_eq!((against["paired"].as_bool(), &against["flipped"]), (Some(false), &Value::Null));
    assert_eq!(against["method"], "Newcombe, from two Wilson intervals");
    let difference = (b as f64 - a as f64) / 200.0;
    assert!((against["difference"].as_f64().unwrap() - difference).abs() < 1e-12);
    let warned = json["warnings"].to_string();
    assert!(warned.contains("the test rows differ: A and B have different values of data.seed (42 and 7)"), "{warned}");
    let said = sandbox.ok(&["compare", "one", "two"]);
    assert!(said.contains("of 200 other rows") && said.contains("warning: the test rows differ"), "{said}");
    // Without predictions it is not known whether the rows are the same.
    let mut unknown = recipe("unknown", 3e-5, 1, 1.0).completed();
    unknown.predictions.clear();
    store(&sandbox, "unknown", experiment(vec![unknown]));
    let json = sandbox.json(&["compare", "one", "unknown"]);
    assert_eq!((&json["comparisons"][0]["test"], &json["warnings"]), (&Value::Null, &serde_json::json!([])));
    assert!(json["comparisons"][0]["sentences"].to_string().contains("the predictions of one of them are not stored"));
}

#[test]
fn several_are_corrected_and_trials_compared_by_their_seeds() {
    let sandbox = Sandbox::new();
    let input = sweep();
    let values: Vec<Vec<f64>> = input
        .runs
        .chunks(3)
        .map(|runs| runs.iter().map(|run| run.run.final_metrics.as_ref().unwrap().get(Metric::Accuracy)).collect())
        .collect();
    let keys = [0, 3, 4].map(|run| key(&input, run));
    store(&sandbox, "sweep", input);
    // Three runs: Holm's correction of two p-values.
    let json = sandbox.json(&["compare", &keys[0], &keys[1], &keys[2]]);
    let of = |i: usize, key: &str| json["comparisons"][i]["test"][key].as_f64().unwrap();
    let p = [of(0, "p"), of(1, "p")];
    let (low, high) = (p[0].min(p[1]), p[0].max(p[1]));
    for i in 0..2 {
        let want = if p[i] == low { (2.0 * low).min(1.0) } else { high.max(2.0 * low).min(1.0) };
        assert!((of(i, "p_holm") - want).abs() < 1e-15, "{p:?}");
    }
    assert!(json["correction"].as_str().unwrap().contains("2 comparisons with A"));
    let said = sandbox.ok(&["compare", &keys[0], &keys[1], &keys[2]]);
    assert!(said.contains("with Holm's correction for 2 comparisons") && said.contains("C against A: "), "{said}");
    // Trials, by rank and by name: the better one has rank 1.
    let json = sandbox.json(&["compare", "sweep#lr=1e-5", "sweep#1"]);
    assert_eq!([&json["sides"][0]["name"], &json["sides"][1]["name"]], ["lr=1e-5", "lr=1e-4"]);
    let against = &json["comparisons"][0];
    assert_eq!(against["test"]["name"], "Welch's t-test over seeds");
    let mean = |of: &[f64]| of.iter().sum::<f64>() / 3.0;
    let difference = mean(&values[1]) - mean(&values[0]);
    assert!((against["difference"].as_f64().unwrap() - difference).abs() < 1e-12);
    let said = against["sentences"].to_string();
    let means = [1, 0].map(|i: usize| Metric::Accuracy.text(mean(&values[i])));
    let wanted =
        format!("The mean test accuracy is {} for B over 3 seeds and {} for A over 3 seeds (", means[0], means[1]);
    assert!(said.contains(&wanted) && said.contains("Paired by seed: "), "{said}");
    assert_eq!(json, sandbox.json(&["compare", "lr=1e-5", "lr=1e-4"]), "a trial's name alone");
    // A run and a trial are not tested against each other.
    let json = sandbox.json(&["compare", "sweep#1", &keys[0]]);
    assert_eq!(json["comparisons"][0]["test"], Value::Null);
    assert!(json["comparisons"][0]["sentences"].to_string().contains("B is one run"), "{json}");
}

#[test]
fn seeds_whose_metric_is_undefined_are_not_said_to_agree() {
    let sandbox = Sandbox::new();
    let run = |lr: f64, seed| {
        let small =
            Recipe { lr, seed, rows: 60, steps_per_epoch: 5, ..Recipe::new(&format!("lr={lr:e} seed={seed}"), &SETS) };
        typed(&small, Task::MultiLabel)
    };
    let mut runs: Vec<RunInput> = [1e-5, 1e-4].iter().flat_map(|lr| (1..=3).map(move |seed| run(*lr, seed))).collect();
    // No row has a label, and none is predicted: no label has an F1.
    for run in &mut runs[4..] {
        let mut rows = run.predictions.clone();
        rows.iter_mut().for_each(|p| (p.label, p.predicted) = (Target::labels(vec![]), Target::labels(vec![])));
        let metrics = measure(Task::MultiLabel, &run.run.labels, &rows);
        assert!(metrics.get(Metric::MacroF1).is_nan());
        run.evals.iter_mut().filter(|e| e.when == When::After).for_each(|e| e.metrics = metrics.clone());
        run.run.final_metrics = Some(metrics);
    }
    store(&sandbox, "sweep", experiment(runs));
    let json = sandbox.json(&["compare", "sweep#lr=1e-5", "sweep#lr=1e-4"]);
    let said = json["comparisons"][0]["sentences"].to_string();
    let why = "macro-F1 is defined for 1 of the 3 runs of B, and a test needs two of each side";
    assert!(said.contains(why) && !said.contains("neither differ"), "{said}");
}

#[test]
fn sets_and_numbers_are_compared_by_the_errors_of_their_rows() {
    let sandbox = Sandbox::new();
    let small = |name: &str, labels: &[&str], lr, skill| Recipe {
        lr,
        skill,
        rows: 120,
        steps_per_epoch: 5,
        dev: 0.1,
        ..Recipe::new(name, labels)
    };
    let sets = [(1e-5, 0.8), (1e-4, 2.0)]
        .map(|(lr, skill)| typed(&small(&format!("lr={lr:e}"), &SETS, lr, skill), Task::MultiLabel));
    let wrong = |run: &RunInput| {
        let cells =
            |p: &Prediction| (0..5).filter(|id| p.label.ids().contains(id) != p.predicted.ids().contains(id)).count();
        run.predictions.iter().map(cells).sum::<usize>() as f64 / 600.0
    };
    let difference = wrong(&sets[1]) - wrong(&sets[0]);
    let keys = [0, 1].map(|i: usize| sets[i].run.key[..12].to_string());
    store(&sandbox, "sets", experiment(sets.to_vec()));
    let json = sandbox.json(&["compare", &keys[0], &keys[1]]);
    let against = &json["comparisons"][0];
    assert_eq!(against["metric"], "hamming_loss");
    assert!((against["difference"].as_f64().unwrap() - difference).abs() < 1e-12, "{difference}");
    let hamming = json["metrics"].as_array().unwrap().iter().find(|row| row["metric"] == "hamming_loss").unwrap();
    let low = hamming["differences"][0]["interval"]["low"].as_f64().unwrap();
    // The same resampled rows with and without strata of their own.
    assert!((low - against["interval"]["low"].as_f64().unwrap()).abs() < 1e-12);
    assert!(sandbox.ok(&["compare", &keys[0], &keys[1]]).contains("The share of labels that B predicts wrongly"));
    // Of three, the columns of the difference are of the metric that is tested, which their heading names.
    let third = typed(&small("lr=1e-3", &SETS, 1e-3, 1.2), Task::MultiLabel);
    let all = [&keys[0], &keys[1], &third.run.key[..12].to_string()].map(String::clone);
    store(&sandbox, "third", experiment(vec![third]));
    let said = sandbox.ok(&["compare", &all[0], &all[1], &all[2]]);
    let (heading, rows) = said.split_once("MACRO-F1").and_then(|(_, rest)| rest.split_once('\n')).unwrap();
    assert!(heading.replace('\u{a0}', " ").contains("HAMMING LOSS − A"), "{said}");
    let row = rows.lines().find(|line| line.trim_start().starts_with('B')).expect(&said).replace('\u{a0}', " ");
    assert!(row.contains(&compare::difference_text(Metric::HammingLoss, difference)), "{row}");

    let numbers = [(3e-5, 0.8), (3e-4, 2.0)]
        .map(|(lr, skill)| typed(&small(&format!("lr={lr:e}"), &["评分"], lr, skill), Task::Regression));
    let squares = |run: &RunInput| {
        let square = |p: &Prediction| (p.label.numbers()[0] - p.predicted.numbers()[0]).powi(2);
        run.predictions.iter().map(square).collect::<Vec<f64>>()
    };
    let (a, b) = (squares(&numbers[0]), squares(&numbers[1]));
    let closer = a.iter().zip(&b).filter(|(a, b)| b < a).count();
    let keys = [0, 1].map(|i: usize| numbers[i].run.key[..12].to_string());
    store(&sandbox, "numbers", experiment(numbers.to_vec()));
    let json = sandbox.json(&["compare", &keys[0], &keys[1]]);
    let against = &json["comparisons"][0];
    let mean = |of: &[f64]| of.iter().sum::<f64>() / 120.0;
    assert_eq!((&against["metric"], against["flipped"]["gained"].as_u64()), (&"mse".into(), Some(closer as u64)));
    assert!((against["difference"].as_f64().unwrap() - (mean(&b) - mean(&a))).abs() < 1e-12);
    let rmse = &json["metrics"][0];
    let want = mean(&b).sqrt() - mean(&a).sqrt();
    assert!(rmse["metric"] == "rmse" && (rmse["differences"][0]["difference"].as_f64().unwrap() - want).abs() < 1e-9);
    assert!(rmse["differences"][0]["interval"]["low"].is_f64(), "{rmse}");
}

#[test]
fn what_cannot_be_compared_is_refused_with_its_reason() {
    let sandbox = Sandbox::new();
    let input = sweep();
    let key = key(&input, 0);
    store(&sandbox, "sweep", input);
    let two = |name: &str, labels: &[&str]| Recipe { rows: 50, ..Recipe::new(name, labels) };
    store(&sandbox, "names", experiment(vec![Recipe { lr: 2e-5, ..two("names", &["negative", "good"]) }.completed()]));
    store(
        &sandbox,
        "swapped",
        experiment(vec![Recipe { lr: 3e-5, ..two("swapped", &["positive", "negative"]) }.completed()]),
    );
    store(&sandbox, "tags", experiment(vec![typed(&Recipe { lr: 4e-5, ..two("tags", &SETS) }, Task::MultiLabel)]));
    store(&sandbox, "waits", experiment(vec![Recipe { lr: 7e-5, ..two("waits", &TWO) }.pending()]));
    let refused = |arguments: &[&str], parts: &[&str]| {
        let (code, said) = sandbox.says(&[&["compare"], arguments].concat());
        assert_eq!(code, 2, "{arguments:?}: {said}");
        assert!(parts.iter().all(|part| said.contains(part)), "{arguments:?}: {said}");
    };
    refused(&[], &["<SIDES>...", "EXPERIMENT#RANK"]);
    refused(&[&key], &["name at least two runs or trials"]);
    refused(&[&key, &key], &["A and B are the same run"]);
    refused(&["sweep#lr=1e-5", &key], &["A and B both contain the run"]);
    refused(&[&key, "swep"], &["no run has the key or the name `swep`", "did you mean `sweep`?"]);
    refused(&["sweep", &key], &["`sweep` has 2 trials", "'sweep#1'", "lr=1e-4"]);
    refused(&["sweep#9", &key], &["no trial of rank 9", "ranks 1 to 2"]);
    refused(&["sweep#lr=1e-6", &key], &["has no trial `lr=1e-6`", "did you mean `lr=1e-"]);
    refused(&[&key, "names"], &["different labels", "only A has `positive`", "only B has `good`"]);
    refused(&[&key, "swapped"], &["the same labels in a different order"]);
    refused(&[&key, "tags"], &["problem type multi_label_classification", "single_label_classification"]);
    let trains = "`taper run waits.toml --set 'probes=[{text = \"it'\\''s\"}]'` trains it";
    refused(&[&key, "waits"], &["B (waits) has no results yet: it was not trained yet", trains]);
}

#[test]
fn a_run_that_is_not_final_is_shown_and_not_tested() {
    let sandbox = Sandbox::new();
    let done = recipe("done", 1e-5, 1, 1.5).completed();
    let mut half = recipe("half", 1e-4, 1, 1.5).completed();
    half.run.state = RunState::Interrupted;
    half.predictions.clear();
    half.evals.retain(|e| e.when != When::After);
    half.steps.truncate(20);
    half.run.config.train.precision = taper::plan::Precision::Bf16;
    if let Some(environment) = &mut half.run.environment {
        environment.device = "cuda:0".into();
        environment.gpu = "NVIDIA H200".into();
    }
    store(&sandbox, "done", experiment(vec![done]));
    store(&sandbox, "half", experiment(vec![half]));
    let json = sandbox.json(&["compare", "done", "half"]);
    assert_eq!((json["sides"][1]["final"].as_bool(), &json["comparisons"][0]["test"]), (Some(false), &Value::Null));
    let warned = json["warnings"].to_string();
    for part in
        ["B is not final (interrupted at step 20 of 30)", "different precisions or engines", "different machines"]
    {
        assert!(warned.contains(part), "{part}: {warned}");
    }
    let environment = json["environment"].to_string();
    assert!(environment.contains("cuda:0: NVIDIA H200") && !environment.contains("threads"), "{environment}");
}

/// Without a dev split, trials are ranked by the rows on which they are compared.
#[test]
fn what_was_chosen_by_the_test_rows_says_so() {
    let sandbox = Sandbox::new();
    let run = |lr: f64, skill| Recipe { dev: 0.0, ..recipe(&format!("lr={lr:e}"), lr, 1, skill) }.completed();
    let mut input = experiment(vec![run(1e-5, 0.5), run(1e-4, 2.5), run(1e-3, 1.5)]);
    let keys = [0, 1, 2].map(|i| key(&input, i));
    input.experiment.trials = vec![0, 1, 2];
    store(&sandbox, "sweep", input);
    let warned = |a: &str, b: &str| sandbox.json(&["compare", a, b])["warnings"].to_string();
    assert!(warned("sweep#2", "sweep#1").contains("A and B were chosen by the test rows"));
    assert!(
        warned(&keys[0], &keys[1]).contains("B was chosen by the test rows, because there is no dev split"),
        "the best"
    );
    assert_eq!(warned(&keys[0], &keys[2]), "[]");
    // Also once the runs of the others were removed.
    store(&sandbox, "other", experiment(vec![run(2e-5, 0.5)]));
    sandbox.ok(&["rm", &keys[0], &keys[2], "--yes"]);
    assert!(warned("other", &keys[1]).contains("B was chosen by the test rows"));
}

/// Without a test split, they are ranked by the dev rows on which they are compared.
#[test]
fn what_was_chosen_by_the_dev_rows_says_so() {
    const SAYS: &str = "chosen among the trials by the same dev rows";
    let sandbox = Sandbox::new();
    let run = |lr: f64, skill| Recipe { test: 0.0, ..recipe(&format!("lr={lr:e}"), lr, 1, skill) }.completed();
    let input = experiment(vec![run(2e-5, 0.5), run(2e-4, 2.5), run(2e-3, 1.5)]);
    let keys = [0, 1, 2].map(|i| key(&input, i));
    store(&sandbox, "sweep", input);
    store(&sandbox, "tested", sweep());
    let warned = |a: &str, b: &str| sandbox.json(&["compare", a, b])["warnings"].to_string();
    assert!(warned("sweep#2", "sweep#1").contains(&format!("A and B were {SAYS}")));
    assert!(warned(&keys[0], &keys[1]).contains(&format!("B was {SAYS}")), "the best");
    assert!(!warned(&keys[0], &keys[2]).contains(SAYS), "neither is");
    assert!(!warned("tested#2", "tested#1").contains(SAYS), "on other rows than those that chose");
}

#[test]
fn a_page_replaces_only_pages() {
    let sandbox = Sandbox::new();
    let input = sweep();
    let keys = [key(&input, 0), key(&input, 1)];
    store(&sandbox, "sweep", input);
    let compare = |more: &[&str]| sandbox.says(&[&["compare", &keys[0], &keys[1], "--html"], more].concat());
    sandbox.write("mine.html", "<p>mine</p>");
    let (code, said) = compare(&["mine.html"]);
    assert!(code == 2 && said.contains("no `taper compare` wrote it") && said.contains("--force"), "{said}");
    assert_eq!(fs::read_to_string(sandbox.path("mine.html")).unwrap(), "<p>mine</p>");
    let (code, said) = compare(&["runs"]);
    assert!(code == 2 && said.contains("folder"), "{said}");
    assert_eq!(compare(&["mine.html", "--force"]).0, 0);
    assert_eq!(compare(&["mine.html"]).0, 0, "its own page");
    assert!(fs::read_to_string(sandbox.path("mine.html")).unwrap().starts_with("<!doctype html>"));
}

/// Names, labels and reviews with markup, terminal sequences and marks that turn the direction of text.
#[test]
fn hostile_text_is_inert() {
    const EVIL: &str = "<script>alert(1)</script>\u{1b}[31mred\u{202e}evil\u{9b}2J&\"'";
    let sandbox = Sandbox::new();
    let labels = [EVIL, "b|*x*"];
    let mut runs: Vec<RunInput> = [(1e-5, 0.5), (1e-4, 2.0)]
        .map(|(lr, skill)| {
            Recipe { lr, skill, rows: 60, steps_per_epoch: 5, ..Recipe::new(&format!("{EVIL} lr={lr:e}"), &labels) }
                .completed()
        })
        .into();
    for run in &mut runs {
        run.predictions.iter_mut().for_each(|p| p.text = format!("{EVIL} {}", p.line));
    }
    let keys = [0, 1].map(|i: usize| runs[i].run.key[..12].to_string());
    store(&sandbox, EVIL, experiment(runs));
    let said = sandbox.ok(&["compare", &keys[0], &keys[1], "--html", "page.html"]);
    let page = fs::read_to_string(sandbox.path("page.html")).unwrap();
    for (what, text) in [("terminal", &said), ("page", &page)] {
        assert!(text.contains("evil"), "{what}: the text is shown");
        for c in ['\u{1b}', '\u{202e}', '\u{9b}'] {
            assert!(!text.contains(c), "{what}: {c:?}");
        }
    }
    assert!(page.matches("<script").count() == 1 && !page.contains("alert(1)</script>"));
    assert!(sandbox.json(&["compare", &keys[0], &keys[1]])["sides"][0]["name"].as_str().unwrap().starts_with(EVIL));
}

//! `taper compare` on stored cross-validations.

use std::fs;

use serde_json::Value;
use taper::{
    event::{Prediction, Split, When},
    metrics::{Metric, Metrics, Scored},
    plan::Fold,
    report::RunInput,
    store::{RunSize, RunState},
};

use super::{
    compare::{recipe, store},
    report_fixtures::{Recipe, experiment},
};
use crate::support::Sandbox;

/// A fold of a cross-validation: the rows whose number has this remainder.
fn fold(recipe: &Recipe, number: u32) -> RunInput {
    let mut run = Recipe { name: format!("{} fold={number}/5", recipe.name), ..recipe.clone() }.completed();
    run.run.config.data.fold = Some(format!("{number}/5").parse::<Fold>().unwrap());
    run.run.config.data.test = 0.0.into();
    run.run.key = format!("{number}{}", &run.run.key[1..]);
    run.predictions.retain(|p| p.row % 5 == number - 1);
    run.run.size = Some(RunSize { steps_per_epoch: 10, train_rows: 140, dev_rows: 20, test_rows: 40, parameters: 9 });
    let scored = |p: &Prediction| {
        Scored::of_label(p.label.ids()[0], (p.predicted.ids()[0], p.probabilities.highest()), &[], 0.5)
    };
    let metrics = Metrics::new(&run.run.labels, run.predictions.iter().map(scored));
    let after = run.evals.iter_mut().find(|e| e.when == When::After && e.split == Split::Test).unwrap();
    after.metrics = metrics.clone();
    run.run.final_metrics = Some(metrics);
    run
}

#[test]
fn cross_validations_are_compared_by_their_folds() {
    let sandbox = Sandbox::new();
    let of = |lr, text: &str, skill| {
        let recipe = recipe(&format!("lr={text}"), lr, 1, skill);
        (1..=5).map(|number| fold(&recipe, number)).collect::<Vec<_>>()
    };
    let (a, b) = (of(1e-5, "1e-5", 0.9), of(1e-4, "1e-4", 1.4));
    let accuracy = |run: &RunInput| run.run.final_metrics.as_ref().unwrap().get(Metric::Accuracy);
    let differences: Vec<f64> = a.iter().zip(&b).map(|(a, b)| accuracy(b) - accuracy(a)).collect();
    store(&sandbox, "cv", experiment([a, b].concat()));
    let json = sandbox.json(&["compare", "cv#lr=1e-5", "cv#lr=1e-4"]);
    let against = &json["comparisons"][0];
    assert_eq!(against["test"]["name"], "Nadeau and Bengio's corrected t-test over folds");
    let mean = differences.iter().sum::<f64>() / 5.0;
    let variance = differences.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / 4.0;
    // scipy: stats.t.ppf(.975, 4).
    // Of 200 rows 40 are tested; of the others, 20 are dev rows.
    let half = 2.7764451051977987 * ((1.0 / 5.0 + 40.0 / 140.0) * variance).sqrt();
    let ends = ["low", "high"].map(|end| against["interval"][end].as_f64().unwrap());
    assert!((ends[0] - (mean - half)).abs() < 1e-10 && (ends[1] - (mean + half)).abs() < 1e-10, "{ends:?}");
    assert_eq!(
        (&against["flipped"]["rows"], &json["sides"][0]["rows"]),
        (&200.into(), &200.into()),
        "all folds together"
    );
    assert_eq!(json["warnings"], serde_json::json!([]));
}

/// Two learning rates on five folds, in the experiment `cv`; of the second only some folds are completed.
fn folds_of_two(completed: &[u32]) -> [Vec<RunInput>; 2] {
    [(1e-5, "1e-5", 0.9), (1e-4, "1e-4", 1.4)].map(|(lr, text, skill)| {
        let recipe = recipe(&format!("lr={text}"), lr, 1, skill);
        let run = |number| {
            let mut run = fold(&recipe, number);
            if lr == 1e-4 && !completed.contains(&number) {
                run.run.state = RunState::Pending;
            }
            run
        };
        (1..=5).map(run).collect()
    })
}

#[test]
fn incomplete_cross_validations_are_compared_over_the_folds_of_both() {
    let sandbox = Sandbox::new();
    let [a, b] = folds_of_two(&[1, 2, 4]);
    let value = |run: &RunInput| run.run.final_metrics.as_ref().unwrap().get(Metric::Accuracy);
    let [of_a, of_b] = [&a, &b].map(|runs| [0, 1, 3].map(|i: usize| value(&runs[i])));
    let all_of_a = a.iter().map(value).sum::<f64>() / 5.0;
    store(&sandbox, "cv", experiment([a, b].concat()));
    let json = sandbox.json(&["compare", "cv#lr=1e-5", "cv#lr=1e-4", "--html", "cv.html"]);
    let means = [of_a, of_b].map(|values| values.iter().sum::<f64>() / 3.0);
    assert!((means[0] - all_of_a).abs() > 1e-3, "a fixture whose other folds matter");
    let near = |got: &Value, want: f64| assert!((got.as_f64().unwrap() - want).abs() < 1e-12, "{got} {want}");
    let differences = [0, 1, 2].map(|i: usize| of_b[i] - of_a[i]);
    let mean = differences.iter().sum::<f64>() / 3.0;
    let (against, accuracy) = (&json["comparisons"][0], &json["metrics"][0]);
    near(&against["difference"], mean);
    near(&accuracy["differences"][0]["difference"], mean);
    near(&accuracy["values"][0], means[0]);
    near(&accuracy["values"][1], means[1]);
    let variance = differences.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / 2.0;
    // scipy: stats.t.ppf(.975, 2).
    let half = 4.302652729911275 * ((1.0 / 3.0 + 40.0 / 140.0) * variance).sqrt();
    assert!((against["interval"]["low"].as_f64().unwrap() - (mean - half)).abs() < 1e-9);
    let said = against["sentences"].to_string();
    let texts = Metric::Accuracy.texts_apart(means[0], means[1]);
    let wanted = format!("over the same 3 folds is {} for B and {} for A (", texts[1], texts[0]);
    assert!(said.contains(&wanted), "{said}");
    let warned = json["warnings"].to_string();
    assert!(warned.contains("A is the mean of 3 of 5 runs: the folds of the others are not completed by every side"));
    assert!(warned.contains("B is the mean of 3 of 5 runs: the others are not completed"), "{warned}");
    // Each fold has 40 rows.
    assert_eq!([&json["sides"][0]["rows"], &json["sides"][1]["rows"]], [120, 120]);
    let page = fs::read_to_string(sandbox.path("cv.html")).unwrap();
    assert_eq!(page.matches("120 rows of 3 of 5 folds").count(), 2);
}

#[test]
fn folds_without_predictions_are_not_known_to_be_the_same() {
    let sandbox = Sandbox::new();
    let [a, mut b] = folds_of_two(&[1, 2, 3, 4, 5]);
    let bare = |runs: &[RunInput], lr: f64| -> Vec<RunInput> {
        let runs = runs.iter().cloned().map(|mut run| {
            run.predictions.clear();
            run.run.config.train.lr = lr;
            run.run.key = format!("{lr:e}{}", &run.run.key).replace(['-', 'e'], "0")[..64].into();
            run.run.name = run.run.name.replace("lr=1e-", &format!("lr={lr:e} was 1e-"));
            run
        });
        runs.collect()
    };
    let (bare_a, bare_b) = (bare(&a, 2e-5), bare(&b, 3e-5));
    b.iter_mut().for_each(|run| run.predictions.iter_mut().for_each(|p| p.row += 1));
    for (name, runs) in [("a", a), ("b", b), ("bare-a", bare_a), ("bare-b", bare_b)] {
        store(&sandbox, name, experiment(runs));
    }
    let said = |one: &str, other: &str| {
        let against = &sandbox.json(&["compare", one, other])["comparisons"][0];
        assert_eq!(against["test"], Value::Null, "{one} {other}");
        against["sentences"].to_string()
    };
    for (one, other) in [("bare-a", "bare-b"), ("a", "bare-b"), ("bare-a", "b")] {
        let said = said(one, other);
        assert!(said.contains("the predictions of one of them are not stored"), "{one} {other}: {said}");
    }
    assert!(said("a", "b").contains("their folds have different rows"));
}

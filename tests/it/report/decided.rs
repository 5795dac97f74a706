//! What a report shows of a run with thresholds and a temperature, against scikit-learn: `tests/fixtures/decisions/report.py`.

use std::collections::BTreeMap;

use serde::Deserialize;
use taper::{
    event::{Decided, Prediction},
    metrics::{Decision, Metric, Metrics, Probabilities, Target},
    plan::Thresholds,
    report::ReportInput,
    task::{Answer, Task},
};

use super::{
    files_of,
    report_fixtures::{Recipe, experiment},
    text,
    typed_fixtures::typed,
};

#[derive(Deserialize)]
struct Reference {
    two: Case<u32>,
    sets: Case<Vec<u32>>,
}

/// Rows, and what is measured of them without and with the decision.
#[derive(Deserialize)]
struct Case<L> {
    logits: Vec<Vec<f32>>,
    labels: Vec<L>,
    temperature: f64,
    thresholds: Vec<f64>,
    /// Rows that are predicted wrongly with it.
    wrong: Vec<usize>,
    confusion: Vec<Vec<Vec<u64>>>,
    /// Precision, recall, F1 and rows of each label.
    classes: Vec<Vec<[Option<f64>; 4]>>,
}

fn reference() -> Reference {
    serde_json::from_str(include_str!("../../fixtures/decisions/report.json")).unwrap()
}

const TWO: [&str; 2] = ["no", "yes"];
const SETS: [&str; 3] = ["味道", "配送", "价格"];

/// A report of one run with these rows; `labels` has all labels, of which the first are those of the rows.
fn input<L>(case: &Case<L>, task: Task, labels: &[&str], target: impl Fn(&L) -> Target) -> ReportInput {
    let recipe = Recipe { rows: case.logits.len(), ..Recipe::new("decided", labels) };
    let mut run = match task {
        Task::SingleLabel => recipe.completed(),
        task => typed(&recipe, task),
    };
    let decision = Decision { temperature: case.temperature, thresholds: Some(case.thresholds.clone()) };
    let targets: Vec<Target> = case.labels.iter().map(target).collect();
    // Labels that no row of the reference has are never predicted.
    let wide = |logits: &Vec<f32>| task.answer(&[&logits[..], &vec![-9.0; labels.len() - logits.len()]].concat());
    let plain: Vec<Answer> = case.logits.iter().map(wide).collect();
    let measure = |answers: &mut dyn Iterator<Item = Answer>| -> Metrics {
        task.measure(&run.run.labels, answers.zip(&targets).map(|(answer, target)| answer.scored(target)))
    };
    let without = measure(&mut plain.iter().cloned());
    let with = measure(&mut plain.iter().map(|answer| answer.clone().decided(&decision)));
    let row = |(i, (text, answer)): (usize, (Prediction, Answer))| Prediction {
        row: i as u32,
        label: targets[i].clone(),
        predicted: answer.predicted().clone(),
        probabilities: Probabilities::new(answer.into_probabilities(), targets[i].ids()),
        ..text
    };
    assert_eq!(run.predictions.len(), plain.len());
    run.predictions = std::mem::take(&mut run.predictions).into_iter().zip(plain).enumerate().map(row).collect();
    run.before.clear();
    (run.run.config.data.thresholds, run.run.config.data.calibrate) = (Thresholds::Tuned, true);
    run.run.final_metrics = Some(without);
    let metric = Some(Metric::MacroF1);
    run.run.decided = Some(Decided { decision, metric, dev: with.clone(), test: Some(with) });
    experiment(vec![run])
}

fn two() -> ReportInput {
    input(&reference().two, Task::SingleLabel, &TWO, |label| Target::Label(*label))
}

fn sets() -> ReportInput {
    input(&reference().sets, Task::MultiLabel, &SETS, |labels| Target::labels(labels.clone()))
}

fn lines(files: &BTreeMap<String, Vec<u8>>, name: &str) -> Vec<BTreeMap<String, String>> {
    csv::Reader::from_reader(text(files, name).as_bytes()).deserialize().map(Result::unwrap).collect()
}

/// The lines of classes.csv are those of scikit-learn, without and with the decision; the page has the latter.
fn has_classes(files: &BTreeMap<String, Vec<u8>>, classes: &[Vec<[Option<f64>; 4]>], labels: &[&str]) {
    let all = lines(files, "classes.csv");
    for (decision, want) in ["without", "with"].iter().zip(classes) {
        let of: Vec<_> = all.iter().filter(|line| line["decision"] == *decision).collect();
        assert_eq!(of.len(), labels.len());
        for (line, want) in of.iter().zip(want) {
            for (name, want) in ["precision", "recall", "f1", "rows"].iter().zip(want) {
                let got = line[*name].parse::<f64>().ok();
                let near = got.zip(*want).is_some_and(|(got, want)| (got - want).abs() < 1e-12);
                assert!(near || got == *want, "{decision} {name}: {line:?}, wanted {want:?}");
            }
        }
    }
    let page = text(files, "report.md");
    for (id, (label, of)) in labels.iter().zip(&classes[1]).enumerate() {
        let share = |at: usize| format!("{:.1}%", 100.0 * of[at].unwrap());
        let row = format!("| {id} | {label} | {} | {} | {} |", share(0), share(1), share(2));
        assert!(page.contains(&row), "{row}: {page}");
    }
    assert_ne!(classes[0], classes[1], "the decision would not be noticed");
}

/// The mistakes are the rows that are wrong with the decision, and predictions.csv has both predictions.
fn has_mistakes(files: &BTreeMap<String, Vec<u8>>, wrong: &[usize]) {
    let mut rows: Vec<usize> = lines(files, "mistakes.csv").iter().map(|line| line["row"].parse().unwrap()).collect();
    rows.sort_unstable();
    assert_eq!(rows, wrong);
    let predictions = lines(files, "predictions.csv");
    let wrong_with = predictions.iter().filter(|line| line["right_with_decision"] == "false");
    assert_eq!(wrong_with.map(|line| line["row"].parse::<usize>().unwrap()).collect::<Vec<_>>(), wrong);
    let without: Vec<usize> =
        predictions.iter().filter(|line| line["right"] == "false").map(|line| line["row"].parse().unwrap()).collect();
    assert_ne!(without, wrong, "the decision would not be noticed");
}

#[test]
fn tables_and_mistakes_of_two_labels_are_with_the_threshold() {
    let (case, files) = (reference().two, files_of(&two()));
    for (decision, want) in ["without", "with"].iter().zip(&case.confusion) {
        let mut got = vec![vec![0; 2]; 2];
        let id = |name: &str| TWO.iter().position(|label| *label == name).unwrap();
        for line in lines(&files, "confusion.csv").iter().filter(|line| line["decision"] == *decision) {
            got[id(&line["label"])][id(&line["predicted"])] = line["rows"].parse::<u64>().unwrap();
        }
        assert_eq!(&got, want, "{decision}");
    }
    has_classes(&files, &case.classes, &TWO);
    has_mistakes(&files, &case.wrong);
    let (page, svg) = (text(&files, "report.md"), text(&files, "confusion.svg"));
    let [_, with] = &case.confusion[..] else { panic!("two matrices") };
    let cells: Vec<u64> = svg.lines().filter_map(|line| line.parse().ok()).collect();
    assert_eq!(cells, with.concat(), "the texts of the chart that are whole numbers, row by row");
    for said in [
        "Shares are of each label's rows. With the temperature and the thresholds.",
        "The table is of the predictions with the temperature and the thresholds.",
        "Predicted with the temperature and the thresholds.",
        "With the decision: the confusion matrix, the classes, the reliability diagram, the mistakes, `mistakes.csv`, the probes after training.",
    ] {
        assert!(page.contains(said), "{said}: {page}");
    }
    assert!(!page.contains("All other numbers"));
}

#[test]
fn tables_and_mistakes_of_sets_are_with_the_thresholds() {
    let (case, files) = (reference().sets, files_of(&sets()));
    has_classes(&files, &case.classes, &SETS);
    has_mistakes(&files, &case.wrong);
    let page = text(&files, "report.md");
    assert!(page.contains("| Metric | Without the decision (95% interval) | With it (95% interval) |"), "{page}");
}

/// Of more than 100 labels not all probabilities are stored: single rows are without the decision, and are called so; what was measured with
/// it is shown with it.
#[test]
fn rows_whose_decision_is_not_known_are_called_so() {
    let case = reference().sets;
    let names: Vec<String> = (0..101).map(|id| if id < 3 { SETS[id].into() } else { format!("rare {id}") }).collect();
    let labels: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut case = case;
    case.thresholds.resize(101, 0.5);
    let files = files_of(&input(&case, Task::MultiLabel, &labels, |labels| Target::labels(labels.clone())));
    let page = text(&files, "report.md");
    assert!(page.contains("Predicted without the temperature and the thresholds."), "{page}");
    assert!(page.contains("The table is of the predictions with the temperature and the thresholds."), "{page}");
    assert!(page.contains("Single rows are shown without the decision"), "{page}");
    assert!(lines(&files, "predictions.csv").iter().all(|line| line["predicted_with_decision"].is_empty()));
}

/// Where the stored probabilities do not give what was measured with the decision, no row is shown with it; what was measured is.
#[test]
fn rows_that_give_other_metrics_are_not_used() {
    let mut input = two();
    for row in &mut input.runs[0].predictions {
        let other = row.probabilities.iter().map(|(_, p)| 1.0 - p).collect();
        row.probabilities = Probabilities::new(other, row.label.ids());
    }
    let (case, files) = (reference().two, files_of(&input));
    has_classes(&files, &case.classes, &TWO);
    assert!(lines(&files, "predictions.csv").iter().all(|line| line["right_with_decision"].is_empty()));
    let page = text(&files, "report.md");
    assert!(page.contains("Predicted without the temperature and the thresholds."), "{page}");
    assert!(page.contains("Shares are of each label's rows. With the temperature and the thresholds."), "{page}");
    assert!(page.contains("Without it: the reliability diagram, the mistakes, `mistakes.csv`, all else"), "{page}");
}

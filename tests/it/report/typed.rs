//! Reports of models that predict sets of labels, or numbers.

use taper::{
    event::Prediction,
    metrics::{Metric, Target},
    report::{ReportInput, RunInput},
    task::Task,
};

use super::{
    files_of, text,
    typed_fixtures::{
        self, SETS, by_decision, columns, measure, numbers, numbers_folds, numbers_sweep, sets, sets_folds, sets_sweep,
    },
};

fn markdown(input: &ReportInput) -> String {
    text(&files_of(input), "report.md").to_owned()
}

/// The text and numbers of whole reports. Charts are checked by eye.
#[test]
fn markdown_of_sets() {
    insta::assert_snapshot!(markdown(&sets_sweep()));
}

#[test]
fn markdown_of_numbers() {
    insta::assert_snapshot!(markdown(&numbers_sweep()));
}

#[test]
fn markdown_of_columns() {
    insta::assert_snapshot!(markdown(&columns()));
}

#[test]
fn markdown_of_folds_of_sets() {
    insta::assert_snapshot!(markdown(&sets_folds()));
}

#[test]
fn markdown_of_folds_of_numbers() {
    insta::assert_snapshot!(markdown(&numbers_folds()));
}

/// Each fold has thresholds of its own: the metrics with them are those of the held-out rows of all folds, each predicted by the model and
/// the thresholds of its fold, and never those of one fold.
#[test]
fn the_decisions_of_folds_are_measured_out_of_fold() {
    let input = sets_folds();
    let labels = &input.runs[0].run.labels;
    let decision = |run: &RunInput| run.run.decided.clone().expect("a decision").decision;
    let rows = |of: &dyn Fn(&RunInput) -> Vec<Prediction>| {
        measure(Task::MultiLabel, labels, &input.runs.iter().flat_map(of).collect::<Vec<_>>())
    };
    let with = rows(&|run| by_decision(&run.predictions, &decision(run)));
    let without = rows(&|run| run.predictions.clone());
    let page = markdown(&input);
    for metric in [Metric::MacroF1, Metric::MicroF1, Metric::SubsetAccuracy, Metric::Loss] {
        let [without, with] = [&without, &with].map(|metrics| metric.text(metrics.get(metric)));
        assert_ne!(without, with);
        let (first, rest) = metric.name().split_at(1);
        let name = first.to_uppercase() + rest;
        let row = page.lines().find(|line| {
            line.starts_with(&format!("| {name} |")) && line.matches('|').count() == 4 && line.contains(&with)
        });
        assert!(row.is_some_and(|row| row.contains(&without)), "{name} {without} {with}: {page}");
    }
    // Of the temperatures 1.1, 1.2 and 1.3, and the second label's thresholds 0.40, 0.45 and 0.50.
    for said in ["1.200 (1.100–1.300)", "“味道好” 0.450 (0.400–0.500)", "| Out-of-fold, without | Out-of-fold, with |"]
    {
        assert!(page.contains(said), "{said}: {page}");
    }
    // Each run's own are in the tables, and its metrics with them.
    let files = files_of(&input);
    let mut decisions = csv::Reader::from_reader(text(&files, "decisions.csv").as_bytes());
    let rows: Vec<(String, f64, String, usize, String, f64)> = decisions.deserialize().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 3 * labels.len());
    let (name, temperature, metric, id, label, threshold) = &rows[labels.len() + 1];
    assert_eq!((name.as_str(), metric.as_str(), *id, label), ("tags fold=2/3", "macro_f1", 1, &labels[1]));
    assert!((temperature - 1.2).abs() < 1e-12 && (threshold - 0.45).abs() < 1e-12);
    let all = text(&files, "metrics.csv");
    let of_run = measure(Task::MultiLabel, labels, &by_decision(&input.runs[1].predictions, &decision(&input.runs[1])));
    let want =
        format!("tags fold=2/3,test,decided,{},macro_f1,{}", input.runs[1].run.steps, of_run.get(Metric::MacroF1));
    assert!(all.contains(&want), "{want}: {all}");
    // One fold that has not decided: nothing is said of all of them.
    let mut open = sets_folds();
    open.runs[1].run.decided = None;
    assert!(!markdown(&open).contains("### Decision"));
}

#[test]
fn no_word_of_another_task_is_on_the_page() {
    for (fixture, input) in typed_fixtures::all() {
        let files = files_of(&input);
        let (html, md) = (text(&files, "report.html"), text(&files, "report.md"));
        let task = input.runs[0].run.config.data.task();
        let mut others = vec!["onfusion matrix", "McNemar", "cross-entropy in nats, without", "rows right"];
        match task {
            Task::Regression => {
                others.extend(["ccuracy", "acro-F1", "Precision", "onfident", "cross-entropy", "Reliability", "NaN"])
            }
            _ => others.extend(["RMSE", "R²", "est accuracy", "ev accuracy"]),
        }
        for other in others {
            assert!(!md.contains(other), "{fixture}: {other} in {md}");
            let shown = html.split("<details><summary>Resolved config").next().unwrap();
            assert!(!shown.contains(other), "{fixture}: {other} in the page");
        }
        assert!(files_of(&input) == files, "{fixture}: other bytes");
    }
}

#[test]
fn each_task_has_its_charts() {
    let charts = |input: &ReportInput| {
        let files = files_of(input);
        let mut names: Vec<String> =
            files.keys().filter_map(|name| name.strip_suffix(".svg")).map(String::from).collect();
        names.sort();
        names
    };
    let with = |own: &[&str]| {
        let every = ["before-after", "gradient-norm", "learning-rate", "loss", "train-dev"];
        let mut names: Vec<String> = every.iter().chain(own).map(|name| name.to_string()).collect();
        names.sort();
        names
    };
    let of_sets = ["co-occurrence", "confidence-change", "macro_f1", "probes", "reliability", "reliability-change"];
    assert_eq!(charts(&sets()), with(&of_sets));
    assert_eq!(charts(&numbers()), with(&["errors", "errors-change", "predicted", "rmse"]));
    let of_columns = ["errors", "errors-2", "errors-change", "errors-change-2", "predicted", "predicted-2", "rmse"];
    assert_eq!(charts(&columns()), with(&of_columns));
}

/// Of a set, each label that is expected or predicted has its probability: the labels of the sets are known by the separator of the data.
#[test]
fn the_probes_of_sets_show_each_label() {
    let mut input = sets();
    let run = &mut input.runs[0];
    run.run.config.data.label_separator = Some(";".into());
    let names = run.run.labels.clone();
    for probe in &mut run.probes {
        let (expect, predicted) = match probe.score.position {
            0 => (Some([1, 0]), vec![0, 2]),
            1 => (None, vec![1]),
            _ => (None, vec![]),
        };
        probe.score.expect = expect.map(|ids: [usize; 2]| ids.map(|id| names[id].clone()).join("; "));
        probe.score.predicted = Target::labels(predicted).shown(&names);
        (probe.score.right, probe.score.confidence) = (None, None);
    }
    let files = files_of(&input);
    let chart = text(&files, "probes.svg");
    let says = |what: &str| chart.matches(what).count();
    assert_eq!(
        [says("expected “"), says("not expected: “"), says("no label expected; shown: “")],
        [2, 1, 1],
        "{chart}"
    );
    assert_eq!(says("no label predicted; most probable: “"), 2);
    // Also a label with the separator of sets in its name.
    for (label, why) in [(SETS[0], "expected"), (SETS[1], "expected"), ("&lt;b&gt;太咸&lt;/b&gt;|多", "not expected:")]
    {
        assert!(chart.contains(&format!("{why} “{label}”: its probability")), "{label}: {chart}");
    }
    let md = text(&files, "report.md");
    assert!(md.contains("Probability of each label that is expected or predicted."), "{md}");
}

/// The number of dots of a chart is bounded, and the caption says so.
#[test]
fn many_rows_are_thinned() {
    let files = files_of(&columns());
    assert_eq!(text(&files, "predicted.svg").matches("<circle").count(), 2000);
    assert!(text(&files, "report.md").contains("2,000 of 3,000 rows are drawn."));
    assert_eq!(text(&files_of(&numbers()), "predicted.svg").matches("<circle").count(), 600);
}

#[test]
fn a_model_of_sets_that_says_the_same_of_every_row_is_called_so() {
    let said = |predicted: &[u32]| {
        let mut input = sets();
        let run = &mut input.runs[0];
        run.predictions.iter_mut().for_each(|p| p.predicted = Target::labels(predicted.into()));
        run.run.final_metrics = Some(measure(Task::MultiLabel, &run.run.labels, &run.predictions));
        markdown(&input)
    };
    assert!(said(&[]).contains("The model predicts no label for any row."));
    assert!(said(&[0, 1]).contains("The model predicts “送餐快\\|味道好” for every row."));
    let all = said(&[0, 1, 2, 3, 4]);
    assert!(all.contains("The baseline predicts all labels for every row: macro-F1 "), "{all}");
}

#[test]
fn a_model_of_numbers_is_compared_with_their_mean() {
    let said = |change: &dyn Fn(usize, f64) -> f64| {
        let mut input = numbers();
        let run = &mut input.runs[0];
        for (i, p) in run.predictions.iter_mut().enumerate() {
            p.predicted = Target::values(vec![change(i, p.label.numbers()[0])]);
        }
        run.run.final_metrics = Some(measure(Task::Regression, &run.run.labels, &run.predictions));
        markdown(&input)
    };
    assert!(
        said(&|_, _| 3.0).contains("The model predicts the same for every row, which is no better than the baseline.")
    );
    let opposite = said(&|_, value| 6.0 - value);
    assert!(opposite.contains("The model is no better than predicting the mean: its R² is −"), "{opposite}");
    let near = said(&|i, value| value + if i % 2 == 0 { 0.1 } else { -0.1 });
    assert!(near.contains("The model is better than the baseline: its R² is 0.99"), "{near}");
    assert!(
        near.contains(
            "**The run stars: 0.1000** RMSE on 600 test rows (95% bootstrap interval over rows: 0.1000–0.1000)"
        ),
        "{near}"
    );
}

/// Undefined values are dashes on the page and empty in tables.
#[test]
fn what_is_undefined_is_no_number() {
    let files = files_of(&sets());
    let md = text(&files, "report.md");
    let never = md.lines().find(|line| line.starts_with("| 4 | never |")).expect("the label without rows");
    assert_eq!(never.matches('–').count(), 2, "recall and average precision: {never}");
    for (name, bytes) in files.iter().filter(|(name, _)| name.ends_with(".csv")) {
        assert!(!String::from_utf8_lossy(bytes).contains("NaN"), "{name}");
    }
    let mut metrics = csv::Reader::from_reader(text(&files, "metrics.csv").as_bytes());
    let found = metrics.records().map(Result::unwrap).find(|row| &row[4] == "macro_f1").expect("macro-F1");
    let want = sets().runs[0].run.final_metrics.as_ref().unwrap().get(Metric::MacroF1);
    assert_eq!((&found[1], &found[2], found[5].parse::<f64>().unwrap()), ("test", "after", want));
}

/// Mistakes are the worst rows first, and say what is wrong.
#[test]
fn mistakes_are_those_of_the_task() {
    let md = markdown(&sets());
    assert!(md.contains("| Line | Text | Labels | Missed | Added | Confidence |"), "{md}");
    let files = files_of(&numbers());
    let mut rows = csv::Reader::from_reader(text(&files, "mistakes.csv").as_bytes());
    let errors: Vec<f64> = rows
        .records()
        .map(|row| row.unwrap())
        .map(|row| row[9].parse::<f64>().unwrap() - row[8].parse::<f64>().unwrap())
        .collect();
    assert!(errors.len() == 600 && errors.is_sorted_by(|a, b| a.abs() >= b.abs()), "{errors:?}");
    assert!(text(&files, "report.md").contains("## Largest errors\n"));
}

/// Runs that differ are tested row by row, each task by its test.
#[test]
fn the_best_two_are_compared_by_the_test_of_the_task() {
    let md = markdown(&numbers_sweep());
    assert!(
        md.contains("“lr=1e-4” against “lr=1e-5” on the same 600 test rows: the first is significantly better"),
        "{md}"
    );
    assert!(
        md.contains("paired permutation test with sign flips of the squared error of each row, 10,000 random flips"),
        "{md}"
    );
    let mut input = sets_sweep();
    input.runs = vec![input.runs[0].clone(), input.runs[2].clone()];
    input.experiment.runs.retain(|(key, _)| input.runs.iter().any(|run| run.run.key == *key));
    let md = markdown(&input);
    assert!(md.contains("sign flips of the Hamming loss of each row"), "{md}");
    assert!(md.contains("First minus second, the difference of the test Hamming losses is −"), "{md}");
}

/// Above the limit intervals are left out, and the page says so.
#[test]
fn too_many_rows_for_resampling_are_named() {
    let mut input = numbers();
    let run = &mut input.runs[0];
    run.predictions = run.predictions.iter().cycle().take(20_001).cloned().collect();
    run.run.final_metrics = Some(measure(Task::Regression, &run.run.labels, &run.predictions));
    let md = markdown(&input);
    assert!(md.contains("Runs with more than 20,000 rows have no interval"), "{md}");
    assert!(!md.contains("95% bootstrap") && !md.contains("(95% interval)"), "{md}");
}

/// Names and texts of the user stay texts in what the other tasks add.
#[test]
fn texts_of_the_user_are_only_text() {
    for input in [sets(), columns()] {
        let files = files_of(&input);
        let html = text(&files, "report.html");
        assert!(!html.contains("<b>太咸") && !html.contains("评分 <i>") && html.matches("<script").count() == 1);
        assert!(html.contains("&#60;b&#62;太咸") || html.contains("评分 &#60;i&#62;"));
        let md = text(&files, "report.md").split("## Reproduce").next().unwrap();
        assert!(!md.contains("<b>太咸") && !md.contains("评分 <i>"), "{md}");
    }
}

//! What training changed in the predictions: the section and its tables.

use taper::{event::PredictionBefore, metrics::Target, report::ReportInput, store::RunRecord};

use super::{
    files_of,
    report_fixtures::{Recipe, experiment, single, sweep},
    text, typed_fixtures,
};

/// The lines of a table below its header.
fn lines(csv: &str) -> Vec<Vec<String>> {
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    reader.records().map(|record| record.expect("a line").iter().map(String::from).collect()).collect()
}

#[test]
fn counts_and_tables_are_those_of_the_rows() {
    let input = single();
    let run = &input.runs[0];
    let files = files_of(&input);
    let pairs = || run.before.iter().zip(&run.predictions);
    let count = |was: bool, is: bool| {
        pairs()
            .filter(|(before, after)| (before.predicted == after.label, after.predicted == after.label) == (was, is))
            .count()
    };
    let (better, worse) = (count(false, true), count(true, false));
    assert!(better > 0 && worse > 0);
    let md = text(&files, "report.md");
    assert!(md.contains(&format!("{better} became right and {worse} became wrong (exact McNemar test, p")), "{md}");
    let flips = lines(text(&files, "flips.csv"));
    let became = |word: &str| flips.iter().filter(|line| line[4] == word).count();
    assert_eq!((became("right"), became("wrong"), flips.len()), (better, worse, better + worse));
    let change = lines(text(&files, "change.csv"));
    assert_eq!(change.len(), run.run.labels.len());
    for (id, line) in change.iter().enumerate() {
        let of = |p: &Target| p.label() == Some(id as u32);
        let rows = pairs().filter(|(_, after)| of(&after.label)).count();
        let right = |was: bool| {
            let predicted = |(before, after): &(&PredictionBefore, &taper::event::Prediction)| {
                of(&after.label) && of(if was { &before.predicted } else { &after.predicted })
            };
            pairs().filter(predicted).count() as f64 / rows as f64
        };
        assert_eq!((line[2].as_str(), line[3].as_str()), (run.run.labels[id].as_str(), rows.to_string().as_str()));
        let number = |i: usize| line[i].parse::<f64>().expect("a number");
        assert!((number(4) - right(true)).abs() < 1e-12 && (number(5) - right(false)).abs() < 1e-12, "{line:?}");
        assert!(number(6) < number(5) && number(5) < number(7), "{line:?}");
    }
}

/// Texts and labels from data, in the page, in Markdown and in the tables.
#[test]
fn nothing_in_a_row_becomes_markup_or_a_formula() {
    let mut input = single();
    let run = &mut input.runs[0];
    for (before, after) in run.before.iter_mut().zip(&mut run.predictions) {
        after.text = "=HYPERLINK(\"http://x\") </td><script>alert(1)</script> | **b** \u{202e}".into();
        (before.predicted, after.predicted) = (Target::Label(1), after.label.clone());
    }
    run.run.labels = vec!["<b>no</b>|x".into(), "=1+1".into()];
    let files = files_of(&input);
    let (html, md) = (text(&files, "report.html"), text(&files, "report.md"));
    assert!(
        html.contains("What training changed") && html.matches("<script").count() == 1 && !html.contains("<b>no</b>")
    );
    // A code block at the end has the settings with their probes as they are.
    let section =
        md.split("## What training changed").nth(1).expect("a section").split("\n## ").next().expect("its text");
    assert!(!section.contains("<script") && !section.contains("<b>no</b>"), "{section}");
    for row in section.lines().filter(|line| line.contains("alert(1)")) {
        assert!(row.contains("\\| \\*\\*b\\*\\*"), "{row}");
    }
    let flips = lines(text(&files, "flips.csv"));
    assert!(
        !flips.is_empty() && flips.iter().all(|line| line[10].starts_with("'=") && line[6] == "'=1+1"),
        "{:?}",
        flips[0]
    );
    assert_eq!(lines(text(&files, "change.csv"))[1][2], "'=1+1");
}

#[test]
fn of_runs_of_earlier_versions_the_section_says_that_it_is_not_stored() {
    let mut input = single();
    input.runs[0].before.clear();
    let files = files_of(&input);
    for page in ["report.html", "report.md"] {
        let page = text(&files, page);
        assert!(page.contains("What was predicted before training is not stored for this run"), "{page}");
    }
    assert!(!files.contains_key("flips.csv") && !files.contains_key("change.csv"));
    assert!(!files.contains_key("confidence-change.svg"));
    // One that was not evaluated before training either has no section.
    input.runs[0].evals.clear();
    assert!(!text(&files_of(&input), "report.md").contains("What training changed"));
}

/// Rows of another evaluation are not joined with those of this one.
#[test]
fn rows_that_differ_are_not_compared() {
    let mut input = single();
    input.runs[0].before[3].row += 100_000;
    assert!(text(&files_of(&input), "report.md").contains("before training is not stored"));
    input.runs[0].before.pop();
    assert!(text(&files_of(&input), "report.md").contains("before training is not stored"));
}

/// In a cross-validation the section is of the rows of all folds.
#[test]
fn the_rows_of_all_folds_are_compared_together() {
    let fold = |number: u32| {
        let mut run = Recipe { seed: 1, ..Recipe::new(&format!("fold={number}"), &["no", "yes"]) }.completed();
        let record: &mut RunRecord = &mut run.run;
        record.key = format!("{number:064}");
        record.config.data.fold = Some(format!("{number}/3").parse().expect("a fold"));
        run.predictions.iter_mut().for_each(|p| p.row = 3 * p.row + number - 1);
        run.before.iter_mut().for_each(|p| p.row = 3 * p.row + number - 1);
        run
    };
    let input = experiment([1, 2, 3].map(fold).into());
    let md = text(&files_of(&input), "report.md").to_owned();
    assert!(md.contains("## What training changed, all folds") && md.contains("Of 1,800 test rows, "), "{md}");
}

#[test]
fn a_model_that_said_the_same_of_every_row_before_training_is_called_so() {
    let mut input = single();
    input.runs[0].before.iter_mut().for_each(|p| p.predicted = Target::Label(0));
    let md = text(&files_of(&input), "report.md").to_owned();
    assert!(md.contains("Before training, “negative” was predicted for every row."), "{md}");
}

#[test]
fn each_task_has_its_tables() {
    let head = |input: &ReportInput, name: &str| {
        text(&files_of(input), name).lines().next().expect("a header").split(',').map(String::from).collect::<Vec<_>>()
    };
    let sets = typed_fixtures::sets();
    assert_eq!(head(&sets, "change.csv")[2], "label");
    assert_eq!(head(&sets, "flips.csv")[8], "confidence_before");
    let numbers = typed_fixtures::numbers();
    assert_eq!(head(&numbers, "change.csv")[2..5], ["column", "rows", "rmse_before"]);
    assert_eq!(head(&numbers, "flips.csv")[8], "error_before");
    assert!(text(&files_of(&numbers), "report.md").contains("Smaller errors"));
    // The settings say how many rows with their texts are shown.
    let mut quiet = sweep();
    quiet.experiment.report = serde_json::json!({ "mistakes": 0 });
    let md = text(&files_of(&quiet), "report.md").to_owned();
    let shown = md.split("### Became right").nth(1).expect("a table").split("## Probe").next().expect("a part");
    assert!(shown.contains("rows; flips.csv has them.") && !shown.contains('|'), "{shown}");
}

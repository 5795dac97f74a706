//! Many labels: what is worst is shown, all of it is in the tables, and nothing grows with the square of the labels.

use taper::{
    event::Prediction,
    metrics::{Metrics, Probabilities, Scored, Target},
    report::ReportInput,
};

use super::{files_of, report_fixtures::*, text};

/// One run with so many labels and rows; every third row is taken for the next label.
fn with_labels(labels: u32, rows: u32) -> ReportInput {
    let names: Vec<String> = (0..labels).map(|id| format!("类{id}")).collect();
    let mut input = single();
    let run = &mut input.runs[0];
    let probabilities = |predicted: u32| {
        let mut p = vec![0.5 / labels as f32; labels as usize];
        p[predicted as usize] += 0.5;
        p
    };
    let row = |row: u32| (row % labels, (row % labels + u32::from(row.is_multiple_of(3))) % labels);
    run.predictions = (0..rows)
        .map(|i| Prediction {
            row: i,
            line: u64::from(i) + 2,
            text: "味道不错".into(),
            text_pair: None,
            label: Target::Label(row(i).0),
            predicted: Target::Label(row(i).1),
            probabilities: Probabilities::new(probabilities(row(i).1), &[row(i).0]),
        })
        .collect();
    let scored = |i| Scored::of_label(row(i).0, (row(i).1, 0.5), &[], 0.7);
    let metrics = Metrics::new(&names, (0..rows).map(scored));
    run.evals.iter_mut().for_each(|eval| eval.metrics = metrics.clone());
    (run.run.final_metrics, run.run.labels) = (Some(metrics), names);
    run.run.train_labels = Some(vec![1; labels as usize]);
    run.probes.clear();
    input
}

#[test]
fn of_many_labels_the_worst_are_shown_and_the_tables_hold_all() {
    let files = files_of(&with_labels(60, 300));
    let md = text(&files, "report.md");
    assert!(!files.contains_key("confusion.svg"));
    assert!(
        md.contains(
            "The 20 classes with the lowest F1, of 60 that have rows and 60 in all; the other 40 are left out."
        ),
        "{md}"
    );
    let classes = md.split("| Id | Label |").nth(1).unwrap().split("\n\n").next().unwrap();
    assert_eq!(classes.lines().filter(|line| line.starts_with("| ")).count(), 20, "{classes}");
    let confused = md.split("### Most confused").nth(1).unwrap().split("## ").next().unwrap();
    assert_eq!(confused.lines().filter(|line| line.starts_with("| 类")).count(), 20, "{confused}");
    assert!(confused.contains("| 类0 | 类1 | 5 | 100.0% |"), "{confused}");
    let lines = |name: &str| text(&files, name).lines().count();
    assert_eq!((lines("classes.csv"), lines("predictions.csv")), (61, 301));
    let head = text(&files, "predictions.csv").lines().next().unwrap();
    assert!(
        head.contains("confidence,p_of_label,label_1,p_1,label_2,") && head.ends_with(",label_5,p_5,text"),
        "{head}"
    );
    assert!(text(&files, "predictions.csv").contains(",类0,类1,false,0.508"), "{}", text(&files, "predictions.csv"));

    // Up to 50 everything is shown.
    let files = files_of(&with_labels(50, 300));
    assert!(files.contains_key("confusion.svg") && !text(&files, "report.md").contains("left out"));
    assert!(text(&files, "predictions.csv").lines().next().unwrap().contains("p(类49)"));
}

/// The whole matrix would have 25 million cells, and its chart as many rectangles.
#[test]
fn the_report_of_five_thousand_labels_stays_small() {
    let files = files_of(&with_labels(5000, 600));
    let size: usize = files.iter().filter(|(name, _)| !name.ends_with(".png")).map(|(_, bytes)| bytes.len()).sum();
    assert!(size < 3_000_000, "{size} bytes");
    assert!(text(&files, "report.md").contains("of 600 that have rows and 5,000 in all; the other 4,980 are left out"));
    assert_eq!(text(&files, "confusion.csv").lines().count(), 601);
}

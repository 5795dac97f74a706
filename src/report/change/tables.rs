//! change.csv and flips.csv.

use super::{
    super::{
        analysis::Analysis,
        cells::{Table, Targets, label_name, text},
        input::{ReportInput, RunInput, split_name},
        prediction_tables::{reads_two, text_cells, text_head},
    },
    classes::classes,
    errors::columns,
    flips::flips,
    rows::{Row, joined},
};
use crate::task::Task;

fn shown<'a>(input: &'a ReportInput, analysis: &'a Analysis) -> Option<(&'a RunInput, Vec<Row<'a>>)> {
    let run = analysis.shown(&input.runs)?;
    Some((run, joined(run)?))
}

fn number(value: f64) -> String {
    if value.is_finite() { value.to_string() } else { String::new() }
}

/// Each label, or each column of numbers, before and after training.
pub fn changes(table: &mut Table, input: &ReportInput, analysis: &Analysis) -> csv::Result<()> {
    let numbers = analysis.terms.task == Task::Regression;
    let measured: &[&str] = match numbers {
        false => {
            &["rows", "recall_before", "recall_after", "recall_after_low", "recall_after_high", "f1_before", "f1_after"]
        }
        true => &["rows", "rmse_before", "rmse_after", "mae_before", "mae_after", "r2_before", "r2_after"],
    };
    let of = if numbers { "column" } else { "label" };
    table.write_record(["run", "split", of].iter().chain(measured))?;
    let Some((run, rows)) = shown(input, analysis) else { return Ok(()) };
    let fixed = |id: usize| {
        [text(&run.run.name), split_name(run.measured_on()).to_owned(), text(&label_name(run, id as u32))].into_iter()
    };
    let labels = run.run.labels.len();
    if numbers {
        for of in columns(&rows, labels) {
            let (before, after) = (of.before, of.after);
            let values = [before.rmse, after.rmse, before.mae, after.mae, before.r2, after.r2].map(number);
            table.write_record(fixed(of.id).chain([rows.len().to_string()]).chain(values))?;
        }
        return Ok(());
    }
    for of in classes(&rows, labels) {
        let ends = of.interval().map_or([f64::NAN; 2], |interval| [interval.low, interval.high]);
        let [low, high] = ends.map(number);
        let cells = [
            of.after.support.to_string(),
            number(of.before.recall()),
            number(of.after.recall()),
            low,
            high,
            number(of.before.f1()),
            number(of.after.f1()),
        ];
        table.write_record(fixed(of.id).chain(cells))?;
    }
    Ok(())
}

/// Each row whose prediction became right or wrong; of numbers, whose error became smaller or larger.
pub fn flipped(table: &mut Table, input: &ReportInput, analysis: &Analysis) -> csv::Result<()> {
    let numbers = analysis.terms.task == Task::Regression;
    let found = shown(input, analysis);
    let pairs = found.as_ref().is_some_and(|(run, _)| reads_two(run));
    let measured = if numbers { ["error_before", "error_after"] } else { ["confidence_before", "confidence_after"] };
    let head = ["run", "row", "file", "line", "became", "label", "predicted_before", "predicted_after"];
    table.write_record(head.into_iter().chain(measured).map(String::from).chain(text_head(pairs)))?;
    let Some((run, rows)) = found else { return Ok(()) };
    let found = flips(&rows, numbers);
    let targets = Targets::of(run);
    let words = if numbers { ["better", "worse"] } else { ["right", "wrong"] };
    for (became, rows) in words.into_iter().zip([&found.to_right, &found.to_wrong]) {
        for row in rows {
            let (before, after) = (row.before, row.after);
            let [first, second] = match numbers {
                true => row.errors().map_or([f64::NAN; 2], |(before, after)| [before, after]).map(number),
                false => [before.confidence(), after.confidence()]
                    .map(|sure| sure.map(|p| p.to_string()).unwrap_or_default()),
            };
            let cells = [
                text(&run.run.name),
                after.row.to_string(),
                text(&run.file_of_rows()),
                after.line.to_string(),
                became.to_owned(),
                targets.cell(&after.label),
                targets.cell(&before.predicted),
                targets.cell(&after.predicted),
                first,
                second,
            ];
            table.write_record(cells.into_iter().chain(text_cells(&after.text, after.text_pair.as_deref(), pairs)))?;
        }
    }
    Ok(())
}

//! Tables of what was decided on dev rows: the temperature and the thresholds of each run.

use super::{
    cells::{Table, text},
    input::ReportInput,
};

/// A line for each threshold of each run, or one without a label for a run that has a temperature alone. Of two labels that exclude each
/// other the second has one.
pub fn decisions(table: &mut Table, input: &ReportInput) -> csv::Result<()> {
    table.write_record(["run", "temperature", "threshold_metric", "id", "label", "threshold"])?;
    for run in input.runs.iter().map(|run| &run.run) {
        let Some(decided) = &run.decided else { continue };
        let metric = decided.metric.map_or(String::new(), |metric| text(metric.info().id));
        let first = [text(&run.name), decided.decision.temperature.to_string(), metric];
        let mut lines: Vec<[String; 3]> = Vec::new();
        for (label, threshold) in decided.decision.named(&run.labels) {
            let id = run.labels.iter().position(|known| known == label).unwrap_or_default();
            lines.push([id.to_string(), text(label), threshold.to_string()]);
        }
        if lines.is_empty() {
            lines.push([const { String::new() }; 3]);
        }
        lines.into_iter().try_for_each(|line| table.write_record(first.iter().chain(&line)))?;
    }
    Ok(())
}

/// Whether there is any.
pub fn has_decisions(input: &ReportInput) -> bool {
    input.runs.iter().any(|run| run.run.decided.is_some())
}

//! Keys about the columns of the texts that contradict each other.

use super::{
    conflicts::{Conflict, conflict, key},
    schema::Spec,
};

/// Contradictions within one run.
pub(super) fn of_run(spec: &Spec) -> Vec<Conflict> {
    let mut found = Vec::new();
    let data = &spec.data;
    let (columns, named_by) = data.text_columns();
    if columns.iter().any(|column| data.is_only_label(column)) {
        let message = format!("text and label are the same column `{}`", data.label_column);
        found.push(conflict(&["data.label_column", named_by], message, "name two different columns"));
    }
    if data.separator.is_some() && data.text_columns.is_empty() {
        let message = "`data.separator` is written between the texts of `data.text_columns`, which is not set";
        let help = "name the columns that are joined: data.text_columns = [\"title\", \"body\"]";
        found.push(conflict(&["data.separator", "data.text_columns"], message, help));
    }
    if let Some(pair) = &data.text_pair_column {
        let keys = |with| ["data.text_pair_column", with];
        if columns.contains(pair) {
            let message = format!("the text and the second text are the same column `{pair}`");
            found.push(conflict(&keys(named_by), message, "name the column of the second text"));
        }
        if data.is_only_label(pair) {
            let message = format!("second text and label are the same column `{pair}`");
            found.push(conflict(&keys("data.label_column"), message, "name two different columns"));
        }
    }
    for (i, probe) in spec.probes.iter().enumerate() {
        let at = |name: &str| vec!["probes".into(), i.to_string(), name.into()];
        let (name, message, help) = match (&data.text_pair_column, &probe.text_pair) {
            (Some(_), None) => (
                "text",
                format!(
                    "the probe `{}` has no `text_pair`, but the model reads two texts (`data.text_pair_column`)",
                    probe.text
                ),
                "write the second text: text_pair = \"…\"",
            ),
            (None, Some(_)) => (
                "text_pair",
                format!("the probe `{}` has a `text_pair`, but the model reads one text", probe.text),
                "remove it, or name the column of the second text: data.text_pair_column",
            ),
            _ => continue,
        };
        found.push(Conflict { keys: vec![at(name), key("data.text_pair_column")], message, help: help.into() });
    }
    found
}

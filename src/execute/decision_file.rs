//! `decision.json` in a model's folder: the temperature and the thresholds that were chosen on its run's dev rows. transformers does not read
//! it; `taper predict` and `taper eval` do.

use std::{fs, io, path::Path};

use serde_json::{Map, Value, json};

use super::ExecuteError;
use crate::{event::Decided, task::Decision};

/// Its name.
pub(super) const NAME: &str = "decision.json";

/// Writes it into a folder.
///
/// # Errors
/// If the file cannot be written.
pub(super) fn write(folder: &Path, decided: &Decided, labels: &[String]) -> Result<(), ExecuteError> {
    let decision = &decided.decision;
    let thresholds: Map<String, Value> =
        decision.named(labels).map(|(label, threshold)| (label.clone(), threshold.into())).collect();
    let mut text = json!({ "temperature": decision.temperature });
    if let Some(metric) = decided.metric {
        text["thresholds"] = thresholds.into();
        text["threshold_metric"] = metric.info().id.into();
    }
    let path = folder.join(NAME);
    let text = serde_json::to_string_pretty(&text).expect("JSON of JSON") + "\n";
    fs::write(&path, text).map_err(|error| ExecuteError::Io { path, error })
}

/// Reads it; without a file, what changes nothing.
///
/// # Errors
/// If it is there and cannot be read, or is not for these labels.
pub(super) fn read(folder: &Path, labels: &[String]) -> Result<Decision, ExecuteError> {
    let path = folder.join(NAME);
    let text = match fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Decision::default()),
        text => text.map_err(|error| ExecuteError::Io { path: path.clone(), error })?,
    };
    parse(&text, labels).map_err(|what| ExecuteError::Setting(format!("{}: {what}", path.display())))
}

fn parse(text: &str, labels: &[String]) -> Result<Decision, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let temperature = match &value["temperature"] {
        Value::Null => 1.0,
        number => number
            .as_f64()
            .filter(|temperature| temperature.is_finite() && *temperature > 0.0)
            .ok_or_else(|| format!("`temperature` is {number}; expected a number above 0"))?,
    };
    let thresholds = match &value["thresholds"] {
        Value::Null => None,
        Value::Object(named) => Some(thresholds(named, labels)?),
        other => return Err(format!("`thresholds` is {other}; expected a number for each label")),
    };
    Ok(Decision { temperature, thresholds })
}

/// The threshold of each label, or, where there is but one of two labels, that of the second.
fn thresholds(named: &Map<String, Value>, labels: &[String]) -> Result<Vec<f64>, String> {
    if let Some(unknown) = named.keys().find(|name| !labels.contains(name)) {
        return Err(format!("it has a threshold for `{unknown}`, which is not a label of the model"));
    }
    let of_second = labels.len() == 2 && named.len() == 1;
    let wanted = if of_second { &labels[1..] } else { labels };
    let threshold = |label: &String| {
        let value = named.get(label).ok_or_else(|| format!("it has no threshold for the label `{label}`"))?;
        let threshold = value.as_f64().filter(|threshold| (0.0..=1.0).contains(threshold));
        threshold.ok_or_else(|| format!("the threshold of `{label}` is {value}; expected a number from 0 to 1"))
    };
    wanted.iter().map(threshold).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{Metric, Metrics};

    fn decided(decision: Decision) -> Decided {
        Decided { decision, metric: Some(Metric::MacroF1), dev: Metrics::new(&[], []), test: None }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let labels = ["味道", "配送"].map(String::from);
        assert_eq!(read(folder.path(), &labels).unwrap(), Decision::default());
        for thresholds in [vec![0.25, 0.1 + 0.2], vec![0.75]] {
            let decision = Decision { temperature: 1.5, thresholds: Some(thresholds) };
            write(folder.path(), &decided(decision.clone()), &labels).unwrap();
            assert_eq!(read(folder.path(), &labels).unwrap(), decision);
        }
        let text = fs::read_to_string(folder.path().join(NAME)).unwrap();
        assert!(text.contains("\"配送\": 0.75") && text.contains("macro_f1"), "{text}");
    }

    #[test]
    fn what_is_not_for_the_model_is_refused() {
        let labels = ["a", "b", "c"].map(String::from);
        for (text, want) in [
            (r#"{"temperature": 0}"#, "expected a number above 0"),
            (r#"{"temperature": "1"}"#, "expected a number above 0"),
            (r#"{"thresholds": [0.5]}"#, "expected a number for each label"),
            (r#"{"thresholds": {"a": 0.5, "b": 0.5}}"#, "no threshold for the label `c`"),
            (r#"{"thresholds": {"a": 0.5, "b": 0.5, "d": 0.5}}"#, "`d`, which is not a label"),
            (r#"{"thresholds": {"a": 0.5, "b": 1.5, "c": 0.5}}"#, "the threshold of `b` is 1.5"),
            ("{", "EOF"),
        ] {
            let error = parse(text, &labels).unwrap_err();
            assert!(error.contains(want), "{error}");
        }
    }
}

//! Events as JSON lines, for other programs.

use std::io::Write;

use serde::Serialize;

use super::{Listener, ObserveError, RunInfo};
use crate::{event::Event, store::unix_time};

/// Writes each event as one line, `{"run":KEY,"name":NAME,"time":UNIX_SECONDS,"event":…}`, and flushes it.
///
/// [`Event::EvalProgress`] is left out: it is for progress bars only. JSON has no NaN or infinity; both become `null`.
#[derive(Debug)]
pub struct JsonLines<W> {
    writer: W,
}

#[derive(Serialize)]
struct Line<'a> {
    run: &'a str,
    name: &'a str,
    time: f64,
    #[serde(flatten)]
    event: &'a Event,
}

impl<W: Write + Send> JsonLines<W> {
    /// Writes lines to `writer`, usually standard output.
    pub fn new(writer: W) -> Self {
        Self { writer }
    }
}

impl<W: Write + Send> Listener for JsonLines<W> {
    fn on(&mut self, run: &RunInfo, event: &Event) -> Result<(), ObserveError> {
        if matches!(event, Event::EvalProgress { .. }) {
            return Ok(());
        }
        let line = Line { run: &run.key, name: &run.name, time: unix_time(), event };
        let mut text = serde_json::to_string(&line).map_err(|error| ObserveError::JsonLines(error.into()))?;
        text.push('\n');
        self.writer.write_all(text.as_bytes()).and_then(|()| self.writer.flush()).map_err(ObserveError::JsonLines)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::event::{Outcome, Split, StepCompleted};

    fn lines(events: &[Event]) -> Vec<Value> {
        let mut out = Vec::new();
        let run = RunInfo::single("ab12", "lr=1e-5");
        let mut listener = JsonLines::new(&mut out);
        events.iter().for_each(|event| listener.on(&run, event).unwrap());
        String::from_utf8(out).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn one_object_a_line() {
        let step =
            StepCompleted { step: 3, epoch: 1, loss: f64::NAN, lr: 1e-5, grad_norm: 2.5, tokens: 700, elapsed_s: 1.25 };
        let mut lines = lines(&[
            Event::StepCompleted(step),
            Event::EvalProgress { split: Split::Dev, done: 1, total: 2 },
            Event::Note { message: "two\nlines".into() },
            Event::RunFinished(Outcome::Interrupted),
        ]);
        let times: Vec<f64> = lines.iter_mut().map(|line| line["time"].take().as_f64().unwrap()).collect();
        assert!(times.is_sorted() && times[0] > 1.6e9, "{times:?}");
        let head = json!({"run": "ab12", "name": "lr=1e-5", "time": null});
        let with = |tail: Value| {
            let mut line = head.clone();
            line.as_object_mut().unwrap().extend(tail.as_object().unwrap().clone());
            line
        };
        assert_eq!(
            lines,
            [
                with(json!({"event": "step_completed", "step": 3, "epoch": 1, "loss": null, "lr": 1e-5,
                    "grad_norm": 2.5, "tokens": 700, "elapsed_s": 1.25})),
                with(json!({"event": "note", "message": "two\nlines"})),
                with(json!({"event": "run_finished", "outcome": "interrupted"})),
            ]
        );
    }

    #[test]
    fn a_closed_pipe_is_an_error() {
        let run = RunInfo::single("k", "n");
        let mut nowhere = [0u8; 4];
        let error = JsonLines::new(&mut nowhere[..]).on(&run, &Event::CheckpointSaved { step: 1 }).unwrap_err();
        assert!(error.to_string().starts_with("cannot write the JSON lines"), "{error}");
    }
}

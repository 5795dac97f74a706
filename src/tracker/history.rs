//! A stored run as the points of its curves.

use std::iter;

use super::scalars::{of_metrics, of_step};
use crate::{
    event::When,
    store::{EvalRecord, RunRecord, StepRecord},
};

/// Values at one step.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// The step.
    pub step: u64,
    /// Unix time in seconds: the start of the run and its seconds of training until then; of the kept weights the end of the run.
    pub at: f64,
    /// Names of curves and values.
    pub scalars: Vec<(String, f64)>,
}

/// The points of a run in the order in which they were measured.
pub fn history<'a>(
    run: &'a RunRecord,
    steps: &'a [StepRecord],
    evals: &'a [EvalRecord],
) -> impl Iterator<Item = Point> + 'a {
    let began = run.started_at.unwrap_or(run.created_at);
    let of_eval = move |eval: &EvalRecord, at: f64| {
        let scalars = of_metrics(eval.when, eval.split, &eval.metrics).collect();
        Point { step: eval.step, at, scalars }
    };
    let phase = move |when: When| evals.iter().filter(move |eval| eval.when == when);
    let before = phase(When::Before).map(move |eval| of_eval(eval, began));
    let mut during = phase(When::During).peekable();
    let mut steps = steps.iter().peekable();
    let mut elapsed = 0.0;
    let trained = iter::from_fn(move || {
        let next = steps.peek().map(|step| step.step);
        // An evaluation comes after its step.
        if let Some(eval) = during.next_if(|eval| next.is_none_or(|step| eval.step < step)) {
            return Some(of_eval(eval, began + elapsed));
        }
        let step = steps.next()?;
        elapsed = step.elapsed_s;
        let scalars = of_step(step).map(|(tag, value)| (tag.to_string(), value)).into();
        Some(Point { step: step.step, at: began + elapsed, scalars })
    });
    let after = phase(When::After).map(move |eval| {
        let ended = run.finished_at.unwrap_or(began);
        of_eval(eval, ended)
    });
    before.chain(trained).chain(after)
}

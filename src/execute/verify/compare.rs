//! Compares a stored run with the run that is trained now, event by event.

use serde::Serialize;

use crate::{
    event::{Event, Prediction, PredictionBefore, Split, StepCompleted, When},
    metrics::{Decision, Metric, Metrics},
    store::{EvalRecord, RunRecord, RunState, Store, StoreError},
};

/// The accepted relative difference of losses if a GPU is involved, as a share of the larger.
pub const TOLERANCE: f64 = 1e-3;

/// The first difference.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// The step after which it was found.
    pub step: u64,
    /// What differs: `step 12`, `evaluation on dev`, …
    pub at: String,
    /// Which value of it.
    pub what: String,
    /// Its stored value.
    pub stored: String,
    /// Its value now.
    pub now: String,
}

/// The result of a comparison.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verification {
    /// Whether there is no difference.
    pub equal: bool,
    /// Steps compared.
    pub steps: u64,
    /// Evaluations compared.
    pub evaluations: u64,
    /// Rows whose predictions were compared.
    pub predictions: u64,
    /// Whether the digest of the kept weights was compared.
    pub weights: bool,
    /// Whether the files of the kept model are as the run wrote them.
    pub model: bool,
    /// The accepted relative difference of losses; `None` for a bitwise comparison.
    pub tolerance: Option<f64>,
    /// The first difference.
    pub difference: Option<Difference>,
    /// Messages for the user.
    pub notes: Vec<String>,
}

/// A comparison in progress.
pub struct Comparison {
    steps: Vec<StepCompleted>,
    evaluations: Vec<EvalRecord>,
    predictions: [(Split, Vec<Prediction>); 2],
    /// Those before training, of the split that is tested; empty in records of earlier versions.
    before: Vec<PredictionBefore>,
    weights: Option<String>,
    /// The last step to compare; `None` if the run's end is compared too.
    last: Option<u64>,
    /// The stored temperature and thresholds.
    decision: Option<Decision>,
    /// Steps trained so far.
    steps_done: u64,
    result: Verification,
}

impl Comparison {
    /// A comparison with a stored run, or with its first `steps` steps.
    pub fn new(
        store: &Store,
        record: &RunRecord,
        tolerance: Option<f64>,
        steps: Option<u64>,
    ) -> Result<Self, StoreError> {
        let stored = store.steps(&record.key)?;
        let end = stored.last().map_or(0, |step| step.step);
        let last = match steps {
            Some(steps) if steps < end || record.state != RunState::Completed => Some(steps.min(end)),
            None if record.state != RunState::Completed => Some(end),
            _ => None,
        };
        let predictions = |split| Ok::<_, StoreError>((split, store.predictions(&record.key, split)?));
        Ok(Self {
            steps: stored,
            evaluations: store.evals(&record.key)?,
            predictions: [predictions(Split::Dev)?, predictions(Split::Test)?],
            before: store.predictions_before(&record.key, record.measured_on())?,
            weights: record.weights_sha256.clone(),
            decision: record.decided.as_ref().map(|decided| decided.decision.clone()),
            last,
            steps_done: 0,
            result: Verification {
                equal: true,
                steps: 0,
                evaluations: 0,
                predictions: 0,
                weights: false,
                model: false,
                tolerance,
                difference: None,
                notes: Vec::new(),
            },
        })
    }

    /// Whether no difference was found so far.
    pub fn agrees(&self) -> bool {
        self.result.difference.is_none()
    }

    /// Whether no more steps are needed.
    pub fn is_over(&self) -> bool {
        self.result.difference.is_some() || self.last.is_some_and(|last| self.steps_done >= last)
    }

    /// Compares an event with the stored one.
    pub fn take(&mut self, event: &Event) {
        match event {
            _ if self.result.difference.is_some() => {}
            Event::StepCompleted(step) => self.step(step),
            Event::EvalCompleted { when, step, split, metrics, .. } => self.evaluation(*when, *step, *split, metrics),
            Event::Predicted { split, predictions } if self.is_exact() => self.predicted(*split, predictions),
            Event::PredictedBefore { predictions, .. } if self.is_exact() => self.predicted_before(predictions),
            Event::Decided(now) if self.is_exact() => {
                if let Some(stored) = self.decision.clone().filter(|stored| !stored.agrees(&now.decision)) {
                    let (stored, now) = (format!("{stored:?}"), format!("{:?}", now.decision));
                    self.differs("the decision", "temperature and thresholds", stored, now);
                }
            }
            Event::WeightsKept { sha256 } if self.is_exact() => {
                if let Some(stored) = self.weights.clone() {
                    self.result.weights = true;
                    self.text("the kept weights", "SHA-256", &stored, sha256);
                }
            }
            _ => {}
        }
    }

    /// Training has ended: more stored steps are a difference.
    pub fn completed(&mut self) {
        let (done, stored) = (self.steps_done, self.steps.len() as u64);
        if done < stored {
            self.differs("the end", "steps", stored.to_string(), done.to_string());
        }
    }

    /// Training diverged: a difference unless the stored run diverged at the same step.
    pub fn diverged(&mut self, message: &str, so_it_was: bool) {
        if !so_it_was || self.steps_done < self.steps.len() as u64 {
            let was = if so_it_was { "diverged later" } else { "continued" };
            self.differs(&format!("step {}", self.steps_done), "training", was.into(), message.into());
        }
    }

    /// The files of the kept model are unchanged.
    pub fn kept_is_sound(&mut self) {
        self.result.model = true;
    }

    /// A file of the kept model changed.
    pub fn kept_is_damaged(&mut self, what: String) {
        self.differs("the kept model", "files", "as the run wrote them".into(), what);
    }

    /// The result.
    pub fn result(self, notes: Vec<String>) -> Verification {
        Verification { equal: self.result.difference.is_none(), notes, ..self.result }
    }

    fn is_exact(&self) -> bool {
        self.result.tolerance.is_none()
    }

    fn step(&mut self, now: &StepCompleted) {
        self.steps_done = now.step;
        let at = format!("step {}", now.step);
        let Ok(index) = self.steps.binary_search_by_key(&now.step, |step| step.step) else {
            return self.differs(&at, "it", "not stored".into(), "computed".into());
        };
        let stored = self.steps[index].clone();
        self.result.steps += 1;
        self.count(&at, "epoch", stored.epoch.into(), now.epoch.into());
        self.count(&at, "tokens", stored.tokens, now.tokens);
        self.loss(&at, stored.loss, now.loss);
        self.exact(&at, "gradient norm", stored.grad_norm, now.grad_norm);
        // The learning rate depends on the step only, so it is compared bitwise on any device.
        if !same(stored.lr, now.lr) {
            self.differs(&at, "learning rate", stored.lr.to_string(), now.lr.to_string());
        }
    }

    fn evaluation(&mut self, when: When, step: u64, split: Split, now: &Metrics) {
        // Evaluations during training have no effect on it, and their steps can have changed since.
        let is_it = |e: &&EvalRecord| e.when == when && e.split == split && (e.step == step || when == When::After);
        let Some(stored) = self.evaluations.iter().find(is_it).cloned() else { return };
        let name = tag(split);
        let at = match when {
            When::Before => format!("the evaluation on {name} before training"),
            When::During => format!("the evaluation on {name} after step {step}"),
            When::After => format!("the evaluation on {name} with the kept weights"),
        };
        self.result.evaluations += 1;
        if self.is_exact() {
            self.count(&at, "step", stored.step, step);
        }
        self.count(&at, "rows", stored.metrics.rows, now.rows);
        // Earlier versions stored fewer metrics.
        for (metric, now) in now.values().filter(|(metric, _)| stored.metrics.is_measured(*metric)) {
            let stored = stored.metrics.get(metric);
            match metric {
                Metric::Loss => self.loss(&at, stored, now),
                other => self.exact(&at, other.name(), stored, now),
            }
        }
        if self.is_exact() && stored.metrics.confusion != now.confusion {
            let cells = |metrics: &Metrics| format!("(label, predicted, rows) {:?}", metrics.confusion);
            self.differs(&at, "confusion", cells(&stored.metrics), cells(now));
        }
    }

    fn predicted(&mut self, split: Split, now: &[Prediction]) {
        let Some((_, stored)) = self.predictions.iter_mut().find(|(of, rows)| *of == split && !rows.is_empty()) else {
            return;
        };
        let stored = std::mem::take(stored);
        let name = tag(split);
        self.count(&format!("predictions on {name}"), "rows", stored.len() as u64, now.len() as u64);
        let mut now: Vec<&Prediction> = now.iter().collect();
        now.sort_by_key(|p| p.row);
        for (stored, now) in stored.iter().zip(now) {
            self.result.predictions += 1;
            let at = format!("the prediction of row {} of {name} (line {} of the file)", stored.row, stored.line);
            self.count(&at, "row", stored.row.into(), now.row.into());
            let bits = |p: &Prediction| -> Vec<(u32, u32)> {
                p.probabilities.iter().map(|(id, p)| (id, p.to_bits())).collect()
            };
            // NaN is not equal to itself, but is written alike.
            let said = |p: &Prediction| format!("{:?} for {:?}", p.predicted, p.label);
            if said(stored) != said(now) {
                self.differs(&at, "prediction", said(stored), said(now));
            }
            if bits(stored) != bits(now) {
                let text = |p: &Prediction| format!("{:?}", p.probabilities);
                self.differs(&at, "probabilities", text(stored), text(now));
            }
        }
    }

    fn predicted_before(&mut self, now: &[PredictionBefore]) {
        let stored = std::mem::take(&mut self.before);
        if stored.is_empty() {
            return;
        }
        self.count("predictions before training", "rows", stored.len() as u64, now.len() as u64);
        // Text shows all bits of a float but those of NaN, and NaN is not equal to itself.
        let said = |p: &PredictionBefore| format!("{:?} with {:?}", p.predicted, p.probabilities);
        for (stored, now) in stored.iter().zip(now) {
            self.result.predictions += 1;
            let at = format!("the prediction of row {} before training", stored.row);
            self.count(&at, "row", stored.row.into(), now.row.into());
            self.text(&at, "prediction", &said(stored), &said(now));
        }
    }

    fn loss(&mut self, at: &str, stored: f64, now: f64) {
        let near = |tolerance: f64| (stored - now).abs() <= tolerance * stored.abs().max(now.abs());
        if !same(stored, now) && !self.result.tolerance.is_some_and(near) {
            self.differs(at, "loss", stored.to_string(), now.to_string());
        }
    }

    fn exact(&mut self, at: &str, what: &str, stored: f64, now: f64) {
        if self.is_exact() && !same(stored, now) {
            self.differs(at, what, stored.to_string(), now.to_string());
        }
    }

    fn count(&mut self, at: &str, what: &str, stored: u64, now: u64) {
        self.text(at, what, &stored.to_string(), &now.to_string());
    }

    fn text(&mut self, at: &str, what: &str, stored: &str, now: &str) {
        if stored != now {
            self.differs(at, what, stored.into(), now.into());
        }
    }

    /// Keeps the first difference.
    fn differs(&mut self, at: &str, what: &str, stored: String, now: String) {
        let (at, what) = (at.into(), what.into());
        self.result.difference.get_or_insert(Difference { step: self.steps_done, at, what, stored, now });
    }
}

/// Whether two numbers are bitwise equal. All NaNs are equal, since they are stored without their bits.
fn same(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
}

fn tag(split: Split) -> &'static str {
    match split {
        Split::Train => "train",
        Split::Dev => "dev",
        Split::Test => "test",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{eval, prediction, step, store_with_run};

    /// A comparison with a run of three steps with losses 1, 0.5 and NaN.
    fn comparison(tolerance: Option<f64>, steps: Option<u64>, state: RunState) -> Comparison {
        let folder = tempfile::tempdir().unwrap();
        let mut store = store_with_run(folder.path());
        let before = eval(When::Before, 0, Split::Test, 3);
        store.append("k", &[before, step(1, 1.0), step(2, 0.5), step(3, f64::NAN)]).unwrap();
        store.mark("k", state, None, None).unwrap();
        Comparison::new(&store, &store.run("k").unwrap(), tolerance, steps).unwrap()
    }

    fn first(comparison: Comparison) -> Option<(u64, String, String, String)> {
        comparison.result(Vec::new()).difference.map(|d| (d.step, d.what, d.stored, d.now))
    }

    fn after(mut comparison: Comparison, events: &[Event]) -> Option<(u64, String, String, String)> {
        events.iter().for_each(|event| comparison.take(event));
        first(comparison)
    }

    #[test]
    fn bit_for_bit_means_every_bit() {
        let exact = || comparison(None, None, RunState::Completed);
        let same = [eval(When::Before, 0, Split::Test, 3), step(1, 1.0), step(2, 0.5), step(3, f64::NAN)];
        assert_eq!(after(exact(), &same), None);
        let near = 0.5 + f64::EPSILON / 2.0;
        let found = after(exact(), &[step(1, 1.0), step(2, near), step(3, 0.0)]);
        assert_eq!(found, Some((2, "loss".into(), "0.5".into(), near.to_string())), "the first, and only that");
        let mut norm = step(1, 1.0);
        if let Event::StepCompleted(step) = &mut norm {
            step.grad_norm = 3.0;
        }
        assert_eq!(after(exact(), &[norm]).unwrap().1, "gradient norm");
        let worse = after(exact(), &[eval(When::Before, 0, Split::Test, 2)]).unwrap();
        assert_eq!((worse.0, worse.1.as_str(), worse.2.as_str()), (0, "accuracy", "0.75"));
        assert_eq!(after(exact(), &[eval(When::During, 2, Split::Test, 0)]), None, "not stored: not compared");
        assert_eq!(after(exact(), &[step(4, 1.0)]).unwrap().2, "not stored");
    }

    #[test]
    fn within_a_tolerance_losses_alone_count() {
        let near = || comparison(Some(1e-3), None, RunState::Completed);
        assert_eq!(after(near(), &[step(1, 1.0009), step(2, 0.49951)]), None);
        assert_eq!(after(near(), &[step(1, 1.002)]).unwrap().1, "loss");
        assert_eq!(after(near(), &[step(1, f64::NAN)]).unwrap().3, "NaN");
        let other = [eval(When::Before, 0, Split::Test, 2), Event::WeightsKept { sha256: "x".into() }];
        assert_eq!(after(near(), &other), None);
    }

    #[test]
    fn predictions_before_training_are_compared_if_they_are_stored() {
        let event = |rows: &[(u32, &str)]| Event::PredictedBefore {
            split: Split::Test,
            predictions: rows.iter().map(|(row, text)| prediction(*row, text).into()).collect(),
        };
        let stored = |rows: &[(u32, &str)], tolerance| {
            let folder = tempfile::tempdir().unwrap();
            let mut store = store_with_run(folder.path());
            store.append("k", &[event(rows)]).unwrap();
            Comparison::new(&store, &store.run("k").unwrap(), tolerance, None).unwrap()
        };
        let rows = [(2, "x"), (5, "y")];
        let mut same = stored(&rows, None);
        same.take(&event(&rows));
        assert_eq!((same.result.predictions, same.result.difference.clone()), (2, None));
        let mut other = event(&rows);
        if let Event::PredictedBefore { predictions, .. } = &mut other {
            predictions[1].probabilities = crate::metrics::Probabilities::named(vec![(1, 0.900_000_1), (0, 0.1)]);
        }
        let found = after(stored(&rows, None), &[other.clone()]).expect("a difference");
        assert!(found.2.contains("0.9") && found.3.contains("0.9000001"), "{found:?}");
        assert_eq!(after(stored(&rows, None), &[event(&rows[..1])]).unwrap().1, "rows");
        assert_eq!(after(stored(&rows, Some(1e-3)), &[other.clone()]), None, "not bit for bit");
        assert_eq!(after(stored(&[], None), &[other]), None, "of an earlier version: not compared");
    }

    #[test]
    fn the_end_is_compared_too() {
        let mut short = comparison(None, None, RunState::Completed);
        [step(1, 1.0), step(2, 0.5)].iter().for_each(|event| short.take(event));
        assert!(!short.is_over());
        short.completed();
        assert_eq!(first(short), Some((2, "steps".into(), "3".into(), "2".into())));
        // Only the stored or requested steps of a run that did not complete are trained.
        for (asked, state, last) in
            [(None, RunState::Failed, 3), (Some(9), RunState::Pruned, 3), (Some(2), RunState::Completed, 2)]
        {
            let mut part = comparison(None, asked, state);
            let trained = [step(1, 1.0), step(2, 0.5), step(3, f64::NAN)];
            let over: Vec<bool> = trained
                .iter()
                .map(|event| {
                    part.take(event);
                    part.is_over()
                })
                .collect();
            assert_eq!(over.iter().position(|over| *over), Some(last - 1), "{asked:?} {state:?}");
        }
        // Divergence is a difference unless the stored run diverged at the same step.
        for (was, steps, difference) in [(true, 3, false), (true, 2, true), (false, 3, true)] {
            let mut diverged = comparison(None, None, RunState::Failed);
            [step(1, 1.0), step(2, 0.5), step(3, f64::NAN)].iter().take(steps).for_each(|event| diverged.take(event));
            diverged.diverged("the loss is NaN", was);
            assert_eq!(first(diverged).is_some(), difference, "{was} {steps}");
        }
    }
}

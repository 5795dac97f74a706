//! What runs report that were never trained: for benchmarks of what happens to results.

use taper::{
    event::{Event, Outcome, Prediction, PredictionBefore, Split, StepCompleted, When},
    metrics::{Metrics, Scored, Target},
    plan::RunConfig,
};

/// Rows of the dev split and of the test split.
pub const ROWS: u32 = 240;

/// A run whose results are made up.
#[derive(Debug, Clone, Copy)]
pub struct Trained {
    /// Optimizer steps; all of one epoch.
    pub steps: u64,
    /// Percentage points of accuracy above the worst run.
    pub better: usize,
    /// What the noise of its losses is drawn from.
    pub seed: usize,
}

impl Trained {
    /// Everything that it reports, from the start to the end: each step, ten evaluations of the dev split, and the predictions of both splits.
    pub fn events(self) -> Vec<Event> {
        let steps = self.steps;
        let mut events = vec![Event::RunStarted {
            total_steps: steps,
            steps_per_epoch: steps,
            resumed_from: None,
            rows: (8_000, ROWS.into(), ROWS.into()),
            parameters: 38_477_058,
            train_labels: vec![5_300, 2_700],
        }];
        for split in [Split::Dev, Split::Test] {
            events.push(self.evaluation(When::Before, 0, split, 50));
        }
        let before = |row| {
            let Prediction { row, predicted, probabilities, .. } = self.prediction(row, 50);
            PredictionBefore { row, predicted, probabilities }
        };
        events.push(Event::PredictedBefore { split: Split::Test, predictions: (0..ROWS).map(before).collect() });
        for step in 1..=steps {
            events.push(Event::StepCompleted(self.step(step)));
            if step.is_multiple_of(steps.div_ceil(10)) {
                let right = 60 + 25 * step / steps;
                events.push(self.evaluation(When::During, step, Split::Dev, right as usize));
            }
        }
        for split in [Split::Dev, Split::Test] {
            events.push(self.evaluation(When::After, steps, split, 85));
            let predictions = (0..ROWS).map(|row| self.prediction(row, 85)).collect();
            events.push(Event::Predicted { split, predictions });
        }
        events.push(Event::RunFinished(Outcome::Completed));
        events
    }

    fn step(self, step: u64) -> StepCompleted {
        let noise = (mixed(self.seed as u64 ^ step << 32) >> 40) as f64 / f64::from(1 << 24);
        let loss = 0.7 / (1.0 + step as f64 / 100.0) + 0.2 * noise;
        let lr = 1e-5 * (1.0 - step as f64 / (self.steps + 1) as f64);
        StepCompleted { step, epoch: 1, loss, lr, grad_norm: 2.0 + noise, tokens: 870, elapsed_s: step as f64 * 0.144 }
    }

    fn evaluation(self, when: When, step: u64, split: Split, right: usize) -> Event {
        let names = ["negative", "positive"].map(String::from);
        let scored = |row| {
            let probabilities = self.probabilities(row, right);
            Scored::new(row % 2, &probabilities, -f64::from(probabilities[row as usize % 2]).ln())
        };
        let metrics = Metrics::new(&names, (0..ROWS).map(scored));
        Event::EvalCompleted { when, step, epoch: 1, split, metrics, elapsed_s: 1.5 }
    }

    fn prediction(self, row: u32, right: usize) -> Prediction {
        let probabilities = self.probabilities(row, right);
        Prediction {
            row,
            line: u64::from(row) + 2,
            text: "送餐很快，味道也不错，下次还会再点。".into(),
            text_pair: None,
            label: Target::Label(row % 2),
            predicted: Target::Label(u32::from(probabilities[1] > probabilities[0])),
            probabilities: probabilities.to_vec().into(),
        }
    }

    /// Of this many rows of a hundred the prediction is right, and of `better` more.
    fn probabilities(self, row: u32, right: usize) -> [f32; 2] {
        let is_right = mixed(row.into()) as usize % 100 < right + self.better;
        let own = if is_right { 0.75 + 0.2 * (row % 5) as f32 / 4.0 } else { 0.25 };
        if row.is_multiple_of(2) { [own, 1.0 - own] } else { [1.0 - own, own] }
    }
}

/// The config of a run on waimai_10k.
pub fn config() -> RunConfig {
    serde_json::from_str(include_str!("../../tests/fixtures/store_config.json")).expect("a config")
}

/// Keys spread as digests do.
pub fn key(i: usize) -> String {
    format!("{:016x}{:016x}{:032x}", mixed(i as u64 + 1), mixed((i as u64 ^ 0xffff) + 1), i)
}

fn mixed(i: u64) -> u64 {
    let i = i.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (i ^ i >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

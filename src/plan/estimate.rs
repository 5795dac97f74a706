//! Estimates what a run will cost: tokens, arithmetic, time, memory and disk, from shapes and lengths only. Numbers that do not
//! fit saturate.
//!
//! The arithmetic follows the engine: no padding is computed, and where the head reads the [CLS] row only, the last layer computes keys and
//! values for every token but everything else for that row. Attention within a window costs what the window costs. The queries and keys
//! of relative positions, a few per cent, are left out: they are computed once for a batch.

use super::{Keep, RunConfig, schedule};

/// Sizes of a classifier that its arithmetic depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelShape {
    /// Hidden size.
    pub hidden: usize,
    /// Encoder layers.
    pub layers: usize,
    /// Feed-forward size.
    pub intermediate: usize,
    /// Width of what the feed-forward network computes first: its size, of a gated one twice that.
    pub up: usize,
    /// Layers before the last whose attention is within a window.
    pub local_layers: usize,
    /// Keys that a query of such a layer attends to at most.
    pub window: usize,
    /// Products of a score beside that of query and key: with relative positions.
    pub relative_terms: usize,
    /// Whether the head reads all tokens.
    pub reads_all: bool,
    /// Number of labels.
    pub labels: usize,
    /// Parameters of the whole classifier.
    pub parameters: u64,
}

/// Tokens of what the model reads at once, including special tokens: of each row, or of each of its windows if long texts are read in
/// windows. At most `max_length`, but for `predicted`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Lengths<'a> {
    /// The train split.
    pub train: &'a [u32],
    /// The dev split.
    pub dev: &'a [u32],
    /// The test split.
    pub test: &'a [u32],
    /// Of each dev and test row, all its windows together: predictions are stored by row.
    pub predicted: &'a [u32],
}

/// The machine that trains.
#[derive(Debug, Clone, Copy, Default)]
pub struct Machine {
    /// Its measured speed on such a model in FLOP/s; without it no time is estimated.
    pub rate: Option<f64>,
    /// Bytes of memory that the run needs there.
    pub memory_bytes: u64,
}

/// The cost of a run without early stopping.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// Parameters of the model.
    pub parameters: u64,
    /// Optimizer steps.
    pub steps: u64,
    /// Tokens processed in training.
    pub tokens: u64,
    /// Floating-point operations, including all evaluations.
    pub flop: f64,
    /// Seconds at the given rate; `None` without one.
    pub time_s: Option<f64>,
    /// Bytes of memory at the peak, as the engine counts them.
    pub memory_bytes: u64,
    /// The most bytes on disk during the run: model folders, states for resuming, best weights and database rows.
    pub disk_bytes: u64,
    /// Bytes on disk after the run.
    pub kept_bytes: u64,
    /// Those of them that are rows of the database: a pruned run keeps these, as far as it was trained, and no model.
    pub rows_bytes: u64,
}

/// Bytes per number.
const F32: u64 = 4;
/// States for resuming, each with the weights and two moments: the newest, the previous one, and one that is being written.
const STATES: u64 = 3;
/// The size at which SQLite writes its log into the database.
const LOG_BYTES: u64 = 4 << 20;
/// Bytes of a stored step with its share of the index, and of an evaluation.
const STEP_BYTES: u64 = 80;
const EVALUATION_BYTES: u64 = 1024;
/// Bytes of a stored prediction without its text, and of text per token (a Chinese character in UTF-8).
const PREDICTION_BYTES: u64 = 64;
const TEXT_BYTES_PER_TOKEN: u64 = 3;

/// The cost of the run of `config` for a model of `shape` on rows of `lengths`.
///
/// There are evaluations before, during and after training, each on the dev and the test rows.
pub fn estimate(config: &RunConfig, shape: &ModelShape, lengths: Lengths, machine: Machine) -> Estimate {
    let train = &config.train;
    let rows = lengths.train.len() as u64;
    let steps = schedule::total_steps(train, rows);
    let per_epoch = schedule::steps_per_epoch(rows, train.batch_size, train.gradient_accumulation_steps);
    let passes = if per_epoch == 0 { 0.0 } else { steps as f64 / per_epoch as f64 };
    let evaluations = schedule::evaluations(train, rows);

    let forward = |rows: &[u32]| rows.iter().map(|s| shape.forward_flop(u64::from(*s))).sum::<f64>();
    // The backward pass has two products for each one of the forward pass: one gradient for each factor.
    let training = 3.0 * passes * forward(lengths.train);
    let evaluating = (evaluations as f64 + 2.0) * (forward(lengths.dev) + forward(lengths.test));
    let flop = training + evaluating;

    let parameters = shape.parameters;
    let weights = parameters.saturating_mul(F32);
    // During the run: models of evaluations and the best weights so far. After it: models.
    let (held, kept) = match config.checkpoint.keep {
        Keep::None => (0, 0),
        Keep::Last => (0, 1),
        Keep::Best => (1, 1),
        Keep::All => (evaluations, evaluations.saturating_add(1)),
    };
    let predicted: u64 = lengths.predicted.iter().map(|s| prediction_bytes(u64::from(*s))).sum();
    let stored = evaluations.saturating_add(2).saturating_mul(2 * EVALUATION_BYTES);
    let rows_bytes = steps.saturating_mul(STEP_BYTES).saturating_add(stored).saturating_add(predicted);
    let models = |count: u64| weights.saturating_mul(count).saturating_add(rows_bytes);
    Estimate {
        parameters,
        steps,
        tokens: (passes * lengths.train.iter().map(|s| f64::from(*s)).sum::<f64>()).round() as u64,
        flop,
        time_s: machine.rate.filter(|rate| *rate > 0.0).map(|rate| flop / rate),
        memory_bytes: machine.memory_bytes,
        // The peak is during training; at its end one state fewer is on disk while the model is written.
        disk_bytes: models(held.saturating_add(STATES * 3)).saturating_add(LOG_BYTES),
        kept_bytes: models(kept),
        rows_bytes,
    }
}

fn prediction_bytes(tokens: u64) -> u64 {
    PREDICTION_BYTES + tokens * TEXT_BYTES_PER_TOKEN
}

impl ModelShape {
    /// Floating-point operations of the forward pass of one row of `tokens`, matrix products only.
    pub fn forward_flop(&self, tokens: u64) -> f64 {
        let [h, labels, s] = [self.hidden, self.labels, tokens as usize].map(|n| n as f64);
        let ffn = h * (self.up + self.intermediate) as f64;
        let products = (4 + 2 * self.relative_terms) as f64;
        let attention = |keys: f64| products * h * s * keys;
        let layer = |keys: f64| 2.0 * s * (4.0 * h * h + ffn) + attention(keys);
        let last = match self.reads_all {
            true => layer(s),
            false => 2.0 * s * 2.0 * h * h + 2.0 * (2.0 * h * h + ffn) + products * h * s,
        };
        let head = 2.0 * (h * h + h * labels);
        let Some(before_last) = self.layers.checked_sub(1) else { return head };
        let local = self.local_layers.min(before_last);
        let global = (before_last - local) as f64 * layer(s);
        global + local as f64 * layer(s.min(self.window as f64)) + last + head
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::full_config;
    use super::*;

    const RBT3: ModelShape = ModelShape { labels: 2, parameters: 38_478_338, ..bert(768, 3, 3072) };

    const fn bert(hidden: usize, layers: usize, intermediate: usize) -> ModelShape {
        ModelShape {
            hidden,
            layers,
            intermediate,
            up: intermediate,
            local_layers: 0,
            window: 0,
            relative_terms: 0,
            reads_all: false,
            labels: 0,
            parameters: 0,
        }
    }

    fn config(epochs: u32, keep: Keep) -> RunConfig {
        let mut config = full_config();
        (config.train.epochs, config.train.max_steps, config.train.batch_size) = (epochs, None, 2);
        config.checkpoint.keep = keep;
        config
    }

    /// By hand for one layer of hidden size 2, feed-forward size 3, one row of 5 tokens, 2 labels.
    #[test]
    fn the_last_layer_is_computed_for_one_row_only() {
        let shape = ModelShape { labels: 2, ..bert(2, 1, 3) };
        let keys_values = 2.0 * 5.0 * 8.0;
        let one_row = 2.0 * (8.0 + 12.0) + 4.0 * 2.0 * 5.0;
        let head = 2.0 * (4.0 + 4.0);
        assert_eq!(shape.forward_flop(5), keys_values + one_row + head);
        let full_layer = 2.0 * 5.0 * (16.0 + 12.0) + 4.0 * 2.0 * 25.0;
        assert_eq!(ModelShape { layers: 2, ..shape }.forward_flop(5), full_layer + keys_values + one_row + head);
        // For rbt3 on a typical row that saves 28% of the arithmetic.
        let naive = 3.0 * (2.0 * 27.0 * (4.0 * 768.0 * 768.0 + 2.0 * 768.0 * 3072.0) + 4.0 * 768.0 * 27.0 * 27.0);
        assert!((1.0 - RBT3.forward_flop(27) / naive - 0.28).abs() < 0.02, "{}", RBT3.forward_flop(27) / naive);
    }

    /// By hand for four layers of hidden size 2, gated networks of size 3, windows of 5 keys, one row of 9 tokens, 2 labels.
    #[test]
    fn windows_cost_what_they_hold_and_a_mean_needs_the_whole_last_layer() {
        let shape = ModelShape { labels: 2, up: 6, local_layers: 2, window: 5, reads_all: true, ..bert(2, 4, 3) };
        let dense = 2.0 * 9.0 * (16.0 + 2.0 * 6.0 + 2.0 * 3.0);
        let (global, local) = (4.0 * 2.0 * 9.0 * 9.0, 4.0 * 2.0 * 9.0 * 5.0);
        let head = 2.0 * (4.0 + 4.0);
        assert_eq!(shape.forward_flop(9), 4.0 * dense + 2.0 * global + 2.0 * local + head);
        assert_eq!(shape.forward_flop(4), ModelShape { local_layers: 0, ..shape }.forward_flop(4));
    }

    #[test]
    fn costs_grow_with_rows_epochs_and_evaluations() {
        let lengths = Lengths { train: &[4, 6, 8], test: &[5], dev: &[], predicted: &[5] };
        let one = estimate(&config(1, Keep::Last), &RBT3, lengths, Machine { rate: Some(1e9), ..Machine::default() });
        assert_eq!((one.steps, one.tokens), (2, 18));
        let train: f64 = [4, 6, 8].map(|s| RBT3.forward_flop(s)).iter().sum();
        assert_eq!(one.flop, 3.0 * train + 3.0 * RBT3.forward_flop(5)); // before, after the epoch, at the end
        assert_eq!(one.time_s, Some(one.flop / 1e9));
        let two = estimate(&config(2, Keep::Last), &RBT3, lengths, Machine::default());
        assert_eq!((two.steps, two.tokens, two.time_s), (4, 36, None));
        assert_eq!(two.flop, 6.0 * train + 4.0 * RBT3.forward_flop(5));
        let mut half = config(9, Keep::Last);
        half.train.max_steps = Some(1);
        assert_eq!(estimate(&half, &RBT3, lengths, Machine::default()).tokens, 9);
    }

    #[test]
    fn disk_depends_on_what_is_kept() {
        let lengths = Lengths { train: &[4; 20], dev: &[4], test: &[5], predicted: &[4, 5] };
        let disk = |keep| {
            let e = estimate(&config(3, keep), &RBT3, lengths, Machine::default());
            (e.disk_bytes, e.kept_bytes)
        };
        let model = RBT3.parameters * 4;
        let (none, rows) = disk(Keep::None);
        assert_eq!(
            none - rows,
            9 * model + (4 << 20),
            "three states of 12 bytes a parameter, all of them removed at the end"
        );
        assert!(rows > 0 && rows < model);
        assert_eq!(disk(Keep::Last), (none, rows + model));
        assert_eq!(disk(Keep::Best), (none + model, rows + model));
        assert_eq!(disk(Keep::All), (none + 3 * model, rows + 4 * model));
    }

    /// A test row of 9 tokens in three windows is computed three times and stored once.
    #[test]
    fn a_prediction_is_stored_by_row() {
        let rows = |test, predicted| {
            let lengths = Lengths { train: &[4; 20], dev: &[], test, predicted };
            let found = estimate(&config(3, Keep::None), &RBT3, lengths, Machine::default());
            (found.rows_bytes, found.flop)
        };
        let (whole, windows) = (rows(&[9], &[9]), rows(&[5, 5, 5], &[9]));
        assert!(whole.0 == windows.0 && whole.1 != windows.1, "{whole:?}, {windows:?}");
        assert_eq!(rows(&[9], &[9, 9]).0 - whole.0, 64 + 9 * 3);
    }

    #[test]
    fn nothing_costs_nothing() {
        let none = estimate(
            &config(1, Keep::None),
            &RBT3,
            Lengths::default(),
            Machine { rate: Some(0.0), ..Machine::default() },
        );
        assert_eq!((none.steps, none.tokens, none.flop, none.time_s), (0, 0, 0.0, None));
    }
}

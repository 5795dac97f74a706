//! The memory that a run needs, counted from the buffers that the engine allocates.

use super::{
    angles, distances,
    layout::Layout,
    workspace::{Extent, Workspace},
};
use crate::{
    kernels::{cuda, partial_values},
    model::{ModelConfig, ModelSpec},
    plan::Precision,
};

/// Bytes of a value, and of one in bf16.
const F32: u64 = 4;
const BF16: u64 = 2;
/// Tokens of a batch of an evaluation: large enough for full speed, small enough for the caches and any memory.
pub const EVALUATION_TOKENS: usize = 2048;
/// What the program and its libraries take.
const PROGRAM: u64 = 28 << 20;

/// The memory that a run's buffers are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemorySpace {
    /// The memory of the process. Pages take memory only once they are written.
    Host,
    /// The memory of a GPU, where everything that is reserved counts.
    Gpu,
}

/// The sizes that a run's memory depends on.
#[derive(Debug, Clone, Copy, Default)]
pub struct Workload {
    /// Tokens of the largest micro-batch.
    pub tokens: usize,
    /// The most rows of a micro-batch.
    pub rows: usize,
    /// The most distinct tokens of a step.
    pub step_words: usize,
    /// Distinct tokens of the training rows.
    pub words: usize,
    /// Tokens of the dev and test rows, and the number of these rows.
    pub measured: (u64, u64),
    /// Bytes of what a process holds beside the model: the rows and the tokenizer.
    pub held: u64,
}

impl Workload {
    fn training(&self) -> Extent {
        Extent { tokens: self.tokens, sequences: self.rows, words: self.step_words }
    }

    /// An evaluation's largest batch: as many rows of average length as fit.
    fn evaluation(&self) -> Extent {
        let (tokens, rows) = self.measured;
        let share = EVALUATION_TOKENS as f64 / tokens.max(1) as f64;
        match tokens <= EVALUATION_TOKENS as u64 {
            true => Extent { tokens: tokens as usize, sequences: rows as usize, words: 0 },
            false => Extent { tokens: EVALUATION_TOKENS, sequences: (rows as f64 * share).ceil() as usize, words: 0 },
        }
    }
}

/// Bytes that a run needs at its peak: of the process on the CPU, of the device on a GPU, without the driver's context and the memory of its
/// libraries.
pub fn memory_bytes(
    config: &ModelConfig,
    labels: usize,
    precision: Precision,
    space: MemorySpace,
    workload: &Workload,
) -> u64 {
    let layout = Layout::new(config, &ModelSpec::new(config, labels));
    let values = |config: &ModelConfig, extent: Extent| Workspace::values(config, labels, extent) as u64;
    let [all, dense] = [layout.len, layout.dense].map(|len| len as u64);
    let tables = (angles::values(config) + distances::values(config)) as u64;
    match space {
        MemorySpace::Host => {
            // Weights; gradients of all parameters but the words; two moments of all that have a gradient.
            let state = all + 3 * dense + 2 * (workload.words * config.embedding_size) as u64;
            let training = workload.training();
            // An evaluation uses the buffers of the first and the last layer, which may exceed those of training.
            let mut shallow = config.clone();
            shallow.num_hidden_layers = config.num_hidden_layers.min(2);
            let larger = training.max(workload.evaluation());
            let evaluation = values(&shallow, larger) - values(&shallow, training);
            let positions = config.relative.as_ref().map_or(0, |relative| relative.size());
            let partial = partial_values(training.sequences, positions, config.hidden_size) as u64;
            let mut bytes = F32 * (state + tables + values(config, training) + evaluation + partial);
            if precision == Precision::Bf16 {
                // The encoder's weights, packed for the forward and for the backward pass, and the operands of one product.
                // Parameters of several layers count once.
                let mut layers = layout.layers.clone();
                layers.dedup_by_key(|layer| layer.qkv.weight);
                let whole = layers.iter().map(|layer| layer.end - layer.qkv.weight);
                // Queries and keys of positions are packed apart, even where they are those of attention.
                let is_shared = config.relative.as_ref().is_some_and(|relative| relative.is_shared);
                let apart = layers.iter().filter(|_| is_shared).filter_map(|layer| layer.positions);
                let weights: usize = whole.chain(apart.map(|linear| linear.out * linear.width)).sum();
                let width = layout.layers[0].ffn_up.out.max(3 * config.hidden_size);
                bytes += BF16 * 2 * (weights + larger.tokens.max(positions) * width) as u64;
            }
            // Before, when the engine takes over the weights: all of them, and a second time the largest, which is moved first.
            let words = layout.words().len() as u64;
            PROGRAM + workload.held + bytes.max(F32 * (all + words))
        }
        MemorySpace::Gpu => {
            let extent = workload.training().max(workload.evaluation()).reserved();
            let workspace = values(config, extent);
            let state = 3 * all + dense;
            let largest = workload.tokens.max(workload.evaluation().tokens);
            let (heads, is_relative) = (config.num_attention_heads, config.relative.is_some());
            let own = cuda::own_bytes(largest, config.hidden_size, heads, is_relative) as u64;
            // A copy in bf16 of what is a factor of a product: the weights and most activations.
            let copies = if precision == Precision::Bf16 { BF16 * (all + workspace) } else { 0 };
            F32 * (state + tables + workspace) + copies + own
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Preset;

    fn rbt3() -> ModelConfig {
        let mut config = ModelConfig::preset(Preset::Rbt3);
        config.vocab_size = 21128;
        config
    }

    fn bytes(precision: Precision, space: MemorySpace, workload: Workload) -> u64 {
        memory_bytes(&rbt3(), 2, precision, space, &workload)
    }

    #[test]
    fn memory_of_the_process_grows_with_what_is_filled() {
        let fp32 = |tokens, words, measured| {
            bytes(Precision::Fp32, MemorySpace::Host, Workload { tokens, words, measured, ..Workload::default() })
        };
        // A word with a gradient has two moments.
        assert_eq!(fp32(0, 11, (0, 0)) - fp32(0, 10, (0, 0)), 2 * 4 * 768);
        // A token keeps two whole layers, the last one's keys and values, inputs and gradients.
        let whole = 3 * 768 + 4 * 768 + 2 * 3072 + 4;
        let token = 2 * whole + 2 * 768 + 3 * 768 + 770 + 3 * 768 + 3072;
        assert_eq!(fp32(101, 0, (0, 0)) - fp32(100, 0, (0, 0)), 4 * token as u64);
        // Evaluations count where they fill more than training does.
        assert!(fp32(100, 0, (450, 9)) > fp32(100, 0, (0, 0)));
        let rows = |rows| {
            bytes(
                Precision::Fp32,
                MemorySpace::Host,
                Workload { tokens: 3000, rows, measured: (4950, 99), ..Workload::default() },
            )
        };
        assert_eq!(rows(64), fp32(3000, 0, (0, 0)) + (rows(64) - rows(0)) + (rows(0) - fp32(3000, 0, (0, 0))));
        // 21.2 million weights twice in two bytes, and the operands.
        let workload = Workload { tokens: 1000, ..Workload::default() };
        let more =
            bytes(Precision::Bf16, MemorySpace::Host, workload) - bytes(Precision::Fp32, MemorySpace::Host, workload);
        let biases_and_norms = 3 * (3 * 768 + 768 + 2 * 768 + 3072 + 768 + 2 * 768);
        assert_eq!(more, 2 * (2 * (3 * 7_077_888 + biases_and_norms) + 2 * 1000 * 3072));
    }

    /// Of a large vocabulary, most words never occur: the weights are twice in memory where the engine takes them over, not in training.
    #[test]
    fn a_large_vocabulary_counts_twice_at_the_start() {
        let mut large = rbt3();
        large.vocab_size = 250_002;
        let host = |config: &ModelConfig, tokens, held| {
            let load = Workload { tokens, held, ..Workload::default() };
            memory_bytes(config, 2, Precision::Fp32, MemorySpace::Host, &load)
        };
        let layout = Layout::new(&large, &ModelSpec::new(&large, 2));
        let table = 250_002 * 768;
        assert_eq!(host(&large, 0, 5), PROGRAM + 5 + 4 * (layout.len + table) as u64);
        assert_eq!(host(&large, 100, 0), host(&large, 0, 0), "a small batch takes less");
        let all = host(&large, 100_000, 0) - host(&rbt3(), 100_000, 0);
        assert_eq!(all, 4 * (250_002 - 21_128) * 768, "in training once");
    }

    /// Layers that share their parameters have them once, and activations each.
    #[test]
    fn shared_parameters_count_once() {
        let of = |groups: usize, precision, tokens| {
            let config = serde_json::json!({
                "model_type": "albert", "vocab_size": 16, "embedding_size": 32, "hidden_size": 64, "intermediate_size": 256,
                "num_attention_heads": 2, "num_hidden_layers": 3, "num_hidden_groups": groups,
            });
            let config = ModelConfig::parse(&config.to_string()).expect("a config");
            memory_bytes(&config, 2, precision, MemorySpace::Host, &Workload { tokens, ..Workload::default() })
        };
        let fp32 = |groups, tokens| of(groups, Precision::Fp32, tokens);
        let set = 4 * (64 * 64 + 64) + 2 * 2 * 64 + 2 * 64 * 256 + 256 + 64;
        // Weights, gradients and two moments.
        assert_eq!(fp32(3, 1000) - fp32(1, 1000), 2 * 4 * 4 * set);
        assert_eq!(fp32(3, 1001) - fp32(3, 1000), fp32(1, 1001) - fp32(1, 1000));
        let bf16 = |groups| of(groups, Precision::Bf16, 1000) - fp32(groups, 1000);
        assert_eq!([bf16(1), bf16(3)], [1, 3].map(|sets| 2 * 2 * (sets * set + 1000 * 256)));
    }

    /// Relative positions have activations and gradients for each layer, sums of groups of texts, and packed weights of their own.
    #[test]
    fn relative_positions_count() {
        let of = |more: serde_json::Value, precision, rows| {
            let mut config = serde_json::json!({
                "model_type": "deberta-v2", "vocab_size": 16, "hidden_size": 64, "intermediate_size": 256, "num_attention_heads": 2,
                "num_hidden_layers": 3, "position_biased_input": false,
            });
            more.as_object().expect("an object").iter().for_each(|(key, value)| config[key] = value.clone());
            let config = ModelConfig::parse(&config.to_string()).expect("a config");
            let load = Workload { tokens: 1000, rows, ..Workload::default() };
            memory_bytes(&config, 2, precision, MemorySpace::Host, &load)
        };
        let relative = || {
            serde_json::json!({
                "relative_attention": true, "pos_att_type": "c2p|p2c", "share_att_key": true, "position_buckets": 8,
                "norm_rel_ebd": "layer_norm",
            })
        };
        let [with, without] = [relative(), serde_json::json!({})].map(|more| of(more, Precision::Fp32, 0));
        // The table with its norm, gradients and two moments; rows of all distances; five copies of the table, queries and keys of each layer and their
        // gradient, and the norm's statistics.
        let values = 4 * (16 * 64 + 2 * 64) + 1023 + 5 * 16 * 64 + 4 * 16 * 128 + 2 * 16;
        let aligned = |bytes: u64| bytes.div_ceil(4 * 64);
        assert_eq!(aligned(with - without), aligned(4 * values));
        let rows = |more: serde_json::Value, rows| of(more, Precision::Fp32, rows);
        let sums = |n: u64| 4 * n * 16 * 128;
        assert_eq!(rows(relative(), 3) - with, rows(serde_json::json!({}), 3) - without + sums(3));
        assert_eq!(rows(relative(), 30) - with, rows(serde_json::json!({}), 30) - without + sums(8));
        let bf16 = |more: serde_json::Value| of(more.clone(), Precision::Bf16, 0) - of(more, Precision::Fp32, 0);
        assert_eq!(bf16(relative()) - bf16(serde_json::json!({})), 2 * 2 * 3 * 2 * 64 * 64);
    }

    /// On a GPU, moments of all words and a quarter more than the largest batch.
    #[test]
    fn a_gpu_takes_all_that_is_reserved() {
        let gpu = |tokens| bytes(Precision::Fp32, MemorySpace::Gpu, Workload { tokens, ..Workload::default() });
        let layout = Layout::new(&rbt3(), &ModelSpec::new(&rbt3(), 2));
        let state = 4 * (3 * layout.len + layout.dense) as u64;
        assert_eq!(gpu(0), state + cuda::own_bytes(0, 768, 12, false) as u64);
        let of_1000 = Workspace::values(&rbt3(), 2, Extent { tokens: 1250, ..Extent::default() });
        assert_eq!(gpu(1000), state + 4 * of_1000 as u64 + cuda::own_bytes(1000, 768, 12, false) as u64);
    }
}

//! How much memory a run takes, from the engine's buffers. What is never written takes none: parameters that have no gradient
//! keep no moments, and buffers count as far as the largest batch fills them.

use super::{Lengths, ModelShape, Precision, TrainConfig};

/// Bytes of a number.
const F32: f64 = 4.0;
const BF16: f64 = 2.0;
/// Tokens of an evaluation batch.
const EVALUATION_TOKENS: f64 = 2048.0;
/// The program, its libraries, tokenizer and rows.
const PROGRAM: f64 = (72 << 20) as f64;

/// Bytes that a run takes at its peak. Computed in floats, which are exact up to 2^53 and saturate where they become bytes.
pub fn memory_bytes(train: &TrainConfig, shape: &ModelShape, lengths: &Lengths) -> u64 {
    let [h, f, layers, labels] = [shape.hidden, shape.intermediate, shape.layers, shape.labels].map(|n| n as f64);
    let words = shape.vocab as f64 * h;
    let parameters = shape.parameters_float();
    let dense = parameters - words;
    // Weights; gradients of all but the words; two moments of all that has a gradient.
    let state = parameters + 3.0 * dense + 2.0 * lengths.words as f64 * h;
    let tokens = lengths.largest as f64;
    let rows = train.batch_size as f64;

    // What a layer keeps for each row that asks: context, both sums, the middle, both sides of GELU, statistics.
    let asking = 4.0 * h + 2.0 * f + 4.0;
    let full = 3.0 * h + asking;
    let last = 2.0 * h;
    let inputs = layers.max(2.0) * h + (h + 2.0);
    let gradients = 3.0 * h + f.max(3.0 * h);
    let trained = tokens * ((layers.max(1.0) - 1.0) * full + last + inputs + gradients + h);
    let of_rows = rows * (asking + 8.0 * h + 2.0 * labels);
    // An evaluation fills the first layer's buffers, the last one's keys and values, and two inputs.
    let measured: u64 = lengths.dev.iter().chain(lengths.test).map(|n| u64::from(*n)).sum();
    let measured = (measured as f64).min(EVALUATION_TOKENS);
    let more = (measured - tokens).max(0.0) * (full.max(last) + last + 3.0 * h);
    let mut bytes = PROGRAM + F32 * (state + trained + of_rows + more);
    if train.precision == Precision::Bf16 {
        // The encoder's weights, laid out for the forward and for the backward pass, and the operands of one product.
        let weights = layers * (4.0 * h * h + 2.0 * h * f);
        bytes += BF16 * (2.0 * weights + 2.0 * tokens.max(measured) * f.max(3.0 * h));
    }
    bytes as u64
}

#[cfg(test)]
mod tests {
    use super::super::testing::full_config;
    use super::*;

    const RBT3: ModelShape =
        ModelShape { hidden: 768, layers: 3, intermediate: 3072, vocab: 21128, positions: 512, heads: 12, labels: 2 };

    fn bytes(precision: Precision, largest: u64, words: u64, test: &[u32]) -> u64 {
        let train = TrainConfig { precision, batch_size: 32, ..full_config().train };
        memory_bytes(&train, &RBT3, &Lengths { largest, words, test, ..Lengths::default() })
    }

    #[test]
    fn sizes_beyond_all_bounds_saturate() {
        let train = full_config().train;
        let lengths = Lengths { largest: 64, words: 100, ..Lengths::default() };
        for size in [1 << 31, 1 << 40, 1 << 62, usize::MAX] {
            for shape in [
                ModelShape { hidden: size, ..RBT3 },
                ModelShape { vocab: size, hidden: size, ..RBT3 },
                ModelShape { layers: size, intermediate: size, hidden: size, ..RBT3 },
            ] {
                assert!(shape.parameters() >= size as u64, "{shape:?}: {}", shape.parameters());
                assert!(memory_bytes(&train, &shape, &lengths) >= size as u64, "{shape:?}");
            }
        }
        assert_eq!(ModelShape { hidden: usize::MAX, ..RBT3 }.parameters(), u64::MAX);
    }

    #[test]
    fn memory_grows_with_what_is_filled() {
        let fp32 = |largest, words, test: &[u32]| bytes(Precision::Fp32, largest, words, test);
        // A word with a gradient has two moments.
        assert_eq!(fp32(0, 11, &[]) - fp32(0, 10, &[]), 2 * 4 * 768);
        // A token keeps two whole layers, the last one's keys and values, inputs and gradients.
        let whole = 3 * 768 + 4 * 768 + 2 * 3072 + 4;
        let token = 2 * whole + 2 * 768 + 3 * 768 + 770 + 3 * 768 + 3072 + 768;
        assert_eq!(fp32(101, 0, &[]) - fp32(100, 0, &[]), 4 * token as u64);
        // Evaluations count where they fill more than training does.
        assert!(fp32(100, 0, &[50; 9]) > fp32(100, 0, &[]));
        assert_eq!(fp32(3000, 0, &[50; 99]), fp32(3000, 0, &[]));
        // 21.2 million weights twice in two bytes, and the operands.
        let more = bytes(Precision::Bf16, 1000, 0, &[]) - fp32(1000, 0, &[]);
        assert_eq!(more, 2 * (2 * 3 * 7_077_888 + 2 * 1000 * 3072));
    }
}

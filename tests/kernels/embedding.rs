//! The embedding's sum, norm and dropout, and its sparse gradient.

use candle_core::{Device, Tensor};
use proptest::prelude::*;
use taper::kernels::{
    Embed, EmbedBackward, Embedding, LayerNorm, Occurrence, Table, TokenStream, Untouched, reference,
};

use super::{attention::lengths, norm::layer_norm, support::*};

#[derive(Debug, Clone)]
struct Shape {
    lengths: Vec<usize>,
    width: usize,
    vocab: usize,
    token_types: usize,
    drop: Drop,
    fresh: bool,
    /// Whether some words have never been trained, and decay.
    decays: bool,
    seed: u64,
}

fn shapes() -> impl Strategy<Value = Shape> {
    let sizes = (lengths(), 4..90usize, 1..60usize, 1..4usize);
    (sizes, drops(), any::<bool>(), any::<bool>(), any::<u64>()).prop_map(
        |((lengths, width, vocab, token_types), drop, fresh, decays, seed)| Shape {
            lengths,
            width,
            vocab,
            token_types,
            drop,
            fresh,
            decays,
            seed,
        },
    )
}

fn edges() -> impl Iterator<Item = Shape> {
    let shape = |lengths: &[usize], width, vocab, token_types, drop| Shape {
        lengths: lengths.to_vec(),
        width,
        vocab,
        token_types,
        drop,
        fresh: vocab % 2 == 0,
        decays: width % 2 == 0,
        seed: 17,
    };
    [
        shape(&[1], 4, 1, 1, None),
        shape(&[512], 24, 100, 2, Some((0.1, 0))),
        shape(&[1; 40], 17, 5, 1, Some((0.5, 3))),
        // More columns than a task takes.
        shape(&[3, 9], 130, 4, 2, None),
    ]
    .into_iter()
}

pub fn embed_and_its_gradients<T: Tested>() {
    for_all::<T, _>(edges(), shapes(), |backend, shape| {
        let Shape { lengths, width, vocab, token_types, drop, fresh, decays, seed } = shape;
        let mut random = Numbers::new(seed);
        let (tokens, rows) = (lengths.iter().sum::<usize>(), lengths.iter().max().expect("a sequence") + 4);
        let ids: Vec<u32> = (0..tokens).map(|_| random.below(vocab) as u32).collect();
        // From a row of their own on in each case: RoBERTa's begin past the padding's.
        let first = random.below(3) as u32;
        let positions: Vec<u32> = lengths.iter().flat_map(|n| first..first + *n as u32).collect();
        let types: Vec<u32> = (0..tokens).map(|_| random.below(token_types) as u32).collect();
        let offsets = super::attention::offsets(&lengths);
        let stream = TokenStream { ids: &ids, positions: &positions, token_types: &types, offsets: &offsets };
        let batch = backend.batch(stream);

        let [words, mut position, mut token_type, mut task] =
            [vocab, rows, token_types, 3].map(|n| random.normal(n * width));
        // Models without one of the tables, or without the norm's bias: zeros in the oracles.
        let (has_positions, has_types, has_task) = (vocab % 5 != 4, width % 3 != 2, vocab % 2 == 0);
        for (table, has) in [(&mut position, has_positions), (&mut token_type, has_types), (&mut task, has_task)] {
            table.iter_mut().filter(|_| !has).for_each(|v| *v = 0.0);
        }
        let [weight, mut bias] = [width; 2].map(|n| random.normal(n));
        let has_bias = tokens % 4 != 3;
        bias.iter_mut().filter(|_| !has_bias).for_each(|v| *v = 0.0);
        let dy = random.normal(tokens * width);
        let mut parameters_at = ParameterBuffer::default();
        let (weight_at, bias_at) = (parameters_at.put(&weight), parameters_at.put(&bias));
        let norm = LayerNorm { weight: weight_at, bias: has_bias.then_some(bias_at), width, eps: 1e-6 };
        let [position_at, token_type_at, task_at, word_at] =
            [&position, &token_type, &task, &words].map(|values| parameters_at.put(values));
        let table = |offset: usize, rows: usize| Table { offset, rows, width };
        let embedding = Embedding {
            word: table(word_at, vocab),
            position: has_positions.then(|| table(position_at, rows)),
            token_type: has_types.then(|| table(token_type_at, token_types)),
            task: has_task.then(|| table(task_at, 3)),
        };
        let parameters = parameters_at.buffer(backend);
        let touched: Vec<bool> = if decays { (0..vocab).map(|_| random.below(2) == 0).collect() } else { Vec::new() };
        let untouched = Untouched { touched: &touched, decay: 0.5 };
        // What the layer reads is the decayed table, and gradients are those of its values.
        let mut read = words.clone();
        for (row, _) in read.chunks_exact_mut(width).zip(&touched).filter(|(_, touched)| !**touched) {
            row.iter_mut().for_each(|v| *v *= 0.5);
        }

        let n = tokens * width;
        let (mut out, mut sum, mut stats) =
            (unwritten(backend, n), unwritten(backend, n), unwritten(backend, 2 * tokens));
        let drop_ = dropout(drop);
        backend.embed(Embed {
            out: &mut out,
            sum: &mut sum,
            stats: &mut stats,
            parameters: &parameters,
            embedding,
            norm,
            untouched,
            batch: &batch,
            dropout: drop_,
        });
        values(backend, &stats, 2 * tokens);

        // Rows of the words' gradients in any order, and rows of words that another batch of the step has.
        let used: std::collections::BTreeSet<u32> = ids.iter().copied().collect();
        let spare = random.below(4);
        let row_of = |i: usize| (used.len() - 1 - i + spare) as u32;
        let tokens_of = |id: u32| (0..).zip(&ids).filter(|(_, other)| **other == id).map(|(index, _)| index).collect();
        let occurrences: Vec<Occurrence> =
            used.iter().enumerate().map(|(i, id)| Occurrence { row: row_of(i), tokens: tokens_of(*id) }).collect();
        let before = random.normal((used.len() + spare) * width);
        let mut word_rows = buffer(backend, &before);
        let (mut d_sum, mut gradients) = (buffer(backend, &dy), parameters_at.gradients(backend, fresh, &mut random));
        backend.embed_backward(EmbedBackward {
            d_out: &mut d_sum,
            words: &mut word_rows,
            gradients: &mut gradients.buffer,
            fresh,
            sum: &sum,
            stats: &stats,
            parameters: &parameters,
            embedding,
            norm,
            batch: &batch,
            occurrences: &occurrences,
            dropout: drop_,
        });
        let after = values(backend, &word_rows, before.len());
        assert_eq!(after[..spare * width], before[..spare * width], "words that do not occur");
        let mut d_words = vec![0.0; vocab * width];
        for (i, id) in used.iter().enumerate() {
            let row = row_of(i) as usize * width..(row_of(i) as usize + 1) * width;
            let sums = after[row.clone()].iter().zip(&before[row]).map(|(after, before)| after - before);
            d_words[*id as usize * width..][..width].iter_mut().zip(sums).for_each(|(d, sum)| *d = sum);
        }
        let d_position = has_positions.then(|| gradients.take(backend, position_at, position.len()));
        let d_type = has_types.then(|| gradients.take(backend, token_type_at, token_type.len()));
        let d_task = has_task.then(|| gradients.take(backend, task_at, task.len()));
        let dw = gradients.take(backend, norm.weight, width);
        let db = norm.bias.map(|at| gradients.take(backend, at, width));
        gradients.check_rest(backend);

        let inputs = [
            Input { name: "words", values: &read, shape: &[vocab, width], gradient: Some(&d_words) },
            Input { name: "positions", values: &position, shape: &[rows, width], gradient: d_position.as_deref() },
            Input {
                name: "token types",
                values: &token_type,
                shape: &[token_types, width],
                gradient: d_type.as_deref(),
            },
            Input { name: "tasks", values: &task, shape: &[3, width], gradient: d_task.as_deref() },
            Input { name: "the norm's weight", values: &weight, shape: &[width], gradient: Some(&dw) },
            Input { name: "the norm's bias", values: &bias, shape: &[width], gradient: db.as_deref() },
        ];
        let factors = factors(drop, tokens, width);
        let exact = |at: &[Vec<f64>]| -> Vec<f64> {
            let row = |table: usize, row: u32| at[table][row as usize * width..][..width].iter();
            let sum = ids.iter().zip(&positions).zip(&types).flat_map(|((id, position), kind)| {
                let tables = row(0, *id).zip(row(1, *position)).zip(row(2, *kind)).zip(row(3, 0));
                tables.map(|(((word, position), t), task)| word + position + t + task)
            });
            let y = layer_norm(&sum.collect::<Vec<_>>(), &at[4], &at[5], 1e-6).0;
            y.iter().zip(&factors).map(|(y, factor)| y * factor).collect()
        };
        check(&inputs, &values(backend, &out, n), &dy, norm_tolerance::<T>(), exact, |t| {
            let rows = |table: &Tensor, rows: &[u32]| table.index_select(&Tensor::new(rows, &Device::Cpu)?, 0);
            let sum = ((rows(&t[0], &ids)? + rows(&t[1], &positions)?)? + rows(&t[2], &types)?)?;
            let sum = (sum + rows(&t[3], &vec![0; ids.len()])?)?;
            reference::dropout(&reference::layer_norm(&sum, &t[4], Some(&t[5]), 1e-6)?, dropout(drop))
        });
    });
}

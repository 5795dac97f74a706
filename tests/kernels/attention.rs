//! Attention, where every token asks and where the first of each sequence does.

use candle_core::{D, Result, Tensor};
use proptest::prelude::*;
use taper::kernels::{
    Attend, Attention, AttentionBackward, Queries, Rotation, TokenStream,
    reference::{self, Ragged, Scores},
};

use super::support::*;

/// Lengths of sequences: few, one, many.
pub fn lengths() -> impl Strategy<Value = Vec<usize>> {
    let few = proptest::collection::vec(1..40usize, 1..6);
    let many = proptest::collection::vec(1..5usize, 20..40);
    prop_oneof![4 => few, 1 => (1..90usize).prop_map(|n| vec![n]), 1 => many]
}

/// Where they begin, and the end of the last.
pub fn offsets(lengths: &[usize]) -> Vec<u32> {
    let ends = lengths.iter().scan(0, |end, n| {
        *end += *n as u32;
        Some(*end)
    });
    std::iter::once(0).chain(ends).collect()
}

#[derive(Debug, Clone)]
struct Shape {
    lengths: Vec<usize>,
    heads: usize,
    d: usize,
    window: Option<usize>,
    drop: Drop,
    seed: u64,
}

fn shapes() -> impl Strategy<Value = Shape> {
    let windows = proptest::option::of(0..70usize);
    (lengths(), 1..5usize, 1..20usize, windows, drops(), any::<u64>())
        .prop_map(|(lengths, heads, d, window, drop, seed)| Shape { lengths, heads, d, window, drop, seed })
}

fn edges() -> impl Iterator<Item = Shape> {
    let shape =
        |lengths: &[usize], heads, d, drop| Shape { lengths: lengths.to_vec(), heads, d, window: None, drop, seed: 19 };
    // ModernBERT's window: 64 tokens to each side.
    let windowed = |lengths: &[usize], window, drop| Shape { window: Some(window), ..shape(lengths, 2, 8, drop) };
    [
        windowed(&[1, 2, 63, 64, 65, 66, 129, 130, 131], 64, Some((0.1, 7))),
        windowed(&[512, 200], 64, Some((0.2, 0))),
        windowed(&[70, 33], 3, None),
        windowed(&[70, 140], 3, Some((0.3, 1))),
        windowed(&[40], 0, Some((0.5, 3))),
        windowed(&[40, 300], 1000, None),
        shape(&[1], 1, 1, None),
        shape(&[1; 20], 3, 5, Some((0.5, 9))),
        shape(&[512], 2, 3, Some((0.1, 0))),
        shape(&[3, 512, 1, 16], 1, 4, None),
        shape(&[16, 15, 17, 32, 33], 12, 8, Some((0.9, 100))),
    ]
    .into_iter()
}

/// a·b.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// softmax(scores)·v of one sequence and head in float64, of keys at most `window` from the query; `factors` `[queries, keys]` fall on
/// the probabilities. `score` has the positions of query and key in their sequence.
fn attend(
    q: &[&[f64]],
    k: &[&[f64]],
    v: &[&[f64]],
    score: impl Fn(usize, usize) -> f64,
    window: usize,
    factors: &[f64],
) -> Vec<Vec<f64>> {
    let one = |((at, q), factors): ((usize, &&[f64]), &[f64])| -> Vec<f64> {
        let keys = 0..k.len();
        let e: Vec<f64> = keys.map(|key| if at.abs_diff(key) > window { 0.0 } else { score(at, key).exp() }).collect();
        let total: f64 = e.iter().sum();
        let mut out = vec![0.0; q.len()];
        for ((e, factor), v) in e.iter().zip(factors).zip(v) {
            out.iter_mut().zip(*v).for_each(|(out, v)| *out += e / total * factor * v);
        }
        out
    };
    q.iter().enumerate().zip(factors.chunks_exact(k.len())).map(one).collect()
}

/// What both oracles need to know of a case.
pub struct Case {
    pub heads: usize,
    pub width: usize,
    pub ragged: Ragged,
    pub window: Option<usize>,
    pub drop: Drop,
    pub relative: Option<Terms>,
}

/// Relative positions of a case: the row for each distance, around that of 0, and the terms of a score.
#[derive(Clone)]
pub struct Terms {
    pub rows: Vec<u32>,
    pub c2p: bool,
    pub p2c: bool,
}

impl Terms {
    pub fn row(&self, distance: isize) -> u32 {
        self.rows[(self.rows.len() / 2).checked_add_signed(distance).expect("an index")]
    }
}

impl Case {
    /// The factor of the scores.
    pub fn scale(&self) -> f64 {
        let terms = self.relative.as_ref().map_or(1, |terms| 1 + usize::from(terms.c2p) + usize::from(terms.p2c));
        ((self.width / self.heads * terms) as f64).sqrt().recip()
    }

    /// q `[queries, width]`, k and v `[keys, width]` → `[queries, width]`, in float64. `positions`: queries, then keys of the relative ones,
    /// `[rows, 2 · width]`.
    pub fn exact(&self, q: &[f64], k: &[f64], v: &[f64], positions: &[f64]) -> Vec<f64> {
        let (width, d) = (self.width, self.width / self.heads);
        let mut out = vec![0.0; q.len()];
        for (queries, keys) in self.ragged.queries.windows(2).zip(self.ragged.keys.windows(2)) {
            let (queries, keys) = (queries[0] as usize..queries[1] as usize, keys[0] as usize..keys[1] as usize);
            for head in 0..self.heads {
                let [q, k, v] = [(q, &queries), (k, &keys), (v, &keys)]
                    .map(|(x, rows)| rows.clone().map(|row| &x[row * width + head * d..][..d]).collect::<Vec<_>>());
                let factors: Vec<f64> =
                    queries.clone().flat_map(|query| self.factors(query, head, keys.len())).collect();
                let of_position =
                    |row: u32, half: usize| &positions[row as usize * 2 * width + half * width + head * d..][..d];
                let score = |query: usize, key: usize| {
                    let mut sum = dot(q[query], k[key]);
                    if let Some(terms) = &self.relative {
                        let row = terms.row(query as isize - key as isize);
                        sum += if terms.c2p { dot(q[query], of_position(row, 1)) } else { 0.0 };
                        sum += if terms.p2c { dot(k[key], of_position(row, 0)) } else { 0.0 };
                    }
                    sum * self.scale()
                };
                let attended = attend(&q, &k, &v, score, self.window.unwrap_or(usize::MAX), &factors);
                for (row, values) in queries.clone().zip(attended) {
                    out[row * width + head * d..][..d].copy_from_slice(&values);
                }
            }
        }
        out
    }

    /// Dropout of one row of probabilities: each head has 8192 positions in a query's row of the mask.
    fn factors(&self, query: usize, head: usize, keys: usize) -> Vec<f64> {
        let mut factors = vec![1.0f32; keys];
        if let Some(dropout) = dropout(self.drop) {
            dropout.fill(dropout.index(query, self.heads * 8192) + 8192 * head as u64, &mut factors);
        }
        wide(&factors)
    }

    pub fn reference(&self, q: &Tensor, k: &Tensor, v: &Tensor, positions: Option<&Tensor>) -> Result<Tensor> {
        let row = |distance| self.relative.as_ref().expect("rows").row(distance);
        let relative = self.relative.as_ref().zip(positions).map(|(terms, positions)| reference::Relative {
            positions,
            row: &row,
            c2p: terms.c2p,
            p2c: terms.p2c,
        });
        let scores = Scores { heads: self.heads, window: self.window, scale: self.scale(), relative };
        reference::attention(q, k, v, &self.ragged, &scores, dropout(self.drop))
    }
}

/// Attention with the usual scale.
pub fn attention(heads: usize, width: usize, queries: Queries, window: Option<usize>, drop: Drop) -> Attention {
    Attention { heads, width, queries, window, scale: Attention::usual_scale(width / heads), dropout: dropout(drop) }
}

/// The columns `from..from + width` of rows of `stride`.
pub fn columns(x: &[f64], stride: usize, from: usize, width: usize) -> Vec<f64> {
    x.chunks_exact(stride).flat_map(|row| &row[from..from + width]).copied().collect()
}

pub fn part(x: &Tensor, i: usize, width: usize) -> Result<Tensor> {
    x.narrow(D::Minus1, i * width, width)
}

pub fn every_token_asks<T: Tested>() {
    for_all::<T, _>(edges(), shapes(), |backend, Shape { lengths, heads, d, window, drop, seed }| {
        let mut random = Numbers::new(seed);
        let (tokens, width, keys) = (lengths.iter().sum::<usize>(), heads * d, offsets(&lengths));
        let batch = batch(backend, tokens, &keys);
        let attention = attention(heads, width, Queries::All, window, drop);
        let (qkv, dy) = (random.normal(tokens * 3 * width), random.normal(tokens * width));
        let qkv_buffer = buffer(backend, &qkv);
        let mut context = unwritten(backend, tokens * width);
        let (q, kv) = (&qkv_buffer, &qkv_buffer);
        backend.attention(Attend { context: &mut context, q, kv, batch: &batch, attention, relative: None });
        let (mut unused, mut d_qkv) = (unwritten(backend, 0), unwritten(backend, qkv.len()));
        let dy_buffer = buffer(backend, &dy);
        backend.attention_backward(AttentionBackward {
            dq: &mut unused,
            dkv: &mut d_qkv,
            d_context: &dy_buffer,
            q: &qkv_buffer,
            kv: &qkv_buffer,
            batch: &batch,
            attention,
            relative: None,
        });
        assert_unwritten(backend, &unused);
        let ragged = Ragged { queries: keys.clone().into(), keys: keys.into() };
        let case = Case { heads, width, ragged, window, drop, relative: None };
        let d_qkv = values(backend, &d_qkv, qkv.len());
        let inputs = [Input {
            name: "queries, keys and values",
            values: &qkv,
            shape: &[tokens, 3 * width],
            gradient: Some(&d_qkv),
        }];
        let exact = |at: &[Vec<f64>]| {
            let [q, k, v] = [0, 1, 2].map(|i| columns(&at[0], 3 * width, i * width, width));
            case.exact(&q, &k, &v, &[])
        };
        check(&inputs, &values(backend, &context, tokens * width), &dy, tolerance::<T>(), exact, |t| {
            case.reference(&part(&t[0], 0, width)?, &part(&t[0], 1, width)?, &part(&t[0], 2, width)?, None)
        });
    });
}

pub fn the_first_of_each_sequence_asks<T: Tested>() {
    for_all::<T, _>(edges(), shapes(), |backend, Shape { lengths, heads, d, window, drop, seed }| {
        let mut random = Numbers::new(seed);
        let (sequences, tokens) = (lengths.len(), lengths.iter().sum::<usize>());
        let (width, keys) = (heads * d, offsets(&lengths));
        let batch = batch(backend, tokens, &keys);
        let attention = attention(heads, width, Queries::First, window, drop);
        let [q, kv, dy] = [sequences * width, tokens * 2 * width, sequences * width].map(|n| random.normal(n));
        let (q_buffer, kv_buffer) = (buffer(backend, &q), buffer(backend, &kv));
        let mut context = unwritten(backend, q.len());
        backend.attention(Attend {
            context: &mut context,
            q: &q_buffer,
            kv: &kv_buffer,
            batch: &batch,
            attention,
            relative: None,
        });
        let (mut dq, mut dkv) = (unwritten(backend, q.len()), unwritten(backend, kv.len()));
        backend.attention_backward(AttentionBackward {
            dq: &mut dq,
            dkv: &mut dkv,
            d_context: &buffer(backend, &dy),
            q: &q_buffer,
            kv: &kv_buffer,
            batch: &batch,
            attention,
            relative: None,
        });
        let queries: Vec<u32> = (0..=sequences as u32).collect();
        let ragged = Ragged { queries: queries.into(), keys: keys.into() };
        let case = Case { heads, width, ragged, window, drop, relative: None };
        let (dq, dkv) = (values(backend, &dq, q.len()), values(backend, &dkv, kv.len()));
        let inputs = [
            Input { name: "queries", values: &q, shape: &[sequences, width], gradient: Some(&dq) },
            Input { name: "keys and values", values: &kv, shape: &[tokens, 2 * width], gradient: Some(&dkv) },
        ];
        let exact = |at: &[Vec<f64>]| {
            let [k, v] = [0, 1].map(|i| columns(&at[1], 2 * width, i * width, width));
            case.exact(&at[0], &k, &v, &[])
        };
        check(&inputs, &values(backend, &context, q.len()), &dy, tolerance::<T>(), exact, |t| {
            case.reference(&t[0], &part(&t[1], 0, width)?, &part(&t[1], 1, width)?, None)
        });
    });
}

/// Scores far beyond what e^x can hold: only differences from a row's largest matter, also where all are far below zero.
pub fn large_scores_neither_overflow_nor_vanish<T: Tested>() {
    with::<T>(|backend| {
        let batch = batch(backend, 3, &[0, 3]);
        let attention = attention(1, 1, Queries::First, None, None);
        for sign in [1.0, -1.0] {
            // Scores ±1000, ±1001, ±1000; values 1, 2, 4.
            let kv = [1000.0, 1.0, 1001.0, 2.0, 1000.0, 4.0];
            let mut context = unwritten(backend, 1);
            let (q, kv) = (&buffer(backend, &[sign]), &buffer(backend, &kv));
            backend.attention(Attend { context: &mut context, q, kv, batch: &batch, attention, relative: None });
            let e = f64::from(sign).exp();
            close("context", &values(backend, &context, 1), &[(1.0 + 2.0 * e + 4.0) / (2.0 + e)], tolerance::<T>());
        }
    });
}

/// Pairs of values are turned by the angle of their token's position, and turned back in the backward pass; other columns of a row
/// are left as they are.
pub fn rotations_and_back<T: Tested>() {
    let edges = [(vec![1], 1, 2, 0, 1), (vec![3, 70, 1], 4, 32, 5, 2), (vec![200], 2, 64, 64, 3)];
    let shapes = (lengths(), 1..5usize, 1..12usize, 0..9usize, any::<u64>());
    let shapes = shapes.prop_map(|(lengths, heads, half, more, seed)| (lengths, heads, 2 * half, more, seed));
    for_all::<T, _>(edges, shapes, |backend, (lengths, heads, d, more, seed)| {
        let mut random = Numbers::new(seed);
        let (tokens, turned, stride) = (lengths.iter().sum::<usize>(), heads * d, heads * d + more);
        let positions: Vec<u32> = lengths.iter().flat_map(|n| 0..*n as u32).collect();
        let of_positions: Vec<f32> = (0..*lengths.iter().max().expect("a length") * d)
            .map(|i| (0.37 * (i / d) as f32 * (1 + i % (d / 2)) as f32, i % d < d / 2))
            .map(|(angle, is_cosine)| if is_cosine { angle.cos() } else { angle.sin() })
            .collect();
        let none = vec![0; tokens];
        let offsets = offsets(&lengths);
        let batch =
            backend.batch(TokenStream { ids: &none, positions: &positions, token_types: &none, offsets: &offsets });
        let (x, dy) = (random.normal(tokens * stride), random.normal(tokens * stride));
        let angles = buffer(backend, &of_positions);
        let mut rotated = |values_of: &[f32], back: bool| {
            let mut x = buffer(backend, values_of);
            let (angles, batch) = (&angles, &batch);
            backend.rotate(Rotation { x: &mut x, angles, batch, stride, heads, head_width: d, back });
            values(backend, &x, values_of.len())
        };
        let (y, dx) = (rotated(&x, false), rotated(&dy, true));
        let by_token: Vec<f32> =
            positions.iter().flat_map(|p| &of_positions[*p as usize * d..][..d]).copied().collect();
        let inputs = [Input { name: "x", values: &x, shape: &[tokens, stride], gradient: Some(&dx) }];
        let exact = |at: &[Vec<f64>]| {
            let mut y = at[0].clone();
            for (row, angles) in y.chunks_exact_mut(stride).zip(by_token.chunks_exact(d)) {
                for head in row[..turned].chunks_exact_mut(d) {
                    for i in 0..d / 2 {
                        let (a, b) = (head[i], head[i + d / 2]);
                        let (cos, sin) = (f64::from(angles[i]), f64::from(angles[i + d / 2]));
                        (head[i], head[i + d / 2]) = (a * cos - b * sin, b * cos + a * sin);
                    }
                }
            }
            y
        };
        check(&inputs, &y, &dy, tolerance::<T>(), exact, |t| {
            let angles = Tensor::from_slice(&by_token, (tokens, d), t[0].device())?;
            let turned_part = reference::rotate(&t[0].narrow(1, 0, turned)?.contiguous()?, &angles, heads)?;
            match more {
                0 => Ok(turned_part),
                _ => Tensor::cat(&[turned_part, t[0].narrow(1, turned, more)?], 1),
            }
        });
    });
}

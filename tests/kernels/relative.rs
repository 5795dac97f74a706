//! Attention with relative positions, and copies of rows.

use candle_core::Tensor;
use proptest::prelude::*;
use taper::kernels::{
    Attend, Attention, AttentionBackward, CopyRows, Linear, Queries, Relative, reference, reference::Ragged,
};

use super::{
    attention::{Case, Terms, attention, columns, lengths, offsets, part},
    support::*,
};

#[derive(Debug, Clone)]
struct Shape {
    lengths: Vec<usize>,
    heads: usize,
    d: usize,
    /// Distances up to this one have rows of their own; of those beyond, three share one.
    near: usize,
    /// How many of the last rows are one, as at the end of a table without buckets.
    clamped: u32,
    c2p: bool,
    p2c: bool,
    drop: Drop,
    seed: u64,
}

impl Shape {
    fn longest(&self) -> usize {
        *self.lengths.iter().max().expect("a length")
    }

    /// The row for each distance of the longest sequence, from 0 on.
    fn rows(&self) -> Vec<u32> {
        let bucket = |distance: usize| distance.min(self.near) + distance.saturating_sub(self.near).div_ceil(3);
        let center = bucket(self.longest() - 1);
        let reach = self.longest() as isize - 1;
        let row = |distance: isize| center as isize + distance.signum() * bucket(distance.unsigned_abs()) as isize;
        let last = row(reach) as u32 - self.clamped.min(center as u32);
        (-reach..=reach).map(|distance| (row(distance) as u32).min(last)).collect()
    }
}

fn shapes() -> impl Strategy<Value = Shape> {
    let terms = prop_oneof![2 => Just((true, true)), 1 => Just((true, false)), 1 => Just((false, true))];
    let heads = (1..4usize, 1..20usize);
    (lengths(), heads, 0..40usize, 0..3u32, terms, drops(), any::<u64>()).prop_map(
        |(lengths, (heads, d), near, clamped, (c2p, p2c), drop, seed)| Shape {
            lengths,
            heads,
            d,
            near,
            clamped,
            c2p,
            p2c,
            drop,
            seed,
        },
    )
}

fn edges() -> impl Iterator<Item = Shape> {
    let shape = |lengths: &[usize], heads, d, near, drop| {
        let lengths = lengths.to_vec();
        Shape { lengths, heads, d, near, clamped: 0, c2p: true, p2c: true, drop, seed: 23 }
    };
    [
        shape(&[1, 2, 63, 64, 65, 66, 129, 130, 131], 2, 8, 16, Some((0.1, 7))),
        shape(&[300, 512], 1, 4, 128, None),
        shape(&[1], 1, 1, 0, None),
        shape(&[47, 48, 49, 95, 96, 97], 2, 16, 1000, None),
        shape(&[1; 20], 3, 5, 3, Some((0.5, 9))),
        shape(&[33, 17, 16], 2, 70, 20, None),
        // Own rows for all distances but the last ones, with blocks that end between.
        Shape { clamped: 1, ..shape(&[97, 50], 2, 8, 1000, None) },
        Shape { clamped: 20, ..shape(&[97, 96, 20], 1, 6, 1000, Some((0.1, 3))) },
        shape(&[70, 5, 32], 2, 50, 9, Some((0.2, 4))),
        Shape { c2p: false, ..shape(&[65, 40], 1, 64, 30, Some((0.1, 2))) },
        Shape { p2c: false, ..shape(&[49, 16, 3], 1, 128, 12, None) },
        // Many heads: the pairs of few tiles are more than one pass of a GPU takes.
        shape(&[70], 256, 1, 200, None),
    ]
    .into_iter()
}

fn check_case<T: Tested>(backend: &mut T::Backend, shape: Shape, queries: Queries) {
    let mut random = Numbers::new(shape.seed);
    let Shape { ref lengths, heads, d, c2p, p2c, drop, .. } = shape;
    let (tokens, width, keys) = (lengths.iter().sum::<usize>(), heads * d, offsets(lengths));
    // Rows of other distances before those of the batch, and after them in the table of rows.
    let (first, more) = (5, 3);
    let rows = shape.rows();
    let len = *rows.last().expect("a row") as usize + 1;
    let (reach, center) = (shape.longest() - 1, shape.longest() - 1 + more);
    let mut table = vec![f32::NAN; more];
    table.extend(rows.iter().map(|row| (*row as usize + first) as f32));
    table.extend(vec![f32::NAN; more]);
    let batch = batch(backend, tokens, &keys);
    let all = queries == Queries::All;
    let asking = if all { tokens } else { lengths.len() };
    let ragged = match all {
        true => Ragged { queries: keys.clone().into(), keys: keys.into() },
        false => Ragged { queries: (0..=asking as u32).collect(), keys: keys.into() },
    };
    let terms = Terms { rows, c2p, p2c };
    let case = Case { heads, width, ragged, window: None, drop, relative: Some(terms) };
    let attention =
        Attention { heads, width, queries, window: None, scale: case.scale() as f32, dropout: dropout(drop) };
    let q = random.normal(if all { 0 } else { asking * width });
    let kv = random.normal(tokens * if all { 3 } else { 2 } * width);
    let (positions, dy) = (random.normal(len * 2 * width), random.normal(asking * width));
    let (q_buffer, kv_buffer, positions_buffer) =
        (buffer(backend, &q), buffer(backend, &kv), buffer(backend, &positions));
    let rows_buffer = buffer(backend, &table);
    let relative = Relative { positions: &positions_buffer, rows: &rows_buffer, center, reach, first, len, c2p, p2c };
    let mut context = unwritten(backend, asking * width);
    let q_of = if all { &kv_buffer } else { &q_buffer };
    backend.attention(Attend {
        context: &mut context,
        q: q_of,
        kv: &kv_buffer,
        batch: &batch,
        attention,
        relative: Some(relative),
    });
    let (mut dq, mut dkv) = (unwritten(backend, q.len()), unwritten(backend, kv.len()));
    let mut d_positions = unwritten(backend, positions.len());
    backend.attention_backward(AttentionBackward {
        dq: &mut dq,
        dkv: &mut dkv,
        d_context: &buffer(backend, &dy),
        q: q_of,
        kv: &kv_buffer,
        batch: &batch,
        attention,
        relative: Some((relative, &mut d_positions)),
    });
    let [dq, dkv, d_positions] =
        [(&dq, q.len()), (&dkv, kv.len()), (&d_positions, positions.len())].map(|(x, len)| values(backend, x, len));
    let of_kv = Input {
        name: "keys and values",
        values: &kv,
        shape: &[tokens, if all { 3 } else { 2 } * width],
        gradient: Some(&dkv),
    };
    let of_positions =
        Input { name: "positions", values: &positions, shape: &[len, 2 * width], gradient: Some(&d_positions) };
    let of_q = Input { name: "queries", values: &q, shape: &[asking, width], gradient: Some(&dq) };
    let inputs = if all { vec![of_kv, of_positions] } else { vec![of_kv, of_positions, of_q] };
    let first_part = usize::from(all);
    let exact = |at: &[Vec<f64>]| {
        let stride = (2 + first_part) * width;
        let [k, v] = [0, 1].map(|i| columns(&at[0], stride, (first_part + i) * width, width));
        let q = if all { columns(&at[0], stride, 0, width) } else { at[2].clone() };
        case.exact(&q, &k, &v, &at[1])
    };
    // A position's gradient is a sum over as many as 500 pairs.
    let close = 4.0 * tolerance::<T>();
    check(&inputs, &values(backend, &context, asking * width), &dy, close, exact, |t| {
        let [k, v] = [first_part, first_part + 1].map(|i| part(&t[0], i, width));
        let q = if all { part(&t[0], 0, width)? } else { t[2].clone() };
        case.reference(&q, &k?, &v?, Some(&t[1]))
    });
}

pub fn every_token_asks_with_relative_positions<T: Tested>() {
    for_all::<T, _>(edges(), shapes(), |backend, shape| check_case::<T>(backend, shape, Queries::All));
}

pub fn the_first_asks_with_relative_positions<T: Tested>() {
    for_all::<T, _>(edges(), shapes(), |backend, shape| check_case::<T>(backend, shape, Queries::First));
}

/// What a product has read before is written anew, also where it has a copy of other numbers of it.
pub fn products_read_what_was_written<T: Tested>() {
    with::<T>(|backend| {
        let (heads, width, len) = (2, 16, 9);
        let rows: Vec<f32> = (0..len as u32).map(|row| row as f32).collect();
        let mut random = Numbers::new(31);
        let mut parameters_at = ParameterBuffer::default();
        let weight = parameters_at.put(&random.normal(3 * 2 * width));
        let linear = Linear { weight, bias: None, out: 3, width: 2 * width, exact: false };
        let parameters = parameters_at.buffer(backend);
        let product = |backend: &mut T::Backend, x: &_| {
            let mut y = unwritten(backend, len * linear.out);
            backend.linear(&mut y, x, len, &parameters, linear, false);
            values(backend, &y, len * linear.out)
        };
        // A factor that has been one already; all of it in use, as every buffer that kernels write whole.
        let numbers = random.normal(len * 2 * width);
        let mut written = backend.zeros(numbers.len());
        product(backend, &written);
        let same_as_new = |backend: &mut T::Backend, written: &_, what: &str| {
            let now = backend.read(written, 0..numbers.len());
            let new = buffer(backend, &now);
            assert_eq!(product(backend, written), product(backend, &new), "{what}");
            assert!(now.iter().all(|v| v.is_finite()) && now.iter().any(|v| *v != 0.0), "{what}: {now:?}");
        };
        let from = buffer(backend, &numbers);
        for (add, dropout) in [(false, None), (true, dropout(Some((0.5, 3))))] {
            let shape = (len - 2, 2 * width);
            let to = &mut written;
            backend.copy_rows(CopyRows { to, to_at: 2 * width, add, from: &from, from_at: 5, shape, dropout });
            same_as_new(backend, &written, "copied rows");
        }
        let [qkv, positions, dy] = [5 * 3 * width, len * 2 * width, 5 * width].map(|n| random.normal(n));
        let [qkv, positions, dy] = [qkv, positions, dy].map(|x| buffer(backend, &x));
        let (rows, batch) = (buffer(backend, &rows), batch(backend, 5, &[0, 5]));
        let attention = attention(heads, width, Queries::All, None, None);
        let relative =
            Relative { positions: &positions, rows: &rows, center: 4, reach: 4, first: 0, len, c2p: true, p2c: true };
        let (mut unused, mut d_qkv) = (unwritten(backend, 0), unwritten(backend, 5 * 3 * width));
        backend.attention_backward(AttentionBackward {
            dq: &mut unused,
            dkv: &mut d_qkv,
            d_context: &dy,
            q: &qkv,
            kv: &qkv,
            batch: &batch,
            attention,
            relative: Some((relative, &mut written)),
        });
        same_as_new(backend, &written, "gradients of positions");
    });
}

/// Copies of rows between any offsets, with dropout, and their sums with what is there. What is around them is left as it is.
pub fn rows_are_copied_or_added<T: Tested>() {
    let edges = [(1, 1, 0, 0, false, None, 1), (70, 33, 5, 9, true, Some((0.3, 2)), 2), (16, 48, 1, 0, true, None, 3)];
    let shapes = (1..40usize, 1..70usize, 0..9usize, 0..9usize, any::<bool>(), drops(), any::<u64>());
    for_all::<T, _>(edges, shapes, |backend, (rows, width, to_at, from_at, add, drop, seed)| {
        let mut random = Numbers::new(seed);
        let (before, from) = (random.normal(to_at + rows * width + 2), random.normal(from_at + rows * width));
        let mut to = buffer(backend, &before);
        backend.copy_rows(CopyRows {
            to: &mut to,
            to_at,
            add,
            from: &buffer(backend, &from),
            from_at,
            shape: (rows, width),
            dropout: dropout(drop),
        });
        let mut want = wide(&before);
        let x = Tensor::from_slice(&from[from_at..], (rows, width), &candle_core::Device::Cpu).expect("a tensor");
        let dropped = reference::dropout(&x, dropout(drop)).and_then(|x| x.flatten_all()?.to_vec1::<f32>());
        for (want, v) in want[to_at..].iter_mut().zip(dropped.expect("numbers")) {
            *want = f64::from(v) + if add { *want } else { 0.0 };
        }
        close("copied rows", &values(backend, &to, before.len()), &want, tolerance::<T>());
    });
}

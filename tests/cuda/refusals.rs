//! Shapes that the kernels do not take: a device refuses them by name, and does nothing.

use taper::kernels::{
    Attend, Attention, AttentionOps, Memory, Queries, Relative,
    cuda::{Cuda, Factors},
};

use crate::{
    backends::emulated,
    kernels::support::{batch, buffer},
};

/// What attention with relative positions says of a sequence of five tokens.
fn refusal(width: usize, window: Option<usize>, reach: usize, rows: usize) -> Option<String> {
    let mut backend = Cuda::new(emulated()?, Factors::F32).expect("a backend");
    let numbers = |len: usize| buffer(&backend, &vec![0.0; len]);
    let (mut context, qkv, positions) = (numbers(5 * width), numbers(5 * 3 * width), numbers(9 * 2 * width));
    let mut rows_buffer = backend.zeros(rows);
    backend.write(&mut rows_buffer, 0, &(0..rows).map(|row| row as f32).collect::<Vec<_>>());
    let batch = batch(&mut backend, 5, &[0, 5]);
    let relative = Relative {
        positions: &positions,
        rows: &rows_buffer,
        center: 4,
        reach,
        first: 0,
        len: 9,
        c2p: true,
        p2c: true,
    };
    backend.attention(Attend {
        context: &mut context,
        q: &qkv,
        kv: &qkv,
        batch: &batch,
        attention: Attention { heads: 1, width, queries: Queries::All, window, scale: 1.0, dropout: None },
        relative: Some(relative),
    });
    Some(backend.health().map_or_else(|error| error.to_string(), |()| String::new()))
}

#[test]
fn relative_positions_that_do_not_fit_are_refused() {
    let cases = [
        ((8, None, 4, 9), ""),
        ((129, None, 4, 9), "heads of 129 numbers: the GPU's attention takes up to 128"),
        ((8, Some(3), 4, 9), "relative positions together with a window"),
        ((8, None, 3, 9), "a sequence of 5 tokens with relative positions for distances up to 3"),
        ((8, None, 4, 8), "9 relative positions for distances up to 4 around 4 of 8"),
        ((8, None, 5, 20), "9 relative positions for distances up to 5 around 4 of 20"),
    ];
    for ((width, window, reach, rows), wanted) in cases {
        let Some(said) = refusal(width, window, reach, rows) else { return };
        assert!(said.contains(wanted) && said.is_empty() == wanted.is_empty(), "wanted {wanted:?}: {said}");
    }
}

//! What follows the encoder: the rows that are first, activations with dropout.

use proptest::prelude::*;
use taper::kernels::reference;

use super::{
    attention::{lengths, offsets},
    dense::{ACTIVATIONS, exact, inputs_of_activation},
    support::*,
};

pub fn first_rows_and_back<T: Tested>() {
    for_all::<T, _>(
        [(vec![1], 1), (vec![512], 7), (vec![1; 20], 3)],
        (lengths(), 1..50usize),
        |backend, (lengths, width)| {
            let mut random = Numbers::new(width as u64);
            let (tokens, sequences) = (lengths.iter().sum::<usize>(), lengths.len());
            let offsets = offsets(&lengths);
            let batch = batch(backend, tokens, &offsets);
            let (x, added) = (random.normal(tokens * width), random.normal(sequences * width));
            let mut y = unwritten(backend, sequences * width);
            backend.first_rows(&mut y, &buffer(backend, &x), &batch, width);
            let y = values(backend, &y, sequences * width);
            let mut want = x.clone();
            for (s, begin) in offsets[..sequences].iter().enumerate() {
                let (row, of) = (*begin as usize * width.., s * width..(s + 1) * width);
                assert_eq!(y[of.clone()], x[row.clone()][..width]);
                want[row][..width].iter_mut().zip(&added[of]).for_each(|(x, y)| *x += y);
            }
            let mut sum = buffer(backend, &x);
            backend.add_to_first_rows(&mut sum, &buffer(backend, &added), &batch, width);
            assert_eq!(values(backend, &sum, want.len()), want);
        },
    );
}

pub fn means_of_rows_and_their_gradient<T: Tested>() {
    let edges = [(vec![1], 1), (vec![512], 7), (vec![1, 3, 2], 300)];
    for_all::<T, _>(edges, (lengths(), 1..50usize), |backend, (lengths, width)| {
        let mut random = Numbers::new(width as u64);
        let (tokens, sequences) = (lengths.iter().sum::<usize>(), lengths.len());
        let offsets = offsets(&lengths);
        let batch = batch(backend, tokens, &offsets);
        let (x, dy) = (random.normal(tokens * width), random.normal(sequences * width));
        let (mut y, mut dx) = (unwritten(backend, sequences * width), unwritten(backend, tokens * width));
        backend.mean_rows(&mut y, &buffer(backend, &x), &batch, width);
        backend.mean_rows_backward(&mut dx, &buffer(backend, &dy), &batch, width);
        let dx = values(backend, &dx, tokens * width);
        let inputs = [Input { name: "x", values: &x, shape: &[tokens, width], gradient: Some(&dx) }];
        let exact = |at: &[Vec<f64>]| -> Vec<f64> {
            let mean = |o: &[u32], c: usize| {
                let rows = o[0] as usize..o[1] as usize;
                rows.clone().map(|row| at[0][row * width + c]).sum::<f64>() / rows.len() as f64
            };
            offsets.windows(2).flat_map(|o| (0..width).map(move |c| mean(o, c))).collect()
        };
        check(&inputs, &values(backend, &y, sequences * width), &dy, tolerance::<T>(), exact, |t| {
            reference::mean_rows(&t[0], &offsets)
        });
    });
}

pub fn activations_with_dropout_and_their_gradients<T: Tested>() {
    let edges = [(1, 1, None, 3), (40, 24, Some((0.5, 2)), 4), (3, 7, Some((0.2, 0)), 0)];
    for_all::<T, _>(edges, (1..40usize, 1..90usize, drops(), any::<u64>()), |backend, (rows, width, drop, seed)| {
        let mut random = Numbers::new(seed);
        let activation = ACTIVATIONS[random.below(ACTIVATIONS.len())];
        let (n, factors) = (rows * width, factors(drop, rows, width));
        let (mut x, dy) = (inputs_of_activation(&mut random, n), random.normal(n));
        x.iter_mut().filter(|x| x.abs() < 1e-3).for_each(|x| *x = 0.1);
        let (mut y, mut kept) = (unwritten(backend, n), buffer(backend, &x));
        backend.activate(&mut y, &mut kept, (rows, width), activation, dropout(drop));
        let mut dx = buffer(backend, &dy);
        backend.activate_backward(&mut dx, &kept, (rows, width), dropout(drop));
        values(backend, &kept, n);
        let dx = values(backend, &dx, n);
        let inputs = [Input { name: "x", values: &x, shape: &[rows, width], gradient: Some(&dx) }];
        let naive =
            |at: &[Vec<f64>]| at[0].iter().zip(&factors).map(|(x, factor)| exact(activation, *x) * factor).collect();
        check(&inputs, &values(backend, &y, n), &dy, tolerance::<T>(), naive, |t| {
            reference::dropout(&reference::activation(&t[0], activation)?, dropout(drop))
        });
        if let Some(drop) = dropout(drop) {
            let mut dropped = buffer(backend, &x);
            backend.dropout(&mut dropped, (rows, width), drop);
            let want: Vec<f32> = x.iter().zip(&factors).map(|(x, factor)| (f64::from(*x) * factor) as f32).collect();
            close("dropout alone", &values(backend, &dropped, n), &wide(&want), tolerance::<T>());
        }
    });
}

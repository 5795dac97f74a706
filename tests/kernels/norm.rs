//! Bias, dropout, residual and LayerNorm in one.

use proptest::prelude::*;
use taper::kernels::{AddNorm, AddNormBackward, LayerNorm, reference};

use super::support::*;

/// LayerNorm of rows in float64, with mean and reciprocal deviation of each.
pub fn layer_norm(x: &[f64], weight: &[f64], bias: &[f64], eps: f64) -> (Vec<f64>, Vec<f64>) {
    let (n, mut stats) = (weight.len() as f64, Vec::new());
    let mut y = Vec::with_capacity(x.len());
    for row in x.chunks_exact(weight.len()) {
        let mean = row.iter().sum::<f64>() / n;
        let variance = row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
        let rstd = 1.0 / (variance + eps).sqrt();
        stats.extend([mean, rstd]);
        y.extend(row.iter().zip(weight).zip(bias).map(|((x, w), b)| (x - mean) * rstd * w + b));
    }
    (y, stats)
}

#[derive(Debug, Clone, Copy)]
struct Shape {
    rows: usize,
    width: usize,
    eps: f32,
    drop: Drop,
    fresh: bool,
    seed: u64,
}

fn shapes() -> impl Strategy<Value = Shape> {
    let sizes = (1..60usize, 4..100usize, prop_oneof![Just(1e-12f32), Just(1e-5), Just(0.5)]);
    (sizes, drops(), any::<bool>(), any::<u64>()).prop_map(|((rows, width, eps), drop, fresh, seed)| Shape {
        rows,
        width,
        eps,
        drop,
        fresh,
        seed,
    })
}

/// One row; a task's rows, one more and one less; many; widths beside a vector's.
fn edges() -> impl Iterator<Item = Shape> {
    let sizes = [(1, 4), (16, 16), (17, 15), (15, 17), (512, 33), (2, 768)];
    let drops = [None, Some((0.1, 0)), Some((0.5, 7))];
    sizes.into_iter().zip(drops.into_iter().cycle()).map(|((rows, width), drop)| Shape {
        rows,
        width,
        eps: 1e-12,
        drop,
        fresh: width % 2 == 0,
        seed: 13,
    })
}

pub fn add_norm_and_its_gradients<T: Tested>() {
    for_all::<T, _>(edges(), shapes(), |backend, Shape { rows, width, eps, drop, fresh, seed }| {
        let mut random = Numbers::new(seed);
        let [x, mut residual, dy] = [rows * width; 3].map(|n| random.normal(n));
        let [dense_bias, weight, bias] = [width; 3].map(|n| random.normal(n));
        // A mean that is not near zero.
        residual.iter_mut().for_each(|v| *v += 2.0);
        let mut parameters_at = ParameterBuffer::default();
        let dense_bias_at = parameters_at.put(&dense_bias);
        let norm = LayerNorm { weight: parameters_at.put(&weight), bias: Some(parameters_at.put(&bias)), width, eps };
        let parameters = parameters_at.buffer(backend);
        let (n, factors) = (rows * width, factors(drop, rows, width));

        let (mut y, mut sum, mut stats) = (unwritten(backend, n), buffer(backend, &x), unwritten(backend, 2 * rows));
        let r = buffer(backend, &residual);
        backend.add_norm(AddNorm {
            y: &mut y,
            x: &mut sum,
            stats: &mut stats,
            residual: Some(&r),
            rows,
            parameters: &parameters,
            bias: Some(dense_bias_at),
            norm,
            dropout: dropout(drop),
        });
        let before = |at: &[Vec<f64>]| -> Vec<f64> {
            let x = at[0].iter().zip(at[1].iter().cycle()).zip(&factors).map(|((x, b), factor)| (x + b) * factor);
            x.zip(&at[2]).map(|(x, r)| x + r).collect()
        };
        let wanted = before(&[wide(&x), wide(&dense_bias), wide(&residual)]);
        close("the sum", &values(backend, &sum, n), &wanted, tolerance::<T>());
        let (_, want_stats) = layer_norm(&wanted, &wide(&weight), &wide(&bias), f64::from(eps));
        let got_stats = values(backend, &stats, 2 * rows);
        for (got, want) in got_stats.iter().zip(&want_stats) {
            assert!((f64::from(*got) - want).abs() <= tolerance::<T>() * want.abs().max(1.0), "{got} for {want}");
        }

        let (mut d_residual, mut dx) = (unwritten(backend, n), unwritten(backend, n));
        let mut gradients = parameters_at.gradients(backend, fresh, &mut random);
        backend.add_norm_backward(AddNormBackward {
            d_residual: &mut d_residual,
            add: false,
            dx: Some(&mut dx),
            gradients: &mut gradients.buffer,
            fresh,
            dy: &buffer(backend, &dy),
            x: &sum,
            stats: &stats,
            rows,
            parameters: &parameters,
            norm,
            dropout: dropout(drop),
        });
        let norm_bias = norm.bias.expect("it has one");
        let (dw, db) = (gradients.take(backend, norm.weight, width), gradients.take(backend, norm_bias, width));
        gradients.check_rest(backend);
        let inputs = [
            Input { name: "x", values: &x, shape: &[rows, width], gradient: Some(&values(backend, &dx, n)) },
            Input { name: "the bias before it", values: &dense_bias, shape: &[width], gradient: None },
            Input {
                name: "residual",
                values: &residual,
                shape: &[rows, width],
                gradient: Some(&values(backend, &d_residual, n)),
            },
            Input { name: "the norm's weight", values: &weight, shape: &[width], gradient: Some(&dw) },
            Input { name: "the norm's bias", values: &bias, shape: &[width], gradient: Some(&db) },
        ];
        let exact = |at: &[Vec<f64>]| layer_norm(&before(at), &at[3], &at[4], f64::from(eps)).0;
        check(&inputs, &values(backend, &y, n), &dy, norm_tolerance::<T>(), exact, |t| {
            let x = reference::dropout(&t[0].broadcast_add(&t[1])?, dropout(drop))?;
            reference::layer_norm(&(x + &t[2])?, &t[3], Some(&t[4]), f64::from(eps))
        });
    });
}

/// Of rows without variance only epsilon keeps the result finite.
pub fn constant_rows_are_normalised_to_the_bias<T: Tested>() {
    with::<T>(|backend| {
        let (rows, width) = (3, 20);
        let mut parameters_at = ParameterBuffer::default();
        let bias = Numbers::new(1).normal(width);
        let norm = LayerNorm {
            weight: parameters_at.put(&[2.0; 20]),
            bias: Some(parameters_at.put(&bias)),
            width,
            eps: 1e-12,
        };
        for (norm, want) in [(norm, bias.clone()), (LayerNorm { bias: None, ..norm }, vec![0.0; width])] {
            let (mut y, mut x, mut stats) =
                (unwritten(backend, 60), buffer(backend, &[1.5; 60]), unwritten(backend, 6));
            backend.add_norm(AddNorm {
                y: &mut y,
                x: &mut x,
                stats: &mut stats,
                residual: Some(&buffer(backend, &[0.0; 60])),
                rows,
                parameters: &parameters_at.buffer(backend),
                bias: None,
                norm,
                dropout: None,
            });
            assert_eq!(values(backend, &y, 60), want.repeat(rows));
            assert_eq!(values(backend, &stats, 6), [1.5, 1e6].repeat(rows));
        }
    });
}

/// ModernBERT's norms and dense layers have no bias: the weight's gradient is what it is with one, and nothing else is written.
pub fn a_norm_without_a_bias<T: Tested>() {
    with::<T>(|backend| {
        let (rows, width) = (37, 21);
        let mut random = Numbers::new(5);
        let [x, residual, dy] = [rows * width; 3].map(|n| random.normal(n));
        let mut parameters_at = ParameterBuffer::default();
        let weight = parameters_at.put(&random.normal(width));
        let bias = parameters_at.put(&vec![0.0; width]);
        let of = |backend: &mut T::Backend, dense_bias: Option<usize>, bias: Option<usize>| {
            let norm = LayerNorm { weight, bias, width, eps: 1e-5 };
            let n = rows * width;
            let (mut y, mut sum, mut stats) =
                (unwritten(backend, n), buffer(backend, &x), unwritten(backend, 2 * rows));
            backend.add_norm(AddNorm {
                y: &mut y,
                x: &mut sum,
                stats: &mut stats,
                residual: Some(&buffer(backend, &residual)),
                rows,
                parameters: &parameters_at.buffer(backend),
                bias: dense_bias,
                norm,
                dropout: dropout(Some((0.1, 3))),
            });
            let (mut d_residual, mut dx) = (unwritten(backend, n), unwritten(backend, n));
            let mut gradients = parameters_at.gradients(backend, true, &mut Numbers::new(1));
            backend.add_norm_backward(AddNormBackward {
                d_residual: &mut d_residual,
                add: false,
                dx: Some(&mut dx),
                gradients: &mut gradients.buffer,
                fresh: true,
                dy: &buffer(backend, &dy),
                x: &sum,
                stats: &stats,
                rows,
                parameters: &parameters_at.buffer(backend),
                norm,
                dropout: dropout(Some((0.1, 3))),
            });
            let dw = gradients.take(backend, weight, width);
            if let Some(bias) = bias {
                gradients.take(backend, bias, width);
            }
            gradients.check_rest(backend);
            [values(backend, &y, n), values(backend, &d_residual, n), values(backend, &dx, n), dw]
        };
        let with_zeros = of(backend, Some(bias), Some(bias));
        for (dense_bias, bias) in [(None, None), (None, Some(bias)), (Some(bias), None)] {
            assert_eq!(of(backend, dense_bias, bias), with_zeros, "as with a bias of zeros");
        }
    });
}

/// With pre-norm the sum that is normalised is the next residual too: its gradient is there already. A head has no residual, and does
/// not want the gradient of a dense layer's output.
pub fn a_gradient_that_is_added_and_a_norm_without_a_residual<T: Tested>() {
    with::<T>(|backend| {
        let (rows, width) = (37, 21);
        let n = rows * width;
        let mut random = Numbers::new(6);
        let [x, dy, before] = [n; 3].map(|n| random.normal(n));
        let mut parameters_at = ParameterBuffer::default();
        let weight = parameters_at.put(&random.normal(width));
        let norm = LayerNorm { weight, bias: None, width, eps: 1e-5 };
        let zeros = buffer(backend, &vec![0.0; n]);
        let of = |backend: &mut T::Backend, residual: Option<_>, add: bool, has_dx: bool| {
            let (mut y, mut sum, mut stats) =
                (unwritten(backend, n), buffer(backend, &x), unwritten(backend, 2 * rows));
            backend.add_norm(AddNorm {
                y: &mut y,
                x: &mut sum,
                stats: &mut stats,
                residual,
                rows,
                parameters: &parameters_at.buffer(backend),
                bias: None,
                norm,
                dropout: dropout(Some((0.1, 3))),
            });
            let (mut d_sum, mut dx) = (buffer(backend, &before), unwritten(backend, n));
            let mut gradients = parameters_at.gradients(backend, true, &mut Numbers::new(1));
            backend.add_norm_backward(AddNormBackward {
                d_residual: &mut d_sum,
                add,
                dx: has_dx.then_some(&mut dx),
                gradients: &mut gradients.buffer,
                fresh: true,
                dy: &buffer(backend, &dy),
                x: &sum,
                stats: &stats,
                rows,
                parameters: &parameters_at.buffer(backend),
                norm,
                dropout: dropout(Some((0.1, 3))),
            });
            if !has_dx {
                assert_unwritten(backend, &dx);
            }
            let dw = gradients.take(backend, weight, width);
            [
                values(backend, &y, n),
                values(backend, &d_sum, n),
                if has_dx { values(backend, &dx, n) } else { Vec::new() },
                dw,
            ]
        };
        let [y, d_sum, dx, dw] = of(backend, Some(&zeros), false, true);
        assert_eq!(of(backend, None, false, false), [y.clone(), d_sum.clone(), Vec::new(), dw.clone()]);
        let [same_y, added, added_dx, same_dw] = of(backend, Some(&zeros), true, true);
        assert_eq!((same_y, same_dw), (y, dw));
        let want: Vec<f64> = d_sum.iter().zip(&before).map(|(a, b)| f64::from(a + b)).collect();
        close("the sum of both gradients", &added, &want, tolerance::<T>());
        let factors = factors(Some((0.1, 3)), rows, width);
        let want: Vec<f64> = want.iter().zip(&factors).map(|(d, factor)| d * factor).collect();
        close("that of the dense layer's output", &added_dx, &want, tolerance::<T>());
        assert_ne!(added_dx, dx);
    });
}

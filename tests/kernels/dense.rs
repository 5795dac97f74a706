//! Affine maps, GELU, and the product number by number.

use proptest::prelude::*;
use taper::kernels::{Activation, BiasActivation, GatedActivation, Linear, Memory, reference};

use super::support::*;

#[derive(Debug, Clone, Copy)]
struct Shape {
    rows: usize,
    out: usize,
    width: usize,
    seed: u64,
}

fn shapes() -> impl Strategy<Value = Shape> {
    (1..130usize, 1..100usize, 1..70usize, any::<u64>()).prop_map(|(rows, out, width, seed)| Shape {
        rows,
        out,
        width,
        seed,
    })
}

/// One number; one row; one column; a head of few labels; more than a block of the product, down and across; one more than
/// two blocks of whole vectors hold.
fn edges() -> impl Iterator<Item = Shape> {
    let sizes = [
        (1, 1, 1),
        (1, 20, 48),
        (512, 1, 3),
        (40, 2, 33),
        (517, 3, 5),
        (130, 801, 2),
        (600, 300, 2),
        (3, 260, 9),
        (129, 5, 4),
        (5, 193, 4),
    ];
    sizes.into_iter().map(|(rows, out, width)| Shape { rows, out, width, seed: 11 })
}

/// x·Wᵀ + b in float64.
fn affine(x: &[f64], w: &[f64], b: &[f64], width: usize) -> Vec<f64> {
    let dot = |x: &[f64], w: &[f64]| x.iter().zip(w).map(|(x, w)| x * w).sum::<f64>();
    x.chunks_exact(width).flat_map(|x| w.chunks_exact(width).zip(b).map(move |(w, b)| dot(x, w) + b)).collect()
}

pub fn linear_and_its_gradients<T: Tested>() {
    for_all::<T, _>(edges(), shapes(), |backend, Shape { rows, out, width, seed }| {
        let mut random = Numbers::new(seed);
        let [x, w, b, dy, before] =
            [rows * width, out * width, out, rows * out, rows * width].map(|n| random.normal(n));
        let mut parameters_at = ParameterBuffer::default();
        let linear =
            Linear { weight: parameters_at.put(&w), bias: Some(parameters_at.put(&b)), out, width, exact: false };
        let parameters = parameters_at.buffer(backend);
        let (x_buffer, dy_buffer) = (buffer(backend, &x), buffer(backend, &dy));

        let forward = |backend: &mut T::Backend, biased: bool| {
            let mut y = unwritten(backend, rows * out);
            backend.linear(&mut y, &x_buffer, rows, &parameters, linear, biased);
            values(backend, &y, rows * out)
        };
        let y = forward(backend, true);
        let unbiased = affine(&wide(&x), &wide(&w), &vec![0.0; out], width);
        close("output without the bias", &forward(backend, false), &unbiased, product_tolerance::<T>());

        let mut y_without = unwritten(backend, rows * out);
        let without = Linear { bias: None, ..linear };
        backend.linear(&mut y_without, &x_buffer, rows, &parameters, without, true);
        assert_eq!(values(backend, &y_without, rows * out), forward(backend, false), "a map without a bias");
        let mut gradients = parameters_at.gradients(backend, true, &mut random);
        backend.linear_parameters(&mut gradients.buffer, true, &dy_buffer, &x_buffer, rows, without);
        gradients.take(backend, without.weight, out * width);
        gradients.check_rest(backend);

        let mut dx = unwritten(backend, rows * width);
        backend.linear_input(&mut dx, false, &dy_buffer, rows, &parameters, linear);
        let dx = values(backend, &dx, rows * width);
        let mut added = buffer(backend, &before);
        backend.linear_input(&mut added, true, &dy_buffer, rows, &parameters, linear);
        let sum: Vec<f64> = dx.iter().zip(&before).map(|(d, before)| f64::from(*d) + f64::from(*before)).collect();
        close("input's gradient, added", &values(backend, &added, rows * width), &sum, product_tolerance::<T>());

        for fresh in [true, false] {
            let mut gradients = parameters_at.gradients(backend, fresh, &mut random);
            backend.linear_parameters(&mut gradients.buffer, fresh, &dy_buffer, &x_buffer, rows, linear);
            let (dw, db) = (
                gradients.take(backend, linear.weight, out * width),
                gradients.take(backend, linear.bias.expect("it has one"), out),
            );
            gradients.check_rest(backend);
            let inputs = [
                Input { name: "x", values: &x, shape: &[rows, width], gradient: Some(&dx) },
                Input { name: "the weight", values: &w, shape: &[out, width], gradient: Some(&dw) },
                Input { name: "the bias", values: &b, shape: &[out], gradient: Some(&db) },
            ];
            let exact = |at: &[Vec<f64>]| affine(&at[0], &at[1], &at[2], width);
            check(&inputs, &y, &dy, product_tolerance::<T>(), exact, |t| reference::linear(&t[0], &t[1], Some(&t[2])));
        }
    });
}

/// A part of a map gives the columns of the whole's result.
pub fn a_part_of_a_map_gives_its_columns<T: Tested>() {
    for_all::<T, _>(
        [],
        (shapes(), 0.0..1.0, 0.0..1.0),
        |backend, (Shape { rows, out, width, seed }, a, b): (Shape, f64, f64)| {
            let mut random = Numbers::new(seed);
            let [x, w, b_values] = [rows * width, out * width, out].map(|n| random.normal(n));
            let (from, to) = ((a.min(b) * out as f64) as usize, (a.max(b) * out as f64) as usize + 1);
            let mut parameters_at = ParameterBuffer::default();
            let linear = Linear {
                weight: parameters_at.put(&w),
                bias: Some(parameters_at.put(&b_values)),
                out,
                width,
                exact: false,
            };
            let mut y = unwritten(backend, rows * (to - from));
            backend.linear(
                &mut y,
                &buffer(backend, &x),
                rows,
                &parameters_at.buffer(backend),
                linear.part(from..to),
                true,
            );
            let whole = affine(&wide(&x), &wide(&w), &wide(&b_values), width);
            let want: Vec<f64> = whole.chunks_exact(out).flat_map(|row| &row[from..to]).copied().collect();
            close("columns", &values(backend, &y, want.len()), &want, product_tolerance::<T>());
        },
    );
}

/// The functions in float64.
pub fn exact(activation: Activation, x: f64) -> f64 {
    match activation {
        Activation::Gelu => 0.5 * x * (1.0 + candle_core::cpu::erf::erf_f64(x / std::f64::consts::SQRT_2)),
        Activation::GeluTanh => {
            0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3))).tanh())
        }
        Activation::Relu => x.max(0.0),
        Activation::Silu => x / (1.0 + (-x).exp()),
        Activation::Tanh => x.tanh(),
    }
}

pub const ACTIVATIONS: [Activation; 5] =
    [Activation::Gelu, Activation::GeluTanh, Activation::Relu, Activation::Silu, Activation::Tanh];

/// Values of an activation's input: in both tails too, and none where ReLU has no derivative.
pub fn inputs_of_activation(random: &mut Numbers, n: usize) -> Vec<f32> {
    let mut x = random.normal(n);
    x.iter_mut().step_by(3).for_each(|x| *x *= 4.0);
    x
}

pub fn activations_and_their_derivatives<T: Tested>() {
    for_all::<T, _>(edges(), shapes(), |backend, Shape { rows, out, seed, .. }| {
        let mut random = Numbers::new(seed);
        let activation = ACTIVATIONS[random.below(ACTIVATIONS.len())];
        let (mut x, b, dy) =
            (inputs_of_activation(&mut random, rows * out), random.normal(out), random.normal(rows * out));
        // Differences across the point where ReLU bends say nothing.
        for (x, b) in x.iter_mut().zip(b.iter().cycle()).filter(|(x, b)| (**x + **b).abs() < 1e-3) {
            *x = 0.1 - b;
        }
        let mut parameters_at = ParameterBuffer::default();
        let linear = Linear { weight: 0, bias: Some(parameters_at.put(&b)), out, width: 1, exact: false };
        let parameters = parameters_at.buffer(backend);
        let run = |backend: &mut T::Backend,
                   parameters: &<T::Backend as Memory>::Buffer,
                   bias: Option<usize>,
                   derivative: bool| {
            let (mut y, mut slope) = (unwritten(backend, rows * out), buffer(backend, &x));
            backend.bias_activation(BiasActivation {
                y: &mut y,
                x: &mut slope,
                rows,
                parameters,
                linear: Linear { bias, ..linear },
                activation,
                derivative,
            });
            [y, slope]
        };

        let [y, slope] = run(backend, &parameters, linear.bias, true);
        let y = values(backend, &y, rows * out);
        // The backward pass: dx = dy·slope; the bias's is the sum of the columns, which `linear_parameters` computes.
        let mut dx = buffer(backend, &dy);
        backend.multiply(&mut dx, &slope, rows * out);
        values(backend, &slope, rows * out);
        let dx = values(backend, &dx, rows * out);

        let [alone, unkept] = run(backend, &parameters, linear.bias, false);
        values(backend, &unkept, rows * out);
        close("without the derivative", &values(backend, &alone, rows * out), &wide(&y), tolerance::<T>());

        let zeros = parameters_at.put(&vec![0.0; out]);
        let parameters = parameters_at.buffer(backend);
        let of = |backend: &mut T::Backend, bias| {
            run(backend, &parameters, bias, true).map(|values_of| values(backend, &values_of, rows * out))
        };
        assert_eq!(of(backend, None), of(backend, Some(zeros)), "without a bias");

        let inputs = [
            Input { name: "x", values: &x, shape: &[rows, out], gradient: Some(&dx) },
            Input { name: "the bias", values: &b, shape: &[out], gradient: None },
        ];
        let naive =
            |at: &[Vec<f64>]| at[0].iter().zip(at[1].iter().cycle()).map(|(x, b)| exact(activation, x + b)).collect();
        check(&inputs, &y, &dy, tolerance::<T>(), naive, |t| {
            reference::activation(&t[0].broadcast_add(&t[1])?, activation)
        });
    });
}

/// y = dropout(f(a + bias)·(g + bias)): each half of x has its gradient, and without a bias it is as with zeros.
pub fn gated_activations_and_their_gradients<T: Tested>() {
    let edges = [(1, 1, None, 3), (40, 24, Some((0.5, 2)), 4), (3, 260, Some((0.2, 0)), 0)];
    for_all::<T, _>(edges, (1..40usize, 1..90usize, drops(), any::<u64>()), |backend, (rows, width, drop, seed)| {
        let mut random = Numbers::new(seed);
        let activation = ACTIVATIONS[random.below(ACTIVATIONS.len())];
        let (n, factors) = (rows * width, factors(drop, rows, width));
        let mut x = inputs_of_activation(&mut random, 2 * n);
        let (b, dy) = (random.normal(2 * width), random.normal(n));
        for (x, b) in x.iter_mut().zip(b.iter().cycle()).filter(|(x, b)| (**x + **b).abs() < 1e-3) {
            *x = 0.1 - b;
        }
        let mut parameters_at = ParameterBuffer::default();
        let bias = parameters_at.put(&b);
        let zeros = parameters_at.put(&vec![0.0; 2 * width]);
        let parameters = parameters_at.buffer(backend);
        let run = |backend: &mut T::Backend, bias: Option<usize>, derivative: bool| {
            let (mut y, mut kept) = (unwritten(backend, n), buffer(backend, &x));
            backend.gated_activation(GatedActivation {
                y: &mut y,
                x: &mut kept,
                rows,
                parameters: &parameters,
                linear: Linear { weight: 0, bias, out: 2 * width, width: 1, exact: false },
                activation,
                derivative,
                dropout: dropout(drop),
            });
            if derivative {
                backend.gated_activation_backward(&mut kept, &buffer(backend, &dy), (rows, width));
            }
            [values(backend, &y, n), values(backend, &kept, 2 * n)]
        };
        let [y, dx] = run(backend, Some(bias), true);
        let [alone, untouched] = run(backend, Some(bias), false);
        close("without the derivatives", &alone, &wide(&y), tolerance::<T>());
        assert_eq!(untouched, x);
        assert_eq!(run(backend, None, true), run(backend, Some(zeros), true), "without a bias");
        let inputs = [
            Input { name: "x", values: &x, shape: &[rows, 2 * width], gradient: Some(&dx) },
            Input { name: "the bias", values: &b, shape: &[2 * width], gradient: None },
        ];
        let naive = |at: &[Vec<f64>]| -> Vec<f64> {
            let biased: Vec<f64> = at[0].iter().zip(at[1].iter().cycle()).map(|(x, b)| x + b).collect();
            let halves = biased.chunks_exact(2 * width).flat_map(|row| row[..width].iter().zip(&row[width..]));
            halves.zip(&factors).map(|((a, g), factor)| exact(activation, *a) * g * factor).collect()
        };
        check(&inputs, &y, &dy, tolerance::<T>(), naive, |t| {
            reference::dropout(&reference::gated(&t[0].broadcast_add(&t[1])?, activation)?, dropout(drop))
        });
    });
}

pub fn multiply_number_by_number<T: Tested>() {
    for_all::<T, _>([1, 16 * 1024 + 1], 1..3000usize, |backend, n| {
        let mut random = Numbers::new(n as u64);
        let (y, x) = (random.normal(n), random.normal(n + 3));
        let mut product = buffer(backend, &y);
        backend.multiply(&mut product, &buffer(backend, &x), n);
        let want: Vec<f32> = y.iter().zip(&x).map(|(y, x)| y * x).collect();
        assert_eq!(values(backend, &product, n), want);
    });
}

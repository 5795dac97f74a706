//! Losses: beside a float64 sum, candle's tape and PyTorch, and at the ends of what a float32 can be.

use candle_core::{DType, Result, Tensor};
use proptest::prelude::*;
use serde::Deserialize;
use taper::kernels::reference;

use super::support::*;

/// A loss, and its shape of targets.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Loss {
    CrossEntropy(f64),
    Binary(f64),
    Squared,
}

const GAMMAS: [f64; 5] = [0.0, 0.5, 1.0, 2.0, 5.0];

/// The losses whose targets are a factor of each logit, then those with two numbers.
fn losses() -> impl Iterator<Item = Loss> {
    GAMMAS.into_iter().flat_map(|gamma| [Loss::CrossEntropy(gamma), Loss::Binary(gamma)]).chain([Loss::Squared])
}

/// log σ(x).
fn log_sigmoid(x: f64) -> f64 {
    if x < 0.0 { x - x.exp().ln_1p() } else { -(-x).exp().ln_1p() }
}

impl Loss {
    /// The loss of a step that is nothing else, and the gradient.
    fn of<B: Backend>(self, backend: &mut B, x: &[f32], targets: &[f32], labels: usize) -> (f64, Vec<f32>) {
        let (mut d, buffer, rows) = (unwritten(backend, x.len()), buffer(backend, x), x.len() / labels);
        backend.begin_step();
        match self {
            Self::CrossEntropy(gamma) => backend.cross_entropy(&mut d, &buffer, targets, gamma, rows, labels),
            Self::Binary(gamma) => backend.binary_cross_entropy(&mut d, &buffer, targets, gamma, rows, labels),
            Self::Squared => backend.squared_error(&mut d, &buffer, targets, rows, labels),
        }
        (backend.sums().loss, values(backend, &d, x.len()))
    }

    /// The same as a plain sum in float64.
    fn sum(self, x: &[f64], targets: &[f64], labels: usize) -> f64 {
        let pairs = || x.iter().zip(targets.chunks_exact(2));
        match self {
            Self::CrossEntropy(gamma) => {
                let rows = x.chunks_exact(labels).zip(targets.chunks_exact(labels));
                let loss_of = |(x, t): (&[f64], &[f64])| {
                    let sum = x.iter().map(|x| x.exp()).sum::<f64>();
                    let p = x.iter().map(|x| x.exp() / sum);
                    p.zip(t).map(|(p, t)| -t * (1.0 - p).powf(gamma) * p.ln()).sum::<f64>()
                };
                rows.map(loss_of).sum()
            }
            Self::Binary(gamma) => pairs()
                .map(|(x, t)| {
                    let (a, b) = (log_sigmoid(*x), log_sigmoid(-x));
                    -t[0] * b.exp().powf(gamma) * a - t[1] * a.exp().powf(gamma) * b
                })
                .sum(),
            Self::Squared => pairs().map(|(x, t)| t[1] * (x - t[0]).powi(2)).sum(),
        }
    }

    /// The same on candle's tape, in float64 too: with gamma 5 the parts of a gradient are many times as large as their sum.
    fn reference(self, x: &Tensor, targets: &[f32]) -> Result<Tensor> {
        let ((rows, labels), x) = (x.dims2()?, x.to_dtype(DType::F64)?);
        let targets = Tensor::from_slice(&wide(targets), (rows, labels, targets.len() / x.elem_count()), x.device())?;
        let loss = match self {
            Self::CrossEntropy(gamma) => reference::cross_entropy(&x, &targets.squeeze(2)?, gamma),
            Self::Binary(gamma) => reference::binary_cross_entropy(&x, &targets, gamma),
            Self::Squared => reference::squared_error(&x, &targets),
        };
        loss?.to_dtype(DType::F32)?.reshape(1)
    }

    /// Targets of random rows, which weigh unlike amounts: hard, or with a share for every label.
    fn targets(self, random: &mut Numbers, rows: usize, labels: usize, soft: bool) -> Vec<f32> {
        if let Self::CrossEntropy(_) = self {
            let mut targets = vec![0.0f32; rows * labels];
            for row in targets.chunks_exact_mut(labels) {
                if soft {
                    row.iter_mut().zip(random.normal(labels)).for_each(|(t, v)| *t = v.abs());
                }
                row[random.below(labels)] += 1.0;
            }
            return targets;
        }
        let of_one = |_| {
            let (numbers, is_set) = (random.normal(2), random.below(2) == 1);
            match (self, soft) {
                (Self::Squared, _) => [numbers[0], if soft && is_set { 0.0 } else { numbers[1].abs() }],
                (_, true) => [numbers[0].abs(), numbers[1].abs()],
                (_, false) => [f32::from(is_set), f32::from(!is_set)],
            }
        };
        (0..rows * labels).flat_map(of_one).collect()
    }
}

pub fn losses_and_their_gradients<T: Tested>() {
    let edges = [(1, 1, false, 4), (1, 2, false, 5), (1, 20, true, 6), (40, 20, false, 7), (512, 3, true, 8)];
    for_all::<T, _>(
        edges,
        (1..40usize, 1..=20usize, any::<bool>(), any::<u64>()),
        |backend, (rows, labels, soft, seed)| {
            for loss in losses() {
                let mut random = Numbers::new(seed);
                let logits = random.normal(rows * labels);
                let targets = loss.targets(&mut random, rows, labels, soft);
                let (got, d) = loss.of(backend, &logits, &targets, labels);
                let want = loss.sum(&wide(&logits), &wide(&targets), labels);
                assert!((got - want).abs() <= 1e-12 * want, "{loss:?}: {got}, wanted {want}: all of it is float64");
                let inputs = [Input { name: "logits", values: &logits, shape: &[rows, labels], gradient: Some(&d) }];
                let exact = |at: &[Vec<f64>]| vec![loss.sum(&at[0], &wide(&targets), labels)];
                check(&inputs, &[got as f32], &[1.0], tolerance::<T>(), exact, |t| loss.reference(&t[0], &targets));
            }
        },
    );
}

#[derive(Deserialize)]
struct Expected {
    name: String,
    gamma: f64,
    columns: usize,
    logits: Vec<f32>,
    targets: Vec<f32>,
    loss: f64,
    gradient: Vec<f64>,
}

/// Losses to 1e-12; of gradients only the rounding to float32 is lost.
pub fn losses_are_pytorchs<T: Tested>() {
    let cases: Vec<Expected> =
        serde_json::from_str(include_str!("../fixtures/losses/expected.json")).expect("losses of PyTorch");
    assert_eq!(cases.len(), 54);
    with::<T>(|backend| {
        for case in &cases {
            let loss = match case.name.as_str() {
                "cross_entropy" => Loss::CrossEntropy(case.gamma),
                "binary_cross_entropy" => Loss::Binary(case.gamma),
                _ => Loss::Squared,
            };
            let (got, d) = loss.of(backend, &case.logits, &case.targets, case.columns);
            assert!((got - case.loss).abs() <= 1e-12 * case.loss, "{loss:?}: {got}, wanted {}", case.loss);
            for (got, want) in d.iter().zip(&case.gradient) {
                // Half a unit in the last place, and what float64 loses where PyTorch subtracts numbers near each other.
                let error = (f64::from(*got) - want).abs();
                assert!(error <= 6e-8 * want.abs() + 1e-14, "{loss:?}: {got:e}, wanted {want:e}");
            }
        }
    });
}

pub fn losses_of_logits_beyond_the_exponential<T: Tested>() {
    const INF: f32 = f32::INFINITY;
    with::<T>(|backend| {
        for gamma in GAMMAS {
            let mut of = |x: &[f32], targets: &[f32]| Loss::CrossEntropy(gamma).of(backend, x, targets, 2);
            assert_eq!(of(&[1e4, 0.0, -2e4, -1e4], &[0.0, 1.0, 0.0, 1.0]), (1e4, vec![1.0, -1.0, 0.0, 0.0]), "{gamma}");
            // Nor does an impossible class cost anything where it has no share of the target.
            assert_eq!(of(&[0.0, -INF], &[1.0, 0.0]), (0.0, vec![0.0, 0.0]), "{gamma}");
            assert_eq!(of(&[0.0, -INF], &[0.0, 1.0]), (f64::INFINITY, vec![1.0, -1.0]), "{gamma}");
            // A logit that is no number is no loss either.
            for x in [[f32::NAN, 0.0], [0.0, f32::NAN], [INF, 0.0], [INF, INF], [-INF, -INF]] {
                let (loss, d) = of(&x, &[1.0, 0.0]);
                assert!(loss.is_nan() && d[0].is_nan(), "{x:?} with {gamma}: {loss} {d:?}");
            }

            let mut of = |x: f32, a: f32, b: f32| {
                let (loss, d) = Loss::Binary(gamma).of(backend, &[x], &[a, b], 1);
                (loss, d[0])
            };
            for far in [1e4, INF] {
                assert_eq!(of(far, 2.0, 0.0), (0.0, 0.0), "{far} {gamma}");
                assert_eq!(of(-far, 0.0, 2.0), (0.0, 0.0), "{far} {gamma}");
                assert_eq!(of(-far, 2.0, 0.0), (2.0 * f64::from(far), -2.0), "{far} {gamma}");
                assert_eq!(of(far, 0.0, 2.0), (2.0 * f64::from(far), 2.0), "{far} {gamma}");
                assert_eq!([of(far, 0.0, 0.0), of(-far, 0.0, 0.0)], [(0.0, 0.0); 2], "{far} {gamma}");
            }
            for (a, b) in [(1.0, 0.0), (0.0, 1.0), (0.0, 0.0)] {
                let (loss, d) = of(f32::NAN, a, b);
                assert!(loss.is_nan() && d.is_nan(), "{a} {b} with {gamma}: {loss} {d}");
            }
        }
        let mut of = |x: f32, value: f32, factor: f32| {
            let (loss, d) = Loss::Squared.of(backend, &[x], &[value, factor], 1);
            (loss, d[0])
        };
        assert_eq!(of(1e4, -1e4, 0.5), (2e8, 2e4));
        assert_eq!(of(1e30, 0.0, 1e-30), (f64::from(1e30f32).powi(2) * f64::from(1e-30f32), 2.0));
        assert_eq!(of(-INF, 1.0, 1.0), (f64::INFINITY, -INF));
        // What nothing is asked for costs nothing, whatever the value.
        assert_eq!([of(INF, 1.0, 0.0), of(3.0, f32::NAN, 0.0), of(3.0, INF, 0.0)], [(0.0, 0.0); 3]);
        for (x, value, factor) in [(f32::NAN, 1.0, 1.0), (f32::NAN, 1.0, 0.0), (1.0, f32::NAN, 1.0)] {
            let (loss, d) = of(x, value, factor);
            assert!(loss.is_nan() && d.is_nan(), "{x} {value} {factor}: {loss} {d}");
        }
        // One row of many that is no number spoils the loss, and its own gradient alone.
        for loss in losses() {
            let values = if matches!(loss, Loss::CrossEntropy(_)) { 1 } else { 2 };
            let mut x = vec![0.5; 300 * 2];
            x[2 * 280] = f32::NAN;
            let (loss, d) = loss.of(backend, &x, &vec![0.25; x.len() * values], 2);
            assert!(loss.is_nan() && d[2 * 280].is_nan());
            assert!(d[..2 * 280].iter().chain(&d[2 * 281..]).all(|d| d.is_finite()));
        }
    });
}

/// Of two classes the softmax is a sigmoid of their difference; and the slopes of costs that vanish are right to the last digit:
/// −log p·(1 − p)^gamma has the slope −(1 + gamma)·(1 − p)^(1 + gamma) where p is near 1.
pub fn focal_losses_of_two_classes_are_those_of_one_label<T: Tested>() {
    with::<T>(|backend| {
        for gamma in GAMMAS {
            for x in [-1e4f32, -100.0, -31.0, -3.0, -0.25, 0.0, 0.125, 2.0, 12.0, 19.0, 36.5, 50.0, 800.0, 1e4] {
                // With gamma 0 log p is exact to the last digit of the largest logit alone.
                for own in [0.75, 0.0].into_iter().filter(|_| gamma > 0.0) {
                    let (two, d) = Loss::CrossEntropy(gamma).of(backend, &[x, 0.0], &[own, 0.75 - own], 2);
                    let (one, slope) = Loss::Binary(gamma).of(backend, &[x], &[own, 0.75 - own], 1);
                    assert!((two - one).abs() <= 1e-13 * one, "{x} {gamma}: {two:e} and {one:e}");
                    let apart = (d[0] - slope[0]).abs().max((d[1] + slope[0]).abs());
                    // A unit in the last place, where float32 has all of its digits.
                    assert!(apart <= 1.2e-7 * slope[0].abs() + 1e-38, "{x} {gamma}: {d:?} and {slope:?}");
                }
                if (19.0..60.0).contains(&x) {
                    let rest = (-f64::from(x)).exp();
                    let want = -(1.0 + gamma) * rest.powf(1.0 + gamma);
                    let got = Loss::Binary(gamma).of(backend, &[x], &[1.0, 0.0], 1).1[0];
                    let error = (f64::from(got) - want).abs();
                    assert!(error <= 1e-7 * want.abs() + 1e-38, "{x} {gamma}: {got:e}, wanted {want:e}");
                }
            }
        }
    });
}

/// The focal loss is continuous in gamma, so that its code for gamma above 0 meets that of 0.
pub fn a_small_gamma_gives_cross_entropy<T: Tested>() {
    with::<T>(|backend| {
        let mut random = Numbers::new(3);
        let logits: Vec<f32> = random.normal(60).iter().map(|x| 4.0 * x).collect();
        for of in [Loss::CrossEntropy, Loss::Binary] {
            let targets = of(0.0).targets(&mut random, 12, 5, true);
            let [(zero, d), (small, near)] = [0.0, 1e-13].map(|gamma| of(gamma).of(backend, &logits, &targets, 5));
            assert!((zero - small).abs() <= 1e-11 * zero, "{zero} {small}");
            assert!(d.iter().zip(&near).all(|(a, b)| (a - b).abs() <= 1.2e-7 * a.abs()), "{d:?} {near:?}");
        }
    });
}

//! Buffers with guards, random numbers, and the comparison with the oracles.

use candle_core::{Device, Result, Tensor, Var};
use proptest::{
    prelude::*,
    test_runner::{Config, RngSeed, TestRunner},
};
use taper::{
    kernels::{Dropout, TokenStream},
    random::{Purpose, Stream},
};

/// Every group of operations, so that their methods can be called.
pub use taper::kernels::{
    ActivationOps, AttentionOps, Backend, CopyOps, EmbeddingOps, LinearOps, LossOps, Memory, NormOps, OptimizerOps,
    PoolingOps, RotationOps,
};

pub use crate::tested::Tested;

/// How far from an oracle a number may be: see [`super`].
pub fn tolerance<T: Tested>() -> f64 {
    6e-6 * T::ROUNDING
}

/// The same where a norm magnifies rounding errors.
pub fn norm_tolerance<T: Tested>() -> f64 {
    20.0 * tolerance::<T>()
}

/// The same of products, whose factors may be rounded.
pub fn product_tolerance<T: Tested>() -> f64 {
    T::PRODUCTS.unwrap_or(tolerance::<T>())
}

/// Values of a buffer that must not be touched.
const REST: usize = 37;

/// A NaN that no arithmetic gives.
fn guard() -> f32 {
    f32::from_bits(0x7fc0_dead)
}

/// Runs a check on a new backend.
pub fn with<T: Tested>(check: impl FnOnce(&mut T::Backend)) {
    let mut backend = T::backend().expect("a backend");
    check(&mut backend);
    backend.health().unwrap_or_else(|error| panic!("{error}"));
}

/// Runs a check on shapes that must be among them, then on random ones, always the same; each on a new backend.
pub fn for_all<T: Tested, S: Strategy>(
    edges: impl IntoIterator<Item = S::Value>,
    shapes: S,
    check: impl Fn(&mut T::Backend, S::Value),
) {
    let check = |shape| with::<T>(|backend| check(backend, shape));
    edges.into_iter().for_each(check);
    let config =
        Config { cases: T::CASES, rng_seed: RngSeed::Fixed(7), failure_persistence: None, ..Config::default() };
    let done = TestRunner::new(config).run(&shapes, |shape| {
        check(shape);
        Ok(())
    });
    done.unwrap_or_else(|error| panic!("{error}"));
}

/// Share that is dropped, and the index of the first row in its step.
pub type Drop = Option<(f64, usize)>;

pub fn drops() -> impl Strategy<Value = Drop> {
    proptest::option::of((prop_oneof![Just(0.1), Just(0.5), Just(0.9)], 0..5000usize))
}

pub fn dropout(drop: Drop) -> Option<Dropout> {
    drop.and_then(|(p, first_row)| Dropout::new(5, 77, 3, p, first_row))
}

/// The factors of dropout for `[rows, width]`; ones without it.
pub fn factors(drop: Drop, rows: usize, width: usize) -> Vec<f64> {
    let mut factors = vec![1.0f32; rows * width];
    if let Some(dropout) = dropout(drop) {
        dropout.fill(dropout.index(0, width), &mut factors);
    }
    wide(&factors)
}

pub fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}

/// Random numbers, one after the other.
pub struct Numbers {
    stream: Stream,
    at: u64,
}

impl Numbers {
    pub fn new(seed: u64) -> Self {
        Self { stream: Stream::new(seed, Purpose::Init, 0, 0), at: 0 }
    }

    /// Standard normal.
    pub fn normal(&mut self, n: usize) -> Vec<f32> {
        let from = self.at;
        self.at += n as u64;
        (from..self.at).map(|i| self.stream.normal(i) as f32).collect()
    }

    /// Below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        self.at += 1;
        self.stream.below(self.at - 1, n as u64) as usize
    }
}

/// A buffer that begins with these values.
pub fn buffer<B: Backend>(backend: &B, values: &[f32]) -> B::Buffer {
    let mut buffer = backend.zeros(values.len() + REST);
    backend.write(&mut buffer, 0, values);
    backend.write(&mut buffer, values.len(), &[guard(); REST]);
    buffer
}

/// A buffer for so many numbers that a kernel writes.
pub fn unwritten<B: Backend>(backend: &B, len: usize) -> B::Buffer {
    buffer(backend, &vec![guard(); len])
}

/// The first numbers of a buffer, whose rest must be as it was.
#[track_caller]
pub fn values<B: Backend>(backend: &B, buffer: &B::Buffer, len: usize) -> Vec<f32> {
    let all = backend.read(buffer, 0..len + REST);
    assert!(all[len..].iter().all(|v| v.to_bits() == guard().to_bits()), "numbers past the end were written");
    all[..len].to_vec()
}

#[track_caller]
pub fn assert_unwritten<B: Backend>(backend: &B, buffer: &B::Buffer) {
    values(backend, buffer, 0);
}

/// A batch of which only the sequences matter.
pub fn batch<B: Backend>(backend: &mut B, tokens: usize, offsets: &[u32]) -> B::Batch {
    let none = vec![0; tokens];
    backend.batch(TokenStream { ids: &none, positions: &none, token_types: &none, offsets })
}

/// Parameters at odd offsets, with guards between them.
#[derive(Default)]
pub struct ParameterBuffer {
    numbers: Vec<f32>,
    ranges: Vec<std::ops::Range<usize>>,
}

impl ParameterBuffer {
    /// Appends values; returns their offset.
    pub fn put(&mut self, values: &[f32]) -> usize {
        self.numbers.extend(std::iter::repeat_n(guard(), 3 + 5 * self.ranges.len()));
        let at = self.numbers.len();
        self.numbers.extend(values);
        self.ranges.push(at..self.numbers.len());
        at
    }

    pub fn buffer<B: Backend>(&self, backend: &B) -> B::Buffer {
        buffer(backend, &self.numbers)
    }

    /// Initial values of gradients at the same offsets: guards if they are fresh, else random numbers.
    pub fn gradients<B: Backend>(&self, backend: &B, fresh: bool, numbers: &mut Numbers) -> Gradients<B> {
        let mut before = vec![guard(); self.numbers.len()];
        for range in self.ranges.iter().filter(|_| !fresh) {
            before[range.clone()].copy_from_slice(&numbers.normal(range.len()));
        }
        Gradients { buffer: buffer(backend, &before), before, fresh, taken: Vec::new() }
    }
}

/// Gradients that a kernel writes or adds to.
pub struct Gradients<B: Backend> {
    pub buffer: B::Buffer,
    before: Vec<f32>,
    fresh: bool,
    taken: Vec<std::ops::Range<usize>>,
}

impl<B: Backend> Gradients<B> {
    /// What was written, or has been added.
    pub fn take(&mut self, backend: &B, at: usize, len: usize) -> Vec<f32> {
        self.taken.push(at..at + len);
        let now = values(backend, &self.buffer, self.before.len());
        let before = |i: usize| if self.fresh { 0.0 } else { self.before[i] };
        (at..at + len).map(|i| now[i] - before(i)).collect()
    }

    /// Everything that was not taken must be as it was.
    #[track_caller]
    pub fn check_rest(&self, backend: &B) {
        let now = values(backend, &self.buffer, self.before.len());
        for (i, (now, before)) in now.iter().zip(&self.before).enumerate() {
            let taken = self.taken.iter().any(|range| range.contains(&i));
            assert!(taken || now.to_bits() == before.to_bits(), "number {i} of the gradients was written");
        }
    }
}

/// One input of a layer, and what the kernels say its gradient is (none: they do not tell).
pub struct Input<'a> {
    pub name: &'static str,
    pub values: &'a [f32],
    pub shape: &'a [usize],
    pub gradient: Option<&'a [f32]>,
}

#[track_caller]
pub fn close(what: &str, got: &[f32], want: &[f64], tolerance: f64) {
    assert_eq!(got.len(), want.len(), "{what}");
    let scale = want.iter().fold(1e-3f64, |most, v| most.max(v.abs()));
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        let error = (f64::from(*got) - want).abs() / scale;
        assert!(error <= tolerance, "{what}: number {i} is {got:e}, wanted {want:e}: off by {error:e} of the largest");
    }
}

/// Holds a layer's output and gradients against both oracles. `exact` is the layer in float64, `reference` in candle's tensors;
/// `weighting` is the gradient that came back from the output.
#[track_caller]
pub fn check(
    inputs: &[Input],
    output: &[f32],
    weighting: &[f32],
    tolerance: f64,
    exact: impl Fn(&[Vec<f64>]) -> Vec<f64>,
    reference: impl Fn(&[Tensor]) -> Result<Tensor>,
) {
    let mut at: Vec<Vec<f64>> = inputs.iter().map(|input| wide(input.values)).collect();
    close("output", output, &exact(&at), tolerance);

    let vars: Vec<Var> = inputs.iter().map(|i| var(i.values, i.shape).expect("a tensor")).collect();
    let tensors: Vec<Tensor> = vars.iter().map(|v| v.as_tensor().clone()).collect();
    let expected = reference(&tensors).expect("the reference");
    close("output beside the reference", output, &numbers(&expected), tolerance);
    let sum = (&expected * Tensor::from_slice(weighting, expected.shape(), &Device::Cpu).expect("a tensor"))
        .expect("a product");
    let gradients = sum.sum_all().and_then(|sum| sum.backward()).expect("gradients");

    let mut random = Numbers::new(at.iter().map(Vec::len).sum::<usize>() as u64);
    for (i, input) in inputs.iter().enumerate() {
        let Some(got) = input.gradient else { continue };
        let want = numbers(gradients.get(&vars[i]).expect("a gradient"));
        close(&format!("gradient of {} beside the reference", input.name), got, &want, tolerance);

        let scale = want.iter().fold(1e-3f64, |most, v| most.max(v.abs()));
        let n = input.values.len();
        let single = |entry: usize| (0..n).map(|i| f64::from(u8::from(i == entry))).collect::<Vec<_>>();
        let mut directions: Vec<Vec<f64>> = (0..3).map(|_| single(random.below(n))).collect();
        directions.push(wide(&random.normal(n)));
        for direction in directions {
            let mut value = |step: f64| -> f64 {
                at[i]
                    .iter_mut()
                    .zip(input.values)
                    .zip(&direction)
                    .for_each(|((at, x), d)| *at = f64::from(*x) + step * d);
                exact(&at).iter().zip(weighting).map(|(y, w)| y * f64::from(*w)).sum()
            };
            const STEP: f64 = 1e-5;
            let slope = (value(STEP) - value(-STEP)) / (2.0 * STEP);
            value(0.0);
            let got: f64 = got.iter().zip(&direction).map(|(g, d)| f64::from(*g) * d).sum();
            // Rounding errors of the entries add up as their squares do.
            let length = direction.iter().map(|d| d * d).sum::<f64>().sqrt();
            let error = (got - slope).abs() / (scale * length);
            let name = input.name;
            assert!(error <= tolerance, "slope along {name} is {got:e}, wanted {slope:e}: off by {error:e}");
        }
    }
}

pub fn var(values: &[f32], shape: &[usize]) -> Result<Var> {
    Var::from_tensor(&Tensor::from_slice(values, shape, &Device::Cpu)?)
}

fn numbers(tensor: &Tensor) -> Vec<f64> {
    wide(&tensor.flatten_all().and_then(|t| t.to_vec1::<f32>()).expect("numbers"))
}

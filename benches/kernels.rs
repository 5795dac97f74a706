//! The CPU kernels against what the machine can do at best.
//!
//!     cargo bench --bench kernels [-- FILTER]
//!
//! Each kernel works on the sizes of rbt3's layers over a batch of 864 tokens. Criterion measures it; the table at the end
//! holds its best call against the faster of two bounds: memory traffic of as many bytes, and multiply-adds in registers.
//! What fits into the caches moves as fast as they do, so that bound is measured for each size.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

#[path = "common/mod.rs"]
#[expect(dead_code, reason = "shared with the comparison")]
mod common;

use std::{
    hint::black_box,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use candle_core::{Device, Tensor, Var, backprop::GradStore};
use common::{
    bounds::{fma_rate, memory_rate},
    machine,
};
use criterion::{Criterion, Throughput};
use taper::{
    kernels::{self, Dropout, Form, Ragged},
    plan::{self, TrainConfig},
    spec::{LoadOptions, LoadedSpec},
    train::AdamW,
};

/// Tokens of a batch of 32 rows of 27.
const TOKENS: usize = 864;
const ROW: usize = 27;
/// rbt3's widths.
const HIDDEN: usize = 768;
const WIDE: usize = 3072;
const HEADS: usize = 12;
/// Parameters of an update: those of two of rbt3's layers.
const PARAMETERS: usize = 14_000_000;

/// A kernel to be measured: name, bytes that it must read and write, floating-point operations, one call.
type Kernel = (&'static str, usize, usize, Box<dyn FnMut()>);

/// The table. Bytes count every input and output once, 4 each; of the operations of exp and erf the polynomials'.
fn all() -> Vec<Kernel> {
    let (narrow, wide) = (TOKENS * HIDDEN, TOKENS * WIDE);
    let attention = 4 * TOKENS * ROW * HIDDEN;
    vec![
        ("exp", 2 * 4 * wide, 22 * wide, slice(wide, kernels::exp)),
        ("erf", 2 * 4 * wide, 28 * wide, slice(wide, kernels::erf)),
        ("gelu", 2 * 4 * wide, 32 * wide, {
            let x = normal(&[TOKENS, WIDE]);
            tensor(move || kernels::gelu(&x, Form::Fused))
        }),
        ("layer norm", 2 * 4 * narrow, 8 * narrow, {
            let (x, w, b) = (normal(&[TOKENS, HIDDEN]), normal(&[HIDDEN]), normal(&[HIDDEN]));
            tensor(move || kernels::layer_norm(&x, &w, &b, 1e-12, Form::Fused))
        }),
        ("dropout", 2 * 4 * narrow, narrow, {
            let x = normal(&[TOKENS, HIDDEN]);
            tensor(move || kernels::dropout(&x, Dropout::new(1, 1, 1, 0.1, 0), Form::Fused))
        }),
        ("linear", 4 * (narrow + HIDDEN * WIDE + wide), 2 * TOKENS * HIDDEN * WIDE, {
            let (x, w, b) = (normal(&[TOKENS, HIDDEN]), normal(&[WIDE, HIDDEN]), normal(&[WIDE]));
            tensor(move || kernels::linear(&x, &w, &b, Form::Fused))
        }),
        ("attention", 4 * 4 * narrow, attention, {
            let [q, k, v] = [(); 3].map(|()| normal(&[TOKENS, HIDDEN]));
            let offsets: Arc<[u32]> = (0..=TOKENS).step_by(ROW).map(|token| token as u32).collect();
            let ragged = Ragged { queries: offsets.clone(), keys: offsets };
            tensor(move || kernels::attention(&q, &k, &v, &ragged, HEADS, None, Form::Fused))
        }),
        // Reads gradient, parameter and two moments; writes all but the gradient.
        ("adamw", 7 * 4 * PARAMETERS, 12 * PARAMETERS, adamw()),
    ]
}

/// A function over a slice, on one thread.
fn slice(n: usize, f: impl Fn(f32) -> f32 + 'static) -> Box<dyn FnMut()> {
    let x: Vec<f32> = (0..n).map(|i| (i % 801) as f32 / 100.0 - 4.0).collect();
    let mut y = vec![0.0f32; n];
    Box::new(move || {
        y.iter_mut().zip(&x).for_each(|(y, &x)| *y = f(x));
        black_box(&mut y);
    })
}

fn tensor(f: impl Fn() -> candle_core::Result<Tensor> + 'static) -> Box<dyn FnMut()> {
    Box::new(move || {
        black_box(f().expect("a kernel runs"));
    })
}

fn normal(shape: &[usize]) -> Tensor {
    Tensor::randn(0.0f32, 1.0, shape, &Device::Cpu).expect("random values")
}

fn adamw() -> Box<dyn FnMut()> {
    let parameter = Var::from_tensor(&normal(&[PARAMETERS])).expect("a parameter");
    let mut optimizer = AdamW::new(&[("weight".to_string(), parameter.clone())], &recipe()).expect("moments");
    let mut store = GradStore::default();
    store.insert(&parameter, normal(&[PARAMETERS]));
    let mut gradients = optimizer.no_gradients();
    optimizer.accumulate(&mut gradients, store).expect("gradients");
    Box::new(move || optimizer.step(&gradients, 1.0, 1e-5).expect("an update"))
}

/// The defaults of the spec, but for what the quickstart sets.
fn recipe() -> TrainConfig {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments/quickstart.toml");
    let spec = LoadedSpec::load(&path, &LoadOptions::default()).expect("the quickstart is sound");
    plan::resolve(spec.spec()).expect("the quickstart can be planned").train
}

fn main() {
    let bytes = 1 << 30;
    println!("{}: {} threads, {}", machine::cpu(), rayon::current_num_threads(), machine::features().join(" "));
    println!("memory, {} MiB: {:.1} GB/s", bytes >> 20, memory_rate(bytes) / 1e9);
    let fma = fma_rate();
    println!("multiply-adds in registers: {:.0} GFLOP/s\n", fma / 1e9);

    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    let mut lines = Vec::new();
    for (name, bytes, flop, mut call) in all() {
        let mut best = f64::INFINITY;
        let mut group = criterion.benchmark_group("cpu");
        group.throughput(Throughput::BytesDecimal(bytes as u64));
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|calls| {
                let mut total = Duration::ZERO;
                for _ in 0..calls {
                    let begin = Instant::now();
                    call();
                    let elapsed = begin.elapsed();
                    best = best.min(elapsed.as_secs_f64());
                    total += elapsed;
                }
                total
            });
        });
        group.finish();
        if best.is_finite() {
            let (memory_s, arithmetic_s) = (bytes as f64 / memory_rate(bytes as u64), flop as f64 / fma);
            let bound = if memory_s > arithmetic_s { "memory" } else { "arithmetic" };
            lines.push(format!(
                "{name:<12} {:>9.3} {:>8.1} {:>8.1} {bound:>11} {:>6.0}",
                1e3 * best,
                bytes as f64 / best / 1e9,
                flop as f64 / best / 1e9,
                100.0 * memory_s.max(arithmetic_s) / best,
            ));
        }
    }
    println!("{:<12} {:>9} {:>8} {:>8} {:>11} {:>6}", "kernel", "best ms", "GB/s", "GFLOP/s", "bound by", "%");
    println!("{}", lines.join("\n"));
}

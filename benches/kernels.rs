//! The CPU kernels against what the machine can do at best.
//!
//!     cargo bench --bench kernels [-- FILTER]
//!
//! Each kernel works on the sizes of rbt3's layers over a batch of 864 tokens. Criterion measures it; the table at the end
//! holds its best call against the faster of two bounds: memory traffic of as many bytes, and multiply-adds in registers.
//! What fits into the caches moves as fast as they do, so that bound is measured for each size.

#![expect(clippy::print_stdout, reason = "a benchmark prints its results")]

#[path = "common/mod.rs"]
#[expect(dead_code, reason = "shared with the comparison")]
mod common;

use std::time::{Duration, Instant};

use common::{
    bounds::{fma_rate, memory_rate},
    machine,
};
use criterion::{Criterion, Throughput};
use taper::kernels::{
    Activation, ActivationOps, AdamW, AddNorm, AddNormBackward, Attend, Attention, AttentionBackward, AttentionOps,
    BiasActivation, Buffer, Clip, Cpu, Dropout, LayerNorm, Linear, LinearOps, Memory, Moments, NormOps, OptimizerOps,
    Queries, TokenStream,
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
    let up = Linear { weight: 0, bias: Some(HIDDEN * WIDE), out: WIDE, width: HIDDEN, exact: true };
    let down = Linear { weight: 0, bias: Some(HIDDEN * WIDE), out: HIDDEN, width: WIDE, exact: true };
    let norm = LayerNorm { weight: 0, bias: Some(HIDDEN), width: HIDDEN, eps: 1e-12 };
    let product = 2 * TOKENS * HIDDEN * WIDE;
    let dropout = Dropout::new(1, 1, 1, 0.1, 0);
    let parameters = || normal(HIDDEN * WIDE + WIDE);
    let offsets: Vec<u32> = (0..=TOKENS).step_by(ROW).map(|token| token as u32).collect();
    let batch = move || {
        let none = &[0; TOKENS];
        Cpu::default().batch(TokenStream { ids: none, positions: none, token_types: none, offsets: &offsets })
    };
    let scale = Attention::usual_scale(HIDDEN / HEADS);
    let attention = Attention { heads: HEADS, width: HIDDEN, queries: Queries::All, window: None, scale, dropout };
    let attention_flop = 4 * TOKENS * ROW * HIDDEN;
    vec![
        ("linear", 4 * (narrow + HIDDEN * WIDE + wide), product, {
            let (mut y, x, p) = (normal(wide), normal(narrow), parameters());
            kernel(move |cpu| cpu.linear(&mut y, &x, TOKENS, &p, up, true))
        }),
        ("linear_input", 4 * (narrow + HIDDEN * WIDE + wide), product, {
            let (mut dx, dy, p) = (normal(narrow), normal(wide), parameters());
            kernel(move |cpu| cpu.linear_input(&mut dx, false, &dy, TOKENS, &p, up))
        }),
        ("linear_parameters", 4 * (narrow + HIDDEN * WIDE + wide), product, {
            let (mut g, dy, x) = (parameters(), normal(wide), normal(narrow));
            kernel(move |cpu| cpu.linear_parameters(&mut g, true, &dy, &x, TOKENS, up))
        }),
        ("attention", 4 * 4 * narrow, attention_flop, {
            let (mut out, qkv, batch) = (normal(narrow), normal(3 * narrow), batch());
            kernel(move |cpu| {
                let (context, q, kv, batch) = (&mut out, &qkv, &qkv, &batch);
                cpu.attention(Attend { context, q, kv, batch, attention, relative: None });
            })
        }),
        ("attention_backward", 7 * 4 * narrow, 3 * attention_flop, {
            let (mut dq, mut dqkv, d_out, qkv) = (normal(0), normal(3 * narrow), normal(narrow), normal(3 * narrow));
            let batch = batch();
            kernel(move |cpu| {
                let (dq, dkv, d_context) = (&mut dq, &mut dqkv, &d_out);
                cpu.attention_backward(AttentionBackward {
                    dq,
                    dkv,
                    d_context,
                    q: &qkv,
                    kv: &qkv,
                    batch: &batch,
                    attention,
                    relative: None,
                })
            })
        }),
        ("bias_activation", 3 * 4 * wide, 60 * wide, {
            let (mut y, mut x, p) = (normal(wide), normal(wide), parameters());
            kernel(move |cpu| {
                cpu.bias_activation(BiasActivation {
                    y: &mut y,
                    x: &mut x,
                    rows: TOKENS,
                    parameters: &p,
                    linear: up,
                    activation: Activation::Gelu,
                    derivative: true,
                })
            })
        }),
        ("add_norm", 4 * 4 * narrow, 10 * narrow, {
            let (mut y, mut x, mut stats) = (normal(narrow), normal(narrow), normal(2 * TOKENS));
            let (residual, p) = (normal(narrow), parameters());
            kernel(move |cpu| {
                cpu.add_norm(AddNorm {
                    y: &mut y,
                    x: &mut x,
                    stats: &mut stats,
                    residual: Some(&residual),
                    rows: TOKENS,
                    parameters: &p,
                    bias: down.bias,
                    norm,
                    dropout,
                })
            })
        }),
        ("add_norm_backward", 4 * 4 * narrow, 15 * narrow, {
            let (mut d_residual, mut dx, mut g) = (normal(narrow), normal(narrow), normal(2 * HIDDEN));
            let (dy, x, stats, p) = (normal(narrow), normal(narrow), normal(2 * TOKENS), parameters());
            kernel(move |cpu| {
                cpu.add_norm_backward(AddNormBackward {
                    d_residual: &mut d_residual,
                    add: false,
                    dx: Some(&mut dx),
                    gradients: &mut g,
                    fresh: true,
                    dy: &dy,
                    x: &x,
                    stats: &stats,
                    rows: TOKENS,
                    parameters: &p,
                    norm,
                    dropout,
                })
            })
        }),
        ("multiply", 3 * 4 * wide, wide, {
            let (mut y, x) = (normal(wide), normal(wide));
            kernel(move |cpu| cpu.multiply(&mut y, &x, wide))
        }),
        ("add_squares", 4 * PARAMETERS, 2 * PARAMETERS, {
            let x = normal(PARAMETERS);
            kernel(move |cpu| cpu.add_squares(&x, 0..PARAMETERS))
        }),
        // Reads gradient, parameter and two moments; writes all but the gradient.
        ("adamw", 7 * 4 * PARAMETERS, 12 * PARAMETERS, {
            let [mut values, mut first, mut second, g] = [(); 4].map(|()| normal(PARAMETERS));
            second.iter_mut().for_each(|v| *v *= *v);
            let (betas, one_minus_betas) = ((0.9, 0.999), (0.1, 0.001));
            let update = AdamW {
                betas,
                one_minus_betas,
                clip: Clip::By(1.0),
                decay_factor: 0.999_999,
                step_size: 1e-5,
                rsqrt_correction2: 1.0,
                eps: 1e-8,
            };
            kernel(move |cpu| {
                let moments = Moments { values: &mut values, first: &mut first, second: &mut second };
                cpu.adamw(moments, &g, 0..PARAMETERS, update)
            })
        }),
    ]
}

fn kernel(mut f: impl FnMut(&mut Cpu) + 'static) -> Box<dyn FnMut()> {
    let mut cpu = Cpu::default();
    Box::new(move || f(&mut cpu))
}

/// Values around 0.
fn normal(n: usize) -> Buffer {
    let mut buffer = Buffer::new(n);
    buffer.iter_mut().enumerate().for_each(|(i, v)| *v = (i % 31) as f32 / 31.0 - 0.5);
    buffer
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
                "{name:<18} {:>9.3} {:>8.1} {:>8.1} {bound:>11} {:>6.0}",
                1e3 * best,
                bytes as f64 / best / 1e9,
                flop as f64 / best / 1e9,
                100.0 * memory_s.max(arithmetic_s) / best,
            ));
        }
    }
    println!("{:<18} {:>9} {:>8} {:>8} {:>11} {:>6}", "kernel", "best ms", "GB/s", "GFLOP/s", "bound by", "%");
    println!("{}", lines.join("\n"));
}

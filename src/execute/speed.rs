//! A rough measurement of how fast this machine trains, for estimates.

use std::time::Instant;

use crate::{
    kernels::{Cpu, Linear, LinearOps, Memory},
    plan::Precision,
};

/// Share of the matrix products' speed that a whole training step reaches on the CPU, measured on rbt3: in bf16 products are a
/// smaller part of the step.
const SHARE: (f64, f64) = (0.75, 0.45);

/// Duration of the measurement in seconds, and the number of parts of which the fastest counts: a disturbance rarely affects all of them.
const MEASURED_S: f64 = 0.12;
const TRIES: usize = 3;

/// FLOP/s of training on the CPU in a precision, measured on matrix products, which dominate it. The rate of fp32 if the processor has no
/// bf16.
pub fn training_rate(precision: Precision) -> f64 {
    let (mut cpu, share) = match (precision, Cpu::bf16()) {
        (Precision::Bf16, Some(cpu)) => (cpu, SHARE.1),
        _ => (Cpu::default(), SHARE.0),
    };
    let (rows, width, out) = (512, 768, 768);
    let linear = Linear { weight: 0, bias: Some(width * out), width, out, exact: false };
    let (x, parameters) = (cpu.zeros(rows * width), cpu.zeros(width * out + out));
    let mut y = cpu.zeros(rows * out);
    cpu.linear(&mut y, &x, rows, &parameters, linear, true); // starts the threads
    let mut measure = || {
        let (begin, mut flop) = (Instant::now(), 0.0);
        while begin.elapsed().as_secs_f64() < MEASURED_S / TRIES as f64 {
            cpu.linear(&mut y, &x, rows, &parameters, linear, true);
            flop += 2.0 * (rows * width * out) as f64;
        }
        flop / begin.elapsed().as_secs_f64()
    };
    share * (0..TRIES).map(|_| measure()).fold(0.0, f64::max)
}

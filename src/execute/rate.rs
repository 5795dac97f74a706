//! How fast this machine trains, roughly: for estimates.

use std::time::Instant;

use crate::kernels::{Backend, Cpu, Linear};

/// Share of the matrix products' speed that a whole training step reaches on the CPU, measured on rbt3 and M3E-small.
const SHARE: f64 = 0.75;

/// FLOP/s of training on the CPU, from a tenth of a second of the products that make up most of it.
pub fn training_rate() -> f64 {
    let (rows, width, out) = (512, 768, 768);
    let mut cpu = Cpu::default();
    let linear = Linear { weight: 0, bias: width * out, width, out, exact: true };
    let (x, parameters) = (cpu.zeros(rows * width), cpu.zeros(width * out + out));
    let mut y = cpu.zeros(rows * out);
    cpu.linear(&mut y, &x, rows, &parameters, linear, true); // starts the threads
    let begin = Instant::now();
    let mut flop = 0.0;
    while begin.elapsed().as_secs_f64() < 0.1 {
        cpu.linear(&mut y, &x, rows, &parameters, linear, true);
        flop += 2.0 * (rows * width * out) as f64;
    }
    SHARE * flop / begin.elapsed().as_secs_f64()
}

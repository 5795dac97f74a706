//! Losses on the CPU. A row for each sequence: little work, one thread.

use super::{super::LossOps, Buffer, Cpu};

/// Returns −Σ targets·log softmax(logits), and writes its gradient softmax(logits)·Σ targets − targets; in float64 throughout. All
/// `[rows, labels]`.
fn cross_entropy(d_logits: &mut [f32], logits: &[f32], targets: &[f32], labels: usize) -> f64 {
    let rows = d_logits.chunks_exact_mut(labels).zip(logits.chunks_exact(labels)).zip(targets.chunks_exact(labels));
    let loss_of = |((d, x), t): ((&mut [f32], &[f32]), &[f32])| {
        // f64::max passes over NaN; a sum does not, so a spoilt row still gives a spoilt loss.
        let max = x.iter().copied().map(f64::from).fold(f64::NEG_INFINITY, f64::max);
        let log_sum = max + x.iter().map(|x| (f64::from(*x) - max).exp()).sum::<f64>().ln();
        let mass: f64 = t.iter().copied().map(f64::from).sum();
        let mut loss = 0.0;
        for ((d, x), t) in d.iter_mut().zip(x).zip(t) {
            let (log_p, t) = (f64::from(*x) - log_sum, f64::from(*t));
            // 0·∞ is not a loss: a class without a share of the target may have any logit.
            loss -= if t == 0.0 { 0.0 } else { t * log_p };
            *d = (log_p.exp() * mass - t) as f32;
        }
        // Of an impossible logit (NaN, two infinities) no row is free.
        if log_sum.is_nan() { f64::NAN } else { loss }
    };
    rows.map(loss_of).sum()
}

/// Returns −Σ targets·(1 − p)^gamma·log p of p = softmax(logits), and writes its gradient; in float64 throughout. All `[rows, labels]`;
/// `gamma` is above 0.
fn focal_loss(d_logits: &mut [f32], logits: &[f32], targets: &[f32], labels: usize, gamma: f64) -> f64 {
    let rows = d_logits.chunks_exact_mut(labels).zip(logits.chunks_exact(labels)).zip(targets.chunks_exact(labels));
    rows.map(|((d, x), t)| focal_row(d, x, t, gamma)).sum()
}

/// [`focal_loss`] of one row.
fn focal_row(d: &mut [f32], x: &[f32], t: &[f32], gamma: f64) -> f64 {
    let max = x.iter().copied().map(f64::from).fold(f64::NEG_INFINITY, f64::max);
    let top = x.iter().position(|x| f64::from(*x) == max);
    let exp = |c: usize| (f64::from(x[c]) - max).exp();
    // The sum without the largest, which is 1: of a p near 1 it gives log p and 1 − p to the last digit.
    let others: f64 = (0..x.len()).filter(|c| Some(*c) != top).map(exp).sum();
    // Of an impossible logit (NaN, two infinities) no row is free.
    if !max.is_finite() || others.is_nan() {
        d.fill(f32::NAN);
        return f64::NAN;
    }
    let (sum, log_sum) = (1.0 + others, others.ln_1p());
    // p and 1 − p of a class.
    let shares = |c: usize| (exp(c) / sum, if Some(c) == top { others } else { sum - exp(c) } / sum);
    // What a class costs, and p·(the derivative of that by p).
    let costs = |c: usize| {
        let (log_p, t) = (f64::from(x[c]) - max - log_sum, f64::from(t[c]));
        if t == 0.0 {
            return (0.0, 0.0);
        }
        let (p, rest) = shares(c);
        let weight = t * (gamma * rest.ln()).exp();
        // p·log p / (1 − p) is −1 at p = 1, where the weight is 0, and 0 at p = 0.
        let ratio = if p == 0.0 || rest == 0.0 { 0.0 } else { p * log_p / rest };
        (-weight * log_p, weight * (gamma * ratio - 1.0))
    };
    let (loss, whole) = (0..x.len()).map(costs).fold((0.0, 0.0), |(l, w), (loss, slope)| (l + loss, w + slope));
    for (c, d) in d.iter_mut().enumerate() {
        let ((p, rest), (_, slope)) = (shares(c), costs(c));
        // slope − p·whole, without its cancellation where p is near 1.
        *d = (slope * rest - p * (whole - slope)) as f32;
    }
    loss
}

/// Returns the sum of the losses of all values, and writes their derivatives. `targets` holds two numbers for each value; `of` gives the loss of a
/// value x with its two numbers, and the derivative by x.
fn sum_of_values(d: &mut [f32], values: &[f32], targets: &[f32], of: impl Fn(f64, [f64; 2]) -> (f64, f64)) -> f64 {
    let values = d.iter_mut().zip(values).zip(targets.chunks_exact(2));
    let loss_of = |((d, x), t): ((&mut f32, &f32), &[f32])| {
        let (loss, slope) = of(f64::from(*x), [t[0], t[1]].map(f64::from));
        *d = slope as f32;
        loss
    };
    values.map(loss_of).sum()
}

/// −(a·(1 − p)^gamma·log p + b·p^gamma·log(1 − p)) of p = σ(x), and its derivative.
fn binary_cross_entropy(x: f64, [a, b]: [f64; 2], gamma: f64) -> (f64, f64) {
    // Of e^(−|x|) ≤ 1 nothing overflows, and the smaller of p and 1 − p does not cancel.
    let z = (-x.abs()).exp();
    let (smaller, larger, of_larger) = (z / (1.0 + z), 1.0 / (1.0 + z), z.ln_1p());
    // p, 1 − p, −log p and −log(1 − p).
    let (p, rest, of_p, of_rest) =
        if x < 0.0 { (smaller, larger, of_larger - x, of_larger) } else { (larger, smaller, of_larger, of_larger + x) };
    let weight = |minus_log: f64| if gamma == 0.0 { 1.0 } else { (-gamma * minus_log).exp() };
    let (weight_a, weight_b) = (a * weight(of_rest), b * weight(of_p));
    // 0·∞ is not a loss, and p·log p is 0 at p = 0.
    let product = |factor: f64, cost: f64| if factor == 0.0 { 0.0 } else { factor * cost };
    let loss = product(weight_a, of_p) + product(weight_b, of_rest);
    let slope = weight_b * (gamma * product(rest, of_rest) + p) - weight_a * (gamma * product(p, of_p) + rest);
    (if x.is_nan() { x } else { loss }, slope)
}

/// factor·(x − value)², and its derivative.
fn squared_error(x: f64, [value, factor]: [f64; 2]) -> (f64, f64) {
    if factor == 0.0 && !x.is_nan() {
        return (0.0, 0.0);
    }
    let error = x - value;
    (factor * error * error, 2.0 * factor * error)
}

impl LossOps for Cpu {
    fn cross_entropy(
        &mut self,
        d_logits: &mut Buffer,
        logits: &Buffer,
        targets: &[f32],
        gamma: f64,
        rows: usize,
        labels: usize,
    ) {
        let (d, x) = (&mut d_logits[..rows * labels], &logits[..rows * labels]);
        self.sums.loss += match gamma {
            0.0 => cross_entropy(d, x, targets, labels),
            _ => focal_loss(d, x, targets, labels, gamma),
        };
    }

    fn binary_cross_entropy(
        &mut self,
        d_logits: &mut Buffer,
        logits: &Buffer,
        targets: &[f32],
        gamma: f64,
        rows: usize,
        labels: usize,
    ) {
        let (d, x) = (&mut d_logits[..rows * labels], &logits[..rows * labels]);
        self.sums.loss += sum_of_values(d, x, targets, |x, factors| binary_cross_entropy(x, factors, gamma));
    }

    fn squared_error(
        &mut self,
        d_outputs: &mut Buffer,
        outputs: &Buffer,
        targets: &[f32],
        rows: usize,
        columns: usize,
    ) {
        let (d, x) = (&mut d_outputs[..rows * columns], &outputs[..rows * columns]);
        self.sums.loss += sum_of_values(d, x, targets, squared_error);
    }
}

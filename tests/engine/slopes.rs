//! The engine beside differences of its own loss.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};
use taper::{
    data::Batch,
    engine::Engine,
    kernels::Activation,
    model::{DropoutPlan, FAMILIES},
};

use super::support::*;

/// −Σ targets·log softmax(logits) in float64, of the logits of the forward pass for evaluation.
fn loss(engine: &mut dyn Engine, batch: &Batch, targets: &[f32], plan: Option<DropoutPlan>) -> f64 {
    let logits = engine.logits(batch, plan).expect("logits");
    let rows = logits.iter().zip(targets.chunks_exact(logits[0].len()));
    rows.map(|(x, t)| {
        let log_sum = x.iter().map(|x| f64::from(*x).exp()).sum::<f64>().ln();
        x.iter().zip(t).map(|(x, t)| f64::from(*t) * (log_sum - f64::from(*x))).sum::<f64>()
    })
    .sum()
}

pub fn gradients_are_slopes_of_the_loss<T: Tested>() {
    for_all::<T>(8, |shape| {
        if shape.lengths.len() > 1 && shape.lengths.contains(&512) {
            return; // one row of the greatest length is enough: each parameter takes four passes
        }
        // Differences across the point where ReLU bends are no slopes.
        let bends = FAMILIES[shape.family].head.activation == Activation::Relu;
        let family = if bends { 0 } else { shape.family };
        let activation = if shape.activation == "relu" { "gelu" } else { shape.activation };
        let shape = &Shape { family, activation, ..shape.clone() };
        let mut engine = shape.explicit::<T>(&recipe());
        let batch = shape.batch();
        let got = shape.step(engine.as_mut(), std::slice::from_ref(&batch));
        let (targets, plan) = (shape.targets(std::slice::from_ref(&batch)).concat(), shape.plan());
        let want = loss(engine.as_mut(), &batch, &targets, plan);
        assert!((got - want).abs() <= 1e-6 * want.max(1.0), "loss {got}, wanted {want}");

        let start: BTreeMap<String, Tensor> =
            shape.parameters().iter().map(|(name, tensor)| (name.to_string(), tensor.clone())).collect();
        for (i, name) in (0..).zip(names(engine.as_ref())) {
            let gradient = engine.gradient(&name).expect("a gradient");
            let n = gradient.len();
            let mut direction = normal(shape.seed.wrapping_add(i), n);
            let length = direction.iter().map(|d| d * d).sum::<f64>().sqrt();
            direction.iter_mut().for_each(|d| *d /= length);
            let mut value = |step: f64| {
                let mut tensors = start.clone();
                let moved: Vec<f32> = direction.iter().map(|d| (step * d) as f32).collect();
                let before = &start[&name];
                let moved = Tensor::from_vec(moved, before.shape(), &Device::Cpu).and_then(|moved| before + moved);
                tensors.insert(name.clone(), moved.expect("a tensor"));
                engine.set_parameters(tensors).expect("parameters");
                loss(engine.as_mut(), &batch, &targets, plan)
            };
            // Products of products bend more.
            let step = if FAMILIES[shape.family].is_gated { 0.025 } else { 0.05 };
            let near = (value(step) - value(-step)) / (2.0 * step);
            let far = (value(2.0 * step) - value(-2.0 * step)) / (4.0 * step);
            let slope = (4.0 * near - far) / 3.0;
            let got: f64 = gradient.iter().zip(&direction).map(|(g, d)| f64::from(*g) * d).sum();
            let typical = (gradient.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>() / n as f64).sqrt();
            assert!(
                (got - slope).abs() <= 0.01 * typical + 3e-5,
                "slope along {name} is {got:e}, wanted {slope:e}; typical are {typical:e}"
            );
        }
    });
}

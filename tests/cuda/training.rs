//! Training beside the CPU's, and beside PyTorch's.

use taper::{
    engine::{Autograd, Engine, Explicit, Recipe},
    kernels::Cpu,
    model::{DropoutPlan, FAMILIES, ModelConfig, Parameters},
};

use candle_core::Device;

use crate::{
    engine::support::{Shape, names, recipe},
    pytorch,
    tested::Tested,
};

pub fn is_pytorchs<T: Tested>() {
    let create = |config: &ModelConfig, parameters: Parameters, recipe: &Recipe| -> pytorch::Result<Box<dyn Engine>> {
        let backend = T::backend().expect("a backend");
        Ok(Box::new(Explicit::new(backend, config, parameters, recipe)?))
    };
    for dir in
        pytorch::references().into_iter().chain(pytorch::families()).chain(pytorch::rates()).chain(pytorch::tasks())
    {
        pytorch::follows_pytorch(&dir, "CUDA", T::ROUNDING, &create).unwrap_or_else(|e| panic!("{e}"));
    }
}

/// Steps with dropout and clipping, whose sums come when the device has them.
pub fn losses_are_the_cpus<T: Tested>() {
    // Rounding errors grow with the steps, with pre-norm faster; only the first has enough steps to learn its rows.
    Shape::kinds().into_iter().zip([20, 6, 6, 6, 6, 6]).for_each(|(kind, steps)| losses_of::<T>(kind, steps));
}

fn losses_of<T: Tested>(kind: Shape, steps: u64) {
    let shape = Shape { lengths: vec![3, 17, 40, 1], ..kind };
    let recipe = Recipe { max_grad_norm: 1.0, ..recipe() };
    let tolerance = T::PRODUCTS.unwrap_or(1e-4);
    let [got, want] = [shape.explicit::<T>(&recipe), shape.explicit::<Cpu>(&recipe)].map(|mut engine| {
        let mut sums = Vec::new();
        for step in 0..steps {
            let batches = [shape.batch_of(&shape.lengths, step % 4)];
            let plan = Some(DropoutPlan { seed: 4, step });
            engine.step(&batches, &shape.targets(&batches), plan, 5e-3).expect("a step");
            sums.extend(engine.finished(false).expect("sums"));
        }
        sums.extend(engine.finished(true).expect("sums"));
        sums
    });
    assert_eq!((got.len() as u64, want.len() as u64), (steps, steps));
    for (step, (got, want)) in got.iter().zip(&want).enumerate() {
        let error = (got.loss - want.loss).abs();
        assert!(error <= tolerance * want.loss, "loss {} of step {step}, wanted {}", got.loss, want.loss);
        let error = (got.norm() - want.norm()).abs();
        assert!(error <= 2.0 * tolerance * want.norm(), "norm {} of step {step}, wanted {}", got.norm(), want.norm());
    }
    if let Some(last) = want.get(19) {
        assert!(last.loss < 0.7 * want[0].loss, "nothing is learnt: {want:?}");
    }
}

/// Products of rounded factors: gradients are those of float32 but for that, each in proportion to its norm.
pub fn rounded_products_stay_near_float32<T: Tested>() {
    Shape::kinds().into_iter().for_each(rounded_products_of::<T>);
}

fn rounded_products_of<T: Tested>(kind: Shape) {
    let shape = Shape { heads: 4, d: 8, intermediate: 96, layers: 3, lengths: vec![3, 37, 40, 1, 8], ..kind };
    let batches = [shape.batch()];
    let mut exact = Autograd::new(&shape.config(), shape.parameters(), &recipe(), &Device::Cpu).expect("an engine");
    let mut engine = shape.explicit::<T>(&recipe());
    let losses = [&mut exact as &mut dyn Engine, engine.as_mut()].map(|engine| shape.step(engine, &batches));
    let most = T::PRODUCTS.expect("rounded factors");
    // The rounding of a weight that several layers use is the same in each of them, so that its effects add up.
    let times = if FAMILIES[shape.family].keys.groups.is_some() { 3.0 } else { 2.0 };
    assert!((losses[0] - losses[1]).abs() <= most * losses[0], "{losses:?}");
    let norm = |v: &[f32]| v.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
    let mut largest = 0.0f64;
    let gradients: Vec<(String, Vec<f32>)> =
        names(&exact).into_iter().map(|name| (name.clone(), exact.gradient(&name).expect("a gradient"))).collect();
    let whole = norm(&gradients.iter().map(|(_, values)| norm(values) as f32).collect::<Vec<_>>());
    // Biases of keys have no gradient but rounding errors: they add the same to all scores of a query.
    for (name, want) in gradients.iter().filter(|(_, want)| norm(want) > 1e-6 * whole) {
        let got = engine.gradient(name).expect("a gradient");
        let apart: Vec<f32> = got.iter().zip(want).map(|(a, b)| a - b).collect();
        let error = norm(&apart) / norm(want);
        assert!(error <= times * most, "the gradient of {name} differs by {error:e} of its norm");
        largest = largest.max(error);
    }
    assert!(largest > most / 100.0, "nothing was rounded: {largest:e}");
}

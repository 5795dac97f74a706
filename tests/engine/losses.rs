//! The losses of other tasks than one label per text, and focal losses.

use taper::{
    data::Batch,
    engine::{Engine, Recipe},
    task::Loss,
};

use super::support::*;

/// Each loss with a small model of its own family, and a number of outputs.
pub fn losses() -> [(Loss, Shape); 6] {
    let of = |family, labels| Shape { family, labels, lengths: vec![3, 6, 1, 12], ..Shape::SMALL };
    let [_, modern, ..] = Shape::kinds();
    [
        (Loss::CrossEntropy { gamma: 2.0 }, of(0, 4)),
        (Loss::CrossEntropy { gamma: 0.5 }, Shape { labels: 2, lengths: vec![3, 6, 1, 12], ..modern }),
        (Loss::BinaryCrossEntropy { gamma: 0.0 }, of(5, 7)),
        (Loss::BinaryCrossEntropy { gamma: 2.0 }, of(2, 1)),
        (Loss::SquaredError, of(1, 1)),
        (Loss::SquaredError, of(0, 3)),
    ]
}

/// Random targets of the batches of one step, over one denominator.
fn targets(loss: Loss, shape: &Shape, batches: &[Batch]) -> Vec<Vec<f32>> {
    if let Loss::CrossEntropy { .. } = loss {
        return shape.targets(batches);
    }
    let count: usize = batches.iter().map(|batch| batch.targets.len() * shape.labels).sum();
    let of_one = |v: &[f64]| match loss {
        Loss::SquaredError => [v[0], 1.0 / count as f64],
        // A label that the row has, with a weight, or has not; some are unknown.
        _ if v[0] > 1.0 => [0.0, 0.0],
        _ if v[1] > 0.0 => [1.5 / count as f64, 0.0],
        _ => [0.0, 1.0 / count as f64],
    };
    let of_batch = |(seed, batch): (u64, &Batch)| {
        let random = normal(seed, 2 * batch.targets.len() * shape.labels);
        random.chunks_exact(2).flat_map(of_one).map(|v| v as f32).collect()
    };
    (shape.seed..).zip(batches).map(of_batch).collect()
}

/// Loss and gradients of a step, which stay in the engine.
pub fn step(engine: &mut dyn Engine, loss: Loss, shape: &Shape, batches: &[Batch]) -> f64 {
    engine.gradients(batches, &targets(loss, shape, batches), shape.plan()).expect("gradients")
}

pub fn other_losses_are_those_of_the_tape<T: Tested>() {
    for (loss, shape) in losses() {
        // A large epsilon: AdamW does not amplify rounding noise.
        let recipe = Recipe { loss, eps: 1e-3, max_grad_norm: 0.5, ..recipe() };
        let [mut engine, mut tape] = [shape.explicit::<T>(&recipe), shape.autograd(&recipe)];
        let names = names(engine.as_ref());
        for number in 0..5u64 {
            let batches = [shape.batch_of(&shape.lengths, number), shape.batch_of(&[5, 2], 70 + number)];
            let [got, want] = [&mut engine, &mut tape].map(|e| e.logits(&batches[0], None).expect("logits").concat());
            assert_eq!(got.len(), shape.lengths.len() * shape.labels);
            let error = difference(&got, &want);
            assert!(error <= 1e-4 * largest(&want).max(1.0), "{loss:?}: logits of step {number} differ by {error:e}");

            let [got, want] = [&mut engine, &mut tape].map(|e| step(e.as_mut(), loss, &shape, &batches));
            assert!((got - want).abs() <= tolerance::<T>() * want.max(1.0), "{loss:?}: loss {got}, wanted {want}");
            let want: Vec<Vec<f32>> = names.iter().map(|name| tape.gradient(name).expect("a gradient")).collect();
            let most = want.iter().map(|g| largest(g)).fold(0.0, f64::max);
            for (name, want) in names.iter().zip(&want) {
                let got = engine.gradient(name).expect("a gradient");
                let error = difference(&got, want) / largest(want).max(most / 100.0);
                // Later steps begin with weights that differ.
                let tolerance = if number == 0 { tolerance::<T>() } else { 10.0 * tolerance::<T>() };
                assert!(error <= tolerance, "{loss:?}: gradient of {name} in step {number} differs by {error:e}");
                // The bias of keys adds the same to all scores of a query: its gradient is rounding errors.
                assert!(largest(&got) > 0.0 || name.contains("key.bias"), "{loss:?}: {name} has no gradient");
            }
            for engine in [&mut engine, &mut tape] {
                engine.update(0.02 / (1.0 + number as f64)).expect("an update");
            }
            for (got, want) in engine.parameters().iter().zip(tape.parameters()) {
                let error = difference(&got.values().expect("values"), &want.values().expect("values"));
                assert!(error <= 2e-5, "{loss:?}: {} differs by {error:e} after {} updates", got.name, number + 1);
            }
        }
    }
}

/// A step cut into parts is the whole step but for rounding.
pub fn other_losses_of_a_step_in_parts_are_those_of_the_whole<T: Tested>() {
    for (loss, shape) in losses() {
        let recipe = Recipe { loss, ..recipe() };
        let (mut once, mut twice) = (shape.explicit::<T>(&recipe), shape.explicit::<T>(&recipe));
        let batches = [shape.batch_of(&shape.lengths, 1), shape.batch_of(&[5, 2], 2)];
        let targets = targets(loss, &shape, &batches);
        let whole = once.gradients(&batches, &targets, None).expect("gradients");
        let parts: f64 =
            (0..2).map(|i| twice.gradients(&batches[i..=i], &targets[i..=i], None).expect("gradients")).sum();
        assert!((whole - parts).abs() <= 1e-12 * whole, "{loss:?}: {whole} and {parts}");
    }
}

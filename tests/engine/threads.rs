//! The CPU's engine with other numbers of threads.

use taper::{engine::Recipe, kernels::Cpu, task::Loss};

use crate::engine::{losses, support::*};

/// A batch that is worth cutting: thousands of tokens and more words and numbers than one task takes.
fn large(kind: Shape) -> Shape {
    let lengths = (0..120).map(|i| 1 + i * 37 % 61).collect();
    Shape { heads: 3, d: 13, intermediate: 301, lengths, ..kind }
}

#[test]
fn no_number_of_threads_changes_a_bit() {
    Shape::kinds().into_iter().map(large).for_each(|shape| each_number_of_threads(&shape, Loss::default()));
}

#[test]
fn no_number_of_threads_changes_a_bit_of_other_losses() {
    losses::losses().into_iter().for_each(|(loss, shape)| each_number_of_threads(&large(shape), loss));
}

fn each_number_of_threads(shape: &Shape, loss: Loss) {
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        pool.install(|| {
            let mut engine = shape.explicit::<Cpu>(&Recipe { loss, max_grad_norm: 0.5, ..recipe() });
            let mut results = Vec::new();
            for step in 0..2 {
                let batch = shape.batch_of(&shape.lengths, step);
                let sum = losses::step(engine.as_mut(), loss, shape, std::slice::from_ref(&batch));
                results.push(sum.to_le_bytes().to_vec());
                let norm = engine.norm().expect("a norm");
                results.extend([norm.to_le_bytes().to_vec(), gradients(engine.as_ref())]);
                engine.update(1e-2).expect("an update");
                results.extend([state(engine.as_ref()), logits(engine.as_mut(), &batch)]);
            }
            results
        })
    };
    let tokens: usize = shape.lengths.iter().sum();
    assert!(tokens > 3000, "{tokens} tokens are not cut into many tasks");
    let one = run(1);
    for threads in [2, 3, 5] {
        assert!(run(threads) == one, "{threads} threads give another step than one");
    }
}

//! What a training step asks of a device, which only the emulated one tells.

use taper::{
    engine::{Engine, Explicit, Recipe},
    kernels::cuda::{Cuda, Factors},
    model::DropoutPlan,
};

use crate::{
    backends::emulated,
    emulated::{Counts, Emulated, Order},
    engine::{
        losses,
        support::{Shape, gradients, logits, recipe, state},
    },
};

fn shapes() -> [Shape; 6] {
    Shape::kinds().map(|shape| Shape { lengths: vec![3, 70, 1, 33, 8], ..shape })
}

fn shape() -> Shape {
    let [bert, ..] = shapes();
    bert
}

fn engine(shape: &Shape, device: &Emulated, factors: Factors) -> Explicit<Cuda<Emulated>> {
    let backend = Cuda::new(device.clone(), factors).expect("a backend");
    Explicit::new(backend, &shape.config(), shape.parameters(), &recipe()).expect("an engine")
}

fn step(shape: &Shape, engine: &mut dyn Engine, step: u64) {
    let batches = [shape.batch_of(&shape.lengths, step)];
    let plan = Some(DropoutPlan { seed: 4, step });
    engine.step(&batches, &shape.targets(&batches), plan, 5e-3).expect("a step");
}

/// Whatever depends on the order of threads or blocks lacks a barrier, or writes where another reads.
#[test]
fn no_order_of_threads_changes_a_bit() {
    for (shape, factors) in shapes().into_iter().flat_map(|s| [Factors::F32, Factors::Bf16].map(|f| (s.clone(), f))) {
        let results = [Order::Forward, Order::Backward, Order::Shuffled(1), Order::Shuffled(2)].map(|order| {
            let mut engine = engine(&shape, &emulated()?.in_order(order), factors);
            step(&shape, &mut engine, 0);
            step(&shape, &mut engine, 1);
            let sums = engine
                .finished(true)
                .expect("sums")
                .iter()
                .map(|s| (s.loss.to_bits(), s.squares.to_bits()))
                .collect::<Vec<_>>();
            let gradients = gradients(&engine);
            Some((sums, gradients, state(&engine), logits(&mut engine, &shape.batch())))
        });
        assert!(results.iter().all(|other| *other == results[0]), "{factors:?}: another order gives other bytes");
    }
}

#[test]
fn no_order_of_threads_changes_a_bit_of_other_losses() {
    for (loss, shape) in losses::losses() {
        // More rows than threads of a block.
        let batch = shape.batch_of(&[1; 300], 1);
        let results = [Order::Forward, Order::Backward, Order::Shuffled(1)].map(|order| {
            let backend = Cuda::new(emulated()?.in_order(order), Factors::F32).expect("a backend");
            let recipe = Recipe { loss, ..recipe() };
            let mut engine = Explicit::new(backend, &shape.config(), shape.parameters(), &recipe).expect("an engine");
            let sum = losses::step(&mut engine, loss, &shape, std::slice::from_ref(&batch));
            Some((sum.to_bits(), gradients(&engine)))
        });
        assert!(results.iter().all(|other| *other == results[0]), "{loss:?}: another order gives other bytes");
    }
}

#[test]
fn a_step_takes_no_memory_and_waits_for_nothing() {
    for (shape, factors) in shapes().into_iter().flat_map(|s| [Factors::F32, Factors::Bf16].map(|f| (s.clone(), f))) {
        let Some(device) = emulated() else { return };
        let mut engine = engine(&shape, &device, factors);
        step(&shape, &mut engine, 0);
        // The words of another batch are others, and so may be the room that their gradients take.
        step(&shape, &mut engine, 1);
        let mut finished = 0;
        let before = device.take_counts();
        assert!(before.allocations > 0 && before.launches > 0, "{before:?}");
        for i in 0..3 {
            step(&shape, &mut engine, i);
            finished += engine.finished(false).expect("sums").len();
            let counts = device.take_counts();
            assert_eq!((counts.allocations, counts.downloads), (0, 0), "{factors:?}: {counts:?}");
        }
        assert_eq!(finished + engine.finished(true).expect("sums").len(), 5);
        drop(engine);
        assert_eq!(device.used(), 0, "{factors:?}: memory was not given back");
    }
}

/// Wherever memory ends, that is an error and no panic, and what was taken is given back.
#[test]
fn no_memory_is_an_error() {
    let Some(device) = emulated() else { return };
    let mut whole = engine(&shape(), &device, Factors::Bf16);
    step(&shape(), &mut whole, 0);
    let needed = device.used();
    drop(whole);
    for share in 0..8 {
        let device = emulated().expect("a device").with_memory(needed * share / 8);
        let run = || -> Result<(), Box<dyn std::error::Error>> {
            let backend = Cuda::new(device.clone(), Factors::Bf16)?;
            let mut engine = Explicit::new(backend, &shape().config(), shape().parameters(), &recipe())?;
            let batches = [shape().batch()];
            engine.step(&batches, &shape().targets(&batches), shape().plan(), 1e-3)?;
            Ok(())
        };
        let error = run().expect_err("no memory").to_string();
        assert!(error.contains("out of memory on cuda:0"), "{share}/8: {error}");
        assert_eq!(device.used(), 0, "{share}/8: memory was not given back");
        assert_ne!(device.take_counts(), Counts::default());
    }
}

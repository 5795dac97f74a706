//! The estimate of a GPU run's memory against what the engine allocates on the device.

use taper::{
    engine::{Engine, Explicit, MemorySpace, Workload, memory_bytes},
    kernels::cuda::{Cuda, Factors},
    model::FAMILIES,
    plan::Precision,
};

use crate::{
    backends::emulated,
    engine::support::{Shape, VOCAB, recipe},
};

#[test]
fn the_estimate_is_what_is_allocated() {
    let of =
        |shape: Shape| Shape { layers: 3, heads: 4, d: 12, intermediate: 192, lengths: vec![150, 60, 10], ..shape };
    let families = (0..FAMILIES.len()).map(|family| Shape { family, ..Shape::SMALL });
    let shapes: Vec<Shape> = families.chain(Shape::kinds()).map(of).collect();
    let precisions = [
        (Factors::F32, Precision::Fp32, 1.0),
        (Factors::Tf32, Precision::Tf32, 1.0),
        (Factors::Bf16, Precision::Bf16, 0.75),
    ];
    for (shape, (factors, precision, least)) in shapes.iter().flat_map(|shape| precisions.map(|p| (shape, p))) {
        let Some(device) = emulated() else { return };
        let backend = Cuda::new(device.clone(), factors).expect("a backend");
        let mut engine = Explicit::new(backend, &shape.config(), shape.parameters(), &recipe()).expect("an engine");
        let batches = [shape.batch()];
        let mut words = batches[0].ids.clone();
        words.sort_unstable();
        words.dedup();
        engine.step(&batches, &shape.targets(&batches), shape.plan(), 1e-3).expect("a step");
        let used = device.used() as u64;
        let load = Workload { tokens: 220, rows: 3, step_words: words.len(), words: VOCAB, measured: (0, 0), held: 0 };
        let estimate = memory_bytes(&shape.config(), shape.labels, precision, MemorySpace::Gpu, &load);
        let share = used as f64 / estimate as f64;
        // In bf16 not every buffer has a copy; the estimate counts one for each.
        assert!(
            (least..=1.0).contains(&share),
            "{shape:?}, {precision:?}: {used} bytes are allocated, {estimate} estimated"
        );
    }
}

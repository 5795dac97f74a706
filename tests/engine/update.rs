//! Updates: the optimizer, what is frozen, and what a state holds.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};
use taper::{
    engine::{Engine, Recipe},
    model::FAMILIES,
    plan::Rates,
};

use super::support::*;

/// Clipping, decay of some parameters only, and the moments' corrections, over several updates with other words in each.
pub fn updates_are_those_of_the_reference<T: Tested>() {
    // A large epsilon: AdamW does not amplify rounding noise.
    let base = Recipe { eps: 1e-3, weight_decay: 0.2, ..recipe() };
    let no_decay = vec!["bias".to_string(), "LayerNorm".to_string()];
    let recipes = [
        Recipe { max_grad_norm: 0.1, no_decay, ..base.clone() },
        Recipe { betas: (0.5, 0.8), max_grad_norm: 100.0, no_decay: vec!["word".into()], ..base.clone() },
        Recipe { weight_decay: 0.0, ..base.clone() },
        Recipe { freeze: vec!["embeddings.word_embeddings".into(), "encoder.layer.0".into()], ..base.clone() },
        Recipe { rates: Rates::new(1.0, Some(0.5), Some(0.7)), ..base.clone() },
        Recipe { rates: Rates::new(1.0, Some(0.5), Some(0.7)), max_grad_norm: 0.1, ..base.clone() },
        Recipe { rates: Rates::new(1.0, Some(0.5), Some(0.7)), freeze: vec!["encoder.LayerNorm".into()], ..base },
    ];
    // ELECTRA, DistilBERT, RoBERTa, ERNIE, ELECTRA, ALBERT, DeBERTa.
    let families = [6, 5, 2, 1, 6].map(|family| Shape { family, ..Shape::SMALL });
    let [.., deberta] = Shape::kinds();
    let deep = [Shape::albert(), deberta].map(|shape| Shape { layers: 3, ..shape });
    for (recipe, shape) in recipes.into_iter().zip(families.into_iter().chain(deep)) {
        let [mut engine, mut tape] = [shape.explicit::<T>(&recipe), shape.autograd(&recipe)];
        for step in 0..6u64 {
            let batch = shape.batch_of(&[3, 6, 1], step);
            for engine in [&mut engine, &mut tape] {
                shape.step(engine.as_mut(), std::slice::from_ref(&batch));
                engine.update(0.02 / (1.0 + step as f64)).expect("an update");
            }
            for (got, want) in engine.parameters().iter().zip(tape.parameters()) {
                assert_eq!(got.name, want.name);
                let error = difference(&got.values().expect("values"), &want.values().expect("values"));
                assert!(error <= 2e-5, "{} differs by {error:e} after {} updates", got.name, step + 1);
            }
            let [got, want] = [&mut engine, &mut tape].map(|e| e.scores(&batch).expect("logits").concat());
            let error = difference(&got, &want);
            assert!(error <= 1e-4, "logits differ by {error:e} after {} updates", step + 1);
        }
    }
}

/// Whatever is frozen, the others' gradients are bit for bit those of a model in which nothing is: each parameter alone, then
/// random halves.
pub fn any_parameters_can_be_trained_without_the_others<T: Tested>() {
    let families = (0..FAMILIES.len()).map(|family| Shape { family, ..Shape::SMALL });
    let kinds =
        Shape::kinds().into_iter().flat_map(|shape| (1..=3).map(move |layers| Shape { layers, ..shape.clone() }));
    for shape in families.chain(kinds) {
        each_alone_then_halves::<T>(&Shape { lengths: vec![3, 6, 1], ..shape });
    }
}

fn each_alone_then_halves<T: Tested>(shape: &Shape) {
    let prefix = FAMILIES[shape.family].naming.prefix;
    let batch = shape.batch();
    let mut all = shape.explicit::<T>(&recipe());
    shape.step(all.as_mut(), std::slice::from_ref(&batch));
    let everything = names(all.as_ref());
    let halves = (0..8).map(|seed| {
        let random = normal(seed, everything.len());
        everything.iter().zip(random).filter(|(_, v)| *v > 0.0).map(|(name, _)| name.clone()).collect()
    });
    let subsets = everything.iter().map(|name| vec![name.clone()]).chain(halves).collect::<Vec<Vec<String>>>();
    for trained in subsets {
        let bare = |name: &String| name.strip_prefix(prefix).unwrap_or(name).to_string();
        let freeze = everything.iter().filter(|name| !trained.contains(name)).map(bare).collect();
        let mut some = shape.explicit::<T>(&Recipe { freeze, ..recipe() });
        assert_eq!(names(some.as_ref()), trained);
        shape.step(some.as_mut(), std::slice::from_ref(&batch));
        let (mut squares, mut count) = (0.0, 0);
        for name in &trained {
            let (got, want) = (some.gradient(name).expect("a gradient"), all.gradient(name).expect("a gradient"));
            assert!(got == want, "{name} of {trained:?} has another gradient");
            squares += got.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>();
            count += got.len() as u64;
        }
        assert_eq!(some.trainable(), count);
        let norm = some.norm().expect("a norm");
        assert!((norm - squares.sqrt()).abs() <= 1e-9 * norm, "{norm} is not the norm of {trained:?}");
        some.update(1e-2).expect("an update");
        let before = shape.parameters();
        for tensor in some.parameters() {
            let old = before.get(&tensor.name).flatten_all().and_then(|t| t.to_vec1::<f32>()).expect("numbers");
            assert_eq!(*tensor.values().expect("values") != *old, trained.contains(&tensor.name), "{}", tensor.name);
        }
    }
}

fn train(shape: &Shape, engine: &mut dyn Engine, steps: std::ops::Range<u64>) {
    for step in steps {
        shape.step(engine, &[shape.batch_of(&[3, 6, 1], step)]);
        engine.update(0.02).expect("an update");
    }
}

/// The tensors of a state by name.
fn tensors(engine: &dyn Engine) -> BTreeMap<String, Tensor> {
    let tensor = |t: &taper::model::Named| {
        Tensor::from_slice(&t.values().expect("values"), t.shape(), &Device::Cpu).expect("a tensor")
    };
    engine.state().1.iter().map(|t| (t.name.clone(), tensor(t))).collect()
}

/// Of what the engine did before, a state that is restored leaves nothing: words touched, decay, moments, updates.
pub fn a_used_engine_goes_on_from_a_state_bit_for_bit<T: Tested>() {
    let shape = Shape::SMALL;
    let one = Recipe { weight_decay: 0.3, ..recipe() };
    let several = Recipe { rates: Rates::new(1.0, Some(0.3), Some(0.5)), ..one.clone() };
    for (create, recipe) in
        [(Shape::explicit::<T> as fn(&_, &_) -> _, &one), (Shape::explicit::<T>, &several), (Shape::autograd, &several)]
    {
        let [mut first, mut second] = [create(&shape, recipe), create(&shape, recipe)];
        train(&shape, first.as_mut(), 0..3);
        train(&shape, second.as_mut(), 20..22);
        second.restore(&first.state().0, tensors(first.as_ref())).expect("a state");
        assert_eq!(second.state().0, first.state().0);
        for engine in [&mut first, &mut second] {
            train(&shape, engine.as_mut(), 3..6);
        }
        assert_eq!(second.state().0, first.state().0);
        assert!(state(second.as_ref()) == state(first.as_ref()));
        let batch = shape.batch_of(&[30; 4], 9);
        assert!(logits(second.as_mut(), &batch) == logits(first.as_mut(), &batch));
    }
}

/// Parameters that are set are exact: no postponed weight decay of embedding rows applies to them.
pub fn parameters_that_are_set_are_those_that_are_read<T: Tested>() {
    let (shape, recipe) = (Shape::SMALL, Recipe { weight_decay: 0.3, ..recipe() });
    let batch = shape.batch_of(&[30; 4], 9);
    for create in [Shape::explicit::<T>, Shape::autograd] {
        let [mut new, mut trained] = [create(&shape, &recipe), create(&shape, &recipe)];
        train(&shape, trained.as_mut(), 0..3);
        assert!(logits(trained.as_mut(), &batch) != logits(new.as_mut(), &batch));
        let start = shape.parameters().iter().map(|(name, t)| (name.to_string(), t.clone())).collect();
        trained.set_parameters(start).expect("parameters");
        let values =
            |engine: &dyn Engine| bytes(engine.parameters().iter().map(|t| t.values().expect("values").into_owned()));
        assert!(values(trained.as_ref()) == values(new.as_ref()));
        assert!(logits(trained.as_mut(), &batch) == logits(new.as_mut(), &batch));
    }
}

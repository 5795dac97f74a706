//! The engine beside itself: used before, evaluated in between, and with a step in parts.

use taper::{
    data::Batch,
    engine::{Engine, Recipe},
};

use super::support::*;

/// What earlier and larger batches left in the buffers is of no consequence.
pub fn an_engine_that_was_used_computes_the_same_step_as_a_new_one<T: Tested>() {
    for (layers, kind) in (1..=3).flat_map(|layers| Shape::kinds().map(|kind| (layers, kind))) {
        let shape = Shape { layers, ..kind };
        let small = shape.batch_of(&[4, 1, 9], 1);
        let [few_long, many_short] = [shape.batch_of(&[70, 50], 2), shape.batch_of(&[1; 30], 3)];
        let mut new = shape.explicit::<T>(&recipe());
        let want_logits = logits(new.as_mut(), &small);
        let want = shape.step(new.as_mut(), std::slice::from_ref(&small));

        // More rows but fewer tokens, then more tokens but fewer rows: buffers are large enough for both, and no larger than needed.
        for earlier in [&few_long, &many_short] {
            let mut grown = shape.explicit::<T>(&recipe());
            logits(grown.as_mut(), earlier);
            assert!(logits(grown.as_mut(), &small) == want_logits, "{layers} layers: other logits");
            assert_eq!(shape.step(grown.as_mut(), std::slice::from_ref(&small)), want, "{layers} layers");
            assert!(gradients(grown.as_ref()) == gradients(new.as_ref()), "{layers} layers: other gradients");
        }

        let mut used = shape.explicit::<T>(&recipe());
        for earlier in [&few_long, &many_short, &small] {
            logits(used.as_mut(), earlier);
            // Two parts: gradients that are not written afresh in the next step would be left over.
            let parts = [earlier.clone(), many_short.clone()];
            shape.step(used.as_mut(), &parts);
        }
        assert!(logits(used.as_mut(), &small) == want_logits, "{layers} layers: other logits");
        assert_eq!(shape.step(used.as_mut(), std::slice::from_ref(&small)), want, "{layers} layers");
        assert!(gradients(used.as_ref()) == gradients(new.as_ref()), "{layers} layers: other gradients");
        for engine in [&mut new, &mut used] {
            engine.update(1e-2).expect("an update");
        }
        assert!(state(used.as_ref()) == state(new.as_ref()), "{layers} layers: another update");
        assert!(logits(used.as_mut(), &many_short) == logits(new.as_mut(), &many_short), "{layers} layers");
    }
}

/// Creates an engine.
type Create = fn(&Shape, &Recipe) -> Box<dyn Engine>;

/// Gradients stay where they are while batches of any size are evaluated.
pub fn an_evaluation_between_gradients_and_update_changes_nothing<T: Tested>() {
    let creates: [Create; 2] = [Shape::explicit::<T>, Shape::autograd];
    for (shape, create) in Shape::kinds().into_iter().flat_map(|shape| creates.map(|create| (shape.clone(), create))) {
        let batch = shape.batch_of(&[4, 1, 9], 1);
        let others = [shape.batch_of(&[2], 2), shape.batch_of(&[90, 1, 33], 3), shape.batch_of(&[1; 50], 4)];
        let [mut plain, mut evaluated] = [create(&shape, &recipe()), create(&shape, &recipe())];
        for _ in 0..2 {
            for engine in [&mut plain, &mut evaluated] {
                shape.step(engine.as_mut(), std::slice::from_ref(&batch));
            }
            for other in &others {
                logits(evaluated.as_mut(), other);
            }
            assert!(gradients(plain.as_ref()) == gradients(evaluated.as_ref()), "other gradients");
            let norms = [&mut plain, &mut evaluated].map(|engine| engine.norm().expect("a norm"));
            assert_eq!(norms[0], norms[1]);
            logits(evaluated.as_mut(), &others[1]);
            for engine in [&mut plain, &mut evaluated] {
                engine.update(1e-2).expect("an update");
            }
            assert!(state(plain.as_ref()) == state(evaluated.as_ref()), "another update");
        }
    }
}

/// A step cut into parts, dropout included, is the whole step but for rounding.
pub fn a_step_in_parts_is_the_whole_step<T: Tested>() {
    for_all::<T>(16, |shape| {
        let whole = shape.batch();
        let rows = whole.targets.len();
        let mut engine = shape.explicit::<T>(&recipe());
        let want = shape.step(engine.as_mut(), std::slice::from_ref(&whole));
        let names = names(engine.as_ref());
        let want_gradients: Vec<Vec<f32>> = names.iter().map(|n| engine.gradient(n).expect("a gradient")).collect();
        let most = want_gradients.iter().map(|g| largest(g)).fold(0.0, f64::max);
        for size in [1, rows.div_ceil(2), rows.div_ceil(3)] {
            let parts: Vec<Batch> = (0..rows)
                .step_by(size)
                .map(|from| {
                    let to = (from + size).min(rows);
                    let row = |i: usize| whole.ids[whole.offsets[i] as usize..whole.offsets[i + 1] as usize].to_vec();
                    let part = Batch::of_texts(&(from..to).map(row).collect::<Vec<_>>());
                    let tokens = whole.offsets[from] as usize..whole.offsets[to] as usize;
                    let part = part.at_offset(from, tokens.start);
                    let token_types = whole.token_types[tokens].to_vec();
                    Batch { targets: whole.targets[from..to].to_vec(), token_types, ..part }
                })
                .collect();
            let got = shape.step(engine.as_mut(), &parts);
            assert!((got - want).abs() <= 1e-6 * want.max(1.0), "loss {got}, wanted {want}");
            for (name, want) in names.iter().zip(&want_gradients) {
                let error = difference(&engine.gradient(name).expect("a gradient"), want);
                let error = error / largest(want).max(most / 100.0);
                assert!(error <= tolerance::<T>(), "{} parts: gradient of {name} differs by {error:e}", parts.len());
            }
        }
    });
}

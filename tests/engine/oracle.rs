//! The engine beside candle's tape.

use super::support::*;

pub fn loss_logits_and_every_gradient_are_those_of_the_tape<T: Tested>() {
    for_all::<T>(32, |shape| {
        let [mut engine, mut tape] = [shape.explicit::<T>(&recipe()), shape.autograd(&recipe())];
        let batch = shape.batch();
        for plan in [None, shape.plan()] {
            let [got, want] = [&mut engine, &mut tape].map(|e| e.logits(&batch, plan).expect("logits").concat());
            let error = difference(&got, &want);
            assert!(error <= tolerance::<T>() * largest(&want).max(1.0), "logits differ by {error:e}");
        }
        let batches = std::slice::from_ref(&batch);
        let [got, want] = [&mut engine, &mut tape].map(|e| shape.step(e.as_mut(), batches));
        assert!((got - want).abs() <= tolerance::<T>() * want.max(1.0), "loss {got}, wanted {want}");
        let names = names(engine.as_ref());
        let want: Vec<Vec<f32>> = names.iter().map(|name| tape.gradient(name).expect("a gradient")).collect();
        let most = want.iter().map(|g| largest(g)).fold(0.0, f64::max);
        for (name, want) in names.iter().zip(&want) {
            let error = difference(&engine.gradient(name).expect("a gradient"), want);
            let error = error / largest(want).max(most / 100.0);
            assert!(error <= tolerance::<T>(), "gradient of {name} differs by {error:e} of the largest");
        }
        let [got, want] = [&mut engine, &mut tape].map(|e| e.norm().expect("a norm"));
        assert!((got - want).abs() <= tolerance::<T>() * want, "norm {got}, wanted {want}");
    });
}

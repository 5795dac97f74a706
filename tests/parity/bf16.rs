//! Products in bfloat16 against float32.

use super::*;

/// Logits before, gradients by name, and the loss after some steps.
type Trained = (Vec<f32>, Vec<(String, Vec<f32>)>, f64);

/// Products of bfloat16 factors: gradients and steps are those of float32 but for the factors' rounding (8 bits), with the
/// same bytes for every number of threads.
#[test]
fn bf16_products_stay_near_float32() -> Result<()> {
    let Some(cpu) = Cpu::bf16() else {
        eprintln!("skipped: no bf16 products on this processor");
        return Ok(());
    };
    drop(cpu);
    let config = tiny();
    let rows: Vec<Vec<u32>> = (0..40u32)
        .map(|i| [2].into_iter().chain((0..3 + i % 17).map(|j| 5 + (7 * i + j) % 44)).chain([3]).collect())
        .collect();
    let labels: Vec<u32> = (0..40).map(|i| i % 3).collect();
    let data = [batch(&rows, &labels)];
    let plan = Some(DropoutPlan { seed: 3, step: 1 });
    let train = |threads: usize| -> Result<Trained> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
        let result = pool.install(|| -> std::result::Result<_, String> {
            let run = || -> Result<_> {
                let cpu = Cpu::bf16().expect("bf16 products");
                let mut engine = Explicit::new(cpu, &config, Parameters::fresh(&config, 3, 5)?, &recipe())?;
                let logits = engine.scores(&data[0])?.concat();
                backward(&mut engine, &data, 3, plan)?;
                let gradients = names(&engine).into_iter().map(|n| Ok((n.clone(), engine.gradient(&n)?)));
                let gradients = gradients.collect::<Result<Vec<_>>>()?;
                let mut loss = 0.0;
                for step in 1..=10 {
                    loss = backward(&mut engine, &data, 3, Some(DropoutPlan { seed: 3, step }))?;
                    engine.update(1e-3)?;
                }
                Ok((logits, gradients, loss))
            };
            run().map_err(|e| e.to_string())
        });
        Ok(result?)
    };
    let (logits, gradients, loss) = train(1)?;
    for threads in [2, 3] {
        let other = train(threads)?;
        assert!(logits == other.0 && gradients == other.1 && loss == other.2, "{threads} threads give other bytes");
    }
    let mut exact = fresh(Kind::Explicit, &config, &[])?;
    let error = difference(&logits, &exact.scores(&data[0])?.concat());
    assert!(error > 1e-7 && error < 5e-3, "logits differ by {error:e}");
    backward(exact.as_mut(), &data, 3, plan)?;
    let norm = |v: &[f32]| v.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
    for (name, got) in gradients.iter().filter(|(name, _)| !name.ends_with("key.bias")) {
        let want = exact.gradient(name)?;
        let apart: Vec<f32> = got.iter().zip(&want).map(|(a, b)| a - b).collect();
        let error = norm(&apart) / norm(&want);
        assert!(error < 0.02, "the gradient of {name} differs by {error:e} of its norm");
    }
    let mut want = 0.0;
    for step in 1..=10 {
        want = backward(exact.as_mut(), &data, 3, Some(DropoutPlan { seed: 3, step }))?;
        exact.update(1e-3)?;
    }
    assert!((loss - want).abs() < 5e-3, "the loss after ten steps is {loss}, in float32 {want}");
    Ok(())
}

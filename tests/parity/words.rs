//! The sparse gradient of the words against the dense update.

use super::*;

/// Words that are in no batch: the explicit engine leaves them alone until they are read.
#[test]
fn words_without_a_gradient_decay_as_the_dense_update_does() -> Result<()> {
    // A large epsilon: AdamW does not amplify rounding noise.
    let recipe = Recipe { weight_decay: 0.3, max_grad_norm: 0.5, eps: 1e-3, ..recipe() };
    let config = tiny();
    let create = |kind: Kind| kind.engine(&config, Parameters::fresh(&config, 3, 5)?, &recipe);
    let [mut sparse, mut dense] = [create(Kind::Explicit)?, create(Kind::Autograd)?];
    let word = "bert.embeddings.word_embeddings.weight";
    // Words 40 to 43 occur late, once, and not again; 44 to 49 never.
    let other = batch(&[vec![2, 40, 41, 3], vec![2, 42, 43, 3]], &[1, 0]);
    for step in 0..30u64 {
        let batch = if step == 20 { other.clone() } else { sample() };
        for engine in [&mut sparse, &mut dense] {
            backward(engine.as_mut(), std::slice::from_ref(&batch), 3, Some(DropoutPlan { seed: 1, step }))?;
            engine.update(1e-2)?;
        }
        if step == 10 {
            // A resumed engine continues bit for bit.
            let mut resumed = create(Kind::Explicit)?;
            {
                let (state, tensors) = sparse.state();
                let tensors = tensors.iter().map(|t| {
                    Ok((t.name.clone(), Tensor::from_slice(&t.values().expect("values"), t.shape(), &Device::Cpu)?))
                });
                resumed.restore(&state, tensors.collect::<Result<_>>()?)?;
            }
            sparse = resumed;
        }
    }
    let table = |engine: &dyn Engine| -> Vec<f32> {
        engine
            .parameters()
            .iter()
            .find(|t| t.name == word)
            .map(|t| t.values().expect("values").into_owned())
            .expect("the words")
    };
    let (got, want) = (table(sparse.as_ref()), table(dense.as_ref()));
    let fresh = numbers(&Parameters::fresh(&config, 3, 5)?.get(word));
    let width = config.hidden_size;
    for row in 0..50 {
        let part = row * width..(row + 1) * width;
        let error = difference(&got[part.clone()], &want[part.clone()]);
        // Rounding of the parameters' other gradients reaches words that occur; the others see weight decay alone.
        let most = if row >= 44 { 1e-7 } else { 2e-5 };
        assert!(error < most, "word {row} differs by {error:e}");
        let changed = difference(&got[part.clone()], &fresh[part]);
        assert!(changed > 1e-3 || row == config.pad_token_id, "word {row} did not decay");
    }
    // What is read in between is the decayed table too.
    let unseen = batch(&[vec![2, 45, 46, 3]], &[0]);
    let error = difference(&sparse.scores(&unseen)?.concat(), &dense.scores(&unseen)?.concat());
    assert!(error < 3e-4, "scores of words that never occurred differ by {error:e}");
    Ok(())
}

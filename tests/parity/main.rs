//! The model and the optimizer against PyTorch's numbers for tiny classifiers of each family, loss and learning rate, and the gradient
//! that every parameter must get.

#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

mod bf16;
mod clothes;
mod pytorch;
mod sites;
mod words;

use std::{collections::HashMap, path::PathBuf};

use candle_core::{Device, Tensor};
use taper::{
    data::Batch,
    engine::{Autograd, Engine, Explicit, Recipe},
    kernels::Cpu,
    model::{DropoutPlan, ModelConfig, Parameters},
    task::{Target, Task},
};

use pytorch::*;

/// The engines, each against the same numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Explicit,
    Autograd,
}

const KINDS: [Kind; 2] = [Kind::Explicit, Kind::Autograd];

impl Kind {
    fn engine(self, config: &ModelConfig, parameters: Parameters, recipe: &Recipe) -> Result<Box<dyn Engine>> {
        Ok(match self {
            Self::Explicit => Box::new(Explicit::new(Cpu::default(), config, parameters, recipe)?),
            Self::Autograd => Box::new(Autograd::new(config, parameters, recipe, &Device::Cpu)?),
        })
    }
}

fn batch(rows: &[Vec<u32>], labels: &[u32]) -> Batch {
    Batch { targets: labels.iter().map(|&label| Target::Label(label)).collect(), ..Batch::of_texts(rows) }
}

/// Cross-entropy of one or more batches of a step, `rows` in all, and its gradients, which stay in the engine.
fn backward(engine: &mut dyn Engine, batches: &[Batch], labels: usize, plan: Option<DropoutPlan>) -> Result<f64> {
    minimise(engine, &Task::SingleLabel.objective(0.0, None, 0.0), batches, labels, plan)
}

/// Both engines against the numbers in each of these folders.
fn both_follow_pytorch(folders: Vec<PathBuf>) -> Result<()> {
    for dir in folders {
        for kind in KINDS {
            let create = |config: &ModelConfig, parameters, recipe: &Recipe| kind.engine(config, parameters, recipe);
            let name = format!("{} with {kind:?}", dir.file_name().expect("a name").display());
            follows_pytorch(&dir, &name, 1.0, &create)?;
        }
    }
    Ok(())
}

#[test]
fn logits_loss_gradients_and_adamw_steps_are_pytorchs() -> Result<()> {
    let references = references();
    assert!(!references.is_empty());
    both_follow_pytorch(references)
}

/// Of every family, and of BERT with other activations, from one to four token types and other numbers of positions.
#[test]
fn models_of_each_family_are_pytorchs() -> Result<()> {
    let references = families();
    assert_eq!(references.len(), 24);
    both_follow_pytorch(references)
}

/// AdamW's parameter groups: the head, each layer and the embeddings at their own learning rates, which follow a schedule, with weight
/// decay in proportion, also of words that never occur.
#[test]
fn learning_rates_of_layers_and_head_are_pytorchs() -> Result<()> {
    both_follow_pytorch(rates())
}

/// Several labels and numbers, with weights, and the focal losses of both kinds of labels.
#[test]
fn losses_of_each_problem_type_are_pytorchs() -> Result<()> {
    let references = tasks();
    assert_eq!(references.len(), 8);
    both_follow_pytorch(references)
}

/// With pairs both token types are learnt, each from the tokens that have it; with single texts the first alone.
#[test]
fn both_token_types_get_a_gradient_from_pairs() -> Result<()> {
    let types = "bert.embeddings.token_type_embeddings.weight";
    for kind in KINDS {
        let width = tiny().hidden_size;
        let gradient = |batch: Batch| -> Result<[f64; 2]> {
            let mut engine = fresh(kind, &tiny(), &[])?;
            backward(engine.as_mut(), &[batch], 3, None)?;
            let rows = engine.gradient(types)?;
            assert_eq!(rows.len(), 2 * width);
            Ok([0, 1].map(|row| difference(&rows[row * width..][..width], &vec![0.0; width])))
        };
        let pairs: [(&[u32], &[u32]); 3] = [
            (&[2, 7, 8, 3, 9, 10, 3], &[0, 0, 0, 0, 1, 1, 1]),
            (&[2, 11, 3, 12, 3], &[0, 0, 0, 1, 1]),
            (&[2, 13, 3, 14, 15, 3], &[0, 0, 0, 1, 1, 1]),
        ];
        let batch = Batch { targets: sample().targets, ..Batch::of_tokens(&pairs) };
        let [first, second] = gradient(batch)?;
        assert!(first > 1e-5 && second > 1e-5, "{kind:?}: {first:e} and {second:e}");
        let [first, second] = gradient(sample())?;
        assert!(first > 1e-5 && second == 0.0, "{kind:?}: {first:e} and {second:e}");
    }
    Ok(())
}

fn tiny() -> ModelConfig {
    let mut config = ModelConfig::preset(taper::source::Preset::Tiny);
    config.vocab_size = 50;
    config
}

fn fresh(kind: Kind, config: &ModelConfig, freeze: &[&str]) -> Result<Box<dyn Engine>> {
    let freeze: Vec<String> = freeze.iter().map(|s| s.to_string()).collect();
    kind.engine(config, Parameters::fresh(config, 3, 5)?, &Recipe { freeze, ..recipe() })
}

fn sample() -> Batch {
    batch(&[vec![2, 7, 8, 9, 10, 3], vec![2, 11, 3], vec![2, 12, 13, 14, 3]], &[0, 2, 1])
}

/// An ALBERT whose three layers are in two groups.
fn tiny_albert() -> ModelConfig {
    let config = serde_json::json!({
        "model_type": "albert", "vocab_size": 50, "embedding_size": 24, "hidden_size": 64, "num_hidden_layers": 3,
        "num_hidden_groups": 2, "num_attention_heads": 2, "intermediate_size": 256,
    });
    ModelConfig::parse(&config.to_string()).expect("a config")
}

#[test]
fn every_trainable_parameter_gets_a_gradient() -> Result<()> {
    for (kind, (config, modules)) in
        KINDS.into_iter().flat_map(|kind| [(kind, (tiny(), 5)), (kind, (tiny_albert(), 7))])
    {
        let mut engine = fresh(kind, &config, &[])?;
        backward(engine.as_mut(), &[sample()], 3, Some(DropoutPlan { seed: 1, step: 1 }))?;
        let names = names(engine.as_ref());
        for name in &names {
            let largest = engine.gradient(name)?.iter().fold(0.0f32, |most, v| most.max(v.abs()));
            // Softmax does not see what all keys have in common: this one gradient is zero but for rounding.
            let zero = name.ends_with("key.bias");
            assert!(largest > 1e-7 || zero, "{kind:?}: the gradient of {name} is zero ({largest:e})");
        }
        assert_eq!(
            names.len(),
            modules + 2 * 16 + 4,
            "every weight of a model with two sets of layer parameters is trained"
        );
    }
    Ok(())
}

#[test]
fn frozen_parameters_stay_and_the_others_get_the_same_gradient() -> Result<()> {
    let cases: [(&[&str], usize); 4] = [
        (&["embeddings", "encoder.layer.0"], 16 + 4),
        (&["embeddings.word_embeddings"], 4 + 2 * 16 + 4),
        (&["encoder.layer.1.attention", "encoder.layer.0.output", "classifier"], 5 + (16 - 10) + (16 - 4) + 2),
        (&["embeddings", "encoder"], 4),
    ];
    for kind in KINDS {
        let mut all = fresh(kind, &tiny(), &[])?;
        backward(all.as_mut(), &[sample()], 3, None)?;
        for (freeze, trained) in cases {
            let mut some = fresh(kind, &tiny(), freeze)?;
            let before: Vec<Vec<f32>> =
                some.parameters().iter().map(|t| t.values().expect("values").into_owned()).collect();
            backward(some.as_mut(), &[sample()], 3, None)?;
            let names = names(some.as_ref());
            assert_eq!(names.len(), trained, "{freeze:?}");
            let mut squares = 0.0;
            for name in &names {
                let (got, want) = (some.gradient(name)?, all.gradient(name)?);
                assert!(got == want, "{kind:?}: {name} differs by {:e}", difference(&got, &want));
                squares += got.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>();
            }
            let norm = some.norm()?;
            assert!((norm - squares.sqrt()).abs() < 1e-6, "{kind:?}: the norm {norm} is not of what is trained");
            some.update(1e-2)?;
            for (tensor, before) in some.parameters().iter().zip(&before) {
                let changed = *tensor.values().expect("values") != **before;
                assert_eq!(changed, names.contains(&tensor.name), "{kind:?}: {}", tensor.name);
            }
        }
        assert!(fresh(kind, &tiny(), &["encoder.layer.7"]).is_err());
        assert!(fresh(kind, &tiny(), &["embeddings", "encoder", "pooler", "classifier"]).is_err());
        // A prefix ends where a name's part ends: `encoder.layer.1` must not name layers 10 to 19.
        assert!(fresh(kind, &tiny(), &["encoder.lay"]).is_err());
    }
    Ok(())
}

#[test]
fn engines_agree_with_dropout_on() -> Result<()> {
    for layers in [1, 2, 3] {
        let mut config = tiny();
        config.num_hidden_layers = layers;
        let plan = Some(DropoutPlan { seed: 3, step: 9 });
        let [mut a, mut b] = [fresh(Kind::Explicit, &config, &[])?, fresh(Kind::Autograd, &config, &[])?];
        let [logits, want] = [a.logits(&sample(), plan)?.concat(), b.logits(&sample(), plan)?.concat()];
        assert!(difference(&logits, &want) < 1e-6);
        assert!(difference(&logits, &a.scores(&sample())?.concat()) > 1e-4, "dropout changes nothing");
        let [loss, want] = [&mut a, &mut b].map(|engine| backward(engine.as_mut(), &[sample()], 3, plan));
        assert!((loss? - want?).abs() < 1e-6);
        for name in names(a.as_ref()) {
            assert!(difference(&a.gradient(&name)?, &b.gradient(&name)?) < 1e-6, "{name}");
        }
    }
    Ok(())
}

/// Which of four rows' sixteen values the dropout at one site keeps, in a model whose logits show nothing else.
fn mask(kind: Kind, site: usize, step: u64) -> Result<Vec<Vec<bool>>> {
    let mut config = tiny();
    (config.hidden_size, config.embedding_size, config.intermediate_size, config.num_hidden_layers) = (16, 16, 32, 1);
    let (hidden, head) = if site == 4 { (0.0, 0.5) } else { (0.5, 0.0) };
    config.set_dropout(hidden);
    (config.dropout.attention, config.dropout.head, config.dropout.head_input) = (0.0, head, head);
    let ones: &[&str] = match site {
        0 => &["embeddings.LayerNorm.bias", "attention.output.LayerNorm.weight", "0.output.LayerNorm.weight"],
        2 => &["attention.output.dense.bias", "attention.output.LayerNorm.weight", "0.output.LayerNorm.weight"],
        3 => &["0.output.dense.bias", "0.output.LayerNorm.weight"],
        _ => &["pooler.dense.bias"],
    };
    let identity: &[&str] =
        if site == 4 { &["classifier.weight"] } else { &["classifier.weight", "pooler.dense.weight"] };
    let new = Parameters::fresh(&config, 16, 1)?;
    let mut found = std::collections::BTreeMap::new();
    for (name, tensor) in new.iter() {
        let is = |names: &[&str]| names.iter().any(|end| name.ends_with(end));
        let tensor = match name {
            _ if is(ones) => tensor.ones_like()?,
            _ if is(identity) => Tensor::eye(16, candle_core::DType::F32, &Device::Cpu)?,
            _ => tensor.zeros_like()?,
        };
        found.insert(name.to_string(), tensor);
    }
    let parameters = Parameters::load(&config, 16, found, "it".as_ref(), 1)?.parameters;
    let rows = batch(&[vec![2, 7, 3], vec![2, 3], vec![2, 7, 8, 3], vec![2, 9, 3]], &[0; 4]);
    let plan = Some(DropoutPlan { seed: 1, step });
    let logits = kind.engine(&config, parameters, &recipe())?.logits(&rows, plan)?;
    Ok(logits.into_iter().map(|row| row.into_iter().map(|v| v > 0.0).collect()).collect())
}

/// Sites are numbered in the order of the forward pass; 1 is the attention's.
#[test]
fn dropout_falls_on_every_site_with_a_mask_of_its_own() -> Result<()> {
    for kind in KINDS {
        let mut seen = Vec::new();
        for (site, step) in [0, 2, 3, 4].into_iter().flat_map(|site| [(site, 1), (site, 2)]) {
            for row in mask(kind, site, step)? {
                assert!(row.contains(&true) && row.contains(&false), "nothing is dropped at site {site}");
                assert!(!seen.contains(&row), "site {site} of step {step} has a mask that was there before");
                seen.push(row);
            }
        }
        let mut config = tiny();
        config.set_dropout(0.0);
        config.dropout.attention = 0.5;
        for last in [1, 2] {
            config.num_hidden_layers = last;
            let mut engine = fresh(kind, &config, &[])?;
            let mut logits = |plan| engine.logits(&sample(), plan).map(|l| l.concat());
            let dropped = logits(Some(DropoutPlan { seed: 1, step: 1 }))?;
            assert!(difference(&dropped, &logits(None)?) > 1e-5, "nothing is dropped in attention");
            assert!(difference(&dropped, &logits(Some(DropoutPlan { seed: 1, step: 2 }))?) > 1e-5);
        }
    }
    Ok(())
}

/// A step cut into batches is the same step: dropout's masks, the loss and the gradients, but for rounding.
#[test]
fn accumulated_batches_give_the_same_step() -> Result<()> {
    for kind in KINDS {
        let mut engine = fresh(kind, &tiny(), &[])?;
        let mut step = |batches: &[Batch]| -> Result<(f64, f64, Vec<f32>)> {
            let loss = backward(engine.as_mut(), batches, 3, Some(DropoutPlan { seed: 3, step: 9 }))?;
            let names = names(engine.as_ref());
            let gradients = names.iter().map(|n| engine.gradient(n)).collect::<std::result::Result<Vec<_>, _>>()?;
            Ok((loss, engine.norm()?, gradients.concat()))
        };
        let rows = [vec![2, 7, 8, 9, 10, 3], vec![2, 11, 3], vec![2, 12, 13, 14, 3]];
        let whole = step(&[batch(&rows, &[0, 2, 1])])?;
        let first = batch(&rows[..1], &[0]);
        let rest = batch(&rows[1..], &[2, 1]).at_offset(1, rows[0].len());
        let parts = step(&[first.clone(), rest.clone()])?;
        assert!((whole.0 - parts.0).abs() < 1e-6 && (whole.1 - parts.1).abs() < 1e-5, "{kind:?}");
        assert!(difference(&whole.2, &parts.2) < 1e-6, "{kind:?}: other gradients");
        let misplaced = step(&[first, rest.at_offset(0, 0)])?;
        assert!((whole.1 - misplaced.1).abs() > 1e-5, "{kind:?}: the masks do not depend on the position");
    }
    Ok(())
}

/// candle-transformers' BertModel is an independent forward pass (its dropout does nothing, which is right here).
#[test]
fn the_encoder_agrees_with_candle_transformers() -> Result<()> {
    use candle_nn::VarBuilder;
    use candle_transformers::models::bert;
    let parameters = Parameters::fresh(&tiny(), 3, 5)?;
    let config: bert::Config =
        serde_json::from_value(tiny().to_json(Task::SingleLabel, &["a".into(), "b".into(), "c".into()]))?;
    let tensors: HashMap<String, Tensor> = parameters.iter().map(|(n, t)| (n.to_string(), t.clone())).collect();
    let weights = VarBuilder::from_tensors(tensors, candle_core::DType::F32, &Device::Cpu);
    let oracle = bert::BertModel::load(weights.pp("bert"), &config)?;
    let ids = [2u32, 7, 8, 9, 10, 3];
    let input = Tensor::new(&ids, &Device::Cpu)?.unsqueeze(0)?;
    let cls = oracle.forward(&input, &input.zeros_like()?, None)?.narrow(1, 0, 1)?.squeeze(1)?;
    let linear = |x: &Tensor, name: &str| -> Result<Tensor> {
        let w = parameters.get(&format!("{name}.weight")).t()?;
        Ok(x.matmul(&w)?.broadcast_add(&parameters.get(&format!("{name}.bias")))?)
    };
    let want = numbers(&linear(&linear(&cls, "bert.pooler.dense")?.tanh()?, "classifier")?);
    for kind in KINDS {
        let mut engine = fresh(kind, &tiny(), &[])?;
        assert!(difference(&engine.scores(&batch(&[ids.to_vec()], &[0]))?.concat(), &want) < 1e-6, "{kind:?}");
    }
    Ok(())
}

//! Where dropout falls in the families that differ from BERT, with masks computed here.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor};
use taper::{
    kernels::{Activation, Dropout},
    model::{DropoutPlan, FAMILIES, Family, ModelConfig, Parameters},
};

use super::{KINDS, Kind, pytorch::*};

const WIDTH: usize = 16;
const PLAN: DropoutPlan = DropoutPlan { seed: 1, step: 3 };

fn config(family: &Family, hidden: f64, head: f64) -> ModelConfig {
    let mut json = serde_json::json!({
        "model_type": family.model_type, "vocab_size": 30, "max_position_embeddings": 20, "embedding_size": WIDTH,
    });
    let keys = family.keys;
    for (key, value) in [(keys.hidden_size, WIDTH), (keys.layers, 1), (keys.heads, 2), (keys.intermediate_size, 8)] {
        json[key] = value.into();
    }
    for (key, p) in [(keys.hidden_dropout, hidden), (keys.attention_dropout, 0.0), (keys.classifier_dropout.0, head)] {
        json[key] = p.into();
    }
    ModelConfig::parse(&json.to_string()).expect("a config")
}

/// Logits of four texts with dropout, by a model whose parameters are ones, identities or zeros, as `kind_of` says by name.
fn logits(kind: Kind, config: &ModelConfig, kind_of: impl Fn(&str) -> char) -> Result<Vec<Vec<f32>>> {
    let new = Parameters::fresh(config, WIDTH, 1)?;
    let mut found = BTreeMap::new();
    for (name, tensor) in new.iter() {
        let tensor = match kind_of(name) {
            '1' => tensor.ones_like()?,
            'I' => Tensor::eye(WIDTH, DType::F32, &Device::Cpu)?,
            _ => tensor.zeros_like()?,
        };
        found.insert(name.to_string(), tensor);
    }
    let parameters = Parameters::load(config, WIDTH, found, "it".as_ref(), 1)?.parameters;
    let rows = batch(&[vec![2, 7, 3], vec![2, 3], vec![2, 7, 8, 3], vec![2, 9, 3]], &[0; 4]);
    Ok(kind.engine(config, parameters, &recipe())?.logits(&rows, Some(PLAN))?)
}

/// The factors at a site that falls on a row for each text.
fn factors(site: u32, p: f64) -> Vec<f32> {
    let dropout = Dropout::new(PLAN.seed, PLAN.step, site, p, 0).expect("a dropout");
    let mut factors = vec![0.0; 4 * WIDTH];
    for (row, factors) in factors.chunks_exact_mut(WIDTH).enumerate() {
        dropout.fill(dropout.index(row, WIDTH), factors);
    }
    factors
}

/// The encoder's output is 1 throughout, the head's maps are identities: the logits are the activation of the dropped input,
/// dropped again.
#[test]
fn heads_drop_their_input_where_transformers_does() -> Result<()> {
    for family in &FAMILIES {
        let drops_input = ["roberta", "xlm-roberta", "camembert", "electra"].contains(&family.model_type);
        let activation = match family.model_type {
            "electra" => Activation::Gelu,
            "distilbert" => Activation::Relu,
            _ => Activation::Tanh,
        };
        // Of 1 and of 2, the values that are left when half is dropped.
        let f = |x: f64| match activation {
            Activation::Gelu => 0.5 * x * (1.0 + candle_core::cpu::erf::erf_f64(x / std::f64::consts::SQRT_2)),
            Activation::Relu => x.max(0.0),
            _ => x.tanh(),
        };
        let config = config(family, 0.0, 0.5);
        // One layer: sites 0 to 3 are the encoder's, 4 is the classifier's, 5 the head's input's.
        let (of_input, of_classifier) = (factors(5, 0.5), factors(4, 0.5));
        for kind in KINDS {
            let got = logits(kind, &config, |name| match name {
                _ if name.ends_with("0.output.LayerNorm.bias") || name.ends_with("output_layer_norm.bias") => '1',
                "classifier.weight" | "classifier.dense.weight" | "classifier.out_proj.weight" => 'I',
                "pre_classifier.weight" => 'I',
                _ if name.ends_with("pooler.dense.weight") => 'I',
                _ => '0',
            })?;
            let want = of_input.iter().zip(&of_classifier).map(|(a, b)| {
                let x = if drops_input { f64::from(*a) } else { 1.0 };
                (f(x) * f64::from(*b)) as f32
            });
            let error = difference(&got.concat(), &want.collect::<Vec<_>>());
            assert!(error < 1e-6, "{} with {kind:?}: logits differ by {error:e}", family.model_type);
        }
    }
    Ok(())
}

/// Attention's output is 1 throughout, all else before its norm is 0: with dropout the norm sees what was dropped, without it
/// the constant row becomes 0.
#[test]
fn attention_output_is_dropped_in_all_families_but_distilbert() -> Result<()> {
    for family in &FAMILIES {
        let config = config(family, 0.5, 0.0);
        for kind in KINDS {
            let got = logits(kind, &config, |name| {
                let ones = [
                    "attention.output.dense.bias",
                    "attention.out_lin.bias",
                    "attention.output.LayerNorm.weight",
                    "sa_layer_norm.weight",
                    "0.output.LayerNorm.weight",
                    "output_layer_norm.weight",
                ];
                let identity =
                    ["classifier.weight", "classifier.dense.weight", "out_proj.weight", "pooler.dense.weight"];
                match name {
                    _ if ones.iter().any(|end| name.ends_with(end)) => '1',
                    _ if identity.iter().any(|end| name.ends_with(end)) || name == "pre_classifier.weight" => 'I',
                    _ => '0',
                }
            })?;
            let is_dropped = got.concat().iter().any(|v| v.abs() > 0.1);
            assert_eq!(is_dropped, family.model_type != "distilbert", "{} with {kind:?}", family.model_type);
        }
    }
    Ok(())
}

//! Where dropout falls in the families that differ from BERT, with masks computed here.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor};
use taper::{
    kernels::{Activation, Dropout},
    model::{DropoutPlan, Dropouts, FAMILIES, Family, ModelConfig, Parameters},
};

use super::{KINDS, Kind, batch, pytorch::*};

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
    let mut config = ModelConfig::parse(&json.to_string()).expect("a config");
    config.set_dropout(hidden);
    (config.dropout.attention, config.dropout.head, config.dropout.head_input) = (0.0, head, head);
    config
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
    for family in FAMILIES.iter().filter(|family| !family.is_pre_norm) {
        let drops_input = ["roberta", "xlm-roberta", "camembert", "electra", "deberta-v2"].contains(&family.model_type);
        let activation = match family.model_type {
            "electra" | "deberta-v2" => Activation::Gelu,
            "distilbert" => Activation::Relu,
            _ => Activation::Tanh,
        };
        // Of 1 and of 2, the values that are left when half is dropped.
        let f = |x: f64| match activation {
            Activation::Gelu => 0.5 * x * (1.0 + candle_core::cpu::erf::erf_f64(x / std::f64::consts::SQRT_2)),
            Activation::Relu => x.max(0.0),
            _ => x.tanh(),
        };
        let mut config = config(family, 0.0, 0.5);
        // A probability of its own, where the family has one.
        let of_input = if family.keys.dropout.head_input.is_some() { 0.25 } else { 0.5 };
        config.dropout.head_input = of_input;
        // One layer: sites 0 to 3 are the encoder's, 4 is the classifier's, 5 the head's input's.
        let (of_input, of_classifier) = (factors(5, of_input), factors(4, 0.5));
        for kind in KINDS {
            let got = logits(kind, &config, |name| match name {
                _ if NORMS_OF_OUTPUT.iter().any(|norm| name.ends_with(&format!("{norm}.bias"))) => '1',
                "classifier.weight" | "classifier.dense.weight" | "classifier.out_proj.weight" => 'I',
                "pre_classifier.weight" => 'I',
                _ if name.ends_with("pooler.dense.weight") || name.ends_with("pooler.weight") => 'I',
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
    for family in FAMILIES.iter().filter(|family| !family.is_pre_norm) {
        let config = config(family, 0.5, 0.0);
        for kind in KINDS {
            let got = logits(kind, &config, |name| {
                let ones = [
                    "attention.output.dense.bias",
                    "attention.out_lin.bias",
                    "attention.dense.bias",
                    "attention.output.LayerNorm.weight",
                    "sa_layer_norm.weight",
                    "attention.LayerNorm.weight",
                ];
                ones_or_identities(name, &ones)
            })?;
            let is_dropped = got.concat().iter().any(|v| v.abs() > 0.1);
            assert_eq!(is_dropped, family.model_type != "distilbert", "{} with {kind:?}", family.model_type);
        }
    }
    Ok(())
}

/// The norm after the feed-forward network, by the end of its name.
const NORMS_OF_OUTPUT: [&str; 3] = ["0.output.LayerNorm", "output_layer_norm", "full_layer_layer_norm"];

/// The weights of that norm and the parameters with these ends of names are ones, the head's are identities.
fn ones_or_identities(name: &str, ones: &[&str]) -> char {
    let identity =
        ["classifier.weight", "classifier.dense.weight", "out_proj.weight", "pooler.dense.weight", "pooler.weight"];
    let is_norm = NORMS_OF_OUTPUT.iter().any(|norm| name.ends_with(&format!("{norm}.weight")));
    match name {
        _ if is_norm || ones.iter().any(|end| name.ends_with(end)) => '1',
        _ if identity.iter().any(|end| name.ends_with(end)) => 'I',
        _ => '0',
    }
}

/// Likewise for the output of the feed-forward network: `AlbertLayer` has a dropout for it that it does not apply.
#[test]
fn the_feed_forward_output_is_dropped_in_all_families_but_albert() -> Result<()> {
    for family in FAMILIES.iter().filter(|family| !family.is_pre_norm) {
        let config = config(family, 0.5, 0.0);
        for kind in KINDS {
            let ones = ["0.output.dense.bias", "ffn.lin2.bias", "ffn_output.bias"];
            let got = logits(kind, &config, |name| ones_or_identities(name, &ones))?;
            let is_dropped = got.concat().iter().any(|v| v.abs() > 0.1);
            assert_eq!(is_dropped, family.model_type != "albert", "{} with {kind:?}", family.model_type);
        }
    }
    Ok(())
}

/// The probability of a site.
type Site = fn(&mut Dropouts) -> &mut f64;

/// ModernBERT's sites, of which only one drops, with both poolings. What reaches the last norm is a constant row, which becomes 0, unless
/// values of it were dropped.
#[test]
fn modernbert_drops_where_transformers_does() -> Result<()> {
    let family = FAMILIES.iter().find(|family| family.model_type == "modernbert").expect("a family");
    for (pooling, kind) in ["cls", "mean"].into_iter().flat_map(|pooling| KINDS.map(|kind| (pooling, kind))) {
        let config = |site: Site| {
            let json = serde_json::json!({
                "model_type": family.model_type, "vocab_size": 30, "max_position_embeddings": 20, "hidden_size": WIDTH,
                "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": WIDTH, "classifier_pooling": pooling,
                "attention_bias": true, "mlp_bias": true, "norm_bias": true, "classifier_bias": true,
            });
            let mut config = ModelConfig::parse(&json.to_string()).expect("a config");
            assert_eq!(
                config.dropout,
                Dropouts {
                    embedding: 0.0,
                    attention: 0.0,
                    attention_output: 0.0,
                    ffn: 0.0,
                    head: 0.0,
                    head_input: 0.0
                }
            );
            *site(&mut config.dropout) = 0.5;
            config
        };
        let of = |ones: &[&str], identities: &[&str], config: &ModelConfig| {
            logits(kind, config, |name| match name {
                _ if ones.contains(&name) => '1',
                _ if identities.contains(&name) => 'I',
                _ => '0',
            })
        };
        // The head's norm gives 1 throughout: the logits are the factors of the dropout after it.
        let got = of(&["head.norm.bias"], &["classifier.weight"], &config(|p| &mut p.head))?;
        let error = difference(&got.concat(), &factors(4, 0.5));
        assert!(error < 1e-6, "{pooling}, {kind:?}: logits differ by {error:e}");

        let norms = ["model.final_norm.weight", "head.norm.weight"];
        let (head, down) = (["head.dense.weight", "classifier.weight"], "model.layers.0.mlp.Wo.weight");
        let sites: [(&str, &str, Site); 3] = [
            ("embeddings", "model.embeddings.norm.bias", |p| &mut p.embedding),
            ("attention's output", "model.layers.0.attn.Wo.bias", |p| &mut p.attention_output),
            ("the gated product", "model.layers.0.mlp.Wi.bias", |p| &mut p.ffn),
        ];
        for (what, ones, site) in sites {
            let ones = [norms[0], norms[1], ones];
            let identities = [head[0], head[1], down];
            let drops = |config: &ModelConfig| -> Result<bool> {
                Ok(of(&ones, &identities, config)?.concat().iter().any(|v| v.abs() > 0.1))
            };
            assert!(drops(&config(site))?, "{pooling}, {kind:?}: {what}");
            for (other, _, other_site) in sites.iter().filter(|(other, ..)| *other != what) {
                assert!(!drops(&config(*other_site))?, "{pooling}, {kind:?}: {what} by the dropout of {other}");
            }
        }
    }
    Ok(())
}

/// LayerNorm with a weight of ones and a bias of zeros.
fn normed(x: &[f64]) -> Vec<f64> {
    let mean = x.iter().sum::<f64>() / x.len() as f64;
    let variance = x.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / x.len() as f64;
    x.iter().map(|v| (v - mean) / (variance + 1e-7).sqrt()).collect()
}

/// DeBERTa's table of relative positions is dropped after its norm, in each layer anew, row by row of the whole table. Queries and those of
/// positions are ones, keys and values the layer's input and the positions, all other maps identities or nothing, in two layers, and only embeddings
/// and positions are dropped.
#[test]
fn relative_positions_are_dropped_after_their_norm_in_each_layer() -> Result<()> {
    let json = serde_json::json!({
        "model_type": "deberta-v2", "vocab_size": 30, "max_position_embeddings": 20, "hidden_size": WIDTH, "num_hidden_layers": 2,
        "num_attention_heads": 1, "intermediate_size": 8, "relative_attention": true, "pos_att_type": "c2p|p2c", "share_att_key": true,
        "position_biased_input": false, "norm_rel_ebd": "layer_norm", "pooler_hidden_act": "relu",
    });
    let mut config = ModelConfig::parse(&json.to_string()).expect("a config");
    config.set_dropout(0.0);
    config.dropout.embedding = 0.5;
    let mask = |site: u32, row: usize| {
        let dropout = Dropout::new(PLAN.seed, PLAN.step, site, 0.5, 0).expect("a dropout");
        let mut factors = vec![0.0; WIDTH];
        dropout.fill(dropout.index(row, WIDTH), &mut factors);
        factors.into_iter().map(f64::from).collect::<Vec<f64>>()
    };
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let ones = vec![1.0; WIDTH];
    let mut want = Vec::new();
    let mut first = 0;
    for tokens in [3, 2, 4, 3] {
        // Embeddings are ones before they are dropped.
        let mut x: Vec<Vec<f64>> = (first..first + tokens).map(|row| mask(0, row)).collect();
        first += tokens;
        for layer in 0..2 {
            // Sites 0 to 6 are the layers', 7 and 8 the head's. Row 20 is that of distance 0.
            let position = |distance: isize| mask(9 + layer, (20 + distance) as usize);
            let attended = (0..tokens).map(|i| {
                let score = |j: usize| {
                    let of_distance = position(i as isize - j as isize);
                    // Keys of positions are the positions; their queries are ones, as all queries are.
                    (2.0 * dot(&ones, &x[j]) + dot(&ones, &of_distance)) / (3.0 * WIDTH as f64).sqrt()
                };
                let e: Vec<f64> = (0..tokens).map(|j| score(j).exp()).collect();
                let total: f64 = e.iter().sum();
                let context = (0..WIDTH).map(|c| (0..tokens).map(|j| e[j] / total * x[j][c]).sum::<f64>() + x[i][c]);
                normed(&normed(&context.collect::<Vec<_>>()))
            });
            x = attended.collect();
        }
        want.extend(x[0].iter().map(|v| v.max(0.0) as f32));
    }
    for kind in KINDS {
        let got = logits(kind, &config, |name| match name {
            "deberta.embeddings.LayerNorm.bias" | "deberta.encoder.LayerNorm.bias" => '1',
            "deberta.embeddings.LayerNorm.weight" | "deberta.encoder.LayerNorm.weight" => '0',
            _ if name.ends_with("query_proj.bias") => '1',
            _ if name.ends_with("query_proj.weight") => '0',
            _ if name.ends_with("LayerNorm.weight") => '1',
            _ if name.ends_with("key_proj.weight") || name.ends_with("value_proj.weight") => 'I',
            _ if name.ends_with("attention.output.dense.weight") => 'I',
            "pooler.dense.weight" | "classifier.weight" => 'I',
            _ => '0',
        })?;
        let error = difference(&got.concat(), &want);
        assert!(error < 1e-4, "{kind:?}: logits differ by {error:e}");
    }
    Ok(())
}

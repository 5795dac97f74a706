//! One BERT's weights as models of other families: under their names and keys, the hidden states are the same.
//!
//! The families are BERT's encoder with small differences (where positions begin, a projection, shared layers, no token types), each of which
//! can be set so that it changes nothing. A wrong offset, a wrong name or a block that is applied where it must not be shows at once.

use std::{collections::BTreeMap, path::Path};

use candle_core::{DType, Device, Tensor};
use serde_json::{Value, json};
use taper::{
    data::Batch,
    model::{ModelConfig, Parameters, read_weights},
    random::{Purpose, Stream},
};

use crate::{KINDS, Kind, pytorch::*};

type Tensors = BTreeMap<String, Tensor>;

/// A BERT: its config.json, and its encoder's weights under BERT's names.
struct Bert {
    config: Value,
    encoder: Tensors,
}

impl Bert {
    fn read(folder: &Path) -> Result<Self> {
        let mut config: Value = serde_json::from_slice(&std::fs::read(folder.join("config.json"))?)?;
        let path = ["model.safetensors", "pytorch_model.bin"].map(|name| folder.join(name));
        let path = path.iter().find(|path| path.is_file()).ok_or("no weights")?;
        let loaded =
            Parameters::load(&ModelConfig::parse(&config.to_string())?, 2, read_weights(path)?, path, 0)?.parameters;
        let mut encoder = loaded.into_tensors();
        encoder.retain(|name, _| name.starts_with("bert.e"));
        // The labels of its own head are of no concern.
        ["architectures", "id2label", "label2id"]
            .iter()
            .for_each(|key| drop(config.as_object_mut().map(|c| c.remove(*key))));
        Ok(Self { config, encoder })
    }

    fn number(&self, key: &str) -> usize {
        self.config[key].as_u64().unwrap_or_else(|| panic!("{key} in config.json")) as usize
    }

    fn hidden(&self) -> usize {
        self.number("hidden_size")
    }

    /// config.json of another family, with these keys changed.
    fn config_with(&self, changes: Value) -> Value {
        let mut config = self.config.clone();
        for (key, value) in changes.as_object().expect("an object") {
            config[key] = value.clone();
        }
        config
    }

    /// The encoder's tensors under other names.
    fn renamed(&self, name: impl Fn(&str) -> String) -> Tensors {
        self.encoder.iter().map(|(of_bert, tensor)| (name(of_bert), tensor.clone())).collect()
    }

    /// Texts of random words, of lengths around the kernels' block sizes and as long as the positions allow.
    fn texts(&self) -> Vec<Vec<u32>> {
        let (words, longest) = (self.number("vocab_size") as u64, self.number("max_position_embeddings"));
        let lengths = [1, 2, 17, 63, 64, 65, 66, 129, longest].into_iter().filter(|length| *length <= longest);
        let text = |(i, length): (usize, usize)| {
            let stream = Stream::new(7, Purpose::Init, i as u64, 0);
            let bits = (0u64..).flat_map(|k| stream.at4(k));
            // Word 0 is the padding token, which no text has.
            bits.take(length).map(|bits| (1 + u64::from(bits) % (words - 1)) as u32).collect()
        };
        lengths.enumerate().map(text).collect()
    }
}

/// A head that makes the hidden state of the first token visible.
#[derive(Debug, Clone, Copy)]
enum Head {
    /// Two layers that change nothing, with tanh between them: a logit is tanh of a hidden value.
    Tanh,
    /// An activation `a` with `a(x) − a(−x) = x`, which ReLU and GELU have: a logit is a hidden value, of one half or of the other.
    Odd { upper: bool },
}

impl Head {
    fn labels(self, hidden: usize) -> usize {
        match self {
            Self::Tanh => hidden,
            Self::Odd { .. } => hidden / 2,
        }
    }

    /// Weights of the two layers, with biases of zero.
    fn tensors(self, hidden: usize, [dense, classifier]: [&str; 2]) -> Result<Tensors> {
        let identity = Tensor::eye(hidden, DType::F32, &Device::Cpu)?;
        let weights = match self {
            Self::Tanh => [identity.clone(), identity],
            Self::Odd { upper } => {
                let half = identity.narrow(0, if upper { hidden / 2 } else { 0 }, hidden / 2)?;
                let first = Tensor::eye(hidden / 2, DType::F32, &Device::Cpu)?;
                [Tensor::cat(&[&half, &half.neg()?], 0)?, Tensor::cat(&[&first, &first.neg()?], 1)?]
            }
        };
        let mut tensors = Tensors::new();
        for (name, weight) in [dense, classifier].into_iter().zip(weights) {
            tensors.insert(format!("{name}.bias"), Tensor::zeros(weight.dim(0)?, DType::F32, &Device::Cpu)?);
            tensors.insert(format!("{name}.weight"), weight);
        }
        Ok(tensors)
    }

    /// tanh of the hidden values that it shows, in the order of all hidden values.
    fn shown(self, logits: Vec<f32>) -> Vec<f32> {
        match self {
            Self::Tanh => logits,
            Self::Odd { .. } => logits.into_iter().map(f32::tanh).collect(),
        }
    }
}

/// tanh of the hidden state of each text's first token.
fn hidden_states(
    kind: Kind,
    config: &Value,
    encoder: &Tensors,
    heads: &[Head],
    names: [&str; 2],
    texts: &[Vec<u32>],
) -> Result<Vec<Vec<f32>>> {
    let config = ModelConfig::parse(&config.to_string())?;
    let hidden = config.hidden_size;
    let mut states = vec![Vec::new(); texts.len()];
    for head in heads {
        let labels = head.labels(hidden);
        let mut tensors = encoder.clone();
        tensors.extend(head.tensors(hidden, names)?);
        let loaded = Parameters::load(&config, labels, tensors, Path::new("model.safetensors"), 0)?;
        assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
        let mut engine = kind.engine(&config, loaded.parameters, &recipe())?;
        for (state, logits) in states.iter_mut().zip(engine.scores(&Batch::of_texts(texts))?) {
            state.extend(head.shown(logits));
        }
    }
    Ok(states)
}

/// A family's clothes.
struct Clothes {
    family: &'static str,
    config: Value,
    encoder: Tensors,
    heads: Vec<Head>,
    head_names: [&'static str; 2],
    /// Whether the arithmetic is the same, operation by operation.
    is_exact: bool,
}

fn clothes(bert: &Bert) -> Result<Vec<Clothes>> {
    let prefixed = |prefix: &'static str| move |name: &str| name.replacen("bert.", prefix, 1);
    let odd = || vec![Head::Odd { upper: false }, Head::Odd { upper: true }];
    let positions = bert.encoder["bert.embeddings.position_embeddings.weight"].clone();
    let mut all = vec![Clothes {
        family: "ernie",
        config: bert.config_with(json!({ "model_type": "ernie" })),
        encoder: bert.renamed(prefixed("ernie.")),
        heads: vec![Head::Tanh],
        head_names: ["ernie.pooler.dense", "classifier"],
        is_exact: true,
    }];
    // Positions begin after that of the padding token, whose own row and those before it are of no text.
    for (family, pad) in [("roberta", 0), ("xlm-roberta", 3), ("camembert", 1)] {
        let mut encoder = bert.renamed(prefixed("roberta."));
        let unused = Tensor::full(9f32, (pad + 1, bert.hidden()), &Device::Cpu)?;
        encoder.insert("roberta.embeddings.position_embeddings.weight".into(), Tensor::cat(&[&unused, &positions], 0)?);
        let rows = bert.number("max_position_embeddings") + pad + 1;
        all.push(Clothes {
            family,
            config: bert
                .config_with(json!({ "model_type": family, "pad_token_id": pad, "max_position_embeddings": rows })),
            encoder,
            heads: vec![Head::Tanh],
            head_names: ["classifier.dense", "classifier.out_proj"],
            is_exact: true,
        });
    }
    all.push(Clothes {
        family: "electra",
        config: bert.config_with(json!({ "model_type": "electra", "embedding_size": bert.hidden() })),
        encoder: bert.renamed(prefixed("electra.")),
        heads: odd(),
        head_names: ["classifier.dense", "classifier.out_proj"],
        is_exact: false,
    });
    all.push(distilbert(bert, odd())?);
    all.push(albert(bert)?);
    Ok(all)
}

/// DistilBERT has no token types: that of all tokens is added to the positions.
fn distilbert(bert: &Bert, heads: Vec<Head>) -> Result<Clothes> {
    let name = |name: &str| {
        [
            ("bert.encoder.layer", "distilbert.transformer.layer"),
            ("bert.embeddings", "distilbert.embeddings"),
            ("attention.self.query", "attention.q_lin"),
            ("attention.self.key", "attention.k_lin"),
            ("attention.self.value", "attention.v_lin"),
            ("attention.output.dense", "attention.out_lin"),
            ("attention.output.LayerNorm", "sa_layer_norm"),
            ("intermediate.dense", "ffn.lin1"),
            ("output.dense", "ffn.lin2"),
            ("output.LayerNorm", "output_layer_norm"),
        ]
        .iter()
        .fold(name.to_string(), |name, (old, new)| name.replace(old, new))
    };
    let mut encoder = bert.renamed(name);
    let types = encoder.remove("distilbert.embeddings.token_type_embeddings.weight").expect("token types");
    let positions = encoder.get_mut("distilbert.embeddings.position_embeddings.weight").expect("positions");
    *positions = positions.broadcast_add(&types.narrow(0, 0, 1)?)?;
    let config = bert.config_with(json!({
        "model_type": "distilbert",
        "dim": bert.hidden(),
        "n_layers": bert.number("num_hidden_layers"),
        "n_heads": bert.number("num_attention_heads"),
        "hidden_dim": bert.number("intermediate_size"),
        "activation": bert.config["hidden_act"],
    }));
    Ok(Clothes {
        family: "distilbert",
        config,
        encoder,
        heads,
        head_names: ["pre_classifier", "classifier"],
        is_exact: false,
    })
}

/// ALBERT with as many groups as layers, and a projection that changes nothing.
fn albert(bert: &Bert) -> Result<Clothes> {
    let layers = bert.number("num_hidden_layers");
    let name = |name: &str| {
        let mut name = name.replacen("bert.", "albert.", 1);
        for layer in (0..layers).rev() {
            name = name.replace(
                &format!("encoder.layer.{layer}."),
                &format!("encoder.albert_layer_groups.{layer}.albert_layers.0."),
            );
        }
        [
            ("attention.self.", "attention."),
            ("attention.output.", "attention."),
            ("intermediate.dense", "ffn"),
            ("output.dense", "ffn_output"),
            ("output.LayerNorm", "full_layer_layer_norm"),
        ]
        .iter()
        .fold(name, |name, (old, new)| name.replace(old, new))
    };
    let mut encoder = bert.renamed(name);
    let projection = "albert.encoder.embedding_hidden_mapping_in";
    encoder.insert(format!("{projection}.weight"), Tensor::eye(bert.hidden(), DType::F32, &Device::Cpu)?);
    encoder.insert(format!("{projection}.bias"), Tensor::zeros(bert.hidden(), DType::F32, &Device::Cpu)?);
    let config = bert.config_with(json!({
        "model_type": "albert",
        "embedding_size": bert.hidden(),
        "num_hidden_groups": layers,
        "inner_group_num": 1,
    }));
    Ok(Clothes {
        family: "albert",
        config,
        encoder,
        heads: vec![Head::Tanh],
        head_names: ["albert.pooler", "classifier"],
        is_exact: false,
    })
}

/// A BERT of this repository, and the pre-trained one that `TAPER_TEST_BERT` names.
fn berts() -> Result<Vec<Bert>> {
    let mut berts = vec![Bert::read(&root().join("tests/fixtures/reference"))?];
    match std::env::var_os("TAPER_TEST_BERT") {
        Some(folder) => berts.push(Bert::read(Path::new(&folder))?),
        None => eprintln!("skipped: no pre-trained BERT (TAPER_TEST_BERT)"),
    }
    Ok(berts)
}

#[test]
fn in_the_clothes_of_another_family_the_hidden_states_are_the_same() -> Result<()> {
    for bert in berts()? {
        let texts = bert.texts();
        let of_bert = ["bert.pooler.dense", "classifier"];
        for kind in KINDS {
            let want = hidden_states(kind, &bert.config, &bert.encoder, &[Head::Tanh], of_bert, &texts)?;
            for clothes in clothes(&bert)? {
                let Clothes { family, config, encoder, heads, head_names, is_exact } = clothes;
                let got = hidden_states(kind, &config, &encoder, &heads, head_names, &texts)?;
                for ((text, want), got) in texts.iter().zip(&want).zip(&got) {
                    let off = difference(want, got);
                    let most = if is_exact { 0.0 } else { 1e-5 };
                    assert!(off <= most, "{family} with {kind:?}, {} tokens: {off:e}", text.len());
                }
            }
        }
    }
    Ok(())
}

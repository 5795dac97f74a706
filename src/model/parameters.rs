//! The named weights of a classifier: loaded, made anew, frozen.

use std::{collections::BTreeMap, path::Path};

use candle_core::{Device, Tensor, Var};

use super::{BertConfig, ModelError};
use crate::random::{Purpose, Stream};

/// All weights, in transformers' order and under its names.
pub struct Parameters {
    names: Vec<String>,
    tensors: BTreeMap<String, Tensor>,
    trainable: Vec<(String, Var)>,
}

/// Weights together with what the user should know of how they came about.
pub struct Loaded {
    /// The weights.
    pub parameters: Parameters,
    /// One sentence each.
    pub notes: Vec<String>,
}

/// Name and shape of every weight.
fn layout(c: &BertConfig, labels: usize) -> Vec<(String, Vec<usize>)> {
    let (h, f) = (c.hidden_size, c.intermediate_size);
    let mut all = Vec::new();
    let mut add = |name: String, shape: &[usize]| all.push((name, shape.to_vec()));
    let norm = |add: &mut dyn FnMut(String, &[usize]), name: &str| {
        add(format!("{name}.weight"), &[h]);
        add(format!("{name}.bias"), &[h]);
    };
    let linear = |add: &mut dyn FnMut(String, &[usize]), name: &str, out: usize, width: usize| {
        add(format!("{name}.weight"), &[out, width]);
        add(format!("{name}.bias"), &[out]);
    };
    add("bert.embeddings.word_embeddings.weight".into(), &[c.vocab_size, h]);
    add("bert.embeddings.position_embeddings.weight".into(), &[c.max_position_embeddings, h]);
    add("bert.embeddings.token_type_embeddings.weight".into(), &[c.type_vocab_size, h]);
    norm(&mut add, "bert.embeddings.LayerNorm");
    for i in 0..c.num_hidden_layers {
        let layer = format!("bert.encoder.layer.{i}");
        for name in ["query", "key", "value"] {
            linear(&mut add, &format!("{layer}.attention.self.{name}"), h, h);
        }
        linear(&mut add, &format!("{layer}.attention.output.dense"), h, h);
        norm(&mut add, &format!("{layer}.attention.output.LayerNorm"));
        linear(&mut add, &format!("{layer}.intermediate.dense"), f, h);
        linear(&mut add, &format!("{layer}.output.dense"), h, f);
        norm(&mut add, &format!("{layer}.output.LayerNorm"));
    }
    linear(&mut add, "bert.pooler.dense", h, h);
    linear(&mut add, "classifier", labels, h);
    all
}

/// transformers' name of a tensor that goes by one of its older or shorter names.
fn canonical(name: &str) -> String {
    let name = name.strip_prefix("module.").unwrap_or(name);
    let bare = ["embeddings.", "encoder.", "pooler."].iter().any(|p| name.starts_with(p));
    let name = if bare { format!("bert.{name}") } else { name.to_string() };
    match name.rsplit_once('.') {
        Some((rest, "gamma")) => format!("{rest}.weight"),
        Some((rest, "beta")) => format!("{rest}.bias"),
        _ => name,
    }
}

/// FNV-1a: a stream of random numbers for each name, whatever else the model holds.
fn hash(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}

/// A new weight as transformers makes it: normal for matrices, 1 for LayerNorm's weight, 0 for biases and padding.
fn fresh(c: &BertConfig, name: &str, shape: &[usize], seed: u64) -> Result<Tensor, ModelError> {
    let n: usize = shape.iter().product();
    let mut values = vec![if name.ends_with("LayerNorm.weight") { 1.0f32 } else { 0.0 }; n];
    if shape.len() == 2 {
        let stream = Stream::new(seed, Purpose::Init, hash(name), 0);
        for (i, v) in values.iter_mut().enumerate() {
            *v = (c.initializer_range * stream.normal(i as u64)) as f32;
        }
        if name.ends_with("word_embeddings.weight") && c.pad_token_id < shape[0] {
            values[c.pad_token_id * shape[1]..][..shape[1]].fill(0.0);
        }
    }
    Ok(Tensor::from_vec(values, shape, &Device::Cpu)?)
}

impl Parameters {
    /// New weights throughout, from `seed`.
    pub fn fresh(config: &BertConfig, labels: usize, seed: u64) -> Result<Self, ModelError> {
        let layout = layout(config, labels);
        let tensors = layout.iter().map(|(n, s)| Ok((n.clone(), fresh(config, n, s, seed)?)));
        let tensors = tensors.collect::<Result<_, ModelError>>()?;
        Ok(Self { names: layout.into_iter().map(|(n, _)| n).collect(), tensors, trainable: Vec::new() })
    }

    /// Weights from `found` (as read from `path`); a missing pooler or head is made anew from `seed`.
    ///
    /// All tensors that are missing or of a wrong shape are reported at once.
    pub fn load(
        config: &BertConfig,
        labels: usize,
        found: BTreeMap<String, Tensor>,
        path: &Path,
        seed: u64,
    ) -> Result<Loaded, ModelError> {
        let mut found: BTreeMap<String, (String, Tensor)> =
            found.into_iter().map(|(name, tensor)| (canonical(&name), (name, tensor))).collect();
        let layout = layout(config, labels);
        let (mut tensors, mut problems, mut made) = (BTreeMap::new(), Vec::new(), Vec::new());
        for (name, shape) in &layout {
            match found.remove(name) {
                Some((_, tensor)) if tensor.dims() == shape => drop(tensors.insert(name.clone(), tensor)),
                Some((written, tensor)) => {
                    let hint = match name.starts_with("classifier.") {
                        true => {
                            format!("; the data has {labels} labels: give as many, or take the head out of the file")
                        }
                        false => String::new(),
                    };
                    problems.push(format!("  {written}: shape {:?}, wanted {shape:?}{hint}", tensor.dims()));
                }
                None if name.starts_with("classifier.") || name.starts_with("bert.pooler.") => {
                    tensors.insert(name.clone(), fresh(config, name, shape, seed)?);
                    made.push(name.as_str());
                }
                None => problems.push(format!("  {name}: missing, wanted shape {shape:?}")),
            }
        }
        if !problems.is_empty() {
            return Err(ModelError::Tensors { path: path.into(), problems: problems.join("\n") });
        }
        let mut notes = Vec::new();
        if !made.is_empty() {
            notes.push(format!("not in the weights file, initialised from seed {seed}: {}", made.join(", ")));
        }
        if !found.is_empty() {
            let names: Vec<&str> = found.values().map(|(n, _)| n.as_str()).take(3).collect();
            let more = if found.len() > 3 { ", …" } else { "" };
            notes.push(format!("{} tensors of the weights file are not used: {}{more}", found.len(), names.join(", ")));
        }
        let names = layout.into_iter().map(|(n, _)| n).collect();
        Ok(Loaded { parameters: Self { names, tensors, trainable: Vec::new() }, notes })
    }

    /// Moves the weights to a device and makes variables of all that no prefix in `freeze` names.
    ///
    /// Prefixes are matched against names without `bert.`; one that matches nothing is returned as an error message.
    pub fn prepare(mut self, freeze: &[String], device: &Device) -> Result<Self, ModelError> {
        let bare = |name: &str| name.strip_prefix("bert.").unwrap_or(name).to_string();
        let matches = |prefix: &str, name: &str| {
            bare(name).strip_prefix(&bare(prefix)).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        if let Some(unused) = freeze.iter().find(|p| !self.names.iter().any(|n| matches(p, n))) {
            let mut parts: Vec<String> = self.names.iter().map(|n| bare(n)).collect();
            parts.retain(|n| n.ends_with("dense.weight") || n.ends_with("embeddings.weight"));
            return Err(ModelError::Config {
                path: "train.freeze".into(),
                message: format!(
                    "`{unused}` names no parameter; names begin like {}",
                    parts[..3.min(parts.len())].join(", ")
                ),
            });
        }
        for name in &self.names {
            let tensor = self.tensors[name].to_device(device)?;
            if freeze.iter().any(|p| matches(p, name)) {
                self.tensors.insert(name.clone(), tensor.detach());
            } else {
                let var = Var::from_tensor(&tensor)?;
                self.tensors.insert(name.clone(), var.as_tensor().clone());
                self.trainable.push((name.clone(), var));
            }
        }
        if self.trainable.is_empty() {
            let message = "every parameter is frozen: nothing is left to train".into();
            return Err(ModelError::Config { path: "train.freeze".into(), message });
        }
        Ok(self)
    }

    /// The weight of that name.
    ///
    /// # Panics
    /// Where the layout has no such name: an error in this program.
    pub fn get(&self, name: &str) -> Tensor {
        self.tensors[name].clone()
    }

    /// Every weight, in transformers' order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.names.iter().map(|name| (name.as_str(), &self.tensors[name]))
    }

    /// The weights that training changes.
    pub fn trainable(&self) -> &[(String, Var)] {
        &self.trainable
    }

    /// Numbers in the weights that training changes.
    pub fn trainable_count(&self) -> u64 {
        self.trainable.iter().map(|(_, v)| v.elem_count() as u64).sum()
    }

    /// Puts the values of `from` into the trainable weights of the same names.
    pub fn restore(&self, from: &BTreeMap<String, Tensor>) -> Result<(), ModelError> {
        for (name, var) in &self.trainable {
            let Some(tensor) = from.get(name).filter(|t| t.shape() == var.shape()) else {
                let problems = format!("  {name}: missing, or of another shape than {:?}", var.dims());
                return Err(ModelError::Tensors { path: "checkpoint".into(), problems });
            };
            var.set(&tensor.to_device(var.device())?)?;
        }
        Ok(())
    }
}

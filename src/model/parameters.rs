//! The named weights of a classifier: loaded, made anew, frozen.

use std::{collections::BTreeMap, path::Path};

use candle_core::{Device, Tensor, Var};

use super::{BertConfig, ModelError, files::read_shapes};
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

/// Whether a parameter's name without `bert.` begins with the parts of `prefix`.
fn begins_with(name: &str, prefix: &str) -> bool {
    let bare = name.strip_prefix("bert.").unwrap_or(name);
    bare.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Whether a parameter is named by one of the prefixes in `freeze`.
pub fn is_frozen(name: &str, freeze: &[String]) -> bool {
    freeze.iter().any(|prefix| begins_with(name, prefix))
}

/// Refuses prefixes that name nothing, and those that together leave nothing to train.
fn check_freeze(names: &[String], freeze: &[String]) -> Result<(), ModelError> {
    let refused = |message| Err(ModelError::Freeze { message });
    if let Some(unused) = freeze.iter().find(|prefix| !names.iter().any(|name| begins_with(name, prefix))) {
        return refused(format!(
            "`{unused}` names no parameter; they begin with embeddings, encoder.layer.0, pooler, classifier"
        ));
    }
    match names.iter().all(|name| is_frozen(name, freeze)) {
        true => refused("every parameter is frozen: nothing is left to train".into()),
        false => Ok(()),
    }
}

/// How the tensors of a file serve a layout.
struct Match<'a> {
    /// The layout's name → the file's.
    written: BTreeMap<&'a str, String>,
    /// Names that have to be made anew.
    made: Vec<&'a str>,
}

impl<'a> Match<'a> {
    fn new(
        layout: &'a [(String, Vec<usize>)],
        found: &BTreeMap<String, Vec<usize>>,
        labels: usize,
        path: &Path,
    ) -> Result<Self, ModelError> {
        let found: BTreeMap<String, (&String, &Vec<usize>)> =
            found.iter().map(|(name, shape)| (canonical(name), (name, shape))).collect();
        let (mut written, mut made, mut problems) = (BTreeMap::new(), Vec::new(), Vec::new());
        for (name, wanted) in layout {
            let head = name.starts_with("classifier.");
            match found.get(name) {
                Some((in_file, shape)) if *shape == wanted => drop(written.insert(name.as_str(), in_file.to_string())),
                Some((in_file, shape)) => {
                    let hint = match head {
                        true => {
                            format!("; the data has {labels} labels: give as many, or take the head out of the file")
                        }
                        false => String::new(),
                    };
                    problems.push(format!("  {in_file}: shape {shape:?}, wanted {wanted:?}{hint}"));
                }
                None if head || name.starts_with("bert.pooler.") => made.push(name.as_str()),
                None => problems.push(format!("  {name}: missing, wanted shape {wanted:?}")),
            }
        }
        match problems.is_empty() {
            true => Ok(Self { written, made }),
            false => Err(ModelError::Tensors { path: path.into(), problems: problems.join("\n") }),
        }
    }
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
        mut found: BTreeMap<String, Tensor>,
        path: &Path,
        seed: u64,
    ) -> Result<Loaded, ModelError> {
        let shapes = found.iter().map(|(name, tensor)| (name.clone(), tensor.dims().to_vec())).collect();
        let layout = layout(config, labels);
        let matched = Match::new(&layout, &shapes, labels, path)?;
        let mut tensors = BTreeMap::new();
        for (name, shape) in &layout {
            let tensor = match matched.written.get(name.as_str()).and_then(|written| found.remove(written)) {
                Some(tensor) => tensor,
                None => fresh(config, name, shape, seed)?,
            };
            tensors.insert(name.clone(), tensor);
        }
        let mut notes = Vec::new();
        if !matched.made.is_empty() {
            let names = matched.made.join(", ");
            notes.push(format!("not in the weights file, initialised from seed {seed}: {names}"));
        }
        if !found.is_empty() {
            let names: Vec<&str> = found.keys().map(String::as_str).take(3).collect();
            let more = if found.len() > 3 { ", …" } else { "" };
            notes.push(format!("{} tensors of the weights file are not used: {}{more}", found.len(), names.join(", ")));
        }
        let names = layout.into_iter().map(|(n, _)| n).collect();
        Ok(Loaded { parameters: Self { names, tensors, trainable: Vec::new() }, notes })
    }

    /// Whether the weights file fits the config, every prefix in `freeze` begins a name and every word in `no_decay` is
    /// part of one; without reading a weight.
    pub fn check(
        config: &BertConfig,
        labels: usize,
        file: Option<&Path>,
        freeze: &[String],
        no_decay: &[String],
    ) -> Result<(), ModelError> {
        let layout = layout(config, labels);
        if let Some(path) = file {
            Match::new(&layout, &read_shapes(path)?, labels, path)?;
        }
        let names: Vec<String> = layout.into_iter().map(|(name, _)| name).collect();
        if let Some(unused) = no_decay.iter().find(|part| !names.iter().any(|name| name.contains(part.as_str()))) {
            return Err(ModelError::NoDecay { word: unused.clone() });
        }
        check_freeze(&names, freeze)
    }

    /// Moves the weights to a device and makes variables of all that no prefix in `freeze` names.
    ///
    /// Prefixes are matched against names without `bert.`; one that matches nothing is an error.
    pub fn prepare(mut self, freeze: &[String], device: &Device) -> Result<Self, ModelError> {
        check_freeze(&self.names, freeze)?;
        for name in &self.names {
            let tensor = self.tensors[name].to_device(device)?;
            if is_frozen(name, freeze) {
                self.tensors.insert(name.clone(), tensor.detach());
            } else {
                let var = Var::from_tensor(&tensor)?;
                self.tensors.insert(name.clone(), var.as_tensor().clone());
                self.trainable.push((name.clone(), var));
            }
        }
        Ok(self)
    }

    /// Refuses prefixes in `freeze` that match nothing, or leave nothing to train.
    pub fn check_frozen(&self, freeze: &[String]) -> Result<(), ModelError> {
        check_freeze(&self.names, freeze)
    }

    /// The weights, by name.
    pub fn into_tensors(self) -> BTreeMap<String, Tensor> {
        self.tensors
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
}

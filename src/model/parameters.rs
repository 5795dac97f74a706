//! The named weights of a classifier: loaded, made anew, frozen.

use std::{collections::BTreeMap, path::Path};

use candle_core::{Device, Tensor, Var};

use super::{
    BertConfig, Labels, ModelError, Names, Weights,
    fit::{Entry, Fit, Said},
    weights::not_finite,
};
use crate::{
    random::{Purpose, Stream},
    warning::{Kind, Warning},
};

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
    /// What of their numbers is legal and probably a mistake.
    pub warnings: Vec<Warning>,
}

/// Name and shape of every weight.
pub(super) fn layout(c: &BertConfig, labels: usize) -> Vec<(String, Vec<usize>)> {
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

/// What the numbers of a file's tensors show.
#[derive(Default)]
struct Looked {
    /// Lines on tensors with which nothing can be computed.
    bad: Vec<String>,
    /// Tensors that let nothing of a text through.
    zero: Vec<String>,
}

impl Looked {
    /// Looks at the numbers of the parameter `name`, which is called `in_file` in the file.
    fn look(&mut self, name: &str, in_file: &str, shape: &[usize], values: &[f32]) {
        let bad = not_finite(values);
        if bad > 0 {
            let count = |n: usize| crate::format::count(n as u64);
            self.bad.push(format!("  {in_file}: {} of {} numbers", count(bad), count(values.len())));
        }
        if carries_the_text(name, shape) && values.iter().all(|value| *value == 0.0) {
            self.zero.push(in_file.into());
        }
    }

    /// What is legal and probably a mistake.
    ///
    /// # Errors
    /// [`ModelError::NotFinite`] with the tensors that hold NaN or infinity.
    fn judge(self, path: &Path) -> Result<Vec<Warning>, ModelError> {
        const SHOWN: usize = 5;
        if !self.bad.is_empty() {
            return Err(ModelError::NotFinite { path: path.into(), tensors: some_lines(&self.bad) });
        }
        let more = match self.zero.len().saturating_sub(SHOWN) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let (weights, it) = match self.zero.len() {
            1 => ("a weight of the model's file is", "it"),
            _ => ("weights of the model's file are", "them"),
        };
        let message = format!(
            "{weights} zero throughout ({}{more}): nothing of a text gets through {it}, and training may \
             never change that; a file that was not filled or a damaged copy, most likely: take another file",
            self.zero[..self.zero.len().min(SHOWN)].join(", ")
        );
        Ok((!self.zero.is_empty()).then(|| Warning::new(Kind::Model, message)).into_iter().collect())
    }
}

/// Whether all of a text goes through a parameter: where it is zero throughout, nothing of the text is left. Embeddings of positions
/// and types may be zero, and a head may begin so.
fn carries_the_text(name: &str, shape: &[usize]) -> bool {
    let is_one_of_several = ["position_embeddings.", "token_type_embeddings."].iter().any(|part| name.contains(part));
    let is_matrix = shape.len() == 2 && !is_one_of_several && !name.starts_with("classifier.");
    (is_matrix || name.ends_with("LayerNorm.weight")) && !shape.contains(&0)
}

/// The first of many lines, and how many more there are.
pub(super) fn some_lines(lines: &[String]) -> String {
    const SHOWN: usize = 20;
    match lines.len().saturating_sub(SHOWN) {
        0 => lines.join("\n"),
        more => format!("{}\n  and {more} more", lines[..SHOWN].join("\n")),
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

    /// Weights from `found` (as read from `path`); a missing pooler is made anew from `seed`, and so is a head that is missing or
    /// that is not for these `labels`: see [`Labels`].
    ///
    /// All tensors that are missing, of a wrong shape or not finite are reported at once.
    pub fn load(
        config: &BertConfig,
        labels: impl Into<Labels>,
        mut found: BTreeMap<String, Tensor>,
        path: &Path,
        seed: u64,
    ) -> Result<Loaded, ModelError> {
        let entries = found.iter().map(|(name, tensor)| (name.as_str(), Entry::Weight(tensor.dims()))).collect();
        let fit = Fit::new(config, &labels.into(), &config.names(), &entries, path)?;
        let mut looked = Looked::default();
        let loaded = Self::of(config, &fit, seed, |name, in_file| {
            let tensor = found.remove(in_file).expect("each tensor is read once");
            crate::kernels::with_f32(&tensor, |values| {
                looked.look(name, in_file, tensor.dims(), values);
                Ok(())
            })?;
            Ok(tensor)
        })?;
        Ok(Loaded { warnings: looked.judge(path)?, ..loaded })
    }

    /// The same, from a file whose tensors are read one by one.
    pub fn read(config: &BertConfig, labels: &Labels, weights: &Weights, seed: u64) -> Result<Loaded, ModelError> {
        Self::read_as(config, &Fit::of_file(config, labels, &config.names(), weights)?, weights, seed)
    }

    /// The weights of a model that this program wrote for these labels: all of them are there.
    pub fn restore(config: &BertConfig, labels: &[String], path: &Path) -> Result<Self, ModelError> {
        let weights = Weights::open(path)?;
        let fit = Fit::of_file(config, &labels.into(), &Names::Given(labels.into()), &weights)?;
        if let Some(name) = fit.fresh().next() {
            let problems = format!("  {name}: missing, or not for {} labels", labels.len());
            return Err(ModelError::Tensors { path: path.into(), problems });
        }
        Ok(Self::read_as(config, &fit, &weights, 0)?.parameters)
    }

    fn read_as(config: &BertConfig, fit: &Fit, weights: &Weights, seed: u64) -> Result<Loaded, ModelError> {
        let mut looked = Looked::default();
        let loaded = Self::of(config, fit, seed, |name, in_file| {
            let values = weights.numbers(in_file)?;
            looked.look(name, in_file, weights.shape(in_file), &values);
            Ok(Tensor::from_vec(values, weights.shape(in_file), &Device::Cpu)?)
        })?;
        Ok(Loaded { warnings: looked.judge(weights.path())?, ..loaded })
    }

    fn of(
        config: &BertConfig,
        fit: &Fit,
        seed: u64,
        mut read: impl FnMut(&str, &str) -> Result<Tensor, ModelError>,
    ) -> Result<Loaded, ModelError> {
        let mut tensors = BTreeMap::new();
        for (name, shape) in &fit.layout {
            let tensor = match fit.source(name) {
                Some(written) => read(name, written)?,
                None => fresh(config, name, shape, seed)?,
            };
            let tensor = match &fit.rows {
                Some(rows) if name.starts_with("classifier.") && fit.source(name).is_some() => {
                    let rows: Vec<u32> = rows.iter().map(|row| *row as u32).collect();
                    tensor.index_select(&Tensor::new(rows, &Device::Cpu)?, 0)?
                }
                _ => tensor,
            };
            tensors.insert(name.clone(), tensor);
        }
        let names = fit.layout.iter().map(|(name, _)| name.clone()).collect();
        let parameters = Self { names, tensors, trainable: Vec::new() };
        Ok(Loaded { parameters, notes: fit.said.notes(Some(seed)), warnings: Vec::new() })
    }

    /// Whether every prefix in `freeze` begins a parameter's name, every word in `no_decay` is part of one, and the weights
    /// file, where there is one, fits the config; without reading a number. Gives what there is to say of the file.
    pub fn check(
        config: &BertConfig,
        labels: &Labels,
        weights: Option<&Weights>,
        freeze: &[String],
        no_decay: &[String],
    ) -> Result<Said, ModelError> {
        let (layout, said) = match weights {
            Some(weights) => {
                let fit = Fit::of_file(config, labels, &config.names(), weights)?;
                (fit.layout, fit.said)
            }
            None => (layout(config, labels.len()), Said::default()),
        };
        let names: Vec<String> = layout.into_iter().map(|(name, _)| name).collect();
        if let Some(unused) = no_decay.iter().find(|part| !names.iter().any(|name| name.contains(part.as_str()))) {
            return Err(ModelError::NoDecay { word: unused.clone() });
        }
        check_freeze(&names, freeze)?;
        Ok(said)
    }

    /// Reads all numbers that a model would begin with, and refuses those that are NaN or infinite. Gives what of them is legal
    /// and probably a mistake.
    pub fn check_numbers(config: &BertConfig, labels: &Labels, weights: &Weights) -> Result<Vec<Warning>, ModelError> {
        let fit = Fit::of_file(config, labels, &config.names(), weights)?;
        let mut looked = Looked::default();
        for (name, shape) in &fit.layout {
            if let Some(in_file) = fit.source(name) {
                looked.look(name, in_file, shape, &weights.numbers(in_file)?);
            }
        }
        looked.judge(weights.path())
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

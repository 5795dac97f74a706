//! The named weights of a classifier: loading, initialisation, freezing.

use std::{collections::BTreeMap, path::Path};

use candle_core::{Device, Tensor, Var};
use rayon::prelude::*;

use super::{
    Init, Labels, ModelConfig, ModelError, ModelSpec, Module, Names, Naming, Parameter, Part, Weights,
    matching::{Entry, Fit, Said, some_lines},
    weights::not_finite,
};
use crate::{
    random::{Purpose, Stream},
    warning::{Kind, Warning},
};

/// All weights, in transformers' order and under its names.
pub struct Parameters {
    spec: ModelSpec,
    tensors: BTreeMap<String, Tensor>,
    trainable: Vec<(String, Var)>,
}

/// Weights with messages about how they were obtained.
pub struct Loaded {
    /// The weights.
    pub parameters: Parameters,
    /// One sentence each.
    pub notes: Vec<String>,
    /// Warnings about their numbers.
    pub warnings: Vec<Warning>,
}

/// FNV-1a: a separate stream of random numbers for each name, independent of the rest of the model.
fn hash(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}

/// Values that a thread draws at once.
const DRAWN_AT_ONCE: usize = 1 << 13;

/// A new weight as transformers initialises it.
fn fresh(parameter: &Parameter, seed: u64) -> Result<Tensor, ModelError> {
    let shape = parameter.shape.as_slice();
    let mut values = vec![if parameter.init == Init::Ones { 1.0f32 } else { 0.0 }; parameter.len()];
    if let Init::Normal { deviation, cutoff, zero_row } = parameter.init {
        let stream = Stream::new(seed, Purpose::Init, hash(&parameter.name), 0);
        let len = parameter.len() as u64;
        // A value depends only on its index, and so not on the threads.
        values.par_chunks_mut(DRAWN_AT_ONCE).enumerate().for_each(|(chunk, values)| {
            for (i, v) in values.iter_mut().enumerate() {
                let mut index = (chunk * DRAWN_AT_ONCE + i) as u64;
                let mut drawn = stream.normal(index);
                while cutoff.is_some_and(|cutoff| drawn.abs() > cutoff) {
                    index += len;
                    drawn = stream.normal(index);
                }
                *v = (deviation * drawn) as f32;
            }
        });
        if let Some(row) = zero_row.filter(|row| *row < shape[0]) {
            values[row * shape[1]..][..shape[1]].fill(0.0);
        }
    }
    Ok(Tensor::from_vec(values, shape, &Device::Cpu)?)
}

/// Prefixes that match nothing, or that together leave nothing to train.
fn wrong_freeze<'a>(spec: &'a ModelSpec, freeze: &'a [String]) -> impl Iterator<Item = ModelError> + 'a {
    let Naming { prefix, freezable, .. } = spec.naming();
    let names_some = |rest: &str| !rest.is_empty() && spec.parameters().iter().any(|p| p.begins_with(rest));
    let unused = freeze.iter().filter(|prefix| !spec.parameters().iter().any(|p| p.begins_with(prefix)));
    let unused = unused.map(move |unused| {
        let unused = crate::format::bounded(unused, 200);
        match unused.strip_prefix(prefix).filter(|rest| names_some(rest)) {
            Some(rest) => format!("parameter names are written without `{prefix}`; found `{unused}`, write \"{rest}\""),
            None => {
                format!("no parameter's name begins with `{unused}`; possible beginnings are, for example, {freezable}")
            }
        }
    });
    let all = spec.parameters().iter().all(|parameter| parameter.is_frozen(freeze));
    let all = all.then(|| "every parameter is frozen: nothing is left to train; remove some of the prefixes".into());
    unused.chain(all).map(|message| ModelError::Freeze { message })
}

/// Refuses prefixes that match nothing, and those that together leave nothing to train.
fn check_freeze(spec: &ModelSpec, freeze: &[String]) -> Result<(), ModelError> {
    wrong_freeze(spec, freeze).next().map_or(Ok(()), Err)
}

/// Warns of a list that exempts the weights of some norms from decay but not of others: families name them differently.
fn norms_that_decay(spec: &ModelSpec, no_decay: &[String]) -> Option<Warning> {
    let is_exempt = |p: &&Parameter| no_decay.iter().any(|word| p.name.contains(word.as_str()));
    let norms = spec.parameters().iter().filter(|p| p.module.is_norm() && p.part == Part::Weight);
    let (exempt, others): (Vec<_>, Vec<_>) = norms.partition(is_exempt);
    let (one, other) = (exempt.first()?, others.first()?);
    Some(Warning::new(
        Kind::Model,
        format!(
            "train.no_decay exempts the weight of a norm ({}), but weight decay applies to {} of the model's norms ({}, …): add a \
             word that is part of their names",
            one.name,
            others.len(),
            other.name
        ),
    ))
}

/// Findings about the numbers of a file's tensors.
#[derive(Default)]
struct NumberFindings {
    /// Lines about unusable tensors.
    bad: Vec<String>,
    /// Tensors that are all zeros, so that no text passes through them.
    zero: Vec<String>,
}

impl NumberFindings {
    /// Checks the numbers of a parameter, which is named `in_file` in the file.
    fn check_numbers_of(&mut self, parameter: &Parameter, in_file: &str, values: &[f32]) {
        let bad = not_finite(values);
        if bad > 0 {
            let count = |n: usize| crate::format::count(n as u64);
            self.bad.push(format!("  {in_file}: {} of {} numbers", count(bad), count(values.len())));
        }
        if parameter.carries_the_text() && values.iter().all(|value| *value == 0.0) {
            self.zero.push(in_file.into());
        }
    }

    /// Warnings about the findings.
    ///
    /// # Errors
    /// [`ModelError::NotFinite`] with the tensors that hold NaN or infinity.
    fn into_warnings(self, path: &Path) -> Result<Vec<Warning>, ModelError> {
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
            "{weights} zero throughout ({}{more}): no information about a text gets through {it}, and training may \
             never change that; the file was probably never filled, or is a damaged copy: use another one",
            self.zero[..self.zero.len().min(SHOWN)].join(", ")
        );
        Ok((!self.zero.is_empty()).then(|| Warning::new(Kind::Model, message)).into_iter().collect())
    }
}

impl Parameters {
    /// New weights, from `seed`.
    pub fn fresh(config: &ModelConfig, labels: usize, seed: u64) -> Result<Self, ModelError> {
        let spec = ModelSpec::new(config, labels);
        let tensors = spec.parameters().iter().map(|p| Ok((p.name.clone(), fresh(p, seed)?)));
        let tensors = tensors.collect::<Result<_, ModelError>>()?;
        Ok(Self { spec, tensors, trainable: Vec::new() })
    }

    /// Weights from `found` (as read from `path`); a missing pooler is initialised from `seed`, and so is a head that is missing or not for these
    /// `labels`: see [`Labels`].
    ///
    /// All tensors that are missing, of the wrong shape or not finite are reported at once.
    pub fn load(
        config: &ModelConfig,
        labels: impl Into<Labels>,
        mut found: BTreeMap<String, Tensor>,
        path: &Path,
        seed: u64,
    ) -> Result<Loaded, ModelError> {
        let entries = found.iter().map(|(name, tensor)| (name.as_str(), Entry::Weight(tensor.dims()))).collect();
        let fit = Fit::new(config, &labels.into(), &config.names(), &entries, path)?;
        let mut looked = NumberFindings::default();
        let loaded = Self::of(fit, seed, |parameter, in_file| {
            let tensor = found.remove(in_file).expect("each tensor is read once");
            crate::kernels::with_f32(&tensor, |values| {
                looked.check_numbers_of(parameter, in_file, values);
                Ok(())
            })?;
            Ok(tensor)
        })?;
        Ok(Loaded { warnings: looked.into_warnings(path)?, ..loaded })
    }

    /// Like the above, from a file whose tensors are read one by one.
    pub fn read(config: &ModelConfig, labels: &Labels, weights: &Weights, seed: u64) -> Result<Loaded, ModelError> {
        Self::read_as(Fit::of_file(config, labels, &config.names(), weights)?, weights, seed)
    }

    /// The weights of a model that this program wrote for these labels: all must exist.
    pub fn restore(config: &ModelConfig, labels: &[String], path: &Path) -> Result<Self, ModelError> {
        let weights = Weights::open(path)?;
        let wanted = Labels { task: config.task().unwrap_or_default(), ..labels.into() };
        let fit = Fit::of_file(config, &wanted, &Names::Given(labels.into()), &weights)?;
        if let Some(name) = fit.fresh().next() {
            let problems = format!("  {name}: missing, or not for {} labels", labels.len());
            return Err(ModelError::Tensors { path: path.into(), problems });
        }
        Ok(Self::read_as(fit, &weights, 0)?.parameters)
    }

    fn read_as(fit: Fit, weights: &Weights, seed: u64) -> Result<Loaded, ModelError> {
        let mut looked = NumberFindings::default();
        let loaded = Self::of(fit, seed, |parameter, in_file| {
            let values = weights.numbers(in_file)?;
            looked.check_numbers_of(parameter, in_file, &values);
            Ok(Tensor::from_vec(values, weights.shape(in_file), &Device::Cpu)?)
        })?;
        Ok(Loaded { warnings: looked.into_warnings(weights.path())?, ..loaded })
    }

    fn of(
        fit: Fit,
        seed: u64,
        mut read: impl FnMut(&Parameter, &str) -> Result<Tensor, ModelError>,
    ) -> Result<Loaded, ModelError> {
        let mut tensors = BTreeMap::new();
        for parameter in fit.spec.parameters() {
            let tensor = match (fit.source(&parameter.name), &fit.rows) {
                (None, _) => fresh(parameter, seed)?,
                (Some(written), Some(rows)) if parameter.module == Module::Classifier => {
                    let rows: Vec<u32> = rows.iter().map(|row| *row as u32).collect();
                    read(parameter, written)?.index_select(&Tensor::new(rows, &Device::Cpu)?, 0)?
                }
                (Some(written), _) => read(parameter, written)?,
            };
            tensors.insert(parameter.name.clone(), tensor);
        }
        let parameters = Self { spec: fit.spec, tensors, trainable: Vec::new() };
        Ok(Loaded { parameters, notes: fit.said.notes(Some(seed)), warnings: Vec::new() })
    }

    /// Checks that every prefix in `freeze` matches a parameter, every word in `no_decay` is part of a name, and the weights file, if any, fits
    /// the config, without reading numbers. Returns the messages about the file.
    pub fn check(
        config: &ModelConfig,
        labels: &Labels,
        weights: Option<&Weights>,
        freeze: &[String],
        no_decay: &[String],
    ) -> Result<Said, ModelError> {
        let (spec, mut said) = match weights {
            Some(weights) => {
                let fit = Fit::of_file(config, labels, &config.names(), weights)?;
                (fit.spec, fit.said)
            }
            None => (ModelSpec::new(config, labels.len()), Said::default()),
        };
        if let Some(wrong) = Self::wrong_names(config, labels.len(), freeze, no_decay).into_iter().next() {
            return Err(wrong);
        }
        said.warnings.extend(norms_that_decay(&spec, no_decay));
        Ok(said)
    }

    /// What is wrong with the names in `freeze` and `no_decay`: all of it. Which parameters a model has does not depend on its weights.
    pub fn wrong_names(config: &ModelConfig, labels: usize, freeze: &[String], no_decay: &[String]) -> Vec<ModelError> {
        let spec = ModelSpec::new(config, labels);
        let names_one = |word: &String| spec.parameters().iter().any(|p| p.name.contains(word.as_str()));
        let unused = no_decay.iter().filter(|word| !names_one(word));
        let unused = unused.map(|word| ModelError::NoDecay { word: crate::format::bounded(word, 200).into_owned() });
        wrong_freeze(&spec, freeze).chain(unused).collect()
    }

    /// Reads all numbers that a model would start with, and refuses NaN and infinity. Returns warnings about
    /// others.
    pub fn check_numbers(config: &ModelConfig, labels: &Labels, weights: &Weights) -> Result<Vec<Warning>, ModelError> {
        let fit = Fit::of_file(config, labels, &config.names(), weights)?;
        let mut looked = NumberFindings::default();
        for parameter in fit.spec.parameters() {
            if let Some(in_file) = fit.source(&parameter.name) {
                looked.check_numbers_of(parameter, in_file, &weights.numbers(in_file)?);
            }
        }
        looked.into_warnings(weights.path())
    }

    /// Moves the weights to a device and turns all into variables, except those named by a prefix in `freeze`.
    ///
    /// Prefixes are matched against names without the encoder's prefix (`bert.`); one that matches nothing is an error.
    pub fn prepare(mut self, freeze: &[String], device: &Device) -> Result<Self, ModelError> {
        check_freeze(&self.spec, freeze)?;
        for parameter in self.spec.parameters() {
            let name = &parameter.name;
            let tensor = self.tensors[name].to_device(device)?;
            if parameter.is_frozen(freeze) {
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
        check_freeze(&self.spec, freeze)
    }

    /// The table of parameters.
    pub fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    /// The weights, by name.
    pub fn into_tensors(self) -> BTreeMap<String, Tensor> {
        self.tensors
    }

    /// The weight of that name.
    ///
    /// # Panics
    /// If the model has no such name, which is a bug.
    pub fn get(&self, name: &str) -> Tensor {
        self.tensors[name].clone()
    }

    /// Every weight, in transformers' order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.spec.parameters().iter().map(|p| (p.name.as_str(), &self.tensors[&p.name]))
    }

    /// The weights that training changes.
    pub fn trainable(&self) -> &[(String, Var)] {
        &self.trainable
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A normal distribution cut at two deviations has 0.880 of its deviation (1 − 4φ(2) / (2Φ(2) − 1), of the variance).
    #[test]
    fn truncated_weights_stay_within_the_cutoff() {
        let config = r#"{"model_type": "modernbert", "vocab_size": 3000, "hidden_size": 32, "num_hidden_layers": 1,
            "num_attention_heads": 2, "intermediate_size": 6, "initializer_range": 0.1}"#;
        let config = ModelConfig::parse(config).expect("a config");
        let new =
            |seed| Parameters::fresh(&config, 2, seed).expect("weights").get("model.embeddings.tok_embeddings.weight");
        let values = |seed| new(seed).flatten_all().and_then(|t| t.to_vec1::<f32>()).expect("numbers");
        let (drawn, n) = (values(1), 3000.0 * 32.0);
        assert!(drawn.iter().all(|v| v.abs() <= 0.2) && drawn.iter().any(|v| v.abs() > 0.199));
        let mean = drawn.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
        let deviation = (drawn.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / n).sqrt();
        assert!(mean.abs() < 1e-3 && (deviation - 0.0880).abs() < 5e-4, "{mean} {deviation}");
        assert!(drawn == values(1) && drawn != values(2));
    }

    fn said(config: &str, no_decay: &[&str]) -> Vec<String> {
        let config = ModelConfig::parse(config).expect("a config");
        let no_decay: Vec<String> = no_decay.iter().map(|word| word.to_string()).collect();
        let said = Parameters::check(&config, &2.into(), None, &[], &no_decay).expect("it can be trained");
        said.warnings.iter().map(|warning| warning.message.clone()).collect()
    }

    /// transformers' Trainer exempts all norms; a word that matches the names of some only is probably a mistake.
    #[test]
    fn norms_that_decay_beside_others_that_do_not_are_warned_of() {
        let distilbert =
            r#"{"model_type": "distilbert", "vocab_size": 9, "dim": 8, "n_layers": 3, "n_heads": 2, "hidden_dim": 6}"#;
        let warned = said(distilbert, &["bias", "LayerNorm.weight"]);
        assert!(warned.len() == 1 && warned[0].contains("6 of the model's norms"), "{warned:?}");
        assert!(warned[0].contains("sa_layer_norm.weight"), "{warned:?}");
        for words in [&["bias"][..], &[], &["LayerNorm.weight", "layer_norm.weight"]] {
            assert!(said(distilbert, words).is_empty(), "{words:?}");
        }
        let bert = r#"{"vocab_size": 9, "hidden_size": 8, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 6}"#;
        assert!(said(bert, &["bias", "LayerNorm.weight"]).is_empty());
        assert_eq!(said(bert, &["attention.output.LayerNorm"]).len(), 1);
    }

    #[test]
    fn a_prefix_is_taken_off_only_where_the_rest_names_something() {
        let config = ModelConfig::preset(crate::source::Preset::Tiny);
        let refused = |freeze: &str| {
            let refused = Parameters::check(&config, &2.into(), None, &[freeze.to_string()], &[]);
            refused.expect_err("refused").to_string()
        };
        assert!(refused("bert.embeddings").ends_with("found `bert.embeddings`, write \"embeddings\""));
        for freeze in ["bert.", "bert.foo"] {
            assert!(
                refused(freeze).contains("; possible beginnings are, for example, embeddings"),
                "{}",
                refused(freeze)
            );
        }
    }

    #[test]
    fn positions_that_only_a_file_can_hold_are_refused_from_scratch() {
        let with = |value: bool| {
            let config = format!(
                r#"{{"model_type": "distilbert", "vocab_size": 9, "dim": 8, "n_layers": 1, "n_heads": 2, "hidden_dim": 6,
                     "sinusoidal_pos_embds": {value}}}"#
            );
            ModelConfig::parse(&config).expect("a config").check_scratch()
        };
        assert!(with(true).expect_err("refused").contains("sinusoidal_pos_embds"));
        assert_eq!(with(false), Ok(()));
    }
}

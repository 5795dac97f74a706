//! The reference: a forward pass in candle's tensors, whose gradients come from candle's tape.

use std::sync::Arc;

use candle_core::{Device, Result, Tensor};

use super::{LayerModule, ModelConfig, ModelSpec, Module, Parameters, Part};
use crate::{
    data::Batch,
    kernels::{
        Dropout,
        reference::{self, Ragged},
    },
};

/// A batch on the device.
pub struct Input {
    ids: Tensor,
    positions: Tensor,
    token_types: Tensor,
    cls: Tensor,
    all: Ragged,
    cls_only: Ragged,
    first_row: usize,
    first_token: usize,
}

impl Input {
    /// Moves a batch to the device.
    pub fn new(batch: &Batch, device: &Device) -> Result<Self> {
        let rows = batch.offsets.len() - 1;
        let keys: Arc<[u32]> = batch.offsets.as_slice().into();
        Ok(Self {
            ids: Tensor::new(batch.ids.as_slice(), device)?,
            positions: Tensor::new(batch.positions.as_slice(), device)?,
            token_types: Tensor::new(batch.token_types.as_slice(), device)?,
            cls: Tensor::new(&batch.offsets[..rows], device)?,
            all: Ragged { queries: keys.clone(), keys: keys.clone() },
            cls_only: Ragged { queries: (0..=rows as u32).collect(), keys },
            first_row: batch.first_row,
            first_token: batch.first_token,
        })
    }
}

/// Identifies the dropout masks of one optimiser step.
#[derive(Debug, Clone, Copy)]
pub struct DropoutPlan {
    /// Seed of the run's dropout.
    pub seed: u64,
    /// Number of the optimiser step.
    pub step: u64,
}

struct Linear {
    weight: Tensor,
    bias: Tensor,
}

struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
}

struct Layer {
    query: Linear,
    key: Linear,
    value: Linear,
    attention_output: Linear,
    attention_norm: LayerNorm,
    intermediate: Linear,
    output: Linear,
    output_norm: LayerNorm,
}

/// transformers' `…ForSequenceClassification` of the config's family.
pub struct Classifier {
    config: ModelConfig,
    word: Tensor,
    position: Tensor,
    token_type: Option<Tensor>,
    task: Option<Tensor>,
    embedding_norm: LayerNorm,
    projection: Option<Linear>,
    layers: Vec<Layer>,
    head_dense: Linear,
    classifier: Linear,
}

impl Classifier {
    /// A classifier that uses these weights, including later changes.
    pub fn new(config: &ModelConfig, parameters: &Parameters) -> Self {
        Self::over(config, parameters.spec(), |name| parameters.get(name))
    }

    /// The same classifier over the same weights, without gradients: nothing is kept for a backward pass.
    pub fn for_inference(config: &ModelConfig, parameters: &Parameters) -> Self {
        Self::over(config, parameters.spec(), |name| parameters.get(name).detach())
    }

    fn over(config: &ModelConfig, spec: &ModelSpec, get: impl Fn(&str) -> Tensor) -> Self {
        let part = |module: Module, part: Part| get(&spec.get(module, part).name);
        let table = |module: Module| spec.find(module, Part::Weight).map(|parameter| get(&parameter.name));
        let linear = |module: Module| Linear { weight: part(module, Part::Weight), bias: part(module, Part::Bias) };
        let norm = |module: Module| LayerNorm { weight: part(module, Part::Weight), bias: part(module, Part::Bias) };
        let layer = |i: usize| {
            let of = |module: LayerModule| Module::Layer(i, module);
            Layer {
                query: linear(of(LayerModule::Query)),
                key: linear(of(LayerModule::Key)),
                value: linear(of(LayerModule::Value)),
                attention_output: linear(of(LayerModule::AttentionOutput)),
                attention_norm: norm(of(LayerModule::AttentionNorm)),
                intermediate: linear(of(LayerModule::FfnUp)),
                output: linear(of(LayerModule::FfnDown)),
                output_norm: norm(of(LayerModule::FfnNorm)),
            }
        };
        let is_projected = spec.find(Module::EmbeddingProjection, Part::Weight).is_some();
        Self {
            word: part(Module::Words, Part::Weight),
            position: part(Module::Positions, Part::Weight),
            token_type: table(Module::TokenTypes),
            task: table(Module::Tasks),
            embedding_norm: norm(Module::EmbeddingNorm),
            projection: is_projected.then(|| linear(Module::EmbeddingProjection)),
            layers: (0..config.num_hidden_layers).map(layer).collect(),
            head_dense: linear(Module::HeadDense),
            classifier: linear(Module::Classifier),
            config: config.clone(),
        }
    }

    /// The model's shape.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// The device of the weights.
    pub fn device(&self) -> &Device {
        self.word.device()
    }

    /// Logits `[rows, labels]`. Without a dropout plan there is no dropout.
    ///
    /// The last layer computes keys and values for every token but everything else only for the `[CLS]` rows: the classifier reads
    /// nothing else, so the result is the same.
    pub fn logits(&self, input: &Input, plan: Option<DropoutPlan>) -> Result<Tensor> {
        let c = &self.config;
        let drop = |site: usize, p: f64, first_row: usize| {
            plan.and_then(|plan| Dropout::new(plan.seed, plan.step, site as u32, p, first_row))
        };
        let words = self.word.index_select(&input.ids, 0)?;
        let positions = self.position.narrow(0, c.first_position(), c.longest())?;
        let mut x = (words + positions.index_select(&input.positions, 0)?)?;
        if let Some(table) = &self.token_type {
            x = (x + table.index_select(&input.token_types, 0)?)?;
        }
        if let Some(table) = &self.task {
            x = x.broadcast_add(&table.narrow(0, 0, 1)?)?;
        }
        x = self.norm(&self.embedding_norm, &x)?;
        x = reference::dropout(&x, drop(0, c.hidden_dropout, input.first_token))?;
        if let Some(projection) = &self.projection {
            x = self.linear(projection, &x)?;
        }

        for (i, layer) in self.layers.iter().enumerate() {
            let last = i + 1 == self.layers.len();
            let (ragged, first_row) =
                if last { (&input.cls_only, input.first_row) } else { (&input.all, input.first_token) };
            let key = self.linear(&layer.key, &x)?;
            let value = self.linear(&layer.value, &x)?;
            if last {
                x = x.index_select(&input.cls, 0)?;
            }
            let query = self.linear(&layer.query, &x)?;
            let site = 1 + 3 * i;
            let dropped = drop(site, c.attention_dropout, first_row);
            let context = reference::attention(&query, &key, &value, ragged, c.num_attention_heads, dropped)?;
            let attended = self.linear(&layer.attention_output, &context)?;
            let dropped = drop(site + 1, c.hidden_dropout, first_row).filter(|_| c.family.drops_attention_output);
            let attended = reference::dropout(&attended, dropped)?;
            let x1 = self.norm(&layer.attention_norm, &(attended + &x)?)?;
            let wide = reference::activation(&self.linear(&layer.intermediate, &x1)?, c.activation)?;
            let narrow = self.linear(&layer.output, &wide)?;
            let narrow = reference::dropout(&narrow, drop(site + 2, c.hidden_dropout, first_row))?;
            x = self.norm(&layer.output_norm, &(narrow + x1)?)?;
        }
        let (site, head) = (1 + 3 * self.layers.len(), c.family.head);
        if head.drops_input {
            x = reference::dropout(&x, drop(site + 1, c.classifier_dropout, input.first_row))?;
        }
        let hidden = reference::activation(&self.linear(&self.head_dense, &x)?, head.activation)?;
        let hidden = reference::dropout(&hidden, drop(site, c.classifier_dropout, input.first_row))?;
        self.linear(&self.classifier, &hidden)
    }

    fn linear(&self, linear: &Linear, x: &Tensor) -> Result<Tensor> {
        reference::linear(x, &linear.weight, &linear.bias)
    }

    fn norm(&self, norm: &LayerNorm, x: &Tensor) -> Result<Tensor> {
        reference::layer_norm(x, &norm.weight, &norm.bias, self.config.layer_norm_eps)
    }
}

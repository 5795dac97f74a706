//! The reference: a forward pass in candle's tensors, whose gradients come from candle's tape.

use std::sync::Arc;

use candle_core::{Device, Result, Tensor};

use super::{LayerModule, ModelConfig, ModelSpec, Module, Parameters, Part, Pooling, Rotary};
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

/// Identifies the dropout masks of one optimizer step.
#[derive(Debug, Clone, Copy)]
pub struct DropoutPlan {
    /// Seed of the run's dropout.
    pub seed: u64,
    /// Number of the optimizer step.
    pub step: u64,
}

struct Linear {
    weight: Tensor,
    bias: Option<Tensor>,
}

struct LayerNorm {
    weight: Tensor,
    bias: Option<Tensor>,
}

struct Layer {
    qkv: Qkv,
    attention_output: Linear,
    /// None: identity.
    attention_norm: Option<LayerNorm>,
    intermediate: Linear,
    output: Linear,
    ffn_norm: LayerNorm,
    /// Index of the table of angles of its rotary positions.
    angles: Option<usize>,
    /// Dense layers of the queries and keys of relative positions, where they are not those of `qkv`.
    of_positions: Option<[Linear; 2]>,
}

/// The dense layers of queries, keys and values.
enum Qkv {
    Fused(Linear),
    Apart([Linear; 3]),
}

/// transformers' `…ForSequenceClassification` of the config's family.
pub struct Classifier {
    config: ModelConfig,
    /// Tables of angles of rotary positions, `[positions, head width]`.
    angles: Vec<Tensor>,
    word: Tensor,
    position: Option<Tensor>,
    token_type: Option<Tensor>,
    task: Option<Tensor>,
    embedding_norm: LayerNorm,
    projection: Option<Linear>,
    layers: Vec<Layer>,
    relative: Option<Tensor>,
    relative_norm: Option<LayerNorm>,
    final_norm: Option<LayerNorm>,
    head_dense: Linear,
    head_norm: Option<LayerNorm>,
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
        let part = |module: Module, part: Part| spec.find(module, part).map(|parameter| get(&parameter.name));
        let table = |module: Module| part(module, Part::Weight);
        let linear = |module: Module| Some(Linear { weight: table(module)?, bias: part(module, Part::Bias) });
        let norm = |module: Module| Some(LayerNorm { weight: table(module)?, bias: part(module, Part::Bias) });
        let needed = "every model has it";
        let layer = |i: usize| {
            let group = config.group_of(i);
            let of = |module: LayerModule| linear(Module::Layer(group, module));
            let apart = || [LayerModule::Query, LayerModule::Key, LayerModule::Value].map(|m| of(m).expect(needed));
            Layer {
                qkv: of(LayerModule::Qkv).map_or_else(|| Qkv::Apart(apart()), Qkv::Fused),
                attention_output: of(LayerModule::AttentionOutput).expect(needed),
                attention_norm: norm(Module::Layer(group, LayerModule::AttentionNorm)),
                intermediate: of(LayerModule::FfnUp).expect(needed),
                output: of(LayerModule::FfnDown).expect(needed),
                ffn_norm: norm(Module::Layer(group, LayerModule::FfnNorm)).expect(needed),
                angles: config.attention_of(i).angles,
                of_positions: of(LayerModule::PositionQuery).zip(of(LayerModule::PositionKey)).map(|(q, k)| [q, k]),
            }
        };
        let word = table(Module::Words).expect(needed);
        let angles = |rotary: &Rotary| -> Vec<Tensor> {
            let shape = (config.longest_computed(), config.head_width());
            let table = |table| Tensor::from_vec(rotary.angles(table, shape.0, shape.1), shape, word.device());
            (0..rotary.thetas.len()).map(|i| table(i).expect("a tensor")).collect()
        };
        Self {
            angles: config.rotary.as_ref().map_or_else(Vec::new, angles),
            word,
            position: table(Module::Positions),
            token_type: table(Module::TokenTypes),
            task: table(Module::Tasks),
            embedding_norm: norm(Module::EmbeddingNorm).expect(needed),
            projection: linear(Module::EmbeddingProjection),
            layers: (0..config.num_hidden_layers).map(layer).collect(),
            relative: table(Module::RelativePositions),
            relative_norm: norm(Module::RelativeNorm),
            final_norm: norm(Module::FinalNorm),
            head_dense: linear(Module::HeadDense).expect(needed),
            head_norm: norm(Module::HeadNorm),
            classifier: linear(Module::Classifier).expect(needed),
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
    /// Where the head reads the first token alone, the last layer computes keys and values for every token but everything else only for the
    /// `[CLS]` rows: the result is the same.
    pub fn logits(&self, input: &Input, plan: Option<DropoutPlan>) -> Result<Tensor> {
        let c = &self.config;
        let dropped = Sites { plan, first_row: input.first_row };
        let mut x = self.embed(input, plan)?;
        for (i, layer) in self.layers.iter().enumerate() {
            let only_first = i + 1 == self.layers.len() && c.pooling == Pooling::First;
            x = self.layer(i, layer, &x, input, plan, only_first)?;
        }
        if let Some(norm) = &self.final_norm {
            x = self.norm(norm, &x)?;
        }
        if c.pooling == Pooling::Mean {
            x = reference::mean_rows(&x, &input.all.keys)?;
        }
        let (site, head) = (1 + 3 * self.layers.len(), c.family.head);
        if head.drops_input {
            x = dropped.apply(&x, site + 1, c.dropout.head_input)?;
        }
        let mut hidden = reference::activation(&self.linear(&self.head_dense, &x)?, c.head_activation)?;
        if let Some(norm) = &self.head_norm {
            hidden = self.norm(norm, &hidden)?;
        }
        let hidden = dropped.apply(&hidden, site, c.dropout.head)?;
        self.linear(&self.classifier, &hidden)
    }

    /// The input of the first layer, `[tokens, hidden]`.
    fn embed(&self, input: &Input, plan: Option<DropoutPlan>) -> Result<Tensor> {
        let c = &self.config;
        let mut x = self.word.index_select(&input.ids, 0)?;
        if let Some(table) = &self.position {
            let positions = table.narrow(0, c.first_position(), c.longest())?;
            x = (x + positions.index_select(&input.positions, 0)?)?;
        }
        if let Some(table) = &self.token_type {
            x = (x + table.index_select(&input.token_types, 0)?)?;
        }
        if let Some(table) = &self.task {
            x = x.broadcast_add(&table.narrow(0, 0, 1)?)?;
        }
        x = self.norm(&self.embedding_norm, &x)?;
        x = Sites { plan, first_row: input.first_token }.apply(&x, 0, c.dropout.embedding)?;
        match &self.projection {
            Some(projection) => self.linear(projection, &x),
            None => Ok(x),
        }
    }

    /// From a layer's input to its output; with pre-norm both are residuals, before any norm.
    fn layer(
        &self,
        i: usize,
        layer: &Layer,
        x: &Tensor,
        input: &Input,
        plan: Option<DropoutPlan>,
        only_first: bool,
    ) -> Result<Tensor> {
        let (c, site) = (&self.config, 1 + 3 * i);
        let pre_norm = c.family.is_pre_norm;
        let (ragged, first_row) = match only_first {
            true => (&input.cls_only, input.first_row),
            false => (&input.all, input.first_token),
        };
        let dropped = Sites { plan, first_row };
        let before = |norm: Option<&LayerNorm>, x: &Tensor| match norm.filter(|_| pre_norm) {
            Some(norm) => self.norm(norm, x),
            None => Ok(x.clone()),
        };
        let after = |norm: Option<&LayerNorm>, x: Tensor| match norm.filter(|_| !pre_norm) {
            Some(norm) => self.norm(norm, &x),
            None => Ok(x),
        };
        let attention_norm = layer.attention_norm.as_ref();
        let normed = before(attention_norm, x)?;
        let first = |x: &Tensor| if only_first { x.index_select(&input.cls, 0) } else { Ok(x.clone()) };
        let residual = first(x)?;
        let [query, key, value] = self.qkv(layer, &first(&normed)?, &normed, input)?;
        let positions = self.positions(i, layer, plan)?;
        let row = |distance| c.relative.as_ref().expect("it has positions").row(distance) as u32;
        let relative = positions.as_ref().zip(c.relative.as_ref()).map(|(positions, relative)| reference::Relative {
            positions,
            row: &row,
            c2p: relative.c2p,
            p2c: relative.p2c,
        });
        let (heads, window, scale) = (c.num_attention_heads, c.attention_of(i).window, c.attention_scale().into());
        let probabilities = dropped.at(site, c.dropout.attention);
        let scores = reference::Scores { heads, window, scale, relative };
        let context = reference::attention(&query, &key, &value, ragged, &scores, probabilities)?;
        let attended = self.linear(&layer.attention_output, &context)?;
        let attended = dropped.apply(&attended, site + 1, c.dropout.attention_output)?;
        let x1 = after(attention_norm, (attended + residual)?)?;
        let wide = self.linear(&layer.intermediate, &before(Some(&layer.ffn_norm), &x1)?)?;
        let narrow = match c.family.is_gated {
            true => {
                let gated = dropped.apply(&reference::gated(&wide, c.activation)?, site + 2, c.dropout.ffn)?;
                self.linear(&layer.output, &gated)?
            }
            false => {
                let narrow = self.linear(&layer.output, &reference::activation(&wide, c.activation)?)?;
                dropped.apply(&narrow, site + 2, c.dropout.ffn)?
            }
        };
        after(Some(&layer.ffn_norm), (narrow + x1)?)
    }

    /// Queries, then keys of the relative positions in layer `i`, `[positions, 2 · hidden]`.
    fn positions(&self, i: usize, layer: &Layer, plan: Option<DropoutPlan>) -> Result<Option<Tensor>> {
        let Some(table) = &self.relative else { return Ok(None) };
        let table = self.relative_norm.as_ref().map_or(Ok(table.clone()), |norm| self.norm(norm, table))?;
        let site = 3 + 3 * self.layers.len() + i;
        let table = Sites { plan, first_row: 0 }.apply(&table, site, self.config.dropout.embedding)?;
        let [query, key] = match (&layer.of_positions, &layer.qkv) {
            (Some([query, key]), _) => [query, key],
            (None, Qkv::Apart([query, key, _])) => [query, key],
            (None, Qkv::Fused(_)) => unreachable!("families with relative positions have them apart"),
        };
        Tensor::cat(&[self.linear(query, &table)?, self.linear(key, &table)?], 1).map(Some)
    }

    /// Queries of the rows of `asking`, `[queries, hidden]`, and keys and values of all tokens, `[tokens, hidden]` each.
    fn qkv(&self, layer: &Layer, asking: &Tensor, x: &Tensor, input: &Input) -> Result<[Tensor; 3]> {
        let (h, heads) = (self.config.hidden_size, self.config.num_attention_heads);
        let of = |i: usize, x: &Tensor| match &layer.qkv {
            Qkv::Fused(Linear { weight, bias }) => {
                let bias = bias.as_ref().map(|bias| bias.narrow(0, i * h, h)).transpose()?;
                reference::linear(x, &weight.narrow(0, i * h, h)?, bias.as_ref())
            }
            Qkv::Apart(linears) => self.linear(&linears[i], x),
        };
        let (query, key, value) = (of(0, asking)?, of(1, x)?, of(2, x)?);
        let Some(table) = layer.angles else { return Ok([query, key, value]) };
        let angles = self.angles[table].index_select(&input.positions, 0)?;
        // First tokens alone need no rotation: their position is 0, and so is its angle.
        let is_all = asking.dim(0)? == x.dim(0)?;
        let query = if is_all { reference::rotate(&query, &angles, heads)? } else { query };
        Ok([query, reference::rotate(&key, &angles, heads)?, value])
    }

    fn linear(&self, linear: &Linear, x: &Tensor) -> Result<Tensor> {
        reference::linear(x, &linear.weight, linear.bias.as_ref())
    }

    fn norm(&self, norm: &LayerNorm, x: &Tensor) -> Result<Tensor> {
        reference::layer_norm(x, &norm.weight, norm.bias.as_ref(), self.config.layer_norm_eps)
    }
}

/// The dropout of one pass, for rows that begin with `first_row` in the step.
struct Sites {
    plan: Option<DropoutPlan>,
    first_row: usize,
}

impl Sites {
    fn at(&self, site: usize, p: f64) -> Option<Dropout> {
        self.plan.and_then(|plan| Dropout::new(plan.seed, plan.step, site as u32, p, self.first_row))
    }

    fn apply(&self, x: &Tensor, site: usize, p: f64) -> Result<Tensor> {
        reference::dropout(x, self.at(site, p))
    }
}

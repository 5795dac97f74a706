//! The offset of each parameter in the engine's one buffer of parameters.
//!
//! Queries, keys and values of a layer are contiguous, so that they are one product. The word embedding comes last: everything
//! before it has a dense gradient, at the same offset of a buffer that ends there.

use std::collections::BTreeMap;

use crate::{
    kernels::{Embedding, LayerNorm, Linear, Table},
    model::{LayerModule, ModelConfig, ModelSpec, Module, Parameter, Part},
};

/// Parameters begin at multiples of this: a cache line of f32.
const ALIGN: usize = 16;

/// A parameter and its offset.
#[derive(Debug, Clone, PartialEq)]
pub struct ParamSlot {
    /// The parameter.
    pub parameter: Parameter,
    /// Its offset in the buffer.
    pub offset: usize,
}

impl ParamSlot {
    /// The offsets of its values.
    pub fn range(&self) -> std::ops::Range<usize> {
        self.offset..self.offset + self.parameter.len()
    }
}

/// The parts of an encoder layer.
#[derive(Debug, Clone, Copy)]
pub struct Layer {
    /// Queries, keys and values: `[3 · hidden, hidden]`.
    pub qkv: Linear,
    /// Queries and keys of relative positions, where the model has them: `[2 · hidden, hidden]`, of `qkv` or their own.
    pub positions: Option<Linear>,
    /// After attention: `[hidden, hidden]`.
    pub attention_output: Linear,
    /// The norm of the sum after attention: the layer's own, with pre-norm that of the feed-forward network.
    pub norm_after_attention: LayerNorm,
    /// The feed-forward network's first map: `[intermediate, hidden]`, of a gated one `[2 · intermediate, hidden]`.
    pub ffn_up: Linear,
    /// Its second: `[hidden, intermediate]`.
    pub ffn_down: Linear,
    /// The norm of the sum after it: the layer's own, with pre-norm that of the next layer's attention, or the last one of all.
    pub norm_after_ffn: LayerNorm,
    /// Offset past the layer's last parameter; its first is the weight of `qkv`.
    pub end: usize,
}

/// The offsets of all parameters.
#[derive(Debug, Clone)]
pub struct Layout {
    /// In transformers' order.
    pub parameters: Vec<ParamSlot>,
    /// The tables.
    pub embedding: Embedding,
    /// Their norm.
    pub embedding_norm: LayerNorm,
    /// From the embedding size to the hidden size, if they differ: `[hidden, embedding size]`.
    pub projection: Option<Linear>,
    /// Relative positions, and their norm, where the model has them.
    pub relative: Option<(Table, Option<LayerNorm>)>,
    /// The encoder: its layers, of which several may have the same parameters.
    pub layers: Vec<Layer>,
    /// The head's dense layer.
    pub head_dense: Linear,
    /// The norm after its activation, in some heads.
    pub head_norm: Option<LayerNorm>,
    /// The classifier.
    pub classifier: Linear,
    /// Values before the word embedding.
    pub dense: usize,
    /// Values in all.
    pub len: usize,
}

/// Assigns offsets.
struct Allocator<'a> {
    spec: &'a ModelSpec,
    offsets: BTreeMap<&'a str, usize>,
    end: usize,
}

impl<'a> Allocator<'a> {
    /// Assigns contiguous offsets to parameters; returns the first. `None` if the model has none of them.
    fn take(&mut self, modules: &[Module], part: Part) -> Option<usize> {
        let begin = self.end.next_multiple_of(ALIGN);
        let found: Vec<&Parameter> = modules.iter().filter_map(|module| self.spec.find(*module, part)).collect();
        if found.is_empty() {
            return None;
        }
        self.end = begin;
        for parameter in found {
            self.offsets.insert(&parameter.name, self.end);
            self.end += parameter.len();
        }
        Some(begin)
    }

    fn weight(&mut self, modules: &[Module]) -> usize {
        self.take(modules, Part::Weight).expect("every module has a weight")
    }

    /// The rows and the width of a module's weight.
    fn shape(&self, module: Module) -> (usize, usize) {
        let shape = &self.spec.get(module, Part::Weight).shape;
        (shape[0], shape[1])
    }

    /// One affine map for several modules of the same shape.
    fn linear(&mut self, modules: &[Module], exact: bool) -> Linear {
        let (rows, width) = self.shape(modules[0]);
        let weight = self.weight(modules);
        Linear { weight, bias: self.take(modules, Part::Bias), out: rows * modules.len(), width, exact }
    }

    fn table(&mut self, module: Module) -> Option<Table> {
        self.spec.find(module, Part::Weight)?;
        let (rows, width) = self.shape(module);
        Some(Table { offset: self.weight(&[module]), rows, width })
    }

    fn norm(&mut self, module: Module, eps: f64) -> LayerNorm {
        let width = self.spec.get(module, Part::Weight).len();
        let weight = self.weight(&[module]);
        LayerNorm { weight, bias: self.take(&[module], Part::Bias), width, eps: eps as f32 }
    }
}

/// The norms of the sums after attention and after the feed-forward network of the layers of group `i`.
fn norms_of(config: &ModelConfig, i: usize) -> [Module; 2] {
    let of = |i, module: LayerModule| Module::Layer(i, module);
    let is_last = i + 1 == config.groups();
    match config.family.is_pre_norm {
        false => [of(i, LayerModule::AttentionNorm), of(i, LayerModule::FfnNorm)],
        true if is_last => [of(i, LayerModule::FfnNorm), Module::FinalNorm],
        true => [of(i, LayerModule::FfnNorm), of(i + 1, LayerModule::AttentionNorm)],
    }
}

impl Layout {
    /// For a classifier with these parameters.
    pub fn new(config: &ModelConfig, spec: &ModelSpec) -> Self {
        let mut a = Allocator { spec, offsets: BTreeMap::new(), end: 0 };
        let [position, token_type, task] = [Module::Positions, Module::TokenTypes, Module::Tasks].map(|m| a.table(m));
        // Rows before the first position are never read, and have no gradient.
        let first = config.first_position();
        let position = position.map(|table| Table {
            offset: table.offset + first * table.width,
            rows: table.rows - first,
            ..table
        });
        let eps = config.layer_norm_eps;
        let embedding_norm = a.norm(Module::EmbeddingNorm, eps);
        let is_projected = spec.find(Module::EmbeddingProjection, Part::Weight).is_some();
        let projection = is_projected.then(|| a.linear(&[Module::EmbeddingProjection], false));
        let relative = a.table(Module::RelativePositions);
        let relative = relative.map(|table| {
            let has_norm = spec.find(Module::RelativeNorm, Part::Weight).is_some();
            (table, has_norm.then(|| a.norm(Module::RelativeNorm, eps)))
        });
        let groups = (0..config.groups()).map(|i| {
            let of = |module: LayerModule| Module::Layer(i, module);
            let apart = [LayerModule::Query, LayerModule::Key, LayerModule::Value].map(of);
            let [after_attention, after_ffn] = norms_of(config, i);
            let qkv = match config.family.has_fused_qkv {
                true => a.linear(&[of(LayerModule::Qkv)], false),
                false => a.linear(&apart, false),
            };
            let positions = config.relative.as_ref().map(|relative| match relative.is_shared {
                true => qkv.part(0..2 * config.hidden_size),
                false => a.linear(&[LayerModule::PositionQuery, LayerModule::PositionKey].map(of), false),
            });
            Layer {
                qkv,
                positions,
                attention_output: a.linear(&[of(LayerModule::AttentionOutput)], false),
                norm_after_attention: a.norm(after_attention, eps),
                ffn_up: a.linear(&[of(LayerModule::FfnUp)], false),
                ffn_down: a.linear(&[of(LayerModule::FfnDown)], false),
                norm_after_ffn: a.norm(after_ffn, eps),
                end: a.end,
            }
        });
        let groups: Vec<Layer> = groups.collect();
        let layers = (0..config.num_hidden_layers).map(|i| groups[config.group_of(i)]).collect();
        let head_dense = a.linear(&[Module::HeadDense], true);
        let head_norm = config.family.head.has_norm.then(|| a.norm(Module::HeadNorm, eps));
        let classifier = a.linear(&[Module::Classifier], true);
        let dense = a.end;
        let word = a.table(Module::Words).expect("every model has words");
        let slot = |parameter: &Parameter| ParamSlot {
            offset: *a.offsets.get(parameter.name.as_str()).expect("every parameter has its offset"),
            parameter: parameter.clone(),
        };
        Self {
            parameters: spec.parameters().iter().map(slot).collect(),
            embedding: Embedding { word, position, token_type, task },
            embedding_norm,
            projection,
            relative,
            layers,
            head_dense,
            head_norm,
            classifier,
            dense,
            len: a.end,
        }
    }

    /// The embedding table of tokens, whose gradient is sparse.
    pub fn words(&self) -> &Parameter {
        let words = self.parameters.iter().map(|slot| &slot.parameter).find(|p| p.module == Module::Words);
        words.expect("every model has one")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_do_not_overlap() {
        let config = ModelConfig::preset(crate::source::Preset::Tiny);
        let spec = ModelSpec::new(&config, 3);
        let layout = Layout::new(&config, &spec);
        let mut ranges: Vec<_> = layout.parameters.iter().map(ParamSlot::range).collect();
        assert_eq!(ranges.len(), spec.parameters().len());
        ranges.sort_by_key(|r| r.start);
        assert!(
            ranges.windows(2).all(|r| r[0].end <= r[1].start) && ranges.last().is_some_and(|r| r.end == layout.len)
        );
        // Queries, keys and values as one product.
        let offset = |name: &str| {
            layout.parameters.iter().find(|p| p.parameter.name.ends_with(name)).expect("a parameter").offset
        };
        let (h, qkv) = (config.hidden_size, layout.layers[1].qkv);
        assert_eq!(qkv.weight + h * h, offset("layer.1.attention.self.key.weight"));
        assert_eq!(qkv.part(2 * h..3 * h).weight, offset("layer.1.attention.self.value.weight"));
        assert_eq!(qkv.part(2 * h..3 * h).bias, Some(offset("layer.1.attention.self.value.bias")));
        assert_eq!(layout.embedding.word.offset, offset("word_embeddings.weight"));
        assert!(layout.dense <= layout.embedding.word.offset);
    }
}

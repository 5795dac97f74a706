//! The offset of each parameter in the engine's one buffer of parameters.
//!
//! Queries, keys and values of a layer are contiguous, so that they are one product. The word embedding comes last: everything
//! before it has a dense gradient, at the same offset of a buffer that ends there.

use std::collections::BTreeMap;

use crate::{
    kernels::{Embedding, LayerNorm, Linear, Table},
    model::{BertConfig, Parameters},
};

/// Parameters begin at multiples of this: a cache line of f32.
const ALIGN: usize = 16;

/// A parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// transformers' name.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Where it begins in the buffer.
    pub offset: usize,
}

impl Parameter {
    /// The offsets of its values.
    pub fn range(&self) -> std::ops::Range<usize> {
        self.offset..self.offset + self.shape.iter().product::<usize>()
    }
}

/// The parts of an encoder layer.
#[derive(Debug, Clone, Copy)]
pub struct Layer {
    /// Queries, keys and values: `[3 · hidden, hidden]`.
    pub qkv: Linear,
    /// After attention: `[hidden, hidden]`.
    pub attention_output: Linear,
    /// Its norm.
    pub attention_norm: LayerNorm,
    /// The feed-forward network's first map: `[intermediate, hidden]`.
    pub ffn_up: Linear,
    /// Its second: `[hidden, intermediate]`.
    pub ffn_down: Linear,
    /// Its norm.
    pub ffn_norm: LayerNorm,
    /// Offset past the layer's last parameter; its first is the weight of `qkv`.
    pub end: usize,
}

/// The offsets of all parameters.
#[derive(Debug, Clone)]
pub struct Layout {
    /// In transformers' order.
    pub parameters: Vec<Parameter>,
    /// The tables.
    pub embedding: Embedding,
    /// Their norm.
    pub embedding_norm: LayerNorm,
    /// The encoder.
    pub layers: Vec<Layer>,
    /// The pooler.
    pub pooler: Linear,
    /// The classifier.
    pub head: Linear,
    /// Values before the word embedding.
    pub dense: usize,
    /// Values in all.
    pub len: usize,
}

/// Assigns offsets.
struct Allocator<'a> {
    shapes: BTreeMap<&'a str, &'a [usize]>,
    offsets: BTreeMap<&'a str, usize>,
    end: usize,
}

impl<'a> Allocator<'a> {
    /// Assigns contiguous offsets to parameters; returns the first.
    fn take(&mut self, names: &[String]) -> usize {
        let begin = self.end.next_multiple_of(ALIGN);
        self.end = begin;
        for name in names {
            let (name, shape) = self.shapes.get_key_value(name.as_str()).expect("a parameter of the model's layout");
            self.offsets.insert(name, self.end);
            self.end += shape.iter().product::<usize>();
        }
        begin
    }

    /// One affine map for several layers of the same width.
    fn linear(&mut self, names: &[String], exact: bool) -> Linear {
        let [weights, biases] =
            ["weight", "bias"].map(|part| names.iter().map(|n| format!("{n}.{part}")).collect::<Vec<_>>());
        let shape = self.shapes[weights[0].as_str()];
        let (out, width) = (shape[0] * names.len(), shape[1]);
        Linear { weight: self.take(&weights), bias: Some(self.take(&biases)), out, width, exact }
    }

    fn table(&mut self, name: &str) -> Table {
        let name = format!("bert.embeddings.{name}_embeddings.weight");
        let (rows, width) = (self.shapes[name.as_str()][0], self.shapes[name.as_str()][1]);
        Table { offset: self.take(&[name]), rows, width }
    }

    fn norm(&mut self, name: &str, eps: f64) -> LayerNorm {
        let [weight, bias] = ["weight", "bias"].map(|part| format!("{name}.{part}"));
        let width = self.shapes[weight.as_str()][0];
        LayerNorm { weight: self.take(&[weight]), bias: Some(self.take(&[bias])), width, eps: eps as f32 }
    }
}

impl Layout {
    /// For a classifier with these parameters.
    pub fn new(config: &BertConfig, parameters: &Parameters) -> Self {
        let all: Vec<(&str, &[usize])> = parameters.iter().map(|(name, t)| (name, t.dims())).collect();
        let mut a = Allocator { shapes: all.iter().copied().collect(), offsets: BTreeMap::new(), end: 0 };
        let (position, token_type) = (a.table("position"), a.table("token_type"));
        let eps = config.layer_norm_eps;
        let embedding_norm = a.norm("bert.embeddings.LayerNorm", eps);
        let layers = (0..config.num_hidden_layers).map(|i| {
            let name = |part: &str| format!("bert.encoder.layer.{i}.{part}");
            Layer {
                qkv: a.linear(&["query", "key", "value"].map(|n| name(&format!("attention.self.{n}"))), false),
                attention_output: a.linear(&[name("attention.output.dense")], false),
                attention_norm: a.norm(&name("attention.output.LayerNorm"), eps),
                ffn_up: a.linear(&[name("intermediate.dense")], false),
                ffn_down: a.linear(&[name("output.dense")], false),
                ffn_norm: a.norm(&name("output.LayerNorm"), eps),
                end: a.end,
            }
        });
        let layers = layers.collect();
        let pooler = a.linear(&["bert.pooler.dense".to_string()], true);
        let head = a.linear(&["classifier".to_string()], true);
        let dense = a.end;
        let word = a.table("word");
        let parameter = |(name, shape): (&str, &[usize])| Parameter {
            name: name.into(),
            shape: shape.into(),
            offset: a.offsets[name],
        };
        Self {
            parameters: all.iter().copied().map(parameter).collect(),
            embedding: Embedding { word, position: Some(position), token_type: Some(token_type) },
            embedding_norm,
            layers,
            pooler,
            head,
            dense,
            len: a.end,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_do_not_overlap() {
        let config = BertConfig::preset(crate::source::Preset::Tiny);
        let parameters = Parameters::fresh(&config, 3, 1).expect("weights");
        let layout = Layout::new(&config, &parameters);
        let mut ranges: Vec<_> = layout.parameters.iter().map(Parameter::range).collect();
        assert_eq!(ranges.len(), parameters.iter().count());
        ranges.sort_by_key(|r| r.start);
        assert!(
            ranges.windows(2).all(|r| r[0].end <= r[1].start) && ranges.last().is_some_and(|r| r.end == layout.len)
        );
        // Queries, keys and values as one product.
        let offset =
            |name: &str| layout.parameters.iter().find(|p| p.name.ends_with(name)).expect("a parameter").offset;
        let (h, qkv) = (config.hidden_size, layout.layers[1].qkv);
        assert_eq!(qkv.weight + h * h, offset("layer.1.attention.self.key.weight"));
        assert_eq!(qkv.part(2 * h..3 * h).weight, offset("layer.1.attention.self.value.weight"));
        assert_eq!(qkv.part(2 * h..3 * h).bias, Some(offset("layer.1.attention.self.value.bias")));
        assert_eq!(layout.embedding.word.offset, offset("word_embeddings.weight"));
        assert!(layout.dense <= layout.embedding.word.offset);
    }
}

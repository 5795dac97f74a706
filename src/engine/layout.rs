//! Where each parameter stands in the engine's one buffer of parameters.
//!
//! Queries, keys and values of a layer lie one after the other, so that they are one product. The words come last: everything
//! before them has a dense gradient, at the same places of a buffer that ends there.

use std::collections::BTreeMap;

use crate::{
    kernels::{Embedding, LayerNorm, Linear, Table},
    model::{BertConfig, Parameters},
};

/// Parameters begin at multiples of this: a cache line of f32.
const ALIGN: usize = 16;

/// A parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// transformers' name.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Where it begins.
    pub at: usize,
}

impl Place {
    /// Its numbers in the buffer.
    pub fn range(&self) -> std::ops::Range<usize> {
        self.at..self.at + self.shape.iter().product::<usize>()
    }
}

/// The parts of an encoder layer.
#[derive(Debug, Clone, Copy)]
pub struct Layer {
    /// Queries, keys and values: `[3 · hidden, hidden]`.
    pub qkv: Linear,
    /// After attention.
    pub attended: Linear,
    /// Its norm.
    pub attended_norm: LayerNorm,
    /// Into the feed-forward width.
    pub up: Linear,
    /// Out of it.
    pub down: Linear,
    /// Its norm.
    pub down_norm: LayerNorm,
    /// Offset past the layer's last parameter; its first is the weight of `qkv`.
    pub end: usize,
}

/// All places.
#[derive(Debug, Clone)]
pub struct Layout {
    /// In transformers' order.
    pub places: Vec<Place>,
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
    /// Numbers before the words.
    pub dense: usize,
    /// Numbers in all.
    pub len: usize,
}

/// Hands out places.
struct Allocator<'a> {
    shapes: BTreeMap<&'a str, &'a [usize]>,
    at: BTreeMap<&'a str, usize>,
    end: usize,
}

impl<'a> Allocator<'a> {
    /// Places for parameters one right after the other; tells where they begin.
    fn take(&mut self, names: &[String]) -> usize {
        let begin = self.end.next_multiple_of(ALIGN);
        self.end = begin;
        for name in names {
            let (name, shape) = self.shapes.get_key_value(name.as_str()).expect("a parameter of the model's layout");
            self.at.insert(name, self.end);
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
        let mut a = Allocator { shapes: all.iter().copied().collect(), at: BTreeMap::new(), end: 0 };
        let (position, token_type) = (a.table("position"), a.table("token_type"));
        let eps = config.layer_norm_eps;
        let embedding_norm = a.norm("bert.embeddings.LayerNorm", eps);
        let layers = (0..config.num_hidden_layers).map(|i| {
            let name = |part: &str| format!("bert.encoder.layer.{i}.{part}");
            Layer {
                qkv: a.linear(&["query", "key", "value"].map(|n| name(&format!("attention.self.{n}"))), false),
                attended: a.linear(&[name("attention.output.dense")], false),
                attended_norm: a.norm(&name("attention.output.LayerNorm"), eps),
                up: a.linear(&[name("intermediate.dense")], false),
                down: a.linear(&[name("output.dense")], false),
                down_norm: a.norm(&name("output.LayerNorm"), eps),
                end: a.end,
            }
        });
        let layers = layers.collect();
        let pooler = a.linear(&["bert.pooler.dense".to_string()], true);
        let head = a.linear(&["classifier".to_string()], true);
        let dense = a.end;
        let word = a.table("word");
        let place = |(name, shape): (&str, &[usize])| Place { name: name.into(), shape: shape.into(), at: a.at[name] };
        Self {
            places: all.iter().copied().map(place).collect(),
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
    fn every_parameter_has_a_place_of_its_own() {
        let config = BertConfig::preset("tiny").expect("a preset");
        let parameters = Parameters::fresh(&config, 3, 1).expect("weights");
        let layout = Layout::new(&config, &parameters);
        let mut ranges: Vec<_> = layout.places.iter().map(Place::range).collect();
        assert_eq!(ranges.len(), parameters.iter().count());
        ranges.sort_by_key(|r| r.start);
        assert!(
            ranges.windows(2).all(|r| r[0].end <= r[1].start) && ranges.last().is_some_and(|r| r.end == layout.len)
        );
        // Queries, keys and values as one product.
        let at = |name: &str| layout.places.iter().find(|p| p.name.ends_with(name)).expect("a place").at;
        let (h, qkv) = (config.hidden_size, layout.layers[1].qkv);
        assert_eq!(qkv.weight + h * h, at("layer.1.attention.self.key.weight"));
        assert_eq!(qkv.part(2 * h..3 * h).weight, at("layer.1.attention.self.value.weight"));
        assert_eq!(qkv.part(2 * h..3 * h).bias, Some(at("layer.1.attention.self.value.bias")));
        assert_eq!(layout.embedding.word.offset, at("word_embeddings.weight"));
        assert!(layout.dense <= layout.embedding.word.offset);
    }
}

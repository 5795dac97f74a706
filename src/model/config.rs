//! A model's shape, from Hugging Face's config.json.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{
    config_keys::{Keys, is_set},
    family::{Family, Positions},
    heads::Pooling,
    label_names::{self, Names},
    relative::Relative,
    rotary::{LayerAttention, Rotary},
};
use crate::{
    kernels::{Activation, Attention, MASK_WIDTH, Requirements},
    task::Task,
};

/// Family, shape and dropout of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelConfig {
    /// Its family: `model_type`.
    pub family: &'static Family,
    /// Rows of the word embedding.
    pub vocab_size: usize,
    /// Width of a token.
    pub hidden_size: usize,
    /// Encoder layers.
    pub num_hidden_layers: usize,
    /// Groups of layers that share their parameters; `None`: each layer has its own. See [`Self::group_of`].
    pub layer_groups: Option<usize>,
    /// Attention heads of a layer.
    pub num_attention_heads: usize,
    /// Width of the feed-forward layer.
    pub intermediate_size: usize,
    /// Width of the embeddings.
    pub embedding_size: usize,
    /// Activation of the feed-forward layer.
    pub activation: Activation,
    /// Activation of the head.
    pub head_activation: Activation,
    /// What the head reads.
    pub pooling: Pooling,
    /// Which modules have a bias.
    pub biases: Biases,
    /// Rotary positions, where the family has them.
    pub rotary: Option<Rotary>,
    /// Relative positions in attention, where the model has them.
    pub relative: Option<Relative>,
    /// Whether there is an embedding table of positions.
    pub has_position_table: bool,
    /// Positions, and rows of their embedding where there is one; see [`Self::longest`].
    pub max_position_embeddings: usize,
    /// Rows of the token type embedding; 0: there is none.
    pub type_vocab_size: usize,
    /// Rows of the task type embedding; 0: there is none.
    pub task_types: usize,
    /// Epsilon of LayerNorm, inside the root.
    pub layer_norm_eps: f64,
    /// Standard deviation of new weights.
    pub initializer_range: f64,
    /// Deviations beyond which a new weight of a truncated normal distribution is not drawn.
    pub initializer_cutoff: f64,
    /// Token whose embedding is initialised to zeros in a new model.
    pub pad_token_id: usize,
    /// Dropout probabilities.
    pub dropout: Dropouts,
    /// Every key of the file, including those that are not used here: they are written back unchanged.
    pub(super) raw: Map<String, Value>,
}

/// Dropout probabilities of the sites of a model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dropouts {
    /// The embeddings, and those of relative positions.
    pub embedding: f64,
    /// The attention probabilities.
    pub attention: f64,
    /// The output of attention.
    pub attention_output: f64,
    /// The output of the feed-forward network, or the product inside a gated one.
    pub ffn: f64,
    /// The head, before the classifier.
    pub head: f64,
    /// The head's input, in some heads.
    pub head_input: f64,
}

/// Which modules have a bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Biases {
    /// The dense layers of attention.
    pub attention: bool,
    /// Those of the feed-forward network.
    pub ffn: bool,
    /// Norms.
    pub norms: bool,
    /// The head's dense layer.
    pub head: bool,
}

/// Keys about how transformers computes with the weights of a file, or once stored them: with them it would read float32 weights as quantised,
/// or require an attention that another machine may lack. transformers' `dequantize()` leaves `quantization_config`
/// in the file.
const FOREIGN: [&str; 6] = [
    "quantization_config",
    "compression_config",
    "_attn_implementation",
    "_attn_implementation_internal",
    "attn_implementation",
    "_experts_implementation",
];

/// Keys that make transformers build a decoder, or refuse the model, where they are set: an encoder that was fine-tuned is neither.
const DECODER: [&str; 3] = ["add_cross_attention", "cross_attention_hidden_size", "is_encoder_decoder"];

impl ModelConfig {
    /// Whether taper can initialise such a model.
    ///
    /// # Errors
    /// The key that makes it impossible: something that only a weights file can provide.
    pub fn check_scratch(&self) -> Result<(), String> {
        match self.raw.get("sinusoidal_pos_embds") {
            Some(Value::Bool(true)) => {
                Err("`sinusoidal_pos_embds` is true; taper initialises learned positions: set it to false".into())
            }
            _ => Ok(()),
        }
    }

    /// The position of the first token.
    pub fn first_position(&self) -> usize {
        if self.family.positions == Positions::LearnedAfterPadding { self.pad_token_id + 1 } else { 0 }
    }

    /// Whether a dense layer projects the embeddings to the hidden size.
    pub fn projects_embeddings(&self) -> bool {
        self.family.is_always_projected || self.embedding_size != self.hidden_size
    }

    /// Groups of layers with the same parameters: as many as layers, where each has its own.
    pub fn groups(&self) -> usize {
        self.layer_groups.unwrap_or(self.num_hidden_layers)
    }

    /// The group of layer `i`, whose parameters it uses. The layers of a group follow each other.
    pub fn group_of(&self, i: usize) -> usize {
        match self.layer_groups {
            None => i,
            // In floating-point numbers, as in transformers: rounding decides where groups are of different sizes.
            Some(groups) => (i as f64 / (self.num_hidden_layers as f64 / groups as f64)) as usize,
        }
    }

    /// The last layer of a group.
    pub fn last_layer_of(&self, group: usize) -> usize {
        let layers = 0..self.num_hidden_layers;
        layers.rev().find(|i| self.group_of(*i) == group).expect("no group is empty")
    }

    /// The attention of layer `i`.
    pub fn attention_of(&self, i: usize) -> LayerAttention {
        match &self.rotary {
            None => LayerAttention { window: None, angles: None },
            Some(rotary) => rotary.layer(i),
        }
    }

    /// Tokens of the longest sequence that kernels take: tables of angles and of distances are for as many.
    pub fn longest_computed(&self) -> usize {
        self.longest().min(MASK_WIDTH)
    }

    /// Width of what the feed-forward network computes first.
    pub fn up_width(&self) -> usize {
        if self.family.is_gated { 2 * self.intermediate_size } else { self.intermediate_size }
    }

    /// The factor of attention's scores, of which relative positions are further terms.
    pub fn attention_scale(&self) -> f32 {
        let terms = self.relative.as_ref().map_or(1, Relative::terms);
        Attention::usual_scale(self.head_width() * terms)
    }

    /// Values of an attention head.
    pub fn head_width(&self) -> usize {
        self.hidden_size / self.num_attention_heads
    }

    /// Tokens of the longest sequence.
    pub fn longest(&self) -> usize {
        self.max_position_embeddings - self.first_position()
    }

    /// The sizes that a device's kernels may have limits for, with sequences of up to `longest` tokens.
    pub fn requirements(&self, longest: usize) -> Requirements {
        Requirements { norm_width: self.hidden_size.max(self.embedding_size), head_width: self.head_width(), longest }
    }

    /// Dropout probabilities by their keys in config.json.
    pub fn dropout_keys(&self) -> BTreeMap<&'static str, f64> {
        let (keys, p) = (&self.family.keys.dropout, self.dropout);
        let output = keys.attention_output.map(|key| (key, p.attention_output));
        let ffn = keys.ffn.map(|key| (key, p.ffn));
        // A key of two sites has one value, the later one here.
        let others = [(keys.embedding, p.embedding), (keys.attention, p.attention)];
        let head = [Some((keys.head.0, p.head)), keys.head_input.map(|(key, _)| (key, p.head_input))];
        output.into_iter().chain(others).chain(ffn).chain(head.into_iter().flatten()).collect()
    }

    /// The sites of dropout that the family has, with their probabilities.
    pub fn dropout_sites(&self) -> Vec<(&'static str, f64)> {
        let (keys, p) = (self.family.keys.dropout, self.dropout);
        let ffn = if self.family.is_gated { "gated product" } else { "feed-forward output" };
        let sites = [
            ("embeddings", Some(p.embedding)),
            ("relative positions", self.relative.as_ref().map(|_| p.embedding)),
            ("attention probabilities", Some(p.attention)),
            ("attention output", keys.attention_output.map(|_| p.attention_output)),
            (ffn, keys.ffn.map(|_| p.ffn)),
            ("head", Some(p.head)),
            ("head input", keys.head_input.map(|_| p.head_input)),
        ];
        sites.into_iter().filter_map(|(site, p)| Some((site, p?))).collect()
    }

    /// Sets the probability of all sites that the family has.
    pub fn set_dropout(&mut self, p: f64) {
        let keys = self.family.keys.dropout;
        let [attention_output, ffn] = [keys.attention_output, keys.ffn].map(|key| if key.is_some() { p } else { 0.0 });
        self.dropout = Dropouts { embedding: p, attention: p, attention_output, ffn, head: p, head_input: p };
    }

    /// What the model was trained to do, by its `problem_type` (absent: one label for each text); `None` if taper has no such task.
    pub fn task(&self) -> Option<Task> {
        match self.raw.get("problem_type") {
            None | Some(Value::Null) => Some(Task::default()),
            Some(name) => Task::from_problem_type(name.as_str()?),
        }
    }

    /// The config.json of a model of this task with these labels, as transformers reads it.
    pub fn to_json(&self, task: Task, labels: &[String]) -> Value {
        let mut raw = self.raw.clone();
        let ids = labels.iter().enumerate();
        raw.insert("architectures".into(), json!([self.family.classifier()]));
        raw.insert("model_type".into(), json!(self.family.model_type));
        raw.insert("problem_type".into(), json!(task.problem_type()));
        raw.insert("vocab_size".into(), json!(self.vocab_size));
        raw.extend(self.dropout_keys().into_iter().map(|(key, p)| (key.to_string(), json!(p))));
        raw.insert(
            "id2label".into(),
            ids.clone().map(|(i, l)| (i.to_string(), json!(l))).collect::<Map<_, _>>().into(),
        );
        raw.insert("label2id".into(), ids.map(|(i, l)| (l.clone(), json!(i))).collect::<Map<_, _>>().into());
        for stale in ["num_labels", "torch_dtype", "dtype"].into_iter().chain(FOREIGN).chain(self.decoder_keys()) {
            raw.remove(stale);
        }
        Value::Object(raw)
    }

    /// Keys of the file that [`Self::to_json`] leaves out since they are not true of other weights or machines.
    pub fn foreign_keys(&self) -> impl Iterator<Item = &'static str> {
        FOREIGN.into_iter().filter(|key| self.raw.contains_key(*key))
    }

    /// Keys of a decoder that the file sets, which [`Self::to_json`] leaves out.
    pub fn decoder_keys(&self) -> impl Iterator<Item = &'static str> {
        DECODER.into_iter().filter(|key| self.raw.get(*key).is_some_and(is_set))
    }

    /// Names of the labels in the file, by id; `None` if it has none.
    pub fn labels(&self) -> Option<Vec<String>> {
        match self.names() {
            Names::Given(names) => Some(names),
            Names::Default | Names::Odd(_) => None,
        }
    }

    /// Names of the labels, by id: of `id2label`, or else of `label2id`.
    pub fn names(&self) -> Names {
        label_names::names(&Keys(&self.raw))
    }

    /// Reasons in the file to doubt that a head with `rows` rows works as taper assumes: that it was trained for this task, and that `id2label`
    /// names its rows.
    pub fn doubts_of_the_head(&self, rows: usize, task: Task) -> Vec<String> {
        label_names::doubts_of_the_head(&Keys(&self.raw), rows, task)
    }
}

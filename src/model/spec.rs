//! The parameters of a model as one table: their purpose, names, shapes and initialisation.
//!
//! A config's sizes and its family's options determine the modules, the family (`family/`) their names; everything else reads this table: the
//! loader, the initialisation, `train.freeze`, the engine's layout, candle's reference and the cost model. Only families know tensor names.

use std::collections::BTreeMap;

use super::{
    ModelConfig,
    family::{InitScheme, Naming},
    module::{LayerModule, Module},
};
use crate::plan::RateGroup;

/// What a module computes, with its sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A table: weight `[rows, width]`.
    Table {
        /// Rows.
        rows: usize,
        /// Width.
        width: usize,
        /// A row that is initialised to zeros.
        zero_row: Option<usize>,
    },
    /// A dense layer: weight `[out, width]`, bias `[out]`.
    Linear {
        /// Width of its output.
        out: usize,
        /// Width of its input.
        width: usize,
        /// Whether it has a bias.
        bias: bool,
    },
    /// A norm: weight and bias `[width]`.
    Norm {
        /// Width.
        width: usize,
        /// Whether it has a bias.
        bias: bool,
    },
}

impl Kind {
    /// The tensors with their shapes and initialisation; `drawn` is that of a matrix.
    fn parts(self, drawn: Init) -> Vec<(Part, Vec<usize>, Init)> {
        let (width, bias) = match self {
            Self::Table { rows, width, .. } => return vec![(Part::Weight, vec![rows, width], drawn)],
            Self::Linear { out, bias, .. } => (out, bias),
            Self::Norm { width, bias } => (width, bias),
        };
        let weight = match self {
            Self::Linear { out, width, .. } => (Part::Weight, vec![out, width], drawn),
            _ => (Part::Weight, vec![width], Init::Ones),
        };
        std::iter::once(weight).chain(bias.then(|| (Part::Bias, vec![width], Init::Zeros))).collect()
    }

    /// The number of values of its parameters. Exact for all sizes.
    fn values(self) -> u128 {
        let wide = |n: usize| n as u128;
        match self {
            Self::Table { rows, width, .. } => wide(rows) * wide(width),
            Self::Linear { out, width, bias } => wide(out) * (wide(width) + u128::from(bias)),
            Self::Norm { width, bias } => (1 + u128::from(bias)) * wide(width),
        }
    }
}

/// A tensor of a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// The weight.
    Weight,
    /// The bias.
    Bias,
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::Weight => "weight",
            Self::Bias => "bias",
        }
    }
}

/// The initialisation of a parameter, as in transformers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Init {
    /// Normal with mean 0.
    Normal {
        /// The standard deviation.
        deviation: f64,
        /// Values beyond so many deviations are drawn again.
        cutoff: Option<f64>,
        /// The row that is zero, if the table has one.
        zero_row: Option<usize>,
    },
    /// All 0.
    Zeros,
    /// All 1.
    Ones,
}

/// A parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// The module that it belongs to.
    pub module: Module,
    /// Which tensor of the module it is.
    pub part: Part,
    /// transformers' name.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its initialisation in a new model.
    pub init: Init,
    /// The parameters that it has its learning rate in common with.
    pub rate_group: RateGroup,
    /// The prefix that `train.freeze` omits.
    prefix: &'static str,
}

impl Parameter {
    /// How many values it has.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether it has no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether one of the prefixes in `train.freeze` matches it: in whole parts, without the encoder's own prefix.
    pub fn is_frozen(&self, freeze: &[String]) -> bool {
        freeze.iter().any(|prefix| self.begins_with(prefix))
    }

    /// Whether its name without the encoder's prefix begins with the parts of `prefix`.
    pub fn begins_with(&self, prefix: &str) -> bool {
        let name = self.name.strip_prefix(self.prefix).unwrap_or(&self.name);
        name.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }

    /// Whether the whole text passes through it: if it is all zeros, nothing of the text is left. Embeddings of positions and types may be
    /// zero, and the classifier may start as zeros.
    pub fn carries_the_text(&self) -> bool {
        let is_one_of_several = matches!(
            self.module,
            Module::Positions
                | Module::TokenTypes
                | Module::Tasks
                | Module::RelativePositions
                | Module::RelativeNorm
                | Module::Layer(_, LayerModule::PositionQuery | LayerModule::PositionKey)
                | Module::Classifier
        );
        self.part == Part::Weight && !is_one_of_several && !self.is_empty()
    }
}

/// All parameters of a classifier, in transformers' order.
#[derive(Debug, Clone)]
pub struct ModelSpec {
    parameters: Vec<Parameter>,
    by_role: BTreeMap<(Module, Part), usize>,
    naming: &'static Naming,
}

impl ModelSpec {
    /// The parameters of a classifier of this shape with `labels` labels.
    pub fn new(config: &ModelConfig, labels: usize) -> Self {
        let naming = &config.family.naming;
        let layers = (0..config.groups()).flat_map(|i| layer(config, i));
        let modules =
            embeddings(config).into_iter().chain(layers).chain(after_layers(config)).chain(head(config, labels));
        let parameters: Vec<Parameter> = modules
            .flat_map(|(module, kind)| {
                let name = (config.family.name)(module);
                let rate_group = rate_group(config, module);
                kind.parts(drawn(config, module, kind)).into_iter().map(move |(part, shape, init)| Parameter {
                    module,
                    part,
                    name: format!("{name}.{}", part.name()),
                    shape,
                    init,
                    rate_group,
                    prefix: naming.prefix,
                })
            })
            .collect();
        let by_role = parameters.iter().enumerate().map(|(i, p)| ((p.module, p.part), i)).collect();
        Self { parameters, by_role, naming }
    }

    /// The number of values of such a classifier, without listing its parameters: exact for any size.
    pub fn count(config: &ModelConfig, labels: usize) -> u128 {
        let values = |modules: Vec<(Module, Kind)>| modules.into_iter().map(|(_, kind)| kind.values()).sum::<u128>();
        // Only the first layer may lack a norm.
        let others = config.groups().saturating_sub(1) as u128;
        values(embeddings(config))
            + values(layer(config, 0)) * u128::from(config.num_hidden_layers > 0)
            + values(layer(config, 1)) * others
            + values(after_layers(config))
            + values(head(config, labels))
    }

    /// Every parameter, in transformers' order.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// A module's weight or bias; `None` if the family has none.
    pub fn find(&self, module: Module, part: Part) -> Option<&Parameter> {
        self.by_role.get(&(module, part)).map(|&i| &self.parameters[i])
    }

    /// A module's weight or bias.
    ///
    /// # Panics
    /// If the family has no such parameter, which is a bug.
    pub fn get(&self, module: Module, part: Part) -> &Parameter {
        self.find(module, part).unwrap_or_else(|| panic!("no {part:?} of {module:?} in this model"))
    }

    /// The parameters of a module.
    pub fn of(&self, module: Module) -> impl Iterator<Item = &Parameter> {
        [Part::Weight, Part::Bias].into_iter().filter_map(move |part| self.find(module, part))
    }

    /// How files name the tensors.
    pub fn naming(&self) -> &'static Naming {
        self.naming
    }
}

/// The modules before the first layer.
fn embeddings(c: &ModelConfig) -> Vec<(Module, Kind)> {
    let table = |rows, zero_row| Kind::Table { rows, width: c.embedding_size, zero_row };
    let positions = if c.has_position_table { c.max_position_embeddings } else { 0 };
    let tables = [
        (Module::Words, c.vocab_size, Some(c.pad_token_id)),
        (Module::Positions, positions, c.first_position().checked_sub(1)),
        (Module::TokenTypes, c.type_vocab_size, None),
        (Module::Tasks, c.task_types, None),
    ];
    // Only the words' table may be empty: it is until the vocabulary is known.
    let tables = tables.into_iter().filter(|(module, rows, _)| *rows > 0 || *module == Module::Words);
    let mut modules: Vec<_> = tables.map(|(module, rows, zero_row)| (module, table(rows, zero_row))).collect();
    modules.push((Module::EmbeddingNorm, Kind::Norm { width: c.embedding_size, bias: c.biases.norms }));
    if c.projects_embeddings() {
        modules.push((
            Module::EmbeddingProjection,
            Kind::Linear { out: c.hidden_size, width: c.embedding_size, bias: true },
        ));
    }
    modules
}

/// The modules of a layer, or of a group of layers with the same parameters.
fn layer(c: &ModelConfig, i: usize) -> Vec<(Module, Kind)> {
    let (h, f) = (c.hidden_size, c.intermediate_size);
    let attention = |out| Kind::Linear { out, width: h, bias: c.biases.attention };
    let ffn = |out, width| Kind::Linear { out, width, bias: c.biases.ffn };
    let norm = Kind::Norm { width: h, bias: c.biases.norms };
    let qkv = match c.family.has_fused_qkv {
        true => vec![(LayerModule::Qkv, attention(3 * h))],
        false => vec![
            (LayerModule::Query, attention(h)),
            (LayerModule::Key, attention(h)),
            (LayerModule::Value, attention(h)),
        ],
    };
    let of_positions = match &c.relative {
        Some(relative) if !relative.is_shared => {
            vec![(LayerModule::PositionKey, attention(h)), (LayerModule::PositionQuery, attention(h))]
        }
        _ => Vec::new(),
    };
    let output = (LayerModule::AttentionOutput, attention(h));
    let up = (LayerModule::FfnUp, ffn(c.up_width(), h));
    let down = (LayerModule::FfnDown, ffn(h, f));
    let [attention_norm, ffn_norm] = [(LayerModule::AttentionNorm, norm), (LayerModule::FfnNorm, norm)];
    let modules: Vec<_> = match c.family.is_pre_norm {
        // The embeddings' norm takes the place of the first one.
        true => {
            let first = (i > 0).then_some(attention_norm);
            first.into_iter().chain(qkv).chain([output, ffn_norm, up, down]).collect()
        }
        false => qkv.into_iter().chain(of_positions).chain([output, attention_norm, up, down, ffn_norm]).collect(),
    };
    modules.into_iter().map(|(module, kind)| (Module::Layer(i, module), kind)).collect()
}

/// The modules of the encoder beside its layers: a norm after the last one, or what all layers read of positions.
fn after_layers(c: &ModelConfig) -> Vec<(Module, Kind)> {
    let width = c.hidden_size;
    let norm = Kind::Norm { width, bias: c.biases.norms };
    let mut modules = Vec::new();
    if c.family.is_pre_norm {
        modules.push((Module::FinalNorm, norm));
    }
    if let Some(relative) = &c.relative {
        modules.push((Module::RelativePositions, Kind::Table { rows: relative.size(), width, zero_row: None }));
        modules.extend(relative.has_norm.then_some((Module::RelativeNorm, norm)));
    }
    modules
}

/// The modules of the head.
fn head(c: &ModelConfig, labels: usize) -> Vec<(Module, Kind)> {
    let width = c.hidden_size;
    let dense = (Module::HeadDense, Kind::Linear { out: width, width, bias: c.biases.head });
    let norm = c.family.head.has_norm.then_some((Module::HeadNorm, Kind::Norm { width, bias: c.biases.norms }));
    let classifier = (Module::Classifier, Kind::Linear { out: labels, width, bias: true });
    std::iter::once(dense).chain(norm).chain([classifier]).collect()
}

/// The learning rate of a module. Where layers share their parameters, it is that of the last of them.
fn rate_group(c: &ModelConfig, module: Module) -> RateGroup {
    match module {
        Module::Layer(group, _) => RateGroup::Layer(c.last_layer_of(group)),
        module => module.rate_group(),
    }
}

/// How the matrix of a module is drawn.
fn drawn(c: &ModelConfig, module: Module, kind: Kind) -> Init {
    match c.family.init {
        InitScheme::Normal => {
            let zero_row = if let Kind::Table { zero_row, .. } = kind { zero_row } else { None };
            Init::Normal { deviation: c.initializer_range, cutoff: None, zero_row }
        }
        InitScheme::Truncated => {
            let deviation = match module {
                Module::Layer(_, LayerModule::AttentionOutput | LayerModule::FfnDown) | Module::HeadDense => {
                    c.initializer_range / (2.0 * c.num_hidden_layers as f64).sqrt()
                }
                Module::Classifier => (c.hidden_size as f64).powf(-0.5),
                _ => c.initializer_range,
            };
            Init::Normal { deviation, cutoff: Some(c.initializer_cutoff), zero_row: None }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Preset;

    #[test]
    fn the_count_is_that_of_the_listed_parameters() {
        for preset in Preset::ALL {
            let config = ModelConfig::preset(preset);
            let listed: usize = ModelSpec::new(&config, 3).parameters().iter().map(Parameter::len).sum();
            assert_eq!(ModelSpec::count(&config, 3), listed as u128, "{preset:?}");
        }
    }

    /// The published size of rbt3 is 38 million parameters; PyTorch counts 38,478,338 with two labels.
    #[test]
    fn parameters_are_those_of_the_published_model() {
        let mut config = ModelConfig::preset(Preset::Rbt3);
        config.vocab_size = 21128;
        assert_eq!(ModelSpec::count(&config, 2), 38_478_338);
    }

    fn modernbert(more: serde_json::Value) -> ModelConfig {
        let mut config = serde_json::json!({
            "model_type": "modernbert", "vocab_size": 50368, "hidden_size": 768, "intermediate_size": 1152,
            "num_hidden_layers": 22, "num_attention_heads": 12,
        });
        more.as_object().expect("an object").iter().for_each(|(key, value)| config[key] = value.clone());
        ModelConfig::parse(&config.to_string()).expect("a config")
    }

    /// transformers 5.23 counts 149,606,402 parameters of ModernBERT-base with two labels, and 17,659 of a model of one layer with all
    /// biases.
    #[test]
    fn parameters_of_modernbert_are_those_of_transformers() {
        assert_eq!(ModelSpec::count(&modernbert(serde_json::json!({})), 2), 149_606_402);
        let small = modernbert(serde_json::json!({
            "vocab_size": 50, "hidden_size": 48, "intermediate_size": 20, "num_hidden_layers": 1, "num_attention_heads": 4,
            "attention_bias": true, "mlp_bias": true, "norm_bias": true, "classifier_bias": true,
        }));
        let spec = ModelSpec::new(&small, 3);
        let listed: usize = spec.parameters().iter().map(Parameter::len).sum();
        assert_eq!((ModelSpec::count(&small, 3), listed), (17_659, 17_659));
        let names: Vec<&str> = spec.parameters().iter().map(|p| p.name.as_str()).collect();
        assert_eq!(
            names[..4],
            [
                "model.embeddings.tok_embeddings.weight",
                "model.embeddings.norm.weight",
                "model.embeddings.norm.bias",
                "model.layers.0.attn.Wqkv.weight",
            ]
        );
        assert!(!names.contains(&"model.layers.0.attn_norm.weight"), "the first layer has no norm of its own");
    }

    /// transformers 5.23 counts 11,685,122 parameters of ALBERT-base with two labels, and 6,621 of a model with two groups of layers.
    #[test]
    fn parameters_of_albert_are_those_of_transformers() {
        let of = |vocabulary: usize, [e, h, heads, f, layers, groups]: [usize; 6]| {
            let config = serde_json::json!({
                "model_type": "albert", "vocab_size": vocabulary, "embedding_size": e, "hidden_size": h, "num_attention_heads": heads,
                "intermediate_size": f, "num_hidden_layers": layers, "num_hidden_groups": groups,
            });
            ModelConfig::parse(&config.to_string()).expect("a config")
        };
        assert_eq!(ModelSpec::count(&of(30_000, [128, 768, 12, 3072, 12, 1]), 2), 11_685_122);
        let small = of(50, [7, 12, 3, 20, 5, 2]);
        let spec = ModelSpec::new(&small, 3);
        let listed: usize = spec.parameters().iter().map(Parameter::len).sum();
        assert_eq!((ModelSpec::count(&small, 3), listed), (6621, 6621));
        let output = spec.get(Module::Layer(1, LayerModule::FfnDown), Part::Bias);
        assert_eq!(output.name, "albert.encoder.albert_layer_groups.1.albert_layers.0.ffn_output.bias");
        assert_eq!(output.rate_group, RateGroup::Layer(4), "the last layer of its group");
        assert!(output.is_frozen(&["encoder.albert_layer_groups.1".into()]));
    }

    /// As `ModernBertPreTrainedModel._init_weights`.
    #[test]
    fn new_weights_of_modernbert_have_deviations_of_their_own() {
        let spec = ModelSpec::new(&modernbert(serde_json::json!({})), 2);
        let deviation = |module: Module| match spec.get(module, Part::Weight).init {
            Init::Normal { deviation, cutoff: Some(2.0), zero_row: None } => deviation,
            other => panic!("{other:?} of {module:?}"),
        };
        let of = |module: LayerModule| deviation(Module::Layer(3, module));
        let out = 0.02 / 44.0f64.sqrt();
        assert_eq!((deviation(Module::Words), of(LayerModule::Qkv), of(LayerModule::FfnUp)), (0.02, 0.02, 0.02));
        assert_eq!((of(LayerModule::AttentionOutput), of(LayerModule::FfnDown)), (out, out));
        assert_eq!((deviation(Module::HeadDense), deviation(Module::Classifier)), (out, 768.0f64.powf(-0.5)));
    }

    #[test]
    fn each_role_and_each_name_is_there_once() {
        let spec = ModelSpec::new(&ModelConfig::preset(Preset::Tiny), 2);
        let names: std::collections::BTreeSet<&str> = spec.parameters().iter().map(|p| p.name.as_str()).collect();
        assert_eq!((names.len(), spec.by_role.len()), (spec.parameters().len(), spec.parameters().len()));
        // 3 tables and a norm; 6 linear maps and 2 norms in each of 2 layers; the head's dense layer and the classifier.
        assert_eq!(spec.parameters().len(), 3 + 2 + 2 * 16 + 4);
        assert_eq!(
            spec.get(Module::Layer(1, LayerModule::FfnUp), Part::Weight).name,
            "bert.encoder.layer.1.intermediate.dense.weight"
        );
    }

    #[test]
    fn freeze_matches_whole_parts_without_the_prefix() {
        let spec = ModelSpec::new(&ModelConfig::preset(Preset::Tiny), 2);
        let query = spec.get(Module::Layer(1, LayerModule::Query), Part::Weight);
        for (prefix, expected) in [
            ("encoder", true),
            ("encoder.layer.1", true),
            ("encoder.layer.1.attention.self.query.weight", true),
            ("encoder.layer.0", false),
            ("encoder.lay", false),
            ("bert.encoder", false),
            ("classifier", false),
        ] {
            assert_eq!(query.is_frozen(&[prefix.to_string()]), expected, "{prefix}");
        }
        assert!(spec.get(Module::Classifier, Part::Bias).is_frozen(&["classifier".into()]));
    }
}

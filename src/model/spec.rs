//! The parameters of a model as one table: their purpose, names, shapes and initialisation.
//!
//! A config's sizes and its family's options determine the modules, the family (`family/`) their names; everything else reads this table: the
//! loader, the initialisation, `train.freeze`, the engine's layout, candle's reference and the cost model. Only families know tensor names.

use std::collections::BTreeMap;

use super::{
    ModelConfig,
    family::Naming,
    module::{LayerModule, Module},
};

/// What a module computes, with its sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A table: weight `[rows, width]`.
    Table {
        /// Rows.
        rows: usize,
        /// Width.
        width: usize,
        /// A row that is initialised to zeros.
        zero_row: Option<usize>,
    },
    /// An affine map: weight `[out, width]`, bias `[out]`.
    Linear {
        /// Width of its output.
        out: usize,
        /// Width of its input.
        width: usize,
    },
    /// A norm: weight and bias `[width]`.
    Norm {
        /// Width.
        width: usize,
    },
}

impl Kind {
    fn parts(self) -> Vec<(Part, Vec<usize>, Init)> {
        match self {
            Self::Table { rows, width, zero_row } => {
                vec![(Part::Weight, vec![rows, width], Init::Normal { zero_row })]
            }
            Self::Linear { out, width } => vec![
                (Part::Weight, vec![out, width], Init::Normal { zero_row: None }),
                (Part::Bias, vec![out], Init::Zeros),
            ],
            Self::Norm { width } => {
                vec![(Part::Weight, vec![width], Init::Ones), (Part::Bias, vec![width], Init::Zeros)]
            }
        }
    }

    /// The number of values of its parameters. Exact for all sizes.
    fn values(self) -> u128 {
        let wide = |n: usize| n as u128;
        match self {
            Self::Table { rows, width, .. } => wide(rows) * wide(width),
            Self::Linear { out, width } => wide(out) * wide(width) + wide(out),
            Self::Norm { width } => 2 * wide(width),
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Init {
    /// Normal with mean 0 and the config's `initializer_range` as standard deviation.
    Normal {
        /// The row that is zero, if the table has one.
        zero_row: Option<usize>,
    },
    /// All 0.
    Zeros,
    /// All 1.
    Ones,
}

/// A parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
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
        let is_one_of_several =
            matches!(self.module, Module::Positions | Module::TokenTypes | Module::Tasks | Module::Classifier);
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
    /// For a classifier of this shape with `labels` labels.
    pub fn new(config: &ModelConfig, labels: usize) -> Self {
        let naming = &config.family.naming;
        let layers = (0..config.num_hidden_layers).flat_map(|i| layer(config, i));
        let modules = embeddings(config).into_iter().chain(layers).chain(head(config, labels));
        let parameters: Vec<Parameter> = modules
            .flat_map(|(module, kind)| {
                let name = (config.family.name)(module);
                kind.parts().into_iter().map(move |(part, shape, init)| Parameter {
                    module,
                    part,
                    name: format!("{name}.{}", part.name()),
                    shape,
                    init,
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
        values(embeddings(config))
            + values(layer(config, 0)) * config.num_hidden_layers as u128
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
    let tables = [
        (Module::Words, c.vocab_size, Some(c.pad_token_id)),
        (Module::Positions, c.max_position_embeddings, c.first_position().checked_sub(1)),
        (Module::TokenTypes, c.type_vocab_size, None),
        (Module::Tasks, c.task_types, None),
    ];
    // Only the words' table may be empty: it is until the vocabulary is known.
    let tables = tables.into_iter().filter(|(module, rows, _)| *rows > 0 || *module == Module::Words);
    let mut modules: Vec<_> = tables.map(|(module, rows, zero_row)| (module, table(rows, zero_row))).collect();
    modules.push((Module::EmbeddingNorm, Kind::Norm { width: c.embedding_size }));
    if c.embedding_size != c.hidden_size {
        modules.push((Module::EmbeddingProjection, Kind::Linear { out: c.hidden_size, width: c.embedding_size }));
    }
    modules
}

/// The modules of a layer.
fn layer(c: &ModelConfig, i: usize) -> Vec<(Module, Kind)> {
    let (h, f) = (c.hidden_size, c.intermediate_size);
    let (linear, norm) = (|out, width| Kind::Linear { out, width }, Kind::Norm { width: h });
    [
        (LayerModule::Query, linear(h, h)),
        (LayerModule::Key, linear(h, h)),
        (LayerModule::Value, linear(h, h)),
        (LayerModule::AttentionOutput, linear(h, h)),
        (LayerModule::AttentionNorm, norm),
        (LayerModule::FfnUp, linear(f, h)),
        (LayerModule::FfnDown, linear(h, f)),
        (LayerModule::FfnNorm, norm),
    ]
    .map(|(module, kind)| (Module::Layer(i, module), kind))
    .into()
}

/// The modules of the head.
fn head(c: &ModelConfig, labels: usize) -> Vec<(Module, Kind)> {
    let linear = |out| Kind::Linear { out, width: c.hidden_size };
    vec![(Module::HeadDense, linear(c.hidden_size)), (Module::Classifier, linear(labels))]
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

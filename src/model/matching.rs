//! Maps the tensors of a weights file to a classifier: which is which, what is missing, and whether the head is kept.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use super::{
    Labels, ModelConfig, ModelError, ModelSpec, Module, Names, Naming, Parameter, Part, Weights,
    kept_head::{self, Kept},
    names::{canonical, is_counter, layers, prefixes},
};
use crate::warning::{Kind, Warning};

/// Messages about a weights file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// Warnings about legal but probably unintended content.
    pub warnings: Vec<Warning>,
    /// Sentences on what was kept, and what was left out.
    kept: Vec<String>,
    /// Parameters that are initialised: those missing in the file, and those in it but not used.
    missing: Vec<String>,
    unused: Vec<String>,
}

impl Said {
    /// One sentence each; with the seed of new weights, if given.
    pub fn notes(&self, seed: Option<u64>) -> Vec<String> {
        let from = seed.map_or_else(String::new, |seed| format!(" from seed {seed}"));
        let fresh = [
            (&self.missing, format!("not in the weights file, initialised{from}")),
            (&self.unused, format!("not taken from the weights file, but initialised{from}")),
        ];
        let fresh = fresh.into_iter().filter(|(names, _)| !names.is_empty());
        fresh.map(|(names, what)| format!("{what}: {}", names.join(", "))).chain(self.kept.iter().cloned()).collect()
    }
}

/// The mapping from a file's tensors to a model.
pub(super) struct Fit {
    /// Every parameter.
    pub spec: ModelSpec,
    /// The parameter's name → the file's name.
    written: BTreeMap<String, String>,
    /// The file's row for each row of the head, if the order differs.
    pub rows: Option<Vec<usize>>,
    pub said: Said,
}

/// The properties of a tensor that decide whether the file fits.
#[derive(Debug, Clone, Copy)]
pub(super) enum Entry<'a> {
    /// Floating-point numbers of this shape.
    Weight(&'a [usize]),
    /// Numbers of another type, which are not read.
    Other(&'a str),
}

/// A file's tensors, by their names in it.
pub(super) type Entries<'a> = BTreeMap<&'a str, Entry<'a>>;

/// A file's tensors by transformers' names.
#[derive(Default)]
struct Found<'a> {
    /// Among several candidates for the same weight, the one with the name most similar to transformers': the distance, its name in the file,
    /// its shape.
    weights: BTreeMap<String, (usize, &'a str, &'a [usize])>,
    /// The other candidates.
    doubled: BTreeMap<String, Vec<&'a str>>,
    /// Tensors whose numbers are not read: the name in the file and the type.
    others: BTreeMap<String, (&'a str, &'a str)>,
}

impl<'a> Found<'a> {
    fn of(naming: &Naming, entries: &Entries<'a>) -> Self {
        let mut found = Self::default();
        for (name, entry) in entries {
            let (canonical, steps) = canonical(naming, name);
            let shape = match *entry {
                Entry::Weight(shape) => shape,
                Entry::Other(dtype) => {
                    found.others.entry(canonical).or_insert((name, dtype));
                    continue;
                }
            };
            match found.weights.get(&canonical).copied() {
                None => drop(found.weights.insert(canonical, (steps, name, shape))),
                Some(before) => {
                    let this = (steps, *name, shape);
                    let (best, rest) =
                        if (steps, *name) < (before.0, before.1) { (this, before) } else { (before, this) };
                    found.weights.insert(canonical.clone(), best);
                    found.doubled.entry(canonical).or_default().push(rest.1);
                }
            }
        }
        found
    }

    fn weight(&self, name: &str) -> Option<(&'a str, &'a [usize])> {
        self.weights.get(name).map(|(_, in_file, shape)| (*in_file, *shape))
    }

    /// The error for a tensor that exists, but not with readable numbers.
    fn of_another_type(&self, name: &str) -> Option<String> {
        let (in_file, dtype) = self.others.get(name)?;
        Some(format!(
            "  {in_file}: its numbers are {dtype}, expected floating-point ones (float32, float16, bfloat16 or float64)"
        ))
    }
}

impl Fit {
    /// For the tensors of a file. `names` are the label names of the file's head.
    pub fn of_file(
        config: &ModelConfig,
        labels: &Labels,
        names: &Names,
        weights: &Weights,
    ) -> Result<Self, ModelError> {
        let shapes = weights.shapes().map(|(name, shape)| (name, Entry::Weight(shape)));
        let others = weights.others().map(|(name, dtype)| (name, Entry::Other(dtype)));
        Self::new(config, labels, names, &shapes.chain(others).collect(), weights.path())
    }

    /// For these tensors, from a file at `path`.
    ///
    /// # Errors
    /// Every tensor that is missing, has the wrong shape or an unreadable type.
    pub fn new(
        config: &ModelConfig,
        labels: &Labels,
        names: &Names,
        entries: &Entries,
        path: &Path,
    ) -> Result<Self, ModelError> {
        let mut said = Said::default();
        let spec = ModelSpec::new(config, labels.len());
        let naming = spec.naming();
        let found = Found::of(naming, entries);
        let refused = |problems: String| Err(ModelError::Tensors { path: path.into(), problems });
        let (wanted, there) = (config.groups(), layers(naming, found.weights.keys().chain(found.others.keys())));
        let (key, noun) = match config.family.keys.groups {
            Some(keys) => (keys.groups, "layer group"),
            None => ("num_hidden_layers", "layer"),
        };
        if there > 0 && there < wanted {
            let there = counted(there, noun);
            return refused(format!("  config.json's {key} is {wanted}, but the file has {there}\n  {OTHER_CONFIG}"));
        }
        if there > wanted {
            let first = if wanted == 1 { "the first one is".into() } else { format!("the first {wanted} are") };
            said.warnings.push(Warning::new(
                Kind::Model,
                format!(
                    "the weights file has {}, but config.json's {key} is {wanted}: {first} used",
                    crate::format::counted(there as u64, noun)
                ),
            ));
        }

        let (mut written, mut problems, mut missing) = (BTreeMap::new(), Vec::new(), Vec::new());
        let (mut is_quantised, mut sizes) = (false, BTreeMap::new());
        for parameter in spec.parameters() {
            let (name, wanted) = (&parameter.name, &parameter.shape);
            let is_classifier = parameter.module == Module::Classifier;
            match found.weight(name) {
                // Its shape may be that of another number of labels.
                Some(_) if is_classifier => {}
                Some((in_file, shape)) if shape == wanted.as_slice() => {
                    written.insert(name.clone(), in_file.to_string());
                }
                Some((in_file, shape)) => {
                    problems.push(format!("  {in_file}: shape {shape:?}, expected {wanted:?}"));
                    note_sizes(&mut sizes, shape, wanted);
                }
                None => match found.of_another_type(name) {
                    Some(problem) => {
                        is_quantised = true;
                        problems.push(problem);
                    }
                    None if is_classifier => {}
                    None if parameter.module.is_head() => said.missing.push(name.clone()),
                    None => missing.push(parameter),
                },
            }
        }
        if !problems.is_empty() || !missing.is_empty() {
            problems.extend(absent(naming, &missing, entries));
            let advice = match is_quantised {
                false if !sizes.is_empty() => format!("\n  {}", other_sizes(config, &sizes)),
                true => {
                    "\n  a quantised model cannot be trained: save it with floating-point weights (in transformers: \
                         model.dequantize(), then model.save_pretrained(DIR))"
                        .into()
                }
                false => String::new(),
            };
            return refused(some_lines(&problems) + &advice);
        }
        for (name, twins) in found.doubled.iter().filter(|(name, _)| written.contains_key(*name)) {
            let (used, twins) = (&written[name], twins.join(", "));
            let message =
                format!("the weights file has the same weight under several names: {used} is used, not {twins}");
            said.warnings.push(Warning::new(Kind::Model, message));
        }

        let decoder: Vec<String> = config.decoder_keys().map(|key| format!("`{key}`")).collect();
        if !decoder.is_empty() {
            let (keys, are) = (decoder.join(", "), if decoder.len() == 1 { "is" } else { "are" });
            said.kept.push(format!(
                "{keys} of config.json {are} ignored and not exported: an encoder has no cross-attention"
            ));
        }
        let foreign: Vec<String> = config.foreign_keys().map(|key| format!("`{key}`")).collect();
        if !foreign.is_empty() {
            let (keys, are) = (foreign.join(", "), if foreign.len() == 1 { "is" } else { "are" });
            said.kept.push(format!("{keys} of config.json {are} ignored and not exported: the weights are float32"));
        }

        let mut fit = Self { spec, written, rows: None, said };
        fit.take_head(config, labels, names, &found);
        fit.say_what_is_left(entries);
        Ok(fit)
    }

    /// Records the tensors of the file that are not used.
    fn say_what_is_left(&mut self, entries: &Entries) {
        let naming = self.spec.naming();
        let used: BTreeSet<&str> = self.written.values().map(String::as_str).collect();
        let is_told_or_no_matter = |name: &str| {
            let (canonical, _) = canonical(naming, name);
            self.said.unused.contains(&canonical) || is_counter(naming, &canonical)
        };
        let left: Vec<&str> =
            entries.keys().copied().filter(|name| !used.contains(name) && !is_told_or_no_matter(name)).collect();
        if !left.is_empty() {
            let more = if left.len() > 3 { ", …" } else { "" };
            let first = left[..left.len().min(3)].join(", ");
            let are = if left.len() == 1 { "is" } else { "are" };
            let count = counted(left.len(), "tensor");
            self.said.kept.push(format!("{count} of the weights file {are} not used: {first}{more}"));
        }
    }

    /// Decides on the classifier, which is kept as a whole or not.
    fn take_head(&mut self, config: &ModelConfig, labels: &Labels, names: &Names, found: &Found) {
        let [weight_name, bias_name] =
            [Part::Weight, Part::Bias].map(|part| self.spec.get(Module::Classifier, part).name.clone());
        let [weight, bias] = [&weight_name, &bias_name].map(|name| found.weight(name));
        let warn = |said: &mut Said, message| said.warnings.push(Warning::new(Kind::Model, message));
        let not_used = |said: &mut Said| {
            let names = [weight_name.clone(), bias_name.clone()];
            let (there, missing) = names.into_iter().partition::<Vec<_>, _>(|name| found.weights.contains_key(name));
            said.missing.extend(missing);
            said.unused.extend(there);
        };
        let Some((weight, shape)) = weight else {
            // A bias alone is not a head.
            return not_used(&mut self.said);
        };
        let kept = match shape {
            [rows, width] if *width == config.hidden_size && bias.is_none_or(|(_, shape)| shape == [*rows]) => {
                kept_head::kept(labels, names, *rows)
            }
            _ => {
                let bias = bias.map_or_else(String::new, |(_, shape)| format!(" and {shape:?}"));
                let wanted = [labels.len(), config.hidden_size];
                Kept::Not(format!(
                    "the classifier head in the weights file is not used: it has the shape {shape:?}{bias}, but the model needs {wanted:?}"
                ))
            }
        };
        match kept {
            Kept::Not(why) => {
                warn(&mut self.said, why);
                return not_used(&mut self.said);
            }
            Kept::ByPosition(why) => {
                warn(&mut self.said, why);
                self.said.kept.push("kept the classifier head (rows by position)".into());
            }
            Kept::AsItIs(note) => self.said.kept.push(note),
            Kept::Moved(rows, note) => {
                self.said.kept.push(note);
                self.rows = Some(rows);
            }
        }
        for doubt in config.doubts_of_the_head(shape[0], labels.task) {
            warn(&mut self.said, doubt);
        }
        self.written.insert(weight_name, weight.into());
        match bias {
            Some((bias, _)) => drop(self.written.insert(bias_name, bias.into())),
            None => self.said.missing.push(bias_name),
        }
    }

    /// The file's name of a parameter; `None` if it is initialised.
    pub fn source(&self, name: &str) -> Option<&str> {
        self.written.get(name).map(String::as_str)
    }

    /// Parameters that are initialised.
    pub fn fresh(&self) -> impl Iterator<Item = &str> {
        self.spec.parameters().iter().map(|p| p.name.as_str()).filter(|name| !self.written.contains_key(*name))
    }
}

const OTHER_CONFIG: &str = "use the config.json that was saved with these weights";

/// Sizes that config.json gives, each with those that the file has instead.
type Sizes = BTreeMap<usize, BTreeSet<usize>>;

/// Notes where a shape differs from the one that was wanted.
fn note_sizes(sizes: &mut Sizes, shape: &[usize], wanted: &[usize]) {
    if shape.len() == wanted.len() {
        for (wanted, found) in wanted.iter().zip(shape).filter(|(wanted, found)| wanted != found) {
            sizes.entry(*wanted).or_default().insert(*found);
        }
    }
}

/// Which keys of config.json do not fit the weights, where one size explains the difference, and what to do.
fn other_sizes(config: &ModelConfig, sizes: &Sizes) -> String {
    let keys = &config.family.keys;
    let embedding = keys.embedding_size.map(|(key, _)| (key, config.embedding_size));
    let known = [
        ("vocab_size", config.vocab_size),
        (keys.hidden_size, config.hidden_size),
        (keys.intermediate_size, config.intermediate_size),
        ("max_position_embeddings", config.max_position_embeddings),
        ("type_vocab_size", config.type_vocab_size),
    ];
    let mut wrong = Vec::new();
    for (wanted, found) in sizes {
        let of_key: Vec<&str> =
            known.iter().chain(&embedding).filter(|(_, size)| size == wanted).map(|(key, _)| *key).collect();
        if let (Some(found), 1, false) = (found.first(), found.len(), of_key.is_empty()) {
            wrong.push(format!("{} = {wanted}, where the weights have {found}", of_key.join(" or ")));
        }
    }
    match wrong.is_empty() {
        true => OTHER_CONFIG.into(),
        false => format!("config.json has {}: {OTHER_CONFIG}", wrong.join("; ")),
    }
}

/// A count with its noun: `2 tensors`.
fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// Messages about missing tensors: the names under which the file has them, or else the names that it has.
fn absent(naming: &Naming, missing: &[&Parameter], entries: &Entries) -> Vec<String> {
    /// The most names that are shown.
    const SHOWN: usize = 4;
    let mut open: BTreeSet<&str> = missing.iter().map(|parameter| parameter.name.as_str()).collect();
    let mut lines = Vec::new();
    let found = prefixes(naming, &open, entries.keys().copied());
    for (prefix, names) in found.iter().filter(|(_, names)| 2 * names.len() > missing.len()) {
        let first = names.values().next().copied().unwrap_or_default();
        lines.push(format!(
            "  the file has {} with the prefix `{prefix}` ({first}, …); transformers would not find them under these \
             names either: remove the prefix, in Python with {{name.removeprefix({prefix:?}): tensor for name, tensor in \
             tensors.items()}}",
            counted(names.len(), "tensor")
        ));
        open.retain(|name| !names.contains_key(*name));
    }
    let still_missing = missing.iter().filter(|parameter| open.contains(parameter.name.as_str()));
    lines.extend(still_missing.map(|p| format!("  {}: missing, expected shape {:?}", p.name, p.shape)));
    let (all, shown) = (entries.len(), entries.len().min(SHOWN));
    if found.is_empty() && all > 0 && missing.len() > all / 2 {
        let names: Vec<&str> = entries.keys().take(shown).copied().collect();
        let more = if all > shown { format!(" and {} more", all - shown) } else { String::new() };
        // Before the long list.
        lines.insert(0, format!("  the file has {}: {}{more}", counted(all, "tensor"), names.join(", ")));
    }
    lines
}

/// The first of many lines, and how many more there are.
pub(super) fn some_lines(lines: &[String]) -> String {
    const SHOWN: usize = 20;
    match lines.len().saturating_sub(SHOWN) {
        0 => lines.join("\n"),
        more => format!("{}\n  and {more} more", lines[..SHOWN].join("\n")),
    }
}

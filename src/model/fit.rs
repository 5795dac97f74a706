//! How the tensors of a weights file serve a classifier: which is which, what is missing, what becomes of the head.

use std::{collections::BTreeMap, path::Path};

use super::{
    BertConfig, Labels, ModelError, Names, Weights,
    head::{self, Kept},
    parameters::{layout, some_lines},
};
use crate::warning::{Kind, Warning};

/// What there is to say of a weights file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// What is legal and probably a mistake.
    pub warnings: Vec<Warning>,
    /// Sentences on what was kept, and on what was left out.
    kept: Vec<String>,
    /// Parameters that are initialised: not in the file, and in it but not used.
    missing: Vec<String>,
    unused: Vec<String>,
}

impl Said {
    /// One sentence each; with the seed that new weights come from, where one is given.
    pub fn notes(&self, seed: Option<u64>) -> Vec<String> {
        let from = seed.map_or_else(String::new, |seed| format!(" from seed {seed}"));
        let fresh = [
            (&self.missing, format!("not in the weights file, initialised{from}")),
            (&self.unused, format!("initialised{from}, those of the weights file are not used")),
        ];
        let fresh = fresh.into_iter().filter(|(names, _)| !names.is_empty());
        fresh.map(|(names, what)| format!("{what}: {}", names.join(", "))).chain(self.kept.iter().cloned()).collect()
    }
}

/// How the tensors of a file serve a layout.
pub(super) struct Fit {
    /// Name and shape of every parameter.
    pub layout: Vec<(String, Vec<usize>)>,
    /// The layout's name → the file's.
    written: BTreeMap<String, String>,
    /// The file's row for each row of the head, where that is another one.
    pub rows: Option<Vec<usize>>,
    pub said: Said,
}

/// Shapes of a file's tensors, by the names they have there.
type Shapes<'a> = BTreeMap<&'a str, &'a [usize]>;

/// transformers' name of a tensor that goes by one of its older or shorter names, and how far the name is from that.
fn canonical(name: &str) -> (String, usize) {
    let mut steps = 0;
    let mut take = |is: bool| {
        steps += usize::from(is);
        is
    };
    let bare = name.strip_prefix("module.");
    take(bare.is_some());
    let name = bare.unwrap_or(name);
    let is_short = ["embeddings.", "encoder.", "pooler."].iter().any(|p| name.starts_with(p));
    let name = if take(is_short) { format!("bert.{name}") } else { name.to_string() };
    let name = match name.rsplit_once('.') {
        Some((rest, "gamma")) if take(true) => format!("{rest}.weight"),
        Some((rest, "beta")) if take(true) => format!("{rest}.bias"),
        _ => name,
    };
    (name, steps)
}

/// The layers of an encoder that a file has.
fn layers<'a>(names: impl Iterator<Item = &'a String>) -> usize {
    let number = |name: &String| name.strip_prefix("bert.encoder.layer.")?.split('.').next()?.parse::<usize>().ok();
    names.filter_map(number).max().map_or(0, |last| last.saturating_add(1))
}

impl Fit {
    /// For the tensors of a file. `names` are those that the file's head has rows for.
    pub fn of_file(config: &BertConfig, labels: &Labels, names: &Names, weights: &Weights) -> Result<Self, ModelError> {
        let other = |name: &str| weights.other(name);
        Self::new(config, labels, names, &weights.shapes().collect(), &other, weights.path())
    }

    /// `other` tells the type of tensors that hold no weights.
    ///
    /// # Errors
    /// With every tensor that is missing or of a wrong shape.
    pub fn new<'a>(
        config: &BertConfig,
        labels: &Labels,
        names: &Names,
        shapes: &Shapes,
        other: &dyn Fn(&str) -> Option<&'a str>,
        path: &Path,
    ) -> Result<Self, ModelError> {
        let mut said = Said::default();
        // Of several that could be the same weight, the one whose name is nearest to transformers'.
        let mut found: BTreeMap<String, (usize, &str)> = BTreeMap::new();
        let mut doubled: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for name in shapes.keys() {
            let (canonical, steps) = canonical(name);
            let twin = found.get(&canonical).copied();
            match twin {
                None => drop(found.insert(canonical, (steps, name))),
                Some(before) => {
                    let (best, rest) =
                        if (steps, *name) < before { ((steps, *name), before.1) } else { (before, *name) };
                    found.insert(canonical.clone(), best);
                    doubled.entry(canonical).or_default().push(rest);
                }
            }
        }
        let refused = |problems: String| Err(ModelError::Tensors { path: path.into(), problems });
        let (wanted, there) = (config.num_hidden_layers, layers(found.keys()));
        if there > 0 && there < wanted {
            return refused(format!("  config.json's num_hidden_layers is {wanted}, the file has {there} layers"));
        }
        if there > wanted {
            let first = if wanted == 1 { "the first one is".into() } else { format!("the first {wanted} are") };
            said.warnings.push(Warning::new(
                Kind::Model,
                format!(
                    "the weights file has {there} layers, config.json's num_hidden_layers is {wanted}: {first} used"
                ),
            ));
        }

        let layout = layout(config, labels.len());
        let (mut written, mut problems) = (BTreeMap::new(), Vec::new());
        for (name, wanted) in layout.iter().filter(|(name, _)| !name.starts_with("classifier.")) {
            match found.get(name) {
                Some((_, in_file)) if shapes[in_file] == wanted.as_slice() => {
                    written.insert(name.clone(), in_file.to_string());
                }
                Some((_, in_file)) => {
                    problems.push(format!("  {in_file}: shape {:?}, wanted {wanted:?}", shapes[in_file]));
                }
                None => match other(name).or_else(|| other(name.trim_start_matches("bert."))) {
                    Some(dtype) => {
                        problems.push(format!("  {name}: its numbers are {dtype}, wanted floating-point ones"))
                    }
                    None if name.starts_with("bert.pooler.") => said.missing.push(name.clone()),
                    None => problems.push(format!("  {name}: missing, wanted shape {wanted:?}")),
                },
            }
        }
        if !problems.is_empty() {
            return refused(some_lines(&problems));
        }
        for (name, twins) in doubled.iter().filter(|(name, _)| written.contains_key(*name)) {
            let (used, twins) = (&written[name], twins.join(", "));
            let message =
                format!("the weights file has the same weight under several names: {used} is used, not {twins}");
            said.warnings.push(Warning::new(Kind::Model, message));
        }

        let mut fit = Self { layout, written, rows: None, said };
        fit.take_head(config, labels, names, shapes, &found);
        let used: Vec<&str> = fit.written.values().map(String::as_str).collect();
        let is_head = |name: &&str| fit.said.unused.iter().any(|unused| *unused == canonical(name).0);
        let left: Vec<&str> =
            shapes.keys().copied().filter(|name| !used.contains(name)).filter(|name| !is_head(name)).collect();
        if !left.is_empty() {
            let more = if left.len() > 3 { ", …" } else { "" };
            let first = left[..left.len().min(3)].join(", ");
            fit.said.kept.push(format!("{} tensors of the weights file are not used: {first}{more}", left.len()));
        }
        Ok(fit)
    }

    /// Decides on the head: it is kept whole or not at all.
    fn take_head(
        &mut self,
        config: &BertConfig,
        labels: &Labels,
        names: &Names,
        shapes: &Shapes,
        found: &BTreeMap<String, (usize, &str)>,
    ) {
        const HEAD: [&str; 2] = ["classifier.weight", "classifier.bias"];
        let [weight, bias] = HEAD.map(|name| found.get(name).map(|(_, in_file)| (*in_file, shapes[in_file])));
        let warn = |said: &mut Said, message| said.warnings.push(Warning::new(Kind::Model, message));
        let Some((weight, shape)) = weight else {
            // A bias alone is no head.
            let (there, missing) = HEAD.into_iter().partition::<Vec<_>, _>(|name| found.contains_key(*name));
            self.said.missing.extend(missing.into_iter().map(String::from));
            self.said.unused.extend(there.into_iter().map(String::from));
            return;
        };
        let kept = match shape {
            [rows, width] if *width == config.hidden_size && bias.is_none_or(|(_, shape)| shape == [*rows]) => {
                head::kept(labels, names, *rows)
            }
            _ => {
                let bias = bias.map_or_else(String::new, |(_, shape)| format!(" and {shape:?}"));
                let wanted = [labels.len(), config.hidden_size];
                Kept::Not(format!(
                    "the classifier head of the weights file is not used: it has the shape {shape:?}{bias}, wanted {wanted:?}"
                ))
            }
        };
        match kept {
            Kept::Not(why) => {
                warn(&mut self.said, why);
                let (there, missing) = HEAD.into_iter().partition::<Vec<_>, _>(|name| found.contains_key(*name));
                self.said.missing.extend(missing.into_iter().map(String::from));
                self.said.unused.extend(there.into_iter().map(String::from));
                return;
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
        self.written.insert(HEAD[0].into(), weight.into());
        match bias {
            Some((bias, _)) => drop(self.written.insert(HEAD[1].into(), bias.into())),
            None => self.said.missing.push(HEAD[1].into()),
        }
    }

    /// The file's name of a parameter; none where it is initialised.
    pub fn source(&self, name: &str) -> Option<&str> {
        self.written.get(name).map(String::as_str)
    }

    /// Parameters that are initialised.
    pub fn fresh(&self) -> impl Iterator<Item = &str> {
        self.layout.iter().map(|(name, _)| name.as_str()).filter(|name| !self.written.contains_key(*name))
    }
}

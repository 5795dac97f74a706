//! One layer: its values with their positions, and its interface to figment.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use figment::{
    Metadata, Profile, Provider,
    value::{Dict, Map},
};

use super::{
    check::Check,
    node::{Item, Node, Span, Table, table_to_figment},
    problem::{Fault, Location, Problem},
};

/// The origin of a layer, in order of precedence.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Origin {
    /// The table of keys.
    Default,
    /// A file, by its path from the current folder.
    File(PathBuf),
    /// An environment variable.
    Variable(String),
    /// A `--set` argument.
    Set(String),
}

/// figment's name for the chosen profile, whatever its name in the files.
pub(super) const CHOSEN: &str = "chosen";

/// The settings from one origin.
#[derive(Debug, Clone)]
pub(super) struct Layer {
    pub origin: Origin,
    /// The parsed text; all spans refer to it.
    pub text: String,
    pub root: Table,
    /// `[profile.NAME]` tables of a file.
    pub profiles: BTreeMap<String, Node>,
    /// The chosen profile, whose values override those of every file.
    pub chosen: Option<String>,
}

impl Layer {
    /// A layer without profiles.
    pub fn new(origin: Origin, text: String, root: Table) -> Self {
        Self { origin, text, root, profiles: BTreeMap::new(), chosen: None }
    }

    /// The location of `span`.
    pub fn location(&self, span: Span) -> Location {
        Location::new(self.source(), &self.text, span, matches!(self.origin, Origin::File(_)))
    }

    /// The name of the layer.
    pub fn source(&self) -> String {
        match &self.origin {
            Origin::Default => "built-in default".into(),
            Origin::File(path) => path.display().to_string(),
            Origin::Variable(name) => format!("environment variable {name}"),
            Origin::Set(_) => "--set".into(),
        }
    }

    /// A fault of this layer as a problem with its location.
    pub fn problem(&self, fault: Fault) -> Problem {
        Problem { location: Some(self.location(fault.span)), message: fault.message, help: fault.help.text() }
    }

    /// Checks everything in the layer, including profiles that are not chosen, and removes invalid values. Returns the faults, and the
    /// keys that lost their value.
    pub fn check(&mut self) -> (Vec<Fault>, Vec<String>) {
        let (folder, spell): (_, fn(&str) -> String) = match &self.origin {
            Origin::Default => (None, str::to_string),
            Origin::File(path) => (path.parent().map(Path::to_path_buf), str::to_string),
            Origin::Variable(_) => (None, super::variables::variable),
            Origin::Set(_) => (None, str::to_string),
        };
        let mut check = Check { folder: folder.as_deref(), spell, faults: Vec::new(), invalid: Default::default() };
        check.root(&mut self.root);
        for node in self.profiles.values_mut() {
            if let Item::Table(table) = &mut node.item {
                check.root(table);
            }
        }
        check.faults.sort_by_key(|fault| fault.span.start);
        (check.faults, check.invalid.into_iter().collect())
    }

    /// The effective tables, lowest first, and whether each belongs to a profile.
    pub fn tables(&self) -> impl DoubleEndedIterator<Item = (bool, &Table)> {
        let profile = self.chosen.as_ref().and_then(|name| self.profiles.get(name)).and_then(|node| match &node.item {
            Item::Table(table) => Some((true, table)),
            _ => None,
        });
        std::iter::once((false, &self.root)).chain(profile)
    }

    /// The value at a path, in the profile or outside it.
    pub fn find<S: AsRef<str>>(&self, profile: bool, path: &[S]) -> Option<&Node> {
        let (_, table) = self.tables().find(|(is_profile, _)| *is_profile == profile)?;
        let (first, rest) = path.split_first()?;
        table.get(first.as_ref())?.find(rest)
    }

    /// Removes a key of a section, in the profile or outside it; whether it was there.
    pub fn forget(&mut self, profile: bool, path: &[String]) -> bool {
        let [section, name] = path else { return false };
        let root = match profile {
            false => Some(&mut self.root),
            true => self.chosen.as_ref().and_then(|chosen| self.profiles.get_mut(chosen)).and_then(|node| {
                match &mut node.item {
                    Item::Table(table) => Some(table),
                    _ => None,
                }
            }),
        };
        match root.and_then(|root| root.get_mut(section)).map(|node| &mut node.item) {
            Some(Item::Table(table)) => table.remove(name).is_some(),
            _ => false,
        }
    }

    /// Whether figment's metadata is this layer's: each layer has unique metadata.
    fn is(&self, metadata: &Metadata) -> bool {
        *metadata == self.metadata()
    }

    /// The layer with this figment metadata.
    pub fn by_metadata<'a>(layers: &'a [Layer], metadata: &Metadata) -> Option<&'a Layer> {
        layers.iter().find(|layer| layer.is(metadata))
    }
}

/// Files and defaults belong to figment's default profile; `[profile.NAME]` to the selected profile, which overrides it; variables and
/// arguments to the global profile, which overrides both.
impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        match &self.origin {
            Origin::Default => Metadata::named("default"),
            Origin::File(path) => Metadata::from("file", path.as_path()),
            Origin::Variable(name) => Metadata::from("environment variable", name.clone()),
            Origin::Set(argument) => Metadata::from("--set", argument.clone()),
        }
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let outside = match self.origin {
            Origin::Default | Origin::File(_) => Profile::Default,
            Origin::Variable(_) | Origin::Set(_) => Profile::Global,
        };
        let profile = |is_profile| if is_profile { CHOSEN.into() } else { outside.clone() };
        Ok(self.tables().map(|(is_profile, table)| (profile(is_profile), table_to_figment(table))).collect())
    }
}

//! One layer: what it says, where, and how figment gets it.

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
    problem::{Fault, Place, Problem},
};

/// Who wrote a layer. In the order of precedence.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Writer {
    /// The table of keys.
    Default,
    /// A file, by the path it is called from the current folder.
    File(PathBuf),
    /// An environment variable.
    Variable(String),
    /// A `--set` argument.
    Set(String),
}

/// What figment calls the profile that was chosen, whatever its name in the files.
pub(super) const CHOSEN: &str = "chosen";

/// What one writer says.
#[derive(Debug, Clone)]
pub(super) struct Layer {
    pub writer: Writer,
    /// What was parsed; all spans point into it.
    pub text: String,
    pub root: Table,
    /// `[profile.NAME]` tables of a file.
    pub profiles: BTreeMap<String, Node>,
    /// The profile that counts; its values stand above those of every file.
    pub chosen: Option<String>,
}

impl Layer {
    /// A layer without profiles.
    pub fn new(writer: Writer, text: String, root: Table) -> Self {
        Self { writer, text, root, profiles: BTreeMap::new(), chosen: None }
    }

    /// Where `span` stands.
    pub fn place(&self, span: Span) -> Place {
        Place::new(self.source(), &self.text, span, matches!(self.writer, Writer::File(_)))
    }

    /// The layer by name.
    pub fn source(&self) -> String {
        match &self.writer {
            Writer::Default => "built-in default".into(),
            Writer::File(path) => path.display().to_string(),
            Writer::Variable(name) => format!("environment variable {name}"),
            Writer::Set(_) => "--set".into(),
        }
    }

    /// A fault of this layer, with its place.
    pub fn problem(&self, fault: Fault) -> Problem {
        Problem { place: Some(self.place(fault.span)), message: fault.message, help: fault.help.text() }
    }

    /// Checks all that the layer says, profiles that are not chosen too, and takes out what is wrong. Returns the
    /// faults and the keys that lost their value.
    pub fn check(&mut self) -> (Vec<Fault>, Vec<String>) {
        let (folder, spell): (_, fn(&str) -> String) = match &self.writer {
            Writer::Default => (None, str::to_string),
            Writer::File(path) => (path.parent().map(Path::to_path_buf), str::to_string),
            Writer::Variable(_) => (None, super::variables::variable),
            Writer::Set(_) => (None, str::to_string),
        };
        let mut check = Check { folder: folder.as_deref(), spell, faults: Vec::new(), spoilt: Default::default() };
        check.root(&mut self.root);
        for node in self.profiles.values_mut() {
            if let Item::Table(table) = &mut node.item {
                check.root(table);
            }
        }
        check.faults.sort_by_key(|fault| fault.span.start);
        (check.faults, check.spoilt.into_iter().collect())
    }

    /// The tables that count, lowest first, and whether each is a profile's.
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

    /// What figment knows it by: each layer's is its own.
    fn is(&self, metadata: &Metadata) -> bool {
        *metadata == self.metadata()
    }

    /// The layer that figment's metadata stand for.
    pub fn by_metadata<'a>(layers: &'a [Layer], metadata: &Metadata) -> Option<&'a Layer> {
        layers.iter().find(|layer| layer.is(metadata))
    }
}

/// Files and defaults speak for figment's default profile; `[profile.NAME]` for the one that is selected, which figment
/// puts above it; variables and arguments for the global one, which it puts above both.
impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        match &self.writer {
            Writer::Default => Metadata::named("default"),
            Writer::File(path) => Metadata::from("file", path.as_path()),
            Writer::Variable(name) => Metadata::from("environment variable", name.clone()),
            Writer::Set(argument) => Metadata::from("--set", argument.clone()),
        }
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let outside = match self.writer {
            Writer::Default | Writer::File(_) => Profile::Default,
            Writer::Variable(_) | Writer::Set(_) => Profile::Global,
        };
        let profile = |is_profile| if is_profile { CHOSEN.into() } else { outside.clone() };
        Ok(self.tables().map(|(is_profile, table)| (profile(is_profile), table_to_figment(table))).collect())
    }
}

//! The cards of models and datasets that are at hand.

use std::{io::Read, path::Path};

use super::{Settings, Use, hub::Hub, modelscope::ModelScope, named_splits::CARD, repository::Repository};
use crate::{plan::Source, regular};

/// No card is longer, in bytes.
const LONGEST: u64 = 1 << 20;

/// The README.md of a source: in its folder, or in the cache of its repository. `None` if there is no copy; nothing is asked of a server.
pub fn card_at_hand(settings: &Settings, used_as: Use, source: &Source) -> Option<String> {
    let of = |repository: &dyn Repository, revision: Option<&str>| {
        let folders = match revision {
            Some(revision) => repository.folders(revision),
            None => repository.cached().into_iter().map(|snapshot| snapshot.folder).collect(),
        };
        folders.iter().find_map(|folder| read(folder))
    };
    match source {
        Source::Path(folder) => read(folder),
        Source::Hub(named) => of(&Hub::new(settings, used_as, named).ok()?, named.revision.as_deref()),
        Source::ModelScope(named) => of(&ModelScope::new(settings, used_as, named).ok()?, named.revision.as_deref()),
        Source::Scratch(_) | Source::Web(_) => None,
    }
}

fn read(folder: &Path) -> Option<String> {
    let file = folder.is_dir().then(|| regular::open(&folder.join(CARD)).ok())??;
    let mut text = String::new();
    file.take(LONGEST).read_to_string(&mut text).ok()?;
    Some(text)
}

//! Looks for new files of models, and replaces the models.

use std::sync::Arc;

use super::{
    Happening, Limits, Listener,
    files::{Digests, Files},
    models::Model,
};

/// Looks after one model.
pub struct Watch {
    model: Arc<Model>,
    /// The files that the model was loaded from, or that could not be loaded.
    known: Files,
    /// The digests of the files that the model was loaded from.
    digests: Digests,
    /// Other files at the last look.
    seen: Option<Files>,
}

impl Watch {
    /// Watches the files of a model that was just loaded.
    pub fn new(model: Arc<Model>) -> Self {
        let (known, digests) = model.first.clone();
        Self { model, known, digests, seen: None }
    }

    /// Replaces the model if its files are other ones than before, and the same as at the last look: somebody may still be writing them.
    pub fn look(&mut self, limits: &Limits, listener: &Listener) {
        let now = Files::now(&self.model.origin.folder);
        if now == self.known {
            self.seen = None;
        } else if self.seen.as_ref() == Some(&now) {
            self.seen = None;
            self.replace(now, limits, listener);
        } else {
            self.seen = Some(now);
        }
    }

    fn replace(&mut self, now: Files, limits: &Limits, listener: &Listener) {
        let name = self.model.origin.name.clone();
        let replaced = now.digests().and_then(|digests| {
            if self.digests == digests {
                return Ok(None);
            }
            self.model.replace(digests.weights.clone(), &now, (limits, listener))?;
            Ok(Some(digests))
        });
        // Also if they cannot be used: that is said once.
        self.known = now;
        match replaced {
            Ok(None) => {}
            Ok(Some(digests)) => {
                let sha256 = digests.weights.clone();
                self.digests = digests;
                self.model.meters.reloaded(true);
                listener(Happening::Reloaded { model: name, sha256 });
            }
            Err(error) => {
                self.model.meters.reloaded(false);
                listener(Happening::Kept { model: name, why: error.to_string() });
            }
        }
    }
}

//! The target of a row: what a model should predict for it.

/// What a model should predict for a row. Each [`super::Task`] has its variant. Code that needs a label destructures the target, so
/// that the compiler points at it when a task is added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Target {
    /// The id of the one label that the text belongs to.
    Label(u32),
}

impl Target {
    /// How it is shown: `labels` has the name of each id.
    ///
    /// # Panics
    /// If `labels` has no such id.
    pub fn shown(self, labels: &[String]) -> &str {
        let Self::Label(id) = self;
        &labels[id as usize]
    }
}

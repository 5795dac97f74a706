//! `--lang`: the language of a page.

use clap::ValueEnum;
use taper::report::Language;

/// A language of reports, by its code (ISO 639).
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Lang {
    /// English
    En,
    /// Chinese (simplified)
    Zh,
}

impl Lang {
    /// The language; English if none is named.
    pub fn language(lang: Option<Self>) -> Language {
        match lang {
            None | Some(Self::En) => Language::English,
            Some(Self::Zh) => Language::Chinese,
        }
    }
}

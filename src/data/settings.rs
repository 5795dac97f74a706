//! What is said about the layout of a data file.

use std::fmt;

use super::{DataConfig, Format, OfRun};
use crate::plan::{Delimiter, Quoting, TextEncoding};

/// What is said about a file's layout, and by what: messages name the settings as their reader can set them.
#[derive(Debug, Clone, Default)]
pub struct Layout {
    /// Its format; by ending and content where absent.
    pub format: Option<Format>,
    /// Its encoding; by its bytes where absent.
    pub encoding: Option<TextEncoding>,
    /// The sheet of a workbook; the first where absent.
    pub sheet: Option<String>,
    /// What separates fields; by format and header where absent.
    pub delimiter: Option<Delimiter>,
    /// What quotes mean.
    pub quoting: Quoting,
    /// Values that mean that there is none, besides empty ones.
    pub missing: Vec<String>,
    /// What applies to the file where nothing is said about it here, if it fits.
    pub of_run: OfRun,
    /// What the settings are called.
    pub wording: Wording,
}

impl From<&DataConfig> for Layout {
    fn from(config: &DataConfig) -> Self {
        let DataConfig { format, encoding, delimiter, quoting, .. } = *config;
        let (sheet, missing) = (config.sheet.clone(), config.missing.clone());
        let of_run = OfRun::default();
        Self { format, encoding, sheet, delimiter, quoting, missing, of_run, wording: Wording::Keys }
    }
}

/// What names a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedBy {
    /// In words: `data.text_column names`.
    pub words: String,
    /// The key of a spec, if it is one: `data.text_column`.
    pub key: Option<String>,
}

impl fmt::Display for NamedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

/// What settings are called in messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Wording {
    /// Keys of a spec: `data.text_column`.
    #[default]
    Keys,
    /// Options of a command: `--text-column`.
    Options,
    /// The same where the columns are those that a run was trained with, unless an option names another.
    Run {
        /// Whether the column of the texts is the run's.
        text: bool,
        /// Whether that of the second texts is.
        text_pair: bool,
        /// Whether that of the targets is.
        label: bool,
        /// The option that names that of the targets, without its dashes.
        label_option: &'static str,
    },
}

impl Wording {
    /// A setting.
    pub(super) fn name(self, key: &str) -> String {
        match self {
            Self::Keys => format!("data.{key}"),
            Self::Run { text: true, .. } if matches!(key, "text_column" | "text_columns") => {
                Self::of_run("text_column")
            }
            Self::Run { text_pair: true, .. } if key == "text_pair_column" => Self::of_run(key),
            Self::Run { label: true, label_option, .. } if matches!(key, "label_column" | "label_columns") => {
                Self::of_run(label_option)
            }
            // There is no option for several.
            Self::Run { label_option, .. } if matches!(key, "label_column" | "label_columns") => {
                format!("--{label_option}")
            }
            Self::Options if key == "label_columns" => "--label-column".into(),
            Self::Options | Self::Run { .. } => format!("--{}", key.replace('_', "-")),
        }
    }

    /// What names a column, for its error.
    pub(super) fn named_by(self, key: &str) -> Box<NamedBy> {
        let key_of_spec = (self == Self::Keys).then(|| self.name(key));
        Box::new(NamedBy { words: self.names(key), key: key_of_spec })
    }

    /// What names a column or a sheet, as the end of a clause: `data.text_column names`.
    pub(super) fn names(self, key: &str) -> String {
        match self.option_for_another(key) {
            Some(_) => "the run's spec names".into(),
            None => format!("{} names", self.name(key)),
        }
    }

    /// At the end of a message about a column that the run's spec names: the option that names another.
    pub(super) fn another(self, key: &str) -> String {
        if key == "label_columns" && matches!(self, Self::Run { label: true, .. }) {
            // An option names one column, which would hold the labels themselves.
            return "; each of the run's data.label_columns is a label: rename the column in the file".into();
        }
        let option = self.option_for_another(key);
        option.map_or(String::new(), |key| format!("; choose another with --{}", key.replace('_', "-")))
    }

    fn option_for_another(self, key: &str) -> Option<&str> {
        match self {
            Self::Run { text: true, .. } if matches!(key, "text_column" | "text_columns") => Some("text_column"),
            Self::Run { text_pair: true, .. } if key == "text_pair_column" => Some(key),
            Self::Run { label: true, label_option, .. } if matches!(key, "label_column" | "label_columns") => {
                Some(label_option)
            }
            _ => None,
        }
    }

    fn of_run(key: &str) -> String {
        format!("the run's spec (as --{} is not given)", key.replace('_', "-"))
    }

    /// A setting with its value, as it is written.
    pub(super) fn set(self, key: &str, value: &str) -> String {
        match self {
            Self::Keys => format!("{} = \"{value}\"", self.name(key)),
            _ if value.chars().all(|c| c.is_ascii_alphanumeric()) => format!("{} {value}", self.name(key)),
            _ => format!("{} '{value}'", self.name(key)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_written_as_their_reader_sets_them() {
        assert_eq!(Wording::Keys.name("text_column"), "data.text_column");
        assert_eq!(Wording::Options.name("text_column"), "--text-column");
        assert_eq!(Wording::Keys.named_by("text_column").key.as_deref(), Some("data.text_column"));
        assert_eq!(Wording::Options.named_by("text_column").key, None);
        let own = Wording::Run { text: true, text_pair: true, label: false, label_option: "labels" };
        assert_eq!(own.name("text_column"), "the run's spec (as --text-column is not given)");
        assert_eq!(own.name("text_columns"), "the run's spec (as --text-column is not given)");
        assert_eq!(own.name("text_pair_column"), "the run's spec (as --text-pair-column is not given)");
        assert_eq!(own.names("text_columns"), "the run's spec names");
        assert_eq!(own.another("text_columns"), "; choose another with --text-column");
        let labels = Wording::Run { text: true, text_pair: true, label: true, label_option: "label-column" };
        assert!(labels.another("label_columns").ends_with("rename the column in the file"));
        assert_eq!(labels.another("label_column"), "; choose another with --label-column");
        assert_eq!([own.another("label_column"), Wording::Options.another("text_column")], ["", ""]);
        assert_eq!(
            [own.names("label_column"), Wording::Keys.names("label_column")],
            ["--labels names", "data.label_column names"]
        );
        assert_eq!([own.name("label_column"), own.set("format", "tsv")], ["--labels", "--format tsv"]);
        assert_eq!(Wording::Keys.set("delimiter", ";"), "data.delimiter = \";\"");
        assert_eq!(Wording::Options.set("delimiter", ";"), "--delimiter ';'");
        assert_eq!(Wording::Options.set("format", "tsv"), "--format tsv");
    }
}

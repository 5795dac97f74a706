//! The layout of a run's data for another file, as far as it fits that file.

use super::{DataConfig, Format};
use crate::plan::{Delimiter, Quoting, TextEncoding};

/// What a run's spec says of the layout of its data. It applies to another file where the file does not say otherwise.
#[derive(Debug, Clone, Default)]
pub struct OfRun {
    /// For a file whose name and first bytes say none.
    pub format: Option<Format>,
    /// For text that is not UTF-8 and has no byte order mark; never UTF-8 itself.
    pub encoding: Option<TextEncoding>,
    /// For a workbook that has it.
    pub sheet: Option<String>,
    /// For a CSV or TSV file whose header has it.
    pub delimiter: Option<Delimiter>,
    /// For a CSV or TSV file.
    pub quoting: Option<Quoting>,
}

impl From<&DataConfig> for OfRun {
    fn from(config: &DataConfig) -> Self {
        let DataConfig { format, encoding, delimiter, quoting, .. } = *config;
        // UTF-8 is the default: that the run's file was UTF-8 says nothing of one that is not.
        let encoding = encoding.filter(|encoding| *encoding != TextEncoding::UTF_8);
        let quoting = (!quoting.is_minimal()).then_some(quoting);
        Self { format, encoding, sheet: config.sheet.clone(), delimiter, quoting }
    }
}

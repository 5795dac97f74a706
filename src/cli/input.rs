//! Options of commands that read files with texts, and their messages on standard error.

use std::fs;

use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser},
};
use taper::{
    data::{Layout, Origin, Wording},
    plan::{Delimiter, Format, Quoting, TextEncoding},
    warning::Warning,
};

use super::{Unusable, output};

/// How the file is laid out.
#[derive(Args)]
pub struct FileArgs {
    /// Column (or JSON field) with the text; by default the column used in training.
    #[arg(long, value_name = "NAME")]
    pub text_column: Option<String>,
    /// Format of the file; by default detected from the extension, else from the first line.
    #[arg(long, value_parser = formats())]
    format: Option<Format>,
    /// Encoding of a text file, such as `gb18030`; by default detected.
    #[arg(long, value_name = "NAME", value_parser = encoding)]
    encoding: Option<TextEncoding>,
    /// Sheet of an Excel workbook; by default the first.
    #[arg(long, value_name = "NAME")]
    sheet: Option<String>,
    /// Field delimiter of a CSV or TSV file: one character, or `tab`.
    #[arg(long, value_name = "CHARACTER", value_parser = delimiter)]
    delimiter: Option<Delimiter>,
    /// Quotes in a CSV or TSV file. `minimal` (the default): fields may be quoted; `none`: quotes are ordinary characters.
    #[arg(long, value_parser = quotings())]
    quoting: Option<Quoting>,
}

impl FileArgs {
    /// Refuses these options without a file.
    pub fn refuse(&self) -> Result<(), Unusable> {
        let Self { text_column, format, encoding, sheet, delimiter, quoting } = self;
        match (text_column, format, encoding, sheet, delimiter, quoting) {
            (None, None, None, None, None, None) => Ok(()),
            _ => Err(Unusable(anyhow::anyhow!(
                "--text-column, --format, --encoding, --sheet, --delimiter and --quoting go with --file"
            ))),
        }
    }

    /// The layout given by the options; columns are those of the run unless an option names others. `label`: whether the label column is the
    /// run's.
    pub fn layout(&self, label: bool) -> Layout {
        let Self { format, encoding, delimiter, quoting, .. } = *self;
        let wording = Wording::Run { text: self.text_column.is_none(), label };
        let (sheet, quoting) = (self.sheet.clone(), quoting.unwrap_or_default());
        Layout { format, encoding, sheet, delimiter, quoting, missing: Vec::new(), wording }
    }
}

fn formats() -> impl TypedValueParser<Value = Format> {
    PossibleValuesParser::new(Format::NAMES)
        .map(|name| Format::ALL.into_iter().find(|format| format.name() == name).expect("one of the names"))
}

fn quotings() -> impl TypedValueParser<Value = Quoting> {
    PossibleValuesParser::new(["minimal", "none"]).map(|name| match name.as_str() {
        "none" => Quoting::None,
        _ => Quoting::Minimal,
    })
}

fn encoding(text: &str) -> Result<TextEncoding, String> {
    TextEncoding::try_from(text.to_string())
}

fn delimiter(text: &str) -> Result<Delimiter, String> {
    Delimiter::try_from(text.to_string())
}

/// The size of a file, if it has one.
pub fn size(origin: &Origin) -> Option<u64> {
    let Origin::File(path) = origin else { return None };
    fs::metadata(path).ok().map(|file| file.len())
}

/// The name of a file on the command line.
pub fn name(origin: &Origin) -> String {
    match origin {
        Origin::File(path) | Origin::Descriptor(path) => path.display().to_string(),
        Origin::StandardInput => "-".into(),
    }
}

/// Prints warnings on standard error.
pub fn warn(warnings: &[Warning]) {
    for warning in warnings {
        output::error(&format!("warning: {}", taper::format::one_line(&warning.message)));
    }
}

/// Prints a note on standard error.
pub fn note(text: &str) {
    output::error(&format!("note: {text}"));
}

//! Options of commands that read files with texts, and their messages on standard error.

use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser},
};
use taper::{
    data::{Layout, Origin, TextColumns, Wording},
    plan::{DataConfig, Delimiter, Format, Quoting, TextEncoding},
    warning::Warning,
};

use super::{Unusable, output};

/// How the file is laid out.
#[derive(Args)]
pub struct FileArgs {
    /// Column (or JSON field) with the text; by default the column used in training.
    #[arg(long, value_name = "NAME")]
    text_column: Option<String>,
    /// Column (or JSON field) with the second text, if the model reads two; by default the column used in training.
    #[arg(long, value_name = "NAME")]
    text_pair_column: Option<String>,
    /// Format of the file; detected by default, from the extension or else from the first bytes.
    #[arg(long, value_parser = formats())]
    format: Option<Format>,
    /// Encoding of a text file, such as `gb18030`; detected by default.
    #[arg(long, value_name = "NAME", value_parser = encoding)]
    encoding: Option<TextEncoding>,
    /// Sheet of an Excel workbook; the first by default.
    #[arg(long, value_name = "NAME")]
    sheet: Option<String>,
    /// Field delimiter of a CSV or TSV file: one character, or `tab`.
    #[arg(long, value_name = "CHARACTER", value_parser = delimiter)]
    delimiter: Option<Delimiter>,
    /// How to read quotes in a CSV or TSV file. `minimal` (the default): fields may be quoted; `none`: quotes are ordinary characters.
    #[arg(long, value_parser = quotings())]
    quoting: Option<Quoting>,
}

impl FileArgs {
    /// Refuses these options without a file.
    pub fn refuse(&self) -> Result<(), Unusable> {
        let Self { text_column, text_pair_column, format, encoding, sheet, delimiter, quoting } = self;
        match (text_column.as_ref().or(text_pair_column.as_ref()), format, encoding, sheet, delimiter, quoting) {
            (None, None, None, None, None, None) => Ok(()),
            _ => Err(Unusable(anyhow::anyhow!(
                "--text-column, --text-pair-column, --format, --encoding, --sheet, --delimiter and --quoting can only \
                 be used with --file"
            ))),
        }
    }

    /// Whether options name the columns of the text and of the second text.
    pub fn names(&self) -> (bool, bool) {
        (self.text_column.is_some(), self.text_pair_column.is_some())
    }

    /// The columns of the texts: those of the run unless an option names others.
    ///
    /// # Errors
    /// An option names the column of a second text and the model reads one, or both options name the same column.
    pub fn columns(&self, run: &DataConfig) -> Result<TextColumns, Unusable> {
        let mut columns = TextColumns::from(run);
        columns.names = self.text_column.clone().map_or(columns.names, |name| vec![name]);
        match (&mut columns.pair, &self.text_pair_column) {
            (Some(pair), Some(name)) => pair.clone_from(name),
            (None, Some(_)) => {
                let what =
                    "--text-pair-column names the column of a second text, but the model reads only one: omit it";
                return Err(Unusable(anyhow::anyhow!(what)));
            }
            (_, None) => {}
        }
        match columns.pair.as_ref().filter(|pair| columns.names.contains(pair)) {
            Some(pair) => Err(Unusable(anyhow::anyhow!(
                "the text and the second text are the same column `{pair}`: name two different ones with --text-column \
                 and --text-pair-column"
            ))),
            None => Ok(columns),
        }
    }

    /// The layout given by the options; columns are those of the run unless an option names others. `label`: whether the label column is the
    /// run's, and the option that names another.
    pub fn layout(&self, (label, label_option): (bool, &'static str)) -> Layout {
        let Self { format, encoding, delimiter, quoting, .. } = *self;
        let (text, text_pair) = (self.text_column.is_none(), self.text_pair_column.is_none());
        let wording = Wording::Run { text, text_pair, label, label_option };
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

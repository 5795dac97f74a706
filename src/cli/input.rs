//! Options of commands that read files with texts, and their messages on standard error.

use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser},
};
use taper::{
    data::{Layout, OfRun, Origin, ReadAs, TextColumns, Wording},
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
    /// Format of the file; by default determined from its extension or first bytes, else as in the run's spec.
    #[arg(long, value_parser = formats())]
    format: Option<Format>,
    /// Encoding of a text file, such as `gb18030`; detected by default, but a file that is not UTF-8 is read in the encoding of the run's spec, if it sets one.
    #[arg(long, value_name = "NAME", value_parser = encoding)]
    encoding: Option<TextEncoding>,
    /// Sheet of an Excel workbook; by default the one that the run's spec names, or the first if it names none. If the workbook lacks the named sheet, its only sheet is read; if it has several, this option is required.
    #[arg(long, value_name = "NAME")]
    sheet: Option<String>,
    /// Field delimiter of a CSV or TSV file: one character, or `tab`; by default that of the run, if the header has it.
    #[arg(long, value_name = "CHARACTER", value_parser = delimiter)]
    delimiter: Option<Delimiter>,
    /// How to read quotes in a CSV or TSV file; by default as in the run. `minimal`: fields may be quoted; `none`: quotes are ordinary characters.
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

    /// The layout given by the options, and that of the run where none is given; columns are those of the run unless an option names others.
    /// `label`: whether the label column is the run's, and the option that names another.
    pub fn layout(&self, run: &DataConfig, (label, label_option): (bool, &'static str)) -> Layout {
        let Self { format, encoding, delimiter, quoting, .. } = *self;
        let of_run = OfRun::from(run);
        let of_run = OfRun {
            format: of_run.format.filter(|_| format.is_none()),
            encoding: of_run.encoding.filter(|_| encoding.is_none()),
            sheet: of_run.sheet.filter(|_| self.sheet.is_none()),
            delimiter: of_run.delimiter.filter(|_| delimiter.is_none()),
            quoting: of_run.quoting.filter(|_| quoting.is_none()),
        };
        let (text, text_pair) = (self.text_column.is_none(), self.text_pair_column.is_none());
        let wording = Wording::Run { text, text_pair, label, label_option };
        let (sheet, quoting) = (self.sheet.clone(), quoting.unwrap_or_default());
        Layout { format, encoding, sheet, delimiter, quoting, missing: run.missing.clone(), of_run, wording }
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

/// Prints how a file is read where its reader should know.
pub fn tell_how(name: &str, read_as: &ReadAs) {
    read_as.notes().iter().for_each(|what| note(&format!("{name}: {what}")));
}

/// Prints a note on standard error.
pub fn note(text: &str) {
    output::error(&format!("note: {text}"));
}

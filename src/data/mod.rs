//! From a data file to batches: reading and cleaning, splitting, tokenising, batching.
//!
//! A batch is one stream of real tokens with sequence offsets: no padding exists anywhere.
//!
//! [`read_files`] returns a [`Dataset`], [`split`] its [`Splits`], [`Tokens::of`] its [`Tokens`], computed during training (before it, if long texts are read in windows); [`epoch_order`] and
//! [`batch`] build the batches of an epoch. [`stream_texts`] reads texts to classify, in constant memory,
//! and [`stream_rows`] with their labels and other columns; [`read_labelled`] rows to evaluate
//! a trained model on. A [`Layout`] describes the format of their file, an [`Origin`] where it
//! is.

mod alike;
mod assigned;
mod batch;
mod cells;
mod charsmap;
mod closing_quotes;
mod collected;
mod convert;
mod counted_rows;
mod dataset;
mod delimited;
mod dropped;
mod encoding;
mod error;
mod folds;
mod gb18030;
mod grouped;
mod groups;
mod guarded;
mod input_fault;
mod invisible;
mod iterative;
mod json;
mod json_array;
mod json_fault;
mod json_fields;
mod label_checks;
mod labels;
mod layout;
mod leaks;
mod long_text;
mod missing;
mod missing_words;
mod mojibake;
mod noticed;
mod number_checks;
mod of_run;
mod one_target;
mod parquet;
mod parquet_column;
mod parquet_file;
mod parquet_kept;
mod parquet_text;
mod plain;
mod progress;
mod quotes;
mod read;
mod read_ahead;
mod read_as;
mod record;
mod repeats;
mod row_limit;
mod rows;
mod sample;
mod sentencepiece;
mod settings;
mod shared_text;
mod source;
mod split;
mod split_checks;
mod strata;
mod streamed;
mod target_columns;
mod targets;
mod text_columns;
mod token_classes;
mod token_files;
mod token_load;
mod token_pairs;
mod token_rules;
mod token_save;
mod token_settings;
mod token_sources;
mod token_warnings;
mod tokenizer;
mod tokens;
mod transcode;
mod unpack;
mod vocabulary;
mod windows;
mod xlsx;
mod xlsx_digits;
mod xlsx_elsewhere;
mod xlsx_gaps;

pub use batch::{LengthStats, batch, by_length, by_tokens};
pub use cells::{Kept, KeptColumns};
pub use error::{ColumnFault, DataError, Problem};
pub use invisible::{escaped, is_blank, is_invisible};
pub use leaks::{Leak, leaks};
pub use of_run::OfRun;
pub use progress::{Listener, Meter, Progress, silent};
pub use read::{DataFiles, read, read_files, read_files_telling, read_labelled};
pub use read_as::ReadAs;
pub use settings::{Layout, NamedBy, Wording};
pub use shared_text::SharedText;
pub use source::Origin;
pub use split::{epoch_order, split};
pub use streamed::{Labelled, Text, Texts, Wanted, stream_lines, stream_rows, stream_texts};
pub use target_columns::TargetColumns;
pub use text_columns::{RowText, TextColumns};
pub use token_warnings::{SAMPLE, VocabularyOf, about_cut, about_tokens};
pub use tokenizer::Tokenizer;
pub use tokens::{Ahead, Tokens};
pub use windows::{Encoded, Window};

use crate::{
    event::Split,
    plan::{DataConfig, Format},
    task::Target,
    warning::Warning,
};

/// One labelled text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Line of the file on which the row begins, from 1.
    pub line: u64,
    /// The text.
    pub text: SharedText,
    /// The second text, if the model reads two.
    pub text_pair: Option<SharedText>,
    /// What a model should predict for it.
    pub target: Target,
}

/// What reading dropped or noticed; for `taper plan` and the report.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cleaning {
    /// Rows in the file.
    pub read: u64,
    /// Rows without a text.
    pub missing_text: u64,
    /// Lines of the first of these.
    pub missing_text_lines: Vec<u64>,
    /// Rows with a text but without the second one, where the model reads two.
    pub missing_pair: u64,
    /// Lines of the first of these.
    pub missing_pair_lines: Vec<u64>,
    /// Rows with a text but without a label.
    pub missing_label: u64,
    /// Lines of the first of these.
    pub missing_label_lines: Vec<u64>,
    /// Among the kept rows: texts (with pairs: both texts) that occur more than once, without their first occurrence.
    pub duplicates: u64,
    /// Among the kept rows: texts that occur more than once, with different labels.
    pub contradicting: u64,
    /// The rows with such a text.
    pub contradicting_rows: u64,
    /// Lines of the first of these.
    pub contradicting_lines: Vec<u64>,
}

impl Cleaning {
    /// Rows that were left out.
    pub fn dropped(&self) -> u64 {
        self.missing_text + self.missing_pair + self.missing_label
    }
}

/// A file that rows were read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadFile {
    /// Its name, without its folder.
    pub name: String,
    /// SHA-256 of its bytes, in hex.
    pub sha256: String,
}

/// A data file, read and cleaned.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Dataset {
    /// Rows in file order. Row ids everywhere are indices into this.
    pub rows: Vec<Row>,
    /// Name of each label id.
    pub labels: Vec<String>,
    /// SHA-256, in hex: of the file; if splits have files of their own, over the digests of all.
    pub digest: String,
    /// Rows that a file or a column assigns to the dev split, in file order; empty if it is drawn at random.
    pub dev: Vec<u32>,
    /// Rows that a file or a column assigns to the test split, likewise.
    pub test: Vec<u32>,
    /// The group of each row of `data.source`, which come first; empty without `data.group_column`.
    pub groups: Vec<u32>,
    /// The files of `data.source`.
    pub sources: Vec<ReadFile>,
    /// The files of single splits. All other rows are those of `data.source`.
    pub files: Vec<SplitFile>,
    /// What was dropped or noticed.
    pub cleaning: Cleaning,
    /// How the file of `data.source` is read, where that is not what its name says: `decompressed from gzip`.
    pub notes: Vec<String>,
    /// How the last file was read.
    pub read_as: ReadAs,
    /// What is probably a mistake.
    pub warnings: Vec<Warning>,
    /// That the labels are probably lists of several, which is one of the warnings: whatever else is odd about labels follows from that.
    pub undivided: Option<String>,
}

/// A file whose rows are the dev or the test split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplitFile {
    /// The split.
    pub split: Split,
    /// Its name, without its folder; if there are several, of the first.
    pub name: String,
    /// How many other files its rows are in.
    pub more_files: usize,
    /// All of these files.
    pub sources: Vec<ReadFile>,
    /// The ids of its rows.
    pub rows: std::ops::Range<u32>,
    /// What was dropped.
    pub cleaning: Cleaning,
    /// How the file is read, where that is not what its name says.
    pub notes: Vec<String>,
}

/// Row ids of each split. Each that is drawn at random is in the seeded random order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Splits {
    /// Rows the model learns from.
    pub train: Vec<u32>,
    /// Rows that choose the checkpoint.
    pub dev: Vec<u32>,
    /// Rows that are only measured.
    pub test: Vec<u32>,
    /// The number of rows of each fold, if the test split is one of them.
    pub folds: Vec<usize>,
    /// What is probably a mistake.
    pub warnings: Vec<Warning>,
}

/// Rows of one forward pass, or windows of rows, as one stream of tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Token ids, `[tokens]`.
    pub ids: Vec<u32>,
    /// Position of each token in its row, `[tokens]`.
    pub positions: Vec<u32>,
    /// Token type of each token, `[tokens]`: 0 in single texts; the tokenizer says which of both texts of a pair have another.
    pub token_types: Vec<u32>,
    /// Row `i` is tokens `offsets[i]..offsets[i + 1]`; `[rows + 1]`.
    pub offsets: Vec<u32>,
    /// Targets, `[rows]`; empty for texts that are only predicted.
    pub targets: Vec<Target>,
    /// Row ids, `[rows]`; that of a row with several windows once for each of them.
    pub rows: Vec<u32>,
    /// Index of the first row among the optimizer step's rows (0 except with gradient accumulation).
    pub first_row: usize,
    /// Index of the first token among the optimizer step's tokens.
    pub first_token: usize,
}

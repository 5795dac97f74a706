//! What the tokens of a dataset say about whether tokenizer and texts belong together.

use super::{DataError, Dataset, Row, Tokenizer, Tokens, invisible::is_blank, text_columns::RowText};
use crate::{
    event::Split,
    format,
    plan::{LongPolicy, LongTexts},
    warning::{Kind, Warning},
};

/// Share of unknown tokens above which a word is said.
const UNKNOWN: f64 = 0.05;
/// Bytes of text that are checked, except for a first row: rows are not tokenised before training without need.
const BYTES: usize = 1 << 17;
/// Characters at the beginning of a text among which there is a letter or digit in all but odd texts.
const FIRST: usize = 32;

/// Rows that are looked at for unknown words, unless all are.
pub const SAMPLE: usize = 2000;

/// Where a tokenizer's vocabulary comes from, which decides what helps against unknown words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VocabularyOf {
    /// A trained model.
    Model,
    /// A folder with a tokenizer, for a new model.
    Folder,
    /// The texts of the training rows, of which it has at most so many tokens.
    TrainingRows {
        /// `model.vocab_size`.
        most: usize,
    },
}

impl VocabularyOf {
    /// What to do about words that a vocabulary of `size` tokens lacks.
    fn advice(self, size: usize) -> String {
        match self {
            Self::Model => "use a model whose vocabulary covers the language of these texts".into(),
            Self::Folder => "use a tokenizer whose vocabulary covers the language of these texts".into(),
            Self::TrainingRows { most } if size >= most => {
                format!("the vocabulary is built from the training rows: raise model.vocab_size, which is {most}")
            }
            Self::TrainingRows { .. } => {
                "the vocabulary is built from the training rows, which lack these words: train on more rows".into()
            }
        }
    }
}

/// Warnings about the rows of a dataset: a large share of unknown tokens in the first `rows` rows, and texts without any tokens,
/// wherever they are.
///
/// # Errors
/// Where the tokenizer fails on a row.
pub fn about_tokens(
    tokenizer: &Tokenizer,
    tokens: &Tokens,
    dataset: &Dataset,
    rows: usize,
    vocabulary: VocabularyOf,
) -> Result<Vec<Warning>, DataError> {
    let mut warnings = Vec::new();
    warnings.extend(about_unknown(tokenizer, tokens, dataset, rows, vocabulary)?);
    warnings.extend(about_nothing(tokenizer, tokens, dataset)?);
    Ok(warnings)
}

fn about_unknown(
    tokenizer: &Tokenizer,
    tokens: &Tokens,
    dataset: &Dataset,
    rows: usize,
    vocabulary: VocabularyOf,
) -> Result<Option<Warning>, DataError> {
    let Some(unknown) = tokenizer.unknown() else { return Ok(None) };
    let looked_at = sample(dataset, rows);
    tokens.encode_rows(&looked_at)?;
    let (mut all, mut odd, mut with) = (0, 0, Vec::new());
    for &row in &looked_at {
        let ids = tokens.row(row as usize)?;
        let found = ids.iter().filter(|&&id| id == unknown).count();
        all += ids.len().saturating_sub(special(tokenizer, &dataset.rows[row as usize]));
        odd += found;
        if found > 0 {
            with.push(row);
        }
    }
    let share = odd as f64 / all.max(1) as f64;
    if share <= UNKNOWN {
        return Ok(None);
    }
    let of = all_or_first(dataset, &looked_at);
    let message = format!(
        "{} of the tokens are {}: {} of {of} have words that the vocabulary lacks ({}); {}",
        format::percent(share),
        tokenizer.tokens(&[unknown]).concat(),
        format::count(with.len() as u64),
        dataset.lines_of(&with),
        vocabulary.advice(tokenizer.vocab_size()),
    );
    Ok(Some(Warning::new(Kind::Tokens, message).at(dataset.lines_in_one_file(&with))))
}

/// The first `rows` rows, or fewer if their texts are long.
fn sample(dataset: &Dataset, rows: usize) -> Vec<u32> {
    let (mut looked_at, mut bytes) = (Vec::new(), 0);
    for (row, text) in (0..).zip(&dataset.rows).take(rows) {
        if rows < dataset.rows.len() && bytes >= BYTES {
            break;
        }
        bytes += RowText::from(text).bytes();
        looked_at.push(row);
    }
    looked_at
}

/// `600 rows`, `the first 2,000 rows`.
fn all_or_first(dataset: &Dataset, looked_at: &[u32]) -> String {
    match looked_at.len() {
        n if n == dataset.rows.len() => format::counted(n as u64, "row"),
        n => format!("the first {}", format::counted(n as u64, "row")),
    }
}

/// A share of the tokens above which more is cut than is read.
const CUT: f64 = 0.5;
/// The most that BERT reads at once: of texts that are longer still, it is usual to read the beginning.
const USUAL: usize = 512;

/// The warning that most tokens of the first `rows` rows are cut, although the model, which has `longest` positions, could read more at once.
///
/// # Errors
/// Where the tokenizer fails on a row.
pub fn about_cut(
    tokens: &Tokens,
    dataset: &Dataset,
    rows: usize,
    long: LongTexts,
    longest: usize,
) -> Result<Option<Warning>, DataError> {
    if matches!(long.policy, LongPolicy::Windows { .. }) || long.max_length >= longest.min(USUAL) {
        return Ok(None);
    }
    let looked_at = sample(dataset, rows);
    // The split is only a name here.
    let texts = tokens.texts(Split::Train, &looked_at)?;
    let share = texts.tokens_cut as f64 / texts.tokens.max(1) as f64;
    if share <= CUT {
        return Ok(None);
    }
    let has_pairs = dataset.rows.iter().any(|row| row.text_pair.is_some());
    let windows = if has_pairs { "" } else { ", or read all of each text with data.long = \"windows\"" };
    let message = format!(
        "data.max_length = {} cuts off {} of the tokens: {} of {} are longer; raise it{windows}",
        long.max_length,
        format::percent(share),
        format::count(texts.rows_cut),
        all_or_first(dataset, &looked_at),
    );
    Ok(Some(Warning::new(Kind::Tokens, message)))
}

/// Special tokens of a row.
fn special(tokenizer: &Tokenizer, row: &Row) -> usize {
    tokenizer.added_tokens(row.text_pair.is_some())
}

/// Texts of characters that tokenizers clean away become `[CLS] [SEP]`, like each other whatever their labels.
fn about_nothing(tokenizer: &Tokenizer, tokens: &Tokens, dataset: &Dataset) -> Result<Option<Warning>, DataError> {
    // Texts of which nothing can be seen are warned about where they are read.
    let seems_empty = |text: &str| !text.chars().take(FIRST).any(char::is_alphanumeric) && !is_blank(text);
    let mut empty: Vec<u32> = Vec::new();
    for (row, text) in (0..).zip(&dataset.rows) {
        if RowText::from(text).texts().all(seems_empty) && tokens.row(row as usize)?.len() <= special(tokenizer, text) {
            empty.push(row);
        }
    }
    if empty.is_empty() {
        return Ok(None);
    }
    let message = format!(
        "{} without a single token, because the tokenizer removes all of the characters ({}): the model can learn \
         nothing from them; remove them",
        format::counted(empty.len() as u64, "row") + format::by_number(empty.len() as u64, " is a text", " are texts"),
        dataset.lines_of(&empty)
    );
    Ok(Some(Warning::new(Kind::Tokens, message).at(dataset.lines_in_one_file(&empty))))
}

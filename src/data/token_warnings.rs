//! What the tokens of a data set say about whether tokenizer and texts belong together.

use super::{DataError, Dataset, Row, Tokenizer, Tokens, invisible::is_blank, text_columns::RowText};
use crate::{
    format,
    warning::{Kind, Warning, lines},
};

/// Share of unknown tokens above which a word is said.
const UNKNOWN: f64 = 0.05;
/// Bytes of text that are checked, except for a first row: rows are not tokenised before training without need.
const BYTES: usize = 1 << 17;
/// Characters at the beginning of a text among which there is a letter or digit in all but odd texts.
const FIRST: usize = 32;

/// Rows that are looked at for unknown words, unless all are.
pub const SAMPLE: usize = 2000;

/// Warnings about the rows of a data set: a large share of unknown tokens in the first `rows` rows, and texts without any tokens,
/// wherever they are.
///
/// # Errors
/// Where the tokenizer fails on a row.
pub fn about_tokens(
    tokenizer: &Tokenizer,
    tokens: &Tokens,
    dataset: &Dataset,
    rows: usize,
) -> Result<Vec<Warning>, DataError> {
    let mut warnings = Vec::new();
    warnings.extend(about_unknown(tokenizer, tokens, dataset, rows)?);
    warnings.extend(about_nothing(tokenizer, tokens, dataset)?);
    Ok(warnings)
}

fn about_unknown(
    tokenizer: &Tokenizer,
    tokens: &Tokens,
    dataset: &Dataset,
    rows: usize,
) -> Result<Option<Warning>, DataError> {
    let Some(unknown) = tokenizer.unknown() else { return Ok(None) };
    let mut looked_at: Vec<u32> = Vec::new();
    let mut bytes = 0;
    for (row, text) in (0..).zip(&dataset.rows).take(rows) {
        if rows < dataset.rows.len() && bytes >= BYTES {
            break;
        }
        bytes += RowText::from(text).bytes();
        looked_at.push(row);
    }
    tokens.encode_rows(&looked_at)?;
    let (mut all, mut odd, mut with) = (0, 0, Vec::new());
    for &row in &looked_at {
        let ids = tokens.row(row as usize)?;
        let found = ids.iter().filter(|&&id| id == unknown).count();
        all += ids.len().saturating_sub(special(tokenizer, &dataset.rows[row as usize]));
        odd += found;
        if found > 0 {
            with.push(dataset.rows[row as usize].line);
        }
    }
    let share = odd as f64 / all.max(1) as f64;
    if share <= UNKNOWN {
        return Ok(None);
    }
    let of = match looked_at.len() {
        n if n == dataset.rows.len() => format::counted(n as u64, "row"),
        n => format!("the first {}", format::counted(n as u64, "row")),
    };
    let message = format!(
        "{} of the tokens are {}: {} of {of} have words that the vocabulary lacks ({}); use a model whose vocabulary has the \
         language of these texts",
        format::percent(share),
        tokenizer.tokens(&[unknown]).concat(),
        format::count(with.len() as u64),
        lines(&with),
    );
    Ok(Some(Warning::new(Kind::Tokens, message).at(with)))
}

/// Special tokens of a row.
fn special(tokenizer: &Tokenizer, row: &Row) -> usize {
    tokenizer.added_tokens(row.text_pair.is_some())
}

/// Texts of characters that tokenizers clean away become `[CLS] [SEP]`, like each other whatever their labels.
fn about_nothing(tokenizer: &Tokenizer, tokens: &Tokens, dataset: &Dataset) -> Result<Option<Warning>, DataError> {
    // Texts of which nothing can be seen are warned about where they are read.
    let seems_empty = |text: &str| !text.chars().take(FIRST).any(char::is_alphanumeric) && !is_blank(text);
    let mut empty = Vec::new();
    for (row, text) in dataset.rows.iter().enumerate() {
        if RowText::from(text).texts().all(seems_empty) && tokens.row(row)?.len() <= special(tokenizer, text) {
            empty.push(text.line);
        }
    }
    if empty.is_empty() {
        return Ok(None);
    }
    let message = format!(
        "{} without a single token, of characters that the tokenizer cleans away ({}): the model learns their labels from nothing; \
         remove them",
        format::counted(empty.len() as u64, "row") + format::by_number(empty.len() as u64, " is a text", " are texts"),
        lines(&empty)
    );
    Ok(Some(Warning::new(Kind::Tokens, message).at(empty)))
}

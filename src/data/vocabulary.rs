//! A WordPiece vocabulary from texts, for models that start from nothing.

use std::{cmp::Reverse, collections::HashMap};

use rayon::prelude::*;
use tokenizers::{
    NormalizedString, Normalizer, OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer,
    normalizers::BertNormalizer, pre_tokenizers::bert::BertPreTokenizer,
};

/// BERT's special tokens, in the order in which a new vocabulary has them.
pub(super) const SPECIAL: [&str; 5] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];

/// WordPiece treats longer words as unknown.
const LONGEST_WORD: usize = 100;
/// A word that occurs once adds nothing to its characters.
const RAREST_WORD: u64 = 2;

/// See [`Tokenizer::build_vocab_telling`](super::Tokenizer::build_vocab_telling).
pub(super) fn build<'a>(
    texts: impl Iterator<Item = &'a str>,
    max_size: usize,
    told: &(impl Fn(u64) + Sync),
) -> Vec<String> {
    let texts: Vec<&str> = texts.collect();
    let words = count_words(&texts, told);

    let mut characters: HashMap<String, u64> = HashMap::new();
    let mut whole: HashMap<String, u64> = HashMap::new();
    for (word, count) in words {
        let mut length = 0;
        for character in word.chars() {
            let piece = if length == 0 { character.to_string() } else { format!("##{character}") };
            *characters.entry(piece).or_default() += count;
            length += 1;
        }
        if length > 1 && count >= RAREST_WORD {
            whole.insert(word, count);
        }
    }

    let mut vocab: Vec<String> = SPECIAL.map(str::to_owned).into();
    vocab.extend(by_frequency(characters));
    // No whole word is also one of the characters: those are longer only by their `##`, and a word with `#` in it is
    // taken apart as punctuation.
    vocab.extend(by_frequency(whole));
    vocab.truncate(max_size.max(SPECIAL.len()));
    vocab
}

/// Words after BERT's normalisation, and how often they occur. A Chinese character is a word.
fn count_words(texts: &[&str], told: &(impl Fn(u64) + Sync)) -> HashMap<String, u64> {
    let count_part = |texts: &[&str]| {
        let mut words: HashMap<String, u64> = HashMap::new();
        for text in texts {
            for word in split_words(text).unwrap_or_default() {
                *words.entry(word).or_default() += 1;
            }
        }
        told(texts.len() as u64);
        words
    };
    texts.par_chunks(1024).map(count_part).reduce(HashMap::new, |mut all, part| {
        for (word, count) in part {
            *all.entry(word).or_default() += count;
        }
        all
    })
}

/// None where the library fails on a text, which neither of the two steps ever does.
fn split_words(text: &str) -> Option<Vec<String>> {
    let mut normalized = NormalizedString::from(text);
    BertNormalizer::default().normalize(&mut normalized).ok()?;
    let mut words = PreTokenizedString::from(normalized);
    BertPreTokenizer.pre_tokenize(&mut words).ok()?;
    let words = words.get_splits(OffsetReferential::Normalized, OffsetType::None);
    let short = words.into_iter().map(|(word, ..)| word).filter(|word| word.chars().count() <= LONGEST_WORD);
    Some(short.map(str::to_owned).collect())
}

/// Most frequent first, ties by code point.
fn by_frequency(counts: HashMap<String, u64>) -> impl Iterator<Item = String> {
    let mut pieces: Vec<(String, u64)> = counts.into_iter().collect();
    pieces.sort_unstable_by(|a, b| (Reverse(a.1), &a.0).cmp(&(Reverse(b.1), &b.0)));
    pieces.into_iter().map(|(piece, _)| piece)
}

//! The first tokens of a text that is very long, without looking at all of it.
//!
//! BERT's steps go through a text from left to right: each character is cleaned by itself, words end at white space,
//! punctuation and Chinese characters, and each word is cut into pieces by itself. So the tokens of a beginning are those of
//! the whole text, but for the last word and for an added token that may reach beyond the cut. Where long runs of characters
//! give few tokens (a word of a million letters is one `[UNK]`, white space none), their middles are taken out first.

use std::collections::HashMap;

use tokenizers::{
    NormalizedString, Normalizer, OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer,
    normalizers::BertNormalizer, pre_tokenizers::bert::BertPreTokenizer,
};

/// A text up to this many bytes is short.
pub(super) const SHORT: usize = 1 << 16;
/// Bytes looked at first, for each token wanted.
const BYTES_A_TOKEN: usize = 16;
/// A beginning that is too short gives way to one this many times as long.
const GROWTH: usize = 4;
/// Characters of a run that stay as they are at either end, besides the longest added token.
const KEPT: usize = 128;
/// Characters of a word from the middle of a run that stay: more than WordPiece takes in a word.
const WORD: usize = 256;

/// The class of a character in BERT's tokenizer, independent of its neighbours.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Part of a word.
    Word,
    /// Cleaned away.
    Nothing,
    /// White space.
    Space,
    /// A word by itself: punctuation, Chinese characters.
    Alone,
}

/// The characters met so far and what they are.
pub(super) struct Roles {
    normalizer: BertNormalizer,
    known: HashMap<char, Role>,
}

impl Roles {
    pub fn new(normalizer: BertNormalizer) -> Self {
        Self { normalizer, known: HashMap::new() }
    }

    fn of(&mut self, character: char) -> Role {
        let normalizer = self.normalizer;
        *self.known.entry(character).or_insert_with(|| Self::find(normalizer, character))
    }

    /// By trying: between two letters.
    fn find(normalizer: BertNormalizer, character: char) -> Role {
        let mut text = NormalizedString::from(format!("x{character}x"));
        let mut words = match normalizer.normalize(&mut text) {
            Ok(()) => PreTokenizedString::from(text),
            Err(_) => return Role::Alone,
        };
        if BertPreTokenizer.pre_tokenize(&mut words).is_err() {
            return Role::Alone;
        }
        let words = words.get_splits(OffsetReferential::Normalized, OffsetType::Byte);
        match words.as_slice() {
            [("xx", ..)] => Role::Nothing,
            [_] => Role::Word,
            [("x", ..), ("x", ..)] => Role::Space,
            _ => Role::Alone,
        }
    }
}

/// Added tokens, as far as they matter here.
pub(super) struct Added {
    /// Characters of the longest.
    pub longest: usize,
    /// Characters that one begins with, as they are and as they are when cleaned.
    pub first: Vec<char>,
}

/// Where the tokens of the whole text are known from those of its beginning `text[..end]`: before the last word, and before all
/// that an added token which ends beyond `end` could hold. None where that is nowhere.
pub(super) fn settled(text: &str, end: usize, roles: &mut Roles, added: &Added) -> Option<usize> {
    // What is cleaned away may lie inside of a token, as much of it as you like: it does not count.
    let mut within = added.longest + 1;
    for (at, character) in text[..end].char_indices().rev() {
        match roles.of(character) {
            Role::Nothing => {}
            _ if within > 0 => within -= 1,
            Role::Space | Role::Alone => return Some(at),
            Role::Word => {}
        }
    }
    None
}

/// Beginnings to be tried, each longer than the one before; the last is the whole text.
pub(super) fn beginnings(text: &str, tokens: usize) -> impl Iterator<Item = usize> + '_ {
    let mut next = Some((tokens + 1).saturating_mul(BYTES_A_TOKEN));
    std::iter::from_fn(move || {
        let end = next?;
        if end >= text.len() {
            next = None;
            return Some(text.len());
        }
        next = Some(end.saturating_mul(GROWTH));
        (0..=end).rev().find(|&end| text.is_char_boundary(end))
    })
}

/// The text without the middles of long runs that give no tokens of their own: of the same tokens. None where added tokens may
/// lie anywhere in such runs.
pub(super) fn squeezed(text: &str, roles: &mut Roles, added: &Added) -> Option<String> {
    let in_runs = |role: Role| role != Role::Alone;
    if added.first.iter().any(|&character| in_runs(roles.of(character))) {
        return None;
    }
    let kept = KEPT + added.longest;
    let mut short = String::with_capacity(text.len().min(1 << 20));
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let role = roles.of(character);
        let white = role == Role::Space;
        if role == Role::Alone {
            short.push(character);
            rest = &rest[character.len_utf8()..];
            continue;
        }
        // A run of white space, or of a word's characters and of such as are cleaned away.
        let same = |role: Role| in_runs(role) && (role == Role::Space) == white;
        let end = rest.char_indices().find(|&(_, c)| !same(roles.of(c))).map_or(rest.len(), |(at, _)| at);
        let run = &rest[..end];
        rest = &rest[end..];
        let edge = |mut at: std::str::CharIndices, skip: usize| at.nth(skip).map(|(at, _)| at);
        let first = edge(run.char_indices(), kept);
        let last = run.char_indices().rev().nth(kept.saturating_sub(1)).map(|(at, _)| at);
        match (first, last) {
            (Some(first), Some(last)) if first < last => {
                short.push_str(&run[..first]);
                // A word that is too long stays too long, one that is not stays as it is.
                short.extend(run[first..last].chars().filter(|&c| roles.of(c) == Role::Word).take(WORD));
                short.push_str(&run[last..]);
            }
            _ => short.push_str(run),
        }
    }
    Some(short)
}

//! From texts to token ids, as the tokenizers of transformers do it.

use std::path::PathBuf;

use rayon::prelude::*;
use serde_json::{Map, Value};
use tokenizers::{Model, ModelWrapper, NormalizerWrapper, PreTokenizerWrapper, normalizers::BertNormalizer};

use super::{
    DataError,
    error::shorten,
    guarded::guarded,
    long_text::{self, Added, Roles},
    text_columns::RowText,
    token_classes::Class,
    token_pairs::{Template, longest_first},
    vocabulary::{self, SPECIAL},
    windows::{Encoded, windows},
};
use crate::{
    plan::{LongPolicy, LongTexts},
    warning::Warning,
};

/// Turns a text into `[CLS] … [SEP]`, and two texts into `[CLS] … [SEP] … [SEP]`, or into what else the tokenizer puts around them.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    /// Without padding and truncation, whatever the file said.
    pub(super) inner: tokenizers::Tokenizer,
    /// What it puts around one text.
    pub(super) single: Template,
    pub(super) unk: Option<u32>,
    pub(super) class: Class,
    /// Named special tokens that the vocabulary has: key and content.
    pub(super) named: Vec<(String, String)>,
    /// Keys of tokenizer_config.json by which its class builds it again.
    pub(super) switches: Map<String, Value>,
    /// How it joins two texts, or why it cannot.
    pub(super) template: Result<Template, String>,
    /// Whether the model is told which of two texts a token is of.
    pub(super) token_types: bool,
    /// Whether texts that are too long lose their beginning.
    pub(super) cut_left: bool,
    pub(super) model_max_length: Option<usize>,
    pub(super) warnings: Vec<Warning>,
    /// What it was read from; none where its vocabulary was built here.
    pub(super) file: Option<PathBuf>,
}

impl Tokenizer {
    /// A tokenizer for a vocabulary in the order of the ids.
    ///
    /// # Errors
    /// Where the vocabulary lacks `[UNK]`, `[CLS]` or `[SEP]`.
    pub fn from_vocab(vocab: Vec<String>, lower_case: bool) -> Result<Self, DataError> {
        Self::from_words(vocab, lower_case).map_err(|what| DataError::Vocabulary { what })
    }

    /// The vocabulary of a new model, built from its training texts for a tokenizer with `lower_case`: special tokens,
    /// then characters by frequency, then whole words by frequency, `max_size` in all. Where all characters fit in,
    /// every text given can be spelt. The same texts give the same vocabulary.
    pub fn build_vocab<'a>(texts: impl Iterator<Item = &'a str>, max_size: usize) -> Vec<String> {
        Self::build_vocab_telling(texts, max_size, &|_| {})
    }

    /// The same; `told` is called from several threads with the number of texts that have just been counted.
    pub fn build_vocab_telling<'a>(
        texts: impl Iterator<Item = &'a str>,
        max_size: usize,
        told: &(impl Fn(u64) + Sync),
    ) -> Vec<String> {
        vocabulary::build(texts, max_size, told)
    }

    /// Token ids of one text, `max_length` at most (but never less than the special tokens). What is too long is cut at
    /// its end, before `[SEP]`, or where the tokenizer's `truncation_side` is `left` at its beginning, after `[CLS]`. Two texts
    /// are cut likewise, the longer one first.
    ///
    /// # Errors
    /// Where a tokenizer.json of an unusual kind fails on the text, or cannot join two.
    pub fn encode<'a>(&self, text: impl Into<RowText<'a>>, max_length: usize) -> Result<Vec<u32>, DataError> {
        Ok(self.encode_counted(text, max_length)?.ids)
    }

    /// Whether a text has more tokens than that.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn is_longer<'a>(&self, text: impl Into<RowText<'a>>, max_length: usize) -> Result<bool, DataError> {
        Ok(self.encode_counted(text, max_length)?.whole > max_length)
    }

    /// As [`Self::encode`], with the token types and the number of tokens that the texts have when they are not cut.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn encode_counted<'a>(&self, text: impl Into<RowText<'a>>, max_length: usize) -> Result<Encoded, DataError> {
        let RowText { text, text_pair } = text.into();
        if let Some(second) = text_pair {
            return self.encode_two([text, second], max_length);
        }
        let added = self.single.added();
        let most = max_length.saturating_sub(added);
        let (body, or_more) = self.counted(text, most)?;
        let (ids, _) = self.single.fill([self.kept(&body, most), &[]]);
        Ok(Encoded { ids, token_types: Vec::new(), windows: Vec::new(), whole: body.len() + added, or_more })
    }

    /// The tokens of a text as a model reads them if long texts are read like this. Two texts are always cut.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn encode_long<'a>(&self, text: impl Into<RowText<'a>>, long: LongTexts) -> Result<Encoded, DataError> {
        let text = text.into();
        let of_one = Some(long.policy).filter(|_| text.text_pair.is_none()).unwrap_or(LongPolicy::Cut);
        if of_one == LongPolicy::Cut {
            return self.encode_counted(text, long.max_length);
        }
        let body = self.all_of(text.text)?;
        let added = self.single.added();
        // Before a run it is checked that there is room.
        let (room, whole) = (long.max_length.saturating_sub(added).max(1), body.len() + added);
        let (kept, parts) = match of_one {
            LongPolicy::HeadTail { head } if body.len() > room => {
                let head = head.min(room);
                let tail = body.len() - (room - head);
                ([&body[..head], &body[tail..]].concat(), Vec::new())
            }
            LongPolicy::Windows { stride } if body.len() > room => {
                let parts = windows(body.len(), room, stride.min(room - 1), self.cut_left);
                (body, parts)
            }
            _ => (body, Vec::new()),
        };
        let (ids, _) = self.single.fill([&kept, &[]]);
        let before = self.single.before();
        let place = |at: usize| u32::try_from(at + before).map_err(|_| DataError::TooLarge { what: "tokens in a row" });
        let parts = parts.into_iter().map(|part| Ok(place(part.start)?..place(part.end)?));
        let windows = parts.collect::<Result<_, DataError>>()?;
        Ok(Encoded { ids, token_types: Vec::new(), windows, whole, or_more: false })
    }

    /// All tokens of a text, without special tokens.
    fn all_of(&self, text: &str) -> Result<Vec<u32>, DataError> {
        let squeezed = self
            .bert_normalizer()
            .filter(|_| text.len() > long_text::SHORT)
            .and_then(|normalizer| long_text::squeezed(text, &mut Roles::new(*normalizer), &self.added(*normalizer)));
        self.encode_whole(squeezed.as_deref().unwrap_or(text))
    }

    fn encode_two(&self, texts: [&str; 2], max_length: usize) -> Result<Encoded, DataError> {
        let template = self.template.as_ref().map_err(|why| self.failed(texts[0], why.clone()))?;
        let most = max_length.saturating_sub(template.added());
        let mut bodies = [self.counted(texts[0], most)?, self.counted(texts[1], most)?];
        // Of two texts that are each too long, the longer one keeps the odd token: which is that, is known of whole texts only.
        if most % 2 == 1 && bodies.iter().all(|(body, _)| body.len() > most) {
            for ((body, or_more), text) in bodies.iter_mut().zip(texts).filter(|((_, or_more), _)| *or_more) {
                (*body, *or_more) = (self.body(text)?.get_ids().to_vec(), false);
            }
        }
        let lengths = bodies.each_ref().map(|(body, _)| body.len());
        let keep = longest_first(lengths, most);
        let (ids, mut token_types) =
            template.fill([self.kept(&bodies[0].0, keep[0]), self.kept(&bodies[1].0, keep[1])]);
        if !self.token_types {
            token_types.clear();
        }
        let or_more = bodies.iter().any(|(_, or_more)| *or_more);
        let whole = lengths[0] + lengths[1] + template.added();
        Ok(Encoded { ids, token_types, windows: Vec::new(), whole, or_more })
    }

    /// The tokens of a text without special tokens, or of a very long one more than `most` of those that it begins with, and which of
    /// the two.
    fn counted(&self, text: &str, most: usize) -> Result<(Vec<u32>, bool), DataError> {
        match self.bert_normalizer() {
            Some(normalizer) if text.len() > long_text::SHORT && !self.cut_left => {
                self.beginning_of(text, most, *normalizer)
            }
            _ => Ok((self.body(text)?.get_ids().to_vec(), false)),
        }
    }

    /// The tokens of a text that remain of it if it keeps `most`.
    fn kept<'a>(&self, body: &'a [u32], most: usize) -> &'a [u32] {
        match self.cut_left {
            true => &body[body.len().saturating_sub(most)..],
            false => &body[..body.len().min(most)],
        }
    }

    /// Special tokens that it adds to one text, or to two.
    pub fn added_tokens(&self, to_two: bool) -> usize {
        match &self.template {
            Ok(template) if to_two => template.added(),
            _ => self.single.added(),
        }
    }

    /// The largest token type that the tokens of two texts have.
    ///
    /// # Errors
    /// Where it cannot join two texts.
    pub fn largest_token_type(&self) -> Result<u32, DataError> {
        let template = self.template.as_ref().map_err(|why| DataError::Tokenizer {
            path: self.file.clone().unwrap_or_default(),
            what: format!("{why}: two texts cannot be joined"),
        })?;
        Ok(if self.token_types { template.largest_type() } else { 0 })
    }

    /// Whether it knows which of two texts a token is of, but its settings leave that out, as transformers then does too.
    pub fn leaves_out_token_types(&self) -> bool {
        !self.token_types && self.template.as_ref().is_ok_and(|template| template.largest_type() > 0)
    }

    /// The tokens of a long text, or more than `most` of those that it begins with, and which of the two.
    fn beginning_of(&self, text: &str, most: usize, normalizer: BertNormalizer) -> Result<(Vec<u32>, bool), DataError> {
        let mut roles = Roles::new(normalizer);
        let added = self.added(normalizer);
        let enough = |text: &str, until: usize, roles: &mut Roles| -> Result<Option<Vec<u32>>, DataError> {
            let ends = long_text::beginnings(text, most).take_while(|end| *end <= until && *end < text.len());
            for end in ends {
                let Some(settled) = long_text::settled(text, end, roles, &added) else { continue };
                let tokens = guarded("tokenizers", || self.inner.encode(&text[..end], false));
                let tokens = tokens.map_err(|panic| self.failed(text, panic))?;
                let tokens = tokens.map_err(|error| self.refused(text, &error))?;
                let known = tokens.get_offsets().iter().take_while(|(_, end)| *end <= settled).count();
                if known > most {
                    return Ok(Some(tokens.get_ids()[..known].to_vec()));
                }
            }
            Ok(None)
        };
        if let Some(ids) = enough(text, long_text::SHORT, &mut roles)? {
            return Ok((ids, true));
        }
        let squeezed = long_text::squeezed(text, &mut roles, &added);
        let text = squeezed.as_deref().unwrap_or(text);
        match enough(text, usize::MAX, &mut roles)? {
            Some(ids) => Ok((ids, true)),
            None => Ok((self.body(text)?.get_ids().to_vec(), false)),
        }
    }

    fn added(&self, normalizer: BertNormalizer) -> Added {
        let mut added = Added { longest: 0, first: Vec::new() };
        for content in self.inner.get_added_vocabulary().get_vocab().keys() {
            // Cleaned, a token may be a little longer: each Chinese character gets white space around it.
            let mut cleaned = tokenizers::NormalizedString::from(content.as_str());
            let _ = tokenizers::Normalizer::normalize(&normalizer, &mut cleaned);
            added.longest = added.longest.max(content.chars().count()).max(cleaned.get().chars().count());
            added.first.extend(content.chars().next());
            added.first.extend(cleaned.get().trim_start().chars().next());
        }
        added
    }

    /// The tokens of a text without special tokens around it.
    fn body(&self, text: &str) -> Result<tokenizers::Encoding, DataError> {
        let encoded =
            guarded("tokenizers", || self.inner.encode_fast(text, false)).map_err(|panic| self.failed(text, panic))?;
        encoded.map_err(|error| self.refused(text, &error))
    }

    /// Token ids of a text, looked at as a whole however long it is, without special tokens around it.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn encode_whole(&self, text: &str) -> Result<Vec<u32>, DataError> {
        Ok(self.body(text)?.get_ids().to_vec())
    }

    /// Token ids of all texts, each as by [`Self::encode`]. Works in parallel; the result does not depend on that.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn encode_all<'a, T: Sync>(&self, texts: &'a [T], max_length: usize) -> Result<Vec<Vec<u32>>, DataError>
    where
        &'a T: Into<RowText<'a>>,
    {
        texts.par_iter().map(|text| self.encode(text, max_length)).collect()
    }

    /// Whether no text can be refused: so it is with BERT's own kind of tokenizer, which has `[UNK]` for what it does not
    /// know, and with those that a class builds: byte-level BPE knows all, Unigram has an unknown piece.
    pub fn takes_any_text(&self) -> bool {
        let knows_unknown = || self.unk_name().is_some_and(|unk| self.inner.get_model().token_to_id(unk).is_some());
        self.class.has_rules() || self.bert_normalizer().is_some() && knows_unknown()
    }

    /// The tokens of these ids; `[UNK]` for an id that there is not.
    pub fn tokens(&self, ids: &[u32]) -> Vec<String> {
        let token = |id: u32| match self.inner.get_added_vocabulary().get_added_tokens_decoder().get(&id) {
            Some(added) => Some(added.content.clone()),
            None => self.inner.id_to_token(id),
        };
        ids.iter().map(|&id| token(id).unwrap_or_else(|| SPECIAL[1].to_owned())).collect()
    }

    /// One more than the largest id: the rows that an embedding needs.
    pub fn vocab_size(&self) -> usize {
        self.inner.get_vocab(true).into_values().max().map_or(0, |id| id as usize + 1)
    }

    /// Bytes of memory that it takes, about: what reading it leaves with the allocator, measured with 21,000 to 250,000 tokens. Unigram
    /// holds all beginnings of its pieces in a tree.
    pub fn memory_bytes(&self) -> u64 {
        let of_token = match self.inner.get_model() {
            ModelWrapper::Unigram(_) => 1400,
            _ => 440,
        };
        of_token * self.inner.get_model().get_vocab_size() as u64
    }

    /// The id of what the vocabulary does not know; none where it knows all, as byte-level BPE does.
    pub fn unknown(&self) -> Option<u32> {
        self.unk
    }

    /// The most tokens that the tokenizer's own settings allow (`model_max_length`).
    pub fn model_max_length(&self) -> Option<usize> {
        self.model_max_length
    }

    /// What of its files is legal and probably a mistake.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The padding token with its id, if the files name one and the vocabulary has it.
    pub fn padding(&self) -> Option<(&str, u32)> {
        let (_, pad) = self.named.iter().find(|(key, _)| key == "pad_token")?;
        Some((pad, self.inner.token_to_id(pad)?))
    }

    fn unk_name(&self) -> Option<&str> {
        self.named.iter().find(|(key, _)| key == "unk_token").map(|(_, content)| content.as_str())
    }

    /// The normalizer, where the whole tokenizer is one that `BertTokenizer` would build from a vocabulary.
    pub(super) fn bert_normalizer(&self) -> Option<&BertNormalizer> {
        match (self.inner.get_model(), self.inner.get_normalizer(), self.inner.get_pre_tokenizer()) {
            (
                ModelWrapper::WordPiece(model),
                Some(NormalizerWrapper::BertNormalizer(normalizer)),
                Some(PreTokenizerWrapper::BertPreTokenizer(_)),
            ) if Some(model.unk_token.as_str()) == self.unk_name()
                && model.continuing_subword_prefix == "##"
                && model.max_input_chars_per_word == 100
                && normalizer.clean_text =>
            {
                Some(normalizer)
            }
            _ => None,
        }
    }

    fn refused(&self, text: &str, error: &tokenizers::Error) -> DataError {
        self.failed(text, error.to_string())
    }

    fn failed(&self, text: &str, what: String) -> DataError {
        let file = self.file.as_ref().map_or_else(String::new, |file| format!(" ({})", file.display()));
        DataError::Encode { text: shorten(text), what: format!("{what}{file}") }
    }
}

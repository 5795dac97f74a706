//! From texts to token ids, as BERT's tokenizer in transformers does it.

use std::{fs, io, path::Path};

use rayon::prelude::*;
use serde::Deserialize;
use serde_json::json;
use tokenizers::{
    AddedToken, Model, ModelWrapper, NormalizerWrapper, PreTokenizerWrapper, decoders, models::wordpiece::WordPiece,
    normalizers::BertNormalizer, pre_tokenizers::bert::BertPreTokenizer, processors::bert::BertProcessing,
};

use super::{DataError, error::shorten, vocabulary};

/// BERT's special tokens, in the order in which a new vocabulary has them.
pub(super) const SPECIAL: [&str; 5] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];

/// Turns a text into `[CLS] … [SEP]`.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    /// Without padding and truncation, whatever the file said.
    inner: tokenizers::Tokenizer,
    cls: u32,
    sep: u32,
}

/// What of tokenizer_config.json decides about ids.
#[derive(Debug, Default, Deserialize)]
struct Config {
    tokenizer_class: Option<String>,
    do_lower_case: Option<bool>,
    tokenize_chinese_chars: Option<bool>,
    strip_accents: Option<bool>,
}

impl Tokenizer {
    /// Loads the tokenizer of an HF folder: from tokenizer.json where there is one, else from vocab.txt.
    ///
    /// What tokenizer_config.json says of `do_lower_case`, `tokenize_chinese_chars` and `strip_accents` holds in both
    /// cases, as in transformers' `BertTokenizer`. What it does not say is as tokenizer.json has it (transformers takes
    /// its own defaults even then), or with vocab.txt: true, true, and as `do_lower_case`.
    ///
    /// # Errors
    /// Where neither file is there, one cannot be read, or the vocabulary lacks `[UNK]`, `[CLS]` or `[SEP]`.
    pub fn from_folder(dir: &Path) -> Result<Self, DataError> {
        let unusable =
            |name: &str, what: tokenizers::Error| DataError::Tokenizer { path: dir.join(name), what: what.to_string() };
        let config = match read_optional(&dir.join("tokenizer_config.json"))? {
            Some(bytes) => serde_json::from_slice(&bytes).map_err(|e| unusable("tokenizer_config.json", e.into()))?,
            None => Config::default(),
        };
        if let Some(bytes) = read_optional(&dir.join("tokenizer.json"))? {
            return Self::from_tokenizer_json(&bytes, &config).map_err(|e| unusable("tokenizer.json", e));
        }
        let Some(bytes) = read_optional(&dir.join("vocab.txt"))? else {
            return Err(unusable("", "no tokenizer here: expected tokenizer.json or vocab.txt".into()));
        };
        Self::from_vocab_txt(&bytes, config.apply(BertNormalizer::default())).map_err(|e| unusable("vocab.txt", e))
    }

    /// A tokenizer for a vocabulary in the order of the ids.
    ///
    /// # Errors
    /// Where the vocabulary lacks `[UNK]`, `[CLS]` or `[SEP]`.
    pub fn from_vocab(vocab: Vec<String>, lower_case: bool) -> Result<Self, DataError> {
        let normalizer = BertNormalizer::new(true, true, None, lower_case);
        Self::from_vocab_txt(vocab.join("\n").as_bytes(), normalizer)
            .map_err(|error| DataError::Vocabulary { what: error.to_string() })
    }

    /// The vocabulary of a new model, made from its training texts for a tokenizer with `lower_case`: special tokens,
    /// then characters by frequency, then whole words by frequency, `max_size` in all. Where all characters fit in,
    /// every text given can be spelt. The same texts give the same vocabulary.
    pub fn build_vocab<'a>(texts: impl Iterator<Item = &'a str>, max_size: usize) -> Vec<String> {
        vocabulary::build(texts, max_size)
    }

    /// Token ids of one text, `max_length` at most (but never less than `[CLS]` and `[SEP]`). What is too long is cut at
    /// its end, before `[SEP]`.
    ///
    /// # Errors
    /// Where a tokenizer.json of an unusual kind fails on the text.
    pub fn encode(&self, text: &str, max_length: usize) -> Result<Vec<u32>, DataError> {
        Ok(self.encode_counted(text, max_length)?.0)
    }

    /// As [`Self::encode`], with the number of tokens that the text has when it is not cut.
    pub(super) fn encode_counted(&self, text: &str, max_length: usize) -> Result<(Vec<u32>, usize), DataError> {
        let encoding = self
            .inner
            .encode_fast(text, false)
            .map_err(|error| DataError::Encode { text: shorten(text), what: error.to_string() })?;
        let body = encoding.get_ids();
        let kept = &body[..body.len().min(max_length.saturating_sub(2))];
        let mut ids = Vec::with_capacity(kept.len() + 2);
        ids.push(self.cls);
        ids.extend_from_slice(kept);
        ids.push(self.sep);
        Ok((ids, body.len() + 2))
    }

    /// Token ids of all texts, each as by [`Self::encode`]. Works in parallel; the result does not depend on that.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn encode_all<T: AsRef<str> + Sync>(&self, texts: &[T], max_length: usize) -> Result<Vec<Vec<u32>>, DataError> {
        texts.par_iter().map(|text| self.encode(text.as_ref(), max_length)).collect()
    }

    /// Whether no text can be refused: so it is with BERT's own kind of tokenizer, which has `[UNK]` for what it does not
    /// know.
    pub fn takes_any_text(&self) -> bool {
        self.bert_normalizer().is_some() && self.inner.get_model().token_to_id("[UNK]").is_some()
    }

    /// The tokens of these ids; `[UNK]` for an id that there is not.
    pub fn tokens(&self, ids: &[u32]) -> Vec<String> {
        ids.iter().map(|&id| self.inner.id_to_token(id).unwrap_or_else(|| SPECIAL[1].to_owned())).collect()
    }

    /// One more than the largest id: the rows that an embedding needs.
    pub fn vocab_size(&self) -> usize {
        self.inner.get_vocab(true).into_values().max().map_or(0, |id| id as usize + 1)
    }

    /// Writes tokenizer.json, vocab.txt, tokenizer_config.json and special_tokens_map.json into a folder, from which
    /// transformers' `AutoTokenizer` makes the same ids. `model_max_length` is the most tokens that the model takes.
    ///
    /// # Errors
    /// Where a file cannot be written.
    pub fn save(&self, dir: &Path, model_max_length: usize) -> Result<(), DataError> {
        let write = |name: &str, text: String| {
            let path = dir.join(name);
            fs::write(&path, text).map_err(DataError::io(&path))
        };
        let tokenizer = self.inner.to_string(true).map_err(|error| DataError::Tokenizer {
            path: dir.join("tokenizer.json"),
            what: format!("cannot be written: {error}"),
        })?;
        write("tokenizer.json", tokenizer)?;
        write("vocab.txt", self.vocab_file())?;

        let special = SPECIAL.into_iter().filter(|token| self.inner.token_to_id(token).is_some());
        let special: serde_json::Map<_, _> = special
            .map(|token| (format!("{}_token", token[1..token.len() - 1].to_lowercase()), json!(token)))
            .collect();
        let mut config = json!({ "tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": model_max_length });
        if let Some(normalizer) = self.bert_normalizer() {
            // BertTokenizer makes its own normalizer from these and does not look at that of tokenizer.json.
            config["tokenizer_class"] = json!("BertTokenizer");
            config["do_lower_case"] = json!(normalizer.lowercase);
            config["tokenize_chinese_chars"] = json!(normalizer.handle_chinese_chars);
            config["strip_accents"] = json!(normalizer.strip_accents);
        }
        for (key, token) in &special {
            config[key] = token.clone();
        }
        write("tokenizer_config.json", format!("{config:#}\n"))?;
        write("special_tokens_map.json", format!("{:#}\n", serde_json::Value::from(special)))
    }

    /// From the text of a vocab.txt, read by the rule of the tokenizers library, which is also that of transformers:
    /// ids are line numbers, white space at the end of a line is no part of the token, the last of equal lines counts.
    fn from_vocab_txt(bytes: &[u8], normalizer: BertNormalizer) -> tokenizers::Result<Self> {
        let model = WordPiece::builder().vocab(WordPiece::read_bytes(bytes)?).build()?;
        let mut inner = tokenizers::Tokenizer::new(model);
        inner.with_normalizer(Some(normalizer))?;
        inner.with_pre_tokenizer(Some(BertPreTokenizer));
        inner.with_decoder(Some(decoders::wordpiece::WordPiece::default()));
        Self::new(inner)
    }

    fn from_tokenizer_json(bytes: &[u8], config: &Config) -> tokenizers::Result<Self> {
        let mut inner = tokenizers::Tokenizer::from_bytes(bytes)?;
        let of_bert = matches!(config.tokenizer_class.as_deref(), None | Some("BertTokenizer" | "BertTokenizerFast"));
        if let Some(&NormalizerWrapper::BertNormalizer(normalizer)) = inner.get_normalizer()
            && of_bert
        {
            inner.with_normalizer(Some(config.apply(normalizer)))?;
        }
        Self::new(inner)
    }

    /// Settles what files leave open or say otherwise: special tokens, padding, truncation, `[CLS]` and `[SEP]`.
    fn new(mut inner: tokenizers::Tokenizer) -> tokenizers::Result<Self> {
        let id = |token: &str| {
            let lacking = || format!("the vocabulary lacks {token}, without which BERT's input cannot be built");
            inner.token_to_id(token).ok_or_else(lacking)
        };
        let (_, cls, sep) = (id("[UNK]")?, id("[CLS]")?, id("[SEP]")?);
        inner.with_padding(None);
        inner.with_truncation(None)?;
        // A special token in a text is that token. One that the vocabulary lacks is not added: the embedding has no row
        // for it.
        for token in SPECIAL {
            let known = inner.get_added_vocabulary().get_vocab().contains_key(token);
            if !known && inner.token_to_id(token).is_some() {
                inner.add_special_tokens([AddedToken::from(token, true)])?;
            }
        }
        if inner.get_post_processor().is_none() {
            inner.with_post_processor(Some(BertProcessing::new(("[SEP]".into(), sep), ("[CLS]".into(), cls))));
        }
        let empty = inner.encode_fast("", true)?;
        if empty.get_ids() != [cls, sep] {
            return Err(format!("an empty text becomes {:?}, expected [CLS] [SEP]", empty.get_tokens()).into());
        }
        Ok(Self { inner, cls, sep })
    }

    /// The normalizer, where the whole tokenizer is one that `BertTokenizer` would build from a vocabulary.
    fn bert_normalizer(&self) -> Option<&BertNormalizer> {
        match (self.inner.get_model(), self.inner.get_normalizer(), self.inner.get_pre_tokenizer()) {
            (
                ModelWrapper::WordPiece(model),
                Some(NormalizerWrapper::BertNormalizer(normalizer)),
                Some(PreTokenizerWrapper::BertPreTokenizer(_)),
            ) if model.unk_token == "[UNK]"
                && model.continuing_subword_prefix == "##"
                && model.max_input_chars_per_word == 100
                && normalizer.clean_text =>
            {
                Some(normalizer)
            }
            _ => None,
        }
    }

    /// The model's vocabulary, one token a line. An id without a token gets an empty line, so that none moves.
    fn vocab_file(&self) -> String {
        let vocab = self.inner.get_model().get_vocab();
        let mut lines = vec![""; vocab.values().max().map_or(0, |&id| id as usize + 1)];
        for (token, id) in &vocab {
            lines[*id as usize] = token;
        }
        lines.into_iter().flat_map(|line| [line, "\n"]).collect()
    }
}

impl Config {
    fn apply(&self, normalizer: BertNormalizer) -> BertNormalizer {
        BertNormalizer::new(
            normalizer.clean_text,
            self.tokenize_chinese_chars.unwrap_or(normalizer.handle_chinese_chars),
            self.strip_accents.or(normalizer.strip_accents),
            self.do_lower_case.unwrap_or(normalizer.lowercase),
        )
    }
}

fn read_optional(path: &Path) -> Result<Option<Vec<u8>>, DataError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(DataError::io(path)(error)),
    }
}

//! What a class builds a tokenizer from: the vocabulary in tokenizer.json, in vocab.json and merges.txt, or in a model of SentencePiece.

use std::{
    collections::{BTreeMap, HashSet},
    path::Path,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::Deserialize;
use serde_json::{Map, Value};
use tokenizers::{
    AddedToken, PostProcessorWrapper,
    models::bpe::{BPE, BpeBuilder, Vocab},
    normalizers::Precompiled,
};

use super::{
    DataError, charsmap,
    error::shorten,
    guarded::guarded,
    sentencepiece::{PIECES, SentencePiece, check_piece},
    token_classes::Class,
    token_files::{read_optional, unreadable, unusable},
    token_settings::token_of,
};
use crate::sniff;

pub(super) const FILE: &str = "tokenizer.json";
const MERGES: &str = "merges.txt";
/// Ids are below this: an embedding with more rows does not exist.
pub(super) const IDS: usize = 1 << 24;

/// A vocabulary, and what its file says besides.
pub(super) struct Source {
    /// The name of the file.
    pub file: &'static str,
    pub vocabulary: Vocabulary,
    pub charsmap: Option<Precompiled>,
    /// The id of what is unknown, if a model of SentencePiece states it.
    pub unk_id: Option<usize>,
    pub post_processor: Option<PostProcessorWrapper>,
    /// Tokens that tokenizer.json adds, by id.
    pub added: BTreeMap<u64, AddedToken>,
    /// Symbols of SentencePiece, which are added without a name.
    pub symbols: Vec<AddedToken>,
    /// Whether texts that are too long lose their beginning, if the file says so.
    pub cut_left: Option<bool>,
    /// What is legal and probably a mistake, in words.
    pub notes: Vec<String>,
}

/// The tokens by their ids.
pub(super) enum Vocabulary {
    Merges(Box<BPE>),
    Pieces(Vec<(String, f64)>),
}

impl Source {
    fn new(file: &'static str, vocabulary: Vocabulary) -> Self {
        Self {
            file,
            vocabulary,
            charsmap: None,
            unk_id: None,
            post_processor: None,
            added: BTreeMap::new(),
            symbols: Vec::new(),
            cut_left: None,
            notes: Vec::new(),
        }
    }

    /// What a folder has for a class: tokenizer.json, where it is given, else the files of its vocabulary.
    ///
    /// # Errors
    /// Where they are missing, damaged or of another kind.
    pub fn of(dir: &Path, class: Class, file: Option<&[u8]>) -> Result<Self, DataError> {
        if let Some(bytes) = file {
            return Self::from_json(class, bytes).map_err(|what| unusable(dir, FILE, what));
        }
        let name = class.vocabulary();
        let missing = |also: &str| {
            let of_bert = Class::Bert.vocabulary();
            let bert = match dir.join(of_bert).exists() {
                true => format!(
                    "; {of_bert} is there: if it is for BertTokenizer, write \"tokenizer_class\": \"BertTokenizer\" in \
                     tokenizer_config.json"
                ),
                false => String::new(),
            };
            let what = format!("no tokenizer here: expected tokenizer.json or {name}{also} ({}){bert}", class.name());
            unusable(dir, "", what)
        };
        let vocabulary = read_optional(dir, name)?;
        if class != Class::Roberta {
            let bytes = vocabulary.ok_or_else(|| missing(""))?;
            return Self::from_model(name, &bytes).map_err(|what| unreadable(dir, name, &bytes, &what));
        }
        let bytes = vocabulary.ok_or_else(|| missing(" with merges.txt"))?;
        let json =
            serde_json::from_slice(&bytes).map_err(|error| unusable(dir, name, sniff::not_json(&bytes, &error)))?;
        let vocabulary = vocabulary_of(&json).map_err(|what| unusable(dir, name, what))?;
        let Some(merges) = read_optional(dir, MERGES)? else {
            return Err(unusable(
                dir,
                MERGES,
                format!("there is no such file: {} needs it beside {name}", class.name()),
            ));
        };
        let refuse = |what: String| unreadable(dir, MERGES, &merges, &what);
        let text = std::str::from_utf8(&merges).map_err(|error| refuse(format!("it is not UTF-8: {error}")))?;
        let bpe = merges_of(text).and_then(|merges| bpe(vocabulary, merges)).map_err(refuse)?;
        Ok(Self::new("vocab.json", Vocabulary::Merges(Box::new(bpe))))
    }

    fn from_json(class: Class, bytes: &[u8]) -> Result<Self, String> {
        let json: Value = serde_json::from_slice(bytes).map_err(|error| sniff::not_json(bytes, &error))?;
        let model = &json["model"];
        let of_another = || {
            let kind =
                model["type"].as_str().map_or_else(|| "of no stated type".into(), |kind| format!("of the type {kind}"));
            format!(
                "its model is {kind}, from which {} builds no tokenizer; expected {}",
                class.name(),
                model_of(class)
            )
        };
        let vocabulary = match (class, &model["vocab"]) {
            (Class::Roberta, vocab @ Value::Object(_)) if model["merges"].is_array() => {
                let vocabulary = vocabulary_of(vocab)?;
                Vocabulary::Merges(Box::new(bpe(vocabulary, listed_merges(&model["merges"])?)?))
            }
            (Class::Roberta, _) => return Err(of_another()),
            (_, Value::Array(pieces)) => Vocabulary::Pieces(listed_pieces(pieces)?),
            _ => return Err(of_another()),
        };
        let mut source = Self::new(FILE, vocabulary);
        source.charsmap = charsmap_of(&json["normalizer"])?;
        if !json["post_processor"].is_null() {
            let read = guarded("tokenizers", || PostProcessorWrapper::deserialize(&json["post_processor"]));
            source.post_processor = Some(read?.map_err(|error| format!("`post_processor`: {error}"))?);
        }
        for token in json["added_tokens"].as_array().into_iter().flatten() {
            let entry = token["id"].as_u64().zip(token_of(token, false)).filter(|(id, _)| *id < IDS as u64);
            let (id, token) = entry
                .ok_or("`added_tokens` has an entry without `content`, without an id or with one that is too large")?;
            source.added.insert(id, token);
        }
        source.cut_left = json["truncation"]["direction"].as_str().map(|direction| direction == "Left");
        Ok(source)
    }

    fn from_model(name: &'static str, bytes: &[u8]) -> Result<Self, String> {
        let model =
            SentencePiece::read(bytes).map_err(|what| format!("this is not a complete SentencePiece model: {what}"))?;
        check_count(model.pieces.len())?;
        let mut source = Self::new(name, Vocabulary::Pieces(model.pieces));
        if !model.charsmap.is_empty() {
            source.charsmap = Some(charsmap::read(&model.charsmap)?);
        }
        source.unk_id = Some(model.unk_id);
        let symbol = |(content, is_control)| AddedToken::from(content, is_control).normalized(false);
        source.symbols = model.symbols.into_iter().map(symbol).collect();
        let differs = [
            (!model.is_unigram, "is not of the type Unigram"),
            (model.byte_fallback, "spells unknown characters as bytes"),
        ];
        for (_, what) in differs.into_iter().filter(|(differs, _)| *differs) {
            source.notes.push(format!(
                "{name} {what}; transformers 5 and taper ignore that: tokens may differ from those the model was \
                 trained on"
            ));
        }
        Ok(source)
    }
}

/// Refuses what a tokenizer.json states beyond what it has, or what would need memory out of proportion, before the library reads it.
pub(super) fn check_sizes(json: &Value) -> Result<(), String> {
    if let Value::Array(pieces) = &json["model"]["vocab"] {
        let bytes = |piece: &Value| piece[0].as_str().map_or(0, str::len);
        check_count(pieces.len())?;
        check_bytes(pieces.iter().map(bytes).sum())?;
        check_piece(pieces.iter().map(bytes).max().unwrap_or(0))?;
    }
    let mut rest = vec![&json["normalizer"]];
    while let Some(value) = rest.pop() {
        match value {
            Value::Array(all) => rest.extend(all),
            Value::Object(map) => {
                if let Some(table) = map.get("precompiled_charsmap").and_then(Value::as_str)
                    && let Ok(table) = BASE64_STANDARD.decode(table)
                {
                    charsmap::check_memory(&table)?;
                }
                rest.extend(map.values());
            }
            _ => {}
        }
    }
    Ok(())
}

/// The kind of model that a class builds.
fn model_of(class: Class) -> &'static str {
    if class == Class::Roberta {
        "BPE, with `vocab` and `merges`"
    } else {
        "Unigram, with a list `vocab` of pieces and scores"
    }
}

fn check_count(pieces: usize) -> Result<(), String> {
    match pieces < IDS {
        true => Ok(()),
        false => Err(format!("it has {pieces} pieces; expected fewer than {IDS}")),
    }
}

fn check_bytes(bytes: usize) -> Result<(), String> {
    match bytes <= PIECES {
        true => Ok(()),
        false => Err(format!("its pieces have {bytes} bytes together; expected at most {PIECES}")),
    }
}

/// Tokens with their ids.
fn vocabulary_of(json: &Value) -> Result<Vec<(String, u32)>, String> {
    let what =
        || format!("its vocabulary is of the wrong type; expected an object with an id below {IDS} for each token");
    let entries: &Map<String, Value> = json.as_object().ok_or_else(what)?;
    let entry = |(token, id): (&String, &Value)| {
        let id = id.as_u64().filter(|id| *id < IDS as u64).and_then(|id| u32::try_from(id).ok());
        id.map(|id| (token.clone(), id)).ok_or_else(|| format!("its token `{}` has no id below {IDS}", shorten(token)))
    };
    match entries.is_empty() {
        true => Err("its vocabulary is empty: no text has tokens in it".into()),
        false => entries.iter().map(entry).collect(),
    }
}

/// What is merged, and what says so (for messages).
type Merge = (String, String, String);

/// The merges of tokenizer.json: `["a", "b"]`, or `"a b"`.
fn listed_merges(list: &Value) -> Result<Vec<Merge>, String> {
    let merge = |(at, merge): (usize, &Value)| {
        let parts: Option<Vec<&str>> = match merge {
            Value::String(merge) => Some(merge.split(' ').collect()),
            Value::Array(parts) => parts.iter().map(Value::as_str).collect(),
            _ => None,
        };
        let location = format!("merge {at}");
        match parts.as_deref() {
            Some([a, b]) => Ok(((*a).to_owned(), (*b).to_owned(), location)),
            _ => Err(format!("{location} is {}; expected two tokens", shorten(&merge.to_string()))),
        }
    };
    list.as_array().into_iter().flatten().enumerate().map(merge).collect()
}

/// The merges of merges.txt, by the rule of the tokenizers library: lines of two tokens with a space between, all but `#version`.
fn merges_of(text: &str) -> Result<Vec<Merge>, String> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.starts_with("#version"));
    let merge = |(at, line): (usize, &str)| {
        let location = format!("line {}", at + 1);
        match line.split(' ').collect::<Vec<_>>().as_slice() {
            [a, b] => Ok(((*a).to_owned(), (*b).to_owned(), location)),
            _ => Err(format!("{location} is `{}`; expected two tokens with a space between them", shorten(line))),
        }
    };
    lines.map(merge).collect()
}

/// BPE as `RobertaTokenizer` builds it.
fn bpe(vocabulary: Vec<(String, u32)>, merges: Vec<Merge>) -> Result<BPE, String> {
    let known: HashSet<&str> = vocabulary.iter().map(|(token, _)| token.as_str()).collect();
    for (a, b, location) in &merges {
        let whole = format!("{a}{b}");
        if let Some(unknown) = [a, b, &whole].into_iter().find(|token| !known.contains(token.as_str())) {
            return Err(format!(
                "{location} merges `{}` and `{}`, but the vocabulary has no `{}`",
                shorten(a),
                shorten(b),
                shorten(unknown)
            ));
        }
    }
    let merges = merges.into_iter().map(|(a, b, _)| (a, b)).collect();
    let vocabulary: Vocab = vocabulary.into_iter().collect();
    let builder = BpeBuilder::new().vocab_and_merges(vocabulary, merges);
    let builder = builder.continuing_subword_prefix(String::new()).end_of_word_suffix(String::new());
    guarded("tokenizers", || builder.build().map_err(|error| error.to_string())).flatten()
}

/// The pieces of a Unigram model in tokenizer.json.
fn listed_pieces(list: &[Value]) -> Result<Vec<(String, f64)>, String> {
    check_count(list.len())?;
    let piece = |(id, piece): (usize, &Value)| match piece.as_array().map(Vec::as_slice) {
        Some([Value::String(piece), score]) if !piece.is_empty() && score.is_number() => {
            Ok((piece.clone(), score.as_f64().unwrap_or_default()))
        }
        _ => Err(format!("piece {id} is {}; expected a string and a score", shorten(&piece.to_string()))),
    };
    let pieces: Vec<(String, f64)> = list.iter().enumerate().map(piece).collect::<Result<_, _>>()?;
    check_bytes(pieces.iter().map(|(piece, _)| piece.len()).sum())?;
    match pieces.is_empty() {
        true => Err("its vocabulary is empty: no text has tokens in it".into()),
        false => Ok(pieces),
    }
}

/// The table of characters in a normalizer of tokenizer.json, or in one of a sequence of them.
fn charsmap_of(normalizer: &Value) -> Result<Option<Precompiled>, String> {
    let steps = match normalizer["type"] == "Sequence" {
        true => normalizer["normalizers"].as_array().map_or(&[][..], Vec::as_slice),
        false => std::slice::from_ref(normalizer),
    };
    let is_table = |step: &&Value| step["type"] == "Precompiled" && step["precompiled_charsmap"].is_string();
    let Some(step) = steps.iter().find(is_table) else { return Ok(None) };
    let table = step["precompiled_charsmap"].as_str().unwrap_or_default();
    let table =
        BASE64_STANDARD.decode(table).map_err(|error| format!("`precompiled_charsmap` is not base64: {error}"))?;
    charsmap::read(&table).map(Some)
}

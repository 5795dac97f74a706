//! The tokenizers that classes of transformers 5.23 build by their own rules: `RobertaTokenizer`, `XLMRobertaTokenizer`,
//! `CamembertTokenizer`, `DebertaV2Tokenizer` and `AlbertTokenizer`. Of a tokenizer.json they take the vocabulary, the added tokens, the
//! table of characters and the side of truncation (`AlbertTokenizer` also the post-processor), and nothing else.

use std::path::Path;

use serde_json::{Map, Value, json};
use tokenizers::{
    AddedToken, DecoderWrapper, NormalizerWrapper, PostProcessorWrapper, PreTokenizerWrapper, SplitDelimiterBehavior,
    models::unigram::Unigram,
    normalizers::{
        Lowercase, NFC, NFKD, Replace, Sequence as Normalizers, Strip, StripAccents, replace::ReplacePattern,
    },
    pre_tokenizers::{
        byte_level::ByteLevel,
        metaspace::{Metaspace, PrependScheme},
        punctuation::Punctuation,
        sequence::Sequence,
        whitespace::WhitespaceSplit,
    },
    processors::{roberta::RobertaProcessing, template::TemplateProcessing},
};

use super::{
    DataError, Tokenizer,
    guarded::guarded,
    token_classes::Class,
    token_files::unusable,
    token_settings::Settings,
    token_sources::{FILE, Source, Vocabulary},
};

/// The sign for white space in pieces.
const SPACE: char = '▁';
/// Special tokens of `CamembertTokenizer` where the files name no others.
const NOT_USED: [&str; 3] = ["<s>NOTUSED", "</s>NOTUSED", "<unk>NOTUSED"];

impl Tokenizer {
    /// The tokenizer of a class with rules of its own, from tokenizer.json (its content is `file`) or else from the files of its vocabulary.
    pub(super) fn of_rules(dir: &Path, file: Option<&[u8]>, mut settings: Settings) -> Result<Self, DataError> {
        let class = settings.class;
        let source = Source::of(dir, class, file)?;
        let name = source.file;
        let refuse = |what: String| unusable(dir, name, what);
        if class == Class::Albert && name != FILE && settings.states_ends {
            let what = "`add_bos_token` or `add_eos_token`: without a tokenizer.json, AlbertTokenizer of transformers \
                        5 would not put [CLS] before and [SEP] after a text; remove these keys";
            return Err(unusable(dir, super::token_settings::CONFIG, what.into()));
        }
        let loaded = guarded("tokenizers", || {
            let inner = build(source, &mut settings)?;
            Self::finished(inner, settings)
        });
        let mut loaded = loaded.flatten().map_err(refuse)?;
        loaded.file = Some(dir.join(name));
        Ok(loaded)
    }
}

/// The tokenizer without added tokens and without a post-processor of its class. Settings get what the vocabulary's file says.
fn build(source: Source, settings: &mut Settings) -> Result<tokenizers::Tokenizer, String> {
    let class = settings.class;
    if !settings.added_is_final {
        settings.added.extend(source.added);
    }
    if !settings.extra_is_stated {
        settings.extra = match (class, source.file) {
            (Class::Camembert, FILE) => NOT_USED.map(|token| AddedToken::from(token, true)).into(),
            _ => source.symbols,
        };
        settings.extra_goes_over = source.file != FILE;
    }
    settings.cut_left = settings.cut_left.or(source.cut_left);
    settings.notes.extend(source.notes);
    let text = |error: tokenizers::Error| error.to_string();
    match source.vocabulary {
        Vocabulary::Merges(bpe) => {
            let mut inner = tokenizers::Tokenizer::new(*bpe);
            let byte_level = ByteLevel::default().add_prefix_space(settings.add_prefix_space.unwrap_or(false));
            inner.with_pre_tokenizer(Some(byte_level));
            inner.with_decoder(Some(ByteLevel::default()));
            Ok(inner)
        }
        Vocabulary::Pieces(pieces) => {
            // A model of SentencePiece has other ids than the class gives its pieces.
            let pieces = if source.file == FILE { pieces } else { pieces_of(pieces, settings) };
            let unk_id = unk_id(&pieces, source.unk_id, settings);
            settings.unk_id = Some(unk_id);
            let mut inner = tokenizers::Tokenizer::new(Unigram::from(pieces, Some(unk_id), false).map_err(text)?);
            inner.with_normalizer(normalizer(settings, source.charsmap)?).map_err(text)?;
            inner.with_pre_tokenizer(Some(pre_tokenizer(settings)));
            inner.with_decoder(Some(DecoderWrapper::Metaspace(metaspace(settings))));
            if class == Class::Albert {
                inner.with_post_processor(source.post_processor);
            }
            Ok(inner)
        }
    }
}

/// The pieces of a model of SentencePiece in the order in which a class has them.
fn pieces_of(pieces: Vec<(String, f64)>, settings: &Settings) -> Vec<(String, f64)> {
    let name = |key: &str| (settings.name(key).unwrap_or_default().to_owned(), 0.0);
    let (first, skipped) = match settings.class {
        Class::XlmRoberta => (["bos_token", "pad_token", "eos_token", "unk_token"].map(name).to_vec(), 3),
        Class::Camembert => {
            let not_used = |at: usize, score| (NOT_USED[at].to_owned(), score);
            (vec![not_used(0, 0.0), name("pad_token"), not_used(1, 0.0), name("unk_token"), not_used(2, -100.0)], 1)
        }
        _ => return pieces,
    };
    let mask = name("mask_token");
    first.into_iter().chain(pieces.into_iter().skip(skipped)).chain([mask]).collect()
}

/// The id of the piece for what is unknown.
fn unk_id(pieces: &[(String, f64)], of_model: Option<usize>, settings: &Settings) -> usize {
    let unk = settings.name("unk_token").unwrap_or_default();
    let first = |is_it: &dyn Fn(f64) -> bool| pieces.iter().position(|(piece, score)| piece == unk && is_it(*score));
    match settings.class {
        Class::XlmRoberta => 3,
        Class::Camembert => first(&|_| true).unwrap_or(0),
        Class::DebertaV2 => first(&|score| score == 0.0).or(of_model).or(settings.unk_id).unwrap_or(1),
        _ => 1,
    }
}

fn normalizer(
    settings: &Settings,
    charsmap: Option<tokenizers::normalizers::Precompiled>,
) -> Result<Option<NormalizerWrapper>, String> {
    let replace = |pattern: ReplacePattern, by: &str| {
        Replace::new(pattern, by).map(NormalizerWrapper::from).map_err(|error| error.to_string())
    };
    let mut steps: Vec<NormalizerWrapper> = Vec::new();
    match settings.class {
        Class::DebertaV2 => {
            if settings.lower_case == Some(true) {
                steps.push(Lowercase.into());
            }
            steps.push(replace(ReplacePattern::Regex(r"\s{2,}|[\n\r\t]".into()), " ")?);
            steps.extend([NFC.into(), Strip::new(false, true).into()]);
        }
        Class::Albert => {
            for quotes in ["``", "''"] {
                steps.push(replace(ReplacePattern::String(quotes.into()), "\"")?);
            }
            if settings.keep_accents != Some(true) {
                steps.extend([NFKD.into(), StripAccents.into()]);
            }
            if settings.lower_case != Some(false) {
                steps.push(Lowercase.into());
            }
            steps.extend(charsmap.map(NormalizerWrapper::from));
        }
        _ => return Ok(charsmap.map(NormalizerWrapper::from)),
    }
    Ok(Some(Normalizers::new(steps).into()))
}

fn pre_tokenizer(settings: &Settings) -> PreTokenizerWrapper {
    let mut steps: Vec<PreTokenizerWrapper> = Vec::new();
    match settings.class {
        Class::DebertaV2 if settings.split_by_punct == Some(true) => {
            steps.push(Punctuation::new(SplitDelimiterBehavior::Isolated).into());
        }
        Class::DebertaV2 => {}
        _ => steps.push(WhitespaceSplit.into()),
    }
    steps.push(metaspace(settings).into());
    Sequence::new(steps).into()
}

fn metaspace(settings: &Settings) -> Metaspace {
    let scheme = match (settings.add_prefix_space.unwrap_or(true), settings.class) {
        (true, _) => PrependScheme::Always,
        (false, Class::DebertaV2) => PrependScheme::First,
        (false, _) => PrependScheme::Never,
    };
    Metaspace::new(SPACE, scheme, true)
}

/// What a class puts around texts: its own post-processor, with the ids that its special tokens have.
pub(super) fn post_processor(
    class: Class,
    first: (&str, u32),
    last: (&str, u32),
) -> Result<PostProcessorWrapper, String> {
    let [(first, first_id), (last, last_id)] = [first, last].map(|(token, id)| (token.to_owned(), id));
    if class == Class::Roberta {
        return Ok(RobertaProcessing::new((last, last_id), (first, first_id)).into());
    }
    let (single, pair) = match class {
        Class::XlmRoberta | Class::Camembert => ("F:0 $A:0 L:0", "F:0 $A:0 L:0 L:0 $B:0 L:0"),
        _ => ("F:0 $A:0 L:0", "F:0 $A:0 L:0 $B:1 L:1"),
    };
    // Named here by letters, so that a token may have any name.
    let piece = |piece: &str| {
        let (what, kind) = piece.split_once(':').unwrap_or((piece, "0"));
        let kind: u32 = kind.parse().unwrap_or_default();
        match what {
            "$A" | "$B" => json!({"Sequence": {"id": &what[1..], "type_id": kind}}),
            "F" => json!({"SpecialToken": {"id": &first, "type_id": kind}}),
            _ => json!({"SpecialToken": {"id": &last, "type_id": kind}}),
        }
    };
    let pieces = |template: &str| template.split(' ').map(piece).collect::<Vec<_>>();
    let special: Map<String, Value> = [(&first, first_id), (&last, last_id)]
        .into_iter()
        .map(|(token, id)| (token.clone(), json!({"id": token, "ids": [id], "tokens": [token]})))
        .collect();
    let template = json!({
        "type": "TemplateProcessing", "single": pieces(single), "pair": pieces(pair), "special_tokens": special
    });
    let template: TemplateProcessing = serde_json::from_value(template).map_err(|error| error.to_string())?;
    Ok(template.into())
}

/// The keys of tokenizer_config.json by which a class builds the tokenizer again.
pub(super) fn switches(settings: &Settings) -> Map<String, Value> {
    let mut keys = Map::new();
    let mut say = |key: &str, value: Value| drop(keys.insert(key.into(), value));
    match settings.class {
        Class::Bert | Class::File => return keys,
        Class::Roberta => say("add_prefix_space", json!(settings.add_prefix_space.unwrap_or(false))),
        _ => say("add_prefix_space", json!(settings.add_prefix_space.unwrap_or(true))),
    }
    match settings.class {
        Class::DebertaV2 => {
            say("do_lower_case", json!(settings.lower_case == Some(true)));
            say("split_by_punct", json!(settings.split_by_punct == Some(true)));
            say("unk_id", json!(settings.unk_id));
        }
        Class::Albert => {
            say("do_lower_case", json!(settings.lower_case != Some(false)));
            say("keep_accents", json!(settings.keep_accents == Some(true)));
        }
        // Else the class would add special tokens that are not there.
        Class::Camembert => say("extra_special_tokens", json!([])),
        _ => {}
    }
    keys
}

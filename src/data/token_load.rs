//! A tokenizer from the files of its folder.

use std::path::Path;

use serde_json::Value;
use tokenizers::{
    AddedToken, Model, ModelWrapper, NormalizerWrapper, PostProcessorWrapper, PreTokenizerWrapper, TruncationDirection,
    decoders, models::wordpiece::WordPiece, normalizers::BertNormalizer, pre_tokenizers::bert::BertPreTokenizer,
    processors::bert::BertProcessing,
};

use super::{
    DataError, Tokenizer,
    error::shorten,
    guarded::guarded,
    token_classes::Class,
    token_files::{read_optional, unreadable, unusable},
    token_pairs::Template,
    token_rules::{post_processor, switches},
    token_settings::Settings,
    token_sources::{FILE, IDS, check_sizes},
};
use crate::{
    format::{and, by_number},
    sniff,
    warning::{Kind, Warning, lines},
};

const VOCAB: &str = "vocab.txt";
/// By which factor a normalizer of tokenizer.json can lengthen a text at most.
const GROWTH: usize = 64;

impl Tokenizer {
    /// Loads the tokenizer of an HF folder: from tokenizer.json where there is one, else from vocab.txt, or from the files of its class
    /// (vocab.json and merges.txt, or a model of SentencePiece).
    ///
    /// What tokenizer_config.json says holds in both cases, as in transformers: `do_lower_case`, `tokenize_chinese_chars`,
    /// `strip_accents`, special and added tokens, the class. What it does not say is as tokenizer.json has it (transformers
    /// takes its own defaults even then; where that matters there is a warning), or with vocab.txt as `BertTokenizer` has it.
    /// In folders that are older, special_tokens_map.json and added_tokens.json count too.
    ///
    /// # Errors
    /// Where there is no such file, one cannot be read, its class is one that taper does not read, or the vocabulary lacks a token
    /// without which texts cannot be encoded (`[UNK]`, `[CLS]`, `[SEP]` of BERT's tokenizer).
    pub fn from_folder(dir: &Path) -> Result<Self, DataError> {
        let file = read_optional(dir, FILE)?;
        let settings = Settings::read(dir, file.is_some())?;
        if settings.class.has_rules() {
            return Self::of_rules(dir, file.as_deref(), settings);
        }
        if let Some(bytes) = file {
            let refuse = |what: String| unusable(dir, FILE, what);
            let json: Value =
                serde_json::from_slice(&bytes).map_err(|error| refuse(sniff::not_json(&bytes, &error)))?;
            check_sizes(&json).map_err(refuse)?;
            let settings = Settings { unk_id: id_of(&json["model"]["unk_id"]), ..settings };
            drop(json);
            let inner = guarded("tokenizers", || tokenizers::Tokenizer::from_bytes(&bytes)).map_err(refuse)?;
            let inner = inner.map_err(|error| refuse(error.to_string()))?;
            check_growth(inner.get_normalizer()).map_err(refuse)?;
            let mut loaded = guarded("tokenizers", || Self::from_file(inner, settings)).flatten().map_err(refuse)?;
            loaded.file = Some(dir.join(FILE));
            return Ok(loaded);
        }
        let Some(bytes) = read_optional(dir, VOCAB)? else {
            let other = Class::WITH_RULES.iter().find(|class| dir.join(class.vocabulary()).exists());
            let hint = other.map(|class| {
                format!(
                    " ({} is there, but neither tokenizer_class nor the model type names the class of tokenizer that \
                     it is for, such as {})",
                    class.vocabulary(),
                    class.name()
                )
            });
            let what = format!("no tokenizer here: expected tokenizer.json or vocab.txt{}", hint.unwrap_or_default());
            return Err(unusable(dir, "", what));
        };
        let refuse = |what: String| unreadable(dir, VOCAB, &bytes, &what);
        let text = std::str::from_utf8(&bytes).map_err(|error| refuse(format!("it is not UTF-8: {error}")))?;
        let mut loaded = guarded("tokenizers", || Self::from_vocab_txt(text, settings)).flatten().map_err(refuse)?;
        loaded.warnings.extend(repeated(text));
        loaded.warnings.extend(marked(text));
        loaded.file = Some(dir.join(VOCAB));
        Ok(loaded)
    }

    /// For words in the order of their ids.
    pub(super) fn from_words(words: Vec<String>, lower_case: bool) -> Result<Self, String> {
        let bert = Settings { lower_case: Some(lower_case), ..Settings::for_bert() };
        Self::from_vocab_txt(&words.join("\n"), bert)
    }

    /// From the text of a vocab.txt, read by the rule of the tokenizers library, which is also that of transformers:
    /// ids are line numbers, white space at the end of a line is no part of the token, the last of equal lines counts.
    fn from_vocab_txt(text: &str, settings: Settings) -> Result<Self, String> {
        let unk = settings.name("unk_token").unwrap_or("[UNK]").to_owned();
        let vocab = WordPiece::read_bytes(text.as_bytes()).map_err(|error| error.to_string())?;
        let model = WordPiece::builder().vocab(vocab).unk_token(unk).build().map_err(|error| error.to_string())?;
        Self::of_bert(model.into(), settings.normalizer(BertNormalizer::default()), settings)
    }

    /// From a tokenizer.json that has been read.
    fn from_file(inner: tokenizers::Tokenizer, mut settings: Settings) -> Result<Self, String> {
        check_vocabulary(&inner, &mut settings.notes)?;
        check_chance(inner.get_model())?;
        if settings.class == Class::File && inner.get_post_processor().is_none() {
            return Err("`post_processor` is null, and the tokenizer class named in the files follows tokenizer.json \
                        alone: a text would get no special token before it, but the model predicts from such \
                        a token; name the class BertTokenizer in tokenizer_config.json, which adds [CLS] and [SEP], \
                        or give tokenizer.json a post_processor that adds special tokens"
                .into());
        }
        settings.cut_left =
            settings.cut_left.or_else(|| Some(matches!(inner.get_truncation()?.direction, TruncationDirection::Left)));
        let (model, pre_tokenizer) = (inner.get_model(), inner.get_pre_tokenizer());
        let of_bert = match (model, inner.get_normalizer(), pre_tokenizer) {
            (
                ModelWrapper::WordPiece(model),
                Some(NormalizerWrapper::BertNormalizer(normalizer)),
                Some(PreTokenizerWrapper::BertPreTokenizer(_)),
            ) if settings.class == Class::Bert => Some((model.clone(), *normalizer)),
            _ => None,
        };
        let Some((mut model, own)) = of_bert else {
            if settings.class == Class::Bert {
                settings.notes.push(
                    "tokenizer.json describes a tokenizer that is not BertTokenizer's, and no file names another \
                     class: taper uses tokenizer.json, while transformers 5 would build a BertTokenizer from its \
                     vocabulary; name the class PreTrainedTokenizerFast in tokenizer_config.json so that taper and \
                     transformers agree"
                        .into(),
                );
                settings.class = Class::File;
                settings.stated = settings.named.iter().map(|(key, _)| key.clone()).collect();
            }
            return Self::finished(inner, settings);
        };
        // The tokenizer that BertTokenizer would build from the same files.
        let theirs = settings.normalizer(BertNormalizer::default());
        let ours = settings.normalizer(own);
        let flags = |n: &BertNormalizer| {
            (n.clean_text, n.handle_chinese_chars, n.strip_accents.unwrap_or(n.lowercase), n.lowercase)
        };
        if flags(&theirs) != flags(&ours) {
            let sets = differences(&theirs, &ours, |key, own, _| format!("{key} = {own}"));
            settings.notes.push(format!(
                "tokenizer.json sets {}, but tokenizer_config.json does not set {}: taper uses tokenizer.json, while \
                 transformers 5 would use BertTokenizer's defaults; add {} to tokenizer_config.json so that taper and \
                 transformers agree",
                and(&sets),
                by_number(sets.len() as u64, "it", "them"),
                differences(&theirs, &ours, |key, own, _| format!("\"{key}\": {own}")).join(", "),
            ));
        }
        as_bert_tokenizer(&mut model, &mut settings);
        if !settings.added_is_final {
            for (id, token) in inner.get_added_vocabulary().get_added_tokens_decoder() {
                settings.added.insert(u64::from(*id), token.clone());
            }
        }
        let post_processor = inner.get_post_processor().cloned();
        let mut loaded = Self::of_bert(model.into(), ours, settings)?;
        // BertTokenizer has one of its own. That of the file is kept where it does the same, and written out again as it was.
        let own = loaded.inner.get_post_processor().cloned();
        if let Some(post_processor) = post_processor {
            loaded.inner.with_post_processor(Some(post_processor));
            let joins_two = loaded.inner.get_post_processor().map(Template::of_two) == Some(loaded.template.clone());
            let ends = loaded.tokens(&loaded.single.fill([&[], &[]]).0);
            if let Err(why) = loaded.checked() {
                loaded.inner.with_post_processor(own);
                loaded.warnings.push(Warning::new(
                    Kind::Tokens,
                    format!(
                        "tokenizer.json has a post_processor with which {why}: like BertTokenizer of transformers 5, \
                         taper puts {} each text",
                        ends.join(" before and ") + " after"
                    ),
                ));
            } else if !joins_two {
                loaded.inner.with_post_processor(own);
            }
        }
        Ok(loaded)
    }

    /// A tokenizer as `BertTokenizer` builds it.
    fn of_bert(model: ModelWrapper, normalizer: BertNormalizer, settings: Settings) -> Result<Self, String> {
        let mut inner = tokenizers::Tokenizer::new(model);
        inner.with_normalizer(Some(normalizer)).map_err(|error| error.to_string())?;
        inner.with_pre_tokenizer(Some(BertPreTokenizer));
        inner.with_decoder(Some(decoders::wordpiece::WordPiece::default()));
        Self::finished(inner, settings)
    }

    /// Adds tokens and settles what files leave open: padding, truncation, special tokens around texts.
    pub(super) fn finished(mut inner: tokenizers::Tokenizer, mut settings: Settings) -> Result<Self, String> {
        let (text, class) = (|error: tokenizers::Error| error.to_string(), settings.class);
        inner.with_padding(None);
        inner.with_truncation(None).map_err(text)?;
        settings.complete_names(&inner);
        if class.has_rules() {
            check_vocabulary(&inner, &mut settings.notes)?;
        }
        add_tokens(&mut inner, &mut settings)?;
        let token = |key: &str| {
            let name = settings.name(key).unwrap_or_default().to_owned();
            let lacking =
                || format!("the vocabulary lacks {name}, without which {}'s input cannot be built", class.model());
            let id = inner.token_to_id(&name).ok_or_else(lacking)?;
            Ok::<_, String>((name, id))
        };
        let around = match class {
            Class::File => None,
            Class::Bert => token("unk_token").map(|_| Some(class.ends()))?,
            _ => Some(class.ends()),
        };
        let around = around.map(|[first, last]| Ok::<_, String>([token(first)?, token(last)?])).transpose()?;
        if let Some([(first, first_id), (last, last_id)]) = &around {
            let own = match class {
                Class::Bert => BertProcessing::new((last.clone(), *last_id), (first.clone(), *first_id)).into(),
                _ => post_processor(class, (first, *first_id), (last, *last_id))?,
            };
            // BERT's and ALBERT's is that of tokenizer.json where it has one.
            if !matches!(class, Class::Bert | Class::Albert) || inner.get_post_processor().is_none() {
                inner.with_post_processor(Some(own));
            }
        }
        inner.set_encode_special_tokens(settings.split_special);
        let (single, template) = match (class, &around, inner.get_post_processor()) {
            (Class::Bert, Some([(_, cls), (_, sep)]), _) => {
                (Template::around_one(*cls, *sep), Ok(Template::of_bert(*cls, *sep)))
            }
            (_, _, Some(processor)) => (Template::of_one(processor)?, Template::of_two(processor)),
            _ => return Err("it has no post_processor".into()),
        };
        let unk = match inner.get_model() {
            ModelWrapper::WordPiece(model) => inner.token_to_id(&model.unk_token),
            ModelWrapper::WordLevel(model) => inner.token_to_id(&model.unk_token),
            ModelWrapper::BPE(model) => model.unk_token.as_ref().and_then(|token| inner.token_to_id(token)),
            ModelWrapper::Unigram(_) => settings.unk_id.and_then(|id| u32::try_from(id).ok()),
        };
        let named = settings.named.iter().map(|(key, token)| (key.clone(), token.content.clone()));
        let named = named.filter(|(_, content)| inner.token_to_id(content).is_some()).collect();
        let warn = |note: String| Warning::new(Kind::Tokens, note);
        let switches = switches(&settings);
        let mut loaded = Self {
            single,
            template,
            token_types: settings.token_types,
            unk,
            class,
            named,
            switches,
            cut_left: settings.cut_left.unwrap_or(false),
            model_max_length: settings.model_max_length,
            warnings: settings.notes.into_iter().map(warn).collect(),
            file: None,
            inner,
        };
        loaded.checked()?;
        Ok(loaded)
    }

    /// Refuses a post-processor that does not put the special tokens around a text, and nothing else.
    fn checked(&mut self) -> Result<(), String> {
        // With nothing between the two, and with something.
        for (text, what) in [("", "an empty text"), ("a 1 好 b.", "the text `a 1 好 b.`")] {
            let whole = self.inner.encode_fast(text, true).map_err(|error| error.to_string());
            let post_processor = self.inner.get_post_processor().cloned();
            // It may change a text even where no special tokens are asked for.
            self.inner.with_post_processor(None::<PostProcessorWrapper>);
            let bare = self.inner.encode_fast(text, false);
            self.inner.with_post_processor(post_processor);
            // A model without a token for unknown words may refuse the second.
            let Ok(bare) = bare else { continue };
            let (whole, expected) = (whole?, self.single.fill([bare.get_ids(), &[]]).0);
            if whole.get_ids() != expected {
                let expected = self.tokens(&expected).join(" ");
                return Err(format!(
                    "{what} becomes `{}`, expected `{expected}`",
                    self.tokens(whole.get_ids()).join(" ")
                ));
            }
        }
        Ok(())
    }
}

/// Gives a model what `BertTokenizer` gives it whatever tokenizer.json says, and notes what that changes.
fn as_bert_tokenizer(model: &mut WordPiece, settings: &mut Settings) {
    let theirs = WordPiece::default();
    let unk = settings.name("unk_token").unwrap_or(&theirs.unk_token).to_owned();
    let quoted = |text: &str| format!("\"{}\"", text.escape_debug());
    let mut differs: Vec<(&str, String, String)> = Vec::new();
    if model.continuing_subword_prefix != theirs.continuing_subword_prefix {
        let both = [&model.continuing_subword_prefix, &theirs.continuing_subword_prefix].map(|prefix| quoted(prefix));
        let [own, taken] = both;
        differs.push(("continuing_subword_prefix", own, taken));
    }
    if model.max_input_chars_per_word != theirs.max_input_chars_per_word {
        let both = [model.max_input_chars_per_word, theirs.max_input_chars_per_word].map(|most| most.to_string());
        let [own, taken] = both;
        differs.push(("max_input_chars_per_word", own, taken));
    }
    // What tokenizer_config.json states over tokenizer.json is meant so.
    if model.unk_token != unk && !settings.stated.iter().any(|key| key == "unk_token") {
        differs.push(("unk_token", quoted(&model.unk_token), quoted(&unk)));
    }
    model.continuing_subword_prefix = theirs.continuing_subword_prefix;
    model.max_input_chars_per_word = theirs.max_input_chars_per_word;
    model.unk_token = unk;
    if differs.is_empty() {
        return;
    }
    let own: Vec<String> = differs.iter().map(|(key, own, _)| format!("{key} {own}")).collect();
    let taken: Vec<&str> = differs.iter().map(|(_, _, taken)| taken.as_str()).collect();
    settings.notes.push(format!(
        "the model of tokenizer.json has {}: like BertTokenizer of transformers 5, taper uses {} instead; name the \
         class PreTrainedTokenizerFast in tokenizer_config.json to use the values of tokenizer.json",
        own.join(" and "),
        taken.join(" and ")
    ));
}

/// An id in a JSON file.
fn id_of(value: &Value) -> Option<usize> {
    value.as_u64().and_then(|id| usize::try_from(id).ok())
}

/// Refuses a model that gives a text other tokens each time.
fn check_chance(model: &ModelWrapper) -> Result<(), String> {
    match model {
        ModelWrapper::BPE(bpe) if bpe.dropout.is_some_and(|share| share > 0.0) => Err(format!(
            "its model has a BPE dropout of {}, which tokenises the same text differently each time: set it to null",
            bpe.dropout.unwrap_or_default()
        )),
        _ => Ok(()),
    }
}

impl Settings {
    /// A normalizer with what the files say; what they leave open is as in `base`.
    fn normalizer(&self, base: BertNormalizer) -> BertNormalizer {
        BertNormalizer::new(
            base.clean_text,
            self.chinese_chars.unwrap_or(base.handle_chinese_chars),
            self.strip_accents.or(base.strip_accents),
            self.lower_case.unwrap_or(base.lowercase),
        )
    }

    /// What a tokenizer.json leaves without a name has the names that BERT gives, or that its model gives to unknown words.
    fn complete_names(&mut self, inner: &tokenizers::Tokenizer) {
        if self.class != Class::File {
            return;
        }
        let of_model = match inner.get_model() {
            ModelWrapper::WordPiece(model) => Some(model.unk_token.clone()),
            ModelWrapper::WordLevel(model) => Some(model.unk_token.clone()),
            ModelWrapper::BPE(model) => model.unk_token.clone(),
            ModelWrapper::Unigram(_) => None,
        };
        let of_model = of_model.filter(|token| inner.token_to_id(token).is_some());
        for (key, default) in
            [("unk_token", of_model.as_deref().unwrap_or("[UNK]")), ("cls_token", "[CLS]"), ("sep_token", "[SEP]")]
        {
            if self.name(key).is_none() {
                self.named.push((key.into(), AddedToken::from(default, true)));
            }
        }
        for (key, default) in [("pad_token", "[PAD]"), ("mask_token", "[MASK]")] {
            if self.name(key).is_none() && inner.get_added_vocabulary().get_vocab().contains_key(default) {
                self.named.push((key.into(), AddedToken::from(default, true)));
            }
        }
    }
}

/// Adds what the files add, in the order of transformers: ids follow from it where the vocabulary lacks a token.
fn add_tokens(inner: &mut tokenizers::Tokenizer, settings: &mut Settings) -> Result<(), String> {
    let text = |error: tokenizers::Error| error.to_string();
    let is_named = |content: &str| settings.named.iter().any(|(_, token)| token.content == content);
    let there = inner.get_added_vocabulary().get_added_tokens_decoder().clone();
    let mut first: Vec<AddedToken> = Vec::new();
    for token in settings.added.values().filter(|token| !there.values().any(|known| known == *token)) {
        let mut token = token.clone();
        token.special |= is_named(&token.content);
        first.push(token);
    }
    inner.add_tokens(first).map_err(text)?;
    for (id, token) in &settings.added {
        let given = inner.token_to_id(&token.content);
        if let Some(given) = given.filter(|given| u64::from(*given) != *id) {
            settings.notes.push(format!(
                "the files give the added token `{}` the id {id}, but it gets the id {given}, as in transformers 5: \
                 the vocabulary is not the one it was added to",
                shorten(&token.content)
            ));
        }
    }
    let default_only = |key: &str| !settings.stated.iter().any(|stated| stated == key);
    for (key, token) in &settings.named {
        let known = inner.get_added_vocabulary().get_vocab().contains_key(&token.content);
        let in_model = inner.get_model().token_to_id(&token.content).is_some();
        // One that the vocabulary lacks and no row of the embedding is left for is of no use: transformers would fail on it.
        let room = !in_model && settings.rows.is_some_and(|rows| next_id(inner) < rows);
        let needed = key == "unk_token" || settings.class.ends().contains(&key.as_str());
        // A tokenizer.json that decides alone says itself which tokens are special.
        let by_itself = settings.class == Class::File && default_only(key);
        if !known && !by_itself && (in_model || room && !(needed && default_only(key))) {
            let mut token = token.clone();
            token.special = true;
            inner.add_special_tokens([token]).map_err(text)?;
        }
    }
    let known = |token: &&AddedToken| match settings.extra_goes_over {
        true => settings.added.values().any(|added| added.content == token.content),
        false => inner.get_added_vocabulary().get_vocab().contains_key(&token.content),
    };
    let mut extra: Vec<AddedToken> = settings.extra.iter().filter(|token| !known(token)).cloned().collect();
    extra.iter_mut().for_each(|token| token.special |= is_named(&token.content));
    inner.add_tokens(extra).map_err(text)?;
    Ok(())
}

/// The id that the next added token would have.
fn next_id(inner: &tokenizers::Tokenizer) -> usize {
    let model = inner.get_model().get_vocab_size();
    let added = inner.get_added_vocabulary().get_added_tokens_decoder().keys().max();
    added.map_or(model, |last| model.max(*last as usize + 1))
}

/// Refuses a tokenizer.json whose ids no embedding can have, and notes ids that two tokens share.
fn check_vocabulary(inner: &tokenizers::Tokenizer, notes: &mut Vec<String>) -> Result<(), String> {
    let vocab = inner.get_model().get_vocab();
    if vocab.is_empty() {
        return Err("its vocabulary is empty: no text has tokens in it".into());
    }
    if let Some((token, id)) = vocab.iter().filter(|(_, id)| **id as usize >= IDS).min() {
        return Err(format!("its token `{}` has the id {id}; expected ids below {IDS}", shorten(token)));
    }
    let mut ids: Vec<(u32, &str)> = vocab.iter().map(|(token, id)| (*id, token.as_str())).collect();
    ids.sort_unstable();
    let twice: Vec<String> = ids
        .windows(2)
        .filter(|pair| pair[0].0 == pair[1].0)
        .map(|pair| format!("`{}` and `{}` have the id {}", shorten(pair[0].1), shorten(pair[1].1), pair[0].0))
        .collect();
    if let Some(first) = twice.first() {
        let more = match twice.len() {
            1 => String::new(),
            n => format!(", and {} more pairs share an id", n - 1),
        };
        notes.push(format!("tokenizer.json: {first}{more}; the model cannot tell such tokens apart"));
    }
    Ok(())
}

/// Lines of a vocab.txt that are there more than once: only the last of equal ones counts.
fn repeated(text: &str) -> Option<Warning> {
    let mut first = std::collections::HashMap::new();
    let mut again = Vec::new();
    for (number, line) in (1u64..).zip(text.lines()) {
        if let Some(earlier) = first.insert(line.trim_end(), number) {
            again.push((earlier, line.trim_end()));
        }
    }
    let (_, token) = again.first()?;
    let numbers: Vec<u64> = again.iter().map(|(line, _)| *line).collect();
    Some(Warning::new(
        Kind::Tokens,
        format!(
            "vocab.txt lists tokens more than once (`{}` first): as in transformers, the last of equal lines sets the \
             id, and the others are ignored ({})",
            shorten(token),
            lines(&numbers)
        ),
    ))
}

/// A byte order mark before the first token of a vocab.txt is part of it, here as in transformers.
fn marked(text: &str) -> Option<Warning> {
    let first = text.strip_prefix('\u{feff}')?.lines().next().unwrap_or_default();
    Some(Warning::new(
        Kind::Tokens,
        format!(
            "vocab.txt begins with a byte order mark: as in transformers, it becomes part of the first token, so \
             there is no token `{}`; save the file as UTF-8 without one (`tail -c +4 FILE`)",
            shorten(first)
        ),
    ))
}

/// Refuses normalizers that could lengthen a text without limit.
fn check_growth(normalizer: Option<&NormalizerWrapper>) -> Result<(), String> {
    let times = normalizer.map_or(1, growth);
    match times > GROWTH {
        true => Err(format!(
            "its normalizer can make a text {} times as long by its replacements; expected at most {GROWTH} times",
            if times == usize::MAX { "infinitely many".to_owned() } else { times.to_string() }
        )),
        false => Ok(()),
    }
}

/// By which factor a normalizer can lengthen a text.
fn growth(normalizer: &NormalizerWrapper) -> usize {
    match normalizer {
        NormalizerWrapper::Sequence(all) => all.as_ref().iter().map(growth).fold(1, |all, one| all.saturating_mul(one)),
        NormalizerWrapper::Replace(replace) => {
            // A regular expression may match each character, and nothing between two.
            let shortest = match serde_json::to_value(replace).ok().as_ref().map(|value| &value["pattern"]) {
                Some(Value::Object(pattern)) => pattern.get("String").and_then(Value::as_str).map_or(1, str::len),
                _ => 1,
            };
            replace.content.len().div_ceil(shortest.max(1)).max(1)
        }
        _ => 1,
    }
}

/// In which flags two normalizers differ, each in words.
fn differences(
    theirs: &BertNormalizer,
    ours: &BertNormalizer,
    word: impl Fn(&str, bool, bool) -> String,
) -> Vec<String> {
    let strip = |n: &BertNormalizer| n.strip_accents.unwrap_or(n.lowercase);
    let all = [
        ("do_lower_case", ours.lowercase, theirs.lowercase),
        ("tokenize_chinese_chars", ours.handle_chinese_chars, theirs.handle_chinese_chars),
        ("strip_accents", strip(ours), strip(theirs)),
        ("clean_text", ours.clean_text, theirs.clean_text),
    ];
    all.into_iter()
        .filter(|(_, ours, theirs)| ours != theirs)
        .map(|(key, ours, theirs)| word(key, ours, theirs))
        .collect()
}

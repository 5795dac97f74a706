//! What the files beside a vocabulary say about tokens: tokenizer_config.json, special_tokens_map.json, added_tokens.json and
//! `tokenizer_class` of config.json, by the rules of transformers 5 (`AutoTokenizer`, `BertTokenizer`).

use std::{collections::BTreeMap, path::Path};

use serde_json::{Map, Value};
use tokenizers::AddedToken;

use super::{
    DataError,
    token_classes::{
        Class, INTERNAL, MODEL_WITHOUT_TOKEN_TYPES, Meaning, NAMED, OF_ITS_OWN, OF_MODEL_TYPES, OF_THE_FILE, OTHERS,
        SAME_AS_BERT, TYPES_OF_THE_FILE, WITHOUT_TOKEN_TYPES,
    },
    token_files::{malformed, object, read_optional, unusable},
};

pub(super) const CONFIG: &str = "tokenizer_config.json";
pub(super) const SPECIAL_MAP: &str = "special_tokens_map.json";
pub(super) const ADDED: &str = "added_tokens.json";

/// A named special token: its key (`cls_token`) and what it is.
pub(super) type Named = (String, AddedToken);

/// What the files say; what they leave open is `None` or empty.
#[derive(Debug, Default)]
pub(super) struct Settings {
    pub class: Class,
    /// Whether a file names the class.
    pub class_is_named: bool,
    pub lower_case: Option<bool>,
    pub chinese_chars: Option<bool>,
    pub strip_accents: Option<bool>,
    pub add_prefix_space: Option<bool>,
    pub keep_accents: Option<bool>,
    pub split_by_punct: Option<bool>,
    /// The id of what is unknown among the pieces of SentencePiece: as the file says, then as the tokenizer has it.
    pub unk_id: Option<usize>,
    /// Tokens added to the vocabulary, by the id that the file states.
    pub added: BTreeMap<u64, AddedToken>,
    /// Whether `added` is all of them: what tokenizer.json adds does not count then.
    pub added_is_final: bool,
    /// In the order in which transformers adds those that the vocabulary lacks.
    pub named: Vec<Named>,
    /// Keys of `named` that a file states; the others are the class's own.
    pub stated: Vec<String>,
    /// Special tokens without a name, in their order.
    pub extra: Vec<AddedToken>,
    /// Whether a file states them, or that there are none.
    pub extra_is_stated: bool,
    /// Whether they go over named tokens that are the same.
    pub extra_goes_over: bool,
    /// Whether a file says that the first or last token of a text is or is not added.
    pub states_ends: bool,
    /// Whether special tokens in a text are ordinary text.
    pub split_special: bool,
    /// Whether texts that are too long lose their beginning.
    pub cut_left: Option<bool>,
    pub model_max_length: Option<usize>,
    /// Whether the model is told which of two texts a token is of: `token_type_ids` among the inputs.
    pub token_types: bool,
    /// Rows of the embedding, as config.json says.
    pub rows: Option<usize>,
    /// What is legal and probably a mistake, in words.
    pub notes: Vec<String>,
}

impl Settings {
    /// What the files of a folder say. `has_file` tells whether there is a tokenizer.json.
    pub fn read(dir: &Path, has_file: bool) -> Result<Self, DataError> {
        let config = object(dir, CONFIG)?;
        let mut settings = Self::default();
        settings.take_class(dir, config.as_ref(), has_file)?;
        let mut config = config.unwrap_or_default();
        settings.look_at_keys(dir, &config, has_file)?;

        // As in transformers: the older name counts where the newer one says nothing.
        if !config.get("extra_special_tokens").is_some_and(says_something)
            && let Some(old) = config.shift_remove("additional_special_tokens")
        {
            config.insert("extra_special_tokens".into(), old);
        }
        settings.added_is_final = config.contains_key("added_tokens_decoder");
        if let Some(decoder) = config.get("added_tokens_decoder") {
            let what = "a map from ids to tokens";
            let entries = decoder.as_object().ok_or_else(|| malformed(dir, CONFIG, "added_tokens_decoder", what))?;
            for (id, token) in entries {
                let id = id.parse().map_err(|_| malformed(dir, CONFIG, "added_tokens_decoder", what))?;
                let token = token_of(token, false).filter(|_| token.is_object());
                settings.added.insert(id, token.ok_or_else(|| malformed(dir, CONFIG, "added_tokens_decoder", what))?);
            }
        } else {
            settings.merge_older_files(dir, &mut config, has_file)?;
        }
        settings.take_special(dir, &config)?;
        settings.take_switches(dir, &config)?;
        Ok(settings)
    }

    /// The class, from tokenizer_config.json or else config.json.
    fn take_class(&mut self, dir: &Path, config: Option<&Map<String, Value>>, file: bool) -> Result<(), DataError> {
        // A config.json that cannot be read is the model's to report.
        let model = read_optional(dir, "config.json")?;
        let model: Value = model.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        self.rows = model["vocab_size"].as_u64().and_then(|rows| usize::try_from(rows).ok());
        let none = Value::Null;
        let own = config.and_then(|config| config.get("tokenizer_class")).unwrap_or(&none);
        let (location, named) = match own.is_null() {
            false => (CONFIG, own),
            true => ("config.json", &model["tokenizer_class"]),
        };
        if own == "" {
            // transformers looks for a class of that name, finds none and builds another one than without the key.
            return Err(malformed(dir, CONFIG, "tokenizer_class", "the name of a class, or no key at all"));
        }
        let of_type = |name: &str| model["model_type"] == name;
        if TYPES_OF_THE_FILE.iter().any(|name| of_type(name)) && file {
            (self.class, self.class_is_named) = (Class::File, true);
            return Ok(());
        }
        let name = match named {
            Value::String(name) if !name.is_empty() => name.as_str(),
            Value::Null | Value::String(_) => {
                let default = OF_MODEL_TYPES.iter().find(|(name, _)| of_type(name));
                self.class = default.map_or(Class::Bert, |(_, class)| *class);
                self.token_types = self.class.has_token_types() && !of_type(MODEL_WITHOUT_TOKEN_TYPES);
                return Ok(());
            }
            _ => return Err(malformed(dir, location, "tokenizer_class", "the name of a class")),
        };
        self.class_is_named = true;
        let plain = name.strip_suffix("Fast").unwrap_or(name);
        let refuse = |why: &str| Err(unusable(dir, location, format!("tokenizer_class is `{name}`: {why}")));
        if SAME_AS_BERT.contains(&plain) {
            self.class = Class::Bert;
            self.token_types = !WITHOUT_TOKEN_TYPES.contains(&plain);
        } else if let Some(class) = Class::with_rules(plain) {
            (self.class, self.token_types) = (class, class.has_token_types());
        } else if OF_ITS_OWN.contains(&plain) {
            return Err(unusable(
                dir,
                location,
                format!(
                    "tokenizer_class is `{name}`, whose rules differ from those of the tokenizers that taper reads: it would produce different ids; {OTHERS}"
                ),
            ));
        } else if file {
            // Those that transformers does not know are read like this too.
            self.class = Class::File;
            if !OF_THE_FILE.contains(&name) {
                self.notes.push(format!(
                    "{location} names the tokenizer class `{name}`, which transformers does not have: as in \
                     transformers, tokenizer.json alone determines the tokens"
                ));
            }
        } else {
            return refuse(&format!("taper does not know how to build it, and there is no tokenizer.json; {OTHERS}"));
        }
        Ok(())
    }

    /// Refuses keys of other tokenizers, and notes what has no effect.
    fn look_at_keys(&mut self, dir: &Path, config: &Map<String, Value>, has_file: bool) -> Result<(), DataError> {
        for (key, value) in config.iter().filter(|(_, value)| says_something(value)) {
            let refuse = |why: &str| Err(unusable(dir, CONFIG, format!("`{key}` is {value}: {why}")));
            if INTERNAL.contains(&key.as_str()) {
                return refuse("it would replace parts of the tokenizer; remove this key");
            }
            match self.class.meaning(key) {
                Some(Meaning::Read | Meaning::Without) => {}
                Some(Meaning::Past(value_without)) => {
                    let said = value.to_string();
                    if said != value_without {
                        self.notes.push(format!(
                            "{CONFIG}: `{key}` is {value}; transformers 5 and taper ignore it, but transformers before \
                             version 5 applied it: tokens may differ from those the model was trained on"
                        ));
                    }
                }
                // If tokenizer.json decides, transformers does not use it.
                Some(Meaning::Foreign) if self.class == Class::File && has_file => {}
                Some(Meaning::Foreign) => {
                    return refuse("it is a setting of a tokenizer that is not BERT's; remove this key");
                }
                None if key.ends_with("_token") => {}
                None => self.notes.push(format!(
                    "{CONFIG}: `{key}` is a key that neither taper nor {} knows: it has no effect",
                    self.class.name()
                )),
            }
        }
        let auto = &config.get("auto_map").unwrap_or(&Value::Null);
        if auto.is_array() || auto.get("AutoTokenizer").is_some_and(says_something) {
            return Err(unusable(
                dir,
                CONFIG,
                "`auto_map` names code of the repository as the tokenizer, which taper cannot run; if the tokenizer is \
                 the same as that of its class, remove the key"
                    .into(),
            ));
        }
        let versions = config.get("fast_tokenizer_files").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        if let Some(other) = versions.iter().find(|name| name.as_str() != Some("tokenizer.json")) {
            return Err(unusable(
                dir,
                CONFIG,
                format!(
                    "`fast_tokenizer_files` names {other}, which depends on the version of transformers: keep only \
                     tokenizer.json in the list"
                ),
            ));
        }
        Ok(())
    }

    /// Folders saved before transformers 4.34: special_tokens_map.json goes over the config, added_tokens.json adds tokens.
    fn merge_older_files(
        &mut self,
        dir: &Path,
        config: &mut Map<String, Value>,
        has_file: bool,
    ) -> Result<(), DataError> {
        if let Some(map) = object(dir, SPECIAL_MAP)? {
            for (key, value) in map {
                let of_pieces = self.class.has_rules() && self.class != Class::Roberta && !has_file;
                if key == "additional_special_tokens" && of_pieces && says_something(&value) {
                    let what = format!(
                        "`{key}` is set here, beside {}, and transformers then gives different ids than with the key in \
                         {CONFIG}: move it there",
                        self.class.vocabulary()
                    );
                    return Err(unusable(dir, SPECIAL_MAP, what));
                }
                let known = key.ends_with("_token")
                    || ["additional_special_tokens", "extra_special_tokens"].contains(&key.as_str());
                if !known {
                    if says_something(&value) {
                        self.notes.push(format!("{SPECIAL_MAP}: `{key}` is not a special token: it has no effect"));
                    }
                    continue;
                }
                // A list that goes over another one adds to it.
                let value = match (key.as_str(), value, config.get("extra_special_tokens")) {
                    ("extra_special_tokens", Value::Array(new), Some(Value::Array(old))) => {
                        let mut all = old.clone();
                        all.extend(new.into_iter().filter(|token| !old.contains(token)));
                        Value::Array(all)
                    }
                    ("additional_special_tokens", _, Some(_)) => continue,
                    (_, value, _) => value,
                };
                config.insert(key, value);
            }
        }
        let content = |value: &Value| token_of(value, true).map(|token| token.content);
        let mut special: Vec<String> = Vec::new();
        for key in NAMED {
            special.extend(config.get(key).and_then(content));
        }
        special.extend(list_of(config.get("extra_special_tokens")).iter().filter_map(content));
        for (token, id) in object(dir, ADDED)?.unwrap_or_default() {
            let Some(id) = id.as_u64() else { return Err(malformed(dir, ADDED, &token, "an id")) };
            self.added.insert(id, AddedToken::from(token.as_str(), special.contains(&token)));
        }
        if let Some(old) = config.shift_remove("additional_special_tokens") {
            config.entry("extra_special_tokens").or_insert(old);
        }
        Ok(())
    }

    fn take_special(&mut self, dir: &Path, config: &Map<String, Value>) -> Result<(), DataError> {
        let what = "a token: a string, or an object with `content`";
        let token = |key: &str, value: &Value| token_of(value, true).ok_or_else(|| malformed(dir, CONFIG, key, what));
        for key in NAMED {
            let stated = config.get(key).filter(|value| !value.is_null());
            let found = match stated {
                Some(value) => Some(token(key, value)?),
                None => self.class.special(key).map(|default| AddedToken::from(default, true)),
            };
            self.stated.extend(stated.map(|_| key.to_owned()));
            // As `CamembertTokenizer` creates it from a name.
            let is_a_name =
                self.class == Class::Camembert && key == "mask_token" && !stated.is_some_and(Value::is_object);
            self.named.extend(found.map(|token| (key.into(), if is_a_name { token.lstrip(true) } else { token })));
        }
        let mut others: Vec<(&String, &Value)> = Vec::new();
        let is_other = |key: &&String| key.ends_with("_token") && !NAMED.contains(&key.as_str());
        others.extend(
            config.iter().filter(|(key, _)| is_other(key)).filter(|(_, value)| value.is_string() || value.is_object()),
        );
        for key in ["extra_special_tokens", "model_specific_special_tokens"] {
            others.extend(config.get(key).and_then(Value::as_object).into_iter().flatten());
        }
        for (key, value) in others {
            self.named.push((key.clone(), token(key, value)?));
        }
        for value in list_of(config.get("extra_special_tokens")) {
            self.extra.push(token("extra_special_tokens", value)?);
        }
        self.extra_is_stated = config.get("extra_special_tokens").is_some_and(|tokens| !tokens.is_object());
        match config.get("extra_special_tokens") {
            None | Some(Value::Null | Value::Array(_) | Value::Object(_)) => Ok(()),
            Some(_) => Err(malformed(dir, CONFIG, "extra_special_tokens", "a list of tokens")),
        }
    }

    fn take_switches(&mut self, dir: &Path, config: &Map<String, Value>) -> Result<(), DataError> {
        let switch = |key: &str| match config.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(yes)) => Ok(Some(*yes)),
            Some(_) => Err(malformed(dir, CONFIG, key, "true or false")),
        };
        self.lower_case = switch("do_lower_case")?;
        self.chinese_chars = switch("tokenize_chinese_chars")?;
        self.strip_accents = switch("strip_accents")?;
        self.add_prefix_space = switch("add_prefix_space")?;
        self.keep_accents = switch("keep_accents")?;
        self.split_by_punct = switch("split_by_punct")?;
        self.unk_id = match config.get("unk_id") {
            None | Some(Value::Null) => None,
            Some(id) => {
                let id = id.as_u64().and_then(|id| usize::try_from(id).ok());
                Some(id.ok_or_else(|| malformed(dir, CONFIG, "unk_id", "the id of a piece"))?)
            }
        };
        self.states_ends = ["add_bos_token", "add_eos_token"].iter().any(|key| config.contains_key(*key));
        self.split_special = switch("split_special_tokens")?.unwrap_or(false);
        self.cut_left = match config.get("truncation_side") {
            None | Some(Value::Null) => None,
            Some(Value::String(side)) if side == "left" => Some(true),
            Some(Value::String(side)) if side == "right" => Some(false),
            Some(_) => return Err(malformed(dir, CONFIG, "truncation_side", "\"left\" or \"right\"")),
        };
        match config.get("model_input_names") {
            None | Some(Value::Null) => {}
            Some(Value::Array(names)) => self.token_types = names.iter().any(|name| name == "token_type_ids"),
            Some(_) => return Err(malformed(dir, CONFIG, "model_input_names", "a list of names")),
        }
        // If there is no limit, the file has a number of thirty digits.
        let length = config.get("model_max_length").filter(|length| !length.is_null()).or(config.get("max_len"));
        self.model_max_length = length.and_then(Value::as_u64).and_then(|length| usize::try_from(length).ok());
        Ok(())
    }

    /// What `BertTokenizer` is where no file says anything.
    pub fn for_bert() -> Self {
        let token = |key: &str| Some((key.to_owned(), AddedToken::from(Class::Bert.special(key)?, true)));
        Self { named: NAMED.into_iter().filter_map(token).collect(), token_types: true, ..Self::default() }
    }

    /// A named special token, as it is written.
    pub fn name(&self, key: &str) -> Option<&str> {
        self.named.iter().find(|(name, _)| name == key).map(|(_, token)| token.content.as_str())
    }
}

/// Whether a value is one that changes anything.
fn says_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => !map.is_empty(),
        _ => true,
    }
}

fn list_of(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// A token as these files write it: its content, or an object that says more.
pub(super) fn token_of(value: &Value, special: bool) -> Option<AddedToken> {
    match value {
        Value::String(content) => Some(AddedToken::from(content.as_str(), special)),
        Value::Object(map) => {
            let flag = |key: &str| map.get(key).and_then(Value::as_bool);
            let special = special || flag("special").unwrap_or(false);
            let mut token = AddedToken::from(map.get("content")?.as_str()?, special);
            token.normalized = flag("normalized").unwrap_or(token.normalized);
            token.lstrip = flag("lstrip").unwrap_or(false);
            token.rstrip = flag("rstrip").unwrap_or(false);
            token.single_word = flag("single_word").unwrap_or(false);
            Some(token)
        }
        _ => None,
    }
}

//! A tokenizer's files, as transformers reads them.

use std::{fs, path::Path};

use serde_json::{Map, Value, json};
use tokenizers::{Model, ModelWrapper};

use super::{DataError, Tokenizer, guarded::guarded, token_classes::Class, token_settings::ADDED};

impl Tokenizer {
    /// Writes the tokenizer's files into a folder, from which transformers' `AutoTokenizer` computes the same ids: tokenizer.json,
    /// vocab.txt (RoBERTa: vocab.json and merges.txt, pieces of SentencePiece: none), tokenizer_config.json, special_tokens_map.json, and
    /// added_tokens.json where tokens were added to the vocabulary. `model_max_length` is the most tokens that the model takes.
    ///
    /// # Errors
    /// Where a file cannot be written.
    pub fn save(&self, dir: &Path, model_max_length: usize) -> Result<(), DataError> {
        let write = |name: &str, text: String| {
            let path = dir.join(name);
            fs::write(&path, text).map_err(DataError::io(&path))
        };
        let tokenizer =
            guarded("tokenizers", || self.inner.to_string(true).map_err(|error| error.to_string())).flatten();
        let tokenizer = tokenizer.map_err(|error| DataError::Tokenizer {
            path: dir.join("tokenizer.json"),
            what: format!("cannot be written: {error}"),
        })?;
        write("tokenizer.json", tokenizer)?;
        match (self.class, self.inner.get_model()) {
            (Class::Roberta, model) => {
                let written =
                    guarded("tokenizers", || model.save(dir, None).map_err(|error| error.to_string())).flatten();
                written.map_err(|what| DataError::Tokenizer {
                    path: dir.join("vocab.json"),
                    what: format!("cannot be written: {what}"),
                })?;
            }
            (_, ModelWrapper::Unigram(_)) => {}
            _ => write("vocab.txt", self.vocab_file())?,
        }

        let special: Map<String, Value> =
            self.named.iter().map(|(key, content)| (key.clone(), json!(content))).collect();
        let mut config = json!({ "tokenizer_class": Class::File.name(), "model_max_length": model_max_length });
        if let (Some(normalizer), Class::Bert) = (self.bert_normalizer(), self.class) {
            // BertTokenizer builds its own normalizer from these and ignores that of tokenizer.json.
            config["tokenizer_class"] = json!(Class::Bert.name());
            config["do_lower_case"] = json!(normalizer.lowercase);
            config["tokenize_chinese_chars"] = json!(normalizer.handle_chinese_chars);
            config["strip_accents"] = json!(normalizer.strip_accents);
        }
        if self.class.has_rules() {
            config["tokenizer_class"] = json!(self.class.name());
            for (key, value) in &self.switches {
                config[key] = value.clone();
            }
        }
        // What the class gives by default is not written.
        let by_default = config["tokenizer_class"] != Class::File.name() && self.class.has_token_types();
        if self.token_types != by_default {
            config["model_input_names"] = match self.token_types {
                true => json!(["input_ids", "token_type_ids", "attention_mask"]),
                false => json!(["input_ids", "attention_mask"]),
            };
        }
        if self.cut_left {
            config["truncation_side"] = json!("left");
        }
        if self.inner.get_encode_special_tokens() {
            config["split_special_tokens"] = json!(true);
        }
        for (key, token) in &special {
            config[key] = token.clone();
        }
        write("tokenizer_config.json", format!("{config:#}\n"))?;
        write("special_tokens_map.json", format!("{:#}\n", Value::from(special)))?;
        match self.beyond_the_vocabulary() {
            added if added.is_empty() => Ok(()),
            added => write(ADDED, format!("{:#}\n", Value::from(added))),
        }
    }

    /// Added tokens that the model's own vocabulary lacks, by their ids.
    fn beyond_the_vocabulary(&self) -> Map<String, Value> {
        let added = self.inner.get_added_vocabulary().get_vocab();
        let mut added: Vec<(&String, u32)> = added
            .iter()
            .filter(|(token, _)| self.inner.get_model().token_to_id(token).is_none())
            .map(|(token, id)| (token, *id))
            .collect();
        added.sort_unstable_by_key(|(_, id)| *id);
        added.into_iter().map(|(token, id)| (token.clone(), json!(id))).collect()
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

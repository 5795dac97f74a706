//! A trained model, taken up again: for `taper predict`.

use std::path::Path;

use candle_core::Device;

use super::ExecuteError;
use crate::{
    data::{Batch, Tokenizer, by_tokens},
    engine::{Engine, Recipe, engine},
    metrics::{argmax, log_softmax},
    model::{BertConfig, Parameters, read_weights},
    train::BATCH_TOKENS,
};

/// A classifier with its tokenizer and labels, from a Hugging Face folder.
pub struct Trained {
    engine: Box<dyn Engine>,
    tokenizer: Tokenizer,
    labels: Vec<String>,
    max_length: usize,
}

impl Trained {
    /// Loads a folder that a run wrote. Texts are cut to `max_length` tokens.
    pub fn load(folder: &Path, max_length: usize, device: &Device) -> Result<Self, ExecuteError> {
        let config = BertConfig::read(&folder.join("config.json"))?;
        let no_labels = || ExecuteError::Setting(format!("{}: config.json names no labels", folder.display()));
        let labels = config.labels().ok_or_else(no_labels)?;
        let weights = folder.join("model.safetensors");
        let loaded = Parameters::load(&config, labels.len(), read_weights(&weights)?, &weights, 0)?;
        Ok(Self {
            engine: engine(&config, loaded.parameters, &Recipe::default(), device)?,
            tokenizer: Tokenizer::from_folder(folder)?,
            max_length: max_length.min(config.max_position_embeddings),
            labels,
        })
    }

    /// Names of the labels, by id.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// Label id and probabilities of each text.
    pub fn predict(&mut self, texts: &[String]) -> Result<Vec<(usize, Vec<f32>)>, ExecuteError> {
        let ids = texts.iter().map(|text| self.tokenizer.encode(text, self.max_length));
        let ids = ids.collect::<Result<Vec<_>, _>>()?;
        let mut scores = Vec::with_capacity(texts.len());
        for part in by_tokens(ids.iter().map(Vec::len), BATCH_TOKENS) {
            scores.extend(self.engine.scores(&Batch::of_texts(&ids[part]))?);
        }
        let classified =
            |logits: &Vec<f32>| (argmax(logits), log_softmax(logits).iter().map(|v| v.exp() as f32).collect());
        Ok(scores.iter().map(classified).collect())
    }
}

//! A trained model, taken up again: for `taper predict`.

use std::path::Path;

use super::ExecuteError;
use crate::{
    data::{Batch, Tokenizer, by_length},
    engine::{Device, Engine, Recipe, engine},
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

    /// Label id and probabilities of each text. `progress` is told the texts done, after every batch.
    pub fn predict(
        &mut self,
        texts: &[String],
        progress: &mut dyn FnMut(usize),
    ) -> Result<Vec<(usize, Vec<f32>)>, ExecuteError> {
        let ids = self.tokenizer.encode_all(texts, self.max_length)?;
        let lengths: Vec<usize> = ids.iter().map(Vec::len).collect();
        let mut results = vec![(0, Vec::new()); texts.len()];
        let mut done = 0;
        for part in by_length(&lengths, BATCH_TOKENS) {
            let batch: Vec<&[u32]> = part.iter().map(|&place| ids[place].as_slice()).collect();
            let scores = self.engine.scores(&Batch::of_texts(&batch))?;
            for (&place, logits) in part.iter().zip(&scores) {
                results[place] = (argmax(logits), log_softmax(logits).iter().map(|v| v.exp() as f32).collect());
            }
            done += part.len();
            progress(done);
        }
        Ok(results)
    }
}

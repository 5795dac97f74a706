//! Loads a trained model and classifies texts: for `taper predict` and `taper eval`.

use std::path::Path;

use rayon::prelude::*;

use super::{ExecuteError, Kept};
use crate::{
    data::{Batch, Encoded, RowText, Tokenizer, by_length},
    engine::{Device, EVALUATION_TOKENS, Engine, Recipe, engine},
    metrics::Metrics,
    model::{ModelConfig, Parameters},
    plan::EngineKind,
    task::{Answer, Target, Task},
};

/// A classifier with its tokenizer and labels, from a Hugging Face folder.
pub struct Classifier {
    task: Task,
    engine: Box<dyn Engine>,
    tokenizer: Tokenizer,
    labels: Vec<String>,
    max_length: usize,
    /// Rows of the embedding.
    rows: usize,
    /// Texts so far, or pairs, that were longer than `max_length`.
    cut: u64,
    /// Whether it has read pairs.
    pairs: bool,
}

impl Classifier {
    /// Loads the kept model of a run after checking that its files are unchanged. Texts are cut to `max_length` tokens.
    ///
    /// # Errors
    /// If it is damaged or cannot be read.
    pub fn load(kept: &Kept, max_length: usize, device: &Device) -> Result<Self, ExecuteError> {
        kept.reading(|| Self::read(kept.folder(), max_length, device))
    }

    fn read(folder: &Path, max_length: usize, device: &Device) -> Result<Self, ExecuteError> {
        let config = ModelConfig::read(&folder.join("config.json"))?;
        let labels = labels(&config, folder)?;
        let task = config.task().ok_or_else(|| {
            ExecuteError::Setting(format!(
                "{}: the problem_type in config.json is not one that taper trains",
                folder.display()
            ))
        })?;
        let weights = folder.join("model.safetensors");
        let parameters = Parameters::restore(&config, &labels, &weights)?;
        // Predictions need no gradients: taper's kernels compute them if they support the device, whichever engine trained the model.
        let kind = if matches!(device, Device::Metal(_)) { EngineKind::Candle } else { EngineKind::Fused };
        Ok(Self {
            engine: engine(&config, parameters, &Recipe { engine: kind, task, ..Recipe::default() }, device)?,
            tokenizer: Tokenizer::from_folder(folder)?,
            max_length: max_length.min(config.longest()),
            rows: config.vocab_size,
            cut: 0,
            pairs: false,
            labels,
            task,
        })
    }

    /// Names of the labels of a model that a run wrote, by id.
    pub fn labels_of(folder: &Path) -> Result<Vec<String>, ExecuteError> {
        labels(&ModelConfig::read(&folder.join("config.json"))?, folder)
    }

    /// Names of the labels, by id.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// The first text that cannot be classified, and why: the tokenizer fails on it, or gives an id that the model has no row
    /// for. Free if neither can happen.
    pub fn refused(&self, texts: &[RowText<'_>]) -> Option<(usize, ExecuteError)> {
        if self.tokenizer.takes_any_text() && self.tokenizer.vocab_size() <= self.rows {
            return None;
        }
        let refusal = |text: &RowText<'_>| match self.tokenizer.encode(text, self.max_length) {
            Ok(ids) => self.check(*text, &ids).err(),
            Err(error) => Some(error.into()),
        };
        texts.iter().enumerate().find_map(|(at, text)| Some((at, refusal(text)?)))
    }

    /// Refuses ids that the model has no row for.
    fn check(&self, text: RowText<'_>, ids: &[u32]) -> Result<(), ExecuteError> {
        match ids.iter().find(|&&id| id as usize >= self.rows) {
            None => Ok(()),
            Some(&id) => Err(ExecuteError::Setting(format!(
                "the text {:?} has the token `{}` with the id {id}, but the model's vocabulary has {}: tokenizer and model do not \
                 belong together",
                beginning(text.text),
                self.tokenizer.tokens(&[id]).concat(),
                self.rows
            ))),
        }
    }

    /// A message about the texts that were cut so far; `None` if there were none.
    pub fn cut(&self) -> Option<String> {
        let texts = crate::format::counted(self.cut, if self.pairs { "pair" } else { "text" });
        let (is, was) =
            (crate::format::by_number(self.cut, "is", "are"), crate::format::by_number(self.cut, "was", "were"));
        let most = crate::format::count(self.max_length as u64);
        (self.cut > 0)
            .then(|| format!("{texts} {is} longer than {most} tokens (the run's data.max_length) and {was} cut"))
    }

    /// Label id of each text, and its probabilities (float32) by label id. After every batch `progress` is called with the number of texts done.
    pub fn predict(
        &mut self,
        texts: &[RowText<'_>],
        progress: &mut dyn FnMut(usize),
    ) -> Result<Vec<(usize, Vec<f32>)>, ExecuteError> {
        let answers = self.answers(texts, progress)?.into_iter();
        Ok(answers.map(|answer| (answer.label as usize, answer.into_probabilities())).collect())
    }

    /// What the model says of each text. After every batch `progress` is called with the number of texts done.
    pub fn answers(
        &mut self,
        texts: &[RowText<'_>],
        progress: &mut dyn FnMut(usize),
    ) -> Result<Vec<Answer>, ExecuteError> {
        Ok(self.scores(texts, progress)?.iter().map(|logits| self.task.answer(logits)).collect())
    }

    /// Metrics of the model on texts with these label ids. After every batch `progress` is called with the number of texts done.
    ///
    /// # Panics
    /// If there are not as many labels as texts, or the model lacks one of the ids.
    pub fn evaluate(
        &mut self,
        texts: &[RowText<'_>],
        labels: &[u32],
        progress: &mut dyn FnMut(usize),
    ) -> Result<Metrics, ExecuteError> {
        /// Texts that are tokenised at a time, to save memory.
        const WINDOW: usize = 4096;
        assert_eq!(texts.len(), labels.len(), "a label for each text");
        let mut rows = Vec::with_capacity(texts.len());
        for (texts, labels) in texts.chunks(WINDOW).zip(labels.chunks(WINDOW)) {
            let before = rows.len();
            for (logits, &label) in self.scores(texts, &mut |done| progress(before + done))?.iter().zip(labels) {
                rows.push(self.task.answer(logits).scored(Target::Label(label)));
            }
        }
        Ok(self.task.measure(&self.labels, rows))
    }

    /// The logits of each text.
    fn scores(
        &mut self,
        texts: &[RowText<'_>],
        progress: &mut dyn FnMut(usize),
    ) -> Result<Vec<Vec<f32>>, ExecuteError> {
        let encode = |text: &RowText<'_>| self.tokenizer.encode_counted(text, self.max_length);
        let tokens: Vec<Encoded> = texts.par_iter().map(encode).collect::<Result<_, _>>()?;
        for (text, tokens) in texts.iter().zip(&tokens) {
            self.check(*text, &tokens.ids)?;
        }
        let lengths: Vec<usize> = tokens.iter().map(|tokens| tokens.ids.len()).collect();
        self.pairs |= texts.iter().any(|text| text.text_pair.is_some());
        self.cut += tokens.iter().filter(|tokens| tokens.whole > self.max_length).count() as u64;
        let mut results = vec![Vec::new(); texts.len()];
        let mut done = 0;
        for part in by_length(&lengths, EVALUATION_TOKENS) {
            let of_row = |&row: &usize| (tokens[row].ids.as_slice(), tokens[row].token_types.as_slice());
            let batch: Vec<_> = part.iter().map(of_row).collect();
            for (&row, logits) in part.iter().zip(self.engine.scores(&Batch::of_tokens(&batch))?) {
                results[row] = logits;
            }
            done += part.len();
            progress(done);
        }
        Ok(results)
    }
}

fn labels(config: &ModelConfig, folder: &Path) -> Result<Vec<String>, ExecuteError> {
    let no_labels = || ExecuteError::Setting(format!("{}: config.json names no labels", folder.display()));
    config.labels().ok_or_else(no_labels)
}

/// The beginning of a text, for a message.
fn beginning(text: &str) -> String {
    const CHARS: usize = 40;
    match text.char_indices().nth(CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

//! Loads a trained model and classifies texts: for `taper predict` and `taper eval`.

use std::path::Path;

use rayon::prelude::*;

use super::{ExecuteError, Kept, TextReader, decision_file};
use crate::{
    data::{Batch, Encoded, RowText, Tokenizer, Window},
    engine::{Device, Engine, Recipe, engine},
    model::{ModelConfig, Parameters},
    plan::{EngineKind, LongPolicy, LongTexts, Precision},
    task::{Answer, Decision, Target, Task},
    train::{Windows, by_text, logits},
};

/// A classifier with its tokenizer and labels, from a Hugging Face folder.
pub struct Classifier {
    task: Task,
    /// How labels follow from its probabilities.
    decision: Decision,
    engine: Box<dyn Engine>,
    reader: TextReader,
    labels: Vec<String>,
    /// Texts so far, or pairs, of which tokens were cut.
    cut: u64,
    /// Whether it has read pairs.
    pairs: bool,
}

impl Classifier {
    /// Loads the kept model of a run after checking that its files are unchanged. Long texts are read as `long` says.
    ///
    /// # Errors
    /// If it is damaged or cannot be read.
    pub fn load(kept: &Kept, long: LongTexts, device: &Device) -> Result<Self, ExecuteError> {
        Self::load_in(Precision::Fp32, kept, long, device)
    }

    /// The same, to compute in this precision, which [`super::check_precision`] allows on the device.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_in(precision: Precision, kept: &Kept, long: LongTexts, device: &Device) -> Result<Self, ExecuteError> {
        kept.reading(|| Self::read(kept.folder(), long, device, precision))
    }

    /// Loads the model of a folder that `taper export` or a run wrote. Texts of more tokens than the tokenizer says are cut.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn open(folder: &Path, device: &Device) -> Result<Self, ExecuteError> {
        Self::open_in(Precision::Fp32, folder, device)
    }

    /// The same, to compute in this precision, which [`super::check_precision`] allows on the device.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_in(precision: Precision, folder: &Path, device: &Device) -> Result<Self, ExecuteError> {
        let most = Tokenizer::from_folder(folder)?.model_max_length().unwrap_or(usize::MAX);
        Self::read(folder, most.into(), device, precision)
    }

    fn read(folder: &Path, long: LongTexts, device: &Device, precision: Precision) -> Result<Self, ExecuteError> {
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
        let recipe = Recipe { engine: kind, precision, predicts: true, ..Recipe::default() };
        Ok(Self {
            decision: decision_file::read(folder, &labels)?,
            engine: engine(&config, parameters, &recipe, device)?,
            reader: TextReader::new(
                Tokenizer::from_folder(folder)?,
                LongTexts { max_length: long.max_length.min(config.longest()), ..long },
                config.vocab_size,
            ),
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

    /// What the model was trained to do.
    pub fn task(&self) -> Task {
        self.task
    }

    /// Names of the labels, by id.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// How labels follow from its probabilities.
    pub fn decision(&self) -> &Decision {
        &self.decision
    }

    /// What turns texts into its tokens, also on other threads.
    pub fn reader(&self) -> &TextReader {
        &self.reader
    }

    /// The first text that cannot be classified, and why: the tokenizer fails on it, or gives an id that the model has no row
    /// for. Free if neither can happen.
    pub fn refused(&self, texts: &[RowText<'_>]) -> Option<(usize, ExecuteError)> {
        if self.reader.takes_any_text() {
            return None;
        }
        texts.iter().enumerate().find_map(|(at, text)| Some((at, self.reader.encode(*text).err()?)))
    }

    /// A message about the texts that were cut so far; `None` if there were none.
    pub fn cut(&self) -> Option<String> {
        let texts = crate::format::counted(self.cut, if self.pairs { "pair" } else { "text" });
        let (is, was) =
            (crate::format::by_number(self.cut, "is", "are"), crate::format::by_number(self.cut, "was", "were"));
        let most = crate::format::count(self.reader.long().max_length as u64);
        let cut = match self.reader.long().policy {
            // Without a head, only the end stays.
            LongPolicy::HeadTail { head: 0 } => "cut at the beginning",
            LongPolicy::HeadTail { .. } => "cut in the middle",
            LongPolicy::Cut | LongPolicy::Windows { .. } => "cut",
        };
        (self.cut > 0)
            .then(|| format!("{texts} {is} longer than {most} tokens (the run's data.max_length) and {was} {cut}"))
    }

    /// What is predicted for each text, and the probabilities (float32) by label id. After every batch `progress` is called with the number of texts done.
    pub fn predict(
        &mut self,
        texts: &[RowText<'_>],
        progress: &mut dyn FnMut(usize),
    ) -> Result<Vec<(Target, Vec<f32>)>, ExecuteError> {
        let answers = self.answers(texts, progress)?.into_iter();
        Ok(answers.map(|answer| (answer.predicted().clone(), answer.into_probabilities())).collect())
    }

    /// What the model says of each text. After every batch `progress` is called with the number of texts done.
    pub fn answers(
        &mut self,
        texts: &[RowText<'_>],
        progress: &mut dyn FnMut(usize),
    ) -> Result<Vec<Answer>, ExecuteError> {
        let tokens = self.tokens(texts)?;
        Ok(self
            .answers_to(&tokens.iter().collect::<Vec<_>>(), progress)?
            .into_iter()
            .map(|(answer, _)| answer)
            .collect())
    }

    /// What the model says of texts that its [`TextReader`] has read, each with the model's logits: of one window its own, of several those
    /// that belong to their mean probabilities. After every batch `progress` is called with the
    /// number of texts done.
    ///
    /// # Errors
    /// If the engine fails.
    pub fn answers_to(
        &mut self,
        tokens: &[&Encoded],
        progress: &mut dyn FnMut(usize),
    ) -> Result<Vec<(Answer, Vec<f32>)>, ExecuteError> {
        let windows: Vec<Window<'_>> = tokens.iter().flat_map(|tokens| tokens.windows()).collect();
        let of_texts: Vec<usize> = tokens.iter().map(|tokens| tokens.windows.len().max(1)).collect();
        let lengths: Vec<usize> = windows.iter().map(Window::tokens).collect();
        let companion = self.reader.companion();
        let batch = |part: &[usize]| {
            let mut now: Vec<Window<'_>> = part.iter().map(|&index| windows[index]).collect();
            // Products of one row are summed in another order than those of several.
            if let ([_], Some(companion)) = (part, companion) {
                now.push(Window::whole(companion, &[]));
            }
            Ok(Batch::of_windows(&now))
        };
        let mut progress = |done| {
            progress(done);
            Ok(())
        };
        let windows = Windows { of_texts: &of_texts, lengths: &lengths };
        let logits: Result<_, ExecuteError> = logits(self.engine.as_mut(), windows, &batch, &mut progress);
        let logits = logits?;
        let said = by_text(&logits, &of_texts).map(|own| {
            let answer = self.task.answer_of_windows(own);
            let logits = match own {
                [only] => only.clone(),
                _ => answer.logits().into_iter().map(|logit| logit as f32).collect(),
            };
            (answer.decided(&self.decision), logits)
        });
        Ok(said.collect())
    }

    /// The tokens of each text; counts those that are cut.
    fn tokens(&mut self, texts: &[RowText<'_>]) -> Result<Vec<Encoded>, ExecuteError> {
        let tokens: Vec<Encoded> = texts.par_iter().map(|text| self.reader.encode(*text)).collect::<Result<_, _>>()?;
        self.pairs |= texts.iter().any(|text| text.text_pair.is_some());
        self.cut += tokens.iter().filter(|tokens| tokens.whole > tokens.ids.len()).count() as u64;
        Ok(tokens)
    }
}

fn labels(config: &ModelConfig, folder: &Path) -> Result<Vec<String>, ExecuteError> {
    let no_labels = || ExecuteError::Setting(format!("{}: config.json names no labels", folder.display()));
    config.labels().ok_or_else(no_labels)
}

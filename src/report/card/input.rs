//! What a card is written from.

use super::{origin::Origin, spoken::script_of};
use crate::{
    event::Split,
    metrics::{Metric, Metrics},
    plan::{DataConfig, Source},
    report::{Leaderboard, RunInput, leaderboard::Trial},
    store::ExperimentRecord,
    task::Task,
};

/// How the weights of an exported model are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weights {
    /// float32, as in training.
    Fp32,
    /// float16.
    Fp16,
    /// 8-bit integers where most weights are.
    Int8,
}

/// The files of an exported model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// A folder for transformers.
    Transformers,
    /// `model.onnx`.
    Onnx(Weights),
}

/// Everything that a card is written from.
pub struct CardInput<'a> {
    /// The run.
    pub run: &'a RunInput,
    /// Its experiment with the trials of its plan; `None` if the run belongs to no plan.
    pub plan: Option<(&'a ExperimentRecord, &'a Leaderboard)>,
    /// What the card of the model that was fine-tuned says.
    pub base: Origin,
    /// What the card of the dataset says.
    pub data: Origin,
    /// The files beside the card.
    pub stored: Stored,
}

/// Where the language of the texts is known from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    DataCard,
    Letters,
    BaseCard,
}

impl<'a> CardInput<'a> {
    /// The settings of its data.
    pub(super) fn config(&self) -> &'a DataConfig {
        &self.run.run.config.data
    }

    /// The metrics on the rows of a split.
    pub(super) fn measured(&self, split: Split) -> Option<&'a Metrics> {
        let run = &self.run.run;
        if run.measured_on() == split {
            return run.final_metrics.as_ref();
        }
        crate::report::trials::kept(&run.config, &self.run.evals, split, run.config.checkpoint.metric)
    }

    /// The metrics on test rows that other programs get with the exported model; `None` without test rows.
    pub(super) fn tested(&self) -> Option<&'a Metrics> {
        self.measured(Split::Test)
    }

    /// The metrics of its task without duplicates: with one label per row, micro precision, recall and F1 equal the accuracy.
    pub(super) fn metrics(&self) -> impl Iterator<Item = Metric> {
        const MICRO: [Metric; 3] = [Metric::MicroPrecision, Metric::MicroRecall, Metric::MicroF1];
        let task = self.config().task();
        let says_more = move |metric: &Metric| task != Task::SingleLabel || !MICRO.contains(metric);
        task.metrics().iter().copied().filter(says_more)
    }

    /// Whether the exported model computes what was measured.
    pub(super) fn is_as_measured(&self) -> bool {
        matches!(self.stored, Stored::Transformers | Stored::Onnx(Weights::Fp32))
    }

    /// Its trial, if that is known.
    pub(super) fn trial(&self) -> Option<&'a Trial> {
        self.plan?.1.trials.iter().find(|trial| trial.runs.contains(&self.run.run.key))
    }

    /// Where the rows of a split are from.
    pub(super) fn source_of(&self, split: Split) -> &'a Source {
        let data = self.config();
        let own = match split {
            Split::Test => data.test.source(),
            Split::Dev => data.dev.source(),
            Split::Train => None,
        };
        own.unwrap_or(&data.source)
    }

    /// The languages of the texts, and from where they are known; `None` if they are not.
    pub(super) fn languages(&self) -> Option<(Vec<String>, Known)> {
        // Of a card of several languages it is not known which of them the texts are in.
        if let [one] = &self.data.languages[..]
            && one != "multilingual"
        {
            return Some((vec![one.clone()], Known::DataCard));
        }
        let texts = self.run.predictions.iter().flat_map(|row| [Some(&row.text), row.text_pair.as_ref()]).flatten();
        if let Some(language) = script_of(texts.map(String::as_str)) {
            return Some((vec![language.into()], Known::Letters));
        }
        // Of a model of several languages it is not known which of them the texts are in.
        match &self.base.languages[..] {
            [one] if one != "multilingual" => Some((vec![one.clone()], Known::BaseCard)),
            _ => None,
        }
    }
}

/// The name of a source as others may read it: of a file or folder without the folders above it.
pub(super) fn name_of(source: &Source) -> String {
    match source {
        Source::Path(path) => path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned(),
        Source::Hub(repository) | Source::ModelScope(repository) => repository.repo.clone(),
        Source::Scratch(_) => String::new(),
        Source::Web(_) => {
            let shown = source.shown();
            let plain = shown.split(['?', '#']).next().unwrap_or_default();
            plain.rsplit('/').next().unwrap_or_default().to_owned()
        }
    }
}

//! The runs whose models answer: one, or several whose answers are averaged.

use anyhow::{Result, anyhow};
use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser},
};
use taper::{
    data::TextColumns,
    engine::Device,
    execute::{Classifier, DeviceChoice, Ensemble, Kept, UsedRows, check_precision},
    format::{self, one_line},
    plan::{DataConfig, Precision},
    store::{RunRecord, Store, StoreError},
    task::Task,
};

use super::{
    Global, Unusable, common, export,
    input::{self, FileArgs},
    named::{self, Named},
};

/// The fewest characters of a key that name a run where a text may be meant.
const FEWEST: usize = 4;

/// Runs that a note lists.
const LISTED: usize = 5;

/// Which runs are meant, and how they compute.
#[derive(Args)]
pub struct ModelArgs {
    /// Use all runs (seeds and folds) of each trial given as EXPERIMENT#RANK, EXPERIMENT#TRIAL or an experiment with a single trial.
    #[arg(long)]
    ensemble: bool,
    #[command(flatten)]
    precision: PrecisionArgs,
}

/// How models compute.
#[derive(Args)]
pub struct PrecisionArgs {
    /// Input precision of matrix multiplications: bf16 is faster on devices that support it, but less accurate; tf32 is for NVIDIA GPUs. Weights stay float32.
    #[arg(long, value_name = "PRECISION", default_value = "fp32", value_parser = precisions())]
    precision: Precision,
}

impl PrecisionArgs {
    /// The precision.
    ///
    /// # Errors
    /// The device or the processor does not support it.
    pub fn on(&self, device: DeviceChoice) -> Result<Precision> {
        check_precision(self.precision, device).map_err(|e| Unusable(e.into()))?;
        Ok(self.precision)
    }
}

fn precisions() -> impl TypedValueParser<Value = Precision> {
    PossibleValuesParser::new(["fp32", "tf32", "bf16"]).map(|name| match name.as_str() {
        "bf16" => Precision::Bf16,
        "tf32" => Precision::Tf32,
        _ => Precision::Fp32,
    })
}

/// Runs with their models.
pub struct Members {
    /// The runs, as named; at least one.
    pub runs: Vec<RunRecord>,
    kept: Vec<Kept>,
    precision: Precision,
    device: Device,
}

impl ModelArgs {
    /// The runs that these texts name, with their models.
    ///
    /// # Errors
    /// One of them is none, or has no model; a run is named twice; or they do not answer the same question.
    pub fn find(&self, store: &Store, wanted: &[&str], global: &Global) -> Result<Members> {
        let precision = self.precision.on(global.device)?;
        let (device, _) = global.device.open().map_err(|e| Unusable(e.into()))?;
        let mut members = Members { runs: Vec::new(), kept: Vec::new(), precision, device };
        for wanted in wanted {
            let keys = if self.ensemble { trial(store, wanted)? } else { None };
            let names = keys.unwrap_or_else(|| vec![(*wanted).to_owned()]);
            for name in names {
                let (run, kept) = export::kept_of(store, &name, global)?;
                if members.runs.iter().any(|other| other.key == run.key) {
                    return Err(Unusable(anyhow!(
                        "run {} ({}) is named twice: it would count twice in the mean; name each run once",
                        format::short(&run.key),
                        one_line(&run.name)
                    ))
                    .into());
                }
                members.runs.push(run);
                members.kept.push(kept);
            }
        }
        members.check()?;
        Ok(members)
    }
}

/// The keys of all runs of the trial that a text names; `None` if it names a run.
fn trial(store: &Store, wanted: &str) -> Result<Option<Vec<String>>> {
    let found = match named::named(store, wanted)? {
        Some(Named { board, trial, .. }) => Some((board, trial)),
        None => match store.find_among(wanted) {
            Ok(_) => return Ok(None),
            Err(StoreError::UnknownRun { .. } | StoreError::AmbiguousRun { .. }) => named::only_trial(store, wanted)?,
            Err(error) => return Err(error.into()),
        },
    };
    let Some((board, trial)) = found else { return Ok(None) };
    if trial.missing > 0 {
        input::note(&format!(
            "{} of `{}` {} removed: the mean is that of the others",
            format::counted(trial.missing as u64, "run"),
            one_line(wanted),
            format::by_number(trial.missing as u64, "was", "were")
        ));
    }
    match trial.runs.is_empty() {
        true => Err(StoreError::NoRuns { experiment: board.experiment }.into()),
        false => Ok(Some(trial.runs)),
    }
}

/// Whether a text names runs: a run by its name or by the beginning of its key, an experiment, or a trial.
///
/// # Errors
/// If the database cannot be read.
pub fn names_runs(store: &Store, text: &str) -> Result<bool> {
    if named::named(store, text).map_or(true, |found| found.is_some()) || common::is_there(store, text)? {
        return Ok(true);
    }
    match store.find_among(text) {
        Ok((run, _)) => Ok(run.name == text || text.len() >= FEWEST),
        Err(StoreError::AmbiguousRun { .. }) => Ok(text.len() >= FEWEST),
        Err(StoreError::UnknownRun { .. } | StoreError::NoRuns { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The labels of a kept model, by id. Where they cannot be read since a file changed, the error says so.
fn labels_of(kept: &Kept) -> Result<Vec<String>> {
    let labels = Classifier::labels_of(kept.folder());
    if labels.is_err() {
        kept.check()?;
    }
    Ok(labels?)
}

impl Members {
    /// The run that says how rows are read: its columns, labels and separators.
    pub fn first(&self) -> &RunRecord {
        &self.runs[0]
    }

    /// How it reads data.
    pub fn config(&self) -> &DataConfig {
        &self.first().config.data
    }

    /// The labels of the models, by id.
    pub fn labels(&self) -> Result<Vec<String>> {
        labels_of(&self.kept[0])
    }

    /// Whether there are several.
    pub fn are_several(&self) -> bool {
        self.runs.len() > 1
    }

    /// The runs as arguments of a command.
    pub fn arguments(&self) -> String {
        self.runs.iter().map(|run| format::short(&run.key)).collect::<Vec<_>>().join(" ")
    }

    /// Refuses models that do not answer the same question.
    fn check(&self) -> Result<()> {
        let labels = self.labels()?;
        let (first, own) = (self.first(), &self.first().config.data);
        for (run, kept) in self.runs.iter().zip(&self.kept).skip(1) {
            let of = &run.config.data;
            let differ = |what: &str, ours: &str, theirs: &str| {
                Unusable(anyhow!(
                    "the answers of these runs cannot be averaged, because {what}:\n  {}: {ours}\n  {}: {theirs}",
                    said(first),
                    said(run)
                ))
            };
            if of.task() != own.task() {
                let (ours, theirs) = (own.task().problem_type(), of.task().problem_type());
                return Err(differ("their problem types differ", ours, theirs).into());
            }
            let others = labels_of(kept)?;
            let sorted = |labels: &[String]| {
                let mut sorted = labels.to_vec();
                sorted.sort();
                sorted
            };
            if sorted(&others) != sorted(&labels) {
                let what = if own.task() == Task::Regression { "their numbers differ" } else { "their labels differ" };
                return Err(differ(what, &listed(&labels), &listed(&others)).into());
            }
            let texts = |config: &DataConfig| match config.text_pair_column {
                Some(_) => "two texts",
                None => "one text",
            };
            if texts(of) != texts(own) {
                return Err(differ("one reads two texts and the other only one", texts(own), texts(of)).into());
            }
        }
        Ok(())
    }

    /// Refuses models that read other columns of a file, unless options say which.
    ///
    /// # Errors
    /// If they do.
    pub fn check_columns(&self, options: &FileArgs) -> Result<(), Unusable> {
        let columns = |run: &RunRecord| {
            let TextColumns { names, pair, .. } = TextColumns::from(&run.config.data);
            (names, pair)
        };
        let ((names, pair), (has_text, has_pair)) = (columns(self.first()), options.names());
        for run in &self.runs[1..] {
            let (others, other_pair) = columns(run);
            let (option, ours, theirs) = match (has_text || names == others, has_pair || pair == other_pair) {
                (true, true) => continue,
                (false, _) => ("--text-column", listed(&names), listed(&others)),
                (true, false) => ("--text-pair-column", listed(pair.as_slice()), listed(other_pair.as_slice())),
            };
            return Err(Unusable(anyhow!(
                "these runs were trained on different columns: name the one to read with {option}\n  {}: {ours}\n  {}: {theirs}",
                said(self.first()),
                said(run)
            )));
        }
        Ok(())
    }

    /// Reads the models.
    ///
    /// # Errors
    /// If one of them is damaged or cannot be read.
    pub fn load(&self) -> Result<Ensemble> {
        let models = self.runs.iter().zip(&self.kept).map(|(run, kept)| {
            let model = Classifier::load_in(self.precision, kept, run.config.data.long_texts(), &self.device)?;
            Ok((said(run), model))
        });
        Ok(Ensemble::new(models.collect::<Result<_>>()?)?)
    }

    /// The rows that the models were trained on and chosen by, as far as they can still be read.
    pub fn used_rows(&self, global: &Global) -> UsedRows {
        let mut all = UsedRows::default();
        for used in self.runs.iter().filter_map(|run| UsedRows::of(run, &global.runs)) {
            all.trained.extend(used.trained);
            all.chose.extend(used.chose);
        }
        all
    }

    /// What the mean of several models is; `None` of one.
    pub fn note(&self, model: &Ensemble) -> Option<String> {
        if !self.are_several() {
            return None;
        }
        let what = if model.task() == Task::Regression { "numbers" } else { "probabilities" };
        let mut runs = self.runs.iter().take(LISTED).map(said).collect::<Vec<_>>();
        let more = self.runs.len().saturating_sub(LISTED);
        runs.extend((more > 0).then(|| format!("and {} more", format::count(more as u64))));
        let thresholds = match model.ignores_thresholds() {
            false => "",
            true => {
                "; thresholds that were tuned for each model differ and do not apply to the mean: a label is predicted if its probability is at least 0.5"
            }
        };
        let count = format::count(self.runs.len() as u64);
        Some(format!("the {what} are the mean of {count} models: {}{thresholds}", runs.join(", ")))
    }

    /// The runs in a JSON document.
    pub fn document(&self) -> serde_json::Value {
        self.runs.iter().map(|run| serde_json::json!({ "run": run.key, "name": run.name })).collect()
    }
}

/// A run in a message: `3f2a… (lr=3e-5)`.
fn said(run: &RunRecord) -> String {
    format!("{} ({})", format::short(&run.key), one_line(&run.name))
}

fn listed(names: &[String]) -> String {
    match names.is_empty() {
        true => format::NOTHING.into(),
        false => names.iter().map(|name| format!("`{}`", one_line(name))).collect::<Vec<_>>().join(", "),
    }
}

//! `taper export`

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Result, anyhow};
use clap::{
    Args, ValueEnum,
    builder::{PossibleValue, PossibleValuesParser},
};
use taper::{
    data::Tokenizer,
    event::FailureKind,
    execute::Kept,
    export::{EXPERIMENT_FORMATS, FORMATS, Numbers, Refused, export},
    format,
    plan::{Keep, LongPolicy, LongTexts},
    report::chosen,
    store::{RunRecord, RunState, Store, StoreError},
};

use super::{Global, Unusable, card, common, export_experiment, input, lang::Lang, named, output::Output};

/// Export a trained model for transformers or onnxruntime, or an experiment's measurements as tables or for TensorBoard or MLflow.
#[derive(Args)]
#[command(after_help = "In Python:\n  from transformers import AutoModelForSequenceClassification, AutoTokenizer\n  \
    model = AutoModelForSequenceClassification.from_pretrained(DIR)\n  tokenizer = AutoTokenizer.from_pretrained(DIR)\n\n\
    With --format onnx:\n  session = onnxruntime.InferenceSession(\"DIR/model.onnx\")\n  \
    texts = tokenizer([\"…\"], padding=True, truncation=True, return_tensors=\"np\")\n  \
    [logits] = session.run([\"logits\"], {i.name: texts[i.name] for i in session.get_inputs()})\n\n\
    Measurements of an experiment:\n  taper export quickstart DIR --format csv           runs, metrics and steps as tables\n  \
    taper export quickstart DIR --format tensorboard   tensorboard --logdir DIR")]
pub struct Export {
    /// Run: its key, a prefix of its key, its name, an experiment or spec file that has only one run, or EXPERIMENT#RANK (or
    /// EXPERIMENT#TRIAL) for the best run of a trial. For the formats of experiments: the experiment's name or spec file.
    run: String,
    /// Folder to create.
    dir: PathBuf,
    /// Format of the model, or of the measurements of an experiment.
    #[arg(long, value_name = "FORMAT", default_value = FORMATS[0].name(), value_parser = formats_of_all())]
    format: String,
    /// Data type of an ONNX model: fp16 halves its size and suits devices that compute in float16.
    #[arg(long, value_name = "DTYPE", value_enum, default_value_t)]
    dtype: Dtype,
    /// Quantise an ONNX model: the encoder's dense layers and the word embeddings become 8-bit integers, a quarter of the size. Predictions can change: evaluate the exported model.
    #[arg(long, value_name = "TYPE", value_enum)]
    quantize: Option<Quantize>,
    /// Language of README.md, the model card: en or zh.
    #[arg(long, value_name = "LANG", hide_possible_values = true)]
    lang: Option<Lang>,
}

/// The values of `--dtype`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Dtype {
    /// float32, as in training
    #[default]
    Fp32,
    /// float16
    Fp16,
}

/// The values of `--quantize`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Quantize {
    /// 8-bit integer weights with one scale per output channel; activations are quantised dynamically
    Int8,
}

/// The values of `--format` of a model.
pub fn formats() -> PossibleValuesParser {
    FORMATS.iter().map(|format| PossibleValue::new(format.name()).help(format.about())).collect::<Vec<_>>().into()
}

/// The same, and those of an experiment.
fn formats_of_all() -> PossibleValuesParser {
    let models = FORMATS.iter().map(|format| (format.name(), format.about()));
    let all = models.chain(EXPERIMENT_FORMATS.iter().map(|format| (format.name(), format.about())));
    all.map(|(name, about)| PossibleValue::new(name).help(about)).collect::<Vec<_>>().into()
}

/// The run that a text names, and its model. Where several runs are meant and none of them kept a model, the error says so instead of asking
/// for one of them.
pub fn kept_of(store: &Store, wanted: &str, global: &Global) -> Result<(RunRecord, Kept)> {
    let run = named::find(store, wanted, global).map_err(|e| match none_kept(store, &e, &global.runs) {
        Ok(Some(n)) => {
            let runs = format::counted(n as u64, "run");
            Unusable(anyhow!(
                "none of the {runs} that `{}` names kept a model: checkpoint.keep is \"none\" in their spec; with \
                 `--set checkpoint.keep=best` (or `last`), `taper run` trains the completed ones again and keeps a \
                 model of each",
                format::one_line(wanted)
            ))
            .into()
        }
        Ok(None) => e,
        Err(other) => other,
    })?;
    let kept = kept(store, &run, &global.runs)?;
    Ok((run, kept))
}

/// How many runs an error says that a text may mean, if none of them keeps a model.
fn none_kept(store: &Store, error: &anyhow::Error, folder: &Path) -> Result<Option<usize>> {
    let Some(StoreError::AmbiguousRun { keys, .. }) = error.downcast_ref::<StoreError>() else { return Ok(None) };
    for key in keys {
        let run = store.run(key)?;
        if run.config.checkpoint.keep != Keep::None || Kept::of(store, folder, &run)?.is_some() {
            return Ok(None);
        }
    }
    Ok(Some(keys.len()))
}

/// The model of a run, or why it has none.
fn kept(store: &Store, run: &RunRecord, runs: &Path) -> Result<Kept> {
    if let Some(kept) = Kept::of(store, runs, run)? {
        return Ok(kept);
    }
    let keeps_none = run.config.checkpoint.keep == Keep::None;
    if keeps_none && run.state == RunState::Completed {
        let why = anyhow!(
            "run {} kept no model: its spec says checkpoint.keep = \"none\"; with \"last\" or \"best\", `taper run` trains it again and keeps one",
            format::short(&run.key)
        );
        return Err(Unusable(why).into());
    }
    let again = common::run_again(store, run);
    let (again, retry) =
        (format::command::with_runs(&again, runs), format::command::with_runs(&format!("{again} --retry"), runs));
    let retry = match run.failure {
        Some(FailureKind::Diverged) => format!("; `{retry}` trains it again"),
        _ if run.state == RunState::Pruned => format!("; `{retry}` trains it to its end"),
        _ => format!("; `{again}` trains it"),
    };
    let key = format::short(&run.key);
    let why = match run.state {
        RunState::Completed => {
            anyhow!("run {key} is completed, but its model is missing; `taper run` trains it again")
        }
        _ => {
            let keep = match keeps_none {
                true => "; with checkpoint.keep = \"none\" it still keeps no model: set \"last\" or \"best\"",
                false => "",
            };
            // A run that failed did so; all other states are words for what it is.
            let is = if run.state == RunState::Failed { "it" } else { "it is" };
            anyhow!("run {key} has no model: {is} {}{retry}{keep}", run.state_text())
        }
    };
    Err(Unusable(why).into())
}

/// What transformers does not do by itself with long texts, and the model in this folder was trained with.
fn by_hand(long: LongTexts, model: &Path) -> Option<String> {
    let most = long.max_length;
    match long.policy {
        LongPolicy::Cut => None,
        LongPolicy::HeadTail { head } => Some(format!(
            "the model was trained on {} tokens of texts that are longer than {most} (data.long = \"head_tail\"), \
             which transformers does not do by itself: cut longer texts in the same way before you classify them",
            long.kept(head, Tokenizer::from_folder(model).ok().map(|tokenizer| tokenizer.added_tokens(false)))
        )),
        LongPolicy::Windows { stride } => Some(format!(
            "the model was trained on windows of long texts (data.long = \"windows\"): in transformers, call the tokenizer with \
             truncation=True, max_length={most}, stride={stride}, return_overflowing_tokens=True, and average the probabilities of \
             each text's windows"
        )),
    }
}

impl Export {
    /// What the numbers of the exported model are.
    fn numbers(&self, name: &str, known: &[Numbers]) -> Result<Numbers> {
        let (numbers, option) = match (self.dtype, self.quantize) {
            (Dtype::Fp32, None) => (Numbers::Fp32, String::new()),
            (Dtype::Fp16, None) => (Numbers::Fp16, "--dtype fp16".to_string()),
            (Dtype::Fp32, Some(Quantize::Int8)) => (Numbers::Int8, "--quantize int8".to_string()),
            (Dtype::Fp16, Some(Quantize::Int8)) => {
                let why =
                    anyhow!("--quantize int8 computes with float32 between its dense layers: leave out --dtype fp16");
                return Err(Unusable(why).into());
            }
        };
        if known.contains(&numbers) {
            return Ok(numbers);
        }
        let mut others = FORMATS.into_iter().filter(|other| other.numbers().contains(&numbers));
        let other = others.next().map_or("", |other| other.name());
        let why = anyhow!("{option} needs --format {other}: --format {name} has no such models");
        Err(Unusable(why).into())
    }

    /// Writes the files.
    pub fn execute(&self, global: &Global, out: &mut Output) -> Result<ExitCode> {
        if let Some(format) = EXPERIMENT_FORMATS.into_iter().find(|format| format.name() == self.format) {
            self.numbers(format.name(), &[Numbers::Fp32])?;
            return export_experiment::execute(format, &self.run, &self.dir, global, out);
        }
        let format = FORMATS.into_iter().find(|format| format.name() == self.format).unwrap_or(FORMATS[0]);
        let numbers = self.numbers(format.name(), format.numbers())?;
        let store = common::open_existing(global)?;
        let (run, kept) = kept_of(&store, &self.run, global)?;
        let card = card::of(&store, &run, card::stored(format, numbers), self.lang)?;
        let files = export(format, &kept, numbers, &card, &self.dir).map_err(|e| match e {
            Refused::Failed(e) => anyhow::Error::from(e),
            refused => Unusable(refused.into()).into(),
        })?;
        match out.json {
            true => out.document(&files)?,
            false => files.iter().try_for_each(|file| out.line(file.display()))?,
        }
        if !global.quiet {
            by_hand(run.config.data.long_texts(), &self.dir).iter().for_each(|note| input::note(note));
            if run.decided.is_some() {
                let chosen = chosen(&run.config.data);
                input::note(&format!(
                    "`taper predict` applies {chosen} in decision.json; transformers and onnxruntime do not do that by themselves"
                ));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

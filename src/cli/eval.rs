//! `taper eval`

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::Args;
use taper::{
    data::{self, Dataset, Origin, RowText, TargetColumns},
    observe::RowProgress,
    warning::Warning,
};

use super::{
    Global, Unusable, common,
    evaluation::{Evaluation, Known},
    input::{self, FileArgs},
    label_words::{Found, LabelWords, LabelsAre},
    measuring,
    members::{Members, ModelArgs},
    output::Output,
    stop,
};

/// Evaluate a trained model on labelled rows: accuracy, macro-F1, loss and per-label metrics, or the metrics of its problem type.
#[derive(Args)]
#[command(after_help = "Examples:\n  taper eval 3f2a --file newer.csv\n  \
    taper eval 3f2a --file newer.tsv --text-column review --label-column stars --json\n  \
    taper eval 3f2a 9c1b --file newer.csv\n  taper eval \"folds#1\" --ensemble --file newer.csv\n\n\
    The label column may contain the label values of the run, as in its training data, or their names from data.labels. Any other \
    label is an error, because the model cannot predict it. If a value of one label is the name of another, all labels of the file are read as \
    values if all of them are values, or as names if all of them are names; if both are the case, --labels-are must say which. The result is \
    not stored.")]
pub struct Eval {
    /// Run: its key, a prefix of its key, its name, an experiment or spec file that has only one run, or EXPERIMENT#RANK (or
    /// EXPERIMENT#TRIAL) for the best run of a trial.
    run: String,
    /// Further runs, whose predictions are averaged with those of the first, as in `taper predict`.
    #[arg(value_name = "RUN")]
    others: Vec<String>,
    /// CSV, TSV, JSON Lines, JSON, Parquet or Excel file with the rows; `-`: standard input.
    #[arg(long)]
    file: PathBuf,
    /// Column (or JSON field) with the label; by default the column used in training.
    #[arg(long, value_name = "NAME")]
    label_column: Option<String>,
    /// How the labels are written: as values, like the training data, or as the names in `data.labels`. Needed only if the file could be read
    /// either way.
    #[arg(long, value_name = "WHAT", value_enum)]
    labels_are: Option<LabelsAre>,
    #[command(flatten)]
    models: ModelArgs,
    #[command(flatten)]
    layout: FileArgs,
}

impl Eval {
    /// Loads the model and evaluates it.
    pub fn execute(&self, global: &Global, out: &mut Output) -> Result<ExitCode> {
        let store = common::open_existing(global)?;
        let wanted: Vec<&str> = [&self.run].into_iter().chain(&self.others).map(String::as_str).collect();
        let members = self.models.find(&store, &wanted, global)?;
        stop::end_at_once("stopped: nothing was measured")?;
        members.check_columns(&self.layout)?;
        let (config, names) = (members.config(), members.labels()?);
        let origin = Origin::of(&self.file);
        let text = self.layout.columns(config)?;
        let target = TargetColumns::of_run(config, self.label_column.as_deref(), "--label-column");
        let target = target.map_err(|what| Unusable(anyhow::anyhow!(what)))?;
        let words = LabelWords::new(config, &names, &target, self.labels_are)?;
        let layout = self.layout.layout(config, (self.label_column.is_none(), "label-column"));
        let mut data =
            data::read_labelled(&origin, &layout, text, target, &words.to_read()).map_err(|e| Unusable(e.into()))?;
        if words.depend_on_file() {
            let mut found = Found::new(&data.labels);
            data.rows.iter().for_each(|row| found.look(&row.target, row.line));
            let meaning = words.of_file(&input::name(&origin), &found)?;
            data.labels.iter_mut().for_each(|label| *label = meaning.get(label).unwrap_or(label).clone());
        }
        data.warnings.extend(used_before(&data, &members, global));
        if !global.quiet && !out.json {
            input::tell_how(&input::name(&origin), &data.read_as);
            input::warn(&data.warnings);
        }

        let ids = measuring::ids(&data.labels, &names);
        let targets: Vec<taper::task::Target> = data.rows.iter().map(|row| row.target.renamed(&ids)).collect();
        let texts: Vec<RowText<'_>> = data.rows.iter().map(RowText::from).collect();
        let mut model = members.load()?;
        if let Some((at, why)) = model.refused(&texts) {
            return Err(Unusable(anyhow::Error::from(why).context(format!("line {}", data.rows[at].line))).into());
        }
        let progress = RowProgress::stderr(!global.quiet, Some(texts.len() as u64));
        let metrics = model.evaluate(&texts, &targets, &mut |done| progress.tell(done as u64, done as u64))?;
        drop(progress);
        let evaluation = Evaluation {
            members: &members,
            file: &input::name(&origin),
            digest: &data.digest,
            read_as: &data.read_as,
            cleaning: &data.cleaning,
            warnings: &data.warnings,
            metrics: &metrics,
        };
        match out.json {
            true => out.document(&evaluation.document())?,
            false => evaluation.print(out)?,
        }
        if !global.quiet {
            members.note(&model).iter().chain(&model.cut()).for_each(|note| input::note(note));
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The warnings if a model was trained on some of the texts, or chosen by them.
fn used_before(data: &Dataset, members: &Members, global: &Global) -> Vec<Warning> {
    let used = members.used_rows(global);
    let mut found = Known::new(&used);
    data.rows.iter().for_each(|row| found.look(row.into(), row.line));
    found.warnings(&members.runs)
}

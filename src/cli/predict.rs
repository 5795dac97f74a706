//! `taper predict`

use std::{
    io::{self, IsTerminal},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Result;
use clap::Args;
use serde::ser::{Serialize, SerializeMap, Serializer};
use taper::{
    data::{self, Labelled, Layout, Origin, ReadAs, RowText, TargetColumns, Texts, Wording},
    format::{
        self,
        command::{shell_word, with_runs},
    },
    observe::RowProgress,
    plan::DataConfig,
    store::Store,
    task::{Answer, Target as Predicted, Task},
};

use super::{
    Global, Unusable, common,
    decision::decision,
    evaluation::Evaluation,
    input::{self, FileArgs},
    label_words::{Found, LabelWords, LabelsAre},
    measuring::Measuring,
    members::{Members, ModelArgs, names_runs},
    output::Output,
    results::{ByLabel, Form, Named, NewFile, Says, Target, Wanted},
    stop,
    stream::{Fields, Stream},
};

/// Fields that become columns: objects with more have keys that are values.
const MOST_FIELDS: usize = 10_000;

/// Classify texts with a trained model.
#[derive(Args)]
#[command(after_help = "Examples:\n  taper predict 3f2a \"送餐很快\" \"太难吃了\"\n  \
    taper predict 3f2a --file reviews.csv --text-column review > labels.csv\n  \
    zcat reviews.csv.gz | taper predict 3f2a --file - --format csv\n  \
    tail -n +2 reviews.txt | taper predict 3f2a -\n  \
    taper predict 3f2a \"多久能送到？\" --pair \"大约半小时\"\n  \
    taper predict 3f2a --file reviews.xlsx --keep-columns --out results.parquet\n  \
    taper predict 3f2a --file rated.csv --labels stars --out results.jsonl.gz\n  \
    taper predict 3f2a 9c1b \"送餐很快\"\n  \
    taper predict \"folds#1\" --ensemble --file reviews.csv > labels.csv\n\n\
    With several runs, predictions are averaged: the probability of a label is the mean over the runs, each calibrated with its own temperature, and in \
    regression each number is the mean over the runs. Tuned thresholds apply to the mean only if they are the same in all runs. The runs need the same \
    problem type and the same labels, in any order; tokenizers and families may differ. All models are in memory at the same time. Columns, label \
    values and separators are those of the first run.\n\n\
    In CSV output, cells that a spreadsheet would evaluate as a formula are prefixed with an apostrophe ('): those that begin with = + - @, \
    a tab or a line break, except numbers. JSON output leaves texts unchanged. A row without a text has an empty label (null in JSON).")]
pub struct Predict {
    /// Run: its key, a prefix of its key, its name, an experiment or spec file that has only one run, or EXPERIMENT#RANK (or
    /// EXPERIMENT#TRIAL) for the best run of a trial.
    run: String,
    /// Texts to classify, or `-` to classify each line of standard input (same output format as --file). If the first arguments name further runs,
    /// the predictions of all runs are averaged; the last argument is always a text. With --file, or with `-` as the last argument, all other arguments
    /// name runs. `--` separates the runs from the texts.
    #[arg(required_unless_present_any = ["file", "after"])]
    texts: Vec<String>,
    /// Texts, whatever they are; all arguments before `--` are runs then.
    #[arg(last = true, value_name = "TEXT", conflicts_with = "file", hide = true)]
    after: Vec<String>,
    #[command(flatten)]
    models: ModelArgs,
    /// The second text, for a model that reads two (`data.text_pair_column`).
    #[arg(long, value_name = "TEXT", conflicts_with = "file")]
    pair: Option<String>,
    /// Classify the rows of a CSV, TSV, JSON Lines, JSON, Parquet or Excel file (`-`: standard input) instead of TEXTS; prints CSV, or with --json one
    /// object per line.
    #[arg(long)]
    file: Option<PathBuf>,
    /// Write the results to this file instead, in full or not at all. The extension sets the format: .csv, .jsonl or .parquet; .csv.gz,
    /// .csv.zst, .jsonl.gz and .jsonl.zst are compressed. An existing file is overwritten. The probability of every label is included, at full
    /// precision: columns `p(LABEL)`, or in JSON Lines the field `probabilities`.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Format of --out, whatever its extension.
    #[arg(long, value_name = "FORMAT", value_enum, requires = "out")]
    out_format: Option<Form>,
    /// Write all columns of the file, in their order, before the results. CSV and Excel values are written as text, and JSON values as
    /// JSON. Parquet numbers, booleans and lists keep their type in JSON Lines, and become text (lists: JSON) in CSV and Parquet. The predicted label is then
    /// named `predicted_label`. If the file has a column with the name of another result, that result gets the same prefix
    /// (`predicted_line`). If the input is JSON, output in CSV or Parquet has a column for every field that occurs in any object (on
    /// standard input, in the first 1,024 objects).
    #[arg(long, requires = "file")]
    keep_columns: bool,
    /// Also evaluate the predictions against the labels (or numbers) in this column (or JSON field), like `taper eval`; without COLUMN, against
    /// the columns used in training. The result goes to standard output with --out (with --json as part of the JSON object), else to
    /// standard error.
    #[arg(long, value_name = "COLUMN", num_args = 0..=1, requires = "file")]
    labels: Option<Option<String>>,
    /// How the labels of --labels are written: as values, like the training data, or as the names in `data.labels`. Needed only if the file could
    /// be read either way.
    #[arg(long, value_name = "WHAT", value_enum, requires = "labels")]
    labels_are: Option<LabelsAre>,
    #[command(flatten)]
    layout: FileArgs,
}

/// What rows are read from and how.
struct Input {
    rows: Texts,
    /// The fields of all JSON objects of a file, if all columns are kept.
    fields: Vec<String>,
    /// The digest of a file whose rows were checked, and how many there are.
    checked: Option<(String, u64)>,
}

impl Predict {
    /// Loads the model and classifies.
    pub fn execute(&self, global: &Global, out: &mut Output) -> Result<ExitCode> {
        if self.file.is_none() {
            self.layout.refuse()?;
        }
        let store = common::open_existing(global)?;
        let (runs, texts) = self.runs_and_texts(&store, global)?;
        let members = self.models.find(&store, &runs, global)?;
        let reads_rows = self.file.is_some() || texts == ["-"];
        stop::end_at_once(if reads_rows { "stopped: the rows were not all classified" } else { "stopped" })?;
        let config = members.config();
        self.check_pair(config, &texts)?;
        if self.file.is_some() {
            members.check_columns(&self.layout)?;
        }
        // Opened before the model is loaded, so that its errors are reported at once.
        let target = self.out.as_deref().map(|path| Target::of(path, self.out_format)).transpose()?;
        let form = target.map_or(if out.json { Form::Jsonl } else { Form::Csv }, |target| target.form);
        if !reads_rows {
            if self.out.is_some() {
                let what = "--out can only be used with --file, or with `-` to classify the lines of standard input";
                return Err(Unusable(anyhow::anyhow!(what)).into());
            }
            return self.texts(&members, &texts, global, out);
        }
        let origin = self.file.as_deref().map_or(Origin::StandardInput, Origin::of);
        if matches!(origin, Origin::StandardInput) && io::stdin().is_terminal() && !global.quiet {
            let what = if self.file.is_none() { "a text on each line" } else { "rows" };
            input::note(&format!("reading {what} from the terminal: end with Ctrl-D on a line of its own"));
        }
        // Before the rows are checked, which can take minutes.
        let file = match (&self.out, target) {
            (Some(path), Some(target)) => Some(NewFile::create(path, target.packing, &origin, &global.runs)?),
            _ => None,
        };
        let Input { rows, fields, checked } = self.open(&members, (&origin, form), global)?;
        let model = members.load()?;
        // Where a text has several labels, no column of one probability can be beside them.
        let each = self.out.is_some() || self.keep_columns || model.task() == Task::MultiLabel;
        let pairs = rows.has_pairs();
        let says = Says::new(model.task(), model.labels(), config.label_separator.as_deref());
        let wanted = Wanted { form, says, each, pairs, keep: self.keep_columns };

        // Results printed on the same terminal already show progress.
        let shown = (file.is_some() || !out.terminal) && !global.quiet;
        let progress = RowProgress::stderr(shown, checked.as_ref().map(|(_, rows)| *rows));
        let checked = checked.map(|(digest, _)| digest);
        let known = self.labels.as_ref().map(|_| members.used_rows(global)).unwrap_or_default();
        let measuring = self.labels.as_ref().map(|_| Measuring::new(&rows, model.labels(), &known));
        let mut stream = Stream { model, rows, fields, checked, progress, measuring, done: 0 };
        stream.run(wanted, file, out)?;
        let Stream { model, rows, measuring, done, progress, .. } = stream;
        drop(progress);
        let mut warnings = rows.warnings();
        warnings.extend(measuring.iter().flat_map(|measuring| measuring.known.warnings(&members.runs)));
        let name = input::name(&origin);
        let metrics = measuring.map(|measuring| measuring.metrics(model.labels()));
        let (digest, read_as) = (rows.digest(), rows.read_as());
        let evaluation = metrics.as_ref().map(|metrics| Evaluation {
            members: &members,
            file: &name,
            digest: &digest,
            read_as: &read_as,
            cleaning: rows.cleaning(),
            warnings: &warnings,
            metrics,
        });
        if !global.quiet {
            members.note(&model).iter().chain(&model.cut()).for_each(|note| input::note(note));
            input::tell_how(&name, &read_as);
            input::warn(&warnings);
        }
        self.report((done, &members), &read_as, evaluation.as_ref(), global, out)?;
        if !global.quiet
            && self.labels.is_none()
            && TargetColumns::from(config).names.iter().all(|name| rows.columns().contains(name))
        {
            has_labels(&members, &origin, out);
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The rows of the input. Before anything is classified every row of a file is checked, and the fields of all its JSON
    /// objects are known, if they are kept.
    fn open(&self, members: &Members, (origin, form): (&Origin, Form), global: &Global) -> Result<Input> {
        let config = members.config();
        let reads_pairs = config.text_pair_column.is_some();
        let unusable = |e: data::DataError| {
            Unusable(match plain_lines(&e).filter(|_| !reads_pairs) {
                Some(()) => {
                    anyhow::anyhow!("{e}; {}", how_to_read_lines(&self.run_words(members), origin, &global.runs))
                }
                None => e.into(),
            })
        };
        if self.file.is_none() {
            let lines = Layout { wording: Wording::Options, ..Layout::default() };
            let rows = data::stream_lines(origin, &lines).map_err(unusable)?;
            return Ok(Input { rows, fields: Vec::new(), checked: None });
        }
        let layout = self.layout.layout(config, (self.labels == Some(None), "labels"));
        let mut words = None;
        let mut wanted = data::Wanted { text: self.layout.columns(config)?, target: None, keep: self.keep_columns };
        if let Some(column) = &self.labels {
            let columns = TargetColumns::of_run(config, column.as_deref(), "--labels");
            let columns = columns.map_err(|what| Unusable(anyhow::anyhow!(what)))?;
            let of_column = LabelWords::new(config, &members.labels()?, &columns, self.labels_are)?;
            wanted.target = Some(Labelled { columns, labels: of_column.to_read() });
            words = Some(of_column).filter(LabelWords::depend_on_file);
        }
        let (mut fields, mut digest) = (Fields::default(), None);
        // Standard input cannot be read twice.
        if matches!(origin, Origin::File(_)) {
            let mut rows = data::stream_rows(origin, &layout, wanted.clone()).map_err(unusable)?;
            // A header has all columns; of JSON every object can have others.
            let has_fields = wanted.keep && rows.columns().is_empty();
            if wanted.keep && !has_fields {
                let checked = data::Wanted { keep: false, ..wanted.clone() };
                rows = data::stream_rows(origin, &layout, checked).map_err(unusable)?;
            }
            let progress = RowProgress::stderr(!global.quiet, Some(RowProgress::PARTS));
            let (mut done, mut too_many) = (0, false);
            let mut found = words.as_ref().map(|_| Found::new(rows.targets()));
            let checked = rows.check(|row, share| {
                if has_fields && !too_many {
                    fields.add(row);
                    too_many = form != Form::Jsonl && fields.names.len() > MOST_FIELDS;
                }
                if let (Some(found), Some(target)) = (&mut found, &row.target) {
                    found.look(target, row.line);
                }
                done += 1;
                if done % 4096 == 0 {
                    progress.tell_share(done, share);
                }
            });
            digest = Some((checked.map_err(unusable)?, done));
            if too_many {
                return Err(Unusable(too_many_fields(&input::name(origin))).into());
            }
            if let (Some(words), Some(found), Some(target)) = (&words, &found, &mut wanted.target) {
                target.labels.clone_from(words.of_file(&input::name(origin), found)?);
            }
        } else if let Some(words) = &words {
            return Err(words.only_once().into());
        }
        let rows = data::stream_rows(origin, &layout, wanted).map_err(unusable)?;
        Ok(Input { rows, fields: fields.names, checked: digest })
    }

    /// The runs that are named, and the texts, of which there are none if a file has them.
    fn runs_and_texts(&self, store: &Store, global: &Global) -> Result<(Vec<&str>, Vec<&str>)> {
        let all: Vec<&str> = [&self.run].into_iter().chain(&self.texts).map(String::as_str).collect();
        if self.file.is_some() {
            return Ok((all, Vec::new()));
        }
        if !self.after.is_empty() {
            return Ok((all, self.after.iter().map(String::as_str).collect()));
        }
        let (last, before) = all.split_last().expect("a run");
        if *last == "-" {
            return Ok((before.to_vec(), vec![last]));
        }
        // The last argument is a text, even if a run has this name.
        let mut runs = 1;
        while runs < before.len() && names_runs(store, before[runs])? {
            runs += 1;
        }
        if runs == before.len() && names_runs(store, last).unwrap_or(false) && !global.quiet {
            input::note(&format!(
                "`{0}` is also the name of a run, but the last argument is read as a text",
                format::one_line(last)
            ));
        }
        Ok((all[..runs].to_vec(), all[runs..].to_vec()))
    }

    /// The runs as they were named, for a command.
    fn run_words(&self, members: &Members) -> String {
        match members.are_several() {
            true => members.arguments(),
            false => shell_word(&self.run).into_owned(),
        }
    }

    /// Says how many rows were written to a file, and how many are right.
    fn report(
        &self,
        (rows, members): (u64, &Members),
        read_as: &ReadAs,
        evaluation: Option<&Evaluation<'_>>,
        global: &Global,
        out: &mut Output,
    ) -> Result<()> {
        match (&self.out, evaluation) {
            (Some(file), evaluation) if out.json => {
                let evaluation = evaluation.map(Evaluation::document);
                let mut document = serde_json::json!({
                    "out": file.display().to_string(), "rows": rows, "read_as": read_as, "evaluation": evaluation
                });
                if members.are_several() {
                    document["members"] = members.document();
                }
                out.document(&document)
            }
            (Some(file), evaluation) => {
                if !global.quiet {
                    out.line(format!("{} written to {}", format::counted(rows, "row"), file.display()))?;
                }
                evaluation.map_or(Ok(()), |evaluation| evaluation.print(out))
            }
            (None, Some(evaluation)) => evaluation.print(&mut Output::stderr(global)),
            (None, None) => Ok(()),
        }
    }

    /// Refuses texts without a second one for a model that reads two, and the reverse.
    fn check_pair(&self, run: &DataConfig, texts: &[&str]) -> Result<(), Unusable> {
        let what = match (run.text_pair_column.is_some(), &self.pair, texts) {
            (true, _, ["-"]) => {
                "the model reads two texts, but a line of standard input is only one: give a file with both columns, \
                 --file FILE or --file -"
            }
            (true, Some(_), texts) if texts.len() > 1 => {
                "--pair gives the second text for a single text: give only one text, or a file with both columns \
                 (--file FILE)"
            }
            (true, None, [_, ..]) => "the model reads two texts: give the second one too, --pair TEXT",
            (false, Some(_), _) => "--pair gives a second text, but the model reads only one: omit it",
            _ => return Ok(()),
        };
        Err(Unusable(anyhow::anyhow!(what)))
    }

    fn texts(&self, members: &Members, texts: &[&str], global: &Global, out: &mut Output) -> Result<ExitCode> {
        if let Some(at) = texts.iter().position(|text| data::is_blank(text)) {
            let which = if texts.len() == 1 { "the text".into() } else { format!("text {}", at + 1) };
            return Err(Unusable(anyhow::anyhow!("{which} is empty: there is nothing to classify")).into());
        }
        if self.pair.as_deref().is_some_and(data::is_blank) {
            return Err(Unusable(anyhow::anyhow!("the second text is empty: there is nothing to classify")).into());
        }
        let mut model = members.load()?;
        let config = members.config();
        let text_pair = self.pair.as_deref();
        let texts: Vec<RowText<'_>> = texts.iter().map(|text| RowText { text, text_pair }).collect();
        if let Some((at, why)) = model.refused(&texts) {
            let which = if texts.len() == 1 { String::new() } else { format!("text {}: ", at + 1) };
            return Err(Unusable(anyhow::anyhow!("{which}{why}")).into());
        }
        let each = model.each(&texts, &mut |_| {})?;
        let of_text = |at: usize| each.iter().map(|answers| &answers[at]).collect::<Vec<_>>();
        let answers: Vec<Answer> = (0..texts.len()).map(|at| model.together(&of_text(at))).collect();
        let lines = texts.iter().zip(&answers);
        let says = Says::new(model.task(), model.labels(), config.label_separator.as_deref());
        if out.json {
            let of = |at: usize| match members.are_several() {
                true => members.runs.iter().map(|run| run.key.as_str()).zip(of_text(at)).collect(),
                false => Vec::new(),
            };
            let lines = lines.enumerate().map(|(at, (text, answer))| Line {
                text: *text,
                says: &says,
                answer,
                members: of(at),
            });
            out.document(&lines.collect::<Vec<_>>())?;
        } else {
            let rows = lines.map(|(text, answer)| {
                let mut cells = said(&says, answer);
                cells.extend(text.texts().map(str::to_owned));
                cells
            });
            let mut columns: Vec<&str> = match model.task() {
                Task::SingleLabel => vec!["label", "confidence"],
                Task::MultiLabel => vec!["labels"],
                Task::Regression => model.labels().iter().map(String::as_str).collect(),
            };
            columns.extend(["text", "text_pair"].into_iter().take(1 + usize::from(text_pair.is_some())));
            out.table(&columns, rows)?;
        }
        if !global.quiet {
            members.note(&model).iter().chain(&model.cut()).for_each(|note| input::note(note));
            if let Some(decided) = members.first().decided.as_ref().filter(|_| !members.are_several()) {
                input::note(&format!("labels are predicted with {}", decision(decided, model.labels())));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Whether a file that cannot be read as a table may have a text on each line instead: nothing says its format, or it has one column, which
/// is not the wanted one.
fn plain_lines(error: &data::DataError) -> Option<()> {
    // Of two columns that it lacks, either will do.
    match error.each().first()? {
        data::DataError::UnknownFormat { .. } => Some(()),
        data::DataError::Column { found, .. } => (found.len() == 1).then_some(()),
        _ => None,
    }
}

/// The command that reads a text from each line, with `run`, which names the runs.
fn how_to_read_lines(run: &str, origin: &Origin, runs: &Path) -> String {
    let command = with_runs(&format!("taper predict {run} -"), runs);
    match origin {
        Origin::File(path) => {
            format!("if each line is a text: `{command} < {}`", shell_word(&path.to_string_lossy()))
        }
        Origin::StandardInput | Origin::Descriptor(_) => {
            format!("if each line is a text, leave --file out: `{command}` reads the lines of standard input")
        }
    }
}

/// Says that the rows have labels, and what measures the model on them.
fn has_labels(members: &Members, origin: &Origin, out: &Output) {
    let (runs, columns) = (members.arguments(), TargetColumns::from(members.config()));
    // Input from a pipe cannot be read again.
    let (what, file, of) = match origin {
        Origin::File(path) => (path.display().to_string(), shell_word(&path.to_string_lossy()).into_owned(), ""),
        Origin::StandardInput | Origin::Descriptor(_) => {
            ("the input".into(), "FILE".into(), " on a file of these rows")
        }
    };
    input::note(&format!(
        "{what} has {}{}: to score predictions, run `{}`{of}",
        if columns.names.len() > 1 { "the " } else { "a " },
        columns.shown(),
        out.command(&format!("taper eval {runs} --file {file}"))
    ));
}

/// What is predicted, in the cells of a row.
fn said(says: &Says, answer: &Answer) -> Vec<String> {
    let percent = |id: &u32| format::percent(answer.probabilities()[*id as usize].into());
    match answer.predicted() {
        target @ Predicted::Label(id) => vec![says.predicted(target), percent(id)],
        Predicted::Labels(ids) => {
            let none = || Predicted::labels(Vec::new()).shown(&says.labels);
            let each = |id: &u32| format!("{} {}", says.labels[*id as usize], percent(id));
            vec![if ids.is_empty() { none() } else { ids.iter().map(each).collect::<Vec<_>>().join(", ") }]
        }
        Predicted::Values(values) => values.iter().map(|value| format::decimals(*value, 4)).collect(),
    }
}

/// A text with its answer as a JSON object.
struct Line<'a> {
    text: RowText<'a>,
    says: &'a Says,
    answer: &'a Answer,
    /// What each of several runs says, with its key.
    members: Vec<(&'a str, &'a Answer)>,
}

/// What a run says of a text, as a JSON object.
struct Member<'a>(&'a str, &'a Says, &'a Answer);

impl Serialize for Member<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(run, says, answer) = self;
        let mut object = serializer.serialize_map(None)?;
        object.serialize_entry("run", run)?;
        says_of(&mut object, says, answer)?;
        object.end()
    }
}

/// Adds what is predicted, and the probabilities if there are any.
fn says_of<M: SerializeMap>(object: &mut M, says: &Says, answer: &Answer) -> Result<(), M::Error> {
    Named::plain(says.task).write(object, says, Some(answer))?;
    if says.task == Task::Regression {
        return Ok(());
    }
    let probabilities = ByLabel { labels: &says.labels, probabilities: answer.probabilities() };
    object.serialize_entry("probabilities", &probabilities)
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { text: RowText { text, text_pair }, says, answer, members } = self;
        let mut object = serializer.serialize_map(None)?;
        object.serialize_entry("text", text)?;
        if let Some(text_pair) = text_pair {
            object.serialize_entry("text_pair", text_pair)?;
        }
        says_of(&mut object, says, answer)?;
        if !members.is_empty() {
            let members: Vec<Member<'_>> = members.iter().map(|(run, answer)| Member(run, says, answer)).collect();
            object.serialize_entry("members", &members)?;
        }
        object.end()
    }
}

fn too_many_fields(name: &str) -> anyhow::Error {
    anyhow::anyhow!(
        "{name}: its objects have more than {} fields, each of which would be a column (--keep-columns); write JSON Lines, which has no columns \
         (--json, or --out FILE.jsonl), or leave --keep-columns out",
        format::count(MOST_FIELDS as u64)
    )
}

//! Reading and cleaning a data file.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::{
    Cleaning, DataConfig, DataError, Dataset, Problem, ReadFile, Row, SplitFile,
    assigned::Assigned,
    cells::{Cells, Columns, Fault},
    collected::{Collected, Collector},
    counted_rows::{Noticed, note},
    dropped::mostly_dropped,
    error::{Problems, TextsOf},
    groups::Groups,
    invisible::escaped,
    label_checks,
    labels::Known,
    missing::MissingValues,
    noticed::{guessed, quoted, reopened, swallowed},
    number_checks,
    one_target::{have_one_target, only_one_drawn, same_targets},
    progress::{Listener, Meter, Progress, silent},
    read_as::ReadAs,
    repeats::Repeats,
    rows::Rows,
    sample::sample,
    settings::{Layout, Wording},
    source::Origin,
    target_columns::TargetColumns,
    targets::Targets,
    text_columns::{RowText, TextColumns},
};
use crate::{
    event::Split,
    format::{by_number, counted},
    plan::SplitValues,
    task::Task,
    warning::{Kind, Warning, lines_of},
};

/// Labels that a dataset may have. A classifier of more is another task, and a column with more is no column of labels.
const MAX_LABELS: usize = 10_000;

/// The files that the rows of a run are read from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DataFiles {
    /// That of `data.source`; several if a split of a dataset is in several.
    pub source: Vec<PathBuf>,
    /// Those of the dev split, if it has its own.
    pub dev: Vec<PathBuf>,
    /// Those of the test split, if it has its own.
    pub test: Vec<PathBuf>,
    /// Names of the label values 0, 1, …, as the card of the dataset says; -1 means that there is no label.
    pub classes: Option<Vec<String>>,
}

/// Reads a single labelled data file: see [`read_files`].
///
/// # Errors
/// As [`read_files`].
pub fn read(path: &Path, config: &DataConfig) -> Result<Dataset, DataError> {
    read_files(&DataFiles { source: vec![path.to_owned()], ..DataFiles::default() }, config)
}

/// Reads the labelled data files of a run: [`read_files_telling`] without reports of progress.
///
/// # Errors
/// As [`read_files_telling`].
pub fn read_files(files: &DataFiles, config: &DataConfig) -> Result<Dataset, DataError> {
    read_files_telling(files, config, &silent())
}

/// Reads the labelled data files of a run and cleans them; `listener` receives the progress.
///
/// A row without a text or without a label is dropped, as pandas' `dropna` does. Missing is what is empty or contains only white space (in
/// JSON also `null` and an absent field), and the values of `data.missing`; other words such as `NA` and `null`, which pandas takes for missing
/// too, are texts. Texts are kept as they are; label values and column names are trimmed.
///
/// Labels are those of `data.source`. Their names are those of `data.labels`; else those of the class labels that a Parquet file or the card
/// of a dataset has; else the values. The rows of the dev and test files follow those of `data.source`. If `config.limit` is set, that
/// many of the rows that no file and no column assigns to the dev or test split are drawn at random with `config.seed`, and kept in file
/// order.
///
/// # Errors
/// A file cannot be read, is not text in a known encoding, lacks a column, or has rows that cannot be used (all of them are named, up to a
/// number); no row or a single class is left; a label occurs only in the file of the dev or test split. [`DataError::Several`] if several
/// files are faulty.
pub fn read_files_telling(files: &DataFiles, config: &DataConfig, listener: &Listener) -> Result<Dataset, DataError> {
    let layout = &Layout::from(config);
    let columns = |split: Option<&String>, group: Option<&String>| Columns {
        text: config.into(),
        target: Some(config.into()),
        split: split.cloned(),
        group: group.cloned(),
        text_in_each: false,
        keep: false,
    };
    let origins = |paths: &[PathBuf]| paths.iter().cloned().map(Origin::File).collect::<Vec<_>>();
    let mut faults = Vec::new();
    let of_rows = columns(config.split_column.as_ref(), config.group_column.as_ref());
    let read = of_source(files, layout, &of_rows, config, listener);
    let mut read = read.map_err(|error| faults.push(error)).ok();
    for (split, paths) in [(Split::Dev, &files.dev), (Split::Test, &files.test)] {
        if paths.is_empty() {
            continue;
        }
        let result = match &mut read {
            Some(Labelled { data, values, .. }) => {
                let known = (&*values, files, config);
                add_file(data, (split, &origins(paths)), layout, &columns(None, None), known, listener)
            }
            // It is only checked, as far as its labels are known.
            None => {
                let known = Known { labels: &config.labels, classes: files.classes.as_deref(), of: None };
                let read = labelled(&origins(paths), layout, &columns(None, None), known, None, listener);
                read.map(drop).map_err(|error| unlabelled(error, split, config))
            }
        };
        faults.extend(result.err());
    }
    match (read, faults.len()) {
        (Some(read), 0) => Ok(read.data),
        (_, 1) => Err(faults.remove(0)),
        _ => Err(DataError::Several(faults)),
    }
}

/// The rows of `data.source`.
fn of_source(
    of: &DataFiles,
    layout: &Layout,
    columns: &Columns,
    config: &DataConfig,
    listener: &Listener,
) -> Result<Labelled, DataError> {
    let origins: Vec<Origin> = of.source.iter().cloned().map(Origin::File).collect();
    let known = Known { labels: &config.labels, classes: of.classes.as_deref(), of: None };
    let splits = config.splits.as_ref().filter(|_| config.split_column.is_some());
    let Labelled { mut data, values, files } = labelled(&origins, layout, columns, known, splits, listener)?;
    let target = TargetColumns::from(config);
    match target.task {
        Task::SingleLabel | Task::MultiLabel => {
            let doubts = label_checks::check(&data.labels, &data.rows, &target, !config.labels.is_empty());
            data.warnings.extend(doubts.warnings);
            data.undivided = doubts.undivided;
        }
        Task::Regression => data.warnings.extend(number_checks::check(&data.labels, &data.rows)),
    }
    let one_target = have_one_target(&data.rows);
    if let Some(limit) = config.limit {
        sample(&mut data, limit, config.seed);
    }
    if let Some(first) = data.rows.first()
        && (one_target || have_one_target(&data.rows))
    {
        let path = of.source.first().cloned().unwrap_or_default();
        return Err(match config.limit.filter(|_| !one_target) {
            Some(limit) => only_one_drawn(path, limit, &target, &data),
            None => same_targets(path, &target, &first.target, &data.labels, without_label(&data.cleaning, config)),
        });
    }
    let repeats = Repeats::of(&data.rows);
    repeats.note(&mut data.cleaning);
    data.warnings.extend(repeats.warning(data.rows.len() as u64, target.task, Wording::Keys));
    Ok(Labelled { data, values, files })
}

/// That rows were dropped for having no label, with what decides that.
fn without_label(cleaning: &Cleaning, config: &DataConfig) -> Option<String> {
    let rows = (cleaning.missing_label > 0).then(|| counted(cleaning.missing_label, "row"))?;
    let were = by_number(cleaning.missing_label, "was", "were");
    let why = match config.missing.is_empty() {
        true => String::new(),
        false => {
            let values: Vec<String> = config.missing.iter().map(|value| format!("`{}`", escaped(value))).collect();
            format!(": values that count as none are empty cells and those in data.missing ({})", values.join(", "))
        }
    };
    Some(format!("; {rows} without a label {were} dropped{why}"))
}

/// Adds the rows of the files that are the dev or the test split. `values` maps label values to names.
fn add_file(
    data: &mut Dataset,
    (split, origins): (Split, &[Origin]),
    layout: &Layout,
    columns: &Columns,
    (values, files, config): (&BTreeMap<String, String>, &DataFiles, &DataConfig),
    listener: &Listener,
) -> Result<(), DataError> {
    let target = TargetColumns::from(config);
    let mut trained = vec![false; data.labels.len()];
    data.rows.iter().flat_map(|row| row.target.ids()).for_each(|id| trained[*id as usize] = true);
    let source = config.source.shown();
    let known = Known {
        labels: values,
        classes: files.classes.as_deref(),
        of: config.labels.is_empty().then_some(source.as_str()),
    };
    let hint = |error| unlabelled(error, split, config);
    let read = labelled(origins, layout, columns, known, None, listener).map_err(hint)?;
    let unknown = |row: &Row| row.target.ids().iter().copied().find(|id| !trained[*id as usize]);
    read.refused(read.data.rows.iter().filter_map(|row| Some((row.line, unknown(row)?))).map(|(line, id)| {
        let label = escaped(&data.labels[id as usize]);
        let column = if target.each { &target.names[id as usize] } else { &target.names[0] };
        (line, format!("label `{label}` (column `{column}`) does not occur in {source}"))
    }))?;
    let mut file = read.data;
    let path = origins.first().map(Origin::name).unwrap_or_default();
    if target.task == Task::MultiLabel && file.rows.iter().all(|row| row.target.ids().is_empty()) {
        return Err(without_labels(path, file.rows.len() as u64, split, config));
    }
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let first = u32::try_from(data.rows.len()).map_err(|_| DataError::TooLarge { what: "rows" })?;
    let end = u32::try_from(data.rows.len() + file.rows.len()).map_err(|_| DataError::TooLarge { what: "rows" })?;
    for warning in &mut file.warnings {
        warning.message = format!("{name}: {}", warning.message);
    }
    data.rows.append(&mut file.rows);
    data.warnings.append(&mut file.warnings);
    data.digest = combined(&data.digest, split, &file.digest);
    let more_files = origins.len() - 1;
    data.files.push(SplitFile {
        split,
        name,
        more_files,
        sources: file.sources,
        rows: first..end,
        cleaning: file.cleaning,
        notes: file.notes,
    });
    match split {
        Split::Test => data.test = (first..end).collect(),
        Split::Dev | Split::Train => data.dev = (first..end).collect(),
    }
    Ok(())
}

/// The error for a file without any label, as test files of competitions are.
fn unlabelled(error: DataError, split: Split, config: &DataConfig) -> DataError {
    match error {
        DataError::NoRows { path, missing_label, .. } if missing_label > 0 => {
            without_labels(path, missing_label, split, config)
        }
        error => error,
    }
}

/// The error for a file of so many rows without any label.
fn without_labels(path: PathBuf, rows: u64, split: Split, config: &DataConfig) -> DataError {
    let remedy = match (&config.splits, split) {
        (Some(_), Split::Test) => {
            "remove `test` from data.splits (and set data.test = 0, unless other rows are to be held out for testing)"
        }
        (Some(_), _) => "remove `dev` from data.splits",
        (None, _) => "remove the file from the spec",
    };
    let what = format!(
        "its {} without a label cannot be evaluated; {remedy}, and classify its texts with `taper predict RUN --file FILE`",
        counted(rows, "row")
    );
    DataError::Layout { path, what }
}

/// The digest of the files so far and that of another one.
fn combined(digest: &str, split: Split, other: &str) -> String {
    // Part of run keys: these names never change.
    let name = if split == Split::Test { "test" } else { "dev" };
    hex(&Sha256::digest(format!("{digest}\n{name} {other}\n")))
}

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads labelled rows that a trained model is measured on: as [`read`], of any origin, and a single class will do. `labels` maps
/// the values of the label column to names; where each label has a column, the columns.
///
/// # Errors
/// As [`read`].
pub fn read_labelled(
    origin: &Origin,
    layout: &Layout,
    text: impl Into<TextColumns>,
    target: impl Into<TargetColumns>,
    labels: &BTreeMap<String, String>,
) -> Result<Dataset, DataError> {
    let columns = Columns {
        text: text.into(),
        target: Some(target.into()),
        split: None,
        group: None,
        text_in_each: false,
        keep: false,
    };
    let known = Known { labels, classes: None, of: None };
    Ok(labelled(std::slice::from_ref(origin), layout, &columns, known, None, &silent())?.data)
}

/// Labelled rows.
struct Labelled {
    data: Dataset,
    /// Value → name of each label.
    values: BTreeMap<String, String>,
    /// Each file, and the lines of those before it: lines of several files count through.
    files: Vec<(PathBuf, u64)>,
}

impl Labelled {
    /// The error for rows that cannot be used, named by their lines and what is wrong: each with its own file.
    fn refused(&self, rows: impl Iterator<Item = (u64, String)>) -> Result<(), DataError> {
        let mut of_files: Vec<Problems> = self.files.iter().map(|_| Problems::default()).collect();
        for (line, what) in rows {
            let file = self.files.iter().rposition(|(_, before)| *before < line).unwrap_or_default();
            of_files[file].push(Problem::new(line - self.files[file].1, what));
        }
        let errors = self.files.iter().zip(of_files).filter_map(|((path, _), of_file)| of_file.into_result(path).err());
        let mut errors: Vec<DataError> = errors.collect();
        match errors.len() {
            0 => Ok(()),
            1 => Err(errors.remove(0)),
            _ => Err(DataError::Several(errors)),
        }
    }
}

/// What is found while the rows of one or several files are read.
struct Reading<'a> {
    meter: Meter<'a>,
    rows: Collector,
    cleaning: Cleaning,
    warnings: Vec<Warning>,
    /// The last line of the files before this one: lines of several files count through.
    lines_before: u64,
}

/// Reads the labelled rows of files that belong together, as one.
fn labelled(
    origins: &[Origin],
    layout: &Layout,
    columns: &Columns,
    known: Known<'_>,
    splits: Option<&SplitValues>,
    listener: &Listener,
) -> Result<Labelled, DataError> {
    let mut found = Reading {
        meter: Meter::new(listener),
        rows: Collector::default(),
        cleaning: Cleaning::default(),
        warnings: Vec::new(),
        lines_before: 0,
    };
    let no_target = TargetColumns::from("");
    let target = columns.target.as_ref().unwrap_or(&no_target);
    let mut divided = (Assigned::new(columns.split.as_deref(), splits), Groups::new(columns.group.as_deref()));
    let (mut targets, mut given) = (None, BTreeMap::new());
    let (mut digests, mut notes, mut read_as) = (Vec::new(), Vec::new(), ReadAs::default());
    let (mut files, mut empty) = (Vec::new(), None);
    // Names of class labels, which need not occur in the data files.
    let mut named: Vec<String> = Vec::new();
    for origin in origins {
        let mut file = match Rows::open(origin, layout, columns.clone()) {
            // One of several files may be empty.
            Err(error @ DataError::Empty { .. }) if origins.len() > 1 => {
                files.push((origin.name(), found.lines_before));
                digests.push(hex(&Sha256::digest("")));
                empty.get_or_insert(error);
                continue;
            }
            file => file?,
        };
        let own = file.classes();
        let targets = targets.get_or_insert_with(|| {
            let chosen = known.classes.map(<[String]>::to_vec).or_else(|| own.clone());
            given = match chosen.filter(|_| known.labels.is_empty() && known.of.is_none()) {
                Some(names) => {
                    named.clone_from(&names);
                    names.into_iter().enumerate().map(|(id, name)| (id.to_string(), name)).collect()
                }
                None => known.labels.clone(),
            };
            Targets::new(target, &given, layout.wording)
        });
        // The numbers of another file may mean other classes.
        let differs = |own: &Vec<String>| {
            known.labels.is_empty() && own.iter().enumerate().any(|(id, name)| given.get(&id.to_string()) != Some(name))
                || known.of.is_some()
                    && own
                        .iter()
                        .enumerate()
                        .any(|(id, name)| given.get(&id.to_string()).is_some_and(|known| known != name))
        };
        if known.classes.is_none() && own.as_ref().is_some_and(differs) {
            let names = |names: &mut dyn Iterator<Item = &String>| {
                names.map(|name| format!("`{}`", escaped(name))).collect::<Vec<_>>().join(", ")
            };
            let what = format!(
                "its class labels are {}, but those of the training rows read before it are {}: the same number would \
                 mean two labels; convert the labels to names",
                names(&mut own.iter().flatten()),
                names(&mut given.values())
            );
            return Err(DataError::Layout { path: origin.name(), what });
        }
        let known = Known { labels: &given, ..known };
        files.push((origin.name(), found.lines_before));
        match read_file(&mut file, &mut found, (targets, &mut divided), (layout, columns, known)) {
            // One of several files may have no row.
            Err(error @ DataError::NoRows { read: 0, .. }) if origins.len() > 1 => {
                empty.get_or_insert(error);
            }
            result => result?,
        }
        digests.push(file.input().digest());
        read_as = file.read_as().of(&columns.text, columns.target.as_ref(), &layout.missing);
        notes.extend(file.notes().into_iter().filter(|note| !notes.contains(note)).collect::<Vec<_>>());
    }
    let name = |origin: &Origin| origin.name().file_name().unwrap_or_default().to_string_lossy().into_owned();
    if let [first, .., last] = origins {
        notes.insert(0, format!("{} files, {} to {}", origins.len(), name(first), name(last)));
    }
    if let Some(error) = empty.filter(|_| found.rows.len() == 0) {
        return Err(error);
    }
    let path = origins.first().map(Origin::name).unwrap_or_default();
    let Reading { rows, cleaning, mut warnings, .. } = found;
    let Collected { mut rows, blank, misread, .. } = rows.finish();
    let (assigned, groups) = divided;
    let groups = groups.finish();
    let [dev, test] = assigned.finish(rows.len()).map_err(|what| DataError::Layout { path: path.clone(), what })?;
    if blank.rows > 0 {
        let message = format!(
            "{} with {} consisting only of invisible characters ({}): the model sees nothing in them; remove them from \
             the file",
            counted(blank.rows, "row"),
            by_number(blank.rows, "a text", "texts"),
            lines_of(&blank.lines, blank.rows)
        );
        warnings.push(Warning::new(Kind::DataFile, message).at(blank.lines));
    }
    for (read_as, Noticed { rows, lines }) in misread {
        let message = format!(
            "{} ({}) {} like UTF-8 misread as {} by a wrong conversion: go back to the file before that conversion, \
             and convert only what is not UTF-8",
            counted(rows, "row"),
            lines_of(&lines, rows),
            by_number(rows, "looks", "look"),
            read_as.name()
        );
        warnings.push(Warning::new(Kind::DataFile, message).at(lines));
    }
    let targets = targets.unwrap_or_else(|| Targets::new(target, &given, layout.wording));
    targets.check(&path)?;
    let labels = targets.finish(&mut rows);
    if given.is_empty() {
        given = labels.iter().map(|name| (name.clone(), name.clone())).collect();
    }
    let digest = match &digests[..] {
        [only] => only.clone(),
        several => hex(&Sha256::digest(several.join("\n"))),
    };
    // They decide what is learnt, so that they are a part of the digest, by which runs are known.
    let digest = match named.is_empty() {
        true => digest,
        false => hex(&Sha256::digest(format!("{digest}\nclasses {named:?}\n"))),
    };
    let sources = origins.iter().zip(digests).map(|(origin, sha256)| ReadFile { name: name(origin), sha256 }).collect();
    let data = Dataset {
        rows,
        labels,
        digest,
        cleaning,
        notes,
        read_as,
        warnings,
        dev,
        test,
        groups,
        sources,
        ..Dataset::default()
    };
    Ok(Labelled { data, values: given, files })
}

/// Whether a text is white space alone.
fn is_empty(text: &str) -> bool {
    text.chars().all(char::is_whitespace)
}

/// Reads the rows of one file.
fn read_file(
    file: &mut Rows,
    found: &mut Reading<'_>,
    (targets, (assigned, groups)): (&mut Targets, &mut (Assigned<'_>, Groups<'_>)),
    (layout, columns, known): (&Layout, &Columns, Known<'_>),
) -> Result<(), DataError> {
    let (path, has_pairs) = (file.path().to_owned(), columns.text.pair.is_some());
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let mut missing = MissingValues::new(&layout.missing);
    let mut cleaning = Cleaning::default();
    let mut problems = Problems::default();
    // The column in which rows have texts instead of numbers, and how many.
    let mut texts: Option<TextsOf> = None;
    let mut cells = Cells::default();
    let (before, mut last) = (found.lines_before, 0);
    let rows_before = found.rows.len();
    // Of class labels, -1 is the value of a row that has none, as in public test sets.
    let is_class = (known.classes.is_some() || file.classes().is_some()) && !known.labels.contains_key("-1");
    loop {
        let line = match file.next(&mut cells) {
            Ok(Some(line)) => line,
            Ok(None) => break,
            Err(Fault::File(error)) => return Err(error),
            Err(Fault::Row(problem)) => {
                problems.push(problem);
                continue;
            }
        };
        last = line;
        let counted_line = before + line;
        if cleaning.read % Meter::EVERY == 0 {
            found.meter.tell(Progress::Reading { file: &name, rows: cleaning.read, share: file.share() });
        }
        cleaning.read += 1;
        missing.clear(&mut cells, counted_line);
        if is_class && cells.label == "-1" {
            cells.label.clear();
            cells.is_unknown = true;
        }
        if is_empty(&cells.text) {
            cleaning.missing_text += 1;
            note(&mut cleaning.missing_text_lines, counted_line);
        } else if has_pairs && is_empty(&cells.text_pair) {
            cleaning.missing_pair += 1;
            note(&mut cleaning.missing_pair_lines, counted_line);
        } else if targets.is_missing(&cells) {
            cleaning.missing_label += 1;
            note(&mut cleaning.missing_label_lines, counted_line);
        } else if let Err(what) = groups.check(&cells.group) {
            problems.push(Problem::new(line, what));
        } else if let Err(what) = assigned.add(&cells.split, found.rows.len()) {
            problems.push(Problem::new(line, what));
        } else {
            match targets.of(&cells, known) {
                Ok(target) => {
                    let text = RowText { text: &cells.text, text_pair: has_pairs.then_some(&cells.text_pair) };
                    found.rows.push(counted_line, text, target);
                    groups.add(&cells.group);
                }
                Err(what) => {
                    targets.count_texts(&cells, &mut texts);
                    problems.push(Problem::new(line, what));
                }
            }
        }
        if targets.len() > MAX_LABELS {
            let (column, key) = (columns.targets().concat(), layout.wording.name("label_column"));
            return Err(DataError::TooManyLabels { path, column, key, most: MAX_LABELS });
        }
        if u32::try_from(found.rows.len()).is_err() {
            return Err(DataError::TooLarge { what: "rows" });
        }
    }
    file.check_columns()?;
    let texts = texts.filter(|_| found.rows.len() == rows_before);
    problems.about_column(&path, texts, layout.wording).map_err(|error| file.explained(error))?;
    if found.rows.len() == rows_before {
        let Cleaning { read, missing_text, missing_pair, missing_label, .. } = cleaning;
        let missing_pair = has_pairs.then_some(missing_pair);
        let columns = columns.shown();
        return Err(file.explained(DataError::NoRows {
            path,
            read,
            missing_text,
            missing_pair,
            missing_label,
            columns,
        }));
    }
    found.warnings.extend(guessed(file, layout.wording));
    found.warnings.extend(quoted(file, layout.wording));
    found.warnings.extend(reopened(file));
    found.warnings.extend(missing.warning(layout.wording));
    found.warnings.extend(swallowed(file, Some(&|value| targets.knows(value)), layout.wording));
    found.warnings.extend(mostly_dropped(file, &cleaning, columns, layout.wording));
    found.cleaning.read += cleaning.read;
    found.cleaning.missing_text += cleaning.missing_text;
    found.cleaning.missing_pair += cleaning.missing_pair;
    found.cleaning.missing_label += cleaning.missing_label;
    cleaning.missing_text_lines.into_iter().for_each(|line| note(&mut found.cleaning.missing_text_lines, line));
    cleaning.missing_pair_lines.into_iter().for_each(|line| note(&mut found.cleaning.missing_pair_lines, line));
    cleaning.missing_label_lines.into_iter().for_each(|line| note(&mut found.cleaning.missing_label_lines, line));
    found.lines_before += last;
    Ok(())
}

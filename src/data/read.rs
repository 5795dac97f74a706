//! Reading and cleaning a data file.

use std::{
    collections::BTreeMap,
    mem,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::{
    Cleaning, DataConfig, DataError, Dataset, Problem, Row, SplitFile,
    assigned::Assigned,
    cells::{Cells, Columns, Fault},
    error::{Problems, shorten},
    invisible::{escaped, is_blank},
    label_checks,
    labels::Labels,
    layout::{Layout, Wording},
    mojibake::{Mojibake, ReadAs},
    repeats::Repeats,
    rows::Rows,
    source::Origin,
    text_columns::{RowText, TextColumns},
};
use crate::{
    event::Split,
    format::{by_number, counted},
    plan::SplitValues,
    random::{Purpose, Stream},
    task::Target,
    warning::{Kind, Warning, lines, lines_of},
};

/// Labels that a data set may have. A classifier of more is another task, and a column with more is no column of labels.
const MAX_LABELS: usize = 10_000;

/// The files that the rows of a run are read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFiles {
    /// That of `data.source`.
    pub source: PathBuf,
    /// That of `data.dev`, if it names a file.
    pub dev: Option<PathBuf>,
    /// That of `data.test`, if it names a file.
    pub test: Option<PathBuf>,
}

/// Reads a single labelled data file: see [`read_files`].
///
/// # Errors
/// As [`read_files`].
pub fn read(path: &Path, config: &DataConfig) -> Result<Dataset, DataError> {
    read_files(&DataFiles { source: path.to_owned(), dev: None, test: None }, config)
}

/// Reads the labelled data files of a run and cleans them.
///
/// A row without a text or without a label is dropped, as pandas' `dropna` does. Missing is what is empty or contains only white space (in
/// JSON also `null` and an absent field); words such as `NA` and `null`, which pandas takes for missing too, are texts. Texts are kept as
/// they are; label values and column names are trimmed.
///
/// Labels are those of `data.source`. The rows of `data.dev` and `data.test` follow those of `data.source`. If `config.limit` is set, that
/// many of the rows that no file and no column assigns to the dev or test split are drawn at random with `config.seed`, and kept in file
/// order.
///
/// # Errors
/// A file cannot be read, is not UTF-8, lacks a column, or has rows that cannot be used (all of them are named, up to a number); no
/// row or a single class is left; a label occurs only in the file of the dev or test split.
pub fn read_files(files: &DataFiles, config: &DataConfig) -> Result<Dataset, DataError> {
    let layout = Layout::from(config);
    let columns = |split: Option<&String>| Columns {
        text: config.into(),
        label: Some(config.label_column.clone()),
        split: split.cloned(),
        text_in_each: false,
    };
    let origin = Origin::File(files.source.clone());
    let (known, splits) = (Known { labels: &config.labels, of: None }, config.splits.as_ref());
    let mut data = labelled(&origin, layout, columns(config.split_column.as_ref()), known, splits)?;
    data.warnings.extend(label_checks::check(
        &data.labels,
        &data.rows,
        &config.label_column,
        !config.labels.is_empty(),
    ));
    if let Some(limit) = config.limit {
        sample(&mut data, limit, config.seed);
    }
    if let Some(first) = data.rows.first()
        && data.rows.iter().all(|row| row.target == first.target)
    {
        let label = first.target.shown(&data.labels).to_owned();
        return Err(DataError::OneClass { path: files.source.clone(), label });
    }
    let repeats = Repeats::of(&data.rows);
    (data.cleaning.duplicates, data.cleaning.contradicting) = (repeats.duplicates, repeats.contradicting);
    data.warnings.extend(repeats.warning(data.rows.len() as u64, Wording::Keys));
    let own = [(Split::Dev, &files.dev), (Split::Test, &files.test)];
    for (split, path) in own.into_iter().filter_map(|(split, path)| Some((split, path.as_ref()?))) {
        add_file(&mut data, (split, path), layout, columns(None), config)?;
    }
    Ok(data)
}

/// Adds the rows of a file that is the dev or the test split.
fn add_file(
    data: &mut Dataset,
    (split, path): (Split, &Path),
    layout: Layout,
    columns: Columns,
    config: &DataConfig,
) -> Result<(), DataError> {
    let mut trained = vec![false; data.labels.len()];
    data.rows.iter().for_each(|row| trained[row.label() as usize] = true);
    // Without `data.labels`, the values in `data.source` are the names.
    let given = match config.labels.is_empty() {
        true => data.labels.iter().map(|name| (name.clone(), name.clone())).collect(),
        false => config.labels.clone(),
    };
    let source = config.source.shown();
    let known = Known { labels: &given, of: config.labels.is_empty().then_some(source.as_str()) };
    let mut file = labelled(&Origin::File(path.to_owned()), layout, columns, known, None).map_err(unlabelled)?;
    let mut problems = Problems::default();
    for row in file.rows.iter().filter(|row| !trained[row.label() as usize]) {
        let label = escaped(&data.labels[row.label() as usize]);
        problems.push(Problem::new(row.line, format!("label `{label}` is in no row of {source}")));
    }
    problems.into_result(path)?;
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let first = u32::try_from(data.rows.len()).map_err(|_| DataError::TooLarge { what: "rows" })?;
    let end = u32::try_from(data.rows.len() + file.rows.len()).map_err(|_| DataError::TooLarge { what: "rows" })?;
    for warning in &mut file.warnings {
        warning.message = format!("{name}: {}", warning.message);
    }
    data.rows.append(&mut file.rows);
    data.warnings.append(&mut file.warnings);
    data.digest = combined(&data.digest, split, &file.digest);
    data.files.push(SplitFile { split, name, rows: first..end, cleaning: file.cleaning });
    match split {
        Split::Test => data.test = (first..end).collect(),
        Split::Dev | Split::Train => data.dev = (first..end).collect(),
    }
    Ok(())
}

/// The error for a file without any label, as test files of competitions are.
fn unlabelled(error: DataError) -> DataError {
    match error {
        DataError::NoRows { path, missing_label, .. } if missing_label > 0 => {
            let what = format!(
                "its {} without a label cannot be evaluated; take the file out of the spec, and classify its texts with \
                 `taper predict RUN --file FILE`",
                counted(missing_label, "row")
            );
            DataError::Layout { path, what }
        }
        error => error,
    }
}

/// The digest of the files so far and that of another one.
fn combined(digest: &str, split: Split, other: &str) -> String {
    // Part of run keys: these names never change.
    let name = if split == Split::Test { "test" } else { "dev" };
    let text = format!("{digest}\n{name} {other}\n");
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads labelled rows that a trained model is measured on: as [`read`], of any origin, and a single class will do. `labels` maps
/// the values of the label column to names.
///
/// # Errors
/// As [`read`].
pub fn read_labelled(
    origin: &Origin,
    layout: Layout,
    text: impl Into<TextColumns>,
    label_column: &str,
    labels: &BTreeMap<String, String>,
) -> Result<Dataset, DataError> {
    let columns = Columns { text: text.into(), label: Some(label_column.to_owned()), split: None, text_in_each: false };
    labelled(origin, layout, columns, Known { labels, of: None }, None)
}

/// The labels that a file may have.
#[derive(Clone, Copy)]
struct Known<'a> {
    /// Value → name; empty: any value, which is its own name.
    labels: &'a BTreeMap<String, String>,
    /// The file that they are the labels of.
    of: Option<&'a str>,
}

fn labelled(
    origin: &Origin,
    layout: Layout,
    columns: Columns,
    known: Known<'_>,
    splits: Option<&SplitValues>,
) -> Result<Dataset, DataError> {
    let path = origin.name();
    let (label_column, split_column) = (columns.label.clone().unwrap_or_default(), columns.split.clone());
    let has_pairs = columns.text.pair.is_some();
    let mut file = Rows::open(origin, layout, columns)?;
    let mut labels = Labels::new(known.labels);
    let mut assigned = Assigned::new(split_column.as_deref(), splits);
    let mut rows = Vec::new();
    let mut cleaning = Cleaning::default();
    let mut problems = Problems::default();
    let mut blank = Noticed::default();
    let (mojibake, mut misread) = (Mojibake::default(), BTreeMap::<ReadAs, Noticed>::new());
    let mut cells = Cells::default();
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
        cleaning.read += 1;
        if cells.text.trim().is_empty() {
            cleaning.missing_text += 1;
            note(&mut cleaning.missing_text_lines, line);
        } else if has_pairs && cells.text_pair.trim().is_empty() {
            cleaning.missing_pair += 1;
            note(&mut cleaning.missing_pair_lines, line);
        } else if cells.label.is_empty() {
            cleaning.missing_label += 1;
            note(&mut cleaning.missing_label_lines, line);
        } else if let Err(what) = assigned.add(&cells.split, rows.len()) {
            problems.push(Problem::new(line, what));
        } else if let Some(label) = labels.id(&cells.label) {
            let text = mem::take(&mut cells.text);
            let row = Row { line, text, text_pair: second(&mut cells, has_pairs), target: Target::Label(label) };
            if RowText::from(&row).texts().any(is_blank) {
                blank.add(line);
            }
            if let Some(read_as) = RowText::from(&row).texts().find_map(|text| mojibake.read_as(text)) {
                misread.entry(read_as).or_default().add(line);
            }
            rows.push(row);
        } else {
            problems.push(Problem::new(line, unknown_label(&cells.label, known, layout.wording)));
        }
        if labels.len() > MAX_LABELS {
            let (column, key) = (label_column, layout.wording.name("label_column"));
            return Err(DataError::TooManyLabels { path, column, key, most: MAX_LABELS });
        }
        if u32::try_from(rows.len()).is_err() {
            return Err(DataError::TooLarge { what: "rows" });
        }
    }
    file.check_columns()?;
    problems.into_result(&path).map_err(|error| file.explained(error))?;
    if rows.is_empty() {
        let Cleaning { read, missing_text, missing_pair, missing_label, .. } = cleaning;
        let missing_pair = has_pairs.then_some(missing_pair);
        return Err(file.explained(DataError::NoRows { path, read, missing_text, missing_pair, missing_label }));
    }
    let [dev, test] = assigned.finish(rows.len()).map_err(|what| DataError::Layout { path: path.clone(), what })?;

    let mut warnings = swallowed(&file, Some(&|value| labels.knows(value)), layout.wording);
    if blank.rows > 0 {
        let message = format!(
            "{} with {} of invisible characters alone ({}): the model sees nothing of them; leave them out of the file",
            counted(blank.rows, "row"),
            by_number(blank.rows, "a text", "texts"),
            lines_of(&blank.lines, blank.rows)
        );
        warnings.push(Warning::new(Kind::DataFile, message).at(blank.lines));
    }
    for (read_as, Noticed { rows, lines }) in misread {
        let message = format!(
            "{} ({}) {} like UTF-8 that was read as {} and written again, as a wrong conversion does: go back to the file before it, and \
             convert only what is not UTF-8",
            counted(rows, "row"),
            lines_of(&lines, rows),
            by_number(rows, "looks", "look"),
            read_as.name()
        );
        warnings.push(Warning::new(Kind::DataFile, message).at(lines));
    }
    let labels = labels.finish(&mut rows);
    let digest = file.input().digest();
    Ok(Dataset { rows, labels, digest, cleaning, warnings, dev, test, files: Vec::new() })
}

/// The second text of a row, if the model reads two.
fn second(cells: &mut Cells, has_pairs: bool) -> Option<String> {
    has_pairs.then(|| mem::take(&mut cells.text_pair))
}

/// Rows that something was noticed of.
#[derive(Default)]
struct Noticed {
    rows: u64,
    /// Lines of the first.
    lines: Vec<u64>,
}

impl Noticed {
    fn add(&mut self, line: u64) {
        self.rows += 1;
        note(&mut self.lines, line);
    }
}

fn note(lines: &mut Vec<u64>, line: u64) {
    if lines.len() < Warning::MAX_LINES {
        lines.push(line);
    }
}

/// Says which rows a quote has probably swallowed.
fn swallowed(file: &Rows, is_label: Option<&dyn Fn(&str) -> bool>, wording: Wording) -> Vec<Warning> {
    let found = file.swallowed().map(|swallowed| swallowed.found(is_label)).unwrap_or_default();
    let at: Vec<u64> = found.iter().map(|(line, _)| *line).collect();
    let breaks: u64 = found.iter().map(|(_, breaks)| breaks).sum();
    let fields = match found.len() {
        0 => return Vec::new(),
        1 => format!("the quoted field on {} contains", lines(&at)),
        n => format!("{n} quoted fields ({}) contain", lines(&at)),
    };
    let message = format!(
        "{fields} {} and what look like separate rows: a field that begins with a quotation mark includes everything up to the next \
         one; if quotes are ordinary characters in this file, set {}",
        counted(breaks, "line break"),
        wording.set("quoting", "none")
    );
    vec![Warning::new(Kind::DataFile, message).at(at)]
}

/// The texts of a file, one by one with their lines, in constant memory. Labels need not be there.
///
/// Every row gives a text, so that results can be put beside their rows: a missing one is empty. A row that cannot be
/// used gives an error that names it, and the next row follows; a JSON object without the field is such a row.
///
/// # Errors
/// Where the file cannot be opened or its header has no such column. A JSON file whose first object has no such field says so
/// as the first item.
pub fn stream_texts(origin: &Origin, layout: Layout, text: impl Into<TextColumns>) -> Result<Texts, DataError> {
    let columns = Columns { text: text.into(), label: None, split: None, text_in_each: true };
    let has_pairs = columns.text.pair.is_some();
    let file = Rows::open(origin, layout, columns)?;
    Ok(Texts { has_pairs, ..Texts::new(origin.name(), layout.wording, file) })
}

/// The lines of a file, each a text: see [`stream_texts`].
///
/// # Errors
/// Where the file cannot be opened.
pub fn stream_lines(origin: &Origin) -> Result<Texts, DataError> {
    Ok(Texts::new(origin.name(), Wording::Options, Rows::plain(origin)?))
}

/// A text to be classified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// Line of the file on which its row begins, from 1.
    pub line: u64,
    /// The text.
    pub text: String,
    /// The second text, if the model reads two.
    pub text_pair: Option<String>,
    /// Whether nothing of it can be seen (of a pair: of one of both): there is nothing to classify.
    pub is_blank: bool,
}

impl<'a> From<&'a Text> for RowText<'a> {
    fn from(row: &'a Text) -> Self {
        Self { text: &row.text, text_pair: row.text_pair.as_deref() }
    }
}

/// The texts of a file, with the lines on which their rows begin: see [`stream_texts`].
pub struct Texts {
    path: PathBuf,
    wording: Wording,
    file: Rows,
    cells: Cells,
    /// Whether each row has a second text.
    has_pairs: bool,
    /// Rows without a text so far.
    blank: Noticed,
    /// Nothing can follow.
    broken: bool,
}

impl Texts {
    fn new(path: PathBuf, wording: Wording, file: Rows) -> Self {
        let (cells, blank) = (Cells::default(), Noticed::default());
        Self { path, wording, file, cells, has_pairs: false, blank, broken: false }
    }

    /// Whether each row has a second text.
    pub fn has_pairs(&self) -> bool {
        self.has_pairs
    }

    /// Bytes of the file read so far, a little ahead of the last text.
    pub fn bytes_read(&self) -> u64 {
        self.file.input().bytes()
    }

    /// Names of the file's columns, as far as it has been read: those of its header, or the fields of its first object.
    pub fn columns(&self) -> &[String] {
        self.file.columns()
    }

    /// What is probably a mistake in what has been read.
    pub fn warnings(&self) -> Vec<Warning> {
        let mut found = swallowed(&self.file, None, self.wording);
        let Noticed { rows, lines } = &self.blank;
        if *rows > 0 {
            let message = format!(
                "{} without a text ({}): {} no label in the results",
                counted(*rows, "row"),
                lines_of(lines, *rows),
                by_number(*rows, "it has", "they have")
            );
            found.push(Warning::new(Kind::DataFile, message).at(lines.iter().copied()));
        }
        found
    }
}

impl Iterator for Texts {
    type Item = Result<Text, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.broken {
            return None;
        }
        let result = match self.file.next(&mut self.cells) {
            Ok(None) => return None,
            Ok(Some(line)) => {
                let text = mem::take(&mut self.cells.text);
                let text_pair = second(&mut self.cells, self.has_pairs);
                let mut text = Text { line, text, text_pair, is_blank: false };
                if RowText::from(&text).texts().any(is_blank) {
                    text.is_blank = true;
                    self.blank.add(line);
                }
                Ok(text)
            }
            Err(Fault::File(error)) => Err(error),
            Err(Fault::Row(problem)) => {
                let error = DataError::Rows { path: self.path.clone(), problems: vec![problem], more: 0 };
                return Some(Err(self.file.explained(error)));
            }
        };
        self.broken = result.is_err();
        Some(result)
    }
}

fn unknown_label(value: &str, known: Known<'_>, wording: Wording) -> String {
    const SHOWN: usize = 20;
    let labels = known.labels;
    let mut names: Vec<String> = labels.keys().take(SHOWN).map(|key| format!("`{}`", escaped(key))).collect();
    if labels.len() > SHOWN {
        names.push(format!("and {} more", labels.len() - SHOWN));
    }
    let value = escaped(&shorten(value));
    let names = names.join(", ");
    match (known.of, wording) {
        (Some(source), _) => format!("label `{value}` is in no row of {source}, which has {names}"),
        (None, Wording::Keys) => format!("label `{value}` is not in data.labels, which has {names}"),
        (None, Wording::Options | Wording::Run { .. }) => {
            format!("label `{value}` is not one that the model knows: {names}")
        }
    }
}

/// Keeps `limit` of the rows that are not assigned to a split, drawn at random, in their order.
fn sample(data: &mut Dataset, limit: usize, seed: u64) {
    let free = data.free_rows();
    if limit >= free.len() {
        return;
    }
    let mut keep = vec![true; data.rows.len()];
    free.iter().for_each(|&row| keep[row as usize] = false);
    // A stream beside that of the split, which would otherwise draw the same rows again.
    for row in Stream::new(seed, Purpose::Split, 1, 0).permutation(free.len()).into_iter().take(limit) {
        keep[free[row as usize] as usize] = true;
    }
    // The new id of each row that remains.
    let new_id = |next: &mut u32, kept: &bool| Some(mem::replace(next, *next + u32::from(*kept)));
    let ids: Vec<u32> = keep.iter().scan(0, new_id).collect();
    for row in data.dev.iter_mut().chain(&mut data.test) {
        *row = ids[*row as usize];
    }
    let mut keep = keep.into_iter();
    data.rows.retain(|_| keep.next().unwrap_or(false));
}

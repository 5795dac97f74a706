//! Which files of a dataset's repository or folder are which split, by the rules of the Hugging Face Hub.
//!
//! The rules are those of the `datasets` library (its `data_files.py`, 5.0): the configurations that the YAML header of README.md lists; else
//! `data/SPLIT-00000-of-00002.…`; else words such as `train` in the names of folders; else in the names of files; else all files are
//! `train`.

use std::collections::BTreeMap;

use globset::{GlobBuilder, GlobMatcher};
use serde::Deserialize;

use super::{AssetError, files::is_data};
use crate::format::{and, front_matter};

/// The file with the card of a dataset.
pub(super) const CARD: &str = "README.md";

/// Words in file names, by the name of their split.
const WORDS: [(&str, &[&str]); 3] = [
    ("train", &["train", "training"]),
    ("validation", &["validation", "valid", "dev", "val"]),
    ("test", &["test", "testing", "eval", "evaluation"]),
];

/// The characters that may surround these words.
const AROUND: &str = "[-._ 0-9]";

/// The splits of a dataset, each with its files in the order of their names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NamedSplits {
    /// The configuration, if the dataset has any.
    pub config: Option<String>,
    pub splits: Vec<(String, Vec<String>)>,
    /// Names of the values of each column of class labels, in the order of the values 0, 1, ….
    pub classes: BTreeMap<String, Vec<String>>,
}

impl NamedSplits {
    /// The splits of the dataset with these files, whose README.md is `card`. `config` chooses a configuration.
    ///
    /// # Errors
    /// [`AssetError::Splits`] where it has several configurations and none of them is chosen, or where no file is of a split.
    pub fn of(source: &str, files: &[String], card: Option<&str>, config: Option<&str>) -> Result<Self, AssetError> {
        let refuse = |what: String| AssetError::Splits { source_: source.into(), what };
        let mut data: Vec<&str> = files.iter().map(String::as_str).filter(|name| counts(name)).collect();
        data.sort_unstable();
        let card = card.map(Card::read).transpose().map_err(refuse)?.unwrap_or_default();
        let listed: Vec<&CardConfig> =
            card.configs.iter().filter(|config| config.data_files.is_some() || config.data_dir.is_some()).collect();
        let (chosen, splits) = match (&listed[..], config) {
            ([], _) => by_names(&data, config).map_err(refuse)?,
            (configs, wanted) => {
                let names: Vec<String> = configs.iter().map(|config| config.config_name.clone()).collect();
                let default = || {
                    configs
                        .iter()
                        .find(|config| config.default)
                        .or(configs.iter().find(|config| config.config_name == "default"))
                };
                let found = match (wanted, configs) {
                    (Some(wanted), _) => configs.iter().find(|config| config.config_name == wanted),
                    (None, [only]) => Some(only),
                    (None, _) => default(),
                };
                let Some(config) = found else { return Err(refuse(choose_config(wanted, &names))) };
                (Some(config.config_name.clone()), config.splits(&data).map_err(refuse)?)
            }
        };
        let splits: Vec<(String, Vec<String>)> = splits.into_iter().filter(|(_, files)| !files.is_empty()).collect();
        if splits.is_empty() {
            return Err(AssetError::NoDataFile { source_: source.into() });
        }
        for (split, files) in &splits {
            check_shards(split, files).map_err(refuse)?;
        }
        Ok(Self { classes: card.classes(chosen.as_deref()), config: chosen, splits })
    }

    /// The files of the split with this name. `dev`, `valid` and `validation` are one name.
    ///
    /// # Errors
    /// A message with the splits that there are.
    pub fn files(&self, name: &str) -> Result<&[String], String> {
        let same = |split: &str| split == name || word_of(split).is_some_and(|word| Some(word) == word_of(name));
        let found =
            self.splits.iter().find(|(split, _)| split == name).or(self.splits.iter().find(|(split, _)| same(split)));
        found.map(|(_, files)| files.as_slice()).ok_or_else(|| {
            let names: Vec<String> = self.splits.iter().map(|(split, _)| format!("`{split}`")).collect();
            format!("it has no split `{name}`, which data.splits names; its splits are {}", and(&names))
        })
    }
}

/// Refuses a file that is in two of the splits that were asked for.
pub(super) fn check_apart(names: &[String], splits: &[Vec<String>]) -> Result<(), String> {
    for (at, files) in splits.iter().enumerate() {
        for (other, others) in splits.iter().enumerate().take(at) {
            if let Some(both) = files.iter().find(|file| others.contains(file)) {
                return Err(format!(
                    "`{both}` would belong to both `{}` and `{}`, which data.splits names; name only one of them",
                    names[other], names[at]
                ));
            }
        }
    }
    Ok(())
}

/// The split that a word names.
fn word_of(word: &str) -> Option<&'static str> {
    WORDS.iter().find(|(_, words)| words.contains(&word)).map(|(split, _)| *split)
}

/// Whether a file may be one of a split.
fn counts(name: &str) -> bool {
    let mut parts = name.split('/').rev();
    let file = parts.next().unwrap_or_default();
    is_data(name)
        && !file.starts_with('.')
        && !parts.any(|folder| folder.starts_with(['.']) || folder.starts_with("__"))
}

type Splits = Vec<(String, Vec<String>)>;

/// The splits by the names of the files, and the folder of the configuration.
fn by_names(data: &[&str], config: Option<&str>) -> Result<(Option<String>, Splits), String> {
    let folders = config_folders(data);
    if let Some(wanted) = config {
        let splits = within(data, wanted)?;
        if splits.is_empty() {
            return Err(choose_config(Some(wanted), &folders));
        }
        return Ok((Some(wanted.into()), splits));
    }
    if folders.len() > 1 {
        return Err(choose_config(None, &folders));
    }
    Ok((None, patterns(data)?))
}

/// The splits by the names of the files in a folder; none if it has no file.
fn within(data: &[&str], folder: &str) -> Result<Splits, String> {
    let prefix = format!("{folder}/");
    let names: Vec<&str> = data.iter().filter_map(|name| name.strip_prefix(&prefix)).collect();
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let full = |files: Vec<String>| files.into_iter().map(|name| format!("{prefix}{name}")).collect();
    Ok(patterns(&names)?.into_iter().map(|(split, files)| (split, full(files))).collect())
}

/// Folders that are configurations: two or more beside each other that each have files of a split, in a dataset with no file outside them.
fn config_folders(data: &[&str]) -> Vec<String> {
    let mut folders: Vec<String> = Vec::new();
    for name in data {
        let Some((folder, _)) = name.split_once('/') else { return Vec::new() };
        if !folders.iter().any(|known| known == folder) {
            folders.push(folder.to_owned());
        }
    }
    let is_split = |folder: &String| matching(&[format!("{folder}/x")], false).next().is_some();
    let has_split = |folder: &String| {
        let prefix = format!("{folder}/");
        let within: Vec<String> = data.iter().filter_map(|name| name.strip_prefix(&prefix)).map(String::from).collect();
        matching(&within, false).next().is_some() || matching(&within, true).next().is_some()
    };
    if folders.len() < 2 || folders.iter().any(is_split) || !folders.iter().all(has_split) {
        return Vec::new();
    }
    folders
}

fn choose_config(wanted: Option<&str>, names: &[String]) -> String {
    let list: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match (wanted, &list[..]) {
        (Some(wanted), []) => {
            format!("it has no configurations, but data.config names `{wanted}`: remove data.config")
        }
        (Some(wanted), _) => {
            format!(
                "it has no configuration `{wanted}`, which data.config names; its configurations are {}",
                and(&list)
            )
        }
        (None, _) => format!("it has several configurations; choose one with data.config: {}", names.join(", ")),
    }
}

/// The splits by the patterns of the `datasets` library, in its order.
fn patterns(data: &[&str]) -> Result<Splits, String> {
    let names: Vec<String> = data.iter().map(|name| (*name).to_owned()).collect();
    let mut sharded: Splits = Vec::new();
    for name in data {
        if let Some(split) = name.strip_prefix("data/").and_then(shard_of) {
            match sharded.iter_mut().find(|(known, _)| known == split) {
                Some((_, files)) => files.push((*name).to_owned()),
                None => sharded.push((split.to_owned(), vec![(*name).to_owned()])),
            }
        }
    }
    if !sharded.is_empty() {
        return Ok(sharded);
    }
    for in_file in [false, true] {
        let found: Splits = matching(&names, in_file).map(|(split, files)| (split.to_owned(), files)).collect();
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Ok(vec![("train".into(), names)])
}

/// The split of `SPLIT-00000-of-00002.…`.
fn shard_of(name: &str) -> Option<&str> {
    let (split, rest) = name.split_once('-')?;
    let digits = |part: &str| part.len() == 5 && part.bytes().all(|byte| byte.is_ascii_digit());
    let (index, rest) = rest.split_once("-of-")?;
    let (count, _) = rest.split_at_checked(5)?;
    let is_name = !split.is_empty() && split.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.".contains(&byte));
    (digits(index) && digits(count) && is_name && !name.contains('/')).then_some(split)
}

/// The files with a word of each split in the name of a folder, or of the file.
fn matching(names: &[String], in_file: bool) -> impl Iterator<Item = (&'static str, Vec<String>)> {
    WORDS.into_iter().filter_map(move |(split, words)| {
        let globs: Vec<GlobMatcher> = words.iter().flat_map(|word| globs_of(word, in_file)).collect();
        let files: Vec<String> =
            names.iter().filter(|name| globs.iter().any(|glob| glob.is_match(name))).cloned().collect();
        (!files.is_empty()).then_some((split, files))
    })
}

fn globs_of(word: &str, in_file: bool) -> Vec<GlobMatcher> {
    let patterns = match in_file {
        true => vec![format!("**/{word}{AROUND}*"), format!("**/*{AROUND}{word}{AROUND}*")],
        false => vec![
            format!("**/{word}/**"),
            format!("**/{word}{AROUND}*/**"),
            format!("**/*{AROUND}{word}/**"),
            format!("**/*{AROUND}{word}{AROUND}*/**"),
        ],
    };
    patterns.iter().filter_map(|pattern| glob(pattern)).collect()
}

/// A pattern in which `*` stops at `/`.
fn glob(pattern: &str) -> Option<GlobMatcher> {
    GlobBuilder::new(pattern).literal_separator(true).build().ok().map(|glob| glob.compile_matcher())
}

/// Refuses shards of which some are missing, and files of different formats.
fn check_shards(split: &str, files: &[String]) -> Result<(), String> {
    let base = |name: &str| name.rsplit('/').next().unwrap_or_default().to_owned();
    for name in files {
        let Some((before, rest)) = name.rsplit_once("-of-") else { continue };
        let number =
            |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<usize>().ok())?;
        let Some(count) = rest.get(..5).and_then(number) else { continue };
        let Some((stem, index)) = before.len().checked_sub(5).and_then(|start| before.split_at_checked(start)) else {
            continue;
        };
        if number(index).is_none() || !stem.ends_with('-') {
            continue;
        }
        let siblings =
            files.iter().filter(|file| file.strip_prefix(stem).is_some_and(|end| end.contains(&rest[..5]))).count();
        if siblings < count {
            return Err(format!(
                "split `{split}` has only {siblings} of {count} files (such as `{}`): download all of them",
                base(name)
            ));
        }
    }
    let ending = |name: &str| {
        let name = base(name).to_lowercase();
        name.split('.').skip(1).last().map(String::from).unwrap_or_default()
    };
    match files.iter().find(|name| ending(name) != ending(&files[0])) {
        Some(other) => Err(format!(
            "split `{split}` has files of several formats (`{}`, `{}`); choose one with data.file",
            base(&files[0]),
            base(other)
        )),
        None => Ok(()),
    }
}

/// The YAML header of a README.md, as far as it is about files and labels.
#[derive(Debug, Default, Deserialize)]
struct Card {
    #[serde(default)]
    configs: Vec<CardConfig>,
    #[serde(default)]
    dataset_info: Option<OneOrMany<Info>>,
}

#[derive(Debug, Deserialize)]
struct CardConfig {
    #[serde(default = "default_name")]
    config_name: String,
    #[serde(default)]
    data_files: Option<DataFiles>,
    #[serde(default)]
    data_dir: Option<String>,
    #[serde(default)]
    default: bool,
}

fn default_name() -> String {
    "default".into()
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    fn all(&self) -> &[T] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum DataFiles {
    Pattern(String),
    List(Vec<Entry>),
    BySplit(BTreeMap<String, OneOrMany<String>>),
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Entry {
    Pattern(String),
    Split { split: String, path: OneOrMany<String> },
}

#[derive(Debug, Deserialize)]
struct Info {
    #[serde(default)]
    config_name: Option<String>,
    #[serde(default)]
    features: Vec<Feature>,
}

#[derive(Debug, Deserialize)]
struct Feature {
    #[serde(default)]
    name: String,
    #[serde(default)]
    dtype: Option<Dtype>,
    /// That of the elements of a list; older cards say `sequence`.
    #[serde(default, alias = "sequence")]
    list: Option<Dtype>,
}

/// A type: a name, or a table of which only class labels matter.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Dtype {
    Class { class_label: ClassLabel },
    Other(serde::de::IgnoredAny),
}

#[derive(Debug, Deserialize)]
struct ClassLabel {
    names: Names,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Names {
    List(Vec<String>),
    ById(BTreeMap<String, String>),
}

impl Card {
    /// The header of a README.md; the default if it has none.
    fn read(text: &str) -> Result<Self, String> {
        let Some(header) = front_matter(text) else { return Ok(Self::default()) };
        serde_saphyr::from_str(header).map_err(|error| {
            let first = error.to_string().lines().next().unwrap_or_default().to_owned();
            format!("the YAML header of its README.md cannot be read ({first}); name the file with data.file")
        })
    }

    /// The class labels of a configuration, also those of lists, by column.
    fn classes(&self, config: Option<&str>) -> BTreeMap<String, Vec<String>> {
        let infos = self.dataset_info.as_ref().map_or(&[][..], OneOrMany::all);
        let same = |info: &&Info| {
            (infos.len() == 1 && (config.is_none() || infos[0].config_name.is_none()))
                || info.config_name.as_deref().unwrap_or("default") == config.unwrap_or("default")
        };
        let features = infos.iter().find(same).map_or(&[][..], |info| &info.features);
        let named = |feature: &Feature| match feature.dtype.as_ref().or(feature.list.as_ref()) {
            Some(Dtype::Class { class_label }) => Some((feature.name.clone(), class_label.names.list()?)),
            _ => None,
        };
        features.iter().filter_map(named).collect()
    }
}

impl Names {
    /// In the order of the values; none if the values are not 0, 1, ….
    fn list(&self) -> Option<Vec<String>> {
        match self {
            Self::List(names) => Some(names.clone()),
            Self::ById(names) => (0..names.len()).map(|id| names.get(&id.to_string()).cloned()).collect(),
        }
    }
}

impl CardConfig {
    /// Its splits, of these files.
    fn splits(&self, data: &[&str]) -> Result<Splits, String> {
        let folder = self.data_dir.as_deref().unwrap_or_default().trim_matches('/').trim_start_matches("./");
        let all = |patterns: &[String]| -> Result<Vec<String>, String> {
            let full = |pattern: &str| match folder {
                "" | "." => pattern.to_owned(),
                folder => format!("{folder}/{pattern}"),
            };
            let globs: Option<Vec<GlobMatcher>> =
                patterns.iter().map(|pattern| glob(&full(pattern.trim_start_matches("./")))).collect();
            let Some(globs) = globs else {
                return Err(format!("its README.md has the invalid pattern `{}`", patterns.join("`, `")));
            };
            Ok(data
                .iter()
                .filter(|name| globs.iter().any(|glob| glob.is_match(name)))
                .map(|name| (*name).to_owned())
                .collect())
        };
        let list: Vec<(String, Vec<String>)> = match &self.data_files {
            None => return within(data, folder),
            Some(DataFiles::Pattern(pattern)) => vec![("train".into(), vec![pattern.clone()])],
            Some(DataFiles::BySplit(splits)) => {
                splits.iter().map(|(split, paths)| (split.clone(), paths.all().to_vec())).collect()
            }
            Some(DataFiles::List(entries)) => {
                let mut list: Vec<(String, Vec<String>)> = Vec::new();
                for entry in entries {
                    let (split, paths) = match entry {
                        Entry::Pattern(pattern) => ("train", vec![pattern.clone()]),
                        Entry::Split { split, path } => (split.as_str(), path.all().to_vec()),
                    };
                    match list.iter_mut().find(|(known, _)| known == split) {
                        Some((_, known)) => known.extend(paths),
                        None => list.push((split.into(), paths)),
                    }
                }
                list
            }
        };
        list.into_iter().map(|(split, patterns)| Ok((split, all(&patterns)?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    /// What the datasets library finds: tests/fixtures/hub_splits.py.
    #[derive(Deserialize)]
    struct Case {
        files: Vec<String>,
        card: Option<String>,
        config: Option<String>,
        splits: BTreeMap<String, Vec<String>>,
    }

    #[test]
    fn splits_are_those_of_the_datasets_library() {
        let cases: Vec<Case> = serde_json::from_str(include_str!("../../tests/fixtures/hub_splits.json")).unwrap();
        assert!(cases.len() > 20);
        for Case { files, card, config, splits } in cases {
            let found = NamedSplits::of("hf:a/b", &files, card.as_deref(), config.as_deref()).unwrap();
            assert_eq!(found.splits.into_iter().collect::<BTreeMap<_, _>>(), splits, "{files:?}");
        }
    }

    fn names(files: &[&str]) -> Vec<String> {
        files.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn class_labels_are_those_of_the_configuration() {
        let card = "---\ndataset_info:\n- config_name: one\n  features:\n  - name: text\n    dtype: string\n  - name: label\n    dtype:\n      \
                    class_label:\n        names:\n          '0': neg\n          '1': pos\n- config_name: two\n  features:\n  - name: label\n    \
                    dtype: int64\n  - name: tags\n    sequence: string\nconfigs:\n- config_name: one\n  data_files: one.csv\n- config_name: two\n  \
                    data_files: two.csv\n---\n";
        let files = names(&["one.csv", "two.csv"]);
        let one = NamedSplits::of("hf:a/b", &files, Some(card), Some("one")).unwrap();
        assert_eq!(one.classes.into_iter().collect::<Vec<_>>(), [("label".to_owned(), names(&["neg", "pos"]))]);
        assert!(NamedSplits::of("hf:a/b", &files, Some(card), Some("two")).unwrap().classes.is_empty());
    }

    /// As the cards of go_emotions (`sequence`) and of datasets that newer versions wrote (`list`) have them.
    #[test]
    fn class_labels_may_be_in_lists() {
        for list in ["sequence", "list"] {
            let card = format!(
                "---\ndataset_info:\n  features:\n  - name: text\n    dtype: string\n  - name: labels\n    {list}:\n      class_label:\n        \
                 names:\n          '0': joy\n          '1': fear\n  - name: tags\n    {list}: string\n---\n"
            );
            let splits = NamedSplits::of("hf:a/b", &names(&["train.csv"]), Some(&card), None).unwrap();
            let want = [("labels".to_owned(), names(&["joy", "fear"]))];
            assert_eq!(splits.classes.into_iter().collect::<Vec<_>>(), want, "{list}");
        }
    }

    #[test]
    fn what_cannot_be_chosen_is_said() {
        let refuse = |files: &[&str], card: Option<&str>, config: Option<&str>| {
            NamedSplits::of("hf:a/b", &names(files), card, config).unwrap_err().to_string()
        };
        let glue = ["cola/train-00000-of-00001.parquet", "sst2/train-00000-of-00001.parquet"];
        assert_eq!(
            refuse(&glue, None, None),
            "hf:a/b: it has several configurations; choose one with data.config: cola, sst2"
        );
        assert_eq!(
            refuse(&glue, None, Some("mnli")),
            "hf:a/b: it has no configuration `mnli`, which data.config names; its configurations are `cola` and `sst2`"
        );
        assert_eq!(
            refuse(&["train.csv"], None, Some("mnli")),
            "hf:a/b: it has no configurations, but data.config names `mnli`: remove data.config"
        );
        assert_eq!(
            refuse(&["data/train-00001-of-00002.parquet"], None, None),
            "hf:a/b: split `train` has only 1 of 2 files (such as `train-00001-of-00002.parquet`): download all of them"
        );
        assert_eq!(
            refuse(&["train.csv", "train.jsonl"], None, None),
            "hf:a/b: split `train` has files of several formats (`train.csv`, `train.jsonl`); choose one with data.file"
        );
        assert!(
            refuse(&["a.csv"], Some("---\nconfigs: [\n---\n"), None)
                .contains("YAML header of its README.md cannot be read")
        );
        assert!(refuse(&["notes.txt"], None, None).contains("holds no csv"));
    }

    #[test]
    fn splits_are_found_by_any_of_their_names() {
        let splits = NamedSplits::of("hf:a/b", &names(&["train.csv", "valid.csv"]), None, None).unwrap();
        for name in ["validation", "dev", "val", "valid"] {
            assert_eq!(splits.files(name).unwrap(), ["valid.csv"]);
        }
        assert_eq!(
            splits.files("test").unwrap_err(),
            "it has no split `test`, which data.splits names; its splits are `train` and `validation`"
        );
        let matched = names(&["data/train-00000-of-00001.csv", "data/validation_matched-00000-of-00001.csv"]);
        let splits = NamedSplits::of("hf:a/b", &matched, None, None).unwrap();
        assert_eq!(splits.files("validation_matched").unwrap().len(), 1);
        assert!(splits.files("validation").is_err());
    }

    #[test]
    fn names_that_only_look_like_shards_are_files() {
        for name in ["日本-of-00002.csv", "the-best-of-20000.csv", "a-of-b.csv"] {
            let splits = NamedSplits::of("x", &names(&[name]), None, None).unwrap();
            assert_eq!(splits.splits, [("train".to_owned(), names(&[name]))]);
        }
    }

    #[test]
    fn a_file_is_in_one_split() {
        let wanted = names(&["dev", "validation"]);
        let files = [names(&["valid.csv"]), names(&["valid.csv"])];
        assert!(check_apart(&wanted, &files).unwrap_err().starts_with("`valid.csv` would belong to both `dev` and"));
        assert!(check_apart(&wanted, &[names(&["a.csv"]), names(&["b.csv"])]).is_ok());
    }
}

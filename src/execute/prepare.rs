//! Prepares and checks everything that a run needs, and shares it between the runs of a sweep.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use sha2::{Digest, Sha256};

use super::{
    ExecuteError,
    checks::{Sizes, about_sizes, check, check_room, frozen_from_scratch, of_model, unordered},
    data_files::data_files,
    rates::GroupRates,
    undefined,
};
use crate::{
    assets::{self, KnownFiles, Library, Located, ModelFiles, Use},
    data::{self, Dataset, Meter, Progress, RowText, Splits, Tokenizer, Tokens, VocabularyOf},
    kernels::Requirements,
    model::{Label, Labels, ModelConfig, ModelError, Parameters, Weights},
    plan::{DataConfig, Digests, HeldOut, LongTexts, Part, PlannedRun, RunConfig, Scratch, Source, run_key, sanity},
    store::DataAudit,
    train::{NUMERICS, ProbeText, schedule::Steps},
    warning::Warning,
};

/// A run that is ready to begin.
pub struct Prepared {
    /// Its key.
    pub key: String,
    /// Number of its trial: see [`PlannedRun::trial`].
    pub trial: usize,
    /// Its displayed name.
    pub name: String,
    /// Its settings.
    pub config: RunConfig,
    /// Its rows.
    pub dataset: Arc<Dataset>,
    /// Which of them are for training, for choosing checkpoints (dev) and for testing.
    pub splits: Arc<Splits>,
    /// What was found in its data, once it is asked for.
    pub(super) found: Arc<OnceLock<DataAudit>>,
    /// The rows' tokens, read as the settings say; computed when they are needed.
    pub tokens: Arc<Tokens>,
    /// The tokenizer.
    pub tokenizer: Arc<Tokenizer>,
    /// The model's shape.
    pub shape: ModelConfig,
    /// The model's files; `None` for `scratch:`.
    pub files: Option<Arc<ModelFiles>>,
    /// The files that its model is read from, with their digests; `None` for a built-in shape.
    pub known: Option<Arc<KnownFiles>>,
    /// SHA-256 of the model's files, or of a scratch model's config.json; empty for a built-in shape.
    pub model_digest: String,
    /// Paths and pins of downloaded files.
    pub located: Vec<Located>,
    /// Probe sentences, tokenised.
    pub probes: Vec<ProbeText>,
    /// Numbers of optimizer steps.
    pub steps: Steps,
    /// Warnings about legal input that is probably a mistake.
    pub warnings: Vec<Warning>,
    /// How the tensors of the weights file are used, one sentence each.
    pub notes: Vec<String>,
}

/// A cache: values by key, computed once.
struct Memo<K, V>(Vec<(K, Arc<V>)>);

impl<K: PartialEq, V> Memo<K, V> {
    fn get(&mut self, key: K, compute: impl FnOnce() -> Result<V, ExecuteError>) -> Result<Arc<V>, ExecuteError> {
        if let Some((_, value)) = self.0.iter().find(|(k, _)| *k == key) {
            return Ok(value.clone());
        }
        let value = Arc::new(compute()?);
        self.0.push((key, value.clone()));
        Ok(value)
    }
}

impl Prepared {
    /// The settings with sources pinned to the revisions and files that were found.
    pub fn pinned(&self) -> RunConfig {
        let mut config = self.config.clone();
        let splits = Some(self.config.data.part()).filter(|part| matches!(part, Part::Splits { .. }));
        let splits = splits.and_then(|part| part.key());
        for pin in self.located.iter().map(|located| &located.pin) {
            let revision = pin.revision.as_deref();
            match (pin.used_as, &pin.files[..]) {
                (Use::Model, _) => config.model.source = config.model.source.pinned(revision, None, None),
                (Use::Data, _)
                    if splits.is_some()
                        && pin.is_of(Use::Data, &self.config.data.source.shown(), splits.as_deref()) =>
                {
                    config.data.source = self.config.data.source.pinned(revision, None, None);
                }
                (Use::Data, [file, ..]) => {
                    let pinned = |source: &Source| source.pinned(revision, Some(&file.name), Some(&file.sha256));
                    let is_of = |source: &Source, file: Option<&str>| pin.is_of(Use::Data, &source.shown(), file);
                    if is_of(&self.config.data.source, self.config.data.file.as_deref()) {
                        config.data.source = pinned(&self.config.data.source);
                    }
                    let (dev, test) = (&mut config.data.dev, &mut config.data.test);
                    for source in dev.source_mut().into_iter().chain(test.source_mut()) {
                        if is_of(source, None) {
                            *source = pinned(source);
                        }
                    }
                }
                (Use::Data, []) => {}
            }
        }
        config
    }

    /// The sizes of its model and of its longest text for which a device's kernels can have limits.
    pub fn requirements(&self) -> Requirements {
        self.shape.requirements(self.config.data.max_length)
    }

    /// Its labels by id, each with the values in the data that map to it.
    pub fn labels(&self) -> Labels {
        labels(&self.dataset, &self.config.data)
    }
}

/// The files that a model is read from.
struct Origin {
    /// `None` if the weights are initialised.
    files: Option<Arc<ModelFiles>>,
    known: Option<Arc<KnownFiles>>,
    /// SHA-256 of the files in hexadecimal digits; empty for a built-in shape.
    digest: String,
}

/// Identifies a tokenizer: the model's folder with the digest of its files, or the data from which a new vocabulary is built.
#[derive(PartialEq, Clone)]
enum TokenizerKey {
    Folder(PathBuf, String),
    Built { data: Box<DataConfig>, vocab_size: usize },
}

/// Prepares runs. What several runs share is computed once.
pub struct Workbench {
    library: Library,
    datasets: Memo<DataConfig, Dataset>,
    splits: Memo<DataConfig, Splits>,
    found: Memo<DataConfig, OnceLock<DataAudit>>,
    origins: Memo<Source, Origin>,
    opened: Memo<PathBuf, Weights>,
    /// Models whose weights are known to be finite: what determines which tensors of the file they use, with their warnings.
    sound: Vec<(PathBuf, ModelConfig, Labels, Vec<Warning>)>,
    tokenizers: Memo<TokenizerKey, Tokenizer>,
    tokens: Memo<(DataConfig, TokenizerKey, LongTexts), Tokens>,
    /// Number of rows whose tokens are checked for probable mistakes.
    looked_at: usize,
    /// Receives the progress of reading and tokenising.
    listener: data::Listener,
}

impl Default for Workbench {
    fn default() -> Self {
        Self::new(Library::default())
    }
}

impl Workbench {
    /// A workbench that finds models and data in `library`.
    pub fn new(library: Library) -> Self {
        Self {
            library,
            datasets: Memo(Vec::new()),
            splits: Memo(Vec::new()),
            found: Memo(Vec::new()),
            origins: Memo(Vec::new()),
            opened: Memo(Vec::new()),
            sound: Vec::new(),
            tokenizers: Memo(Vec::new()),
            tokens: Memo(Vec::new()),
            looked_at: data::SAMPLE,
            listener: data::silent(),
        }
    }

    /// The same, telling `listener` the progress of reading and tokenising.
    #[must_use]
    pub fn with_listener(mut self, listener: data::Listener) -> Self {
        self.listener = listener;
        self
    }

    /// The same, checking the tokens of all rows for probable mistakes: for commands that tokenise all of them anyway.
    #[must_use]
    pub fn thorough(mut self) -> Self {
        self.looked_at = usize::MAX;
        self
    }

    /// Looks for the model of a run, if that needs no download, and for what is wrong with settings that name parts of it: where its data cannot
    /// be had, both are reported too.
    ///
    /// # Errors
    /// It is not there, or does not fit the settings.
    pub fn look_at_model(&mut self, run: &PlannedRun) -> Result<(), ExecuteError> {
        let source = &run.config.model.source;
        if source.is_remote() {
            return Ok(());
        }
        let origin = self.origins.get(source.clone(), || origin(&mut self.library, source))?;
        // Neither the size of the vocabulary nor the number of labels, which the data decide, changes the names of parameters.
        let shape = shape_of(&run.config, origin.files.as_deref(), |shape| shape)?;
        match of_model(&run.config, &shape, 2) {
            problems if problems.is_empty() => Ok(()),
            problems => Err(ExecuteError::Settings(problems)),
        }
    }

    /// The library in which it finds models and data.
    pub fn library(&mut self) -> &mut Library {
        &mut self.library
    }
}

/// The settings that determine which rows are read, with all others set to fixed values.
fn rows_only(config: &DataConfig) -> DataConfig {
    let seed = if config.limit.is_some() { config.seed } else { 0 };
    let without_share = |held_out: &HeldOut| match held_out {
        HeldOut::Share(_) => HeldOut::Share(0.0),
        source => source.clone(),
    };
    let (test, dev) = (without_share(&config.test), without_share(&config.dev));
    DataConfig { test, dev, stratify: false, fold: None, seed, ..config.without_lengths() }
}

impl Workbench {
    /// Reads and splits the data and checks everything before training. Rows are tokenised later, unless a check needs their tokens.
    ///
    /// # Errors
    /// All problems that are found in the settings, the data or the model.
    pub fn prepare(&mut self, run: &PlannedRun) -> Result<Prepared, ExecuteError> {
        let config = &run.config;
        let rows = rows_only(&config.data);
        let dataset = self.datasets.get(rows.clone(), || {
            let files = data_files(&mut self.library, &config.data)?;
            Ok(data::read_files_telling(&files, &config.data, &self.listener)?)
        })?;
        let split_key = config.data.without_lengths();
        let splits = self.splits.get(split_key.clone(), || Ok(data::split(&dataset, &config.data)?))?;
        let found = self.found.get(split_key.clone(), || Ok(OnceLock::new()))?;

        let source = &config.model.source;
        let origin = self.origins.get(source.clone(), || origin(&mut self.library, source))?;
        let (files, known, digest) = (origin.files.clone(), origin.known.clone(), origin.digest.clone());
        let tokenizer_key = match (source, &files) {
            (_, Some(files)) => TokenizerKey::Folder(files.folder.clone(), digest.clone()),
            (Source::Scratch(Scratch::Folder(folder)), None) => TokenizerKey::Folder(folder.clone(), digest.clone()),
            _ => TokenizerKey::Built { data: Box::new(split_key), vocab_size: config.model.vocab_size },
        };
        let vocabulary = match (&tokenizer_key, source) {
            (TokenizerKey::Built { vocab_size, .. }, _) => VocabularyOf::TrainingRows { most: *vocab_size },
            (TokenizerKey::Folder(..), Source::Scratch(_)) => VocabularyOf::Folder,
            (TokenizerKey::Folder(..), _) => VocabularyOf::Model,
        };
        let mut read = || -> Result<_, ExecuteError> {
            let tokenizer = self.tokenizers.get(tokenizer_key.clone(), || match &tokenizer_key {
                TokenizerKey::Folder(folder, _) => Ok(Tokenizer::from_folder(folder)?),
                TokenizerKey::Built { vocab_size, .. } => {
                    let (meter, of) = (Meter::new(&self.listener), splits.train.len() as u64);
                    let texts_of_row = if config.data.text_pair_column.is_some() { 2 } else { 1 };
                    let counted = AtomicU64::new(0);
                    let told = |texts| {
                        let texts = counted.fetch_add(texts, Ordering::Relaxed) + texts;
                        meter.tell(Progress::Vocabulary { rows: texts / texts_of_row, of });
                    };
                    let texts = splits.train.iter().flat_map(|&row| RowText::from(&dataset.rows[row as usize]).texts());
                    let vocab = Tokenizer::build_vocab_telling(texts, *vocab_size, &told);
                    Ok(Tokenizer::from_vocab(vocab, true)?)
                }
            })?;
            let shape = shape(config, files.as_deref(), &tokenizer)?;
            Ok((tokenizer, shape))
        };
        let (tokenizer, shape) = match &known {
            // The weights are read when the run begins.
            Some(known) => known.reading(|path| !is_weights(files.as_deref(), path), read)?,
            None => read()?,
        };
        let model_digest = digest;

        let long = config.data.long_texts();
        check_room(long, config.data.text_pair_column.is_some(), &tokenizer)?;
        let read = || Ok(Tokens::of(tokenizer.clone(), dataset.clone(), long, self.listener.clone())?);
        let tokens = self.tokens.get((rows, tokenizer_key, long), read)?;
        let examples = tokens.count_windows(&splits.train);
        let steps = Steps::new(&config.train, examples);
        let probe = |p: &crate::plan::Probe| -> Result<ProbeText, ExecuteError> {
            let separator = config.data.label_separator.as_deref();
            let expected =
                p.expect.as_ref().and_then(|text| config.data.task().expected(text, separator, &dataset.labels).ok());
            Ok(ProbeText { probe: p.clone(), expected, tokens: tokenizer.encode_long(p, long)? })
        };
        let reads_two = config.data.text_pair_column.is_some();
        let token_types = if reads_two { tokenizer.largest_token_type()? as usize + 1 } else { 1 };
        let probes = config.probes.iter().map(probe).collect::<Result<Vec<_>, _>>()?;
        if !tokenizer.takes_any_text() {
            tokens.encode_all()?; // only trying shows which texts it refuses
        }
        let sizes = Sizes { steps, examples, token_types };
        check(config, &dataset, &tokens, &tokenizer, &probes, &shape, sizes)?;
        let undefined = undefined::check(config, &dataset, &splits)?;
        let weights = match &files {
            Some(files) => Some(self.opened.get(files.weights.clone(), || Ok(Weights::open(&files.weights)?))?),
            None => None,
        };
        let (labels, freeze, no_decay) = (labels(&dataset, &config.data), &config.train.freeze, &config.train.no_decay);
        let checked = Parameters::check(&shape, &labels, weights.as_deref(), freeze, no_decay)?;

        let dev_lacks_labels = !splits.dev.is_empty() && dataset.class_counts(&splits.dev).contains(&0);
        let mut warnings: Vec<Warning> =
            dataset.warnings.iter().chain(&splits.warnings).chain(&checked.warnings).cloned().collect();
        warnings.extend(tokenizer.warnings().iter().cloned());
        warnings.extend(about_sizes(config, &tokenizer, &shape));
        warnings.extend(undefined);
        warnings.extend(frozen_from_scratch(config, &shape, labels.all.len()));
        warnings.extend(unordered(config, &dataset));
        warnings.extend(GroupRates::of(&config.train, &shape).warnings(&config.train));
        warnings.extend(sanity::of_run(
            config,
            examples as u64,
            splits.dev.len() as u64,
            tokenizer.added_tokens(false),
        ));
        warnings.extend(data::about_tokens(&tokenizer, &tokens, &dataset, self.looked_at, vocabulary)?);
        warnings.extend(data::about_cut(&tokens, &dataset, self.looked_at, long, shape.longest())?);

        let digests = Digests { data: dataset.digest.clone(), model: model_digest.clone() };
        Ok(Prepared {
            key: run_key(config, &digests, NUMERICS, dev_lacks_labels),
            trial: run.trial,
            name: run.name.clone(),
            config: config.clone(),
            steps,
            located: self.located(config),
            warnings,
            notes: checked.notes(None),
            probes,
            dataset,
            splits,
            found,
            tokens,
            tokenizer,
            shape,
            files,
            known,
            model_digest,
        })
    }
}

impl Prepared {
    /// The learning rates of the model's parts.
    pub fn rates(&self) -> GroupRates {
        GroupRates::of(&self.config.train, &self.shape)
    }
}

impl Workbench {
    /// Paths and pins of the downloaded files of a run.
    fn located(&self, config: &RunConfig) -> Vec<Located> {
        let mut sources = vec![
            (Use::Model, config.model.source.shown(), None),
            (Use::Data, config.data.source.shown(), config.data.part().key()),
        ];
        sources.extend(config.data.files_of_splits().map(|(_, source)| (Use::Data, source.shown(), None)));
        let is_used = |located: &&Located| {
            let pin = &located.pin;
            sources
                .iter()
                .any(|(used_as, source, file)| (pin.used_as, &pin.source, &pin.file) == (*used_as, source, file))
        };
        self.library.located().iter().filter(is_used).cloned().collect()
    }

    /// Reads the weights that a run begins with and refuses NaN and infinite values: once for all runs with the same weights. Adds warnings
    /// about them to the run.
    ///
    /// # Errors
    /// [`crate::model::ModelError::NotFinite`] with the tensors' names.
    pub fn check_numbers(&mut self, run: &mut Prepared) -> Result<(), ExecuteError> {
        let Some(files) = &run.files else { return Ok(()) };
        let (path, labels) = (&files.weights, run.labels());
        // The weights do not depend on dropout.
        let mut shape = run.shape.clone();
        shape.set_dropout(0.0);
        if let Some((.., warnings)) = self.sound.iter().find(|(p, s, l, _)| p == path && *s == shape && *l == labels) {
            run.warnings.extend(warnings.iter().cloned());
            return Ok(());
        }
        let weights = self.opened.get(path.clone(), || Ok(Weights::open(path)?))?;
        let warnings = Parameters::check_numbers(&shape, &labels, &weights)?;
        run.warnings.extend(warnings.iter().cloned());
        self.sound.push((path.clone(), shape, labels, warnings));
        Ok(())
    }
}

/// Whether a path is one of the weights files.
pub(super) fn is_weights(files: Option<&ModelFiles>, path: &Path) -> bool {
    files.is_some_and(|files| files.weights == path || files.shards.iter().any(|shard| shard == path))
}

/// The files that a model is read from, with their digest.
fn origin(library: &mut Library, source: &Source) -> Result<Origin, ExecuteError> {
    Ok(match source {
        Source::Scratch(Scratch::Folder(folder)) => {
            let known = KnownFiles::in_folder(folder, &assets::SMALL_FILES)?;
            let has = |name: &str| folder.join(name).is_file();
            let refined = known.reading(
                |_| true,
                || {
                    let vocabularies = assets::vocabularies_that_count(has).into_iter();
                    Ok::<_, ExecuteError>(
                        vocabularies.chain(assets::extras_that_count(folder, has)).collect::<Vec<_>>(),
                    )
                },
            )?;
            let mut digest = Sha256::new();
            for name in ["config.json", "tokenizer.json", "vocab.txt"].into_iter().chain(refined) {
                let path = folder.join(name);
                if let Some((_, sha256)) = known.files().find(|(known, _)| *known == path) {
                    digest.update(format!("{name} {sha256}\n"));
                }
            }
            let digest = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
            Origin { files: None, known: Some(Arc::new(known)), digest }
        }
        Source::Scratch(Scratch::Preset(_)) => Origin { files: None, known: None, digest: String::new() },
        Source::Scratch(Scratch::Config(path)) => {
            let digest = assets::digest_file(path)?;
            let known = KnownFiles::new([(path.clone(), digest.clone())], Vec::new());
            Origin { files: None, known: Some(Arc::new(known)), digest }
        }
        source => {
            // Checked first: for a model of another kind, missing files are irrelevant.
            if let Source::Path(folder) = source
                && let config = folder.join("config.json")
                && config.is_file()
            {
                ModelConfig::read(&config)?;
            }
            let files = library.model(source);
            let files = files.map_err(|error| ExecuteError::Source { key: "model.source", error })?;
            let (known, digest) = (KnownFiles::of_model(&files), files.digest.clone());
            Origin { files: Some(Arc::new(files)), known: Some(Arc::new(known)), digest }
        }
    })
}

/// The labels of the data by id, each with the values that map to it.
fn labels(dataset: &Dataset, config: &DataConfig) -> Labels {
    let values = |name: &String| {
        let values = config.labels.iter().filter(|(value, of)| *of == name && *value != name);
        values.map(|(value, _)| value.clone()).collect()
    };
    let all = dataset.labels.iter().map(|name| Label { name: name.clone(), values: values(name) }).collect();
    Labels { task: config.task(), all }
}

/// The model's shape.
fn shape(config: &RunConfig, files: Option<&ModelFiles>, tokenizer: &Tokenizer) -> Result<ModelConfig, ExecuteError> {
    shape_of(config, files, |mut shape| {
        shape.vocab_size = tokenizer.vocab_size();
        shape
    })
}

/// The same; `with_vocabulary` sets the size of a vocabulary that is built from the data.
fn shape_of(
    config: &RunConfig,
    files: Option<&ModelFiles>,
    with_vocabulary: impl Fn(ModelConfig) -> ModelConfig,
) -> Result<ModelConfig, ExecuteError> {
    let scratch = |path: &Path| -> Result<ModelConfig, ExecuteError> {
        let shape = ModelConfig::read(path)?;
        shape.check_scratch().map_err(|message| ModelError::Config { path: path.into(), message })?;
        Ok(shape)
    };
    let mut shape = match (&config.model.source, files) {
        (_, Some(files)) => ModelConfig::read(&files.folder.join("config.json"))?,
        (Source::Scratch(Scratch::Folder(folder)), None) => scratch(&folder.join("config.json"))?,
        (Source::Scratch(Scratch::Preset(preset)), None) => with_vocabulary(ModelConfig::preset(*preset)),
        (Source::Scratch(Scratch::Config(path)), None) => with_vocabulary(scratch(path)?),
        (source, None) => unreachable!("{source:?} has files"),
    };
    if let Some(p) = config.train.dropout {
        shape.set_dropout(p);
    }
    Ok(shape)
}

//! How runs that are outside the plan differ from those in it.

use taper::{
    format::one_line,
    plan::{Change, Settings},
    store::{Environment, RunRecord},
};

/// The heading of the column that tells it.
pub const HEADING: &str = "not as planned";

/// The most settings that are named of one run.
const NAMED: usize = 3;

/// The seed of a run, and those that are the same unless a spec sets them apart.
const SEED: &str = "train.seed";
const FOLLOWERS: [&str; 2] = ["train.init_seed", "train.order_seed"];

/// The most runs of a plan that others are compared with. Those of a larger sweep differ in what names say.
const COMPARED: usize = 200;

/// The runs of a plan, with which those outside of it are compared.
#[derive(Default)]
pub struct Plan(Vec<Compared>);

impl Plan {
    /// These, before any is left out of a list.
    pub fn of(planned: &[RunRecord]) -> Self {
        Self(planned.iter().take(COMPARED).map(Compared::of).collect())
    }

    /// In what each of these runs differs from the run of the plan that is most like it, beyond what its name says: `train.lr=1e-4`,
    /// `other data`. `None` if nothing is to be said of any.
    pub fn differences(&self, runs: &[RunRecord]) -> Option<Vec<String>> {
        if self.0.is_empty() {
            return None;
        }
        let told: Vec<String> = runs.iter().map(|run| self.difference(&Compared::of(run))).collect();
        told.iter().any(|told| !told.is_empty()).then_some(told)
    }

    fn difference(&self, run: &Compared) -> String {
        let Some(nearest) = self.nearest(run) else { return String::new() };
        let files = run.files.unlike(&nearest.files);
        let is_told = |key: &str| files.iter().filter_map(|part| part.key()).any(|told| told == key);
        let mut changes = nearest.settings.changes_to(&run.settings);
        changes.retain(|change| !is_told(&change.key));
        if files.is_empty() && changes.is_empty() {
            return "other files, or another version of taper".into();
        }
        let mut keys: Vec<&str> = changes.iter().map(|change| change.key.as_str()).collect();
        keys.extend(files.iter().filter_map(|part| part.key()));
        let in_name = |key: &str, value: &str| {
            let is_of = |word: &str, key: &str| key.strip_suffix(word).is_some_and(|rest| is_end_of(rest, '.'));
            // A word may be short for any of these keys, and one that both names have is for none.
            run.words_unlike(nearest).filter_map(|word| word.split_once('=')).any(|(word, said)| {
                is_of(word, key) && is_said(said, value) && keys.iter().filter(|key| is_of(word, key)).count() == 1
            })
        };
        // The other seeds follow it.
        let seed = changes.iter().find(|change| change.key == SEED).map(|change| &change.new);
        let follows = |change: &Change| FOLLOWERS.contains(&change.key.as_str()) && Some(&change.new) == seed;
        let unnamed: Vec<&Change> =
            changes.iter().filter(|change| !in_name(&change.key, &change.in_names) && !follows(change)).collect();
        let files = files.iter().filter_map(|part| match part {
            Unlike::Source(key, source) => (!in_name(key, source)).then(|| format!("{key}={}", one_line(source))),
            Unlike::Content(what) => Some(what.to_string()),
        });
        let settings = unnamed.iter().take(NAMED).map(|change| format!("{}={}", change.key, one_line(&change.new)));
        let more = (unnamed.len() > NAMED).then(|| format!("{} more", unnamed.len() - NAMED));
        files.chain(settings).chain(more).collect::<Vec<_>>().join(", ")
    }

    /// The first of those that differ least from this run.
    fn nearest(&self, run: &Compared) -> Option<&Compared> {
        let mut nearest = None;
        let mut least = usize::MAX;
        for planned in &self.0 {
            let files = run.files.unlike(&planned.files).len();
            // Others need not be counted to their end.
            let distance = files + planned.settings.distance_to(&run.settings, least.saturating_sub(files));
            if distance < least {
                (nearest, least) = (Some(planned), distance);
            }
        }
        nearest
    }
}

/// What is compared of a run.
struct Compared {
    name: String,
    settings: Settings,
    files: Files,
}

impl Compared {
    fn of(run: &RunRecord) -> Self {
        Self { name: run.name.clone(), settings: Settings::of(&run.config), files: Files::of(run) }
    }

    /// The words of its name that the name of the other does not have.
    fn words_unlike(&self, other: &Self) -> impl Iterator<Item = &str> {
        self.name.split_whitespace().filter(|word| !other.name.split_whitespace().any(|known| known == *word))
    }
}

/// Whether nothing is before the end of a key or a path, or whole segments are.
fn is_end_of(before: &str, separator: char) -> bool {
    before.is_empty() || before.ends_with(separator)
}

/// Whether names say this value so. Of a path they may have the end, and it is relative to the spec's folder.
fn is_said(said: &str, value: &str) -> bool {
    let path = said.split_once(':').map_or(said, |(_, path)| path);
    said == value || value.strip_suffix(path).is_some_and(|before| is_end_of(before, '/'))
}

/// A part of the files that two runs read, or of their arithmetic, in which they differ.
enum Unlike<'a> {
    /// A key of the spec, and its source.
    Source(&'static str, &'a str),
    /// The same source with other content, or the arithmetic.
    Content(&'static str),
}

impl Unlike<'_> {
    fn key(&self) -> Option<&str> {
        match self {
            Self::Source(key, _) => Some(key),
            Self::Content(_) => None,
        }
    }
}

/// The files that a run reads, and its arithmetic.
struct Files {
    data: String,
    model: String,
    /// Of a run that has begun.
    environment: Option<Environment>,
}

impl Files {
    fn of(run: &RunRecord) -> Self {
        let (data, model) = (run.config.data.source.shown(), run.config.model.source.shown());
        Self { data, model, environment: run.environment.clone() }
    }

    /// In what these differ from the planned ones, as far as both runs have begun.
    fn unlike(&self, planned: &Self) -> Vec<Unlike<'_>> {
        let mut told = Vec::new();
        let Some((own, of_plan)) = self.environment.as_ref().zip(planned.environment.as_ref()) else { return told };
        if own.data_digest != of_plan.data_digest {
            let is_same = self.data == planned.data;
            told.push(if is_same { Unlike::Content("other data") } else { Unlike::Source("data.source", &self.data) });
        }
        // Models that are built from a name have no files; their settings tell them apart.
        if own.model_digest != of_plan.model_digest && !own.model_digest.is_empty() && !of_plan.model_digest.is_empty()
        {
            let is_same = self.model == planned.model;
            told.push(match is_same {
                true => Unlike::Content("other model files"),
                false => Unlike::Source("model.source", &self.model),
            });
        }
        if own.numerics != of_plan.numerics {
            told.push(Unlike::Content("another version of the arithmetic"));
        }
        told
    }
}

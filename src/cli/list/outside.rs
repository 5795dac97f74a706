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
pub struct Plan(Vec<(Settings, Files)>);

impl Plan {
    /// These, before any is left out of a list.
    pub fn of(planned: &[RunRecord]) -> Self {
        Self(planned.iter().take(COMPARED).map(|run| (Settings::of(&run.config), Files::of(run))).collect())
    }

    /// In what each of these runs differs from the run of the plan that is most like it, beyond what its name says: `train.lr=1e-4`,
    /// `other data`. `None` if nothing is to be said of any.
    pub fn differences(&self, runs: &[RunRecord]) -> Option<Vec<String>> {
        if self.0.is_empty() {
            return None;
        }
        let told: Vec<String> = runs.iter().map(|run| self.difference(run)).collect();
        told.iter().any(|told| !told.is_empty()).then_some(told)
    }

    fn difference(&self, run: &RunRecord) -> String {
        let settings = Settings::of(&run.config);
        let compared = self.0.iter().map(|(planned, files)| (planned.changes_to(&settings), files));
        let Some((changes, files)) = compared.min_by_key(|(changes, _)| changes.len()) else { return String::new() };
        let mut told = Files::of(run).unlike(files);
        if told.is_empty() && changes.is_empty() {
            told.push("other files, or another version of taper".into());
        }
        let in_name = |key: &str| {
            let mut keys = run.name.split_whitespace().filter_map(|word| Some(word.split_once('=')?.0));
            keys.any(|word| key == word || key.strip_suffix(word).is_some_and(|rest| rest.ends_with('.')))
        };
        // The other seeds follow it.
        let seed = changes.iter().find(|change| change.key == SEED).map(|change| &change.new);
        let follows = |change: &Change| FOLLOWERS.contains(&change.key.as_str()) && Some(&change.new) == seed;
        let unnamed: Vec<&Change> = changes.iter().filter(|change| !in_name(&change.key) && !follows(change)).collect();
        told.extend(unnamed.iter().take(NAMED).map(|change| format!("{}={}", change.key, one_line(&change.new))));
        if unnamed.len() > NAMED {
            told.push(format!("{} more", unnamed.len() - NAMED));
        }
        told.join(", ")
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
        let (data, model) = (run.config.data.source.to_string(), run.config.model.source.to_string());
        Self { data, model, environment: run.environment.clone() }
    }

    /// In what these differ from the planned ones, as far as both runs have begun.
    fn unlike(&self, planned: &Self) -> Vec<String> {
        let mut told = Vec::new();
        // A source says more, unless it is the same one with other content.
        let mut files = |(key, what): (&str, &str), source: &str, planned: &str| {
            told.push(if source == planned { what.into() } else { format!("{key}={}", one_line(source)) });
        };
        let Some((own, of_plan)) = self.environment.as_ref().zip(planned.environment.as_ref()) else { return told };
        if own.data_digest != of_plan.data_digest {
            files(("data.source", "other data"), &self.data, &planned.data);
        }
        // Models that are built from a name have no files; their settings tell them apart.
        if own.model_digest != of_plan.model_digest && !own.model_digest.is_empty() && !of_plan.model_digest.is_empty()
        {
            files(("model.source", "other model files"), &self.model, &planned.model);
        }
        if own.numerics != of_plan.numerics {
            told.push("another version of the arithmetic".into());
        }
        told
    }
}

//! What a reader sees, as ready strings: the templates only place them. HTML and Markdown show the same view.

mod build;
mod warnings;

use super::environment::Place;
pub use warnings::WarningGroup;

/// A report.
pub struct View {
    /// Title.
    pub title: String,
    /// The experiment's sentence about itself.
    pub description: String,
    /// The experiment's name.
    pub experiment: String,
    /// How many runs there are in which state.
    pub states: String,
    /// When the last run ended.
    pub finished: Option<String>,
    /// The result.
    pub headline: Option<Headline>,
    /// What a reader should keep in mind about the result.
    pub caveats: Vec<String>,
    /// Heading of the accuracy column.
    pub accuracy_heading: String,
    /// Heading of the column of the figure that chose, where it is not the accuracy itself.
    pub chosen_heading: Option<String>,
    /// One line a run.
    pub runs: Vec<RunRow>,
    /// What was warned of, by kind.
    pub warnings: Vec<WarningGroup>,
    /// One line a configuration, best first, where there are several seeds.
    pub seeds: Vec<SeedRow>,
    /// What the intervals there are.
    pub seed_notes: String,
    /// Heading of the column of what ranks the configurations.
    pub ranked_by: String,
    /// Whether the best is distinguishable from the next.
    pub comparison: Option<String>,
    /// Charts of the training.
    pub training: Vec<Picture>,
    /// Charts of the result.
    pub outcome: Vec<Picture>,
    /// Chart of the probes.
    pub probe_chart: Option<Picture>,
    /// The probes.
    pub probes: Vec<ProbeRow>,
    /// Charts of the best run's predictions.
    pub details: Vec<Picture>,
    /// Figures of each class of the best run; of many, the worst.
    pub classes: Vec<ClassRow>,
    /// How many classes are left out.
    pub classes_note: Option<String>,
    /// The pairs that are taken for each other most often, where there are too many labels for a chart.
    pub confused: Vec<ConfusedRow>,
    /// Mistakes of the best run.
    pub mistakes: Vec<MistakeRow>,
    /// How many mistakes there are, and how many are listed.
    pub mistakes_note: String,
    /// What the runs were made with.
    pub places: Vec<Place>,
    /// Whether something differs between the runs that can change a digit.
    pub digits_may_differ: bool,
    /// Commands that make the runs and this report.
    pub commands: Vec<String>,
    /// Name of the run whose config is shown.
    pub config_of: String,
    /// Its resolved config.
    pub config: String,
    /// The spec file's path.
    pub spec_path: String,
    /// The spec file's text.
    pub spec: String,
    /// Files that the spec extends: path and text; no text where it is not stored.
    pub extends: Vec<(String, String)>,
    /// Tables beside the report, and what they hold.
    pub files: Vec<(&'static str, &'static str)>,
}

/// The result in a few figures.
pub struct Headline {
    /// Name of the best run.
    pub run: String,
    /// Whether there were others.
    pub of_several: bool,
    /// The configuration, where it has several seeds with a result.
    pub seeds: Option<SeedsHeadline>,
    /// How it stands beside always giving one label.
    pub verdict: String,
    /// Name of the split.
    pub split: &'static str,
    /// Accuracy.
    pub accuracy: String,
    /// Its 95% interval.
    pub interval: String,
    /// Rows of the split.
    pub rows: String,
    /// Accuracy before training.
    pub before: Option<String>,
    /// Accuracy of always giving the most common label.
    pub baseline: String,
    /// What that label is, in a few words.
    pub baseline_of: &'static str,
    /// That label.
    pub baseline_label: String,
    /// Macro-F1.
    pub macro_f1: String,
}

/// The best configuration over its seeds.
pub struct SeedsHeadline {
    /// What its runs' names have in common.
    pub name: String,
    /// How many runs have a result.
    pub n: usize,
    /// Mean accuracy with the interval that the leaderboard shows.
    pub accuracy: String,
}

/// A run in the table of runs.
pub struct RunRow {
    /// Its name.
    pub name: String,
    /// Its key, shortened.
    pub key: String,
    /// Whether it is the best.
    pub best: bool,
    /// Its state in words.
    pub state: String,
    /// The state's name, for its colour.
    pub state_class: &'static str,
    /// Steps made and planned.
    pub steps: String,
    /// Final accuracy.
    pub accuracy: String,
    /// Its 95% interval; of a run without a final evaluation, the step that the accuracy is of.
    pub interval: String,
    /// The figure that chose.
    pub chosen: String,
    /// Of a run without a final evaluation, the step that the figure is of.
    pub chosen_at: String,
    /// Final macro-F1.
    pub macro_f1: String,
    /// Final loss.
    pub loss: String,
    /// Time.
    pub time: String,
    /// Why it has no result.
    pub message: Option<String>,
}

/// A configuration in the table over seeds.
pub struct SeedRow {
    /// Its rank, or a dash.
    pub rank: String,
    /// What the runs' names have in common.
    pub name: String,
    /// Whether the best run is among them.
    pub best: bool,
    /// Runs with a result, of those planned.
    pub n: String,
    /// What ranks it: the mean with the interval that the leaderboard shows.
    pub chosen: String,
    /// Mean accuracy with its interval.
    pub accuracy: String,
    /// Standard deviation, in points.
    pub sd: String,
    /// Mean macro-F1 with its interval.
    pub macro_f1: String,
}

/// A chart and what is said about it.
pub struct Picture {
    /// File name without its ending.
    pub name: &'static str,
    /// What it shows, for those who do not see it.
    pub alt: String,
    /// What to know when reading it.
    pub caption: String,
    /// The SVG document.
    pub svg: String,
}

/// A probe.
pub struct ProbeRow {
    /// Its number, from 1.
    pub number: usize,
    /// The sentence.
    pub text: String,
    /// Expected label.
    pub expected: String,
    /// What was said before training.
    pub before: String,
    /// What is said after it.
    pub after: String,
    /// Whether that is right, for its colour.
    pub right: Option<bool>,
}

/// Figures of a class.
pub struct ClassRow {
    /// Id of the label, which names it in a PNG that cannot show its name.
    pub id: usize,
    /// Name of the label.
    pub label: String,
    /// Precision.
    pub precision: String,
    /// Recall.
    pub recall: String,
    /// F1.
    pub f1: String,
    /// Rows.
    pub support: String,
}

/// Two labels of which one is taken for the other.
pub struct ConfusedRow {
    /// The label of the rows.
    pub label: String,
    /// The label they were given.
    pub predicted: String,
    /// How many they are.
    pub rows: String,
    /// Share of the label's rows.
    pub share: String,
}

/// A row that was given a wrong label.
pub struct MistakeRow {
    /// Line of the data file.
    pub line: u64,
    /// The text.
    pub text: String,
    /// The label it has.
    pub label: String,
    /// The label it was given.
    pub predicted: String,
    /// How sure the model was of that.
    pub confidence: String,
}

/// Charts, in the order of the report.
#[derive(Default)]
pub struct Pictures {
    /// Charts of the training.
    pub training: Vec<Picture>,
    /// Charts of the result.
    pub outcome: Vec<Picture>,
    /// Chart of the probes.
    pub probes: Option<Picture>,
    /// Charts of the best run's predictions.
    pub details: Vec<Picture>,
}

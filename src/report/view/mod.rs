//! What the report shows, as strings: the templates only insert them. HTML and Markdown show the same view.

mod answer;
mod build;
mod caveats;
mod change;
mod decided;
mod ended;
mod facts;
mod folds;
mod mistakes;
mod part;
mod ranking;
mod scores;
mod sorting;
mod sweep;
mod uses;
mod warnings;

use super::{audit::DataSection, environment::SharedEnvironment, sentence::Sentence};
pub use build::NOT_FINAL;
pub use caveats::chooses_checkpoint;
pub use change::ChangeSection;
pub use decided::DecisionSection;
pub use part::SweepPart;
pub use warnings::WarningGroup;

/// A report.
pub struct View {
    /// Title.
    pub title: String,
    /// The description of the experiment.
    pub description: String,
    /// The experiment's name.
    pub experiment: String,
    /// The number of runs in each state.
    pub states: String,
    /// When the last run ended.
    pub finished: Option<String>,
    /// That the texts of rows were left out, and the command that shows them.
    pub texts_note: Option<String>,
    /// The result.
    pub headline: Option<Headline>,
    /// Caveats about the result.
    pub caveats: Vec<Sentence>,
    /// The first metric of the task: `accuracy`.
    pub first: String,
    /// The same at the beginning of a sentence.
    pub first_name: String,
    /// The second metric of the task: `macro-F1`.
    pub second: String,
    /// The same at the beginning of a sentence.
    pub second_name: String,
    /// Heading of the column of the first metric.
    pub first_heading: String,
    /// Heading of the column of the second metric.
    pub second_heading: String,
    /// Heading of the column of the loss.
    pub loss_heading: String,
    /// What it says of intervals: ` (95% interval)`; empty if there are none.
    pub interval_heading: &'static str,
    /// Heading of the column of the ranking metric, if that is not the first metric itself.
    pub chosen_heading: Option<String>,
    /// Heading of the column of the ranking metric on the test rows, if no other column has it.
    pub chosen_test_heading: Option<String>,
    /// Attributes of the headings of the ranking metric, of the first and of the second, by which the page sorts the best first.
    pub best_first: [&'static str; 3],
    /// One entry for each run.
    pub runs: Vec<RunRow>,
    /// Whether there are so many runs that the page folds them away.
    pub runs_folded: bool,
    /// Sentences that explain the table of runs.
    pub runs_notes: Vec<String>,
    /// What was found in the data; `None` if it is stored of no run.
    pub data: Option<DataSection>,
    /// How long texts are read: names of the runs, if they differ in it, and the sentence.
    pub long_texts: Vec<(String, String)>,
    /// Learning rates that differ between parts of a model, each with the names of its runs.
    pub rates: Vec<(String, String)>,
    /// Warnings, by kind.
    pub warnings: Vec<WarningGroup>,
    /// The trials, if there are several or if one has several runs.
    pub ranking: Option<Ranking>,
    /// Whether the best is distinguishable from the next.
    pub comparison: Option<String>,
    /// What can be done with the best run: each with its command.
    pub uses: Vec<(String, String)>,
    /// What the sweep says beyond the ranking.
    pub sweep: Vec<SweepPart>,
    /// Charts of the training.
    pub training: Vec<Picture>,
    /// Charts of the result.
    pub outcome: Vec<Picture>,
    /// What training changed in the predictions.
    pub change: Option<ChangeSection>,
    /// Chart of the probes.
    pub probe_chart: Option<Picture>,
    /// The probes.
    pub probes: Vec<ProbeRow>,
    /// Whether any probe has a score after training.
    pub probes_after: bool,
    /// Of which run the probes are, and when they were scored.
    pub probes_note: String,
    /// Charts of the best run's predictions.
    pub details: Vec<Picture>,
    /// Whose predictions these are: `all folds`, the name of a run, or empty for the only one.
    pub details_of: String,
    /// Headings of the table of all metrics.
    pub metrics_heads: Vec<String>,
    /// All metrics of sets of labels; of numbers, the metrics of each column. Empty if one label is predicted.
    pub metrics: Vec<Vec<String>>,
    /// What was chosen on the dev rows after training.
    pub decision: Option<DecisionSection>,
    /// Metrics of each class of the best run; with many classes, of the worst.
    pub classes: Vec<ClassRow>,
    /// Whether the classes have an average precision.
    pub classes_have_ap: bool,
    /// How many classes are left out.
    pub classes_note: Option<String>,
    /// The most frequent confusions, if there are too many labels for a chart.
    pub confused: Vec<ConfusedRow>,
    /// Heading of the lines of the mistakes: with the file if the rows come from several.
    pub line_heading: String,
    /// Title of the mistakes.
    pub mistakes_title: &'static str,
    /// Headings of what is shown of each mistake, each with whether it is a number.
    pub mistake_heads: Vec<(&'static str, bool)>,
    /// Mistakes of the best run.
    pub mistakes: Vec<MistakeRow>,
    /// How many mistakes there are, and how many are listed.
    pub mistakes_note: String,
    /// The environments that the runs were trained in.
    pub environments: Vec<SharedEnvironment>,
    /// Whether the environments differ in something that can change the last digits.
    pub digits_may_differ: bool,
    /// Commands that train the runs and write this report.
    pub commands: Vec<String>,
    /// Name of the run whose config is shown.
    pub config_of: String,
    /// Its resolved config.
    pub config: String,
    /// The spec file's path.
    pub spec_path: String,
    /// The spec file's text.
    pub spec: String,
    /// Files that the spec extends: path and text; the text is missing if it is not stored.
    pub extends: Vec<(String, String)>,
    /// Tables beside the report, and their contents.
    pub files: Vec<(&'static str, &'static str)>,
}

/// The answer: the best trial, then the run whose predictions the page shows.
pub struct Headline {
    /// What it is of, before its name: `Best trial`.
    pub subject: String,
    /// Name of the trial, or of the only run; empty for the only trial.
    pub name: String,
    /// The key of its only run.
    pub key: Option<String>,
    /// The subject after a number: ` of the best trial`; empty if there is only one.
    pub of: String,
    /// Name of the split.
    pub split: &'static str,
    /// The first metric: the mean over several seeds.
    pub first: String,
    /// What it is of: `of 120 test rows right`, `RMSE on 120 test rows`.
    pub rows: String,
    /// What a mean is over: `mean over 3 seeds`; empty for one run.
    pub mean_over: String,
    /// What its interval covers, and the interval.
    pub interval: Option<(String, String)>,
    /// The value that chose it from several, and what that is: `dev accuracy of the best trial, which chose it`.
    pub chosen: Option<(String, String)>,
    /// The second metric, likewise.
    pub second: String,
    /// The first metric before training, likewise.
    pub before: Option<String>,
    /// The baseline, if there is one.
    pub baseline: Option<BaselineText>,
    /// Comparison with the baseline.
    pub verdict: String,
    /// Whether the gain is beyond chance, how it was chosen, and whether it is distinguishable from the second.
    pub facts: Vec<String>,
    /// The result with what was decided after training, if this is of one run.
    pub decided: Option<String>,
    /// The one run of several, or the folds of one seed, whose predictions the page shows.
    pub run: Option<BestRun>,
}

/// The baseline that a model is compared with.
#[derive(Clone)]
pub struct BaselineText {
    /// Its value of the first metric.
    pub value: String,
    /// What it predicts, in a few words.
    pub words: String,
    /// Both in a sentence.
    pub sentence: String,
}

/// One run, or one set of folds, of the best trial.
pub struct BestRun {
    /// What it is, before its name.
    pub intro: String,
    /// Its name.
    pub name: String,
    /// Its key, if it is one run.
    pub key: Option<String>,
    /// What it is after a number: `of its best run, lr=1e-4 seed=2`.
    pub of: String,
    /// The first metric.
    pub first: String,
    /// What it is of.
    pub rows: String,
    /// What its interval covers, and the interval.
    pub interval: Option<(String, String)>,
    /// The second metric.
    pub second: String,
    /// Comparison with the baseline, row by row.
    pub verdict: String,
    /// The result with what was decided after training.
    pub decided: Option<String>,
}

/// The trials, best first.
pub struct Ranking {
    /// Title of the section.
    pub title: String,
    /// The mark of the first trial: `best`, or `best so far`.
    pub mark: &'static str,
    /// Heading of the number of runs, if trials have several.
    pub count: Option<&'static str>,
    /// Heading of the metric that ranks, if it is not the first metric itself.
    pub chosen: Option<String>,
    /// Heading of the same metric on the test rows, if no other column has it.
    pub chosen_test: Option<String>,
    /// Heading of the first metric.
    pub first: String,
    /// Heading of the second metric.
    pub second: String,
    /// Heading of the standard deviation of the first metric.
    pub sd: String,
    /// Attributes of the headings of these metrics: see [`View::best_first`].
    pub best_first: [&'static str; 3],
    /// Whether the trials have folds, so that there are results of all folds together.
    pub has_folds: bool,
    /// Headings of the swept keys, each with whether its values are numbers; empty where the names of the trials have them.
    pub axes: Vec<(String, bool)>,
    /// The first trials.
    pub rows: Vec<TrialRow>,
    /// Further trials, which the page folds away.
    pub folded: Vec<TrialRow>,
    /// Sentences that explain the table.
    pub notes: Vec<String>,
}

impl Ranking {
    /// How many trials are folded away.
    pub fn number_folded(&self) -> String {
        super::format::count(self.folded.len() as u64)
    }
}

/// A run in the table of runs.
pub struct RunRow {
    /// Its name.
    pub name: String,
    /// Its key, shortened.
    pub key: String,
    /// The word that marks the run that the page shows: `best`, or `best of its trial`.
    pub badge: Option<&'static str>,
    /// Its state in words.
    pub state: String,
    /// The state's name, for its colour.
    pub state_class: &'static str,
    /// Steps trained and planned.
    pub steps: String,
    /// The step that the kept weights are of, if it is not the last.
    pub kept: Option<String>,
    /// The first metric at the end.
    pub first: String,
    /// Its 95% interval; for a run without a final evaluation, the step at which it was measured.
    pub interval: String,
    /// The value that ranks it.
    pub chosen: String,
    /// For a run without a final evaluation, the step at which that value was measured.
    pub chosen_at: String,
    /// The same metric on the test rows at the end.
    pub chosen_test: String,
    /// Whether one of these two is of an evaluation during training.
    pub not_final: bool,
    /// Attributes of the cells of the first metric, the one that ranks, that on the test rows, and the second: see [`TrialRow::exact`].
    pub exact: [String; 4],
    /// The second metric at the end.
    pub second: String,
    /// Final loss.
    pub loss: String,
    /// Time.
    pub time: String,
    /// Why it has no result.
    pub message: Option<Sentence>,
}

/// A trial in the ranking.
pub struct TrialRow {
    /// Its rank, or a dash.
    pub rank: String,
    /// What distinguishes it from other trials.
    pub name: String,
    /// Its values of the swept keys, in the order of their headings.
    pub axes: Vec<String>,
    /// Whether it is the best of several.
    pub best: bool,
    /// Its state in words, with the kind of a failure.
    pub state: String,
    /// Its state as the page's style names it.
    pub state_class: &'static str,
    /// Runs with a result, of those planned.
    pub n: String,
    /// The value that ranks it: the mean with the interval that the leaderboard shows.
    pub chosen: String,
    /// The same metric on the test rows: the mean with its interval.
    pub chosen_test: String,
    /// Attributes of the cells of these three metrics and of the second, by which the page sorts values that look equal.
    pub exact: [String; 4],
    /// Mean of the first metric with its interval.
    pub first: String,
    /// Its standard deviation, of shares in percentage points.
    pub sd: String,
    /// Mean of the second metric with its interval.
    pub second: String,
    /// The first metric on all folds together, with its interval; how many folds are completed, if not all are.
    pub out_of_fold: String,
    /// The second metric on all folds together.
    pub out_of_fold_second: String,
}

/// A chart and its caption.
pub struct Picture {
    /// File name without its ending.
    pub name: &'static str,
    /// Alternative text.
    pub alt: String,
    /// Caption.
    pub caption: String,
    /// The SVG document.
    pub svg: String,
    /// The same chart for a narrow screen.
    pub narrow: String,
    /// Its values, shown beside the pointer: see [`super::charts::embedded`].
    pub values: String,
    /// Whether it is also a file beside the page.
    pub is_file: bool,
}

/// A probe.
pub struct ProbeRow {
    /// Its number, from 1.
    pub number: usize,
    /// The sentence.
    pub text: String,
    /// Expected label.
    pub expected: String,
    /// Prediction before training.
    pub before: String,
    /// Prediction after training.
    pub after: String,
    /// Whether the latter is right, for its colour.
    pub right: Option<bool>,
}

/// Metrics of a class.
pub struct ClassRow {
    /// Id of the label, which identifies it in a PNG that cannot show its name.
    pub id: usize,
    /// Name of the label.
    pub label: String,
    /// Precision.
    pub precision: String,
    /// Recall.
    pub recall: String,
    /// F1.
    pub f1: String,
    /// Average precision, of sets of labels.
    pub average_precision: String,
    /// Rows.
    pub support: String,
}

/// A pair of labels that the model confuses.
pub struct ConfusedRow {
    /// The label of the rows.
    pub label: String,
    /// The predicted label.
    pub predicted: String,
    /// The number of these rows.
    pub rows: String,
    /// Share of the label's rows.
    pub share: String,
}

/// A row with a wrong prediction, or with a large error.
pub struct MistakeRow {
    /// Line of the data file.
    pub line: u64,
    /// The text.
    pub text: String,
    /// What is shown of it: its label, what is predicted, and the confidence in that or the error.
    pub cells: Vec<String>,
}

/// Charts, in the order of the report.
#[derive(Default)]
pub struct Pictures {
    /// Charts of the sweep.
    pub sweep: Vec<Picture>,
    /// Charts of the training.
    pub training: Vec<Picture>,
    /// Charts of the result.
    pub outcome: Vec<Picture>,
    /// Charts of what training changed in the predictions.
    pub change: Vec<Picture>,
    /// Chart of the probes.
    pub probes: Option<Picture>,
    /// Charts of the best run's predictions.
    pub details: Vec<Picture>,
}

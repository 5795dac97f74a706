//! What can be done with the best run: commands for a shell.

use crate::{
    format::command::shell_word,
    plan::{Keep, RunConfig},
    report::{analysis::Analysis, environment, format, input::ReportInput, language::tr, sweep::may_be_drawn},
    store::{ExperimentRecord, RunRecord},
};

/// Keys that repeat a trial instead of changing it.
const REPLICATES: [&str; 2] = ["train.seed", "data.fold"];

/// What each command does, and the command. They name no runs folder, as those that reproduce the report. Of a cross-validation there are none:
/// none of its models is trained on all rows.
pub(super) fn uses(input: &ReportInput, analysis: &Analysis) -> Vec<(String, String)> {
    let best = analysis.best().filter(|_| !analysis.has_folds()).map(|best| &input.runs[best].run);
    let Some(best) = best else { return Vec::new() };
    let key = format::short(&best.key);
    let which = match (analysis.has_several(), input.runs.len() > 1) {
        (true, _) => tr!("the best run of {}", "{}的最佳运行", analysis.progress.best_trial()),
        (false, true) => tr("the best run", "最佳运行").into(),
        (false, false) => tr("the run", "该运行").into(),
    };
    let mut uses = Vec::new();
    if best.config.checkpoint.keep != Keep::None {
        uses.push((
            tr!("Predict the rows of FILE with the model of {which}:", "用{which}的模型预测 FILE 的各行："),
            format!("taper predict {key} --file FILE"),
        ));
        uses.push((
            tr("Copy this model to a new folder, for transformers:", "把该模型复制到新文件夹，供 transformers 使用：")
                .into(),
            format!("taper export {key} DIR"),
        ));
    }
    if analysis.has_several() {
        uses.push(alone(&input.experiment, best));
    }
    uses
}

/// The command that trains the setting of the best trial alone.
fn alone(experiment: &ExperimentRecord, best: &RunRecord) -> (String, String) {
    let config = &best.config;
    let name = format!("--set {}", shell_word(&format!("name={}-best", experiment.name)));
    let keeps = if config.checkpoint.keep == Keep::None { " --set checkpoint.keep=best" } else { "" };
    match settings(experiment, config) {
        Some(settings) => {
            let run = environment::run_again(experiment);
            let set: String = settings.iter().map(|setting| format!(" --set {}", shell_word(setting))).collect();
            (
                tr(
                "The best setting alone, as an experiment of its own, for example to add seeds (sweep.seeds) or epochs:",
                "把最佳设置作为单独的实验来训练，例如增加种子（sweep.seeds）或轮数：",
            )
            .into(),
                format!("{run} {name}{set}{keeps}"),
            )
        }
        // A search cannot be narrowed to one point.
        None => (
            tr(
                "The best run alone, for example to train it longer: its spec is in its folder, here that of the default runs folder:",
                "单独训练最佳运行，例如延长训练：它的 spec 在它的目录里，这里按默认的运行目录写出：",
            )
            .into(),
            format!("taper run runs/{}/run.toml {name}{keeps}", format::short(&best.key)),
        ),
    }
}

/// `sweep.axes.KEY=[VALUE]` for each axis of a grid; `None` if its points are not those of lists alone.
fn settings(experiment: &ExperimentRecord, config: &RunConfig) -> Option<Vec<String>> {
    if may_be_drawn(experiment) {
        return None;
    }
    let texts = std::iter::once(&experiment.spec_text).chain(experiment.extends.iter().map(|file| &file.text));
    let mut keys: Vec<String> = Vec::new();
    for text in texts {
        let table: toml::Table = text.parse().ok()?;
        // Earlier versions did not store the texts of extended files: their axes are unknown.
        if experiment.extends.is_empty() && table.contains_key("extends") {
            return None;
        }
        let sweep = table.get("sweep").and_then(toml::Value::as_table);
        if table.contains_key("profile") || sweep.is_some_and(|sweep| sweep.contains_key("zip")) {
            return None;
        }
        if let Some(axes) = sweep.and_then(|sweep| sweep.get("axes")?.as_table()) {
            leaves("", axes, &mut keys);
        }
    }
    for argument in &experiment.arguments {
        let key = argument.split_once('=').map_or(argument.as_str(), |(key, _)| key);
        match key.strip_prefix("sweep.axes.") {
            Some(key) => keys.push(key.into()),
            None if ["sweep", "sweep.axes", "sweep.zip"].contains(&key) => return None,
            None => {}
        }
    }
    keys.retain(|key| !REPLICATES.contains(&key.as_str()));
    let mut seen = std::collections::HashSet::new();
    keys.retain(|key| seen.insert(key.clone()));
    let config = serde_json::to_value(config).ok()?;
    let setting = |key: &String| {
        let value = config.pointer(&format!("/{}", key.replace('.', "/")))?;
        Some(format!("sweep.axes.{key}=[{}]", written(value)?))
    };
    keys.iter().map(setting).collect::<Option<Vec<String>>>().filter(|settings| !settings.is_empty())
}

/// The dotted keys of lists, and of tables that are ranges.
fn leaves(prefix: &str, table: &toml::Table, into: &mut Vec<String>) {
    for (key, value) in table {
        let key = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match value {
            toml::Value::Table(table) if table.values().all(|value| value.is_table() || value.is_array()) => {
                leaves(&key, table, into);
            }
            _ => into.push(key),
        }
    }
}

/// A value as TOML.
fn written(value: &serde_json::Value) -> Option<String> {
    match value {
        serde_json::Value::Number(number) if number.is_f64() => {
            let text = crate::format::setting(number.as_f64()?);
            Some(if text.contains(['.', 'e']) { text } else { format!("{text}.0") })
        }
        serde_json::Value::Array(items) => {
            Some(format!("[{}]", items.iter().map(written).collect::<Option<Vec<String>>>()?.join(", ")))
        }
        serde_json::Value::Null | serde_json::Value::Object(_) => None,
        // Strings of JSON are strings of TOML.
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{SpecFile, testing::experiment};

    fn config() -> RunConfig {
        let mut config: RunConfig =
            serde_json::from_str(include_str!("../../../tests/fixtures/store_config.json")).unwrap();
        (config.train.lr, config.train.batch_size) = (3e-5, 16);
        config.train.betas = (0.9, 1.0);
        config
    }

    fn of(spec: &str, extended: &str, arguments: &[&str]) -> Option<Vec<String>> {
        let extends = vec![SpecFile { path: "base.toml".into(), text: extended.into() }];
        let (spec_text, arguments) = (spec.into(), arguments.iter().map(|argument| argument.to_string()).collect());
        settings(&ExperimentRecord { spec_text, extends, arguments, ..experiment("e", &[]) }, &config())
    }

    #[test]
    fn the_axes_of_a_grid_are_set_to_the_values_of_the_run() {
        let grid = "[sweep.axes]\ntrain.lr = [3e-5, 1e-4]\ntrain.seed = [1, 2]\n";
        let lr = "sweep.axes.train.lr=[3e-5]".to_string();
        assert_eq!(of(grid, "", &[]), Some(vec![lr.clone()]));
        // Of all files, and of the command line.
        let extended = "[sweep.axes]\ntrain.batch_size = [8, 16]\ntrain.lr = [1.0]\n";
        let more = ["--set", "sweep.axes.train.betas=[[0.9, 1.0]]", "--set", "train.epochs=3"];
        let betas = "sweep.axes.train.betas=[[0.9, 1.0]]".to_string();
        assert_eq!(of(grid, extended, &more), Some(vec![lr, "sweep.axes.train.batch_size=[16]".into(), betas]));
    }

    #[test]
    fn points_that_are_not_those_of_lists_alone_are_not_set() {
        let grid = "[sweep.axes]\ntrain.lr = [3e-5, 1e-4]\n";
        assert!(of(grid, "[sweep]\nsearch = \"tpe\"\n", &[]).is_none());
        assert!(of(grid, "[[sweep.zip]]\nlr = [1e-5]\n", &[]).is_none());
        assert!(of(grid, "[profile.long.sweep.axes]\ntrain.epochs = [3, 4]\n", &[]).is_none());
        assert!(of("[sweep.axes]\ntrain.eval_steps = [{}]\n", "", &[]).is_some_and(|all| all.len() == 1));
        assert!(of("[sweep.axes]\ntrain.no_such_key = [1]\n", "", &[]).is_none());
    }
}

//! The YAML header of a card, as the Hugging Face Hub reads it.

use super::{
    hub_metrics,
    input::{CardInput, Stored, name_of},
    yaml::{Yaml, written},
};
use crate::{
    event::Split,
    metrics::{Metric, Metrics},
    plan::Source,
    task::Task,
};

/// The task of the hub.
const TASK: &str = "text-classification";

/// The header, with the lines around it.
pub(super) fn header(input: &CardInput<'_>) -> String {
    let run = &input.run.run;
    let mut map: Vec<(&'static str, Yaml)> = Vec::new();
    if let Some((languages, _)) = input.languages() {
        map.push(("language", Yaml::texts(&languages)));
    }
    if let Some(license) = &input.base.license {
        map.push(("license", Yaml::text(license)));
        map.extend(input.base.license_name.iter().map(|name| ("license_name", Yaml::text(name))));
        map.extend(input.base.license_link.iter().map(|link| ("license_link", Yaml::text(link))));
    }
    let is_onnx = matches!(input.stored, Stored::Onnx(_));
    map.push(("library_name", Yaml::text(if is_onnx { "onnx" } else { "transformers" })));
    map.push(("pipeline_tag", Yaml::text(TASK)));
    map.push(("tags", Yaml::texts(&tags(input))));
    if let Source::Hub(repository) = &run.config.model.source {
        map.push(("base_model", Yaml::text(&repository.repo)));
        map.push(("base_model_relation", Yaml::text("finetune")));
    }
    let datasets = datasets(input);
    if !datasets.is_empty() {
        map.push(("datasets", Yaml::texts(&datasets)));
    }
    // Another file of weights gives other results.
    if let Some(metrics) = input.tested().filter(|_| input.is_as_measured()) {
        let ids = ids(input, metrics);
        if !ids.is_empty() {
            map.push(("metrics", Yaml::texts(&ids)));
            map.push(("model-index", index(input, metrics)));
        }
    }
    format!("---\n{}---\n", written(&map))
}

fn tags(input: &CardInput<'_>) -> Vec<&'static str> {
    let of_task = match input.config().task() {
        Task::SingleLabel => None,
        Task::MultiLabel => Some("multi-label-classification"),
        Task::Regression => Some("regression"),
    };
    let pairs = input.config().text_pair_column.as_ref().map(|_| "sentence-pairs");
    ["taper"].into_iter().chain(of_task).chain(pairs).collect()
}

/// The datasets of the hub that rows are from.
fn datasets(input: &CardInput<'_>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for split in [Split::Train, Split::Dev, Split::Test] {
        if let Source::Hub(repository) = input.source_of(split)
            && !found.contains(&repository.repo)
        {
            found.push(repository.repo.clone());
        }
    }
    found
}

/// The metrics of the run that the hub knows, with their values.
fn known<'a>(input: &CardInput<'a>, metrics: &'a Metrics) -> impl Iterator<Item = (Metric, f64)> {
    input.metrics().map(|metric| (metric, metrics.get(metric))).filter(|(_, value)| value.is_finite())
}

fn ids(input: &CardInput<'_>, metrics: &Metrics) -> Vec<&'static str> {
    let mut ids = Vec::new();
    for (id, _) in known(input, metrics).filter_map(|(metric, _)| hub_metrics::of(metric)) {
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    ids
}

/// `model-index`: the results on the test split.
fn index(input: &CardInput<'_>, metrics: &Metrics) -> Yaml {
    let measured = known(input, metrics).filter_map(|(metric, value)| {
        let (id, args) = hub_metrics::of(metric)?;
        let mut entry = vec![
            ("type", Yaml::text(id)),
            ("value", Yaml::Number(value)),
            ("name", Yaml::text(&crate::report::format::capital(metric.name()))),
        ];
        entry.extend(args.map(|args| ("args", Yaml::Map(vec![args]))));
        Some(Yaml::Map(entry))
    });
    let result = Yaml::Map(vec![
        ("task", Yaml::Map(vec![("type", Yaml::text(TASK)), ("name", Yaml::text("Text Classification"))])),
        ("dataset", Yaml::Map(dataset(input))),
        ("metrics", Yaml::List(measured.collect())),
    ]);
    let name = Yaml::text(&input.run.run.config.name);
    Yaml::List(vec![Yaml::Map(vec![("name", name), ("results", Yaml::List(vec![result]))])])
}

/// The rows of the test split.
fn dataset(input: &CardInput<'_>) -> Vec<(&'static str, Yaml)> {
    let (data, source) = (input.config(), input.source_of(Split::Test));
    let id = match source {
        Source::Hub(repository) => Some(repository.repo.as_str()),
        _ => None,
    };
    let name = name_of(source);
    // The hub asks for an id. `custom` is what cards of local data have there.
    let mut map = vec![("name", Yaml::text(&name)), ("type", Yaml::text(id.unwrap_or("custom")))];
    map.extend(data.config.as_ref().filter(|_| source == &data.source).map(|config| ("config", Yaml::text(config))));
    let named = data.splits.as_ref().filter(|_| data.split_column.is_none()).and_then(|splits| splits.test.as_deref());
    map.push(("split", Yaml::text(named.unwrap_or("test"))));
    if let Some(revision) = id.and_then(|_| revision(input, source)) {
        map.push(("revision", Yaml::text(&revision)));
    }
    let mut args = Vec::new();
    if let Some(fold) = data.fold {
        args.push(("fold", Yaml::text(&fold.to_string())));
    } else if data.test.share() > 0.0 {
        args.push(("held_out", Yaml::Number(data.test.share())));
    }
    if !args.is_empty() {
        args.push(("seed", Yaml::Whole(data.seed)));
        map.push(("args", Yaml::Map(args)));
    }
    map
}

/// The commit of the dataset that was read.
fn revision(input: &CardInput<'_>, source: &Source) -> Option<String> {
    if source != &input.config().source {
        return None;
    }
    let used: Source = input.run.run.environment.as_ref()?.data_source.parse().ok()?;
    match used {
        Source::Hub(repository) => repository.revision,
        _ => None,
    }
}

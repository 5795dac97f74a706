//! The environments that the runs were trained in, and the commands that reproduce them.

use super::{format, input::RunInput};
use crate::report::language::tr;
use crate::{
    format::command::shell_word,
    store::{Environment, ExperimentRecord},
};

/// An environment and the runs that were trained in it.
pub struct SharedEnvironment {
    /// Names of the runs; empty where all share the environment.
    pub runs: String,
    /// (name, value) pairs.
    pub facts: Vec<(&'static str, String)>,
}

/// The environments of the runs, in the order they first appear. Environments that differ only in what cannot change a result
/// (threads, the commit of the working folder) count as one.
pub fn environments(runs: &[RunInput]) -> Vec<SharedEnvironment> {
    let mut found: Vec<(Environment, Vec<&RunInput>)> = Vec::new();
    for run in runs {
        let Some(environment) = &run.run.environment else { continue };
        let counts = Environment {
            threads: 0,
            git_commit: None,
            learning_rates: String::new(),
            texts: Vec::new(),
            ..environment.clone()
        };
        match found.iter_mut().find(|(e, _)| *e == counts) {
            Some((_, of)) => of.push(run),
            None => found.push((counts, vec![run])),
        }
    }
    let differ = found.len() > 1;
    let shared = |(e, of): (Environment, Vec<&RunInput>)| {
        let names: Vec<&str> = of.iter().map(|run| run.run.name.as_str()).collect();
        let each = || of.iter().filter_map(|run| run.run.environment.as_ref());
        let commits = distinct(each().map(|e| match &e.git_commit {
            Some(commit) => commit.clone(),
            None => tr("not a git repository", "不是 git 仓库").into(),
        }));
        let threads = distinct(each().map(|e| e.threads.to_string()));
        SharedEnvironment {
            runs: if differ { names.join("; ") } else { String::new() },
            facts: facts(&e, commits, threads),
        }
    };
    found.into_iter().map(shared).collect()
}

/// Whether the runs' environments differ in something that can change the last digits of a result.
pub fn digits_may_differ(runs: &[RunInput]) -> bool {
    let arithmetic = |e: &Environment| {
        // Two GPUs of the same model give the same numbers.
        let device = if e.gpu.is_empty() { e.device.clone() } else { e.gpu_with_libraries() };
        (e.platform.clone(), e.cpu.clone(), device, e.numerics, e.micro_batch_tokens)
    };
    let mut found = runs.iter().filter_map(|run| run.run.environment.as_ref()).map(arithmetic);
    found.next().is_some_and(|first| found.any(|other| other != first))
}

fn distinct(texts: impl Iterator<Item = String>) -> String {
    let mut found: Vec<String> = Vec::new();
    for text in texts {
        if !found.contains(&text) {
            found.push(text);
        }
    }
    found.join(tr(" or ", " 或 "))
}

fn facts(e: &Environment, commits: String, threads: String) -> Vec<(&'static str, String)> {
    let or_nothing = |text: &str| if text.is_empty() { format::NOTHING.to_string() } else { text.to_string() };
    let mut facts = vec![
        ("taper", tr!("{} (arithmetic version {})", "{}（算术版本 {}）", or_nothing(&e.taper), e.numerics)),
        (tr("commit", "提交"), commits),
        (tr("platform", "平台"), or_nothing(&e.platform)),
        (tr("processor", "处理器"), or_nothing(&e.cpu)),
        (
            tr("device", "设备"),
            if e.gpu.is_empty() { or_nothing(&e.device) } else { format!("{}: {}", e.device, e.gpu_with_libraries()) },
        ),
        (tr("threads", "线程数"), tr!("{threads} (no result depends on them)", "{threads}（结果与它无关）")),
        (tr("data (SHA-256)", "数据（SHA-256）"), or_nothing(&e.data_digest)),
        (
            tr("model (SHA-256)", "模型（SHA-256）"),
            if e.model_digest.is_empty() {
                tr("none: trained from scratch", "无：从零训练").into()
            } else {
                e.model_digest.clone()
            },
        ),
    ];
    let sources = [(tr("data from", "数据来源"), &e.data_source), (tr("model from", "模型来源"), &e.model_source)];
    facts.extend(
        sources.into_iter().filter(|(_, source)| !source.is_empty()).map(|(name, source)| (name, source.clone())),
    );
    facts
}

/// POSIX shell commands that run the experiment, write the report, and retrain the run `key` to compare it bit for bit. They name no runs
/// folder: a report has the same bytes wherever its database is.
pub fn commands(experiment: &ExperimentRecord, key: Option<&str>) -> Vec<String> {
    let run = run_again(experiment);
    let report = format!("taper report {}", shell_word(&experiment.name));
    let verify = key.map(|key| format!("taper verify {}", format::short(key)));
    [run, report].into_iter().chain(verify).collect()
}

/// The command that trains the experiment's plan, with the spec file and the settings of its last `taper run`.
pub fn run_again(experiment: &ExperimentRecord) -> String {
    let words = std::iter::once(experiment.spec_path.as_str()).chain(experiment.arguments.iter().map(String::as_str));
    let words: Vec<_> = words.map(shell_word).collect();
    format!("taper run {}", words.join(" "))
}

/// The files that the spec extends: path and text. Earlier versions stored only their names, in the spec.
pub fn extends(experiment: &ExperimentRecord) -> Vec<(String, String)> {
    if !experiment.extends.is_empty() {
        return experiment.extends.iter().map(|file| (file.path.clone(), file.text.clone())).collect();
    }
    let spec: toml::Table = experiment.spec_text.parse().unwrap_or_default();
    let named = spec.get("extends").and_then(|value| value.as_array().cloned()).unwrap_or_default();
    named.iter().filter_map(|name| Some((name.as_str()?.to_string(), String::new()))).collect()
}

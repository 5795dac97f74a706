//! The sections on settings, environment and how to repeat the training.

use std::path::PathBuf;

use super::{
    data,
    input::{CardInput, name_of},
    page::Page,
    trial::differs_in,
};
use crate::report::language::{Said, tr};
use crate::{
    event::When,
    format::{command::shell_word, count, setting, short},
    plan::{ClassWeights, Keep, LossKind, Repository, RunConfig, Source},
    report::{environment::environments, weights::without_best},
    store::Environment,
};

/// Writes the settings.
pub(super) fn settings(input: &CardInput<'_>, page: &mut Page) {
    let run = &input.run.run;
    let (train, checkpoint) = (&run.config.train, &run.config.checkpoint);
    page.heading(2, tr("Training", "训练"));
    let mut rows: Vec<(&str, String)> = vec![
        (tr("Base model", "基础模型"), base_name(&run.config.model.source)),
        (tr("Epochs", "轮数"), train.epochs.to_string()),
        (tr("Steps", "步数"), steps(input)),
        (tr("Batch size", "批大小"), batch(&run.config)),
        (tr("Learning rate", "学习率"), rate(input)),
        (tr("Schedule", "学习率调度"), scheduler(&run.config)),
        (tr("Optimizer", "优化器"), optimizer(&run.config)),
        (tr("Precision", "精度"), precision(&run.config)),
        (tr("Longest text (tokens)", "文本上限（词元）"), count(run.config.data.max_length as u64)),
        (tr("Seed", "种子"), train.seed.to_string()),
    ];
    if train.max_grad_norm > 0.0 {
        rows.push((tr("Gradient clipping (norm)", "梯度裁剪（范数）"), setting(train.max_grad_norm)));
    }
    if let Some(dropout) = train.dropout {
        rows.push(("Dropout", setting(dropout)));
    }
    if train.loss != LossKind::Standard {
        rows.push((tr("Loss", "损失"), tr!("focal, gamma {}", "focal，gamma {}", setting(train.gamma()))));
    }
    if train.label_smoothing > 0.0 {
        rows.push((tr("Label smoothing", "标签平滑"), setting(train.label_smoothing)));
    }
    match &train.class_weights {
        ClassWeights::None => {}
        ClassWeights::Balanced => {
            rows.push((tr("Class weights", "类别权重"), tr("balanced", "按频率平衡").into()));
        }
        ClassWeights::Given(weights) => {
            let all: Vec<String> = weights.iter().map(|weight| setting(*weight)).collect();
            rows.push((tr("Class weights", "类别权重"), all.join(", ")));
        }
    }
    if !train.freeze.is_empty() {
        rows.push((tr("Frozen", "冻结"), train.freeze.join(", ")));
    }
    if train.early_stopping_patience > 0 {
        let patience = train.early_stopping_patience.to_string();
        rows.push((tr("Early stopping (evaluations)", "提前停止（评估次数）"), patience));
    }
    if checkpoint.keep == Keep::Best && run.config.data.has_dev() {
        let best = || tr!("the best by dev {}", "开发集{}最好的", checkpoint.metric.said());
        let by = without_best(run, &input.run.evals).unwrap_or_else(best);
        rows.push((tr("Kept checkpoint", "保留的检查点"), by));
    }
    if let Some(trial) = input.trial().filter(|trial| trial.planned() > 1) {
        let what = differs_in(trial);
        rows.push((tr("Runs of the trial", "试验的运行"), tr!("{}, by {what}", "{}（按{what}）", trial.planned())));
    }
    let heads = [tr("Setting", "设置"), tr("Value", "值")].map(String::from);
    let rows: Vec<Vec<String>> = rows.into_iter().map(|(name, value)| vec![name.to_owned(), value]).collect();
    page.table(&heads, &rows);
}

/// What was fine-tuned.
fn base_name(source: &Source) -> String {
    match source {
        Source::Scratch(_) => tr("none: trained from random weights", "无：从随机权重开始训练").into(),
        other => name_of(other),
    }
}

/// The steps that were trained, and the one whose weights were kept.
fn steps(input: &CardInput<'_>) -> String {
    let run = &input.run.run;
    let kept = input.run.evals.iter().find(|eval| eval.when == When::After).map(|eval| eval.step);
    let trained = match run.steps < run.total_steps {
        true => tr!("{} of {}", "{}（共 {} 步）", count(run.steps), count(run.total_steps)),
        false => count(run.steps),
    };
    match kept.filter(|step| *step != run.steps) {
        Some(step) => tr!("{trained}; weights of step {}", "{trained}；权重取自第 {} 步", count(step)),
        None => trained,
    }
}

fn batch(config: &RunConfig) -> String {
    let train = &config.train;
    match train.gradient_accumulation_steps {
        0 | 1 => train.batch_size.to_string(),
        times => tr!("{} × {times} (accumulated)", "{} × {times}（累积）", train.batch_size),
    }
}

/// The learning rate, and how it differs between parts of the model.
fn rate(input: &CardInput<'_>) -> String {
    let train = &input.run.run.config.train;
    let mut text = setting(train.lr);
    if let Some(head) = train.head_lr {
        text += &tr!("; head {}", "；分类头 {}", setting(head));
    }
    if let Some(decay) = train.layer_lr_decay {
        text += &tr!("; × {} for each layer below", "；每往下一层 × {}", setting(decay));
    }
    text
}

fn scheduler(config: &RunConfig) -> String {
    let train = &config.train;
    let name = serde_json::to_value(train.scheduler).ok();
    let name = name.and_then(|value| value.as_str().map(String::from)).unwrap_or_default();
    match (train.warmup_steps, train.warmup_ratio) {
        (0, 0.0) => name,
        (0, ratio) => tr!("{name}, warmup over {}", "{name}，预热 {}", crate::format::percent(ratio)),
        (steps, _) => tr!("{name}, warmup over {} steps", "{name}，预热 {} 步", count(steps)),
    }
}

fn optimizer(config: &RunConfig) -> String {
    let train = &config.train;
    tr!(
        "AdamW, betas {} and {}, weight decay {}",
        "AdamW，β 为 {} 和 {}，权重衰减 {}",
        setting(train.betas.0),
        setting(train.betas.1),
        setting(train.weight_decay)
    )
}

fn precision(config: &RunConfig) -> String {
    let value = serde_json::to_value(config.train.precision).ok();
    value.and_then(|value| value.as_str().map(String::from)).unwrap_or_default()
}

/// Writes the environment.
pub(super) fn environment(input: &CardInput<'_>, page: &mut Page) {
    let shared = environments(std::slice::from_ref(input.run));
    let rows: Vec<Vec<String>> =
        shared.into_iter().flat_map(|shared| shared.facts).map(|(name, value)| vec![name.to_owned(), value]).collect();
    if rows.is_empty() {
        return;
    }
    page.heading(2, tr("Environment", "环境"));
    page.table(&[tr("What", "项目"), tr("Value", "值")].map(String::from), &rows);
}

/// Writes how to train it again.
pub(super) fn reproduce(input: &CardInput<'_>, page: &mut Page) {
    let run = &input.run.run;
    page.heading(2, tr("Reproduce", "复现"));
    let remote = |source: &Source| source.is_remote();
    let data = &run.config.data;
    let mut sources = vec![&run.config.model.source, &data.source];
    sources.extend(data.files_of_splits().map(|(_, source)| source));
    let local = sources.iter().any(|source| matches!(source, Source::Path(_)));
    let note = match (local, sources.iter().any(|source| remote(source))) {
        (true, _) => tr(
            "Save this as `run.toml`, with the local files beside it. The same version of taper on the same kind of device gives the same \
             weights, bit for bit.",
            "把以下内容存为 `run.toml`，并把本地文件放在它旁边。同一版本的 taper 在同类设备上会得到逐位相同的权重。",
        ),
        (false, _) => tr(
            "Save this as `run.toml`. The same version of taper on the same kind of device gives the same weights, bit for bit.",
            "把以下内容存为 `run.toml`。同一版本的 taper 在同类设备上会得到逐位相同的权重。",
        ),
    };
    page.paragraph(note);
    if let Ok(text) = portable(input).to_toml() {
        page.code("toml", &text);
    }
    page.code("bash", "taper run run.toml");
    let name = shell_word(&run.config.name);
    page.paragraph(&tr!(
        "Where it was trained, it is run `{}` of the experiment {name}; `taper verify {0}` trains it again and compares.",
        "在训练它的机器上，它是实验 {name} 的运行 `{0}`；`taper verify {0}` 会重新训练并比较。",
        short(&run.key)
    ));
}

/// The config without probes, which are sentences of the user, with files by their names alone and repositories at the commits that were used.
fn portable(input: &CardInput<'_>) -> RunConfig {
    let mut config = input.run.run.config.clone();
    config.probes.clear();
    let used = |of: fn(&Environment) -> &String| {
        let environment = input.run.run.environment.as_ref()?;
        let used: Source = of(environment).parse().ok()?;
        repository_of(&used)?.revision.clone()
    };
    let [model, data] = [used(|environment| &environment.model_source), used(|environment| &environment.data_source)];
    pin(&mut config.model.source, model);
    pin(&mut config.data.source, data);
    // Files of one name are in folders of their own: `2/reviews.csv`.
    let mut named: Vec<(PathBuf, PathBuf)> = Vec::new();
    for source in std::iter::once(&mut config.model.source).chain(config.data.sources_mut()) {
        if let Some(path) = source.local_mut()
            && let Some(name) = path.file_name().map(PathBuf::from)
        {
            let known = named.iter().find(|(from, _)| from == path).map(|(_, to)| to.clone());
            let to = known.unwrap_or_else(|| {
                let alike = named.iter().filter(|(from, _)| from.file_name() == Some(name.as_os_str())).count();
                let to = if alike == 0 { name.clone() } else { PathBuf::from((alike + 1).to_string()).join(&name) };
                named.push((path.clone(), to.clone()));
                to
            });
            *path = to;
        }
        // What follows `?` may be a secret.
        if let Source::Web(file) = source
            && let Some(at) = file.url.find('?')
        {
            file.url.truncate(at);
        }
    }
    config
}

fn repository_of(source: &Source) -> Option<&Repository> {
    match source {
        Source::Hub(repository) | Source::ModelScope(repository) => Some(repository),
        _ => None,
    }
}

fn pin(source: &mut Source, revision: Option<String>) {
    if let (Source::Hub(repository) | Source::ModelScope(repository), Some(revision)) = (source, revision) {
        repository.revision = Some(revision);
    }
}

/// What it was fine-tuned from, as a link.
pub(super) fn base_link(source: &Source) -> Option<String> {
    let name = super::page::md(&name_of(source));
    match source {
        Source::Hub(repository) => Some(format!("[{name}](https://huggingface.co/{})", repository.repo)),
        Source::ModelScope(repository) => Some(format!("[{name}](https://modelscope.cn/models/{})", repository.repo)),
        Source::Scratch(_) => None,
        other => Some(data::linked(other, None)),
    }
}

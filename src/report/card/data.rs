//! The section on the data: its source, what was read, and its splits with their labels.

use super::{
    input::{CardInput, Known, name_of},
    page::{Page, md},
};
use crate::report::language::{Said, counted, tr};
use crate::{
    event::Split,
    format::percent,
    plan::Source,
    report::{audit, format, long_texts},
    store::DataAudit,
};

/// Writes it.
pub(super) fn write(input: &CardInput<'_>, page: &mut Page) {
    page.heading(2, tr("Data", "数据"));
    page.linked(&sources(input));
    if let Some(how) = how_split(input) {
        page.paragraph(&how);
    }
    let run = std::slice::from_ref(input.run);
    let section = audit::of_runs(run).unwrap_or_default();
    for table in section.sets.iter().flat_map(|set| &set.tables) {
        let heads: Vec<String> =
            std::iter::once(String::new()).chain(table.splits.iter().map(|split| format::capital(split))).collect();
        let rows: Vec<Vec<String>> =
            table.rows.iter().map(|(name, cells)| [name].into_iter().chain(cells).cloned().collect()).collect();
        page.table(&heads, &rows);
    }
    if section.sets.is_empty() {
        page.table(&heads_of_sizes(), &sizes(input));
    }
    let mut sentences = Vec::new();
    sentences.extend(input.run.audit.as_ref().map(read));
    let texts = input.run.run.environment.as_ref().map(|environment| &environment.texts[..]).unwrap_or_default();
    if !texts.is_empty() {
        let how = long_texts(input.config().long_texts(), texts, None);
        sentences.push(tr!("Long texts: {how}.", "长文本：{how}。"));
    }
    sentences.push(language(input));
    page.paragraph(&sentences.join(tr(" ", "")));
}

/// Where the rows are from.
fn sources(input: &CardInput<'_>) -> String {
    let train = input.source_of(Split::Train);
    let mut parts = vec![tr!("Training rows: {}.", "训练数据：{}。", linked(train, input.config().config.as_deref()))];
    for split in [Split::Dev, Split::Test] {
        let own = input.source_of(split);
        if own != train {
            parts.push(tr!("{} rows: {}.", "{}：{}。", format::capital(split.said()), linked(own, None)));
        }
    }
    parts.join(tr(" ", ""))
}

/// A source as a link, if it has an address.
pub(super) fn linked(source: &Source, config: Option<&str>) -> String {
    let name = md(&name_of(source));
    let link = match source {
        Source::Hub(repository) => format!("[{name}](https://huggingface.co/datasets/{})", repository.repo),
        Source::ModelScope(repository) => {
            tr!(
                "[{name}](https://modelscope.cn/datasets/{}) on ModelScope",
                "ModelScope 上的 [{name}](https://modelscope.cn/datasets/{})",
                repository.repo
            )
        }
        Source::Path(_) => tr!("the local file {name}", "本地文件 {name}"),
        Source::Web(_) => tr!("the file {name} of a web server", "网络文件 {name}"),
        Source::Scratch(_) => name,
    };
    match config {
        Some(config) => tr!("{link}, configuration {}", "{link}，配置 {}", md(config)),
        None => link,
    }
}

/// How the rows were divided; `None` if all splits have files of their own.
fn how_split(input: &CardInput<'_>) -> Option<String> {
    let data = input.config();
    let mut parts = Vec::new();
    if let Some(fold) = data.fold {
        parts.push(tr!("test: fold {fold} of a cross-validation", "测试集：交叉验证的第 {fold} 折"));
    }
    for (split, held) in [(Split::Test, &data.test), (Split::Dev, &data.dev)] {
        if held.share() > 0.0 && (split == Split::Dev || data.fold.is_none()) {
            parts.push(tr!("{}: {} of the rows", "{}：{} 的行", split.said(), percent(held.share())));
        }
    }
    if let Some(splits) = &data.splits {
        let named: Vec<String> = splits.named().map(|(_, value)| format!("“{value}”")).collect();
        let named = named.join(tr(", ", "、"));
        parts.push(match &data.split_column {
            Some(column) => tr!("by the column “{column}”: {named}", "按列“{column}”：{named}"),
            None => tr!("the splits {named} of the dataset", "数据集的划分 {named}"),
        });
    }
    if let Some(column) = &data.group_column {
        parts.push(tr!("rows with the same “{column}” are in one split", "“{column}”相同的行在同一划分"));
    }
    let drawn = data.fold.is_some() || data.test.share() > 0.0 || data.dev.share() > 0.0;
    if drawn {
        let how = if data.stratify { tr("stratified by label, ", "按标签分层，") } else { "" };
        parts.push(tr!("{how}drawn with seed {}", "{how}抽样种子 {}", data.seed));
    }
    (!parts.is_empty()).then(|| tr!("Splits: {}.", "划分：{}。", parts.join(tr("; ", "；"))))
}

/// What was read and left out.
fn read(audit: &DataAudit) -> String {
    let read: u64 = audit.sources.iter().map(|source| source.read).sum();
    let dropped: u64 = audit
        .sources
        .iter()
        .map(|source| source.without_text.rows + source.without_pair.rows + source.without_label.rows)
        .sum();
    let mut parts = vec![tr!("{} read", "读入 {}", counted(read, "row"))];
    if dropped > 0 {
        let rows = counted(dropped, "row");
        parts.push(tr!("{rows} left out, without a text or a label", "略去没有文本或标签的 {rows}"));
    }
    if audit.repeats > 0 {
        parts.push(tr!("{} repeat an earlier text", "{}与前面的文本重复", counted(audit.repeats, "row")));
    }
    if audit.contradicting.rows > 0 {
        let rows = counted(audit.contradicting.rows, "row");
        parts.push(tr!("{rows} have a text that also has another label", "{rows}的文本还有别的标签"));
    }
    tr!("{}.", "{}。", parts.join(tr("; ", "；")))
}

fn heads_of_sizes() -> Vec<String> {
    [tr("Split", "划分"), tr("Rows", "行数")].map(String::from).into()
}

/// The rows of each split, of records of earlier versions.
fn sizes(input: &CardInput<'_>) -> Vec<Vec<String>> {
    let Some(size) = input.run.run.size else { return Vec::new() };
    [(Split::Train, size.train_rows), (Split::Dev, size.dev_rows), (Split::Test, size.test_rows)]
        .into_iter()
        .filter(|(_, rows)| *rows > 0)
        .map(|(split, rows)| vec![format::capital(split.said()), format::count(rows)])
        .collect()
}

/// Which language the texts are in, and how that is known.
fn language(input: &CardInput<'_>) -> String {
    match input.languages() {
        Some((codes, known)) => {
            let codes = codes.join(", ");
            match known {
                Known::DataCard => {
                    tr!("Language: {codes}, as the card of the dataset says.", "语言：{codes}（据数据集的卡片）。")
                }
                Known::Letters => tr!(
                    "Language: {codes}, by the letters of the evaluated rows.",
                    "语言：{codes}（据所评测的各行的文字）。"
                ),
                Known::BaseCard => {
                    tr!("Language: {codes}, as the card of the base model says.", "语言：{codes}（据基础模型的卡片）。")
                }
            }
        }
        None => tr("The language of the texts is not known.", "文本的语言未知。").into(),
    }
}

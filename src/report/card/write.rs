//! The card, section by section.

use sha2::{Digest, Sha256};

use super::{
    data,
    header::header,
    input::{CardInput, Stored},
    limits,
    page::Page,
    results, training, trial, uses,
};
use crate::report::language::{Language, counted, tr};
use crate::{plan::Source, report::format, task::Task};

/// What the last line begins with.
const MARK: &str = "<!-- taper:";

/// The most labels that are listed.
const MOST: usize = 100;

/// Writes a card in a language. Its header is the same in all of them.
pub fn card(input: &CardInput<'_>, language: Language) -> String {
    let page = language.during(|| {
        let mut page = Page::default();
        page.heading(1, &input.run.run.config.name);
        page.linked(&about(input));
        uses::write(input, &mut page);
        labels(input, &mut page);
        results::write(input, &mut page);
        trial::write(input, &mut page);
        limits::write(input, &mut page);
        data::write(input, &mut page);
        training::settings(input, &mut page);
        training::environment(input, &mut page);
        training::reproduce(input, &mut page);
        page.heading(2, tr("Licence", "许可证"));
        page.linked(&license(input));
        page.finished()
    });
    let card = format!("{}\n{page}\n", header(input));
    let mark = mark(&card);
    card + &mark
}

/// The last line of a card, which tells whether the lines above are those that taper wrote.
fn mark(above: &str) -> String {
    let digest: String = Sha256::digest(above).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("{MARK}{digest} -->\n")
}

/// Whether a card is one that taper wrote and nobody has edited since.
pub fn is_as_written(card: &str) -> bool {
    let card = card.replace("\r\n", "\n");
    card.rfind(MARK).is_some_and(|at| card[at..] == mark(&card[..at]))
}

/// What the model is.
fn about(input: &CardInput<'_>) -> String {
    let run = &input.run.run;
    let version = run.environment.as_ref().map(|environment| environment.taper.as_str()).unwrap_or_default();
    let taper = super::page::md(format!("taper {version}").trim_end());
    let kind = match run.config.data.task() {
        Task::SingleLabel | Task::MultiLabel => tr("A text classifier", "文本分类模型"),
        Task::Regression => tr("A model that predicts numbers from texts", "由文本预测数值的模型"),
    };
    let data = data::linked(input.source_of(crate::event::Split::Train), None);
    let from = match (training::base_link(&run.config.model.source), &run.config.model.source) {
        (Some(base), _) => tr!(", fine-tuned from {base}", "，由 {base} 微调而成"),
        (None, Source::Scratch(_)) => tr(", trained from random weights", "，从随机权重训练而成").into(),
        (None, _) => String::new(),
    };
    let reads = match run.config.data.text_pair_column.is_some() {
        true => tr("It reads two texts", "它读取两段文本"),
        false => tr("It reads one text", "它读取一段文本"),
    };
    let n = run.labels.len() as u64;
    let answers = match run.config.data.task() {
        Task::SingleLabel => tr!("answers with one of {}", "给出 {}之一", counted(n, "label")),
        Task::MultiLabel => tr!("answers with any of {}", "给出 {}中的任意几个", counted(n, "label")),
        Task::Regression => tr!("answers with {}", crate::format::counted(n, "number"); "给出 {n} 个数值"),
    };
    let stored = match input.stored {
        Stored::Transformers => "",
        Stored::Onnx(_) => tr(" This is its ONNX export.", "这里是它的 ONNX 导出。"),
    };
    tr!(
        "{kind}{from} on {data} with {taper}. {reads} and {answers}.{stored}",
        "{kind}{from}（数据：{data}；工具：{taper}）。{reads}，{answers}。{stored}"
    )
}

/// Its labels, by id.
fn labels(input: &CardInput<'_>, page: &mut Page) {
    let labels = &input.run.run.labels;
    let task = input.config().task();
    page.heading(2, if task == Task::Regression { tr("Numbers", "数值") } else { tr("Labels", "标签") });
    let row = |(id, label): (usize, &String)| vec![id.to_string(), label.clone()];
    let rows: Vec<Vec<String>> = labels.iter().enumerate().take(MOST).map(row).collect();
    page.table(&[tr("Id", "编号"), tr("Name", "名称")].map(String::from), &rows);
    let more = labels.len().saturating_sub(MOST) as u64;
    if more > 0 {
        page.paragraph(&tr!("And {} in `config.json`.", "另有 {}，见 `config.json`。", counted(more, "other label")));
    }
}

/// The licence, or that it is not known.
fn license(input: &CardInput<'_>) -> String {
    let base = &input.base;
    let is_scratch = matches!(input.run.run.config.model.source, Source::Scratch(_));
    match (&base.license, base.is_there) {
        (Some(license), _) => {
            let name = base.license_name.as_ref().unwrap_or(license);
            let name = format::markdown(name);
            let name = match &base.license_link {
                Some(link) => format!("[{name}]({link})"),
                None => name,
            };
            tr!(
                "{name}, the licence of the base model, as its card says. The data may have terms of its own.",
                "{name}：基础模型的许可证（据其卡片）。数据可能另有条款。"
            )
        }
        (None, _) if is_scratch => tr(
            "None is stated: the model was trained from random weights, so its owner decides.",
            "未声明：模型从随机权重训练，由其所有者决定。",
        )
        .into(),
        (None, true) => tr(
            "None is stated: the card of the base model does not say which licence it has.",
            "未声明：基础模型的卡片没有说明许可证。",
        )
        .into(),
        (None, false) => tr(
            "None is stated: no card of the base model was available when this one was written.",
            "未声明：写这张卡片时没有基础模型的卡片可查。",
        )
        .into(),
    }
}

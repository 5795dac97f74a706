//! The section on how to use the model.

use super::{
    input::{CardInput, Stored},
    page::Page,
};
use crate::report::language::tr;
use crate::{format::short, task::Task};

const TRANSFORMERS: &str = include_str!("../../../templates/card/transformers.py");
const NUMBERS: &str = include_str!("../../../templates/card/transformers_numbers.py");
const ONNX: &str = include_str!("../../../templates/card/onnx.py");

/// Writes it.
pub(super) fn write(input: &CardInput<'_>, page: &mut Page) {
    let task = input.config().task();
    let is_pair = input.config().text_pair_column.is_some();
    page.heading(2, tr("Use", "使用"));
    page.paragraph(match input.stored {
        Stored::Transformers => {
            tr("`DIR` is this folder, or the name of its repository.", "`DIR` 是本文件夹，或其仓库的名称。")
        }
        Stored::Onnx(_) => tr("`DIR` is this folder.", "`DIR` 是本文件夹。"),
    });
    let (program, texts) = match (input.stored, task) {
        (Stored::Onnx(_), _) if is_pair => (ONNX, "[\"…\"], [\"…\"]"),
        (Stored::Onnx(_), _) => (ONNX, "[\"…\"]"),
        (Stored::Transformers, Task::Regression) if is_pair => (NUMBERS, "{\"text\": \"…\", \"text_pair\": \"…\"}"),
        (Stored::Transformers, Task::Regression) => (NUMBERS, "[\"…\"]"),
        (Stored::Transformers, _) if is_pair => (TRANSFORMERS, "{\"text\": \"…\", \"text_pair\": \"…\"}"),
        (Stored::Transformers, _) => (TRANSFORMERS, "[\"…\"]"),
    };
    page.code("python", &program.replace("INPUT", texts));
    if matches!(input.stored, Stored::Onnx(_)) {
        page.paragraph(match task {
            Task::SingleLabel => tr("Probabilities are the softmax of the logits.", "概率是 logits 的 softmax。"),
            Task::MultiLabel => tr("Probabilities are the sigmoid of the logits.", "概率是 logits 的 sigmoid。"),
            Task::Regression => tr("The logits are the numbers.", "logits 就是预测的数值。"),
        });
    }
    let texts = if is_pair { "\"…\" --text-pair \"…\"" } else { "\"…\"" };
    page.paragraph(tr("With taper, where the model was trained:", "用 taper（在训练它的机器上）："));
    page.code("bash", &format!("taper predict {} {texts}", short(&input.run.run.key)));
}

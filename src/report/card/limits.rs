//! What the results do not show, and the model does not do.

use super::{
    input::{CardInput, Stored, Weights},
    page::Page,
    results::named,
};
use crate::report::language::{Said, counted, measured, tr};
use crate::{
    event::Split,
    format::by_number,
    metrics::Metrics,
    plan::LongPolicy,
    report::{format, view::chooses_checkpoint},
    task::Task,
};

/// Fewer test rows than this are few: an accuracy of 90% then has an interval of 8 points or more.
const FEW_ROWS: u64 = 200;

/// Fewer training rows of a label than this are few.
const FEW_OF_LABEL: u64 = 50;

/// Writes them; there is always one.
pub(super) fn write(input: &CardInput<'_>, page: &mut Page) {
    page.heading(2, tr("Limits", "局限"));
    let mut all = Vec::new();
    all.extend(of_rows(input));
    all.extend(of_choice(input));
    all.extend(of_seeds(input));
    all.extend(of_labels(input));
    all.extend(of_texts(input));
    all.extend(of_stored(input));
    page.list(&all);
}

/// How many rows the results are of, and whether they are known from training.
fn of_rows(input: &CardInput<'_>) -> Vec<String> {
    let mut out = Vec::new();
    match input.tested() {
        Some(metrics) => {
            let rows = counted(metrics.rows, "test row");
            out.push(match metrics.rows < FEW_ROWS {
                true => tr!(
                    "The results are of {rows}, which are few: see the intervals. Texts from other sources may give other results.",
                    "结果来自 {rows}，数量很少，请看区间。其他来源的文本可能得到不同的结果。"
                ),
                false if input.source_of(Split::Test) != input.source_of(Split::Train) => tr!(
                    "The results are of {rows} of another file than the training rows. Texts from other sources may give other results.",
                    "结果来自 {rows}，它们与训练数据不在同一个文件中。其他来源的文本可能得到不同的结果。"
                ),
                false => tr!(
                    "The results are of {rows} of the same source as the training rows. Texts from other sources may give other results.",
                    "结果来自 {rows}，它们与训练数据同源。其他来源的文本可能得到不同的结果。"
                ),
            });
        }
        None => out.push(
            tr(
                "There is no test split: no row was kept out of both training and selection.",
                "没有测试集：没有一行数据既不参与训练也不参与选择。",
            )
            .into(),
        ),
    }
    for leak in input.run.audit.iter().flat_map(|audit| &audit.leaks).filter(|leak| leak.alike > 0) {
        let [rows_of, also_in] = [leak.rows_of, leak.also_in].map(|split| split.said());
        let n = counted(leak.alike, "row");
        let have = by_number(leak.alike, "has", "have");
        out.push(tr!(
            "{n} of the {rows_of} split {have} a text that is also in the {also_in} split, on which results are better than on new texts.",
            "{rows_of}中有 {n}的文本也在{also_in}中，在它们上的结果会比在新文本上更好。"
        ));
    }
    out
}

/// Which rows chose the model.
fn of_choice(input: &CardInput<'_>) -> Vec<String> {
    let mut out = Vec::new();
    if let Some((_, board)) = input.plan
        && board.has_several()
    {
        let trials = counted(board.planned as u64, "trial");
        let by = measured(board.split, board.chosen_by());
        let on_same = board.split == input.run.measured_on();
        out.push(match on_same {
            true => tr!(
                "{trials} were compared by {by}, on the rows that the results are of: the result of the best of them is optimistic.",
                "{trials}按{by}比较，用的就是评测的那些行：其中最好的一个的结果偏乐观。"
            ),
            false => tr!(
                "{trials} were compared by {by}. The test rows played no part.",
                "{trials}按{by}比较，测试集没有参与排名。"
            ),
        });
    }
    if chooses_checkpoint(input.run) {
        let by = measured(Split::Dev, input.run.run.config.checkpoint.metric);
        out.push(tr!(
            "The checkpoint was chosen by {by}: the dev results are optimistic.",
            "检查点按{by}选出：开发集的结果偏乐观。"
        ));
    }
    out
}

/// How many seeds there are.
fn of_seeds(input: &CardInput<'_>) -> Option<String> {
    let several = input.trial().is_some_and(|trial| trial.planned() > 1);
    (!several).then(|| {
        tr(
            "One seed: how much the results depend on it is not known.",
            "只有一个种子：结果在多大程度上取决于它，并不知道。",
        )
        .into()
    })
}

/// Labels that are never predicted, or that have few rows.
fn of_labels(input: &CardInput<'_>) -> Vec<String> {
    let run = &input.run.run;
    let mut out = Vec::new();
    let Some(metrics) = run.final_metrics.as_ref().filter(|metrics| !metrics.per_class.is_empty()) else { return out };
    let split = run.measured_on().said();
    let never = ids(&predicted(metrics), |n| n == 0);
    if !never.is_empty() {
        out.push(tr!("Never predicted on the {split} rows: {}.", "在{split}上从未被预测：{}。", named(input, &never)));
    }
    let supports: Vec<u64> = metrics.per_class.iter().map(|class| class.support).collect();
    let without = ids(&supports, |n| n == 0);
    if !without.is_empty() {
        out.push(tr!(
            "Without any {split} row, so nothing is known about them: {}.",
            "在{split}中一行也没有，因此对它们一无所知：{}。",
            named(input, &without)
        ));
    }
    let few = run.train_labels.as_ref().map(|counts| ids(counts, |n| n < FEW_OF_LABEL)).unwrap_or_default();
    if !few.is_empty() {
        out.push(tr!(
            "With fewer than {FEW_OF_LABEL} training rows: {}.",
            "训练数据不足 {FEW_OF_LABEL} 行：{}。",
            named(input, &few)
        ));
    }
    out
}

/// The ids of the labels whose number is of this kind.
fn ids(counts: &[u64], is: impl Fn(u64) -> bool) -> Vec<u32> {
    (0..).zip(counts).filter(|(_, n)| is(**n)).map(|(id, _)| id).collect()
}

/// How many rows are predicted to have each label.
fn predicted(metrics: &Metrics) -> Vec<u64> {
    match metrics.confusion.rows() {
        0 => metrics.per_class.iter().map(|class| class.predicted.unwrap_or(u64::MAX)).collect(),
        _ => metrics.confusion.predicted(),
    }
}

/// What becomes of long texts.
fn of_texts(input: &CardInput<'_>) -> Option<String> {
    let long = input.config().long_texts();
    let most = counted(long.max_length as u64, "token");
    let split = input.run.measured_on();
    let texts = input.run.run.environment.iter().flat_map(|environment| &environment.texts);
    let share = texts.clone().find(|texts| texts.split == split && texts.rows > 0).map(|texts| {
        let share = format::percent(texts.rows_cut as f64 / texts.rows as f64);
        tr!(" ({share} of the {} rows are longer)", "；{}中有 {share} 这么长", split.said())
    });
    let share = share.filter(|_| texts.clone().any(|texts| texts.rows_cut > 0)).unwrap_or_default();
    Some(match long.policy {
        LongPolicy::Cut => tr!("Texts are cut after {most}{share}.", "文本在 {most}后截断{share}。"),
        LongPolicy::HeadTail { .. } => tr!(
            "Texts of more than {most} lose their middle{share}; the tokenizer beside the model cuts their end instead.",
            "超过 {most}的文本会去掉中间部分{share}；而模型旁的分词器截断的是末尾。"
        ),
        LongPolicy::Windows { .. } => tr!(
            "Texts of more than {most} are read in windows whose probabilities are averaged; other programs read only the first window \
             unless told otherwise.",
            "超过 {most}的文本按窗口读取，再对各窗口的概率取平均；其他程序若不另行设置，只读第一个窗口。"
        ),
    })
}

/// What is different from what was measured.
fn of_stored(input: &CardInput<'_>) -> Vec<String> {
    let mut out = Vec::new();
    if let Stored::Onnx(weights @ (Weights::Fp16 | Weights::Int8)) = input.stored {
        let kind = if weights == Weights::Fp16 { "float16" } else { "int8" };
        out.push(tr!(
            "The results were measured with float32 weights; this file has {kind} weights, with which some predictions differ. Measure it \
             on labelled texts of your own.",
            "结果是用 float32 权重测量的；此文件的权重是 {kind}，有些预测会不同。请用自己的带标签文本测量。"
        ));
    }
    if input.config().task() == Task::MultiLabel {
        out.push(
            tr(
                "Probabilities of labels are independent of each other, and do not add up to 1.",
                "各标签的概率相互独立，加起来不等于 1。",
            )
            .into(),
        );
    }
    out
}

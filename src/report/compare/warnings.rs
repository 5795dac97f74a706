//! What to know before trusting a comparison.

use super::{
    measured::{Measured, MeasuredSide},
    side::Side,
};
use crate::report::language::{Said, and, tr};
use crate::{
    event::{Split, When},
    format::{by_number, count, short},
    plan::Keep,
    report::environment::digits_may_differ,
    store::RunState,
};

/// Warnings about all sides.
pub fn warnings(measured: &Measured<'_>, sides: &[Side]) -> Vec<String> {
    let mut found = Vec::new();
    found.extend(measured.sides.iter().filter(|side| !side.is_final).map(not_final));
    found.extend(measured.sides.iter().filter_map(incomplete));
    found.extend(chosen(measured));
    found.extend(predicted_otherwise(measured));
    let runs: Vec<_> = sides.iter().flat_map(|side| side.runs.iter().cloned()).collect();
    let arithmetic =
        |side: &Side| side.records().next().map(|run| (run.config.train.precision, run.config.train.engine));
    if sides.iter().any(|side| arithmetic(side) != arithmetic(&sides[0])) {
        found.push(
            tr("they were trained with different precisions or engines: part of the difference may come from rounding, not from the settings", "它们以不同的精度或引擎训练：部分差异可能来自舍入，而不是设置").into(),
        );
    }
    if digits_may_differ(&runs) {
        found.push(
            tr("they were trained on different machines or with different versions of the arithmetic: the last digits of their results may differ for \
             that reason alone", "它们在不同的机器上或用不同版本的算术训练：仅此一点就可能使结果的末位数字不同")
                .into(),
        );
    }
    found
}

/// `A, B and C`.
pub fn letters<'a>(sides: impl Iterator<Item = &'a MeasuredSide<'a>>) -> String {
    and(&sides.map(|side| side.letter.to_string()).collect::<Vec<_>>())
}

fn not_final(side: &MeasuredSide<'_>) -> String {
    let states = side.side.records().map(|run| run.state);
    let state = RunState::of_several(states).said();
    let steps = side.runs.iter().map(|(run, _)| run.run.steps).min().unwrap_or(0);
    let total = side.runs.iter().map(|(run, _)| run.run.total_steps).max().unwrap_or(0);
    tr!(
        "{} is not final ({state} at step {} of {}): its metrics are those of an evaluation during training, and nothing is tested",
        "{} 还不是最终结果（{state}，第 {} 步，共 {} 步）：它的指标来自训练期间的一次评估，不做检验",
        side.letter,
        count(steps),
        count(total)
    )
}

/// A trial of which not all runs are completed.
fn incomplete(side: &MeasuredSide<'_>) -> Option<String> {
    let (n, planned) = (side.runs.len(), side.side.planned);
    let others = match side.left_out {
        0 => tr("the others are not completed", "其余的没有完成"),
        _ => tr("the folds of the others are not completed by every side", "其余的折并非每一方都已完成"),
    };
    (side.is_final && n < planned).then(|| {
        tr!(
            "{} is the mean of {n} of {planned} runs: {others}",
            "{} 是 {planned} 次运行中 {n} 次的平均：{others}",
            side.letter
        )
    })
}

/// Sides that were chosen by the rows on which they are compared.
fn chosen(measured: &Measured<'_>) -> Vec<String> {
    let mut found = Vec::new();
    let ranked: Vec<_> = measured.sides.iter().filter(|side| side.side.chosen_by == Some(measured.split)).collect();
    if !ranked.is_empty() {
        let (were, these) = (by_number(ranked.len() as u64, "was", "were"), letters(ranked.iter().copied()));
        found.push(match measured.split {
            Split::Test => tr!(
                "{these} {were} chosen by the test rows, because there is no dev split: values on the same rows are optimistic"
            ; "{these}是按测试集选出的，因为没有开发集：在同样的行上，它的值偏乐观"),
            Split::Dev | Split::Train => tr!(
                "{these} {were} chosen among the trials by the same {} rows: values on them are optimistic; with a test split (data.test) \
                 they would be compared on other rows",
                measured.split.said()
            ; "{these}是按同样的{}从各试验中选出的：在这些行上，它的值偏乐观；若设了测试集（data.test），就会在另外的行上比较", measured.split.said()),
        });
    }
    let chooses = |side: &&MeasuredSide<'_>| {
        side.runs.iter().any(|(run, _)| {
            let during = run.evals.iter().filter(|e| e.when == When::During && e.split == Split::Dev).count();
            run.run.config.checkpoint.keep == Keep::Best && during > 1
        })
    };
    let on_dev: Vec<_> = measured.sides.iter().filter(chooses).collect();
    if !on_dev.is_empty() && measured.split == Split::Dev {
        found.push(tr!(
            "the weights of {} were chosen by the same dev rows: values on them are optimistic; with a test split (data.test) they would be \
             compared on other rows", "{}的权重是按同样的开发集选出的：在这些行上，它的值偏乐观；若设了测试集（data.test），就会在另外的行上比较",
            letters(on_dev.iter().copied()),
        ));
    }
    found
}

/// Sides whose model answers with thresholds or a temperature, which the stored predictions are without.
fn predicted_otherwise(measured: &Measured<'_>) -> Option<String> {
    let metric = measured.terms.first;
    let decided = |side: &MeasuredSide<'_>| {
        let values = side.runs.iter().filter_map(|(run, _)| {
            let decided = run.run.decided.as_ref()?;
            let metrics = if measured.split == Split::Test { decided.test.as_ref()? } else { &decided.dev };
            Some(tr!("{} {} of run {}", metric.text(metrics.get(metric)), metric.said(), short(&run.run.key); "运行 {2} 的{1} {0}", metric.text(metrics.get(metric)), metric.said(), short(&run.run.key)))
        });
        let values: Vec<String> = values.collect();
        (!values.is_empty()).then(|| tr!("{}: {}", "{}：{}", side.letter, and(&values)))
    };
    let all: Vec<String> = measured.sides.iter().filter_map(decided).collect();
    (!all.is_empty()).then(|| {
        tr!(
            "the comparison does not apply the temperature and the thresholds that were chosen on dev; with them, on {}: {}",
            measured.split.said(),
            all.join("; ")
        ; "所比较的结果没有应用在开发集上选定的温度和阈值；应用之后，{}上：{}", measured.split.said(), all.join("；"))
    })
}

/// Why two sides were not evaluated on the same rows.
pub fn other_rows(first: &MeasuredSide<'_>, other: &MeasuredSide<'_>) -> String {
    let (a, b) = (first.letter, other.letter);
    let runs = [first, other].map(|side| side.runs.first().map(|(run, _)| &run.run));
    let [Some(x), Some(y)] = runs else { return tr("one of them has no runs", "其中一方没有运行").into() };
    let digest = |run: &crate::store::RunRecord| run.environment.as_ref().map(|e| e.data_digest.clone());
    if digest(x) != digest(y) {
        return tr!("{a} and {b} have different data files", "{a} 和 {b} 的数据文件不同");
    }
    if x.config.data.seed != y.config.data.seed {
        return tr!(
            "{a} and {b} have different values of data.seed ({} and {})",
            "{a} 和 {b} 的 data.seed 不同（{} 和 {}）",
            x.config.data.seed,
            y.config.data.seed
        );
    }
    tr!("{a} and {b} split their data differently", "{a} 和 {b} 的数据划分方式不同")
}

//! The trial that the run belongs to: its seeds and folds, and how it was chosen.

use super::{input::CardInput, page::Page};
use crate::report::language::{self, Said, counted, is_chinese, measured, replicate, tr};
use crate::{
    event::Split,
    metrics::Metric,
    report::{leaderboard::Trial, means::Mean, progress::best_so_far},
};

/// Writes what the results of its trial are, if it has several runs or was chosen from several trials.
pub(super) fn write(input: &CardInput<'_>, page: &mut Page) {
    let (Some((_, board)), Some(trial)) = (input.plan, input.trial()) else { return };
    let mut sentences = Vec::new();
    if trial.planned() > 1 {
        let best = trial.best_run.as_ref() == Some(&input.run.run.key) && trial.value.is_some_and(|mean| mean.n > 1);
        sentences.extend(of_runs(trial, best.then(|| measured(board.split, board.metric))));
    }
    if board.has_several() {
        let trials = counted(board.planned as u64, "trial");
        let by = measured(board.split, board.chosen_by());
        sentences.push(match trial.rank {
            Some(rank) => {
                tr!("Its trial has rank {rank} of {trials}, by {by}.", "它所在的试验按{by}在 {trials}中排第 {rank}。")
            }
            None => {
                tr!(
                    "Its trial is one of {trials}, which are ranked by {by}.",
                    "它属于 {trials}之一，这些试验按{by}排名。"
                )
            }
        });
    }
    if board.has_several() && !board.progress.has_all() {
        let progress = board.progress.text();
        sentences.push(tr!(
            "The ranking is provisional: {progress} when this card was written.",
            "这是目前的排名：写这张卡片时，{progress}。"
        ));
    }
    page.paragraph(&sentences.join(tr(" ", "")));
}

/// What the runs of its trial have in common. `best_by`: by which metric it is the best of them, if it is.
fn of_runs(trial: &Trial, best_by: Option<String>) -> Vec<String> {
    let (planned, what) = (trial.planned() as u64, trial.replicate);
    let mut sentences = Vec::new();
    if let Some(folds) = &trial.out_of_fold {
        let all = counted(folds.folds as u64, "fold");
        sentences.push(tr!(
            "This model is of one fold of a cross-validation of {all}: it was trained without the test rows of that fold.",
            "这个模型来自 {all}交叉验证中的一折：训练时没有用该折的测试集。"
        ));
        if let (Some(mean), Some(rows)) = (folds.first, folds.rows) {
            let rows = counted(rows, "out-of-fold row");
            let value = beside(&folds.metrics[0].said(), &mean.text(folds.metrics[0]));
            sentences.push(match mean.covers(folds.metrics[0], what) {
                Some(covers) => tr!(
                    "All folds together: {value} on {rows}; in parentheses the {covers}.",
                    "各折合计：{value}（{rows}；括号内是{covers}）。"
                ),
                None => tr!("All folds together: {value} on {rows}.", "各折合计：{value}（{rows}）。"),
            });
        }
        return sentences;
    }
    let completed = trial.completed as u64;
    let runs = match completed == planned {
        true => counted(planned, what),
        false => tr!("{completed} of {}", "{}中完成的 {completed} 个", counted(planned, what)),
    };
    let mut parts = Vec::new();
    let mut part = |split: Split, metric: Metric, mean: Option<Mean>| {
        if let Some(mean) = mean.filter(|mean| mean.n > 1) {
            let value = beside(&measured(split, metric), &mean.text(metric));
            parts.push(match mean.covers(metric, what) {
                Some(covers) => tr!("{value}, {covers}", "{value}，{covers}"),
                None => value,
            });
        }
    };
    part(Split::Test, trial.test.metric, trial.test.mean);
    if let Some(tested) = &trial.test_of_rank {
        part(Split::Test, tested.metric, tested.mean);
    }
    let all = counted(planned, what);
    sentences.push(match best_by {
        Some(by) if completed < planned => {
            tr!(
                "This model is the {} by {by}: {runs} are completed.",
                "这个模型按{by}为{}：{all}中已完成 {completed} 个。",
                best_so_far()
            )
        }
        Some(by) => tr!("This model is the best of {all} by {by}.", "这个模型按{by}是 {all}中最好的一个。"),
        None => tr!("This model is one of {all}.", "这个模型是 {all}之一。"),
    });
    if !parts.is_empty() {
        sentences.push(tr!("Mean over {runs}: {}.", "{runs}的平均：{}。", parts.join(tr("; ", "；"))));
    }
    sentences
}

/// Two words or numbers, with a space between them where the language has one.
fn beside(left: &str, right: &str) -> String {
    if is_chinese() { language::beside(left, right) } else { format!("{left} {right}") }
}

/// What its runs differ in, as one word.
pub(super) fn differs_in(trial: &Trial) -> &str {
    replicate(trial.replicate)
}

//! Sentences below the answer: how the best was chosen, which runs have no result, and why.

use super::{facts::of_how_many, folds};
use crate::report::language::{Said, measured, replicate, tr};
use crate::{
    event::{FailureKind, Split, When},
    format::by_number,
    metrics::Metric,
    plan::Keep,
    report::{
        analysis::{Analysis, Group},
        curves::Drawn,
        environment::run_again,
        format,
        input::{ReportInput, RunInput},
        long_texts::few,
        progress::best_so_far,
        sentence::Sentence,
        sweep::{FailureGroup, failures},
        trials::kept_at,
        undefined::undefined,
        weights::without_best,
    },
    store::RunState,
    warning::Kind,
};

/// Reasons of failures that are listed.
const MOST_REASONS: usize = 3;

/// All of them, in the order of the page.
pub(super) fn caveats(input: &ReportInput, analysis: &Analysis) -> Vec<Sentence> {
    let [of_result, of_others] = [of_result(input, analysis), of_others(input, analysis)];
    let of_result = of_result.into_iter().chain(folds::caveats(analysis)).chain(clipped(input, analysis));
    let of_result = of_result.map(Sentence::from);
    of_result.chain(failed(input)).chain(of_others.into_iter().map(Sentence::from)).collect()
}

/// How the best was chosen, and whether it is final.
fn of_result(input: &ReportInput, analysis: &Analysis) -> Vec<String> {
    let mut out = Vec::new();
    let n = analysis.ranked.len();
    if n == 0 && !input.runs.is_empty() {
        out.push(no_result(input, analysis));
    } else if analysis.is_optimistic(&input.runs) {
        out.push(optimistic(analysis));
        out.push(how_ranked(input, analysis));
    } else if n > 1 {
        out.push(how_ranked(input, analysis));
    }
    if n == 1
        && let Some(best) = analysis.best().map(|i| &input.runs[i])
        && best.measured_on() == Split::Dev
        && chooses_checkpoint(best)
    {
        out.push(tr!(
            "The {} is optimistic: the checkpoint was chosen on the same dev rows that it is measured on. With a test split (key \
             data.test), it would be measured on other rows.", "该{}偏乐观：检查点是用评测它的同一批开发集数据选出的。若设了测试集（键 data.test），就会在另外的数据上评测。",
            analysis.terms.first.said()
        ));
    }
    let names = analysis.groups.iter().flat_map(|group| &group.undefined).map(String::as_str).collect::<Vec<_>>();
    let ranked_by = (analysis.criterion.split, analysis.criterion.metric);
    let undefined = undefined(ranked_by, &names, analysis.groups.len() > 1);
    out.extend(undefined.map(|text| tr!("{}.", "{}。", format::capital(&text))));
    out.extend(better_without_rank(input, analysis));
    if n > 0 && !analysis.has_rank() {
        let replicate = replicate(analysis.replicate);
        out.push(match analysis.has_several() {
            false => tr!(
                "The result is not final, because not all {replicate}s are completed.",
                "结果不是最终的，因为{replicate}没有全部完成。"
            ),
            true => tr!(
                "No trial has a rank yet, because no trial has completed all its {replicate}s.",
                "还没有试验获得排名，因为没有试验完成了全部{replicate}。"
            ),
        });
    }
    if n > 0 && analysis.has_several() && !analysis.progress.has_all() {
        out.push(tr!(
            "The plan is unfinished: {}. “Best” means: {}.",
            "计划还没有全部完成：{}。“最佳”指{}。",
            analysis.progress.text(),
            best_so_far()
        ));
    }
    out
}

/// Trials that are better than the best one by the runs that they have, but have no rank without the others.
fn better_without_rank(input: &ReportInput, analysis: &Analysis) -> Option<String> {
    let metric = analysis.criterion.metric;
    let best = analysis.groups[analysis.best_group()?].chosen?.mean;
    let pruned = |group: &&Group| group.runs.iter().any(|&run| input.runs[run].run.state == RunState::Pruned);
    let better: Vec<(&Group, f64)> = analysis
        .groups
        .iter()
        .filter(|group| analysis.has_rank() && group.rank.is_none() && !group.finished.is_empty())
        .filter(|group| !pruned(group))
        .filter_map(|group| Some((group, group.chosen?.mean)))
        .filter(|(_, mean)| metric.score(*mean) > metric.score(best))
        .collect();
    let replicate = replicate(analysis.replicate);
    let named: Vec<String> = better
        .iter()
        .map(|(group, mean)| {
            let (n, of) = (group.finished.len(), group.planned);
            tr!(
                "{}: {} with {n} of {of} {replicate}s",
                "{}：{}（{of} 个{replicate}中的 {n} 个）",
                group.name,
                metric.text(*mean)
            )
        })
        .collect();
    let named: Vec<&str> = named.iter().map(String::as_str).collect();
    let by = measured(analysis.criterion.split, metric);
    let again = run_again(&input.experiment);
    (!better.is_empty()).then(|| {
        tr!(
            "{} without all {replicate}s {} a better mean {by} than the best trial ({}). Its mean is that of the runs that did not fail. Train what is missing (`{again}`, after a divergence with --retry) before choosing.",
            format::plural(better.len(), "trial"),
            by_number(better.len() as u64, "has", "have"),
            few(&named)
        ; "{0}没有全部{replicate}的结果，但平均{by}好于最佳试验（{1}）。该平均只含未失败的运行。请先补齐缺少的运行（`{again}`，发散过的加 --retry），再作选择。", format::plural(better.len(), "trial"), few(&named))
    })
}

/// The runs without a result that did not fail.
fn of_others(input: &ReportInput, analysis: &Analysis) -> Vec<String> {
    let mut out = Vec::new();
    let n = analysis.ranked.len();
    let pruned = input.runs.iter().filter(|r| r.run.state == RunState::Pruned).count();
    if pruned > 0 {
        let n = pruned as u64;
        out.push(tr!(
            "{} {} pruned: the sweep's pruning rule stopped {} before the last step. The section on the sweep has the step and the reason.",
            format::plural(pruned, "run"),
            by_number(n, "was", "were"),
            by_number(n, "it", "them")
        ; "{}被剪枝：剪枝规则在训练结束之前终止了它们。步数和原因见参数搜索一节。", format::plural(pruned, "run")));
    }
    // The sentence before says why runs failed.
    let failed = input.runs.iter().filter(|r| r.run.state == RunState::Failed).count();
    let unmeasured = input.runs.len() - n - pruned - failed;
    if unmeasured > 0 && n > 0 {
        let spent = match budget_is_spent(input) {
            true => tr(
                " The warnings say how many runs the sweep's budget leaves unfinished.",
                "警告一节说明了因预算用完而没有训练完的运行数。",
            ),
            false => "",
        };
        let have = by_number(unmeasured as u64, "has", "have");
        out.push(tr!(
            "{} {have} no final result. The table of runs says why.{spent}",
            format::plural(unmeasured, "run")
        ; "{}没有最终结果，原因见运行表。{spent}", format::plural(unmeasured, "run")));
    }
    out.extend(analysis.missing.note(&run_again(&input.experiment)).map(|note| format!("{note}.")));
    if input.runs.iter().any(|r| r.run.state == RunState::Running) {
        out.push(tr("A run was still training when this report was written.", "写这份报告时仍有运行在训练。").into());
    }
    out
}

/// No run has a result: what there is instead.
fn no_result(input: &ReportInput, analysis: &Analysis) -> String {
    // Failed runs are tried again, unless they diverged.
    let may_have_one = input.runs.iter().any(|r| match r.run.state {
        RunState::Failed => r.run.failure != Some(FailureKind::Diverged),
        RunState::Pruned => false,
        _ => true,
    });
    let yet = if may_have_one { tr(" yet", "尚") } else { "" };
    let metric = analysis.criterion.metric;
    let measured = |r: &RunInput| {
        [Split::Dev, Split::Test].into_iter().any(|on| kept_at(&r.run.config, &r.evals, on, metric).is_some())
    };
    let steps = input.runs.iter().any(|r| !r.steps.is_empty());
    let probes = input.runs.iter().any(|r| !r.probes.is_empty());
    let none = if input.runs.len() > 1 { "None was" } else { "It was not" };
    let below = match (input.runs.iter().any(measured), steps, probes) {
        (true, ..) => tr!(
            "What follows is from evaluations during training: it is not final.",
            "以下内容来自训练期间的评估，不是最终结果。",
        ),
        (false, true, true) => tr!(
            "{none} evaluated during training either. Below are the training loss and the probes before training.",
            "训练期间也没有评估过。下面是训练损失和训练前的探针句。",
        ),
        (false, true, false) => tr!(
            "{none} evaluated during training either. Below is the training loss.",
            "训练期间也没有评估过。下面是训练损失。",
        ),
        (false, false, _) => tr!("Nothing was measured.", "没有任何测量结果。"),
    };
    match input.runs.len() {
        1 => tr!("The run has no final result{yet}. {below}", "该运行{yet}没有最终结果。{below}"),
        _ => tr!("No run has a final result{yet}. {below}", "所有运行都{yet}没有最终结果。{below}"),
    }
}

/// Share of the steps from which on the page says that nearly all were clipped.
const MOSTLY: f64 = 0.9;

/// That the norm of the gradient, rather than the gradient itself, decided nearly all steps: of the runs whose steps are read.
fn clipped(input: &ReportInput, analysis: &Analysis) -> Option<String> {
    let drawn: Vec<&RunInput> = Drawn::of(input, analysis).runs().map(|i| &input.runs[i]).collect();
    let limit = drawn.first()?.run.config.train.max_grad_norm;
    let same = drawn.iter().all(|run| run.run.config.train.max_grad_norm == limit);
    let norms = || drawn.iter().flat_map(|run| &run.steps).map(|step| step.grad_norm).filter(|norm| norm.is_finite());
    let (all, above) = norms().fold((0u64, 0u64), |(all, above), norm| (all + 1, above + u64::from(norm > limit)));
    let share = above as f64 / all.max(1) as f64;
    (limit > 0.0 && same && share >= MOSTLY).then(|| {
        tr!(
            "In {} of the steps the gradient was larger than train.max_grad_norm = {} and was scaled down to it: these steps depend on its \
             direction only, and how learning rates compare may be different with another limit.",
            "在 {} 的步中，梯度大于 train.max_grad_norm = {}，被缩小到该值：这些步只取决于梯度的方向，换用其他上限，各学习率的优劣可能不同。",
            format::percent(share),
            crate::format::setting(limit)
        )
    })
}

/// Why runs failed: each reason once.
fn failed(input: &ReportInput) -> Vec<Sentence> {
    let reasons = failures(input);
    let more = reasons.len().saturating_sub(MOST_REASONS);
    let sentence = |reason: FailureGroup| {
        let (first, n) = (&input.runs[reason.runs[0]].run, reason.runs.len());
        let state = reason.state;
        let before = match (n, input.runs.len()) {
            (1, 1) => tr!(
                "The run {state} at step {} of {}: ",
                "该运行在第 {} 步（共 {} 步）{state}：",
                format::count(first.steps),
                format::count(first.total_steps)
            ),
            (1, _) => tr!("Run {} {state}: ", "运行 {} {state}：", first.name),
            _ => {
                let names: Vec<&str> = reason.runs.iter().map(|&run| input.runs[run].run.name.as_str()).collect();
                tr!(
                    "{} {state}: {}. The message of the first: ",
                    "{}{state}：{}。第一次的信息：",
                    format::plural(n, "run"),
                    few(&names)
                )
            }
        };
        Sentence::about(&before, reason.reason.as_deref(), tr(".", "。"))
    };
    let more = (more > 0)
        .then(|| tr!("{} of failures below.", "失败还有 {}，见下文。", format::plural(more, "more reason")).into());
    reasons.into_iter().take(MOST_REASONS).map(sentence).chain(more).collect()
}

/// The best was chosen by the rows that it is measured on.
fn optimistic(analysis: &Analysis) -> String {
    let on = analysis.criterion.split.said();
    let others = match analysis.criterion.split == Split::Dev {
        true => tr(
            "With a test split (key data.test), it would be measured on other rows.",
            "若设了测试集（键 data.test），就会在另外的数据上评测。",
        ),
        false => tr(
            "With a dev split (key data.dev) in every run, it would be chosen on other rows.",
            "若每次运行都设了开发集（键 data.dev），就会用另外的数据来选择。",
        ),
    };
    let all = of_how_many(analysis);
    tr!(
        "The {} is optimistic: the best of {all} was chosen on the same {on} rows that it is measured on. {others}",
        "该{}偏乐观：{all}中最好的一个，是用评测它的同一批{on}数据选出的。{others}",
        analysis.terms.first.said()
    )
}

/// What ranks trials, or the runs of the only trial.
fn how_ranked(input: &ReportInput, analysis: &Analysis) -> String {
    let (on, by) = (analysis.criterion.split.said(), analysis.criterion.metric.said());
    let (trials, means) = (analysis.has_several(), analysis.has_seeds());
    let what = if trials { tr("Trials", "试验") } else { tr("Runs", "运行") };
    // Folds of one trial are not ranked.
    if !trials && analysis.has_folds() {
        return tr(
            "Folds are not ranked: each is tested on different rows.",
            "各折之间不排名：每一折在不同的行上测试。",
        )
        .into();
    }
    let over = if trials && means {
        tr!(" (mean over {}s)", "（对各{}取平均）", replicate(analysis.averaged_over()))
    } else {
        String::new()
    };
    // Loss is also the tie-breaker, so it is not mentioned twice.
    let ties = match analysis.criterion.metric {
        Metric::Loss => tr!("equal {} by their order in the plan", "值相同的{}按计划中的顺序", what.to_lowercase()),
        _ => tr!(
            "equal {} by {on} loss, then by their order in the plan",
            "值相同的{}先比较{on}损失，再按计划中的顺序",
            what.to_lowercase()
        ),
    };
    let chosen_by = analysis.chosen_by().said();
    let unseen = match analysis.is_optimistic(&input.runs) {
        true => String::new(),
        false => tr!(
            " The test rows played no part. The {on} {chosen_by} of the best is optimistic, because the best was chosen by it.",
            "测试集没有参与排名。最佳者的{on}{chosen_by}偏乐观，因为正是按它选出的。"
        ),
    };
    let another = match trials && means && !analysis.has_folds() {
        true => tr(
            " A run of another trial may be better than the best run of the best trial.",
            "其他试验的某次运行可能好于最佳试验中最好的运行。",
        ),
        false => "",
    };
    tr!(
        "{what} are ranked by {on} {by}{over}; {ties}.{unseen}{another}",
        "{what}按{on}{by}{over}排名；{ties}。{unseen}{another}"
    )
}

/// Whether the kept weights of a run were chosen from several by its dev rows.
pub fn chooses_checkpoint(run: &RunInput) -> bool {
    let evaluations = run.evals.iter().filter(|eval| eval.when == When::During && eval.split == Split::Dev).count();
    let chooses = run.run.config.checkpoint.keep == Keep::Best && evaluations > 1;
    chooses && without_best(&run.run, &run.evals).is_none()
}

/// Whether the sweep's budget is spent, so that the remaining runs are not trained.
pub(super) fn budget_is_spent(input: &ReportInput) -> bool {
    input.experiment.warnings.iter().any(|warning| warning.kind == Kind::Budget)
}

//! What ended early in a sweep: pruned trials, and failed runs.

use super::part::{SweepPart, part, plain, table};
use crate::{
    format::by_number,
    metrics::Metric,
    report::{
        analysis::Analysis,
        format,
        input::ReportInput,
        language::{Said, tr},
        long_texts::few,
        sentence::Sentence,
        sweep::{PrunedGroup, RungRank, Sweep},
    },
};

/// The trials that the pruning rule stopped, by rung, and how near it came to stopping the best one.
pub(super) fn pruned(analysis: &Analysis, sweep: &Sweep) -> SweepPart {
    let metric = sweep.metric;
    let trials: usize = sweep.pruned.iter().map(|rung| rung.trials.len()).sum();
    let runs: usize = sweep.pruned.iter().map(PrunedGroup::runs).sum();
    let range =
        |(low, high): (String, String)| if low == high { low } else { tr!("{low} to {high}", "{low} 至 {high}") };
    let row = |rung: &PrunedGroup| {
        let (first, last) = rung.steps();
        vec![
            rung.rung.map_or(format::NOTHING.into(), |rung| rung.to_string()),
            range((format::count(first), format::count(last))),
            rung.trials.len().to_string(),
            rung.values(metric).map_or(format::NOTHING.into(), |(a, b)| range((metric.text(a), metric.text(b)))),
            rung.on.len().to_string(),
            rung.values_on(metric).map_or(format::NOTHING.into(), |(a, b)| range((metric.text(a), metric.text(b)))),
            rung.best.map_or(format::NOTHING.into(), |best| ranks(&best)),
            rung.agreement.map_or(format::NOTHING.into(), |agreement| {
                let number = Metric::Spearman.text(agreement.correlation);
                tr!("{number} ({})", "{number}（{}）", format::plural(agreement.trials, "trial"))
            }),
        ]
    };
    let values = tr!("Their dev {}", "其开发集{}", metric.said());
    let values_on = tr!("Their dev {} there", "继续者在该级的开发集{}", metric.said());
    let heads = [
        (tr("Rung", "级"), true),
        (tr("At step", "步数"), true),
        (tr("Trials pruned", "被剪枝的试验"), true),
        (&values[..], true),
        (tr("Went on", "继续训练"), true),
        (&values_on[..], true),
        (tr("Best trial", "最佳试验名次"), true),
        (tr("Agreement", "一致性"), true),
    ];
    let of_trial = |trial: &crate::report::sweep::PrunedTrial| {
        vec![
            plain(&analysis.groups[trial.group].name).into(),
            tr!("{} of {}", "{}/{}", format::count(trial.step), format::count(trial.of)).into(),
            trial.value.map_or(format::NOTHING.into(), |value| metric.text(value)).into(),
            if trial.reason.is_empty() { format::NOTHING.into() } else { Sentence::stored(&trial.reason) },
        ]
    };
    let each = sweep.pruned.iter().flat_map(|rung| rung.trials.iter().map(of_trial)).collect();
    let mut each = table(
        &[
            (tr("Trial", "试验"), false),
            (tr("Ended at step", "停止步数"), true),
            (&tr!("Dev {}", "开发集{}", metric.said()), true),
            (tr("Reason", "原因"), false),
        ],
        each,
        "pruned trial",
    );
    if trials > 4 {
        each.rows.append(&mut each.folded);
        each.folded_whole =
            Some(tr!("The {} and the reason of each", "{}及各自的原因", format::plural(trials, "pruned trial")));
    }
    let stopped = tr!(
        "{} with {} {} pruned: the sweep's pruning rule stopped {} before the last step.",
        format::plural(trials, "trial"),
        format::plural(runs, "run"),
        by_number(trials as u64, "was", "were"),
        by_number(runs as u64, "it", "them")
    ; "{}（{}）被剪枝：剪枝规则在训练结束之前终止了它们。", format::plural(trials, "trial"), format::plural(runs, "run")
    );
    let sentences = [Some(stopped), nearly_pruned(analysis, sweep)].into_iter().flatten().collect();
    let mut part = part(tr("Pruned trials", "被剪枝的试验"), sentences, Vec::new());
    part.tables = vec![table(&heads, sweep.pruned.iter().map(row).collect(), "rung"), each];
    part.notes.push(tr!(
        "A rung is an evaluation after which trials are compared by mean dev {}. “Went on”: trials that trained further than this rung. “Best \
         trial”: the rank that the best trial had there among all trials that reached the rung.",
        "级（rung）是一次评估，在它之后按开发集{}的平均值比较各试验。“继续训练”：训练超过这一级的试验。“最佳试验名次”：最佳试验当时在所有到达该级的试验中排第几。",
        metric.said()
    ));
    if sweep.pruned.iter().any(|rung| rung.by_median) {
        part.notes.push(
            tr(
                "The rule compared each trial with the median of earlier ones at the same step.",
                "剪枝规则把每个试验与先前试验在同一步的中位数比较。",
            )
            .into(),
        );
    }
    if sweep.pruned.iter().any(|rung| rung.agreement.is_some()) {
        part.notes.push(
            tr(
                "Agreement: Spearman's rank correlation of the values at the rung with the final ones, over the trials that are completed; 1: the \
                 same order, 0: none. Pruned trials have no final value, so it does not say how good they would have become.",
                "一致性：已完成的试验在该级的值与最终值的斯皮尔曼等级相关系数；1 表示次序相同，0 表示次序无关。被剪枝的试验没有最终值，因此它无法说明它们本来会有多好。",
            )
            .into(),
        );
    }
    part
}

/// `2 of 27`, `4–27 of 27` where others have the same value.
fn ranks(rank: &RungRank) -> String {
    match rank.ranks {
        (first, last) if first == last => tr!("{first} of {}", "{first}/{}", rank.of),
        (first, last) => tr!("{first}–{last} of {}", "{first}–{last}/{}", rank.of),
    }
}

/// The rank of the best trial at each rung: how near pruning came to losing it.
fn nearly_pruned(analysis: &Analysis, sweep: &Sweep) -> Option<String> {
    let metric = sweep.metric;
    let mut sentences = Vec::new();
    for rung in &sweep.pruned {
        let Some(best) = &rung.best else { continue };
        let name = match sentences.is_empty() {
            true => {
                tr!("{} ({})", "{}（{}）", analysis.progress.best_trial(), plain(&analysis.groups[best.group].name))
            }
            false => tr("it", "它").into(),
        };
        let at = match rung.rung {
            Some(number) => tr!("rung {number}", "第 {number} 级"),
            None => tr!(
                "the evaluation before which {} ended",
                "{}结束之前的那次评估",
                format::plural(rung.trials.len(), "trial")
            ),
        };
        let (first, last) = best.ranks;
        let tied = match last - first {
            0 => String::new(),
            others => tr!(", tied with {}", "（与 {}并列）", format::plural(others, "other")),
        };
        // The rule sees what has reached the rung until then.
        let judged = match rung.on.len() {
            on if first > on => tr(
                " Judged when all trials had reached the rung, it would have been pruned: it went on because fewer had.",
                "若等所有试验都到达该级再判断，它会被剪枝：它得以继续，是因为当时到达的试验较少。",
            ),
            on if last > on => tr(
                " Whether it went on was decided among equal values.",
                "它能否继续，由数值相同的试验之间的次序决定。",
            ),
            _ => "",
        };
        let value = metric.text(best.value);
        sentences.push(tr!(
            "At {at} {name} had rank{} {} with dev {} {value}{tied}; {} went on.{judged}",
            if tied.is_empty() { "" } else { "s" },
            ranks(best),
            metric.name(),
            rung.on.len();
            "在{at}，{name}的开发集{}为 {value}，在 {} 个试验中排第 {}{tied}；{}继续训练。{judged}",
            metric.said(),
            best.of,
            if first == last { first.to_string() } else { format!("{first}–{last}") },
            format::plural(rung.on.len(), "trial")
        ));
    }
    (!sentences.is_empty()).then(|| sentences.join(tr(" ", "")))
}

/// The failed runs, by reason.
pub(super) fn failed(input: &ReportInput, sweep: &Sweep) -> SweepPart {
    let runs: usize = sweep.failures.iter().map(|group| group.runs.len()).sum();
    let row = |group: &crate::report::sweep::FailureGroup| {
        let names: Vec<&str> = group.runs.iter().map(|&run| input.runs[run].run.name.as_str()).collect();
        let steps = || group.runs.iter().map(|&run| input.runs[run].run.steps);
        let (first, last) = (steps().min().unwrap_or(0), steps().max().unwrap_or(0));
        let at = if first == last {
            format::count(first)
        } else {
            tr!("{} to {}", "{} 至 {}", format::count(first), format::count(last))
        };
        let cells = [group.state.clone(), names.len().to_string(), at, plain(&few(&names))].map(Sentence::from);
        [Sentence::about("", group.reason.as_deref(), "")].into_iter().chain(cells).collect()
    };
    let heads = [
        (tr("Reason", "原因"), false),
        (tr("State", "状态"), false),
        (tr("Runs", "运行数"), true),
        (tr("After step", "停止步数"), true),
        (tr("Which", "哪些"), false),
    ];
    let mut part = part(
        tr("Failed runs", "失败的运行"),
        vec![tr!(
            "{} failed, for {}. Messages that differ only in numbers count as one reason; the first message is shown.",
            "{}失败，共 {}。只有数字不同的信息算作同一种原因；列出的是第一条。",
            format::plural(runs, "run"),
            format::plural(sweep.failures.len(), "reason")
        )],
        Vec::new(),
    );
    part.tables.push(table(&heads, sweep.failures.iter().map(row).collect(), "reason"));
    part
}

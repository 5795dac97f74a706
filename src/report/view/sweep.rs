//! What the sweep says beyond the ranking: its axes, its budget, and what ended early.

use super::{
    Picture,
    ended::{failed, pruned},
    facts::Measured,
    part::{SweepPart, part, plain, table},
};
use crate::report::language::{measured, replicate, tr};
use crate::{
    event::Split,
    format::by_number,
    metrics::{Better, Metric},
    report::{
        analysis::Analysis,
        format,
        input::{ReportInput, RunInput},
        means::Mean,
        sweep::{Against, Axis, Budget, How, Importance, Sweep, may_be_proposed},
    },
    stats::holm,
    store::RunState,
};

/// Pairs of axes in the table of importance.
const MOST_PAIRS: usize = 3;

/// The parts of the section; none for a single run without a sweep.
pub(super) fn parts(input: &ReportInput, analysis: &Analysis, sweep: &Sweep, pictures: Vec<Picture>) -> Vec<SweepPart> {
    let mut charts = Charts(pictures);
    let mut parts = Vec::new();
    if !sweep.effects.is_empty() {
        parts.push(effects(input, analysis, sweep, charts.take("effects")));
        parts.extend(sweep.importance.as_ref().map(|importance| of_importance(sweep, importance)));
        let heat = charts.take("heatmap");
        if !heat.is_empty() {
            parts.push(part(tr("Two axes", "两个轴"), Vec::new(), heat));
        }
        let parallel = charts.take("parallel");
        if !parallel.is_empty() {
            parts.push(part(tr("All axes", "所有轴"), Vec::new(), parallel));
        }
    }
    if let Some(budget) = &sweep.budget {
        parts.push(of_budget(analysis, sweep, budget, charts.take("budget")));
    }
    if !sweep.pruned.is_empty() {
        parts.push(pruned(analysis, sweep));
    }
    if !sweep.failures.is_empty() && input.runs.len() > 1 {
        parts.push(failed(input, sweep));
    }
    parts
}

/// The charts that are not on the page yet.
struct Charts(Vec<Picture>);

impl Charts {
    fn take(&mut self, name: &str) -> Vec<Picture> {
        let (own, rest) = std::mem::take(&mut self.0).into_iter().partition(|picture| picture.name == name);
        self.0 = rest;
        own
    }
}

/// The trials with each value of each axis.
fn effects(input: &ReportInput, analysis: &Analysis, sweep: &Sweep, pictures: Vec<Picture>) -> SweepPart {
    let metric = sweep.metric;
    let (mean, best) =
        (tr!("Mean {} (interval)", "平均{}（区间）", sweep.ranked_by()), tr("Best trial", "最佳试验").to_string());
    let on_test = sweep.metric != analysis.terms.first || sweep.split != Split::Test;
    let measured_on = input.runs.first().map_or(Split::Test, RunInput::measured_on);
    let first = tr!("Mean {}", "平均{}", measured(measured_on, analysis.terms.first));
    let mut heads = vec![
        (tr("Axis and value", "轴与取值"), false),
        (tr("Trials", "试验数"), true),
        (&mean[..], true),
        (&best[..], true),
    ];
    if on_test {
        heads.push((&first, true));
    }
    let mut rows = Vec::new();
    for (axis, effects) in sweep.axes.iter().zip(&sweep.effects) {
        for (level, effect) in axis.levels.iter().zip(effects) {
            let n = effect.mean.map_or(0, |mean| mean.n);
            let gone = [(effect.pruned, tr("pruned", "被剪枝")), (effect.failed, tr("failed", "失败"))];
            let gone: Vec<String> =
                gone.iter().filter(|(n, _)| *n > 0).map(|(n, what)| tr!("{n} {what}", "{what} {n}")).collect();
            let trials = match (n == effect.trials, gone.is_empty()) {
                (true, _) => n.to_string(),
                (false, true) => tr!("{n} of {}", "{n}/{}", effect.trials),
                (false, false) => tr!("{n} of {} ({})", "{n}/{}（{}）", effect.trials, gone.join(", ")),
            };
            let or_nothing = |value: Option<f64>, by: Metric| value.map_or(format::NOTHING.into(), |v| by.text(v));
            let mut row = vec![
                format!("{}={}", plain(&axis.name), plain(&level.text)),
                trials,
                effect.mean.map_or(format::NOTHING.into(), |mean: Mean| mean.text(metric)),
                or_nothing(effect.best, metric),
            ];
            if on_test {
                row.push(or_nothing(effect.first, analysis.terms.first));
            }
            rows.push(row);
        }
    }
    let mut part = part(tr("Effect of each axis", "各轴的影响"), Vec::new(), pictures);
    let proposed = may_be_proposed(&input.experiment);
    part.sentences.extend(strongest(sweep, proposed));
    part.notes = notes_of_effects(analysis, sweep, proposed);
    part.tables.push(table(&heads, rows, "value"));
    part
}

/// Trials that a value needs to be compared: with one each, the axis with the most values would differ most, by noise alone.
const LEAST_TRIALS: usize = 2;

/// The axis whose means differ most, in words; `None` if no axis has two values with several trials each. Of trials that a search
/// proposed, chance is not tested: it looked where values were good, so that they do not vary as at random.
fn strongest(sweep: &Sweep, proposed: bool) -> Option<String> {
    let metric = sweep.metric;
    let trials = format::plural(sweep.points.len(), "trial");
    let first = sweep.points.first()?.mean.mean;
    if sweep.points.iter().all(|point| point.mean.mean == first) {
        return Some(tr!(
            "The {trials} with a result do not differ in mean {}.",
            "有结果的 {trials}，平均{}没有差别。",
            sweep.ranked_by()
        ));
    }
    let means = |axis: usize| sweep.effects[axis].iter().map(|of| of.mean).enumerate();
    let spread = |axis: usize| {
        let several = means(axis).filter_map(|(level, mean)| Some((level, mean?)));
        let means = several.filter(|(_, mean)| mean.n >= LEAST_TRIALS).map(|(level, mean)| (level, mean.mean));
        let worse = |a: &(usize, f64), b: &(usize, f64)| {
            metric.score(a.1).partial_cmp(&metric.score(b.1)).unwrap_or(std::cmp::Ordering::Equal)
        };
        let best = means.clone().reduce(|a, b| if worse(&b, &a).is_gt() { b } else { a })?;
        let worst = means.reduce(|a, b| if worse(&b, &a).is_lt() { b } else { a })?;
        Some((axis, best, worst, (best.1 - worst.1).abs()))
    };
    let widest = (0..sweep.axes.len()).filter_map(spread).reduce(|a, b| if b.3 > a.3 { b } else { a });
    let (at, best, worst, _) = widest.filter(|widest| widest.3 > 0.0)?;
    let single = (0..sweep.axes.len()).any(|axis| means(axis).any(|(_, mean)| mean.is_some_and(|mean| mean.n == 1)));
    let among = if single {
        tr(", among values with at least two trials", "（只看至少有两个试验的取值）")
    } else {
        ""
    };
    let axis = &sweep.axes[at];
    let level = |at: usize| format!("{}={}", plain(&axis.name), plain(&axis.levels[at].text));
    let [from, to] = metric.texts_apart(worst.1, best.1);
    Some(tr!(
        "Of {trials} with a result, the mean {} changes most with {}{among}: from {from} with {} to {to} with {}.{}",
        "在有结果的 {trials}中，平均{}随 {} 变化最大{among}：从 {from}（{}）到 {to}（{}）。{}",
        sweep.ranked_by(),
        plain(&axis.name),
        level(worst.0),
        level(best.0),
        match proposed {
            true => tr(
                " This describes the trials; it is not a test, because the search chose their values by the results of earlier ones.",
                "这只是对这些试验的描述，不是检验，因为搜索是根据先前试验的结果选取取值的。",
            )
            .into(),
            false => chance(sweep, at).unwrap_or_default(),
        }
    ))
}

/// Whether the effect of an axis may be chance: the widest of several is chosen, so that all are corrected for. Not of what pruning left: these trials
/// are those that did well.
fn chance(sweep: &Sweep, at: usize) -> Option<String> {
    let test = sweep.tests[at].filter(|_| sweep.pruned.is_empty())?;
    let tested: Vec<usize> = (0..sweep.tests.len()).filter(|&axis| sweep.tests[axis].is_some()).collect();
    let corrected = holm(&tested.iter().filter_map(|&axis| Some(sweep.tests[axis]?.p)).collect::<Vec<_>>());
    let p = corrected[tested.iter().position(|&axis| axis == at)?];
    let over = match test.against {
        Against::Seeds => tr("F-test against the spread of seeds", "以种子间的离散度为准的 F 检验"),
        Against::Trials => {
            tr("F-test against the spread of trials with the same value", "以同一取值的试验间的离散度为准的 F 检验")
        }
    };
    let by_holm = match tested.len() {
        1 => String::new(),
        n => tr!(", corrected for {n} axes (Holm)", "，按 {n} 个轴校正（Holm）"),
    };
    let shown = format::p_value(p);
    Some(match p < 0.05 {
        true => {
            tr!(" This is beyond chance ({over}{by_holm}, {shown}).", "这超出偶然波动（{over}{by_holm}，{shown}）。")
        }
        false => {
            tr!(" This may be chance ({over}{by_holm}, {shown}).", "这可能只是偶然波动（{over}{by_holm}，{shown}）。")
        }
    })
}

fn notes_of_effects(analysis: &Analysis, sweep: &Sweep, proposed: bool) -> Vec<String> {
    let over = if analysis.has_seeds() {
        tr!(", with its mean over {}s", "（取各{}的平均）", replicate(analysis.averaged_over()))
    } else {
        String::new()
    };
    let mut notes = vec![tr!("Each trial counts once{over}.", "每个试验计一次{over}。")];
    let counts: Vec<usize> = sweep.effects.iter().flatten().filter_map(|effect| Some(effect.mean?.n)).collect();
    let has = |n: &dyn Fn(usize) -> bool| counts.iter().any(|of| n(*of));
    let kinds = [
        (
            has(&|n| n > 2),
            tr("95% Student's t interval over the trials with that value", "取该值的各试验间的 95% t 区间（Student）"),
        ),
        (has(&|n| n == 2), tr("for two trials, the lower and the higher value", "两个试验时，为较低值和较高值")),
        (has(&|n| n == 1), tr("for one trial, none", "一个试验时没有")),
    ];
    let kinds: Vec<&str> = kinds.into_iter().filter(|(has, _)| *has).map(|(_, kind)| kind).collect();
    if sweep.axes.len() > 1 {
        notes.push(tr!(
            "Interval: {}. It contains what the other axes change, so an axis can have an effect even if its intervals overlap.",
            kinds.join("; ")
        ; "区间：{}。它包含其他轴带来的变化，因此即使区间重叠，一个轴也可能有影响。", kinds.join("；")));
    } else {
        notes.push(tr!("Interval: {}.", kinds.join("; "); "区间：{}。", kinds.join("；")));
    }
    if proposed {
        notes.push(
            tr(
                "The values were chosen by a search that tries more trials where earlier ones were good. Means and intervals describe the \
                 trials that were run: values that it tried often look better than the others partly for that reason, and an interval is \
                 not a confidence interval of the value's effect.",
                "这些取值由搜索选取：先前结果好的地方试得更多。平均和区间只描述实际运行的试验：试得多的取值看起来更好，部分原因就在于此；区间也不能当作该取值影响的置信区间。",
            )
            .into(),
        );
    }
    let pruned: usize = sweep.pruned.iter().map(|rung| rung.trials.len()).sum();
    if pruned > 0 {
        notes.push(tr!(
            "{} {} not part of any mean, because {} values are of an earlier part of training. A value whose trials were mostly pruned looks \
             better than it is: its remaining trials are those that did well.",
            format::plural(pruned, "pruned trial"),
            by_number(pruned as u64, "is", "are"),
            by_number(pruned as u64, "its", "their"),
        ; "{}不计入任何平均，因为它们的值来自训练的较早阶段。若某个取值的试验多数被剪枝，它看起来会比实际好：剩下的是表现好的试验。", format::plural(pruned, "pruned trial")));
    }
    let partial = sweep.points.iter().filter(|point| !point.complete).count();
    if partial > 0 {
        notes.push(tr!(
            "{} {} not all {}s completed: the mean is over those that are.",
            format::plural(partial, "trial"),
            by_number(partial as u64, "has", "have"),
            analysis.replicate
        ; "{}的{}没有全部完成：平均只计已完成的。", format::plural(partial, "trial"), replicate(analysis.replicate)));
    }
    if sweep.axes.iter().any(Axis::has_ranges) {
        notes.push(
            tr(
                "Numbers with more than ten values are put into ranges that hold about the same number of trials.",
                "不同取值超过十个的数值分成若干范围，各含数目大致相同的试验。",
            )
            .into(),
        );
    }
    notes
}

/// A share as text: `71%`, `<1%`.
fn share(value: f64) -> String {
    match value {
        value if !value.is_finite() => format::NOTHING.into(),
        value if value > 0.0 && value < 0.005 => "<1%".into(),
        value => format!("{}%", format::decimals(value * 100.0, 0)),
    }
}

fn of_importance(sweep: &Sweep, importance: &Importance) -> SweepPart {
    let name = |axis: usize| plain(&sweep.axes[axis].name);
    let order = importance.order();
    // What a line with so many of the degrees of freedom would have from seeds alone.
    let noise = importance.noise.filter(|_| importance.how == How::Complete);
    let all = importance.trials.saturating_sub(1);
    let by_seeds = |degrees: usize| noise.map(|noise| share(noise.share * degrees as f64 / all as f64));
    let degrees = |axis: usize| sweep.axes[axis].degrees();
    let line = |name: String, of: f64, degrees: usize| -> Vec<String> {
        [name, share(of)].into_iter().chain(by_seeds(degrees)).collect()
    };
    let mut rows: Vec<Vec<String>> =
        order.iter().map(|&axis| line(name(axis), importance.main[axis], degrees(axis))).collect();
    let mut pairs = importance.pairs.clone();
    pairs.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let listed = pairs.iter().take(MOST_PAIRS).filter(|(_, share)| *share >= 0.005);
    rows.extend(listed.clone().map(|((a, b), of)| {
        let both = tr!("{} with {}, beyond both alone", "{} 与 {} 的交互（两者单独作用之外）", name(*a), name(*b));
        line(both, *of, degrees(*a) * degrees(*b))
    }));
    let shown = order.len() + pairs.iter().take(MOST_PAIRS).filter(|(_, share)| *share >= 0.005).count();
    if shown < order.len() + pairs.len() || sweep.axes.len() > 2 {
        let listed_pairs = pairs.iter().take(shown - order.len());
        let listed: f64 = listed_pairs.clone().map(|(_, share)| *share).sum();
        let rest = (1.0 - importance.main.iter().sum::<f64>() - listed).max(0.0);
        let named = order.iter().map(|&axis| degrees(axis)).sum::<usize>()
            + listed_pairs.map(|((a, b), _)| degrees(*a) * degrees(*b)).sum::<usize>();
        rows.push(line(tr("all other combinations", "其他所有组合").into(), rest, all.saturating_sub(named)));
    }
    let (first, trials) = (order[0], format::plural(importance.trials, "trial"));
    let mut part = part(
        tr("Importance", "重要性"),
        vec![tr!(
            "{} alone explains {} of the variance of {} between {trials}{}.",
            "{trials}之间{2}的方差，单是 {0} 就解释了 {1}{3}。",
            name(first),
            share(importance.main[first]),
            sweep.ranked_by(),
            by_seeds(degrees(first)).map_or(String::new(), |noise| tr!(
                "; differences between seeds alone would give it {noise}",
                "；仅种子间的差异就会给它 {noise}"
            ))
        )],
        Vec::new(),
    );
    let heads = [
        (tr("Axis", "轴"), false),
        (tr("Share of the variance", "方差占比"), true),
        (tr("From seeds alone", "仅由种子造成"), true),
    ];
    part.tables.push(table(&heads[..if noise.is_some() { 3 } else { 2 }], rows, "line"));
    part.notes.push(match importance.how {
        How::Complete => tr("Computed exactly, by a functional analysis of variance: every combination of the values has one trial. Each value counts \
                          the same.", "用函数型方差分析精确计算：各取值的每种组合都有一个试验，每个取值的权重相同。")
            .into(),
        How::Forest => tr!(
            "Functional analysis of variance of a random forest (fANOVA: Hutter, Hoos and Leyton-Brown 2014) with {} trees and a fixed seed. \
             It describes the forest's predictions, which are uncertain with few trials; each value counts by how many trials have it, as if the \
             axes were independent of each other. A difference of a few points between axes means nothing.", "用随机森林做函数型方差分析（fANOVA：Hutter、Hoos 和 Leyton-Brown 2014），{} 棵树，固定种子。它描述的是森林的预测，试验少时并不可靠；每个取值按它的试验数加权，如同各轴相互独立。轴与轴之间相差几个百分点没有意义。",
            crate::report::sweep::TREES
        ),
    });
    if let Some(noise) = importance.noise {
        let of = share(noise.share);
        part.notes.push(match importance.how {
            How::Complete => tr!(
                "From seeds alone: what the spread of seeds would add to a line, as a share of the variance found: about {of} in all, to each \
                 line in proportion to its degrees of freedom.",
                "仅由种子造成：种子间的离散会给该行带来的部分，占所得方差的比例；合计约 {of}，按自由度分到各行。"
            ),
            How::Forest => tr!(
                "Differences between seeds alone would give about {of} of this variance.",
                "仅种子间的差异就会造成这一方差的约 {of}。"
            ),
        });
    }
    if !sweep.pruned.is_empty() {
        part.notes.push(
            tr("Pruned trials are left out: an axis that decided which trials were pruned explains less here than it did.", "被剪枝的试验不计入：决定哪些试验被剪枝的轴，在这里解释得比实际少。")
                .into(),
        );
    }
    part.notes.push(
        tr(
            "Shares depend on the values that were tried: an axis with a wider range explains more.",
            "占比取决于尝试过的取值：范围更宽的轴解释得更多。",
        )
        .into(),
    );
    part
}

fn of_budget(analysis: &Analysis, sweep: &Sweep, budget: &Budget, pictures: Vec<Picture>) -> SweepPart {
    let metric = sweep.metric;
    let runs = budget.moments.len();
    let mut sentences = Vec::new();
    if let Some((found, best)) = budget.found().and_then(|at| Some((at, budget.moments[at].best?))) {
        let trial = budget.moments[found].point.map(|point| analysis.groups[sweep.points[point].group].name.as_str());
        sentences.push(tr!(
            "{}{} was complete when {} of {} had ended and {} of {} were trained: {} {}.",
            "{}{}完成时，{3}中有 {2} 次已结束，{5}中已训练 {4} 步：{6} {7}。",
            format::capital(analysis.progress.best_trial()),
            trial.map(|name| tr!(" ({})", "（{}）", plain(name))).unwrap_or_default(),
            format::count(found as u64 + 1),
            format::plural(runs, "run"),
            format::count(budget.moments[found].steps),
            format::plural(budget.steps as usize, "step"),
            sweep.ranked_by(),
            metric.text(best)
        ));
    }
    let n = budget.expected.len();
    if n >= 4 {
        let (half, all) = (n.div_ceil(2), n);
        let [reached, best] = metric.texts_apart(budget.expected[half - 1], budget.expected[all - 1]);
        sentences.push(tr!(
            "Half as many trials ({half}), drawn at random from these {all}, would be expected to reach {reached}, all {all} reach {best}; one \
             trial alone {}.", "从这 {all} 个试验中随机抽取一半（{half} 个），预期可达到 {reached}，全部 {all} 个达到 {best}；只抽一个则为 {}。",
            metric.text(budget.expected[0])
        ));
        let of_best = analysis.best_group().and_then(|group| Measured::of(&analysis.groups[group].chosen?).interval);
        // While trials are to come, they are other ones than these.
        let all_ended = analysis
            .groups
            .iter()
            .all(|group| matches!(group.state, RunState::Completed | RunState::Pruned | RunState::Failed));
        if all_ended
            && of_best.is_some_and(|interval| {
                (budget.expected[all - 1] - budget.expected[half - 1]).abs() < (interval.high - interval.low) / 2.0
            })
        {
            sentences.push(
                tr(
                    "The second half of the trials improved the result by less than these rows and seeds can show: before adding trials, add rows to choose by, or seeds.",
                    "后一半试验带来的提升小于现有的行和种子所能分辨的差异：与其增加试验，不如先增加用于选择的行或种子。",
                )
                .into(),
            );
        }
    }
    let mut part = part(tr("Budget", "预算"), sentences, pictures);
    let direction =
        if metric.info().better == Better::Higher { tr("highest", "最高") } else { tr("lowest", "最低") };
    if n > 0 {
        part.notes.push(tr!(
            "Expected best: the mean, over all subsets of k of the trials, of their {direction} {}: the expected validation performance of Dodge \
             et al. (2019) in its unbiased form, without replacement (Tang et al. 2020). The value for k of n trials is plotted at k/n of the \
             budget. It says what this plan would have brought with fewer trials in random order; the trials of a TPE search are not \
             independent draws: later ones are better, so its curve is too favourable for a shorter search.", "预期最佳：在所有 k 个试验的子集上，{direction}{}的平均；即 Dodge 等人（2019）的预期验证表现（expected validation performance），取无偏、不放回的形式（Tang 等人 2020）。k 个试验占预算的份额与其占试验的份额相同。它表示若以随机顺序只做同一计划中的一部分试验，会得到什么结果；TPE 搜索的试验不是独立抽取的：后面的更好，因此这条曲线对较短的搜索过于乐观。",
            sweep.ranked_by()
        ));
    }
    if budget.pruned > 0 {
        part.notes.push(tr!(
            "{} with the value that {} ended with, but none above the best result.",
            match budget.pruned {
                1 => "1 pruned trial counts here".into(),
                n => format!("{n} pruned trials count here"),
            },
            by_number(budget.pruned as u64, "it", "they")
        ; "{} 个被剪枝的试验计入其中，取其结束时的值，但不高于最好的结果。", budget.pruned));
    }
    if budget.failed > 0 {
        part.notes.push(tr!(
            "{} with a failed run {} left out of both curves.",
            format::plural(budget.failed, "trial"),
            by_number(budget.failed as u64, "is", "are")
        ; "{}有失败的运行，未计入两条曲线。", format::plural(budget.failed, "trial")));
    }
    part
}

//! The ranking of the trials, and the comparison of the first two.

use std::collections::HashSet;

use super::{Ranking, TrialRow, facts::on_test, folds, sorting};
use crate::report::language::{self, Said, and, replicate, tr};
use crate::{
    format::{command::shell_word, names},
    metrics::Metric,
    report::{
        analysis::{Analysis, Comparison, Group},
        format,
        input::{ReportInput, RunInput},
        means::Mean,
        same_rows::{OnSameRows, error_names},
        sweep::{Axis, Scale},
        terms::{Terms, over_rows, signed},
        unfinished,
    },
    stats::{Interval, SignFlip},
    store::RunState,
    task::Task,
};

/// Trials that the page shows at once; the others are folded away.
const MOST_TRIALS: usize = 20;
/// Swept keys that have columns of their own, at most.
const MOST_AXES: usize = 4;
/// Columns that have room beside each other.
const MOST_COLUMNS: usize = 11;

/// The table of trials; `None` for a single run. `first` and `second`, and `chosen` on the dev and on the test rows, are the headings of single
/// runs; `of_sd`: what the standard deviation is of.
pub(super) fn ranking(
    input: &ReportInput,
    (analysis, axes): (&Analysis, &[Axis]),
    [first, second, of_sd]: [&str; 3],
    [chosen, chosen_test]: [&Option<String>; 2],
) -> Option<Ranking> {
    let (several, has_folds) = (analysis.has_several(), analysis.has_folds());
    if !several && !analysis.has_seeds() {
        return None;
    }
    let ranked_by = format::measured_name(analysis.criterion.split, analysis.criterion.metric);
    let others = 4
        + if analysis.has_seeds() { 2 } else { 0 }
        + if has_folds { 2 } else { 0 }
        + usize::from(chosen.is_some())
        + usize::from(chosen_test.is_some());
    let axes = columns(analysis, axes, others);
    let (mut rows, mut folded) = (rows(input, analysis, axes), Vec::new());
    // Pruned and failed trials come last; the section on the sweep has them, too.
    let open = analysis
        .order
        .iter()
        .take_while(|&&g| !matches!(analysis.groups[g].state, RunState::Pruned | RunState::Failed));
    let shown = match open.count() {
        0 => MOST_TRIALS,
        open => open.min(MOST_TRIALS),
    };
    if rows.len() > shown + 4 {
        folded = rows.split_off(shown);
    }
    Some(Ranking {
        mark: analysis.progress.mark(),
        title: if several {
            tr("Ranking", "排名").into()
        } else {
            tr!("Mean over {}s", "各{}的平均", replicate(analysis.averaged_over()))
        },
        count: analysis.has_seeds().then_some(if has_folds {
            tr("Runs completed", "已完成的运行")
        } else {
            tr("Seeds completed", "已完成的种子")
        }),
        chosen: chosen.as_ref().map(|_| heading(analysis, &ranked_by)),
        chosen_test: chosen_test.as_ref().map(|test| heading(analysis, test)),
        first: heading(analysis, first),
        second: heading(analysis, second),
        sd: tr!("SD of {of_sd}", "{of_sd}的标准差"),
        best_first: [analysis.criterion.metric, analysis.terms.first, analysis.terms.second].map(sorting::best_first),
        has_folds,
        axes: axes.iter().map(|axis| (axis_heading(axis).to_string(), axis.scale != Scale::Names)).collect(),
        rows,
        folded,
        notes: notes(input, analysis),
    })
}

/// The heading of an axis. A seed that is an axis is not the one that repeats a trial.
fn axis_heading(axis: &Axis) -> &str {
    if axis.name == "seed" { &axis.key } else { &axis.name }
}

/// The axes that have columns of their own beside so many others: all, if they tell the trials apart and have room.
fn columns<'a>(analysis: &Analysis, axes: &'a [Axis], others: usize) -> &'a [Axis] {
    let values = |group: usize| axes.iter().map(|axis| axis.values[group].as_str()).collect::<Vec<_>>();
    let apart = (0..analysis.groups.len()).map(values).collect::<HashSet<_>>().len() == analysis.groups.len();
    // Names that are no lists of settings say something else.
    let of_keys = analysis.groups.iter().all(|group| names::settings(&group.name).next().is_some());
    let room = axes.len() <= MOST_AXES && axes.len() + others <= MOST_COLUMNS;
    if apart && of_keys && room { axes } else { &[] }
}

/// Explains the table of trials: each sentence only where it applies.
fn notes(input: &ReportInput, analysis: &Analysis) -> Vec<String> {
    let mut notes = Vec::new();
    let open = analysis.groups.iter().any(|group| group.rank.is_none());
    if analysis.has_several() {
        let dash = match analysis.has_seeds() {
            _ if !open => String::new(),
            true => tr!(
                " “–”: no rank, because not all {}s of the trial are completed.",
                "“–”：没有排名，因为该试验的{}没有全部完成。",
                replicate(analysis.replicate)
            ),
            false => {
                tr(" “–”: no rank, because the run is not completed.", "“–”：没有排名，因为该运行没有完成。").into()
            }
        };
        let name = shell_word(&input.experiment.name);
        notes.push(tr!(
            "Best first, as in `taper list {name} --leaderboard`.{dash}",
            "按从好到差排列，与 `taper list {name} --leaderboard` 相同。{dash}"
        ));
        if !analysis.has_folds() && analysis.groups.iter().any(|group| group.rank == Some(2)) {
            let second = shell_word(&format!("{}#2", input.experiment.name)).into_owned();
            notes.push(tr!(
                "Commands take a rank as a run: `taper show {second}` shows the best run of the second trial.",
                "命令可以用名次指定运行：`taper show {second}` 显示第二名试验的最佳运行。"
            ));
        }
    }
    if input.runs.iter().any(|run| run.run.state == RunState::Pruned) && analysis.has_several() {
        notes.push(
            tr(
                "Of pruned trials, those that completed a larger share of their steps come first.",
                "被剪枝的试验中，完成步数比例更大的在前。",
            )
            .into(),
        );
    }
    if analysis.groups.iter().any(|group| group.finished.is_empty() && group.chosen.is_some()) {
        notes.push(tr!(
            "“Not final”: from an evaluation during training: {}.",
            "“非最终值”：训练期间的评估中，{}。",
            unfinished::of_report(input)
        ));
    }
    if analysis.groups.iter().any(|group| group.warned) {
        notes.push(useless(analysis.terms.task).into());
    }
    let seed = |run: usize| input.runs[run].run.config.data.seed;
    if (1..input.runs.len()).any(|run| seed(run) != seed(0)) {
        notes.push(
            tr(
                "Runs with a different `data.seed` are different trials, because their rows differ.",
                "`data.seed` 不同的运行是不同的试验，因为它们的行不同。",
            )
            .into(),
        );
    }
    notes.extend(intervals(analysis));
    if analysis.has_seeds() {
        notes.push(tr!(
            "SD: sample standard deviation over {}s{}.",
            "标准差：各{}间的样本标准差{}。",
            replicate(analysis.averaged_over()),
            if analysis.terms.is_share() { tr(", in percentage points", "，单位为百分点") } else { "" }
        ));
    }
    if analysis.has_folds() {
        let interval = match analysis.terms.is_single() {
            true => tr(
                " Its interval is Wilson's 95% interval over rows: how much the accuracy may differ on other rows.",
                "它的区间是按行数计算的 95% 威尔逊（Wilson）区间：表示在其他行上准确率可能相差多少。",
            ),
            false => "",
        };
        notes.push(tr!(
            "Out-of-fold: all folds together; each row is predicted once, by the model whose test fold contains it.{interval}", "折外（out-of-fold）：所有折合在一起；每一行被预测一次，由测试折包含它的模型预测。{interval}"
        ));
        notes.push(
            tr("SD and intervals over folds are too small for other data, because the training rows of the folds overlap.", "对其他数据来说，各折间的标准差和区间偏小，因为各折的训练行有重叠。")
                .into(),
        );
    }
    notes
}

/// Explains the mark of a trial whose model does nothing useful, as on the leaderboard.
pub(super) fn useless(task: Task) -> &'static str {
    match task {
        Task::SingleLabel => tr(
            "“!”: a trial with a run that predicts only one label, or is no better than always predicting the most common label.",
            "“!”：该试验有运行只预测一种标签，或不比总是预测最常见的标签更好。",
        ),
        Task::MultiLabel | Task::Regression => tr(
            "“!”: a trial with a run that is no better than always making the same prediction.",
            "“!”：该试验有运行不比总是给出同一预测更好。",
        ),
    }
}

/// Explains the intervals in the table.
fn intervals(analysis: &Analysis) -> Vec<String> {
    let means = |group: &Group| {
        let finished = !group.finished.is_empty();
        [
            (analysis.criterion.metric, group.chosen.filter(|_| finished)),
            (analysis.terms.first, group.first),
            (analysis.terms.second, group.second),
        ]
    };
    let means = analysis.groups.iter().flat_map(means).filter_map(|(metric, mean)| Some((metric, mean?)));
    let shown: Vec<(Metric, Mean)> = means.filter(|(_, mean)| mean.shown().is_some()).collect();
    interval_sentences(analysis.terms, &shown, analysis.averaged_over())
}

/// Says which intervals these means have. `replicate`: what the means are over.
fn interval_sentences(terms: Terms, means: &[(Metric, Mean)], replicate: &str) -> Vec<String> {
    let accuracies: Vec<&Mean> = means.iter().filter(|(by, _)| *by == terms.first).map(|(_, mean)| mean).collect();
    let (over_rows, a_first) = (over_rows(terms.first), terms.a_first());
    let over_seeds = replicate == "seed";
    let replicate = language::replicate(replicate);
    let wider = match accuracies.iter().any(|mean| mean.n > 1 && mean.rows.is_some()) {
        true => tr!(", or {over_rows} if that is wider", "，若{over_rows}更宽则用后者"),
        false => String::new(),
    };
    let kinds = [
        (1..=1, tr!("for one {replicate}", "一个{replicate}时"), over_rows.to_string()),
        (
            2..=2,
            tr!("for two {replicate}s", "两个{replicate}时"),
            tr!("from the lower to the higher value{wider}", "从较低值到较高值{wider}"),
        ),
        (
            3..=usize::MAX,
            tr("for three or more", "三个及以上时").into(),
            tr!("95% Student's t interval over {replicate}s{wider}", "各{replicate}间的 95% t 区间（Student）{wider}"),
        ),
    ];
    let found: Vec<_> = kinds.into_iter().filter(|(n, ..)| accuracies.iter().any(|mean| n.contains(&mean.n))).collect();
    let mut sentences = Vec::new();
    match &found[..] {
        [] => {}
        [(_, _, only)] => {
            sentences.push(tr!("In parentheses after {a_first}: {only}.", "{a_first}后面括号内：{only}。"))
        }
        several => {
            let each: Vec<String> = several.iter().map(|(_, of, what)| tr!("{of}, {what}", "{of}，{what}")).collect();
            sentences.push(tr!("In parentheses after {a_first}: {}.", each.join("; "); "{a_first}后面括号内：{}。", each.join("；")));
        }
    }
    if accuracies.iter().any(|mean| mean.n == 2) && over_seeds {
        sentences.push(
            tr("Two seeds say little about how other seeds would perform.", "两个种子不足以说明其他种子会怎样。")
                .into(),
        );
    }
    let others: Vec<&(Metric, Mean)> = means.iter().filter(|(by, mean)| *by != terms.first && mean.n > 1).collect();
    let mut names: Vec<String> = others.iter().map(|(by, _)| by.said()).collect();
    names.sort();
    names.dedup();
    if !names.is_empty() {
        let what = match others.iter().all(|(_, mean)| mean.n == 2) {
            true => tr("from the lower to the higher value", "从较低值到较高值").into(),
            false if sentences.is_empty() => {
                tr!("95% Student's t interval over {replicate}s", "各{replicate}间的 95% t 区间（Student）")
            }
            false => tr!("the same over {replicate}s alone", "同样，但只看各{replicate}"),
        };
        sentences.push(tr!(
            "After {}: {what}; none if all values are the same.",
            "{}之后：{what}；若所有值相同则没有。",
            and(&names)
        ));
    }
    sentences
}

fn mean_text(mean: Option<Mean>, metric: Metric) -> String {
    mean.map_or(format::NOTHING.into(), |mean| mean.text(metric))
}

/// The value of an axis in a trial. Where a setting is not searched (`when` of a search), its name says so, and its config has the default.
fn value_of(axis: &Axis, group: usize, name: &str) -> String {
    let is_unset = names::value(name, &axis.name) == Some(format::NOTHING);
    if is_unset { format::NOTHING.into() } else { axis.values[group].clone() }
}

/// The rows of the table, best first.
fn rows(input: &ReportInput, analysis: &Analysis, axes: &[Axis]) -> Vec<TrialRow> {
    let (best, terms) = (analysis.best_group(), analysis.terms);
    let row = |&index: &usize| {
        let group: &Group = &analysis.groups[index];
        TrialRow {
            rank: group.rank.map_or(format::NOTHING.into(), |rank| rank.to_string()),
            name: group.name.clone(),
            axes: axes.iter().map(|axis| value_of(axis, index, &group.name)).collect(),
            best: best == Some(index) && group.rank.is_some() && analysis.has_several(),
            state: if group.warned { format!("{} !", group.state_text) } else { group.state_text.clone() },
            state_class: group.state.word(),
            n: tr!("{} of {}", "{}/{}", group.finished.len(), group.planned),
            chosen: match group.chosen {
                Some(mean) if group.finished.is_empty() => {
                    let steps = group.unfinished_at.map(|steps| match steps.is_one() {
                        true => tr!("at step {steps}, ", "第 {steps} 步，"),
                        false => tr!("at steps {steps}, ", "第 {steps} 步，"),
                    });
                    let value = analysis.criterion.metric.text(mean.mean);
                    tr!("{value} ({}not final)", "{value}（{}非最终值）", steps.unwrap_or_default())
                }
                chosen => mean_text(chosen, analysis.criterion.metric),
            },
            chosen_test: {
                let runs: Vec<&RunInput> = group.finished.iter().map(|&run| &input.runs[run]).collect();
                mean_text(on_test(&runs, analysis.criterion.metric), analysis.criterion.metric)
            },
            exact: Default::default(),
            first: mean_text(group.first, terms.first),
            sd: group.first.and_then(|m| m.sd).map_or(format::NOTHING.into(), |sd| match terms.is_share() {
                true => format::decimals(sd * 100.0, 1),
                false => terms.first.text(sd),
            }),
            second: mean_text(group.second, terms.second),
            out_of_fold: folds::cell(group, |folds| folds.first, |mean| mean.text(terms.first)),
            out_of_fold_second: folds::cell(group, |folds| folds.second, |mean| mean.text(terms.second)),
        }
    };
    let mut rows: Vec<TrialRow> = analysis.order.iter().map(row).collect();
    let groups = || analysis.order.iter().map(|&index| &analysis.groups[index]);
    let mean = |mean: Option<Mean>| mean.map(|mean| mean.mean);
    let runs = |group: &Group| group.finished.iter().map(|&run| &input.runs[run]).collect::<Vec<_>>();
    let ranks = analysis.criterion.metric;
    let columns = [
        exact(terms.first, rows.iter().map(|row| &row.first), groups().map(|group| mean(group.first))),
        exact(ranks, rows.iter().map(|row| &row.chosen), groups().map(|group| mean(group.chosen))),
        exact(ranks, rows.iter().map(|row| &row.chosen_test), groups().map(|g| mean(on_test(&runs(g), ranks)))),
        exact(terms.second, rows.iter().map(|row| &row.second), groups().map(|group| mean(group.second))),
    ];
    for (at, column) in columns.into_iter().enumerate() {
        rows.iter_mut().zip(column).for_each(|(row, exact)| row.exact[at] = exact);
    }
    rows
}

fn exact<'a>(
    metric: Metric,
    texts: impl Iterator<Item = &'a String>,
    values: impl Iterator<Item = Option<f64>>,
) -> Vec<String> {
    sorting::exact(metric, &texts.map(String::as_str).zip(values).collect::<Vec<_>>())
}

/// The heading of the table's column of a metric: what its mean and its interval are over.
fn heading(analysis: &Analysis, of: &str) -> String {
    match (analysis.has_seeds(), analysis.has_folds()) {
        (_, true) => tr!("{of}, mean over folds (interval over folds)", "{of}，各折平均（各折间的区间）"),
        (true, false) => tr!("{of}, mean (interval)", "{of}，平均（区间）"),
        (false, false) => tr!("{of} (interval)", "{of}（区间）"),
    }
}

/// So many rows of a split, or of all folds together.
fn rows_on(rows: u64, on: &str) -> String {
    tr!("{}", format::plural(rows as usize, &format!("{on} row")); "{} 行{on}数据", format::count(rows))
}

/// An interval of a difference: `−1.2 to +3.4, Welch`. Where that of shares goes beyond what a difference can be, it is cut and says so.
fn of_difference(terms: Terms, i: Interval, how: &str) -> String {
    let most = if terms.is_share() { 1.0 } else { f64::INFINITY };
    let cut = if i.low < -most || i.high > most {
        tr(", cut at the largest possible difference", "，在可能的最大差异处截断")
    } else {
        ""
    };
    let [low, high] = [i.low.max(-most), i.high.min(most)].map(|end| terms.bare_difference(end));
    tr!("{low} to {high}, {how}{cut}", "{low} 至 {high}，{how}{cut}")
}

/// Compares the best configuration with the next, in words.
pub(super) fn comparison(input: &ReportInput, analysis: &Analysis, c: &Comparison) -> String {
    let terms = analysis.terms;
    let verdict = |p: f64, first_is_better: bool, on: &str| match (p < 0.05, first_is_better) {
        (false, _) => tr("no significant difference at the 5% level", "在 5% 水平上没有显著差异").to_string(),
        (true, true) => tr!("the first is significantly better at the 5% level{on}", "第一个在 5% 水平上显著更好{on}"),
        (true, false) => {
            tr!("the second is significantly better at the 5% level{on}", "第二个在 5% 水平上显著更好{on}")
        }
    };
    let differ = |what: &str, d: f64, interval: Interval, how: &str| {
        tr!(
            " First minus second, the difference of the {what} is {} (95% interval {}).",
            "前者减后者，{what}之差为 {}（95% 区间 {}）。",
            terms.difference(d),
            of_difference(terms, interval, how)
        )
    };
    // The split that all runs are evaluated on, or a general word if they differ.
    let on = |runs: &[usize]| {
        let mut splits = runs.iter().map(|&i| input.runs[i].measured_on());
        let first = splits.next().filter(|first| splits.all(|other| other == *first));
        if analysis.has_folds() {
            tr("out-of-fold", "折外")
        } else {
            first.map_or(tr("final", "最终"), |split| split.said())
        }
    };
    match c {
        Comparison::Means { first, second, differ: means } => {
            let (a, b) = (&analysis.groups[*first].finished, &analysis.groups[*second].finished);
            let on = on(&[&a[..], &b[..]].concat());
            let group = |g: usize| {
                let group = &analysis.groups[g];
                let seeds = if analysis.has_folds() { group.complete.len() } else { group.finished.len() };
                tr!("“{}” ({})", "“{}”（{}）", group.name, format::plural(seeds, "seed"))
            };
            let (first, second) = (group(*first), group(*second));
            let Some(means) = means else {
                return tr!(
                    "{first} against {second} cannot be tested: the seeds of neither differ in {on} {}, so nothing is known \
                     about how other seeds would differ.",
                    "{first}与{second}无法检验：两者的种子在{on}{}上都没有差异，因此无从得知其他种子会相差多少。",
                    terms.first.said()
                );
            };
            tr!(
                "{first} against {second}, by mean {on} {}: {} (Welch's t-test over seeds, {}).{} The test says what other seeds would bring on \
                 these rows, not what other rows would.",
                "{first}对{second}，按{on}{}的平均值：{}（种子间的韦尔奇（Welch）t 检验，{}）。{}该检验回答的是换用其他种子时结果会怎样，而不是换用其他数据时会怎样。",
                terms.first.said(),
                verdict(means.p, terms.is_better(means.difference), ""),
                format::p_value(means.p),
                differ(
                    &tr!("mean {on} {}", "{on}{}的平均值", terms.firsts()),
                    means.difference,
                    means.interval,
                    tr("Welch", "韦尔奇（Welch）")
                )
            )
        }
        Comparison::Runs { first, second, paired } => {
            let name = |runs: &[usize]| match runs {
                [one] if !analysis.has_folds() => input.runs[*one].run.name.as_str(),
                _ => runs.first().map_or("", |&i| analysis.groups[analysis.group_of(i)].name.as_str()),
            };
            let on = on(&[&first[..], second].concat());
            let (first, second) = (name(first), name(second));
            let models = match analysis.has_folds() {
                true => tr(
                    "the models of all folds of both, none of which has seen the row that it predicts",
                    "两者所有折的模型，其中没有一个见过它所预测的行",
                ),
                false => tr("two trained models", "两个训练好的模型"),
            };
            let paired = match paired {
                Ok(OnSameRows::Right(paired)) => paired,
                Ok(OnSameRows::Errors { rows, test, interval }) => {
                    let rows = rows_on(*rows, on);
                    let decided = verdict(test.p, test.mean < 0.0, tr(" on these rows", "（就这些行而言）"));
                    return tr!(
                        "“{first}” against “{second}” on the same {rows}: {decided} ({}).{} This compares {models}: with other seeds the \
                         result may differ.",
                        "“{first}”对“{second}”，在相同的 {rows}上：{decided}（{}）。{}比较的是{models}：换用其他种子，结果可能不同。",
                        named_test(analysis, test),
                        of_errors(analysis, test.mean, *interval, on),
                    );
                }
                Err(why) => {
                    return tr!(
                        "“{first}” and “{second}” cannot be compared row by row: {why}.",
                        "“{first}”和“{second}”无法逐行比较：{why}。"
                    );
                }
            };
            let p = paired.mcnemar();
            let difference = paired.difference().map_or(String::new(), |(d, i)| {
                differ(&tr!("{on} accuracies", "{on}准确率"), d, i, tr("Agresti and Min's", "Agresti 和 Min 的方法"))
            });
            tr!(
                "“{first}” against “{second}” on the same {}: {} (exact McNemar test, {}). The first alone is right on \
                 {}, the second alone on {}.{difference} This compares {}: with other seeds the result may differ.",
                "“{first}”对“{second}”，在相同的 {}上：{}（精确麦克尼马尔（McNemar）检验，{}）。只有第一个正确的有 {} 行，只有第二个正确的有 {} 行。{difference}比较的是{}：换用其他种子，结果可能不同。",
                rows_on(paired.rows(), on),
                verdict(p, paired.first_only > paired.second_only, tr(" on these rows", "（就这些行而言）")),
                format::p_value(p),
                format::count(paired.first_only),
                format::count(paired.second_only),
                models,
            )
        }
    }
}

/// The test of the errors of rows, its statistic and its p-value.
fn named_test(analysis: &Analysis, test: &SignFlip) -> String {
    let (of_row, _) = error_names(analysis.terms.task);
    let flips = match test.flips {
        Some(flips) => tr!("{} random flips", "{} 次随机翻转", format::count(flips as u64)),
        None => tr("exact", "精确").into(),
    };
    tr!(
        "paired permutation test with sign flips of {of_row}, {flips}, {}",
        "对{of_row}做符号翻转的配对置换检验，{flips}，{}",
        format::p_value(test.p)
    )
}

/// How much the errors of two models differ.
fn of_errors(analysis: &Analysis, difference: f64, interval: Option<Interval>, on: &str) -> String {
    let (_, of_rows) = error_names(analysis.terms.task);
    let (difference_text, text): (String, fn(f64) -> String) = match analysis.terms.task {
        Task::MultiLabel => (tr!("{} points", "{} 个百分点", format::points(difference)), format::points),
        Task::SingleLabel | Task::Regression => (signed(difference), signed),
    };
    let interval = interval.map_or(String::new(), |i| {
        tr!(
            " (95% interval {} to {}, percentile bootstrap)",
            "（95% 区间 {} 至 {}，百分位自助法）",
            text(i.low),
            text(i.high)
        )
    });
    tr!(
        " First minus second, the difference of the {on} {of_rows} is {difference_text}{interval}; lower is better.",
        "前者减后者，{on}{of_rows}之差为 {difference_text}{interval}；越低越好。"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE_LABEL: Terms = Terms { task: Task::SingleLabel, first: Metric::Accuracy, second: Metric::MacroF1 };

    /// `when` of a search: the config of a trial without the setting has its default.
    #[test]
    fn a_setting_that_a_trial_does_not_have_is_a_dash() {
        let axis = Axis {
            key: "train.warmup_ratio".into(),
            name: "warmup_ratio".into(),
            scale: Scale::Linear,
            values: vec!["0".into(), "0.17".into()],
            numbers: vec![Some(0.0), Some(0.17)],
            levels: vec![],
            level_of: vec![],
        };
        assert_eq!(value_of(&axis, 0, "lr=1e-3 scheduler=constant warmup_ratio=–"), "–");
        assert_eq!(value_of(&axis, 1, "lr=1e-3 scheduler=linear warmup_ratio=0.17"), "0.17");
        assert_eq!(value_of(&axis, 0, "lr=1e-3 warmup_ratio=0"), "0");
    }

    #[test]
    fn an_interval_that_was_cut_says_so() {
        let of = |low, high| of_difference(ONE_LABEL, Interval { low, high }, "Welch");
        assert_eq!(of(-0.012, 0.034), "−1.2 to +3.4, Welch");
        let cut = "cut at the largest possible difference";
        assert_eq!(of(-1.5, 0.034), format!("−100.0 to +3.4, Welch, {cut}"));
        assert_eq!(of(0.1, 1.2), format!("+10.0 to +100.0, Welch, {cut}"));
    }

    #[test]
    fn the_intervals_of_a_table_are_said_once() {
        let of = |n: usize, rows: Option<(f64, f64)>| Mean {
            n,
            mean: 0.5,
            sd: Some(0.1),
            low: Some(0.4),
            high: Some(0.6),
            range: (0.45, 0.55),
            rows,
        };
        let (accuracy, f1, rows) = (Metric::Accuracy, Metric::MacroF1, Some((0.3, 0.7)));
        let seeds = |means: &[(Metric, Mean)]| interval_sentences(ONE_LABEL, means, "seed").join(" ");
        assert_eq!(
            seeds(&[(accuracy, of(1, rows))]),
            "In parentheses after an accuracy: 95% Wilson interval over rows."
        );
        assert_eq!(
            seeds(&[(accuracy, of(3, rows)), (accuracy, of(4, rows)), (f1, of(3, None))]),
            "In parentheses after an accuracy: 95% Student's t interval over seeds, or 95% Wilson interval over rows if that is wider. \
             After macro-F1: the same over seeds alone; none if all values are the same."
        );
        assert_eq!(
            seeds(&[(accuracy, of(3, rows)), (accuracy, of(2, rows)), (f1, of(2, None))]),
            "In parentheses after an accuracy: for two seeds, from the lower to the higher value, or 95% Wilson \
             interval over rows if that is wider; for three or more, 95% Student's t interval over seeds, or 95% \
             Wilson interval over rows if that is wider. Two seeds say little about how other seeds would perform. \
             After macro-F1: from the lower to the higher value; none if all values are the same."
        );
        assert_eq!(
            interval_sentences(ONE_LABEL, &[(accuracy, of(5, None))], "fold"),
            ["In parentheses after an accuracy: 95% Student's t interval over folds."]
        );
        assert!(interval_sentences(ONE_LABEL, &[], "seed").is_empty());
    }
}

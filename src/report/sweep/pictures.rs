//! The charts of a sweep: what each shows.

use std::collections::HashSet;

use plotters::prelude::DrawingBackend;

use super::{
    axes::{Axis, Scale},
    study::Sweep,
};
use crate::report::language::{Said, replicate, tr};
use crate::{
    metrics::Better,
    report::{
        analysis::Analysis,
        charts::{
            Area, BudgetChart, BudgetPlot, Chart, Drawn, EffectMean, EffectPlot, EffectsChart, HeatChart, LegendEntry,
            Legible, Line, Mark, OTHERS, PALETTE, ParallelAxis, ParallelChart, Symbol, ticks, value_label,
        },
        curves, format,
        input::ReportInput,
    },
};

/// Trials that are marked as the leaders, at most.
const MOST_LEADERS: usize = 5;
/// Dots of an axis in the chart of effects, and lines of parallel coordinates, at most.
const MOST_TRIALS: usize = 200;
/// Axes that are drawn, at most.
const MOST_AXES: usize = 9;
/// Rows or columns of a heat map, at most.
const MOST_CELLS: usize = 12;

/// A chart with its name and its texts.
pub struct Drawing {
    /// File name without its ending.
    pub name: &'static str,
    /// Alternative text.
    pub alt: String,
    /// Caption.
    pub caption: String,
    /// What is drawn.
    pub chart: SweepChart,
}

/// One of the charts of a sweep.
pub enum SweepChart {
    /// The effect of each axis.
    Effects(EffectsChart),
    /// Two axes.
    Heat(HeatChart),
    /// All axes.
    Parallel(ParallelChart),
    /// The budget.
    Budget(BudgetChart),
}

impl Chart for SweepChart {
    fn height(&self, width: u32) -> u32 {
        match self {
            Self::Effects(chart) => chart.height(width),
            Self::Heat(chart) => chart.height(width),
            Self::Parallel(chart) => chart.height(width),
            Self::Budget(chart) => chart.height(width),
        }
    }

    fn texts(&self) -> Vec<&str> {
        match self {
            Self::Effects(chart) => chart.texts(),
            Self::Heat(chart) => chart.texts(),
            Self::Parallel(chart) => chart.texts(),
            Self::Budget(chart) => chart.texts(),
        }
    }

    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>, legible: Legible<'_>) -> Drawn<DB> {
        match self {
            Self::Effects(chart) => chart.draw(area, legible),
            Self::Heat(chart) => chart.draw(area, legible),
            Self::Parallel(chart) => chart.draw(area, legible),
            Self::Budget(chart) => chart.draw(area, legible),
        }
    }
}

/// The charts of a sweep, in the order of the page; none if its axes are not analysed.
pub fn drawings(sweep: &Sweep, input: &ReportInput, analysis: &Analysis) -> Vec<Drawing> {
    if sweep.effects.is_empty() {
        return Vec::new();
    }
    let order = order(sweep, analysis);
    let shown = thinned(&order);
    [effects(sweep, analysis, &shown), heat(sweep), parallel(sweep, input, analysis, (&order, &shown)), budget(sweep)]
        .into_iter()
        .flatten()
        .collect()
}

/// The positions of the points, best first.
fn order(sweep: &Sweep, analysis: &Analysis) -> Vec<usize> {
    let mut rank = vec![usize::MAX; analysis.groups.len()];
    analysis.order.iter().enumerate().for_each(|(at, &group)| rank[group] = at);
    let mut order: Vec<usize> = (0..sweep.points.len()).collect();
    order.sort_by_key(|&point| rank[sweep.points[point].group]);
    order
}

/// The points that are drawn one by one: all, or the leaders and others at equal distances in the ranking.
fn thinned(order: &[usize]) -> Vec<usize> {
    if order.len() <= MOST_TRIALS {
        return order.to_vec();
    }
    let (first, rest) = order.split_at(MOST_LEADERS);
    let wanted = MOST_TRIALS - MOST_LEADERS;
    first.iter().copied().chain((0..wanted).map(|i| rest[i * rest.len() / wanted])).collect()
}

/// A note on trials that are not drawn.
fn left_out(sweep: &Sweep, shown: &[usize], what: &str) -> String {
    match sweep.points.len() == shown.len() {
        true => String::new(),
        false => tr!(
            " {} of {} trials have {what}: the best, and others evenly spaced in the ranking.",
            format::count(shown.len() as u64),
            format::count(sweep.points.len() as u64)
        ; "{1} 个试验中有 {0} 个画出{what}：最好的几个，以及排名中等距的其他试验。", format::count(shown.len() as u64), format::count(sweep.points.len() as u64)),
    }
}

/// Where the values of an axis are drawn, from 0 to 1.
struct Positions<'a> {
    axis: &'a Axis,
    /// The position of each level, if they are drawn one by one.
    levels: Option<Vec<f64>>,
    /// The first and the last position of numbers.
    ends: (f64, f64),
}

impl<'a> Positions<'a> {
    fn of(axis: &'a Axis) -> Self {
        let numbers = || axis.numbers.iter().flatten().map(|number| axis.position(*number));
        let ends = (numbers().fold(f64::INFINITY, f64::min), numbers().fold(f64::NEG_INFINITY, f64::max));
        let n = axis.levels.len();
        let even = || (0..n).map(|i| if n == 1 { 0.5 } else { i as f64 / (n - 1) as f64 }).collect::<Vec<f64>>();
        let scaled = || -> Option<Vec<f64>> {
            let of = |level: &super::axes::Level| Some((axis.position(level.range?.0) - ends.0) / (ends.1 - ends.0));
            axis.levels.iter().map(of).collect()
        };
        // Numbers have their distances unless that would put two of them too close.
        let apart = |at: &Vec<f64>| at.windows(2).all(|pair| pair[1] - pair[0] >= 0.6 / n as f64);
        let levels = (!axis.has_ranges()).then(|| scaled().filter(apart).unwrap_or_else(even));
        Self { axis, levels, ends }
    }

    fn of_number(&self, number: f64) -> f64 {
        (self.axis.position(number) - self.ends.0) / (self.ends.1 - self.ends.0)
    }

    fn of_trial(&self, group: usize) -> f64 {
        match (&self.levels, self.axis.numbers[group]) {
            (Some(levels), _) => levels[self.axis.level_of[group]],
            (None, Some(number)) => self.of_number(number),
            (None, None) => 0.5,
        }
    }

    /// The middle, the first and the last position of a level.
    fn of_level(&self, level: usize) -> (f64, (f64, f64)) {
        match (&self.levels, self.axis.levels[level].range) {
            (None, Some((low, high))) => {
                let (low, high) = (self.of_number(low), self.of_number(high));
                ((low + high) / 2.0, (low, high))
            }
            (Some(levels), _) => (levels[level], (levels[level], levels[level])),
            (None, None) => (0.5, (0.5, 0.5)),
        }
    }

    fn marks(&self) -> Vec<Mark> {
        let mark = |at: f64, label: String| Mark { at, substitute: label.clone(), label };
        if let Some(levels) = &self.levels {
            // Numbers that a search drew have more digits than a label needs.
            let short = |level: &super::axes::Level| level.range.map(|(number, _)| crate::format::rate(number));
            let all: HashSet<Option<String>> = self.axis.levels.iter().map(short).collect();
            let apart = all.len() == self.axis.levels.len();
            let of_level = |(i, (at, level)): (usize, (&f64, &super::axes::Level))| Mark {
                at: *at,
                label: short(level).filter(|_| apart).unwrap_or_else(|| level.text.clone()),
                substitute: tr!("value {}", "取值 {}", i + 1),
            };
            return levels.iter().zip(&self.axis.levels).enumerate().map(of_level).collect();
        }
        let of_number = |number: f64| mark(self.of_number(number), crate::format::rate(number));
        match self.axis.scale {
            Scale::Log => {
                let (low, high) = (self.ends.0.exp(), self.ends.1.exp());
                let decades = (low.log10().floor() as i32)..=(high.log10().ceil() as i32);
                let of = |factors: &[f64]| {
                    let all = decades.clone().flat_map(|power| {
                        factors.iter().map(move |factor| factor * 10f64.powi(power)).collect::<Vec<f64>>()
                    });
                    let within = |number: &f64| *number >= low * (1.0 - 1e-9) && *number <= high * (1.0 + 1e-9);
                    all.filter(within).collect::<Vec<f64>>()
                };
                // As many labels as have room: each decade has three, two or one.
                let numbers = match (high / low).log10() {
                    ..=2.1 => of(&[1.0, 2.0, 5.0]),
                    ..=3.2 => of(&[1.0, 3.0]),
                    _ => of(&[1.0]),
                };
                numbers.into_iter().map(of_number).collect()
            }
            Scale::Linear | Scale::Names => ticks(self.ends, 4).into_iter().map(of_number).collect(),
        }
    }
}

/// The axes that are drawn: all, or those that explain most, in their own order.
fn drawn_axes(sweep: &Sweep) -> Vec<usize> {
    let mut axes = match &sweep.importance {
        Some(importance) => importance.order(),
        None => (0..sweep.axes.len()).collect(),
    };
    axes.truncate(MOST_AXES);
    axes.sort_unstable();
    axes
}

/// What the small dots of the chart of effects are.
enum Dots {
    /// Each trial.
    Trials,
    /// Each run, where each value has one trial alone.
    Runs,
    /// Nothing: each value has one trial of one run.
    Nothing,
}

impl Dots {
    fn of(sweep: &Sweep, axes: &[usize]) -> Self {
        let several =
            axes.iter().flat_map(|&axis| &sweep.effects[axis]).any(|of| of.mean.is_some_and(|mean| mean.n > 1));
        match (several, sweep.points.iter().any(|point| point.mean.n > 1)) {
            (true, _) => Self::Trials,
            (false, true) => Self::Runs,
            (false, false) => Self::Nothing,
        }
    }
}

fn effects(sweep: &Sweep, analysis: &Analysis, shown: &[usize]) -> Option<Drawing> {
    let axes = drawn_axes(sweep);
    let dots = Dots::of(sweep, &axes);
    let plot = |axis: usize| {
        let positions = Positions::of(&sweep.axes[axis]);
        let dot = |&point: &usize| {
            let point = &sweep.points[point];
            let at = positions.of_trial(point.group);
            let of_run = |&run: &usize| Some((at, sweep.metric.value(analysis.scores[run]?.score)));
            match dots {
                Dots::Trials => vec![(at, point.mean.mean)],
                Dots::Runs => analysis.groups[point.group].finished.iter().filter_map(of_run).collect(),
                Dots::Nothing => Vec::new(),
            }
        };
        let means = sweep.effects[axis].iter().enumerate().filter_map(|(level, effect)| {
            let mean = effect.mean?;
            let (at, span) = positions.of_level(level);
            let only = || sweep.points.iter().find(|point| sweep.axes[axis].level_of[point.group] == level);
            let interval = if matches!(dots, Dots::Runs) { only()?.mean.shown() } else { mean.shown() };
            Some(EffectMean { at, span, mean: mean.mean, interval })
        });
        EffectPlot {
            name: sweep.axes[axis].name.clone(),
            marks: positions.marks(),
            dots: shown.iter().flat_map(dot).collect(),
            beside: positions.levels.is_some(),
            means: means.collect(),
        }
    };
    let more = match sweep.axes.len() - axes.len() {
        0 => String::new(),
        n => tr!(" {n} more in the table.", "另有 {n} 个见表格。"),
    };
    let ranges = match sweep.axes.iter().any(Axis::has_ranges) {
        true => tr(" A horizontal bar is the range of numbers that a mean covers.", "横线是平均值所涵盖的数值范围。"),
        false => "",
    };
    Some(Drawing {
        name: "effects",
        alt: tr!("Mean {} by the value of each axis", "各轴的取值与平均{}", sweep.ranked_by()),
        caption: match dots {
            Dots::Trials => tr!(
                "Each small dot is a trial, each large dot the mean of the trials with that value, each vertical bar its interval.{ranges}{}{more}",
                "每个小点是一个试验，每个大点是取该值的试验的平均值，竖线是它的区间。{ranges}{}{more}",
                left_out(sweep, shown, tr("a dot", "点"))
            ),
            Dots::Runs => tr!(
                "Each value has one trial: each small dot is one of its {}s, the large dot their mean, the vertical bar its interval as in the ranking.{ranges}{}{more}",
                "每个取值有一个试验：每个小点是它的一个{}，大点是其平均值，竖线是排名中的区间。{ranges}{}{more}",
                replicate(analysis.replicate),
                left_out(sweep, shown, tr("a dot", "点"))
            ),
            Dots::Nothing => tr!(
                "Each dot is the trial with that value.{ranges}{}{more}",
                "每个点是取该值的试验。{ranges}{}{more}",
                left_out(sweep, shown, tr("a dot", "点"))
            ),
        },
        chart: SweepChart::Effects(EffectsChart {
            dots_of: match dots {
                Dots::Runs => tr!("{}s", "{}", replicate(analysis.replicate)),
                Dots::Trials | Dots::Nothing => tr("trials", "试验").into(),
            },
            metric: sweep.metric,
            split: sweep.split.said(),
            plots: axes.into_iter().map(plot).collect(),
        }),
    })
}

fn heat(sweep: &Sweep) -> Option<Drawing> {
    let grid = sweep.grid.as_ref()?;
    let axes = [&sweep.axes[grid.rows], &sweep.axes[grid.columns]];
    if axes.iter().any(|axis| axis.levels.len() > MOST_CELLS) {
        return None;
    }
    let names = axes.map(|axis| axis.levels.iter().map(|level| level.text.clone()).collect::<Vec<String>>());
    let missing = grid.cells.iter().flatten().any(Option::is_none);
    let over = match sweep.axes.len() {
        2 => String::new(),
        _ => {
            let why = if sweep.importance.is_some() {
                tr("the two axes that explain most", "解释得最多的两个轴")
            } else {
                tr("the first two axes", "前两个轴")
            };
            tr!(
                " These are {why}; each cell is the mean over the values of the others.",
                "这是{why}；每格是对其他轴的取值所求的平均。"
            )
        }
    };
    let dash = if missing {
        tr(" “–”: no trial with these values has a result.", "“–”：没有取这些值且有结果的试验。")
    } else {
        ""
    };
    Some(Drawing {
        name: "heatmap",
        alt: tr!("Mean {} by {} and {}", "平均{}，按 {} 和 {}", sweep.ranked_by(), axes[0].name, axes[1].name),
        caption: tr!("The stronger the blue, the better.{over}{dash}", "蓝色越鲜明越好。{over}{dash}"),
        chart: SweepChart::Heat(HeatChart {
            metric: sweep.metric,
            split: sweep.split.said(),
            axes: axes.map(|axis| axis.name.clone()),
            names,
            cells: grid.cells.clone(),
        }),
    })
}

fn parallel(
    sweep: &Sweep,
    input: &ReportInput,
    analysis: &Analysis,
    (order, shown): (&[usize], &[usize]),
) -> Option<Drawing> {
    if sweep.axes.len() < 3 {
        return None;
    }
    let drawn = drawn_axes(sweep);
    let positions: Vec<Positions<'_>> = drawn.iter().map(|&axis| Positions::of(&sweep.axes[axis])).collect();
    let values = || sweep.points.iter().map(|point| point.mean.mean);
    let ends = (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
    let of_value = |value: f64| if ends.1 > ends.0 { (value - ends.0) / (ends.1 - ends.0) } else { 0.5 };
    // As many leaders as stay a small part of the trials.
    let leaders = (order.len() / 3).clamp(1, MOST_LEADERS);
    // The colours of the curves.
    let drawn_trials = curves::Drawn::of(input, analysis);
    let of_trials = curves::colours(&drawn_trials);
    let colour = |point: usize| {
        let runs = &analysis.groups[sweep.points[point].group].runs;
        let trial = drawn_trials.trials.iter().position(|trial| trial.iter().any(|run| runs.contains(run)));
        trial.and_then(|trial| of_trials[trial]).unwrap_or(OTHERS)
    };
    let line = |&point: &usize| {
        let leads = order[..leaders].contains(&point).then(|| colour(point));
        let rank = order[..leaders].iter().position(|leader| *leader == point);
        let point = &sweep.points[point];
        let at = positions.iter().map(|positions| positions.of_trial(point.group)).chain([of_value(point.mean.mean)]);
        (rank, Line { at: at.collect(), leads })
    };
    let mut lines: Vec<(Option<usize>, Line)> = shown.iter().map(line).collect();
    lines.sort_by_key(|(rank, _)| std::cmp::Reverse(rank.unwrap_or(usize::MAX)));
    let axis = |(positions, &axis): (&Positions<'_>, &usize)| ParallelAxis {
        name: sweep.axes[axis].name.clone(),
        marks: positions.marks(),
    };
    let mark = |value: f64| {
        let label = value_label(sweep.metric, ends, value);
        Mark { at: of_value(value), substitute: label.clone(), label }
    };
    let result = ParallelAxis {
        name: sweep.ranked_by(),
        marks: ticks(ends, 5).into_iter().filter(|value| *value >= ends.0 && *value <= ends.1).map(mark).collect(),
    };
    let entry = |(rank, &point): (usize, &usize)| LegendEntry {
        name: format!(
            "{}. {}: {}",
            rank + 1,
            analysis.groups[sweep.points[point].group].name,
            sweep.metric.text(sweep.points[point].mean.mean)
        ),
        substitute: format!("{}. {}", rank + 1, sweep.metric.text(sweep.points[point].mean.mean)),
        colour: colour(point),
        symbol: Symbol::Line,
    };
    let mut legend: Vec<LegendEntry> = order[..leaders].iter().enumerate().map(entry).collect();
    let others = order.len() - leaders;
    if others > 0 {
        let name = format::plural(others, "other trial");
        legend.push(LegendEntry { substitute: name.clone(), name, colour: OTHERS, symbol: Symbol::Line });
    }
    let direction = match sweep.metric.info().better {
        Better::Higher => "",
        Better::Lower => tr(" Lower results are better.", "结果越低越好。"),
    };
    Some(Drawing {
        name: "parallel",
        alt: tr!("Trials by their values and {}, the best marked", "各试验的取值与{}，标出最好的", sweep.ranked_by()),
        caption: tr!(
            "Each line is a trial: its value on each axis, and its result.{direction}{}",
            "每条线是一个试验：它在每个轴上的取值，以及它的结果。{direction}{}",
            left_out(sweep, shown, tr("a line", "线"))
        ),
        chart: SweepChart::Parallel(ParallelChart {
            axes: positions.iter().zip(&drawn).map(axis).chain([result]).collect(),
            lines: lines.into_iter().map(|(_, line)| line).collect(),
            legend,
        }),
    })
}

fn budget(sweep: &Sweep) -> Option<Drawing> {
    let budget = sweep.budget.as_ref()?;
    let (runs, steps) = (budget.moments.len() as f64, budget.steps as f64);
    let plot = |name: &str, all: f64, at: &dyn Fn(usize) -> f64| {
        let mut best: Vec<(f64, f64)> = Vec::new();
        for (i, moment) in budget.moments.iter().enumerate() {
            let Some(value) = moment.best else { continue };
            if best.last().is_none_or(|last| last.1 != value) {
                best.push((at(i), value));
            }
        }
        let n = budget.expected.len();
        // Of many trials as many as are told apart.
        let step = n.div_ceil(300).max(1);
        let kept = |i: &usize| (i + 1).is_multiple_of(step) || i + 1 == n || *i == 0;
        let expected = (0..n).filter(kept).map(|i| ((i + 1) as f64 / n as f64 * all, budget.expected[i]));
        BudgetPlot { name: name.into(), all, best, expected: expected.collect() }
    };
    let entry =
        |name: &str, colour| LegendEntry { name: name.into(), substitute: name.into(), colour, symbol: Symbol::Line };
    let mut legend =
        vec![entry(tr("best trial with all its runs completed", "所有运行都已完成的最佳试验"), PALETTE[0])];
    if !budget.expected.is_empty() {
        legend.push(entry(
            tr(
                "expected best of as many trials, drawn at random from these",
                "从这些试验中随机抽取同样数目时的预期最佳",
            ),
            PALETTE[1],
        ));
    }
    Some(Drawing {
        name: "budget",
        alt: tr!("Best {} so far by runs and by steps", "随运行数和步数增加的目前最佳{}", sweep.ranked_by()),
        caption: tr(
            "In order of time: a run counts once its last step is trained, whether it is completed, pruned or failed; a step counts once it \
             is trained (for a run that was still training then, estimated from the share of its time that had passed).",
            "按实际时间：运行在训练完最后一步时计入，无论是完成、被剪枝还是失败；步数在训练时计入，之后才结束的运行按开始以来的时间占其总时间的比例计入。",
        )
        .into(),
        chart: SweepChart::Budget(BudgetChart {
            metric: sweep.metric,
            plots: vec![
                plot(tr("runs", "运行数"), runs, &|i| (i + 1) as f64),
                plot(tr("steps trained", "训练的步数"), steps, &|i| budget.moments[i].steps as f64),
            ],
            legend,
        }),
    })
}

//! Charts of what each step measured: the loss, the norm of the gradient, the learning rate; and the loss of training beside that of held-out
//! rows.

use super::{
    super::{
        analysis::Analysis,
        charts::{Curve, Dots, INK, LegendEntry, LossChart, Mean, PALETTE, Symbol, Weight},
        input::{ReportInput, RunInput},
    },
    average::average,
    evaluations::during_training,
    select::Drawn,
    series::{Series, colours, series},
};
use crate::report::language::{Said, and, tr};
use crate::{
    event::Split,
    format::setting,
    metrics::Metric,
    plan::{ClassWeights, LossKind},
    stats::ema,
    store::{RunState, StepRecord},
};

/// Whether a run has steps, but not all of them, and is not trained now.
pub fn ended_early(run: &RunInput) -> bool {
    let states = [RunState::Failed, RunState::Interrupted, RunState::Waiting, RunState::Pruned];
    run.run.steps > 0 && states.contains(&run.run.state)
}

/// The runs of a trial that a mean is over: those that did not end early, or all if each did.
fn averaged(input: &ReportInput, runs: &[usize]) -> Vec<usize> {
    let whole: Vec<usize> = runs.iter().copied().filter(|&i| !ended_early(&input.runs[i])).collect();
    if whole.is_empty() { runs.to_vec() } else { whole }
}

/// A value of each step of the runs that are drawn, with moving averages; `None` without steps.
fn by_step(
    input: &ReportInput,
    analysis: &Analysis,
    drawn: &Drawn,
    smoothing: f64,
    value: fn(&StepRecord) -> f64,
) -> Option<LossChart> {
    let (series, legend) = series(input, analysis, drawn, |i| !input.runs[i].steps.is_empty());
    let bands = series.iter().any(|series| series.leads && series.runs.len() > 1);
    let mut chart = LossChart { legend, averaged: bands, smoothing, ..LossChart::default() };
    for Series { runs, colour, leads } in series {
        let weight = match (leads, bands) {
            (false, _) => Weight::Other,
            (true, true) if runs.len() > 1 => Weight::Beneath,
            (true, true) => Weight::Average,
            (true, false) => Weight::Alone,
        };
        let from = chart.curves.len();
        for &i in &runs {
            let run = &input.runs[i];
            let values: Vec<f64> = run.steps.iter().map(value).collect();
            let at = |values: Vec<f64>| run.steps.iter().map(|s| s.step as f64).zip(values).collect::<Vec<_>>();
            chart.curves.push(Curve {
                colour,
                smooth: at(ema(&values, smoothing)),
                raw: at(values),
                ended_early: ended_early(run),
                completed: run.run.state == RunState::Completed,
                weight,
            });
        }
        if weight == Weight::Beneath {
            let whole = averaged(input, &runs);
            let curves = runs.iter().zip(&chart.curves[from..]).filter(|(i, _)| whole.contains(i));
            let smooth: Vec<&[(f64, f64)]> = curves.map(|(_, curve)| &curve.smooth[..]).collect();
            let mean = Mean { colour, ..average(&smooth) };
            chart.means.push(mean);
        }
    }
    (!chart.curves.is_empty()).then_some(chart)
}

/// The training loss.
pub fn loss(input: &ReportInput, analysis: &Analysis, drawn: &Drawn, smoothing: f64) -> Option<LossChart> {
    let chart = by_step(input, analysis, drawn, smoothing, |step| step.loss)?;
    Some(LossChart { title: tr("Training loss", "训练损失"), of: analysis.terms.loss_axis(), ..chart })
}

/// The norm of the gradient, and the norm above which it is clipped if that is one for all runs.
pub fn gradient(input: &ReportInput, analysis: &Analysis, drawn: &Drawn, smoothing: f64) -> Option<LossChart> {
    let chart = by_step(input, analysis, drawn, smoothing, |step| step.grad_norm)?;
    let norms: Vec<f64> = drawn.runs().map(|i| input.runs[i].run.config.train.max_grad_norm).collect();
    // 0: gradients are not clipped.
    let one = norms.first().copied().filter(|norm| *norm > 0.0 && norms.iter().all(|other| other == norm));
    let known = chart.curves.iter().flat_map(|curve| &curve.raw).any(|point| point.1.is_finite());
    let of_drawn = chart.curves.iter().flat_map(Curve::drawn).map(|point| point.1);
    let log = spans_decades(of_drawn.filter(|norm| norm.is_finite()).collect());
    let of = match log {
        true => tr("Euclidean norm, logarithmic", "欧几里得范数，对数坐标"),
        false => tr("Euclidean norm", "欧几里得范数"),
    };
    known.then_some(LossChart {
        title: tr("Gradient norm before clipping", "裁剪前的梯度范数"),
        of,
        mark: one,
        log,
        ..chart
    })
}

/// Whether the values, but for the lowest and the highest hundredth, span two decades: on a linear axis most of them would lie at its end.
fn spans_decades(mut values: Vec<f64>) -> bool {
    values.retain(|value| *value > 0.0);
    values.sort_by(f64::total_cmp);
    let at = |share: f64| values.get(((values.len().max(1) - 1) as f64 * share) as usize).copied().unwrap_or(1.0);
    at(0.99) >= 100.0 * at(0.01)
}

/// The learning rate of each trial: that of its run with the most steps.
pub fn rate(input: &ReportInput, analysis: &Analysis, drawn: &Drawn) -> Option<LossChart> {
    let (series, legend) = series(input, analysis, drawn, |i| !input.runs[i].steps.is_empty());
    let mut chart = LossChart {
        title: tr("Learning rate", "学习率"),
        of: tr("learning rate", "学习率"),
        legend,
        whole: true,
        ..LossChart::default()
    };
    for Series { runs, colour, leads } in series {
        let Some(longest) =
            runs.iter().map(|&i| &input.runs[i]).reduce(|a, b| if b.steps.len() > a.steps.len() { b } else { a })
        else {
            continue;
        };
        let raw: Vec<(f64, f64)> = longest.steps.iter().map(|step| (step.step as f64, step.lr)).collect();
        let weight = if leads { Weight::Average } else { Weight::Other };
        chart.curves.push(Curve { colour, smooth: raw.clone(), raw, ended_early: false, completed: true, weight });
    }
    (!chart.curves.is_empty()).then_some(chart)
}

/// What makes the training loss of a run larger than a loss of the same weights without it; empty if nothing does.
pub fn training_has(run: &RunInput) -> String {
    let train = &run.run.config.train;
    let mut parts = Vec::new();
    if train.dropout != Some(0.0) {
        parts.push("dropout".to_owned());
    }
    if train.label_smoothing > 0.0 {
        parts.push(tr!("label smoothing {}", "标签平滑 {}", setting(train.label_smoothing)));
    }
    if train.class_weights != ClassWeights::None {
        parts.push(tr("class weights", "类别权重").into());
    }
    if train.loss == LossKind::Focal {
        parts.push(tr("the focal factor", "focal 因子").into());
    }
    and(&parts)
}

/// The losses of training and of held-out rows of the best trial, or of the first that has any; the split, and the runs.
pub fn beside(
    input: &ReportInput,
    analysis: &Analysis,
    drawn: &Drawn,
    smoothing: f64,
) -> Option<(LossChart, Split, Vec<usize>)> {
    let on = |i: usize, split: Split| -> Vec<(f64, f64)> {
        let losses = during_training(&input.runs[i].evals, split).into_iter();
        losses
            .map(|eval| (eval.step as f64, eval.metrics.get(Metric::Loss)))
            .filter(|point| point.1.is_finite())
            .collect()
    };
    let usable = |i: usize, split| !input.runs[i].steps.is_empty() && on(i, split).len() > 1;
    let found = drawn.trials.iter().zip(colours(drawn)).find_map(|(runs, colour)| {
        let split = [Split::Dev, Split::Test].into_iter().find(|split| runs.iter().any(|&i| usable(i, *split)))?;
        let runs: Vec<usize> = runs.iter().copied().filter(|&i| usable(i, split)).collect();
        Some((averaged(input, &runs), split, colour.unwrap_or(PALETTE[0])))
    });
    let (runs, split, train) = found?;
    // Another colour of the palette may be that of another trial.
    let held_out = if analysis.groups.len() > 1 { INK } else { PALETTE[1] };
    let several = runs.len() > 1;
    let mut chart = LossChart {
        title: tr("Loss of training and of held-out rows", "训练损失和留出数据的损失"),
        of: analysis.terms.loss_axis(),
        averaged: several,
        smoothing,
        ..LossChart::default()
    };
    let mut dots = Vec::new();
    for &i in &runs {
        let run = &input.runs[i];
        let losses: Vec<f64> = run.steps.iter().map(|step| step.loss).collect();
        let at = |values: Vec<f64>| run.steps.iter().map(|s| s.step as f64).zip(values).collect::<Vec<_>>();
        chart.curves.push(Curve {
            colour: train,
            smooth: at(ema(&losses, smoothing)),
            raw: at(losses),
            ended_early: ended_early(run),
            completed: run.run.state == RunState::Completed,
            weight: if several { Weight::Beneath } else { Weight::Average },
        });
        dots.push(on(i, split));
    }
    if several {
        let smooth: Vec<&[(f64, f64)]> = chart.curves.iter().map(|curve| &curve.smooth[..]).collect();
        chart.means.push(Mean { colour: train, ..average(&smooth) });
        let all: Vec<&[(f64, f64)]> = dots.iter().map(|points| &points[..]).collect();
        let mean = average(&all);
        chart.dots.push(Dots { colour: held_out, points: mean.points.clone(), beneath: false });
        chart.means.push(Mean { colour: held_out, ..mean });
    }
    chart.dots.extend(dots.into_iter().map(|points| Dots { colour: held_out, points, beneath: several }));
    let more = training_has(&input.runs[runs[0]]);
    let of_training = match more.is_empty() {
        true => tr("training", "训练").to_owned(),
        false => tr!("training, with {more}", "训练，含 {more}"),
    };
    let entry = |name: String, colour| LegendEntry { substitute: name.clone(), name, colour, symbol: Symbol::Line };
    chart.legend = vec![entry(of_training, train), entry(split.said().into(), held_out)];
    Some((chart, split, runs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_extreme_steps_do_not_make_an_axis_logarithmic() {
        let usual = || (0..200).map(|i| 0.5 + f64::from(i) / 100.0).collect::<Vec<f64>>();
        assert!(!spans_decades(usual()) && !spans_decades(Vec::new()) && !spans_decades(vec![0.0]));
        assert!(!spans_decades(usual().into_iter().chain([1e4]).collect()));
        assert!(spans_decades((0..200).map(|i| 10f64.powf(f64::from(i) / 60.0)).collect()));
    }
}

//! Chooses a temperature and thresholds by answers whose targets are known. Its callers pass dev rows, and no others.

use std::ops::Range;

use rayon::prelude::*;

use super::{Answer, Target, answer::Evidence};
use crate::metrics::{Confusion, Metric, Metrics};

/// The range in which temperatures are sought.
const TEMPERATURES: (f64, f64) = (0.05, 20.0);

/// The step below which the search for a temperature ends, as a share of it.
const STEP: f64 = 1e-12;

/// Probabilities of a part of the rows by which a temperature is first sought.
const PART: usize = 1 << 20;

/// The most steps of that search: as many halvings as float64 can tell apart.
const STEPS: usize = 60;

/// Labels whose probabilities are read together: those of a cache line.
const BLOCK: usize = 16;

/// The ids of the metrics that thresholds can be chosen by where a text may have several labels.
pub const OF_SETS: [Metric; 3] = [Metric::MacroF1, Metric::MicroF1, Metric::WeightedF1];

/// Those where a text has one of two labels, beside the F1 of either.
pub const OF_TWO: [Metric; 5] =
    [Metric::MacroF1, Metric::Accuracy, Metric::BalancedAccuracy, Metric::WeightedF1, Metric::Mcc];

/// The temperature with the least mean cross-entropy, or binary cross-entropy of all labels, on these rows (Guo et al. 2017): the one scalar by which
/// logits are divided. In [0.05, 20]; 1 without rows, and of numbers.
///
/// The loss is convex in the reciprocal of the temperature, so that its derivative has one zero. Of very many probabilities it is first sought
/// by a part of the rows, so that few steps need all of them.
pub fn temperature(rows: &[(Answer, Target)]) -> f64 {
    temperature_by(rows, PART)
}

fn temperature_by(rows: &[(Answer, Target)], part: usize) -> f64 {
    let Some((first, _)) = rows.first() else { return 1.0 };
    if rows.iter().any(|(answer, _)| matches!(answer.evidence, Evidence::Numbers)) {
        return 1.0;
    }
    let every = rows.len() * first.probabilities().len() / part;
    let begin = if every > 1 { zero(&rows.iter().step_by(every).collect::<Vec<_>>(), 1.0) } else { 1.0 };
    1.0 / zero(&rows.iter().collect::<Vec<_>>(), begin)
}

/// The factor of the logits at which the derivative of the loss is 0, by Newton's method from `scale` on; a step that would leave the range in
/// which the zero is known to be halves that range instead. An end of the range of factors, if the loss still falls there.
fn zero(rows: &[&(Answer, Target)], mut scale: f64) -> f64 {
    // Added in the order of the rows, so that threads change no bit.
    let slope = |scale: f64| -> (f64, f64) {
        let of_rows: Vec<(f64, f64)> = rows.par_iter().map(|(answer, target)| answer.slope(target, scale)).collect();
        of_rows.iter().fold((0.0, 0.0), |sum, of_row| (sum.0 + of_row.0, sum.1 + of_row.1))
    };
    let ends = (1.0 / TEMPERATURES.1, 1.0 / TEMPERATURES.0);
    let (mut low, mut high) = ends;
    for _ in 0..STEPS {
        let (rise, curvature) = slope(scale);
        if rise > 0.0 {
            high = scale
        } else {
            low = scale
        }
        let newton = scale - rise / curvature;
        let next = if newton > low && newton < high {
            newton
        } else if newton >= high && high == ends.1 && slope(high).0 <= 0.0 {
            return high;
        } else if newton <= low && low == ends.0 && slope(low).0 >= 0.0 {
            return low;
        } else {
            low.midpoint(high)
        };
        let is_found = (next - scale).abs() <= STEP * scale;
        scale = next;
        if is_found {
            break;
        }
    }
    scale
}

/// The thresholds with the best value of `metric` on these rows, one for each label, or, where a text has one of two, that of the second.
/// A row has the probability of each label, by id, and its target. `labels` are the names of the labels. Of equally good thresholds, the
/// nearest to one half. A label that no row has gets one half.
///
/// # Panics
/// If the metric is none of [`OF_SETS`] or [`OF_TWO`].
pub fn thresholds(rows: &[(&[f32], &Target)], labels: &[String], metric: Metric) -> Vec<f64> {
    let blocks = labels.len().div_ceil(BLOCK);
    let of_block = |block: usize| Cuts::of_block(rows, block * BLOCK..labels.len().min((block + 1) * BLOCK));
    let blocks = (0..blocks).into_par_iter();
    match (rows.first(), metric) {
        (Some((_, Target::Label(_))), _) => {
            vec![Cuts::of_block(rows, 1..2).next().map_or(0.5, |cuts| of_two(&cuts, labels, metric))]
        }
        (_, Metric::MicroF1) => {
            micro(&blocks.flat_map_iter(|block| of_block(block).map(Cuts::outermost)).collect::<Vec<_>>())
        }
        // Macro- and weighted F1 are best where that of each label is.
        _ => blocks.flat_map_iter(|block| of_block(block).map(|cuts| cuts.best(Cut::f1))).collect(),
    }
}

/// Where rows can be cut into those that are predicted to have a label and those that are not.
struct Cuts {
    /// Each possible cut.
    all: Vec<Cut>,
    /// Rows that have the label.
    with: u64,
    rows: u64,
}

/// One of them.
#[derive(Debug, Clone, Copy)]
struct Cut {
    threshold: f64,
    /// Rows that are predicted to have the label.
    predicted: u64,
    /// Of these, rows that have it.
    right: u64,
    /// Rows that have it.
    with: u64,
}

impl Cut {
    fn f1(&self) -> f64 {
        2.0 * self.right as f64 / (self.predicted + self.with) as f64
    }
}

impl Cuts {
    /// Those of the labels with these ids. The probabilities of a row lie side by side: they are read once for all of these labels.
    fn of_block(rows: &[(&[f32], &Target)], ids: Range<usize>) -> impl Iterator<Item = Self> {
        let mut ranked = vec![Vec::with_capacity(rows.len()); ids.len()];
        for (probabilities, target) in rows {
            let of_row = target.ids();
            for (id, ranked) in ids.clone().zip(&mut ranked) {
                ranked.push((f64::from(probabilities[id]), of_row.binary_search(&(id as u32)).is_ok()));
            }
        }
        ranked.into_iter().map(Self::of)
    }

    /// Between any two probabilities of a label that differ, and beyond the highest and the lowest. `ranked` has the probability of each
    /// row and whether it has the label.
    fn of(mut ranked: Vec<(f64, bool)>) -> Self {
        // Rows with one probability are on one side, whatever their order.
        ranked.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
        let with = ranked.iter().filter(|(_, has)| *has).count() as u64;
        let (mut all, mut right, mut above) = (Vec::new(), 0, 1.0);
        for (predicted, &(p, has)) in (0..).zip(&ranked) {
            // Above a probability of 1 there is no threshold.
            if (p < above || predicted == 0) && p < 1.0 {
                all.push(Cut { threshold: f64::midpoint(above, p), predicted, right, with });
            }
            (above, right) = (p, right + u64::from(has));
        }
        all.push(Cut { threshold: above / 2.0, predicted: ranked.len() as u64, right, with });
        Self { all, with, rows: ranked.len() as u64 }
    }

    /// Without the cuts that are best for no weighting of `right` against `predicted`: those below the upper convex hull of all, which has
    /// few corners where few rows have the label, and those that predict more rows than it takes to have all. Cuts on an edge stay, since
    /// they can be as good as its corners.
    fn outermost(mut self) -> Self {
        if let Some(all_right) = self.all.iter().position(|cut| cut.right == self.with) {
            self.all.truncate(all_right + 1);
        }
        let mut hull: Vec<Cut> = Vec::new();
        for cut in self.all {
            let is_below = |a: &Cut, b: &Cut| {
                let rise = |from: &Cut, to: &Cut| {
                    (
                        i128::from(to.right) - i128::from(from.right),
                        i128::from(to.predicted) - i128::from(from.predicted),
                    )
                };
                let ((up, along), (then_up, then_along)) = (rise(a, b), rise(a, &cut));
                up * then_along < then_up * along
            };
            while hull.len() > 1 && is_below(&hull[hull.len() - 2], &hull[hull.len() - 1]) {
                hull.pop();
            }
            hull.push(cut);
        }
        hull.shrink_to_fit();
        Self { all: hull, ..self }
    }

    /// The threshold with the highest value; of equals, the nearest to one half.
    fn best(&self, value: impl Fn(&Cut) -> f64) -> f64 {
        if self.with == 0 {
            return 0.5;
        }
        self.highest(value).threshold
    }

    fn highest(&self, value: impl Fn(&Cut) -> f64) -> Cut {
        let far = |cut: &Cut| (cut.threshold - 0.5).abs();
        let better = |a: &(f64, Cut), b: &(f64, Cut)| a.0 > b.0 || (a.0 == b.0 && far(&a.1) < far(&b.1));
        // A value that is undefined is not better than any.
        let valued = self.all.iter().map(|cut| (value(cut), *cut)).filter(|(value, _)| !value.is_nan());
        let best = valued.reduce(|best, next| if better(&next, &best) { next } else { best });
        best.map_or(self.all[0], |(_, cut)| cut)
    }
}

/// The cuts with the best F1 of all cells together: with λ its value, they are those with the highest 2·right − λ·(predicted + with) of each
/// label (Dinkelbach 1967), which gives the next λ, until it stays.
fn micro(cuts: &[Cuts]) -> Vec<f64> {
    let mut lambda = 0.0;
    loop {
        let value = |cut: &Cut| 2.0 * cut.right as f64 - lambda * (cut.predicted + cut.with) as f64;
        let chosen: Vec<Cut> = cuts.iter().map(|cuts| cuts.highest(value)).collect();
        let (right, all) =
            chosen.iter().fold((0, 0), |(right, all), cut| (right + cut.right, all + cut.predicted + cut.with));
        let next = if all == 0 { 0.0 } else { 2.0 * right as f64 / all as f64 };
        if next <= lambda {
            let threshold = |(cuts, cut): (&Cuts, &Cut)| if cuts.with == 0 { 0.5 } else { cut.threshold };
            return cuts.iter().zip(&chosen).map(threshold).collect();
        }
        lambda = next;
    }
}

/// The threshold of the second of two labels with the best value of a metric.
fn of_two(cuts: &Cuts, labels: &[String], metric: Metric) -> f64 {
    let value = |cut: &Cut| {
        let (false_positive, missed) = (cut.predicted - cut.right, cut.with - cut.right);
        let right_of_first = cuts.rows - cut.with - false_positive;
        let confusion = Confusion::from_rows([[right_of_first, false_positive], [missed, cut.right]]);
        Metrics::of_confusion(labels, confusion).get(metric)
    };
    cuts.best(value)
}

impl Answer {
    /// The first and the second derivative of the loss by the factor `scale` of the logits.
    fn slope(&self, target: &Target, scale: f64) -> (f64, f64) {
        match &self.evidence {
            Evidence::Label(log) => {
                let max = log.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let weights: Vec<f64> = log.iter().map(|log| ((log - max) * scale).exp()).collect();
                let sum: f64 = weights.iter().sum();
                let mean: f64 = weights.iter().zip(log).map(|(weight, log)| weight * log).sum::<f64>() / sum;
                let variance =
                    weights.iter().zip(log).map(|(weight, log)| weight * (log - mean).powi(2)).sum::<f64>() / sum;
                (mean - target.label().map_or(f64::NAN, |id| log[id as usize]), variance)
            }
            Evidence::Labels(with, without) => {
                let cells = with.iter().zip(without).map(|(with, without)| {
                    let logit = with - without;
                    let p = 1.0 / (1.0 + (-logit * scale).exp());
                    (logit * p, logit * logit * p * (1.0 - p))
                });
                let (sum, curvature) = cells.fold((0.0, 0.0), |sum, cell| (sum.0 + cell.0, sum.1 + cell.1));
                let of_target: f64 = target.ids().iter().map(|id| with[*id as usize] - without[*id as usize]).sum();
                (sum - of_target, curvature)
            }
            Evidence::Numbers => (0.0, 0.0),
        }
    }
}

/// Whether thresholds can be chosen by this metric: of texts that may have several labels, or of those that have one of two.
pub fn fits(metric: Metric, of_sets: bool) -> bool {
    match of_sets {
        true => OF_SETS.contains(&metric),
        false => OF_TWO.contains(&metric) || metric.label_name().is_some(),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::{
        metrics::Tally,
        task::{Decision, Task},
    };

    /// What scipy and scikit-learn find: `tests/fixtures/decisions/make.py`.
    #[derive(Deserialize)]
    struct Reference {
        single: Single,
        sets: SetsOf,
        two: Two,
    }

    #[derive(Deserialize)]
    struct Single {
        logits: Vec<Vec<f32>>,
        labels: Vec<u32>,
        temperature: f64,
    }

    #[derive(Deserialize)]
    struct SetsOf {
        logits: Vec<Vec<f32>>,
        labels: Vec<Vec<u32>>,
        temperature: f64,
        macro_f1: f64,
        micro_f1: f64,
    }

    #[derive(Deserialize)]
    struct Two {
        logits: Vec<Vec<f32>>,
        labels: Vec<u32>,
        best: std::collections::BTreeMap<String, f64>,
    }

    fn reference() -> Reference {
        serde_json::from_str(include_str!("../../tests/fixtures/decisions/reference.json")).unwrap()
    }

    fn answers(task: Task, logits: &[Vec<f32>], targets: impl IntoIterator<Item = Target>) -> Vec<(Answer, Target)> {
        logits.iter().map(|logits| task.answer(logits)).zip(targets).collect()
    }

    fn of_sets(sets: &SetsOf) -> Vec<(Answer, Target)> {
        answers(Task::MultiLabel, &sets.logits, sets.labels.iter().cloned().map(Target::labels))
    }

    fn names(n: usize) -> Vec<String> {
        ('a'..).take(n).map(String::from).collect()
    }

    fn chosen(rows: &[(Answer, Target)], labels: usize, metric: Metric) -> Vec<f64> {
        let rows: Vec<_> = rows.iter().map(|(answer, target)| (answer.probabilities(), target)).collect();
        thresholds(&rows, &names(labels), metric)
    }

    /// The value of a metric with these thresholds.
    fn value(rows: &[(Answer, Target)], labels: &[String], thresholds: Vec<f64>, metric: Metric) -> f64 {
        let decision = Decision { thresholds: Some(thresholds), ..Decision::default() };
        let mut tally = Tally::new(labels.len());
        rows.iter().for_each(|(answer, target)| tally.add(answer.clone().decided(&decision).scored(target)));
        tally.metrics(labels).get(metric)
    }

    #[test]
    fn temperatures_are_scipys() {
        let Reference { single, sets, .. } = reference();
        let of_label = answers(Task::SingleLabel, &single.logits, single.labels.into_iter().map(Target::Label));
        for (rows, want) in [(of_label, single.temperature), (of_sets(&sets), sets.temperature)] {
            let got = temperature(&rows);
            assert!((got - want).abs() < 1e-7 * want, "{got}, wanted {want}");
            // With it, no temperature is better.
            let decision = Decision { temperature: got, thresholds: None };
            let decided: Vec<_> =
                rows.into_iter().map(|(answer, target)| (answer.decided(&decision), target)).collect();
            assert!((temperature(&decided) - 1.0).abs() < 1e-9);
        }
    }

    /// The zero does not depend on where the search begins, be it far from it.
    #[test]
    fn temperatures_are_found_from_anywhere() {
        let rows = of_sets(&reference().sets);
        let all: Vec<&(Answer, Target)> = rows.iter().collect();
        let want = zero(&all, 1.0);
        for begin in [0.05, 0.3, 2.0, 20.0] {
            let got = zero(&all, begin);
            assert!((got - want).abs() < 1e-11 * want, "from {begin}: {got}, wanted {want}");
        }
        // A part of the rows comes first, of another temperature.
        for part in [6, 30, 60] {
            let got = temperature_by(&rows, part);
            assert!((got - 1.0 / want).abs() < 1e-11 / want, "{part}: {got}");
        }
    }

    #[test]
    fn temperatures_stay_in_their_range() {
        let rows = |right: bool| answers(Task::SingleLabel, &[vec![1.0, 0.0]], [Target::Label(u32::from(!right))]);
        assert!((temperature(&rows(true)) - 0.05).abs() < 1e-9, "always right: ever surer");
        assert!((temperature(&rows(false)) - 20.0).abs() < 1e-9, "always wrong: ever less sure");
        assert_eq!(temperature(&[]), 1.0);
        let numbers = answers(Task::Regression, &[vec![1.0]], [Target::values(vec![2.0])]);
        assert_eq!(temperature(&numbers), 1.0);
    }

    #[test]
    fn thresholds_are_as_good_as_any() {
        let Reference { sets, two, .. } = reference();
        let rows = of_sets(&sets);
        for (metric, want) in [(Metric::MacroF1, sets.macro_f1), (Metric::MicroF1, sets.micro_f1)] {
            let chosen = chosen(&rows, 3, metric);
            let got = value(&rows, &names(3), chosen, metric);
            assert!((got - want).abs() < 1e-12, "{metric:?}: {got}, wanted {want}");
        }
        let rows = answers(Task::SingleLabel, &two.logits, two.labels.into_iter().map(Target::Label));
        for (id, want) in two.best {
            let metric = Metric::from_id(&id).unwrap();
            assert!(fits(metric, false), "{id}");
            let chosen = chosen(&rows, 2, metric);
            assert_eq!(chosen.len(), 1);
            let got = value(&rows, &names(2), chosen, metric);
            assert!((got - want).abs() < 1e-12, "{id}: {got}, wanted {want}");
        }
    }

    #[test]
    fn a_label_without_rows_keeps_one_half_and_equals_are_near_it() {
        let rows = answers(Task::MultiLabel, &[vec![2.0, 2.0], vec![-2.0, 1.0]], [vec![0], vec![]].map(Target::labels));
        let p = 1.0 / (1.0 + (-2.0f64).exp());
        for metric in OF_SETS {
            let chosen = chosen(&rows, 2, metric);
            assert!((chosen[0] - f64::midpoint(p, 1.0 - p)).abs() < 1e-7 && chosen[1] == 0.5, "{chosen:?}");
        }
        // Two rows with one probability are never on two sides.
        let rows = answers(Task::MultiLabel, &[vec![0.5], vec![0.5]], [vec![0], vec![]].map(Target::labels));
        assert!(value(&rows, &names(1), chosen(&rows, 1, Metric::MacroF1), Metric::MacroF1) - 2.0 / 3.0 < 1e-12);
    }

    /// Many labels, of more than a block: each is cut as if it were alone. Micro-F1 looks at the corners of its curve only: no label can
    /// be cut otherwise for a better value of all together, and nothing else would be chosen from all cuts.
    #[test]
    fn labels_are_cut_as_if_alone_and_corners_are_enough() {
        let labels = 2 * BLOCK + 3;
        let p = |row: usize, id: usize| ((row * 37 + id * 101 + row * id * 7) % 97) as f32 / 97.0;
        let has = |row: usize, id: usize| {
            (row * 13 + id * 5).is_multiple_of(3 + id) && id % 7 != 6 || p(row, id) > 0.9 && id.is_multiple_of(2)
        };
        let probabilities: Vec<Vec<f32>> = (0..60).map(|row| (0..labels).map(|id| p(row, id)).collect()).collect();
        let targets: Vec<Target> = (0..60)
            .map(|row| Target::labels((0..labels).filter(|id| has(row, *id)).map(|id| id as u32).collect()))
            .collect();
        let rows: Vec<(&[f32], &Target)> = probabilities.iter().map(Vec::as_slice).zip(&targets).collect();
        let all = thresholds(&rows, &names(labels), Metric::MacroF1);
        for id in 0..labels {
            let of_one: Vec<[f32; 1]> = probabilities.iter().map(|row| [row[id]]).collect();
            let has: Vec<Target> = (0..60)
                .map(|row| Target::labels(if targets[row].ids().contains(&(id as u32)) { vec![0] } else { vec![] }))
                .collect();
            let alone: Vec<(&[f32], &Target)> = of_one.iter().map(<[f32; 1]>::as_slice).zip(&has).collect();
            assert_eq!(all[id], thresholds(&alone, &names(1), Metric::MacroF1)[0], "label {id}");
        }
        let cuts = || Cuts::of_block(&rows, 0..labels);
        let (every, outermost) =
            (micro(&cuts().collect::<Vec<_>>()), micro(&cuts().map(Cuts::outermost).collect::<Vec<_>>()));
        assert_eq!(every, outermost);
        let few = cuts().map(Cuts::outermost).map(|cuts| cuts.all.len()).sum::<usize>();
        assert!(few < cuts().map(|cuts| cuts.all.len()).sum::<usize>() / 2, "{few}");
    }
}

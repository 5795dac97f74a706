//! A comparison of two sides in words.

use std::cmp::Ordering;

use super::{
    finding::Finding,
    measured::{Measured, MeasuredSide},
    texts::{difference_text, texts},
};
use crate::report::language::{Said, beside, counted, tr};
use crate::{
    format::{by_number, count, points},
    metrics::{Metric, Unit},
    report::{
        format::p_value,
        terms::{Terms, signed},
    },
    stats::{Interval, MeansDiffer},
    task::Task,
};

/// What a test says, with the correction for several.
#[derive(Clone, Copy)]
pub struct Tested {
    /// Its p-value.
    pub p: f64,
    /// The p-value with Holm's correction, and for how many tests.
    pub holm: Option<(f64, usize)>,
}

impl Tested {
    /// Whether the difference is more than chance explains, at the 5% level.
    pub fn is_significant(&self) -> bool {
        self.holm.map_or(self.p, |(p, _)| p) < 0.05
    }

    fn text(&self) -> String {
        match self.holm {
            None => p_value(self.p),
            Some((p, of)) => tr!(
                "{}; {} with Holm's correction for {of} comparisons",
                "{}；经 Holm 方法对 {of} 次比较校正后 {}",
                p_value(self.p),
                p_value(p)
            ),
        }
    }
}

/// A paragraph: how the side differs from the first one, and whether that is more than chance explains.
pub fn sentences(
    measured: &Measured<'_>,
    other: &MeasuredSide<'_>,
    finding: &Finding,
    tested: Option<Tested>,
) -> Vec<String> {
    let first = &measured.sides[0];
    let says = Says { terms: measured.terms, split: measured.split.said(), first, other };
    let mut said = vec![says.difference(finding)];
    match (finding, tested, finding.names()) {
        (Finding::Untested(why), ..) => said.push(tr!("This was not tested: {why}.", "没有做检验：{why}。")),
        (_, Some(tested), Some((test, _))) => {
            let beyond = match finding {
                Finding::Seeds(..) => {
                    [tr("the seeds explain", "种子所能解释的"), tr("the spread of the seeds", "种子间的波动")]
                }
                Finding::Folds(..) => {
                    [tr("the folds explain", "各折所能解释的"), tr("the spread of the folds", "各折间的波动")]
                }
                _ => [tr("chance explains", "偶然所能解释的"), tr("chance", "偶然")],
            };
            let verdict = match tested.is_significant() {
                true => tr!("This is more than {}", "这超出了{}", beyond[0]),
                false => tr!("This is not distinguishable from {}", "这与{}无法区分", beyond[1]),
            };
            said.push(tr!("{verdict} ({test}, {}).", "{verdict}（{test}，{}）。", tested.text()));
        }
        _ => {}
    }
    if let Finding::Seeds(.., Some(paired)) = finding {
        said.push(tr!(
            "Paired by seed: {} (Student's t-test).",
            "按种子配对：{}（Student t 检验）。",
            p_value(paired.p)
        ));
    }
    said.extend(says.scope(finding));
    said
}

struct Says<'a> {
    terms: Terms,
    split: &'static str,
    first: &'a MeasuredSide<'a>,
    other: &'a MeasuredSide<'a>,
}

impl Says<'_> {
    fn difference(&self, finding: &Finding) -> String {
        let (a, b, split) = (self.first.letter, self.other.letter, self.split);
        match finding {
            Finding::Right(paired) => {
                let rows = count(paired.rows());
                let net = paired.first_only.abs_diff(paired.second_only);
                let difference = paired.difference();
                let ([of_a, of_b], apart) = self.values(difference.map(|(difference, _)| difference));
                let interval = difference.map(|(_, i)| within(&apart, Some(i))).unwrap_or_default();
                match paired.first_only.cmp(&paired.second_only) {
                    Ordering::Equal => {
                        tr!(
                            "{b} is right on as many of {rows} {split} rows as {a}: {of_b}{interval}.",
                            "在{split}的 {rows} 行中，{b} 与 {a} 正确的行数相同：{of_b}{interval}。"
                        )
                    }
                    order => {
                        let more = if order.is_gt() { tr("more", "多") } else { tr("fewer", "少") };
                        let net = count(net);
                        tr!(
                            "{b} is right on {net} {more} of {rows} {split} rows than {a}: {of_b} against {of_a}{interval}.",
                            "在{split}的 {rows} 行中，{b} 比 {a} {more}对 {net} 行：{of_b} 对 {of_a}{interval}。"
                        )
                    }
                }
            }
            Finding::Errors { rows, test, interval } => self.of_errors(
                test.mean,
                *interval,
                &tr!("on the same {} {split} rows", "在相同的 {} 行{split}数据上", count(*rows)),
            ),
            Finding::OtherRows(shares, [rows_b, rows_a]) => {
                let ([of_a, of_b], apart) = self.values(Some(shares.difference));
                tr!(
                    "{b} is right on {of_b} of {} {split} rows, {a} on {of_a} of {} other rows{}.",
                    "{b} 在 {} 行{split}数据中正确 {of_b}，{a} 在另外 {} 行中正确 {of_a}{}。",
                    count(*rows_b),
                    count(*rows_a),
                    within(&apart, Some(shares.interval))
                )
            }
            Finding::OtherErrors(means, [rows_b, rows_a]) => {
                let on = tr!(
                    "on {} {split} rows, and of {a} on {} other rows",
                    "在 {} 行{split}数据上（{a} 在另外 {} 行上）",
                    count(*rows_b),
                    count(*rows_a)
                );
                self.of_errors(means.difference, Some(means.interval), &on)
            }
            Finding::Seeds(means, [n_b, n_a], _) => {
                let [over_a, over_b] = [n_a, n_b].map(|n| tr!(" over {}", "（{}）", counted(*n as u64, "seed")));
                self.of_means(means, self.values(Some(means.difference)), "", [&over_a, &over_b])
            }
            Finding::Folds(means, over) => {
                let values = apart(self.terms.first, over.means, Some(means.difference));
                self.of_means(
                    means,
                    values,
                    &tr!(" over the same {}", "（相同的 {}）", counted(over.folds as u64, "fold")),
                    ["", ""],
                )
            }
            Finding::Untested(_) => {
                let metric = self.terms.first;
                let difference = self.other.mean(metric) - self.first.mean(metric);
                let ([of_a, of_b], apart) = self.values(Some(difference));
                let name = metric.said();
                tr!(
                    "{b} has a {split} {name} of {of_b}, {a} of {of_a} ({}).",
                    "{b} 的{split}{name}为 {of_b}，{a} 的为 {of_a}（{}）。",
                    apart
                )
            }
        }
    }

    /// The values of the first metric of the task, of the first side and of the other, and their difference.
    fn values(&self, difference: Option<f64>) -> ([String; 2], String) {
        let metric = self.terms.first;
        apart(metric, [self.first.mean(metric), self.other.mean(metric)], difference)
    }

    /// Both means (first, other), and their difference. `over`: what both are over, or each of its own.
    fn of_means(
        &self,
        means: &MeansDiffer,
        ([of_a, of_b], apart): ([String; 2], String),
        over: &str,
        [over_a, over_b]: [&str; 2],
    ) -> String {
        let (a, b, metric) = (self.first.letter, self.other.letter, self.terms.first);
        let text = match metric.info().unit {
            Unit::Share => within(&apart, Some(means.interval)),
            Unit::Nats | Unit::Plain => within_plain(&apart, Some(means.interval)),
        };
        let note = if self.terms.lower_is_better() { tr("; lower is better", "；越低越好") } else { "" };
        let name = metric.said();
        tr!(
            "The mean {} {name}{over} is {of_b} for {b}{over_b} and {of_a} for {a}{over_a}{text}{note}.", self.split;
            "{}{name}的平均值{over}：{} {of_b}，{} {of_a}{text}{note}。",
            self.split,
            beside(&format!("{b}{over_b}"), "为"),
            beside(&format!("{a}{over_a}"), "为")
        )
    }

    /// The errors of rows: of sets of labels a share of the labels, of numbers squares.
    fn of_errors(&self, difference: f64, interval: Option<Interval>, on: &str) -> String {
        let (a, b) = (self.first.letter, self.other.letter);
        let more = direction(difference, tr("higher", "高"), tr("lower", "低"));
        match self.terms.task {
            Task::Regression => tr!(
                "The mean squared error of {b} {on} is {more}that of {a}{}; lower is better.",
                "{b} 的均方误差{on}{more} {a}{}；越低越好。",
                within_plain(&signed(difference), interval)
            ),
            Task::SingleLabel | Task::MultiLabel => tr!(
                "The share of labels that {b} predicts wrongly {on} is {more}that of {a}{}; lower is better.",
                "{b} {on}预测错误的标签比例{more} {a}{}；越低越好。",
                within(&difference_text(Metric::Accuracy, difference), interval)
            ),
        }
    }

    /// What the comparison does not say.
    fn scope(&self, finding: &Finding) -> Option<String> {
        match finding {
            Finding::Right(_) | Finding::Errors { .. } | Finding::OtherRows(..) | Finding::OtherErrors(..) => {
                Some(tr("This compares two trained models: with other seeds the result may differ.", "比较的是两个训练好的模型：换用其他种子，结果可能不同。").into())
            }
            Finding::Seeds(_, n, _) => {
                let least = n[0].min(n[1]);
                (least < 3).then(|| {
                    tr!("{} {} little about how others would perform.", counted(least as u64, "seed"), by_number(least as u64, "says", "say"); "{}不足以说明其他种子会怎样。", counted(least as u64, "seed"))
                })
            }
            Finding::Folds(..) => Some(
                tr("The correction for the training rows that folds share is a rule of thumb, and with few folds only large differences are found.", "对各折共有训练行的校正只是经验法则；折数少时，只能发现较大的差异。").into(),
            ),
            Finding::Untested(_) => None,
        }
    }
}

/// Two values (first, other) and their difference as text, which add up.
fn apart(metric: Metric, [first, other]: [f64; 2], difference: Option<f64>) -> ([String; 2], String) {
    let [values, mut differences] = texts(metric, &[first, other], &[difference.unwrap_or(other - first)]);
    let mut values = values.into_iter();
    ([(); 2].map(|()| values.next().unwrap_or_default()), differences.pop().unwrap_or_default())
}

/// The beginning of `higher than `, or of `equal to `.
fn direction(difference: f64, higher: &str, lower: &str) -> String {
    match difference {
        d if d > 0.0 => tr!("{higher} than ", "{higher}于"),
        d if d < 0.0 => tr!("{lower} than ", "{lower}于"),
        _ => tr("the same as ", "等于").into(),
    }
}

/// ` (+0.6 points, 95% interval +0.1 to +1.1)`, cut at what a difference of shares can be.
fn within(difference: &str, interval: Option<Interval>) -> String {
    let end = |value: f64| points(value.clamp(-1.0, 1.0));
    let interval = interval
        .map_or(String::new(), |i| tr!(", 95% interval {} to {}", "，95% 区间 {} 至 {}", end(i.low), end(i.high)));
    tr!(" ({difference}{interval})", "（{difference}{interval}）")
}

fn within_plain(difference: &str, interval: Option<Interval>) -> String {
    let interval = interval.map_or(String::new(), |i| {
        tr!(", 95% interval {} to {}", "，95% 区间 {} 至 {}", signed(i.low), signed(i.high))
    });
    tr!(" ({difference}{interval})", "（{difference}{interval}）")
}

/// An interval of a difference of a metric: `+0.1 to +1.1`.
pub fn interval_text(metric: Metric, i: Interval) -> String {
    match metric.info().unit {
        Unit::Share => {
            let end = |value: f64| end_text(value.clamp(-1.0, 1.0) * 100.0, points(value.clamp(-1.0, 1.0)), 1);
            tr!("{} to {}", "{} 至 {}", end(i.low), end(i.high))
        }
        Unit::Nats | Unit::Plain => {
            let end = |value: f64| end_text(value, signed(value), 4);
            tr!("{} to {}", "{} 至 {}", end(i.low), end(i.high))
        }
    }
}

/// An end of an interval: `usual`, which has so many `digits`, or more of them where it would look like the 0 that it is not.
fn end_text(value: f64, usual: String, digits: usize) -> String {
    let is_zero = |text: &String| text.chars().all(|c| matches!(c, '0' | '.'));
    if value == 0.0 || !value.is_finite() || !is_zero(&usual) {
        return usual;
    }
    (digits + 1..=digits + 6)
        .map(|digits| crate::format::signed(value, digits))
        .find(|text| !is_zero(text))
        .unwrap_or(usual)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_stay_within_what_a_difference_can_be() {
        let i = Interval { low: -1.2, high: 0.034 };
        assert_eq!(
            within(&difference_text(Metric::Accuracy, -0.5), Some(i)),
            " (−50.0 points, 95% interval −100.0 to +3.4)"
        );
        assert_eq!(within_plain(&signed(0.5), None), " (+0.5000)");
        assert_eq!(interval_text(Metric::Loss, i), "−1.2000 to +0.0340");
        assert_eq!(interval_text(Metric::Accuracy, i), "−100.0 to +3.4");
        // An end that only looks like 0 says on which side of it it is.
        let near = Interval { low: -0.000_012, high: 0.0 };
        assert_eq!(interval_text(Metric::Mcc, near), "−0.00001 to 0.0000");
        assert_eq!(interval_text(Metric::Accuracy, Interval { low: 0.0004, high: 0.02 }), "+0.04 to +2.0");
    }

    #[test]
    fn the_corrected_value_decides() {
        let of = |p, holm| Tested { p, holm };
        assert!(of(0.03, None).is_significant() && !of(0.03, Some((0.06, 2))).is_significant());
        assert_eq!(
            of(0.03, Some((0.06, 2))).text().replace('\u{a0}', " "),
            "p = 0.030; p = 0.060 with Holm's correction for 2 comparisons"
        );
    }
}

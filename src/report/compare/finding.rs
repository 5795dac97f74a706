//! What is known of the difference of two sides: the test that fits what they are.

use std::collections::BTreeMap;

use super::{
    answers::Answers,
    measured::{Measured, MeasuredSide},
    over_folds::{OverFolds, have_same_folds},
};
use crate::report::language::{Said, tr};
use crate::{
    metrics::Metric,
    report::same_rows::{OnSameRows, compared, error},
    stats::{Interval, MeansDiffer, Paired, Sample, SharesDiffer, SignFlip, paired_t, shares_differ, welch},
};

/// The difference of a side from the first one, and its test. All differences are that side minus the first.
pub enum Finding {
    /// Two runs on the same rows: which was right on how many; the first of the pair is that side.
    Right(Paired),
    /// Two runs on the same rows, each of which has an error.
    Errors {
        /// The number of rows.
        rows: u64,
        /// The test of the mean difference.
        test: SignFlip,
        /// Its interval.
        interval: Option<Interval>,
    },
    /// Two runs on other rows: shares of right rows, and the numbers of rows (that side, first).
    OtherRows(SharesDiffer, [u64; 2]),
    /// Two runs on other rows, each of which has an error: means over the rows, and the numbers of rows (that side, first).
    OtherErrors(MeansDiffer, [u64; 2]),
    /// Means over several seeds, and how many (that side, first); the test that pairs the same seeds.
    Seeds(MeansDiffer, [usize; 2], Option<MeansDiffer>),
    /// Folds of the same division: the test, and the values that it compares.
    Folds(MeansDiffer, OverFolds),
    /// Nothing can be tested: why.
    Untested(String),
}

impl Finding {
    /// Two-sided p-value.
    pub fn p(&self) -> Option<f64> {
        Some(match self {
            Self::Right(paired) => paired.mcnemar(),
            Self::Errors { test, .. } => test.p,
            Self::OtherRows(shares, _) => shares.p,
            Self::OtherErrors(means, _) | Self::Seeds(means, ..) | Self::Folds(means, _) => means.p,
            Self::Untested(_) => return None,
        })
    }

    /// The difference of what is tested, and its 95% interval.
    pub fn difference(&self) -> (Option<f64>, Option<Interval>) {
        match self {
            Self::Right(paired) => paired.difference().map_or((None, None), |(d, i)| (Some(d), Some(i))),
            Self::Errors { test, interval, .. } => (Some(test.mean), *interval),
            Self::OtherRows(shares, _) => (Some(shares.difference), Some(shares.interval)),
            Self::OtherErrors(means, _) | Self::Seeds(means, ..) | Self::Folds(means, _) => {
                (Some(means.difference), Some(means.interval))
            }
            Self::Untested(_) => (None, None),
        }
    }

    /// The name of the test, and of the method of the interval.
    pub fn names(&self) -> Option<(String, &'static str)> {
        Some(match self {
            Self::Right(_) => (
                tr("exact McNemar test", "精确麦克尼马尔（McNemar）检验").into(),
                tr("Agresti and Min", "Agresti 和 Min"),
            ),
            Self::Errors { test, .. } => {
                let flips = test.flips.map_or(tr("exact", "精确").into(), |n| {
                    tr!("{} flips", "{} 次翻转", crate::format::count(n as u64))
                });
                (
                    tr!("permutation test with sign flips, {flips}", "符号翻转的置换检验，{flips}"),
                    tr("paired bootstrap", "配对自助法（bootstrap）"),
                )
            }
            Self::OtherRows(..) => (
                tr("z-test of two independent shares", "两个独立比例的 z 检验").into(),
                tr("Newcombe, from two Wilson intervals", "Newcombe，由两个威尔逊区间得出"),
            ),
            Self::OtherErrors(..) => {
                (tr("Welch's t-test over rows", "各行间的韦尔奇（Welch）t 检验").into(), tr("Welch", "韦尔奇（Welch）"))
            }
            Self::Seeds(..) => (
                tr("Welch's t-test over seeds", "种子间的韦尔奇（Welch）t 检验").into(),
                tr("Welch", "韦尔奇（Welch）"),
            ),
            Self::Folds(..) => (
                tr("Nadeau and Bengio's corrected t-test over folds", "各折间的 Nadeau 和 Bengio 校正 t 检验").into(),
                tr("Nadeau and Bengio", "Nadeau 和 Bengio"),
            ),
            Self::Untested(_) => return None,
        })
    }

    /// Whether both sides were compared row by row.
    pub fn is_paired(&self) -> bool {
        matches!(self, Self::Right(_) | Self::Errors { .. } | Self::Folds(..))
    }
}

/// The finding of a side against the first one.
pub fn finding(measured: &Measured<'_>, other: &MeasuredSide<'_>) -> Finding {
    let first = &measured.sides[0];
    if let Some(not_final) = [first, other].into_iter().find(|side| !side.is_final) {
        return Finding::Untested(tr!(
            "{} is not final, and its metrics still change",
            "{} 还不是最终结果，指标仍会变化",
            not_final.letter
        ));
    }
    match (first.side.folds(), other.side.folds()) {
        (Some(_), Some(_)) => folds(measured, other),
        (None, None) => match (first.only(), other.only()) {
            (Some(_), Some(_)) => runs(measured, other),
            (None, None) => seeds(first, other, measured.terms.first),
            (one, _) => {
                let one = if one.is_some() { first } else { other };
                Finding::Untested(tr!(
                    "{} is one run, and how its value would vary with other seeds is not known: compare runs with runs, or trials with trials",
                    "{} 是单次运行，换用其他种子时它的值会怎样变化并不清楚：请用运行比运行，用试验比试验",
                    one.letter
                ))
            }
        },
        (of_first, _) => {
            let (with, without) = if of_first.is_some() { (first, other) } else { (other, first) };
            Finding::Untested(tr!(
                "{} is a cross-validation and {} is not",
                "{} 是交叉验证而 {} 不是",
                with.letter,
                without.letter
            ))
        }
    }
}

/// Two runs, row by row if both were evaluated on the same rows.
fn runs(measured: &Measured<'_>, other: &MeasuredSide<'_>) -> Finding {
    let first = &measured.sides[0];
    let (Some((a, of_a)), Some((b, of_b))) = (first.only(), other.only()) else {
        return Finding::Untested(tr("there is nothing to compare", "没有可比较的内容").into());
    };
    let (of_other, of_first) = match [other, first].map(|side| Answers::of(side, measured.split)) {
        [Ok(of_other), Ok(of_first)] => (of_other, of_first),
        // Whether they have the same rows is not known.
        [Err(why), _] | [_, Err(why)] => return Finding::Untested(why.into()),
    };
    if of_other.are_of_same_rows(&of_first) {
        return match compared(&[b], &[a]) {
            Ok(OnSameRows::Right(paired)) => Finding::Right(paired),
            Ok(OnSameRows::Errors { rows, test, interval }) => Finding::Errors { rows, test, interval },
            Err(why) => Finding::Untested(why.into()),
        };
    }
    if measured.terms.is_single() {
        let differ = shares_differ((of_b.right(), of_b.rows), (of_a.right(), of_a.rows));
        return differ
            .map_or(Finding::Untested(tr("one has no rows", "其中一方没有数据行").into()), |differ| {
                Finding::OtherRows(differ, [of_b.rows, of_a.rows])
            });
    }
    let labels = b.run.labels.len();
    let errors = |answers: &Answers<'_>| -> Vec<f64> {
        answers.seeds.iter().flatten().map(|p| error(measured.terms.task, p, labels)).collect()
    };
    let (x, y) = (errors(&of_other), errors(&of_first));
    let rows = [x.len() as u64, y.len() as u64];
    let differ = Sample::new(&x).zip(Sample::new(&y)).and_then(|(x, y)| welch(&x, &y));
    differ.map_or(Finding::Untested(tr("their errors do not vary", "它们的误差没有变化").into()), |differ| {
        Finding::OtherErrors(differ, rows)
    })
}

/// Two trials of several seeds.
fn seeds(first: &MeasuredSide<'_>, other: &MeasuredSide<'_>, metric: Metric) -> Finding {
    if let Some(few) = [first, other].into_iter().find(|side| side.values(metric).len() < 2) {
        return Finding::Untested(tr!(
            "{} is defined for {} of the {} runs of {}, and a test needs two of each side",
            metric.said(),
            few.values(metric).len(),
            few.runs.len(),
            few.letter
        ; "{3} 的 {2} 次运行中只有 {1} 次有{0}，而检验要求每一方至少两次", metric.said(), few.values(metric).len(), few.runs.len(), few.letter));
    }
    match differ_over_seeds(first, other, metric) {
        Some(differ) => {
            let n = [other, first].map(|side| side.values(metric).len());
            Finding::Seeds(differ, n, paired_by_seed(first, other, metric))
        }
        None => Finding::Untested(tr!(
            "the seeds of neither differ in {}, so nothing is known about how other seeds would differ",
            "两者的种子在{}上都没有差异，因此无从得知其他种子会相差多少",
            metric.said()
        )),
    }
}

/// Welch's test of the values of a metric over the seeds.
pub fn differ_over_seeds(first: &MeasuredSide<'_>, other: &MeasuredSide<'_>, metric: Metric) -> Option<MeansDiffer> {
    let [a, b] = [first, other].map(|side| Sample::new(&side.values(metric)));
    welch(&b?, &a?)
}

/// The paired test, if both have the same seeds.
fn paired_by_seed(first: &MeasuredSide<'_>, other: &MeasuredSide<'_>, metric: Metric) -> Option<MeansDiffer> {
    let [a, b] = [first, other].map(|side| side.by_seed(metric).into_iter().collect::<BTreeMap<u64, f64>>());
    let same = a.len() == first.runs.len() && b.len() == other.runs.len() && a.keys().eq(b.keys());
    same.then(|| paired_t(&b.values().zip(a.values()).map(|(b, a)| b - a).collect::<Vec<_>>())).flatten()
}

/// Two cross-validations of the same division.
fn folds(measured: &Measured<'_>, other: &MeasuredSide<'_>) -> Finding {
    let first = &measured.sides[0];
    if first.side.folds() != other.side.folds() {
        return Finding::Untested(tr("they have different numbers of folds", "它们的折数不同").into());
    }
    match have_same_folds(first, other, measured.split) {
        Ok(true) => {}
        Ok(false) => return Finding::Untested(tr("their folds have different rows", "它们的折所含的行不同").into()),
        Err(why) => return Finding::Untested(why.into()),
    }
    let over = OverFolds::of(first, other, measured.terms.first);
    if over.as_ref().is_none_or(|over| over.folds < 2) {
        return Finding::Untested(tr("fewer than two folds are completed by both", "双方都完成的折少于两个").into());
    }
    match over.and_then(|over| Some((over.test()?, over))) {
        Some((differ, over)) => Finding::Folds(differ, over),
        None => Finding::Untested(
            tr(
                "the difference is the same in all folds, so nothing is known about how it would vary",
                "所有折的差都相同，因此无从得知它会如何变化",
            )
            .into(),
        ),
    }
}

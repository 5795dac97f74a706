//! Means of a metric over the runs of a trial, and their intervals.

use serde::{Serialize, Serializer, ser::SerializeMap};

use super::{
    format::with_interval,
    terms::{is_share_of_rows, over_rows},
};
use crate::report::language::{self, Said, and, tr};
use crate::{
    metrics::{Metric, Metrics, Unit},
    stats::{Interval, Sample, wilson, wilson_of_share},
};

/// The mean of a metric over the seeds, or the folds, of a trial.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Mean {
    /// The number of runs.
    pub n: usize,
    /// Their mean.
    pub mean: f64,
    /// Their sample standard deviation; `None` for one run.
    pub sd: Option<f64>,
    /// Lower end of the 95% interval: Student's t for the mean of several runs, Wilson's for the accuracy or subset accuracy of one run,
    /// `None` for other metrics of one run, except that a report has their bootstrap intervals. Intervals of shares are clamped to [0, 1].
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// The lowest and the highest value.
    pub range: (f64, f64),
    /// Wilson's 95% interval of the mean accuracy or subset accuracy, for the rows of one run: more seeds do not add rows.
    pub rows: Option<(f64, f64)>,
}

/// A metric on the test split, which JSON calls after it: `test_accuracy`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tested {
    /// The metric.
    pub metric: Metric,
    /// Its mean over the completed runs.
    pub mean: Option<Mean>,
}

impl Serialize for Tested {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(&format!("test_{}", self.metric.info().id), &self.mean)?;
        map.end()
    }
}

impl Mean {
    /// The interval that tables and the report show beside the mean. For two seeds it goes from one value to the other, otherwise it is the
    /// 95% interval; the interval for the number of rows replaces it where that is wider, or where all seeds have the same value.
    pub fn shown(&self) -> Option<(f64, f64)> {
        let seeds = match self.n {
            1 => self.low.zip(self.high),
            // The last bits of means of equal values differ.
            _ if self.range.1 - self.range.0 <= self.range.1.abs() * 1e-12 => None,
            2 => Some(self.range),
            _ => self.low.zip(self.high),
        };
        let width = |(low, high): &(f64, f64)| high - low;
        seeds.into_iter().chain(self.rows).reduce(|a, b| if width(&b) > width(&a) { b } else { a })
    }

    /// What the interval of [`Self::shown`] is over, in words: rows, or the runs (`seed`, `fold` or `run`) that this is the mean of.
    /// `None` without an interval.
    pub(super) fn covers(&self, metric: Metric, replicate: &str) -> Option<String> {
        let shown = self.shown()?;
        let replicate = language::replicate(replicate);
        Some(match self.n {
            _ if self.n == 1 || self.rows == Some(shown) => over_rows(metric).into(),
            2 => tr!("the lower and the higher of 2 {replicate}s", "2 个{replicate}中的较低值和较高值"),
            _ => tr!("95% Student's t interval over {replicate}s", "各{replicate}间的 95% t 区间（Student）"),
        })
    }

    /// `91.3% (90.1–92.4)`: the mean and the interval of [`Self::shown`].
    pub fn text(&self, metric: Metric) -> String {
        match self.shown() {
            None => metric.text(self.mean),
            Some(interval) => with_interval(metric, self.mean, interval),
        }
    }
}

/// Explains the shown intervals of these means, one sentence for each kind. Wilson's interval applies to accuracy and subset accuracy only,
/// the metrics that are shares of rows. `what`: the plural that names the intervals, such as `intervals`. `replicate`: what the means are over:
/// `seed`, `fold` or `run`.
pub fn interval_notes<'a>(means: impl Iterator<Item = (Metric, &'a Mean)>, what: &str, replicate: &str) -> Vec<String> {
    // Whether the number of rows counts too: that of folds differs in what their rows are.
    let shown: Vec<(Metric, usize, bool)> = means
        .filter(|(_, mean)| mean.shown().is_some())
        .map(|(metric, mean)| (metric, mean.n, mean.rows.is_some()))
        .collect();
    let named = |by_rows: bool| {
        let mut named: Vec<Metric> = Vec::new();
        for (metric, ..) in shown.iter().filter(|(metric, ..)| is_share_of_rows(*metric) == by_rows) {
            if !named.contains(metric) {
                named.push(*metric);
            }
        }
        named
    };
    let (others, of_rows) = (named(false), named(true));
    let of_others = others.iter().map(|metric| {
        format!(
            "{what} of {} use only the {replicate}s: with two, the lower and the higher value; with more, the 95% Student's t interval of the \
             mean; none if all {replicate}s give the same value",
            metric.said()
        )
    });
    let shown = shown.iter().filter(|(metric, ..)| is_share_of_rows(*metric)).map(|(_, n, rows)| (*n, *rows));
    let shown: Vec<(usize, bool)> = shown.collect();
    let has = |n: &dyn Fn(usize) -> bool, by_rows: bool| shown.iter().any(|(of, rows)| n(*of) && *rows == by_rows);
    let of_rows: Vec<String> = of_rows.iter().map(|metric| metric.said()).collect();
    let named = match others.is_empty() {
        true => format!("{what} in parentheses"),
        false => format!("{what} of {} in parentheses", and(&of_rows)),
    };
    let notes = [
        (has(&|n| n == 1, true), format!("one {replicate}: 95% Wilson interval, based on the number of rows")),
        (has(&|n| n == 2, false), format!("two {replicate}s: the lower and the higher value")),
        (
            has(&|n| n == 2, true),
            format!(
                "two {replicate}s: the lower and the higher value, or the 95% Wilson interval (based on the number of rows) if it is \
                 wider; two {replicate}s say little about how other {replicate}s would perform"
            ),
        ),
        (has(&|n| n > 2, false), format!("three or more {replicate}s: 95% Student's t interval of the mean")),
        (
            has(&|n| n > 2, true),
            format!(
                "three or more {replicate}s: 95% Student's t interval of the mean, or the Wilson interval (based on the number of rows) \
                 if it is wider"
            ),
        ),
    ];
    let notes = notes.into_iter().filter(|(applies, _)| *applies).map(|(_, note)| format!("{named}, {note}"));
    notes.chain(of_others).collect()
}

/// The mean of a metric over runs.
pub(super) fn mean(measured: &[&Metrics], by: Metric) -> Option<Mean> {
    let values: Vec<f64> = measured.iter().map(|m| m.get(by)).filter(|v| v.is_finite()).collect();
    let mean = mean_of(&values, by)?;
    let of_one = match (measured, by) {
        ([only], by) if is_share_of_rows(by) => Some(wilson(only.right(), only.rows)),
        _ => None,
    };
    let rows = measured.iter().map(|m| m.rows).min().filter(|rows| *rows > 0 && is_share_of_rows(by));
    let by_rows = rows.map(|rows| wilson_of_share(mean.mean, rows));
    Some(Mean {
        low: of_one.map(|i| i.low).or(mean.low),
        high: of_one.map(|i| i.high).or(mean.high),
        rows: by_rows.map(|i| (i.low, i.high)),
        ..mean
    })
}

/// The mean of values of a metric that have nothing to do with one another but the metric.
pub(super) fn mean_of(values: &[f64], by: Metric) -> Option<Mean> {
    let sample = Sample::new(values)?;
    let interval =
        if by.info().unit == Unit::Share { sample.interval.map(Interval::of_share) } else { sample.interval };
    Some(Mean {
        n: sample.n,
        mean: sample.mean,
        sd: sample.sd,
        low: interval.map(|i| i.low),
        high: interval.map(|i| i.high),
        range: values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &v| (low.min(v), high.max(v))),
        rows: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The widths decide which interval is shown, and its name says which it is.
    #[test]
    fn an_interval_is_named_by_what_it_covers() {
        let of = |values: &[f64], rows: Option<(f64, f64)>| Mean { rows, ..mean_of(values, Metric::Accuracy).unwrap() };
        let covers = |mean: Mean| mean.covers(Metric::Accuracy, "seed");
        assert_eq!(covers(of(&[0.5, 0.6, 0.7], Some((0.59, 0.61)))).unwrap(), "95% Student's t interval over seeds");
        assert_eq!(covers(of(&[0.5, 0.6, 0.7], Some((0.1, 0.9)))).unwrap(), "95% Wilson interval over rows");
        assert_eq!(covers(of(&[0.5, 0.7], None)).unwrap(), "the lower and the higher of 2 seeds");
        assert_eq!(covers(of(&[0.6, 0.6], None)), None);
        assert_eq!(covers(of(&[0.6, 0.6], Some((0.5, 0.7)))).unwrap(), "95% Wilson interval over rows");
        let one = Mean { low: Some(0.5), high: Some(0.7), ..of(&[0.6], None) };
        assert_eq!(covers(one).unwrap(), "95% Wilson interval over rows");
        assert_eq!(one.covers(Metric::MacroF1, "seed").unwrap(), "95% bootstrap interval over rows");
    }
}

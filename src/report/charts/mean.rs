//! The mean of several curves.

use plotters::style::RGBColor;

use super::theme;

/// The mean of several curves, and the range that they cover: three lists of equal length.
#[derive(Debug, Clone, PartialEq)]
pub struct Mean {
    /// Its colour.
    pub colour: RGBColor,
    /// (step, mean).
    pub points: Vec<(f64, f64)>,
    /// (step, lowest value).
    pub low: Vec<(f64, f64)>,
    /// (step, highest value).
    pub high: Vec<(f64, f64)>,
}

impl Default for Mean {
    fn default() -> Self {
        Self { colour: theme::PALETTE[0], points: Vec::new(), low: Vec::new(), high: Vec::new() }
    }
}

impl Mean {
    /// The outline of its band, from at most this many positions, each with the lowest and the highest value since the one before it; empty
    /// without a range.
    pub fn outline(&self, most: usize) -> Vec<(f64, f64)> {
        let every = self.low.len().div_ceil(most.max(1)).max(1);
        let ends = |points: &[(f64, f64)], of: fn(f64, f64) -> f64| {
            let end = |chunk: &[(f64, f64)]| Some((chunk.last()?.0, chunk.iter().map(|p| p.1).reduce(of)?));
            points.chunks(every).filter_map(end).collect::<Vec<_>>()
        };
        let (low, high) = (ends(&self.low, f64::min), ends(&self.high, f64::max));
        if low == high { Vec::new() } else { low.into_iter().chain(high.into_iter().rev()).collect() }
    }
}

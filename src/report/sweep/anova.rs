//! The variance of a piecewise constant function, decomposed exactly into the parts of its axes.
//!
//! The functional analysis of variance (Hooker, "Generalized functional ANOVA diagnostics", 2007) of a function of independent axes, as Hutter,
//! Hoos and Leyton-Brown ("An Efficient Approach for Assessing Hyperparameter Importance", ICML 2014) compute it for the trees of a forest. A
//! complete grid is the case in which every box is one combination of values.

/// A box of levels in which the function has one value.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// The value.
    pub value: f64,
    /// Of each axis, the levels from the first one up to the second one, which is not part of it.
    pub span: Vec<(usize, usize)>,
}

/// Parts of the variance, in the squared unit of the values.
#[derive(Debug, Clone, PartialEq)]
pub struct Parts {
    /// The variance.
    pub total: f64,
    /// What each axis alone explains.
    pub main: Vec<f64>,
    /// What each pair of axes explains beyond that.
    pub pairs: Vec<f64>,
}

/// Decomposes the variance of the function whose boxes cover all combinations of levels once. `weights` has the share of each level of each
/// axis; those of an axis sum to 1. `pairs` are the pairs of axes whose parts are wanted.
pub fn decompose(cells: &[Cell], weights: &[Vec<f64>], pairs: &[(usize, usize)]) -> Parts {
    let axes = weights.len();
    let share = |cell: &Cell, axis: usize| {
        let (from, to) = cell.span[axis];
        weights[axis][from..to].iter().sum::<f64>()
    };
    let shares: Vec<Vec<f64>> = cells.iter().map(|cell| (0..axes).map(|axis| share(cell, axis)).collect()).collect();
    let besides = |cell: usize, left_out: &[usize]| {
        (0..axes).filter(|axis| !left_out.contains(axis)).map(|axis| shares[cell][axis]).product::<f64>()
    };
    let mean: f64 = cells.iter().enumerate().map(|(i, cell)| cell.value * besides(i, &[])).sum();
    let total = cells.iter().enumerate().map(|(i, cell)| (cell.value - mean).powi(2) * besides(i, &[])).sum();
    // The mean of the function at each level of an axis, over all other axes, from the mean of all on.
    let marginal = |axis: usize| {
        let mut steps = vec![0.0; weights[axis].len() + 1];
        for (i, cell) in cells.iter().enumerate() {
            let part = (cell.value - mean) * besides(i, &[axis]);
            steps[cell.span[axis].0] += part;
            steps[cell.span[axis].1] -= part;
        }
        steps.pop();
        accumulated(steps)
    };
    let marginals: Vec<Vec<f64>> = (0..axes).map(marginal).collect();
    let variance = |axis: usize| marginals[axis].iter().zip(&weights[axis]).map(|(v, w)| v * v * w).sum();
    let joint = |&(a, b): &(usize, usize)| {
        let (rows, columns) = (weights[a].len(), weights[b].len());
        let mut steps = vec![vec![0.0; columns + 1]; rows + 1];
        for (i, cell) in cells.iter().enumerate() {
            let part = (cell.value - mean) * besides(i, &[a, b]);
            let ((top, bottom), (left, right)) = (cell.span[a], cell.span[b]);
            steps[top][left] += part;
            steps[top][right] -= part;
            steps[bottom][left] -= part;
            steps[bottom][right] += part;
        }
        let mut above = vec![0.0; columns];
        let mut sum = 0.0;
        for (row, mut line) in steps.into_iter().take(rows).enumerate() {
            line.pop();
            above.iter_mut().zip(accumulated(line)).for_each(|(above, own)| *above += own);
            for (column, value) in above.iter().enumerate() {
                let beyond = value - marginals[a][row] - marginals[b][column];
                sum += beyond * beyond * weights[a][row] * weights[b][column];
            }
        }
        sum
    };
    Parts { total, main: (0..axes).map(variance).collect(), pairs: pairs.iter().map(joint).collect() }
}

/// Sums up to each position.
fn accumulated(mut steps: Vec<f64>) -> Vec<f64> {
    let mut sum = 0.0;
    for step in &mut steps {
        sum += *step;
        *step = sum;
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected: `tests/fixtures/sweep/importance.py` (numpy: means over the other axes of the full table).
    #[test]
    fn a_complete_grid_is_decomposed_exactly() {
        let near = |got: &[f64], want: &[f64]| {
            assert!(
                got.len() == want.len() && got.iter().zip(want).all(|(a, b)| (a - b).abs() < 1e-15),
                "{got:?} {want:?}"
            );
        };
        let cell =
            |value: f64, at: &[usize]| Cell { value, span: at.iter().map(|level| (*level, level + 1)).collect() };
        let table = [[0.81, 0.84, 0.79], [0.90, 0.93, 0.70]];
        let cells: Vec<Cell> = (0..6).map(|i| cell(table[i / 3][i % 3], &[i / 3, i % 3])).collect();
        let parts = decompose(&cells, &[vec![0.5; 2], vec![1.0 / 3.0; 3]], &[(0, 1)]);
        near(&[parts.total], &[0.0056472222222222245]);
        near(&parts.main, &[0.00022499999999999872, 0.0036222222222222224]);
        near(&parts.pairs, &[0.001800000000000002]);
        let table = [0.5, 0.7, 0.6, 0.9, 0.55, 0.4, 0.8, 0.85, 0.3, 0.2, 0.7, 0.75];
        let cells: Vec<Cell> = (0..12).map(|i| cell(table[i], &[i / 4, i / 2 % 2, i % 2])).collect();
        let weights = [vec![1.0 / 3.0; 3], vec![0.5; 2], vec![0.5; 2]];
        let parts = decompose(&cells, &weights, &[(0, 1), (0, 2), (1, 2)]);
        near(&[parts.total], &[0.044774305555555546]);
        near(&parts.main, &[0.006909722222222225, 0.026406249999999996, 0.0008506944444444448]);
        near(&parts.pairs, &[0.004479166666666665, 0.004618055555555557, 0.0014062499999999995]);
    }

    /// Boxes of several levels, and levels of different weights, give what their single combinations give.
    #[test]
    fn boxes_equal_their_combinations() {
        let weights = [vec![0.2, 0.3, 0.5], vec![0.6, 0.4], vec![0.1, 0.2, 0.3, 0.4]];
        let boxes = [
            (0.5, [(0, 1), (0, 2), (0, 4)]),
            (0.7, [(1, 3), (0, 1), (0, 2)]),
            (0.9, [(1, 3), (0, 1), (2, 4)]),
            (0.1, [(1, 3), (1, 2), (0, 4)]),
        ];
        let boxes: Vec<Cell> = boxes.map(|(value, span)| Cell { value, span: span.to_vec() }).to_vec();
        let mut single = Vec::new();
        for cell in &boxes {
            for i in cell.span[0].0..cell.span[0].1 {
                for j in cell.span[1].0..cell.span[1].1 {
                    for k in cell.span[2].0..cell.span[2].1 {
                        single.push(Cell { value: cell.value, span: vec![(i, i + 1), (j, j + 1), (k, k + 1)] });
                    }
                }
            }
        }
        let pairs = [(0, 1), (0, 2), (1, 2)];
        let (a, b) = (decompose(&boxes, &weights, &pairs), decompose(&single, &weights, &pairs));
        let all = |parts: Parts| [vec![parts.total], parts.main, parts.pairs].concat();
        assert!(all(a).iter().zip(all(b)).all(|(a, b)| (a - b).abs() < 1e-14));
    }
}

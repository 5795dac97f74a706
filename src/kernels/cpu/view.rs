//! Matrices in slices.

use std::ops::Range;

/// A matrix within a slice, possibly transposed.
#[derive(Clone, Copy)]
pub struct View<'a> {
    data: &'a [f32],
    rows: usize,
    cols: usize,
    stride: usize,
    transposed: bool,
}

impl<'a> View<'a> {
    /// `[rows, cols]` whose rows begin `stride` values apart.
    ///
    /// # Panics
    /// If rows overlap or `data` ends before the last one.
    pub fn new(data: &'a [f32], rows: usize, cols: usize, stride: usize) -> Self {
        assert!(stride >= cols, "rows of {cols} values cannot begin {stride} apart");
        assert!(rows == 0 || (rows - 1) * stride + cols <= data.len(), "a view past its slice");
        Self { data, rows, cols, stride, transposed: false }
    }

    /// The transposed matrix.
    pub fn t(self) -> Self {
        Self { rows: self.cols, cols: self.rows, transposed: !self.transposed, ..self }
    }

    /// Rows and columns of the (possibly transposed) matrix.
    pub fn size(&self) -> (usize, usize) {
        (self.rows, self.cols)
    }

    /// The values, from the first on.
    pub fn data(&self) -> &'a [f32] {
        self.data
    }

    /// Whether the matrix is the transpose of the stored one.
    pub fn is_transposed(&self) -> bool {
        self.transposed
    }

    /// Distance between stored rows.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// Distance between the rows and between the columns of the (possibly transposed) matrix.
    pub fn strides(&self) -> (usize, usize) {
        if self.transposed { (1, self.stride) } else { (self.stride, 1) }
    }

    /// A part of it.
    ///
    /// # Panics
    /// If it has no such rows or columns.
    pub fn narrow(self, rows: Range<usize>, cols: Range<usize>) -> Self {
        assert!(rows.end <= self.rows && cols.end <= self.cols, "a part past its matrix");
        let (row, col) = self.strides();
        let begin = (rows.start * row + cols.start * col).min(self.data.len());
        Self { data: &self.data[begin..], rows: rows.len(), cols: cols.len(), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_transposed_matrices_are_transposed_parts() {
        let data: Vec<f32> = (0..20).map(|v| v as f32).collect();
        let at = |v: View, row: usize, col: usize| v.data()[row * v.strides().0 + col * v.strides().1];
        let view = View::new(&data, 4, 3, 5);
        assert_eq!((view.size(), at(view, 2, 1)), ((4, 3), 11.0));
        let (part, turned) = (view.narrow(1..4, 1..3), view.t().narrow(1..3, 1..4));
        assert_eq!((part.size(), turned.size()), ((3, 2), (2, 3)));
        for (row, col) in [(0, 0), (2, 1), (1, 0)] {
            assert_eq!(at(part, row, col), at(turned, col, row));
        }
        assert_eq!(at(part, 2, 1), 17.0);
    }

    #[test]
    #[should_panic(expected = "past its slice")]
    fn a_view_lies_within_its_slice() {
        View::new(&[0.0; 9], 2, 3, 7);
    }
}

//! The optimizer.

use std::ops::Range;

use super::super::{
    super::{AdamW, Moments, OptimizerOps, Table},
    Buffer, Cuda, Driver, Kernel,
    launch::{BLOCK, blocks_of, threads_of},
    params,
};

impl<D: Driver> OptimizerOps for Cuda<D> {
    fn add_squares(&mut self, x: &Buffer<D>, range: Range<usize>) {
        if range.is_empty() {
            return;
        }
        let blocks = blocks_of(range.len()).min(1024);
        let partial = self.scratch(8 * blocks);
        let p = params::Squares { partial, x: x.at(range.start), len: range.len() as u64 };
        self.launch(Kernel::Squares, [blocks, 1], BLOCK, &p);
        let p = params::AddSquares { sums: self.ledger.address(), partial, blocks: blocks as u64 };
        self.launch(Kernel::AddSquares, [1, 1], BLOCK, &p);
    }

    fn adamw(&mut self, moments: Moments<Buffer<D>>, gradients: &Buffer<D>, range: Range<usize>, update: AdamW) {
        let Moments { values, first, second } = moments;
        let (at, update) = (range.start, params::Update::new(update, self.ledger.address()));
        let (values, half) = values.both_in_part(at);
        let (first, second, gradients) = (first.out(at), second.out(at), gradients.at(at));
        let p = params::AdamW { update, values, first, second, half, gradients, len: range.len() as u64 };
        self.each(Kernel::AdamW, range.len(), &p);
    }

    fn adamw_rows(
        &mut self,
        moments: Moments<Buffer<D>>,
        gradients: &Buffer<D>,
        table: Table,
        rows: &[(u32, Option<u32>)],
        update: AdamW,
    ) {
        if rows.is_empty() {
            return;
        }
        let n = rows.len();
        let rows: Vec<[u32; 2]> = rows.iter().map(|(row, gradient)| [*row, gradient.unwrap_or(u32::MAX)]).collect();
        let [rows] = self.arena.put([bytemuck::cast_slice(&rows)]);
        let Moments { values, first, second } = moments;
        let p = params::AdamWRows {
            update: params::Update::new(update, self.ledger.address()),
            // No product takes the tables.
            values: values.at(table.offset),
            first: first.out(table.offset),
            second: second.out(table.offset),
            gradients: gradients.at(0),
            rows,
            width: table.width as u64,
        };
        self.launch(Kernel::AdamWRows, [n, 1], threads_of(table.width), &p);
    }

    fn scale_rows(&mut self, values: &mut Buffer<D>, table: Table, rows: &[u32], by: f32) {
        if rows.is_empty() {
            return;
        }
        let n = rows.len();
        let [rows] = self.arena.put([bytemuck::cast_slice(rows)]);
        // No product takes the tables.
        let p = params::ScaleRows { table: values.at(table.offset), rows, width: table.width as u64, by, unused: 0 };
        self.launch(Kernel::ScaleRows, [n, 1], threads_of(table.width), &p);
    }
}

//! Layer normalisation.

use bytemuck::Zeroable;

use super::super::{
    super::{AddNorm, AddNormBackward, Dropout, LayerNorm, NormOps},
    Buffer, Cuda, Driver, Kernel, LIMITS, address,
    launch::threads_of,
    params::{self, Address},
};

/// The most blocks of a norm's backward pass; their sums are added up afterwards.
const MOST_BLOCKS: usize = 512;

/// How many rows each block of a backward pass sums up, and how many blocks there are.
fn blocks_of(rows: usize) -> (usize, usize) {
    let rows_of_block = rows.div_ceil(MOST_BLOCKS).max(1);
    (rows_of_block, rows.div_ceil(rows_of_block))
}

/// Bytes of scratch memory of a backward pass: a part for each block.
pub(in crate::kernels::cuda) fn scratch_bytes(rows: usize, width: usize) -> usize {
    4 * 2 * blocks_of(rows).1 * width
}

impl<D: Driver> Cuda<D> {
    /// The norm's backward pass, after an embedding or after a residual connection: fills in what `p` leaves open.
    pub(super) fn norm_backward(
        &mut self,
        gradients: &mut Buffer<D>,
        fresh: bool,
        norm: LayerNorm,
        p: params::NormBackward,
    ) {
        let (rows, width) = (p.rows as usize, norm.width);
        let (rows_of_block, blocks) = blocks_of(rows);
        let partial = self.scratch(scratch_bytes(rows, width));
        let p = params::NormBackward { partial, rows_of_block: rows_of_block as u32, width: width as u32, ..p };
        self.launch(Kernel::NormBackward, [blocks, 1], threads_of(width), &p);
        let second = norm.bias.map_or(0, |at| gradients.out(at));
        let sums = params::ColumnSums::of(gradients.out(norm.weight), partial, blocks, 2 * width, fresh);
        self.column_sums(params::ColumnSums { second, split: width as u32, ..sums });
    }

    /// The parameters of a norm's forward pass.
    pub(super) fn norm(
        &self,
        (out, out_half): (Address, Address),
        stats: &mut Buffer<D>,
        parameters: &Buffer<D>,
        norm: LayerNorm,
        dropout: Option<Dropout>,
    ) -> params::NormForward {
        if norm.width > LIMITS.norm_width {
            self.refuse(format!("rows of {} numbers: the GPU's norms take up to {}", norm.width, LIMITS.norm_width));
        }
        params::NormForward {
            out,
            out_half,
            stats: stats.out(0),
            weight: parameters.at(norm.weight),
            bias: address(parameters, norm.bias),
            dropout: dropout.into(),
            width: norm.width as u32,
            eps: norm.eps,
        }
    }
}

impl<D: Driver> NormOps for Cuda<D> {
    fn add_norm(&mut self, args: AddNorm<Buffer<D>>) {
        let AddNorm { y, x, stats, residual, rows, parameters, bias, norm, dropout } = args;
        let p = params::AddNorm {
            norm: self.norm(y.both(0), stats, parameters, norm, None),
            x: x.out(0),
            bias: address(parameters, bias),
            residual: residual.map_or(0, |residual| residual.at(0)),
            dropout: dropout.into(),
        };
        self.launch(Kernel::AddNorm, [rows, 1], threads_of(norm.width), &p);
    }

    fn add_norm_backward(&mut self, args: AddNormBackward<Buffer<D>>) {
        let AddNormBackward { d_residual, dx, gradients, fresh, dy, x, stats, rows, parameters, norm, .. } = args;
        let (dx, dx_half) = dx.map_or((0, 0), |dx| dx.both(0));
        let p = params::NormBackward {
            d_sum: d_residual.out(0),
            dx,
            dx_half,
            dy: dy.at(0),
            sum: x.at(0),
            stats: stats.at(0),
            weight: parameters.at(norm.weight),
            after: args.dropout.into(),
            rows: rows as u32,
            add: args.add.into(),
            ..params::NormBackward::zeroed()
        };
        self.norm_backward(gradients, fresh, norm, p);
    }
}

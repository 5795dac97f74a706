//! The norm of rows, and the tables of embeddings.

use super::{
    super::{Embedding, LayerNorm, Occurrence, dropout::Dropout},
    Buffer, Cuda, CudaBatch, Driver, WIDEST_NORM,
    launch::threads_of,
    params::{self, Address},
};

/// Blocks of a norm's backward pass, whose sums are added up afterwards.
const MOST_BLOCKS: usize = 512;

impl<D: Driver> Cuda<D> {
    /// The norm's backward pass, for [`Backend::embed_backward`] and [`Backend::add_norm_backward`]: what is not said of `p` is
    /// filled in.
    pub(super) fn norm_backward(
        &mut self,
        gradients: &mut Buffer<D>,
        fresh: bool,
        norm: LayerNorm,
        p: params::NormBackward,
    ) {
        let (rows, width) = (p.rows as usize, norm.width);
        let rows_of_block = rows.div_ceil(MOST_BLOCKS);
        let blocks = rows.div_ceil(rows_of_block);
        let partial = self.scratch(8 * blocks * width);
        let p = params::NormBackward { partial, rows_of_block: rows_of_block as u32, width: width as u32, ..p };
        self.launch("norm_backward", [blocks, 1], threads_of(width), &p);
        let sums = (gradients.out(norm.weight), gradients.out(norm.bias));
        self.column_sums(sums, partial, (blocks, 2 * width), width, fresh);
    }

    /// What the forward pass of a norm is given.
    pub(super) fn norm(
        &self,
        (out, out_half): (Address, Address),
        stats: &mut Buffer<D>,
        parameters: &Buffer<D>,
        norm: LayerNorm,
        dropout: Option<Dropout>,
    ) -> params::NormForward {
        if norm.width > WIDEST_NORM {
            self.refuse(format!("rows of {} numbers: the GPU's norms take up to {WIDEST_NORM}", norm.width));
        }
        params::NormForward {
            out,
            out_half,
            stats: stats.out(0),
            weight: parameters.at(norm.weight),
            bias: parameters.at(norm.bias),
            dropout: dropout.into(),
            width: norm.width as u32,
            eps: norm.eps,
        }
    }

    /// Adds the gradient of the sum of the tables, at `d_sum`, to those of the words, and gives those of the positions and of the
    /// token type.
    pub(super) fn table_gradients(
        &mut self,
        (words, gradients): (&mut Buffer<D>, &mut Buffer<D>),
        fresh: bool,
        d_sum: Address,
        e: Embedding,
        batch: &CudaBatch,
        occurrences: &[Occurrence],
    ) {
        let width = e.width;
        if !occurrences.is_empty() {
            let rows: Vec<u32> = occurrences.iter().map(|o| o.row).collect();
            let tokens: Vec<u32> = occurrences.iter().flat_map(|o| &o.tokens).copied().collect();
            let ends = occurrences.iter().scan(0, |end, o| {
                *end += o.tokens.len() as u32;
                Some(*end)
            });
            let ends: Vec<u32> = ends.collect();
            let [rows, ends, tokens] = self.arena.put([&rows, &ends, &tokens].map(|part| bytemuck::cast_slice(part)));
            let p = params::Words { words: words.out(0), d_sum, rows, ends, tokens, width: width as u64 };
            self.launch("words_backward", [occurrences.len(), 1], threads_of(width), &p);
        }
        // Positions lie before the token types: see the engine's layout.
        let p = params::Positions {
            positions: gradients.out(e.position),
            d_sum,
            offsets: batch.device_offsets(),
            sequences: batch.sequences() as u32,
            width: width as u32,
            fresh: u32::from(fresh),
            unused: 0,
        };
        self.launch("positions_backward", [(e.token_type - e.position) / width, 1], threads_of(width), &p);
        let token_type = gradients.out(e.token_type);
        self.column_sums((token_type, 0), d_sum, (batch.tokens(), width), width, fresh);
    }
}

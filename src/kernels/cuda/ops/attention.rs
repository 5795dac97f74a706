//! Attention: tiles, and the parameters of its kernels.

use bytemuck::Zeroable;

use super::{
    super::{
        super::{Attend, Attention, AttentionBackward, AttentionOps, Queries, Relative},
        Buffer, Cuda, CudaBatch, Driver, Kernel, LIMITS,
        launch::BLOCK,
        params,
    },
    positions,
};

impl<D: Driver> Cuda<D> {
    /// The parameters of both passes of attention, and how it works.
    fn attention_params(
        &mut self,
        (q, kv): (&Buffer<D>, &Buffer<D>),
        batch: &CudaBatch,
        a: Attention,
        relative: Option<&Relative<Buffer<D>>>,
    ) -> (params::Attention, Heads) {
        let (width, head_width) = (a.width, a.width / a.heads);
        if head_width > LIMITS.head_width {
            self.refuse(format!(
                "heads of {head_width} numbers: the GPU's attention takes up to {}",
                LIMITS.head_width
            ));
        }
        if let Some(long) =
            batch.offsets.windows(2).map(|o| o[1] - o[0]).find(|n| *n as usize > LIMITS.longest || *n == 0)
        {
            self.refuse(format!("a sequence of {long} tokens: the GPU's attention takes 1 to {}", LIMITS.longest));
        }
        let heads = Heads::new(head_width, relative.is_some());
        let (tiles, blocks) = *batch.tiles.get_or_init(|| {
            let tiles = heads.tiles(&batch.offsets);
            (self.arena.put([bytemuck::cast_slice(&tiles)])[0], tiles.len() as u32)
        });
        let first_only = a.queries == Queries::First;
        let (q_stride, kv_stride, k) = if first_only { (width, 2 * width, 0) } else { (3 * width, 3 * width, width) };
        let p = params::Attention {
            q: q.at(0),
            k: kv.at(k),
            v: kv.at(k + width),
            offsets: batch.device_offsets(),
            tiles,
            dropout: a.dropout.into(),
            q_stride: q_stride as u32,
            kv_stride: kv_stride as u32,
            width: width as u32,
            heads: a.heads as u32,
            head_width: head_width as u32,
            first_only: u32::from(first_only),
            scale: a.scale,
            window: a.window.and_then(|window| window.try_into().ok()).unwrap_or(u32::MAX),
            ..params::Attention::zeroed()
        };
        let relative = relative.map(|relative| self.relative_params(relative, batch, a));
        (p, Heads { blocks: blocks as usize, relative, ..heads })
    }

    /// Launches a kernel over the tiles of queries.
    fn over_queries(&self, kernel: Kernel, heads: Heads, batch: &CudaBatch, p: params::Attention) {
        match p.first_only {
            1 => self.over_tiles(kernel, heads, batch.sequences(), params::Attention { tiles: 0, ..p }),
            _ => self.over_tiles(kernel, heads, heads.blocks, p),
        }
    }

    /// Launches a kernel with so many blocks for each head.
    fn over_tiles(&self, kernel: Kernel, heads: Heads, blocks: usize, attention: params::Attention) {
        let grid = [blocks, attention.heads as usize];
        match heads.relative {
            None => self.launch(kernel, grid, BLOCK, &attention),
            Some(relative) => self.launch(kernel, grid, BLOCK, &params::Relative { attention, ..relative }),
        }
    }
}

/// Bytes of scratch memory of a backward pass: two numbers for each query row of each head.
pub(in crate::kernels::cuda) fn scratch_bytes(queries: usize, heads: usize) -> usize {
    8 * queries * heads
}

/// Bytes for the sums of relative positions in a backward pass.
pub(in crate::kernels::cuda) fn partial_bytes(width: usize, heads: usize) -> usize {
    positions::partial_bytes(Heads::new(width / heads, true).tile, width, heads)
}

impl<D: Driver> AttentionOps for Cuda<D> {
    fn attention(&mut self, args: Attend<Buffer<D>, CudaBatch>) {
        let Attend { context, q, kv, batch, attention: a, relative } = args;
        let (p, heads) = self.attention_params((q, kv), batch, a, relative.as_ref());
        let (context, context_half) = context.both(0);
        self.over_queries(heads.kernels[0], heads, batch, params::Attention { context, context_half, ..p });
    }

    fn attention_backward(&mut self, args: AttentionBackward<Buffer<D>, CudaBatch>) {
        let AttentionBackward { dq, dkv, d_context, q, kv, batch, attention: a, relative } = args;
        let (p, heads) = self.attention_params((q, kv), batch, a, relative.as_ref().map(|(relative, _)| relative));
        let first_only = p.first_only == 1;
        let queries = if first_only { batch.sequences() } else { batch.tokens() };
        let k = if first_only { 0 } else { a.width };
        // With all queries the three gradients are side by side, like q, k and v.
        let (dq, dq_half) = if first_only { dq.both(0) } else { dkv.both(0) };
        let ((dk, dk_half), (dv, dv_half)) = (dkv.both(k), dkv.both(k + a.width));
        let stats = self.scratch(scratch_bytes(queries, a.heads));
        let d_context = d_context.at(0);
        let p = params::Attention { dq, dq_half, dk, dk_half, dv, dv_half, stats, d_context, ..p };
        self.over_queries(heads.kernels[1], heads, batch, p);
        self.over_tiles(heads.kernels[2], heads, heads.blocks, p);
        if let (Some((relative, d_positions)), Some(params)) = (relative, heads.relative) {
            let params = params::Relative { attention: p, ..params };
            self.positions_backward((heads.of_positions, heads.tile), batch, params, &relative, d_positions);
        }
    }
}

/// How attention works on heads of some width.
#[derive(Clone, Copy)]
struct Heads {
    /// Rows of a tile.
    tile: u32,
    /// Forward; gradients of queries; gradients of keys and values.
    kernels: [Kernel; 3],
    /// Gradients of relative positions.
    of_positions: Kernel,
    /// Tiles of a batch.
    blocks: usize,
    /// What kernels with relative positions are given beside attention's parameters.
    relative: Option<params::Relative>,
}

impl Heads {
    fn new(width: usize, is_relative: bool) -> Self {
        let (tile, of_positions) = match width {
            ..=64 => (32, Kernel::AttentionPositions64),
            _ => (16, Kernel::AttentionPositions128),
        };
        let kernels = match (tile, is_relative) {
            (32, false) => [Kernel::Attention64, Kernel::AttentionQueries64, Kernel::AttentionKeys64],
            (_, false) => [Kernel::Attention128, Kernel::AttentionQueries128, Kernel::AttentionKeys128],
            (32, true) => {
                [Kernel::AttentionRelative64, Kernel::AttentionRelativeQueries64, Kernel::AttentionRelativeKeys64]
            }
            (_, true) => {
                [Kernel::AttentionRelative128, Kernel::AttentionRelativeQueries128, Kernel::AttentionRelativeKeys128]
            }
        };
        Self { tile, kernels, of_positions, blocks: 0, relative: None }
    }

    /// (sequence, first row) of each tile.
    fn tiles(&self, offsets: &[u32]) -> Vec<[u32; 2]> {
        let sequences = (0..).zip(offsets.windows(2));
        sequences.flat_map(|(s, o)| (0..o[1] - o[0]).step_by(self.tile as usize).map(move |from| [s, from])).collect()
    }
}

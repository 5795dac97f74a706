//! NVIDIA GPUs: the same layers as the CPU's, as kernels of CUDA.
//!
//! The kernels are in `source`, one module in CUDA's C++, which `build.sh` compiles to `kernels.ptx`; the driver of any GPU turns
//! that into its own instructions. [`Cuda`] is the host's side: it says what runs on which numbers, and never waits for the
//! device inside a step. All goes through a [`Driver`]: [`Device`] is a real one; the tests have another, that runs the same
//! kernels on the processor. Matrix products are cuBLAS's.
//!
//! Sums have one order that depends on shapes alone, and nothing is added atomically: the same device gives the same numbers.

#[cfg(not(feature = "cuda"))]
mod absent;
#[cfg(feature = "cuda")]
mod device;
mod driver;
mod launch;
mod ledger;
#[cfg(feature = "cuda")]
mod library;
mod memory;
pub(in crate::kernels) mod params;
#[cfg(feature = "cuda")]
mod staging;

#[cfg(not(feature = "cuda"))]
pub use absent::{Device, devices, find_cublas, free_memory, usable};
#[cfg(feature = "cuda")]
pub use device::{Device, devices, free_memory, usable};
pub use driver::{DeviceError, DeviceInfo, Driver, Factors, Product};
#[cfg(feature = "cuda")]
pub use library::find_cublas;

use std::{borrow::Cow, cell::OnceCell, ops::Range, sync::Arc};

use bytemuck::Zeroable;

use super::{
    AdamW, Attention, Backend, Embedding, LayerNorm, Linear, Moments, Occurrence, Queries, Sums, Untouched,
    dropout::Dropout,
};
use launch::{BLOCK, WARP, blocks_of, threads_of};
use ledger::Ledger;
use memory::{Arena, Memory, Shared};
use params::Address;

pub use memory::Buffer;

/// Longest row of a norm.
const WIDEST_NORM: usize = 2048;
/// Longest head of attention.
const WIDEST_HEAD: usize = 128;
/// Longest sequence that attention's dropout can tell apart.
const LONGEST: u32 = 8192;

/// The engine's operations on a device.
pub struct Cuda<D: Driver> {
    device: Arc<Shared<D>>,
    /// What factors of products that need not be exact are.
    factors: Factors,
    arena: Arena<D>,
    ledger: Ledger<D>,
    /// For sums on their way; what is in it is one call's.
    scratch: Memory<D>,
}

/// Token ids, positions and sequences of a batch.
pub struct CudaBatch {
    ids: Vec<u32>,
    offsets: Vec<u32>,
    /// Whether each sequence's tokens stand at 0, 1, 2, …
    in_order: bool,
    on_device: [Address; 3],
    /// (sequence, first row) of attention's tiles: where, and how many.
    tiles: OnceCell<(Address, u32)>,
}

impl CudaBatch {
    fn tokens(&self) -> usize {
        self.ids.len()
    }

    fn sequences(&self) -> usize {
        self.offsets.len() - 1
    }

    fn device_offsets(&self) -> Address {
        self.on_device[2]
    }
}

impl<D: Driver> Cuda<D> {
    /// On a device; products that are not [`Linear::exact`] multiply `factors`.
    ///
    /// # Errors
    /// No memory.
    pub fn new(driver: D, factors: Factors) -> Result<Self, DeviceError> {
        let device = Arc::new(Shared::new(driver));
        let (arena, ledger, scratch) = (Arena::new(&device), Ledger::new(&device), Memory::new(&device, 1 << 16));
        device.health()?;
        Ok(Self { device, factors, arena, ledger, scratch })
    }

    /// At least so many bytes that are this call's.
    fn scratch(&mut self, bytes: usize) -> Address {
        if bytes > self.scratch.bytes() {
            self.scratch = Memory::new(&self.device, 2 * bytes);
        }
        self.scratch.address()
    }

    /// A factor of a product, which begins at `at`: the first `n` numbers of `x` are in use.
    fn factor(&self, x: &Buffer<D>, n: usize, at: usize, factors: Factors) -> Address {
        match factors {
            Factors::F32 | Factors::Tf32 => x.at(at),
            Factors::Bf16 => {
                x.half(at, n, |half, x| self.each("convert", n, &params::Convert { half, x, len: n as u64 }))
            }
        }
    }

    fn factors_of(&self, linear: Linear) -> Factors {
        if linear.exact { Factors::F32 } else { self.factors }
    }

    fn product(&self, product: Product) {
        self.device.with(|d| d.product(&product));
    }

    /// first and second: sums of the columns of `x`, those before and from `split` on.
    fn column_sums(
        &self,
        sums: (Address, Address),
        x: Address,
        (rows, width): (usize, usize),
        split: usize,
        fresh: bool,
    ) {
        let (first, second) = sums;
        let (rows, split, fresh) = (rows as u32, split as u32, u32::from(fresh));
        let p = params::ColumnSums { first, second, x, rows, width: width as u32, split, fresh };
        self.launch("column_sums", [width.div_ceil(WARP), 1], BLOCK, &p);
    }

    /// The norm's backward pass, for [`Backend::embed_backward`] and [`Backend::add_norm_backward`]: what is not said of `p` is
    /// filled in.
    fn norm_backward(&mut self, gradients: &mut Buffer<D>, fresh: bool, norm: LayerNorm, p: params::NormBackward) {
        let (rows, width) = (p.rows as usize, norm.width);
        let rows_of_block = rows.div_ceil(256);
        let blocks = rows.div_ceil(rows_of_block);
        let partial = self.scratch(8 * blocks * width);
        let p = params::NormBackward { partial, rows_of_block: rows_of_block as u32, width: width as u32, ..p };
        self.launch("norm_backward", [blocks, 1], threads_of(width), &p);
        let sums = (gradients.out(norm.weight), gradients.out(norm.bias));
        self.column_sums(sums, partial, (blocks, 2 * width), width, fresh);
    }

    /// What the forward pass of a norm is given.
    fn norm(
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

    /// What both passes of attention are given, and how many queries there are.
    fn attention_params(
        &mut self,
        q: &Buffer<D>,
        kv: &Buffer<D>,
        batch: &CudaBatch,
        a: Attention,
    ) -> (params::Attention, Heads) {
        let (width, head_width) = (a.width, a.width / a.heads);
        if head_width > WIDEST_HEAD {
            self.refuse(format!("heads of {head_width} numbers: the GPU's attention takes up to {WIDEST_HEAD}"));
        }
        if let Some(long) = batch.offsets.windows(2).map(|o| o[1] - o[0]).find(|n| *n > LONGEST || *n == 0) {
            self.refuse(format!("a sequence of {long} tokens: the GPU's attention takes 1 to {LONGEST}"));
        }
        let heads = Heads::new(head_width);
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
            scale: 1.0 / (head_width as f32).sqrt(),
            ..params::Attention::zeroed()
        };
        (p, Heads { blocks: blocks as usize, ..heads })
    }

    /// Launches a kernel over the tiles of queries.
    fn over_queries(&self, kernel: &'static str, heads: Heads, batch: &CudaBatch, p: params::Attention) {
        match p.first_only {
            1 => {
                let grid = [batch.sequences(), p.heads as usize];
                self.launch(kernel, grid, BLOCK, &params::Attention { tiles: 0, ..p });
            }
            _ => self.launch(kernel, [heads.blocks, p.heads as usize], BLOCK, &p),
        }
    }
}

/// How attention works on heads of some width.
#[derive(Clone, Copy)]
struct Heads {
    /// Rows of a tile.
    tile: u32,
    kernels: [&'static str; 3],
    /// Tiles of a batch.
    blocks: usize,
}

impl Heads {
    fn new(width: usize) -> Self {
        let (tile, kernels) = match width {
            ..=64 => (32, ["attention_64", "attention_queries_64", "attention_keys_64"]),
            _ => (16, ["attention_128", "attention_queries_128", "attention_keys_128"]),
        };
        Self { tile, kernels, blocks: 0 }
    }

    /// (sequence, first row) of each tile.
    fn tiles(&self, offsets: &[u32]) -> Vec<[u32; 2]> {
        let sequences = (0..).zip(offsets.windows(2));
        sequences.flat_map(|(s, o)| (0..o[1] - o[0]).step_by(self.tile as usize).map(move |from| [s, from])).collect()
    }
}

impl<D: Driver> Backend for Cuda<D> {
    type Buffer = Buffer<D>;
    type Batch = CudaBatch;

    fn zeros(&self, len: usize) -> Buffer<D> {
        Buffer::new(&self.device, len)
    }

    fn zeros_of_parameters(&self, len: usize, _: usize) -> Buffer<D> {
        Buffer::new(&self.device, len)
    }

    fn write(&self, buffer: &mut Buffer<D>, at: usize, values: &[f32]) {
        assert!(at + values.len() <= buffer.room(), "{} numbers at {at} of {}", values.len(), buffer.room());
        if !values.is_empty() {
            let address = buffer.out(at);
            self.device.with(|d| d.upload(address, bytemuck::cast_slice(values)));
        }
    }

    fn read<'a>(&self, buffer: &'a Buffer<D>, range: Range<usize>) -> Cow<'a, [f32]> {
        assert!(range.end <= buffer.room(), "{range:?} of {}", buffer.room());
        let mut values = vec![0.0f32; range.len()];
        if !values.is_empty() {
            self.device.with(|d| d.download(buffer.at(range.start), bytemuck::cast_slice_mut(&mut values)));
        }
        Cow::Owned(values)
    }

    fn clear(&self, buffer: &mut Buffer<D>, len: usize) {
        if len > 0 {
            let address = buffer.out(0);
            self.device.with(|d| d.clear(address, 4 * len));
        }
    }

    fn batch(&mut self, ids: &[u32], positions: &[u32], offsets: &[u32]) -> CudaBatch {
        self.arena.reset();
        let on_device = self.arena.put([ids, positions, offsets].map(bytemuck::cast_slice));
        let in_order =
            offsets.windows(2).all(|o| (0..).zip(&positions[o[0] as usize..o[1] as usize]).all(|(i, p)| i == *p));
        CudaBatch { ids: ids.into(), offsets: offsets.into(), in_order, on_device, tiles: OnceCell::new() }
    }

    /// What is written counts as such: see [`Buffer::out`].
    fn parameters_written(&mut self) {}

    fn health(&self) -> Result<(), DeviceError> {
        self.device.health()
    }

    fn begin_step(&mut self) {
        self.ledger.begin();
    }

    fn sums(&mut self) -> Sums {
        self.ledger.now()
    }

    fn end_step(&mut self) {
        self.ledger.end();
    }

    fn finished(&mut self, wait: bool) -> Vec<Sums> {
        self.ledger.finished(wait)
    }

    fn embed(
        &mut self,
        out: &mut Buffer<D>,
        sum: &mut Buffer<D>,
        stats: &mut Buffer<D>,
        parameters: &Buffer<D>,
        e: Embedding,
        norm: LayerNorm,
        untouched: Untouched,
        batch: &CudaBatch,
        dropout: Option<Dropout>,
    ) {
        let touched = |id: u32| untouched.touched.get(id as usize).copied().unwrap_or(true);
        let scales: Vec<f32> = batch.ids.iter().map(|id| if touched(*id) { 1.0 } else { untouched.decay }).collect();
        let [scales] = self.arena.put([bytemuck::cast_slice(&scales)]);
        let p = params::Embed {
            norm: self.norm(out.both(0), stats, parameters, norm, dropout),
            sum: sum.out(0),
            words: parameters.at(e.word),
            positions: parameters.at(e.position),
            token_type: parameters.at(e.token_type),
            ids: batch.on_device[0],
            places: batch.on_device[1],
            scales,
        };
        self.launch("embed", [batch.tokens(), 1], threads_of(e.width), &p);
    }

    fn embed_backward(
        &mut self,
        d_out: &mut Buffer<D>,
        words: &mut Buffer<D>,
        gradients: &mut Buffer<D>,
        fresh: bool,
        sum: &Buffer<D>,
        stats: &Buffer<D>,
        parameters: &Buffer<D>,
        e: Embedding,
        norm: LayerNorm,
        batch: &CudaBatch,
        occurrences: &[Occurrence],
        dropout: Option<Dropout>,
    ) {
        if !batch.in_order {
            self.refuse("positions that do not count 0, 1, 2, … in each sequence".into());
        }
        let d_sum = d_out.out(0);
        let p = params::NormBackward {
            d_sum,
            dy: d_sum,
            sum: sum.at(0),
            stats: stats.at(0),
            weight: parameters.at(norm.weight),
            before: dropout.into(),
            rows: batch.tokens() as u32,
            ..params::NormBackward::zeroed()
        };
        self.norm_backward(gradients, fresh, norm, p);
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

    fn linear(
        &mut self,
        y: &mut Buffer<D>,
        x: &Buffer<D>,
        rows: usize,
        parameters: &Buffer<D>,
        l: Linear,
        biased: bool,
    ) {
        let (factors, to) = (self.factors_of(l), y.out(0));
        self.product(Product {
            transposed: (true, false),
            m: l.out,
            n: rows,
            k: l.width,
            a: (self.factor(parameters, parameters.room(), l.weight, factors), l.width),
            b: (self.factor(x, rows * l.width, 0, factors), l.width),
            beta: 0.0,
            c: (to, l.out),
            factors,
        });
        if biased {
            let (len, width) = ((rows * l.out) as u64, l.out as u64);
            let p = params::AddBias { y: to, bias: parameters.at(l.bias), len, width };
            self.each("add_bias", rows * l.out, &p);
        }
    }

    fn linear_input(
        &mut self,
        dx: &mut Buffer<D>,
        add: bool,
        dy: &Buffer<D>,
        rows: usize,
        parameters: &Buffer<D>,
        l: Linear,
    ) {
        let factors = self.factors_of(l);
        self.product(Product {
            transposed: (false, false),
            m: l.width,
            n: rows,
            k: l.out,
            a: (self.factor(parameters, parameters.room(), l.weight, factors), l.width),
            b: (self.factor(dy, rows * l.out, 0, factors), l.out),
            beta: f32::from(u8::from(add)),
            c: (dx.out(0), l.width),
            factors,
        });
    }

    fn linear_parameters(
        &mut self,
        gradients: &mut Buffer<D>,
        fresh: bool,
        dy: &Buffer<D>,
        x: &Buffer<D>,
        rows: usize,
        l: Linear,
    ) {
        let factors = self.factors_of(l);
        self.product(Product {
            transposed: (false, true),
            m: l.width,
            n: l.out,
            k: rows,
            a: (self.factor(x, rows * l.width, 0, factors), l.width),
            b: (self.factor(dy, rows * l.out, 0, factors), l.out),
            beta: f32::from(u8::from(!fresh)),
            c: (gradients.out(l.weight), l.width),
            factors,
        });
        let bias = gradients.out(l.bias);
        self.column_sums((bias, 0), dy.at(0), (rows, l.out), l.out, fresh);
    }

    fn attention(&mut self, context: &mut Buffer<D>, q: &Buffer<D>, kv: &Buffer<D>, batch: &CudaBatch, a: Attention) {
        let (p, heads) = self.attention_params(q, kv, batch, a);
        let (context, context_half) = context.both(0);
        self.over_queries(heads.kernels[0], heads, batch, params::Attention { context, context_half, ..p });
    }

    fn attention_backward(
        &mut self,
        dq: &mut Buffer<D>,
        dkv: &mut Buffer<D>,
        d_context: &Buffer<D>,
        q: &Buffer<D>,
        kv: &Buffer<D>,
        batch: &CudaBatch,
        a: Attention,
    ) {
        let (p, heads) = self.attention_params(q, kv, batch, a);
        let first_only = p.first_only == 1;
        let queries = if first_only { batch.sequences() } else { batch.tokens() };
        let k = if first_only { 0 } else { a.width };
        // With all queries the three gradients lie side by side, as q, k and v do.
        let (dq, dq_half) = if first_only { dq.both(0) } else { dkv.both(0) };
        let ((dk, dk_half), (dv, dv_half)) = (dkv.both(k), dkv.both(k + a.width));
        let stats = self.scratch(8 * queries * a.heads);
        let d_context = d_context.at(0);
        let p = params::Attention { dq, dq_half, dk, dk_half, dv, dv_half, stats, d_context, ..p };
        self.over_queries(heads.kernels[1], heads, batch, p);
        self.launch(heads.kernels[2], [heads.blocks, a.heads], BLOCK, &p);
    }

    fn bias_gelu(
        &mut self,
        y: &mut Buffer<D>,
        x: &mut Buffer<D>,
        rows: usize,
        parameters: &Buffer<D>,
        l: Linear,
        derivative: bool,
    ) {
        let (y, y_half) = y.both(0);
        let (len, width, derivative) = ((rows * l.out) as u64, l.out as u32, u32::from(derivative));
        let p = params::BiasGelu { y, y_half, x: x.out(0), bias: parameters.at(l.bias), len, width, derivative };
        self.each("bias_gelu", rows * l.out, &p);
    }

    fn multiply(&mut self, y: &mut Buffer<D>, x: &Buffer<D>, len: usize) {
        let (y, y_half) = y.both(0);
        self.each("multiply", len, &params::Multiply { y, y_half, x: x.at(0), len: len as u64 });
    }

    fn add_norm(
        &mut self,
        y: &mut Buffer<D>,
        x: &mut Buffer<D>,
        stats: &mut Buffer<D>,
        residual: &Buffer<D>,
        rows: usize,
        parameters: &Buffer<D>,
        linear: Linear,
        norm: LayerNorm,
        dropout: Option<Dropout>,
    ) {
        let p = params::AddNorm {
            norm: self.norm(y.both(0), stats, parameters, norm, None),
            x: x.out(0),
            bias: parameters.at(linear.bias),
            residual: residual.at(0),
            dropout: dropout.into(),
        };
        self.launch("add_norm", [rows, 1], threads_of(norm.width), &p);
    }

    fn add_norm_backward(
        &mut self,
        d_residual: &mut Buffer<D>,
        dx: &mut Buffer<D>,
        gradients: &mut Buffer<D>,
        fresh: bool,
        dy: &Buffer<D>,
        x: &Buffer<D>,
        stats: &Buffer<D>,
        rows: usize,
        parameters: &Buffer<D>,
        norm: LayerNorm,
        dropout: Option<Dropout>,
    ) {
        let (dx, dx_half) = dx.both(0);
        let p = params::NormBackward {
            d_sum: d_residual.out(0),
            dx,
            dx_half,
            dy: dy.at(0),
            sum: x.at(0),
            stats: stats.at(0),
            weight: parameters.at(norm.weight),
            after: dropout.into(),
            rows: rows as u32,
            ..params::NormBackward::zeroed()
        };
        self.norm_backward(gradients, fresh, norm, p);
    }

    fn first_rows(&mut self, y: &mut Buffer<D>, x: &Buffer<D>, batch: &CudaBatch, width: usize) {
        let (y, y_half) = y.both(0);
        let p = params::FirstRows { x: x.at(0), y, y_half, offsets: batch.device_offsets(), width: width as u64 };
        self.launch("first_rows", [batch.sequences(), 1], threads_of(width), &p);
    }

    fn add_to_first_rows(&mut self, x: &mut Buffer<D>, y: &Buffer<D>, batch: &CudaBatch, width: usize) {
        let (x, offsets) = (x.out(0), batch.device_offsets());
        let p = params::FirstRows { x, y: y.at(0), y_half: 0, offsets, width: width as u64 };
        self.launch("add_to_first_rows", [batch.sequences(), 1], threads_of(width), &p);
    }

    fn tanh(&mut self, y: &mut Buffer<D>, x: &mut Buffer<D>, rows: usize, width: usize, dropout: Option<Dropout>) {
        let (len, width) = ((rows * width) as u64, width as u64);
        let p = params::Tanh { y: y.out(0), x: x.out(0), dropout: dropout.into(), len, width };
        self.each("tanh_forward", len as usize, &p);
    }

    fn tanh_backward(
        &mut self,
        dy: &mut Buffer<D>,
        x: &Buffer<D>,
        rows: usize,
        width: usize,
        dropout: Option<Dropout>,
    ) {
        let (len, width) = ((rows * width) as u64, width as u64);
        let p = params::Tanh { y: dy.out(0), x: x.at(0), dropout: dropout.into(), len, width };
        self.each("tanh_backward", len as usize, &p);
    }

    fn cross_entropy(
        &mut self,
        d_logits: &mut Buffer<D>,
        logits: &Buffer<D>,
        targets: &[f32],
        rows: usize,
        labels: usize,
    ) {
        let [targets] = self.arena.put([bytemuck::cast_slice(targets)]);
        let (sums, d_logits) = (self.ledger.address(), d_logits.out(0));
        let (rows, labels) = (rows as u32, labels as u32);
        let p = params::CrossEntropy { d_logits, logits: logits.at(0), targets, sums, rows, labels };
        self.launch("cross_entropy", [1, 1], BLOCK, &p);
    }

    fn add_squares(&mut self, x: &Buffer<D>, range: Range<usize>) {
        if range.is_empty() {
            return;
        }
        let blocks = blocks_of(range.len()).min(1024);
        let partial = self.scratch(8 * blocks);
        let p = params::Squares { partial, x: x.at(range.start), len: range.len() as u64 };
        self.launch("squares", [blocks, 1], BLOCK, &p);
        let p = params::AddSquares { sums: self.ledger.address(), partial, blocks: blocks as u64 };
        self.launch("add_squares", [1, 1], BLOCK, &p);
    }

    fn adamw(&mut self, moments: Moments<Buffer<D>>, gradients: &Buffer<D>, range: Range<usize>, update: AdamW) {
        let Moments { values, first, second } = moments;
        let (at, update) = (range.start, params::Update::new(update, self.ledger.address()));
        let (values, half) = values.both_in_part(at);
        let (first, second, gradients) = (first.out(at), second.out(at), gradients.at(at));
        let p = params::AdamW { update, values, first, second, half, gradients, len: range.len() as u64 };
        self.each("adamw", range.len(), &p);
    }

    fn adamw_rows(
        &mut self,
        moments: Moments<Buffer<D>>,
        gradients: &Buffer<D>,
        table: usize,
        width: usize,
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
            values: values.at(table),
            first: first.out(table),
            second: second.out(table),
            gradients: gradients.at(0),
            rows,
            width: width as u64,
        };
        self.launch("adamw_rows", [n, 1], threads_of(width), &p);
    }

    fn scale_rows(&mut self, values: &mut Buffer<D>, table: usize, width: usize, rows: &[u32], by: f32) {
        if rows.is_empty() {
            return;
        }
        let n = rows.len();
        let [rows] = self.arena.put([bytemuck::cast_slice(rows)]);
        // No product takes the tables.
        let p = params::ScaleRows { table: values.at(table), rows, width: width as u64, by, unused: 0 };
        self.launch("scale_rows", [n, 1], threads_of(width), &p);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use sha2::{Digest, Sha256};

    const PTX: &str = include_str!("kernels.ptx");

    /// `build.sh` notes which sources it compiled.
    #[test]
    fn the_kernels_are_those_of_the_sources() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/kernels/cuda/source");
        let entries = folder.read_dir().expect("the sources").map(|entry| entry.expect("an entry").path());
        let mut files: Vec<_> = entries.collect();
        files.sort();
        let mut digest = Sha256::new();
        files.iter().for_each(|file| digest.update(std::fs::read(file).expect("a source")));
        let digest: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        let noted = PTX.lines().find_map(|line| line.strip_prefix("// sources: "));
        assert_eq!(noted, Some(digest.as_str()), "run src/kernels/cuda/build.sh: kernels.ptx is of other sources");
    }

    /// What is launched by name is there under that name, and nothing else is.
    #[test]
    fn every_kernel_is_there() {
        let source = include_str!("mod.rs");
        let entries = PTX.lines().filter_map(|line| line.strip_prefix(".visible .entry ")?.strip_suffix('('));
        let mut entries: Vec<&str> = entries.collect();
        let names = source.split("mod tests").next().expect("the code").split('"').skip(1).step_by(2);
        let mut names: Vec<&str> = names.filter(|name| entries.contains(name)).collect();
        names.sort_unstable();
        names.dedup();
        entries.sort_unstable();
        assert_eq!(names, entries);
    }
}

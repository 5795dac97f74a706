//! The backend's operations, one launch or a few each.

use std::{borrow::Cow, cell::OnceCell, ops::Range};

use bytemuck::Zeroable;

use super::{
    super::{
        AdamW, Attention, Backend, Embedding, LayerNorm, Linear, Moments, Occurrence, Sums, Untouched, dropout::Dropout,
    },
    Buffer, Cuda, CudaBatch, DeviceError, Driver,
    launch::{BLOCK, blocks_of, threads_of},
    params,
};

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
        self.table_gradients((words, gradients), fresh, d_sum, e, batch, occurrences);
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
        self.forward_product(y, x, rows, parameters, l, biased);
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
        self.input_product(dx, add, dy, rows, parameters, l);
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
        self.parameters_product(gradients, fresh, dy, x, rows, l);
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
        self.attention_gradients((dq, dkv), d_context, (q, kv), batch, a);
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

//! The forward pass.

use super::{
    Explicit,
    distances::{Met, relative},
    sites::Sites,
    workspace::Layer as Kept,
};
use crate::{
    data::Batch,
    kernels::{
        AddNorm, Attend, Attention, Backend, BiasActivation, Embed, GatedActivation, Linear, Queries, Rotation,
        TokenStream,
    },
    model::{DropoutPlan, LayerAttention, Pooling},
};

/// The queries' part of the QKV map, which the last layer computes for other rows than keys and values.
pub(super) fn query_of(qkv: Linear) -> Linear {
    qkv.part(0..qkv.width)
}

/// The map of keys and values.
pub(super) fn key_value_of(qkv: Linear) -> Linear {
    qkv.part(qkv.width..3 * qkv.width)
}

/// The buffers of a layer in the workspace. A pass that keeps nothing for a backward pass uses two inputs in turn, and one set of
/// activations for all layers that compute every query.
#[derive(Clone, Copy)]
struct Slots {
    layer: usize,
    first_only: bool,
    /// Its activations, and those of the layer before.
    kept: usize,
    before: usize,
    /// Its input, and the next layer's.
    input: usize,
    output: usize,
}

impl Slots {
    fn new(layer: usize, queries: Queries, keep: bool) -> Self {
        let first_only = queries == Queries::First;
        let (input, output) = if keep { (layer, layer + 1) } else { (layer % 2, (layer + 1) % 2) };
        let kept = if first_only || keep { layer } else { 0 };
        Self { layer, first_only, kept, before: if keep { layer.saturating_sub(1) } else { 0 }, input, output }
    }
}

impl<B: Backend> Explicit<B> {
    /// Copies a batch to the device, and grows the workspace to its size.
    pub(super) fn enter(&mut self, batch: &Batch) -> B::Batch {
        let (tokens, sequences) = (batch.ids.len(), batch.offsets.len() - 1);
        self.workspace.reserve(&self.backend, &self.config, self.labels, tokens, sequences);
        let Batch { ids, positions, token_types, offsets, .. } = batch;
        self.backend.batch(TokenStream { ids, positions, token_types, offsets })
    }

    /// Which query positions layer `i` computes: where the head reads only the `[CLS]` rows of the last layer's output, that layer computes keys
    /// and values of all tokens, and everything else for those rows only.
    pub(super) fn queries(&self, i: usize) -> Queries {
        let is_last = i + 1 == self.config.num_hidden_layers;
        if is_last && self.config.pooling == Pooling::First { Queries::First } else { Queries::All }
    }

    pub(super) fn attention_of(&self, i: usize, sites: Sites) -> Attention {
        let (c, queries) = (&self.config, self.queries(i));
        let dropout = sites.of_queries(queries, 1 + 3 * i, c.dropout.attention);
        let LayerAttention { window, .. } = c.attention_of(i);
        Attention {
            heads: c.num_attention_heads,
            width: c.hidden_size,
            queries,
            window,
            scale: c.attention_scale(),
            dropout,
        }
    }

    /// Computes the logits, `[sequences, labels]`, in the workspace. With `keep`, the workspace also holds the inputs of the backward pass.
    pub(super) fn forward(&mut self, on_device: &B::Batch, batch: &Batch, plan: Option<DropoutPlan>, keep: bool) {
        let (tokens, sequences) = (batch.ids.len(), batch.offsets.len() - 1);
        let sites = Sites::new(plan, batch);
        let (layout, norm) = (&self.layout, self.layout.embedding_norm);
        let ws = &mut self.workspace;
        self.backend.embed(Embed {
            out: if layout.projection.is_some() { &mut ws.unprojected } else { &mut ws.inputs[0] },
            sum: &mut ws.embedded,
            stats: &mut ws.embedded_stats,
            parameters: &self.parameters,
            embedding: layout.embedding,
            norm,
            untouched: self.optimizer.untouched(),
            batch: on_device,
            dropout: sites.tokens(0, self.config.dropout.embedding),
        });
        if let Some(projection) = layout.projection {
            self.backend.linear(&mut ws.inputs[0], &ws.unprojected, tokens, &self.parameters, projection, true);
        }
        let met = Met::of(&self.config, batch);
        self.relative_table(met);
        for i in 0..self.config.num_hidden_layers {
            let slots = Slots::new(i, self.queries(i), keep);
            self.positions(i, slots.kept, met, sites);
            self.attend(slots, on_device, (tokens, sequences), met, sites);
            self.feed_forward(slots, if slots.first_only { sequences } else { tokens }, sites, keep);
        }
        self.head(on_device, sequences, sites);
    }

    /// From a layer's input to `ffn_input`, the sum after attention normalised.
    fn attend(
        &mut self,
        slots: Slots,
        on_device: &B::Batch,
        (tokens, sequences): (usize, usize),
        met: Option<Met>,
        sites: Sites,
    ) {
        let (c, i) = (&self.config, slots.layer);
        let (h, pre_norm) = (c.hidden_size, c.family.is_pre_norm);
        let attention = self.attention_of(i, sites);
        let dropout = sites.of_queries(attention.queries, 2 + 3 * i, c.dropout.attention_output);
        let (backend, p, ws) = (&mut self.backend, &self.parameters, &mut self.workspace);
        let layer = self.layout.layers[i];
        let kept = &mut ws.layers[slots.kept];
        let relative = relative(c, met, &kept.positions, &self.relative_rows);
        let batch = on_device;
        let Kept { query_rows, residual_rows, q, qkv, context, attention_sum, attention_stats, ffn_input, .. } = kept;
        let input = &ws.inputs[slots.input];
        // With post-norm a layer's input is also its residual. With pre-norm that is what the input's norm was applied to; before the
        // first layer there is none.
        let stream = if pre_norm && i > 0 { &ws.sums[slots.before] } else { input };
        let angles = c.attention_of(i).angles.map(|table| &self.angles[table]);
        let (heads, head_width) = (c.num_attention_heads, c.head_width());
        let (residual, rows) = if slots.first_only {
            backend.linear(qkv, input, tokens, p, key_value_of(layer.qkv), true);
            if let Some(angles) = angles {
                // The keys alone: the first token's position is 0, and so is its angle.
                let x = &mut *qkv;
                backend.rotate(Rotation { x, angles, batch, stride: 2 * h, heads, head_width, back: false });
            }
            backend.first_rows(query_rows, input, on_device, h);
            backend.linear(q, query_rows, sequences, p, query_of(layer.qkv), true);
            backend.attention(Attend { context, q, kv: qkv, batch, attention, relative });
            if pre_norm {
                backend.first_rows(residual_rows, stream, on_device, h);
            }
            (if pre_norm { &*residual_rows } else { &*query_rows }, sequences)
        } else {
            backend.linear(qkv, input, tokens, p, layer.qkv, true);
            if let Some(angles) = angles {
                let (x, heads) = (&mut *qkv, 2 * heads);
                backend.rotate(Rotation { x, angles, batch, stride: 3 * h, heads, head_width, back: false });
            }
            backend.attention(Attend { context, q: qkv, kv: qkv, batch, attention, relative });
            (stream, tokens)
        };
        backend.linear(attention_sum, context, rows, p, layer.attention_output, false);
        backend.add_norm(AddNorm {
            y: ffn_input,
            x: attention_sum,
            stats: attention_stats,
            residual: Some(residual),
            rows,
            parameters: p,
            bias: layer.attention_output.bias,
            norm: layer.norm_after_attention,
            dropout,
        });
    }

    /// From `ffn_input` to the layer's output.
    fn feed_forward(&mut self, slots: Slots, rows: usize, sites: Sites, derivative: bool) {
        let (c, i) = (&self.config, slots.layer);
        let dropout = sites.of_queries(self.queries(i), 3 + 3 * i, c.dropout.ffn);
        let is_final = i + 1 == c.num_hidden_layers;
        let (backend, p, ws) = (&mut self.backend, &self.parameters, &mut self.workspace);
        let (layer, sum) = (self.layout.layers[i], &mut ws.sums[slots.kept]);
        let kept = &mut ws.layers[slots.kept];
        let Kept { attention_sum, ffn_input, activation_grad: x, ffn_hidden: y, ffn_stats, .. } = kept;
        backend.linear(x, ffn_input, rows, p, layer.ffn_up, false);
        let (parameters, linear, activation) = (p, layer.ffn_up, c.activation);
        if c.family.is_gated {
            let y = &mut *y;
            backend.gated_activation(GatedActivation {
                y,
                x,
                rows,
                parameters,
                linear,
                activation,
                derivative,
                dropout,
            });
        } else {
            let y = &mut *y;
            backend.bias_activation(BiasActivation { y, x, rows, parameters, linear, activation, derivative });
        }
        backend.linear(sum, y, rows, p, layer.ffn_down, false);
        backend.add_norm(AddNorm {
            y: if is_final { &mut ws.output } else { &mut ws.inputs[slots.output] },
            x: sum,
            stats: ffn_stats,
            residual: Some(if c.family.is_pre_norm { attention_sum } else { ffn_input }),
            rows,
            parameters: p,
            bias: layer.ffn_down.bias,
            norm: layer.norm_after_ffn,
            dropout: dropout.filter(|_| !c.family.is_gated),
        });
    }
}

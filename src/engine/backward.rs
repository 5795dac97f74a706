//! The backward pass: from the gradient of the logits to those of all trained parameters.

use super::{
    Explicit,
    distances::{Met, relative},
    forward::{key_value_of, query_of},
    layout::Layer,
    sites::Sites,
};
use crate::{
    data::Batch,
    kernels::{AddNormBackward, AttentionBackward, Backend, EmbedBackward, Linear, Queries, Rotation},
    model::DropoutPlan,
};

/// The backward pass of a layer's attention.
struct Pass<'a, T> {
    /// The layer.
    i: usize,
    on_device: &'a T,
    tokens: usize,
    sequences: usize,
    met: Option<Met>,
    sites: Sites,
    /// Whether gradients of parameters are overwritten, not accumulated.
    fresh: bool,
    /// Whether anything below the layer is trained.
    below: bool,
}

impl<B: Backend> Explicit<B> {
    /// Whether training changes the map.
    pub(super) fn trains_linear(&self, l: Linear) -> bool {
        let weight = l.weight..l.weight + l.out * l.width;
        let bias = l.bias.map_or(0..0, |bias| bias..bias + l.out);
        self.trains(|offset| weight.contains(&offset) || bias.contains(&offset))
    }

    /// Whether anything before layer `i` is trained: in a layer below, which may have the same parameters, or in the embeddings.
    fn trains_before(&self, i: usize) -> bool {
        let layers = &self.layout.layers;
        let end = i.checked_sub(1).map_or(layers[0].qkv.weight, |below| layers[below].end);
        self.trains(|offset| offset < end || offset == self.layout.embedding.word.offset)
    }

    /// Gradients of the parameters from `d_logits` and the activations. `fresh`: they are overwritten, not accumulated.
    pub(super) fn backward(&mut self, on_device: &B::Batch, batch: &Batch, plan: Option<DropoutPlan>, fresh: bool) {
        let (tokens, sequences) = (batch.ids.len(), batch.offsets.len() - 1);
        let sites = Sites::new(plan, batch);
        let met = Met::of(&self.config, batch);
        self.begin_relative_backward();
        self.head_backward(on_device, sequences, sites, fresh);
        for i in (0..self.config.num_hidden_layers).rev() {
            let layer = self.layout.layers[i];
            let below = self.trains_before(i);
            // A layer's parameters are contiguous.
            if !below && !self.trains(|offset| (layer.qkv.weight..layer.end).contains(&offset)) {
                return;
            }
            let rows = if self.queries(i) == Queries::First { sequences } else { tokens };
            // Layers with the same parameters add their gradients, to what the last of them wrote.
            let fresh = fresh && i == self.config.last_layer_of(self.config.group_of(i));
            self.feed_forward_backward(i, rows, sites, fresh);
            self.attention_backward(Pass { i, on_device, tokens, sequences, met, sites, fresh, below });
            self.positions_backward(i, met, sites, fresh);
            if !below {
                return;
            }
        }
        self.relative_backward(met, fresh);
        self.projection_backward(tokens, fresh);
        self.embedding_backward(on_device, batch, sites, fresh);
    }

    /// From `dx`, the gradient of a layer's output, to `d_ffn_input`, that of the feed-forward network's input; both `[rows, hidden]`. With
    /// post-norm that input is also the residual. With pre-norm the residual's gradient is in `d_residual`: it has passed the layers
    /// above, if there are any, and this network's norm adds its part.
    fn feed_forward_backward(&mut self, i: usize, rows: usize, sites: Sites, fresh: bool) {
        let layer = self.layout.layers[i];
        let trained = [layer.ffn_up, layer.ffn_down].map(|l| self.trains_linear(l));
        let (family, first_only) = (self.config.family, self.queries(i) == Queries::First);
        let (pre_norm, is_last) = (family.is_pre_norm, i + 1 == self.config.num_hidden_layers);
        let dropout =
            sites.of_queries(self.queries(i), 3 + 3 * i, self.config.dropout.ffn).filter(|_| !family.is_gated);
        let (backend, p, g, ws) = (&mut self.backend, &self.parameters, &mut self.gradients, &mut self.workspace);
        let kept = &mut ws.layers[i];
        backend.add_norm_backward(AddNormBackward {
            d_residual: match (pre_norm, first_only) {
                (false, _) => &mut ws.d_ffn_input,
                (true, false) => &mut ws.d_residual,
                (true, true) => &mut ws.d_residual_row,
            },
            add: pre_norm && !is_last,
            dx: Some(&mut ws.d_dense),
            gradients: g,
            fresh,
            dy: &ws.dx,
            x: &ws.sums[i],
            stats: &kept.ffn_stats,
            rows,
            parameters: p,
            norm: layer.norm_after_ffn,
            dropout,
        });
        if trained[1] {
            backend.linear_parameters(g, fresh, &ws.d_dense, &kept.ffn_hidden, rows, layer.ffn_down);
        }
        backend.linear_input(&mut ws.d_ffn_hidden, false, &ws.d_dense, rows, p, layer.ffn_down);
        let d_up = match family.is_gated {
            true => {
                backend.gated_activation_backward(
                    &mut kept.activation_grad,
                    &ws.d_ffn_hidden,
                    (rows, layer.ffn_down.width),
                );
                &kept.activation_grad
            }
            false => {
                backend.multiply(&mut ws.d_ffn_hidden, &kept.activation_grad, rows * layer.ffn_up.out);
                &ws.d_ffn_hidden
            }
        };
        if trained[0] {
            backend.linear_parameters(g, fresh, d_up, &kept.ffn_input, rows, layer.ffn_up);
        }
        backend.linear_input(&mut ws.d_ffn_input, !pre_norm, d_up, rows, p, layer.ffn_up);
    }

    /// From `d_ffn_input` to `dx`, the gradient of the layer's input, `[tokens, hidden]`, and with pre-norm to `d_residual`, that of its residual:
    /// computed only if anything `below` the layer is trained. Below the first layer both are one, in `dx`.
    fn attention_backward(&mut self, pass: Pass<B::Batch>) {
        let Pass { i, on_device, tokens, sequences, met, sites, fresh, below } = pass;
        let Layer { qkv, attention_output, norm_after_attention, .. } = self.layout.layers[i];
        let (h, attention) = (self.config.hidden_size, self.attention_of(i, sites));
        let trained = [qkv, attention_output].map(|l| self.trains_linear(l));
        let trains_positions = self.trains_positions(i);
        let last = attention.queries == Queries::First;
        let rows = if last { sequences } else { tokens };
        let c = &self.config;
        let (pre_norm, heads, head_width) = (c.family.is_pre_norm, c.num_attention_heads, c.head_width());
        let dropout = sites.of_queries(attention.queries, 2 + 3 * i, c.dropout.attention_output);
        let angles = c.attention_of(i).angles.map(|table| &self.angles[table]);
        let (backend, p, g, ws) = (&mut self.backend, &self.parameters, &mut self.gradients, &mut self.workspace);
        let (kept, input) = (&ws.layers[i], &ws.inputs[i]);
        // The residual's gradient: in the last layer only the query rows have one.
        let d_residual = match (pre_norm, last) {
            (false, true) => &mut ws.d_row,
            (false, false) => &mut ws.dx,
            (true, true) => &mut ws.d_residual_row,
            (true, false) => &mut ws.d_residual,
        };
        backend.add_norm_backward(AddNormBackward {
            d_residual,
            add: pre_norm,
            dx: Some(&mut ws.d_dense),
            gradients: g,
            fresh,
            dy: &ws.d_ffn_input,
            x: &kept.attention_sum,
            stats: &kept.attention_stats,
            rows,
            parameters: p,
            norm: norm_after_attention,
            dropout,
        });
        if trained[1] {
            backend.linear_parameters(g, fresh, &ws.d_dense, &kept.context, rows, attention_output);
        }
        if !below && !trained[0] && !trains_positions {
            return;
        }
        // `d_ffn_input` is not needed any more: its buffer receives the gradient of the context.
        backend.linear_input(&mut ws.d_ffn_input, false, &ws.d_dense, rows, p, attention_output);
        let q = if last { &kept.q } else { &kept.qkv };
        let relative = relative(c, met, &kept.positions, &self.relative_rows);
        backend.attention_backward(AttentionBackward {
            dq: &mut ws.d_query,
            dkv: &mut ws.d_ffn_hidden,
            d_context: &ws.d_ffn_input,
            q,
            kv: &kept.qkv,
            batch: on_device,
            attention,
            relative: relative.map(|relative| (relative, &mut ws.d_positions)),
        });
        if let Some(angles) = angles {
            // In the last layer the keys alone; otherwise queries and keys.
            let (stride, heads) = if last { (2 * h, heads) } else { (3 * h, 2 * heads) };
            let (x, batch) = (&mut ws.d_ffn_hidden, on_device);
            backend.rotate(Rotation { x, angles, batch, stride, heads, head_width, back: true });
        }
        if last {
            let (query, key_value) = (query_of(qkv), key_value_of(qkv));
            if trained[0] {
                backend.linear_parameters(g, fresh, &ws.d_ffn_hidden, input, tokens, key_value);
                backend.linear_parameters(g, fresh, &ws.d_query, &kept.query_rows, sequences, query);
            }
            if below {
                backend.linear_input(&mut ws.dx, false, &ws.d_ffn_hidden, tokens, p, key_value);
                backend.linear_input(&mut ws.d_row, !pre_norm, &ws.d_query, sequences, p, query);
                backend.add_to_first_rows(&mut ws.dx, &ws.d_row, on_device, h);
                if pre_norm && i == 0 {
                    backend.add_to_first_rows(&mut ws.dx, &ws.d_residual_row, on_device, h);
                } else if pre_norm {
                    backend.clear(&mut ws.d_residual, tokens * h);
                    backend.add_to_first_rows(&mut ws.d_residual, &ws.d_residual_row, on_device, h);
                }
            }
        } else {
            if trained[0] {
                backend.linear_parameters(g, fresh, &ws.d_ffn_hidden, input, tokens, qkv);
            }
            if below {
                let is_apart = pre_norm && i > 0;
                if pre_norm && !is_apart {
                    std::mem::swap(&mut ws.dx, &mut ws.d_residual);
                }
                backend.linear_input(&mut ws.dx, !is_apart, &ws.d_ffn_hidden, tokens, p, qkv);
            }
        }
    }

    /// From `dx`, the gradient of the first layer's input, to that of the embeddings, if they are projected.
    fn projection_backward(&mut self, tokens: usize, fresh: bool) {
        let Some(projection) = self.layout.projection else { return };
        let is_trained = self.trains_linear(projection);
        let (backend, p, g, ws) = (&mut self.backend, &self.parameters, &mut self.gradients, &mut self.workspace);
        if is_trained {
            backend.linear_parameters(g, fresh, &ws.dx, &ws.unprojected, tokens, projection);
        }
        backend.linear_input(&mut ws.d_unprojected, false, &ws.dx, tokens, p, projection);
    }

    fn embedding_backward(&mut self, on_device: &B::Batch, batch: &Batch, sites: Sites, fresh: bool) {
        let occurrences = if self.trains_words() { self.optimizer.occurrences(&batch.ids) } else { Vec::new() };
        let (layout, ws) = (&self.layout, &mut self.workspace);
        self.backend.embed_backward(EmbedBackward {
            d_out: if layout.projection.is_some() { &mut ws.d_unprojected } else { &mut ws.dx },
            words: &mut ws.words,
            gradients: &mut self.gradients,
            fresh,
            sum: &ws.embedded,
            stats: &ws.embedded_stats,
            parameters: &self.parameters,
            embedding: layout.embedding,
            norm: layout.embedding_norm,
            batch: on_device,
            occurrences: &occurrences,
            dropout: sites.tokens(0, self.config.dropout.embedding),
        });
    }
}

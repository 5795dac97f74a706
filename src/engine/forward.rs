//! The forward pass.

use super::{Explicit, workspace::Layer as Kept};
use crate::{
    data::Batch,
    kernels::{AddNorm, Attention, Backend, BiasActivation, Dropout, Embed, Linear, Queries, TokenStream},
    model::DropoutPlan,
};

/// The dropout of one pass, by site: 0 after the embedding; 1 + 3·i, 2 + 3·i and 3 + 3·i in layer i (attention probabilities, attention
/// output, feed-forward output); then the classifier's.
#[derive(Clone, Copy)]
pub(super) struct Sites {
    plan: Option<DropoutPlan>,
    first_row: usize,
    first_token: usize,
}

impl Sites {
    pub(super) fn new(plan: Option<DropoutPlan>, batch: &Batch) -> Self {
        Self { plan, first_row: batch.first_row, first_token: batch.first_token }
    }

    /// For rows that are tokens.
    pub(super) fn tokens(&self, site: usize, p: f64) -> Option<Dropout> {
        self.plan.and_then(|plan| Dropout::new(plan.seed, plan.step, site as u32, p, self.first_token))
    }

    /// For rows that are sequences.
    pub(super) fn rows(&self, site: usize, p: f64) -> Option<Dropout> {
        self.plan.and_then(|plan| Dropout::new(plan.seed, plan.step, site as u32, p, self.first_row))
    }

    /// For a layer that computes these queries.
    pub(super) fn of_queries(&self, queries: Queries, site: usize, p: f64) -> Option<Dropout> {
        match queries {
            Queries::All => self.tokens(site, p),
            Queries::First => self.rows(site, p),
        }
    }
}

/// The queries' part of the QKV map, which the last layer computes for other rows than keys and values.
pub(super) fn query_of(qkv: Linear) -> Linear {
    qkv.part(0..qkv.width)
}

/// The map of keys and values.
pub(super) fn key_value_of(qkv: Linear) -> Linear {
    qkv.part(qkv.width..3 * qkv.width)
}

impl<B: Backend> Explicit<B> {
    /// Copies a batch to the device, and grows the workspace to its size.
    pub(super) fn enter(&mut self, batch: &Batch) -> B::Batch {
        let (tokens, sequences) = (batch.ids.len(), batch.offsets.len() - 1);
        self.workspace.reserve(&self.backend, &self.config, self.labels, tokens, sequences);
        let Batch { ids, positions, token_types, offsets, .. } = batch;
        self.backend.batch(TokenStream { ids, positions, token_types, offsets })
    }

    /// Which query positions layer `i` computes: only the `[CLS]` rows of the last layer's output are read, so it computes keys and values of all
    /// tokens, and everything else for those rows only.
    pub(super) fn queries(&self, i: usize) -> Queries {
        if i + 1 == self.config.num_hidden_layers { Queries::First } else { Queries::All }
    }

    pub(super) fn attention_of(&self, i: usize, sites: Sites) -> Attention {
        let (c, queries) = (&self.config, self.queries(i));
        let dropout = sites.of_queries(queries, 1 + 3 * i, c.attention_dropout);
        Attention { heads: c.num_attention_heads, width: c.hidden_size, queries, dropout }
    }

    /// Computes the logits, `[sequences, labels]`, in the workspace. With `keep`, the workspace also holds the inputs of the backward pass.
    pub(super) fn forward(&mut self, on_device: &B::Batch, batch: &Batch, plan: Option<DropoutPlan>, keep: bool) {
        let (tokens, sequences) = (batch.ids.len(), batch.offsets.len() - 1);
        let sites = Sites::new(plan, batch);
        let hidden = self.config.hidden_dropout;
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
            dropout: sites.tokens(0, hidden),
        });
        if let Some(projection) = layout.projection {
            self.backend.linear(&mut ws.inputs[0], &ws.unprojected, tokens, &self.parameters, projection, true);
        }
        for i in 0..self.config.num_hidden_layers {
            self.layer(i, on_device, tokens, sequences, sites, keep);
        }
        self.head(sequences, sites);
    }

    fn layer(&mut self, i: usize, on_device: &B::Batch, tokens: usize, sequences: usize, sites: Sites, keep: bool) {
        let (h, hidden, queries) = (self.config.hidden_size, self.config.hidden_dropout, self.queries(i));
        let attention = self.attention_of(i, sites);
        let dropout = |site: usize| sites.of_queries(queries, site, hidden);
        let (backend, p, ws) = (&mut self.backend, &self.parameters, &mut self.workspace);
        let layer = self.layout.layers[i];
        let last = queries == Queries::First;
        // In inference two buffers alternate as a layer's input and output, and all layers but the last share one set of
        // activations.
        let (slot, from, to) = if keep { (i, i, i + 1) } else { (i, i % 2, (i + 1) % 2) };
        let slot = if last || keep { slot } else { 0 };
        let kept = &mut ws.layers[slot];
        let Kept { query_rows, q, qkv, context, attention_sum, attention_stats, .. } = kept;
        let Kept { ffn_input, activation_grad, ffn_hidden, ffn_sum, ffn_stats, .. } = kept;
        let (input, output) = match last {
            true => (&ws.inputs[from], &mut ws.output),
            false => {
                let [input, output] = ws.inputs.get_disjoint_mut([from, to]).expect("two buffers");
                (&*input, output)
            }
        };
        let (residual, rows) = match last {
            true => {
                backend.linear(qkv, input, tokens, p, key_value_of(layer.qkv), true);
                backend.first_rows(query_rows, input, on_device, h);
                backend.linear(q, query_rows, sequences, p, query_of(layer.qkv), true);
                backend.attention(context, q, qkv, on_device, attention);
                (&*query_rows, sequences)
            }
            false => {
                backend.linear(qkv, input, tokens, p, layer.qkv, true);
                backend.attention(context, qkv, qkv, on_device, attention);
                (input, tokens)
            }
        };
        backend.linear(attention_sum, context, rows, p, layer.attention_output, false);
        backend.add_norm(AddNorm {
            y: ffn_input,
            x: attention_sum,
            stats: attention_stats,
            residual,
            rows,
            parameters: p,
            bias: layer.attention_output.bias,
            norm: layer.attention_norm,
            dropout: if self.config.family.drops_attention_output { dropout(2 + 3 * i) } else { None },
        });
        backend.linear(activation_grad, ffn_input, rows, p, layer.ffn_up, false);
        backend.bias_activation(BiasActivation {
            y: ffn_hidden,
            x: activation_grad,
            rows,
            parameters: p,
            linear: layer.ffn_up,
            activation: self.config.activation,
            derivative: keep,
        });
        backend.linear(ffn_sum, ffn_hidden, rows, p, layer.ffn_down, false);
        backend.add_norm(AddNorm {
            y: output,
            x: ffn_sum,
            stats: ffn_stats,
            residual: ffn_input,
            rows,
            parameters: p,
            bias: layer.ffn_down.bias,
            norm: layer.ffn_norm,
            dropout: dropout(3 + 3 * i),
        });
    }
}

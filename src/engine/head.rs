//! Forward and backward pass of the classifier head, which maps the encoder's output for each sequence to logits.

use super::{Explicit, sites::Sites};
use crate::{
    kernels::{AddNorm, AddNormBackward, Backend, Dropout},
    model::Pooling,
};

impl<B: Backend> Explicit<B> {
    /// The dropout before the classifier, and that on the head's input, which few heads have.
    fn head_dropout(&self, sites: Sites) -> [Option<Dropout>; 2] {
        let (first, p) = (1 + 3 * self.config.num_hidden_layers, &self.config.dropout);
        let of_input = sites.rows(first + 1, p.head_input).filter(|_| self.config.family.head.drops_input);
        [sites.rows(first, p.head), of_input]
    }

    /// Forward pass: from `output`, `[sequences or tokens, hidden]`, to `logits`, `[sequences, labels]`.
    pub(super) fn head(&mut self, on_device: &B::Batch, sequences: usize, sites: Sites) {
        let [dropout, of_input] = self.head_dropout(sites);
        let (h, activation) = (self.config.hidden_size, self.config.head_activation);
        let shape = (sequences, h);
        let (backend, p, layout, ws) = (&mut self.backend, &self.parameters, &self.layout, &mut self.workspace);
        let input = match self.config.pooling {
            Pooling::First => &mut ws.output,
            Pooling::Mean => {
                backend.mean_rows(&mut ws.pooled, &ws.output, on_device, h);
                &mut ws.pooled
            }
        };
        if let Some(dropout) = of_input {
            backend.dropout(input, shape, dropout);
        }
        backend.linear(&mut ws.head_grad, input, sequences, p, layout.head_dense, true);
        let after_activation = dropout.filter(|_| layout.head_norm.is_none());
        backend.activate(&mut ws.head_hidden, &mut ws.head_grad, shape, activation, after_activation);
        let hidden = match layout.head_norm {
            None => &ws.head_hidden,
            Some(norm) => {
                backend.add_norm(AddNorm {
                    y: &mut ws.head_normed,
                    x: &mut ws.head_hidden,
                    stats: &mut ws.head_stats,
                    residual: None,
                    rows: sequences,
                    parameters: p,
                    bias: None,
                    norm,
                    dropout: None,
                });
                if let Some(dropout) = dropout {
                    backend.dropout(&mut ws.head_normed, shape, dropout);
                }
                &ws.head_normed
            }
        };
        backend.linear(&mut ws.logits, hidden, sequences, p, layout.classifier, true);
    }

    /// Backward pass: from `d_logits`, `[sequences, labels]`, to `dx`, the gradient of the last layer's output, `[sequences or tokens, hidden]`.
    /// Adds the gradients of the head's parameters; `fresh` overwrites them instead.
    pub(super) fn head_backward(&mut self, on_device: &B::Batch, sequences: usize, sites: Sites, fresh: bool) {
        let [dropout, of_input] = self.head_dropout(sites);
        let (shape, dense, classifier) =
            ((sequences, self.config.hidden_size), self.layout.head_dense, self.layout.classifier);
        let (backend, p, g, ws) = (&mut self.backend, &self.parameters, &mut self.gradients, &mut self.workspace);
        let hidden = if self.layout.head_norm.is_some() { &ws.head_normed } else { &ws.head_hidden };
        backend.linear_parameters(g, fresh, &ws.d_logits, hidden, sequences, classifier);
        backend.linear_input(&mut ws.d_row, false, &ws.d_logits, sequences, p, classifier);
        let d_hidden = match self.layout.head_norm {
            None => &mut ws.d_row,
            Some(norm) => {
                if let Some(dropout) = dropout {
                    backend.dropout(&mut ws.d_row, shape, dropout);
                }
                backend.add_norm_backward(AddNormBackward {
                    d_residual: &mut ws.d_query,
                    add: false,
                    dx: None,
                    gradients: g,
                    fresh,
                    dy: &ws.d_row,
                    x: &ws.head_hidden,
                    stats: &ws.head_stats,
                    rows: sequences,
                    parameters: p,
                    norm,
                    dropout: None,
                });
                &mut ws.d_query
            }
        };
        let after_activation = dropout.filter(|_| self.layout.head_norm.is_none());
        backend.activate_backward(d_hidden, &ws.head_grad, shape, after_activation);
        let (input, d_input) = match self.config.pooling {
            Pooling::First => (&ws.output, &mut ws.dx),
            Pooling::Mean => (&ws.pooled, &mut ws.d_pooled),
        };
        backend.linear_parameters(g, fresh, d_hidden, input, sequences, dense);
        backend.linear_input(d_input, false, d_hidden, sequences, p, dense);
        if let Some(dropout) = of_input {
            backend.dropout(d_input, shape, dropout);
        }
        if self.config.pooling == Pooling::Mean {
            backend.mean_rows_backward(&mut ws.dx, &ws.d_pooled, on_device, shape.1);
        }
    }
}

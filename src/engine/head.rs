//! Forward and backward pass of the classifier head, which maps the encoder's output for the first token of each sequence to logits.

use super::{Explicit, forward::Sites};
use crate::kernels::{Backend, Dropout};

impl<B: Backend> Explicit<B> {
    /// The dropout before the classifier, and that on the head's input, which few heads have.
    fn head_dropout(&self, sites: Sites) -> [Option<Dropout>; 2] {
        let (first, p) = (1 + 3 * self.config.num_hidden_layers, self.config.classifier_dropout);
        [sites.rows(first, p), sites.rows(first + 1, p).filter(|_| self.config.family.head.drops_input)]
    }

    /// Forward pass: from `output`, `[sequences, hidden]`, to `logits`, `[sequences, labels]`.
    pub(super) fn head(&mut self, sequences: usize, sites: Sites) {
        let [dropout, of_input] = self.head_dropout(sites);
        let (shape, activation) = ((sequences, self.config.hidden_size), self.config.family.head.activation);
        let (backend, p, layout, ws) = (&mut self.backend, &self.parameters, &self.layout, &mut self.workspace);
        if let Some(dropout) = of_input {
            backend.dropout(&mut ws.output, shape, dropout);
        }
        backend.linear(&mut ws.head_grad, &ws.output, sequences, p, layout.head_dense, true);
        backend.activate(&mut ws.head_hidden, &mut ws.head_grad, shape, activation, dropout);
        backend.linear(&mut ws.logits, &ws.head_hidden, sequences, p, layout.classifier, true);
    }

    /// Backward pass: from `d_logits`, `[sequences, labels]`, to `dx`, the gradient of the last layer's output, `[sequences, hidden]`. Adds
    /// the gradients of the head's parameters; `fresh` overwrites them instead.
    pub(super) fn head_backward(&mut self, sequences: usize, sites: Sites, fresh: bool) {
        let [dropout, of_input] = self.head_dropout(sites);
        let (shape, dense, classifier) =
            ((sequences, self.config.hidden_size), self.layout.head_dense, self.layout.classifier);
        let (backend, p, g, ws) = (&mut self.backend, &self.parameters, &mut self.gradients, &mut self.workspace);
        backend.linear_parameters(g, fresh, &ws.d_logits, &ws.head_hidden, sequences, classifier);
        backend.linear_input(&mut ws.d_row, false, &ws.d_logits, sequences, p, classifier);
        backend.activate_backward(&mut ws.d_row, &ws.head_grad, shape, dropout);
        backend.linear_parameters(g, fresh, &ws.d_row, &ws.output, sequences, dense);
        backend.linear_input(&mut ws.dx, false, &ws.d_row, sequences, p, dense);
        if let Some(dropout) = of_input {
            backend.dropout(&mut ws.dx, shape, dropout);
        }
    }
}

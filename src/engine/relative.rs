//! Relative positions: from their table to the queries and keys of each layer, and back.
//!
//! Only the rows of distances that a batch has are computed. Dropout in layer i is at site 3 + 3 · layers + i, for the rows of the whole table, so that
//! it does not depend on how a step is divided.

use super::{Explicit, distances::Met, sites::Sites};
use crate::kernels::{AddNorm, AddNormBackward, Backend, CopyRows, Dropout};

impl<B: Backend> Explicit<B> {
    /// Computes the rows of the table that a batch meets, with their norm, in the workspace.
    pub(super) fn relative_table(&mut self, met: Option<Met>) {
        let (Some((table, norm)), Some(Met { first, len, .. })) = (self.layout.relative, met) else { return };
        let (backend, p, ws) = (&mut self.backend, &self.parameters, &mut self.workspace);
        let to = if norm.is_some() { &mut ws.relative_sum } else { &mut ws.relative };
        let from_at = table.offset + first * table.width;
        backend.copy_rows(CopyRows { from_at, ..copied(to, 0, false, p, (len, table.width)) });
        let Some(norm) = norm else { return };
        backend.add_norm(AddNorm {
            y: &mut ws.relative,
            x: &mut ws.relative_sum,
            stats: &mut ws.relative_stats,
            residual: None,
            rows: len,
            parameters: p,
            bias: None,
            norm,
            dropout: None,
        });
    }

    /// The dropout of the table in layer `i`.
    fn table_dropout(&self, i: usize, sites: Sites, met: Met) -> Option<Dropout> {
        let site = 3 + 3 * self.config.num_hidden_layers + i;
        sites.at(site, self.config.dropout.embedding, met.first)
    }

    /// Applies the dropout of layer `i`, if there is any, to the rows of the table.
    fn drop_table(&mut self, i: usize, sites: Sites, met: Met) {
        let Some(dropout) = self.table_dropout(i, sites, met) else { return };
        let (ws, shape) = (&mut self.workspace, (met.len, self.config.hidden_size));
        let rows = copied(&mut ws.relative_dropped, 0, false, &ws.relative, shape);
        self.backend.copy_rows(CopyRows { dropout: Some(dropout), ..rows });
    }

    /// Computes queries and keys of the positions for layer `i` in slot `kept` of the workspace.
    pub(super) fn positions(&mut self, i: usize, kept: usize, met: Option<Met>, sites: Sites) {
        let (Some(linear), Some(met)) = (self.layout.layers[i].positions, met) else { return };
        self.drop_table(i, sites, met);
        let is_dropped = self.table_dropout(i, sites, met).is_some();
        let ws = &mut self.workspace;
        let table = if is_dropped { &ws.relative_dropped } else { &ws.relative };
        self.backend.linear(&mut ws.layers[kept].positions, table, met.len, &self.parameters, linear, true);
    }

    /// Whether training changes the dense layers of the positions in layer `i`, where they are not those of attention.
    pub(super) fn trains_positions(&self, i: usize) -> bool {
        self.layout.layers[i].positions.is_some_and(|linear| self.trains_linear(linear))
    }

    /// Whether training changes the table or its norm.
    fn trains_relative(&self) -> bool {
        self.layout.relative.is_some_and(|(table, norm)| {
            let is_of_norm = |offset| norm.is_some_and(|norm| norm.weight == offset || norm.bias == Some(offset));
            self.trains(|offset| offset == table.offset || is_of_norm(offset))
        })
    }

    /// Sets the gradient of the table's rows to zero, before the layers add theirs.
    pub(super) fn begin_relative_backward(&mut self) {
        let Some((table, _)) = self.layout.relative else { return };
        self.backend.clear(&mut self.workspace.d_relative, table.rows * table.width);
    }

    /// From `d_positions`, the gradient of queries and keys of the positions in layer `i`, to those of their dense layers, after attention's own, and
    /// of the table.
    pub(super) fn positions_backward(&mut self, i: usize, met: Option<Met>, sites: Sites, fresh: bool) {
        let (Some(linear), Some(met)) = (self.layout.layers[i].positions, met) else { return };
        let is_shared = self.config.relative.as_ref().is_some_and(|relative| relative.is_shared);
        let (is_trained, trains_table) = (self.trains_linear(linear), self.trains_relative());
        let dropout = self.table_dropout(i, sites, met);
        if is_trained {
            self.drop_table(i, sites, met);
        }
        let (backend, p, g, ws) = (&mut self.backend, &self.parameters, &mut self.gradients, &mut self.workspace);
        if is_trained {
            let table = if dropout.is_some() { &ws.relative_dropped } else { &ws.relative };
            // Dense layers that attention uses as well have its gradients by now.
            backend.linear_parameters(g, fresh && !is_shared, &ws.d_positions, table, met.len, linear);
        }
        if trains_table {
            backend.linear_input(&mut ws.d_relative_dropped, false, &ws.d_positions, met.len, p, linear);
            let shape = (met.len, self.config.hidden_size);
            let added = copied(&mut ws.d_relative, 0, true, &ws.d_relative_dropped, shape);
            backend.copy_rows(CopyRows { dropout, ..added });
        }
    }

    /// From `d_relative`, the gradient of the table's rows after their norm, to those of the table and of the norm.
    pub(super) fn relative_backward(&mut self, met: Option<Met>, fresh: bool) {
        let (Some((table, norm)), Some(met)) = (self.layout.relative, met) else { return };
        if !self.trains_relative() {
            return;
        }
        let (backend, p, g, ws) = (&mut self.backend, &self.parameters, &mut self.gradients, &mut self.workspace);
        match norm {
            Some(norm) => backend.add_norm_backward(AddNormBackward {
                d_residual: &mut ws.d_relative_dropped,
                add: false,
                dx: None,
                gradients: g,
                fresh,
                dy: &ws.d_relative,
                x: &ws.relative_sum,
                stats: &ws.relative_stats,
                rows: met.len,
                parameters: p,
                norm,
                dropout: None,
            }),
            None => {
                let to = &mut ws.d_relative_dropped;
                backend.copy_rows(copied(to, 0, false, &ws.d_relative, (met.len, table.width)));
            }
        }
        if fresh {
            // Rows of distances that the batch does not have.
            backend.clear(&mut ws.d_relative, table.rows * table.width);
            backend.copy_rows(copied(g, table.offset, false, &ws.d_relative, (table.rows, table.width)));
        }
        let to_at = table.offset + met.first * table.width;
        backend.copy_rows(copied(g, to_at, true, &ws.d_relative_dropped, (met.len, table.width)));
    }
}

/// A copy of the first rows of a buffer, or their sum with what is there.
fn copied<'a, T>(to: &'a mut T, to_at: usize, add: bool, from: &'a T, shape: (usize, usize)) -> CopyRows<'a, T> {
    CopyRows { to, to_at, add, from, from_at: 0, shape, dropout: None }
}

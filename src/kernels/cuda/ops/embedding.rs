//! Embedding lookup, and the gradients of the tables.

use std::collections::BTreeMap;

use bytemuck::Zeroable;

use super::super::{
    super::{Embed, EmbedBackward, EmbeddingOps, Occurrence, Table},
    Buffer, Cuda, CudaBatch, Driver, Kernel, address,
    launch::threads_of,
    params::{self, Address},
};

impl<D: Driver> Cuda<D> {
    /// Adds to rows of `width` values, which begin at `to`, the rows of `d_sum` that belong to them.
    fn add_rows(&mut self, to: Address, width: usize, d_sum: Address, occurrences: &[Occurrence]) {
        if occurrences.is_empty() {
            return;
        }
        let rows: Vec<u32> = occurrences.iter().map(|o| o.row).collect();
        let tokens: Vec<u32> = occurrences.iter().flat_map(|o| &o.tokens).copied().collect();
        let ends = occurrences.iter().scan(0, |end, o| {
            *end += o.tokens.len() as u32;
            Some(*end)
        });
        let ends: Vec<u32> = ends.collect();
        let [rows, ends, tokens] = self.arena.put([&rows, &ends, &tokens].map(|part| bytemuck::cast_slice(part)));
        let p = params::AddRows { to, d_sum, rows, ends, tokens, width: width as u64 };
        let threads = threads_of(width);
        self.launch(Kernel::AddRows, [occurrences.len(), width.div_ceil(threads)], threads, &p);
    }

    /// Sets the gradients of a whole table to zero.
    fn clear_table(&self, gradients: &mut Buffer<D>, table: Table) {
        let address = gradients.out(table.offset);
        self.device.with(|d| d.clear(address, 4 * table.rows * table.width));
    }
}

/// The tokens of each row of a table that occurs, rows ascending.
fn occurrences(rows: &[u32]) -> Vec<Occurrence> {
    let mut tokens: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for (token, row) in (0..).zip(rows) {
        tokens.entry(*row).or_default().push(token);
    }
    tokens.into_iter().map(|(row, tokens)| Occurrence { row, tokens }).collect()
}

impl<D: Driver> EmbeddingOps for Cuda<D> {
    fn embed(&mut self, args: Embed<Buffer<D>, CudaBatch>) {
        let Embed { out, sum, stats, parameters, embedding: e, norm, untouched, batch, dropout } = args;
        assert!(e.has(&batch.ids, &batch.positions, &batch.token_types), "a token of a row past the end of its table");
        let touched = |id: u32| untouched.touched.get(id as usize).copied().unwrap_or(true);
        let scales: Vec<f32> = batch.ids.iter().map(|id| if touched(*id) { 1.0 } else { untouched.decay }).collect();
        let [scales] = self.arena.put([bytemuck::cast_slice(&scales)]);
        let p = params::Embed {
            norm: self.norm(out.both(0), stats, parameters, norm, dropout),
            sum: sum.out(0),
            words: parameters.at(e.word.offset),
            positions: address(parameters, e.position.map(|table| table.offset)),
            token_types: address(parameters, e.token_type.map(|table| table.offset)),
            task: address(parameters, e.task.map(|table| table.offset)),
            ids: batch.on_device[0],
            position_rows: batch.on_device[1],
            token_type_rows: batch.on_device[2],
            scales,
        };
        self.launch(Kernel::Embed, [batch.tokens(), 1], threads_of(e.word.width), &p);
    }

    fn embed_backward(&mut self, args: EmbedBackward<Buffer<D>, CudaBatch>) {
        let EmbedBackward { d_out, words, gradients, fresh, sum, stats, parameters, embedding: e, norm, batch, .. } =
            args;
        let (width, d_sum) = (e.word.width, d_out.out(0));
        let p = params::NormBackward {
            d_sum,
            dy: d_sum,
            sum: sum.at(0),
            stats: stats.at(0),
            weight: parameters.at(norm.weight),
            before: args.dropout.into(),
            rows: batch.tokens() as u32,
            ..params::NormBackward::zeroed()
        };
        self.norm_backward(gradients, fresh, norm, p);
        self.add_rows(words.out(0), width, d_sum, args.occurrences);
        for table in [e.position, e.token_type, e.task].into_iter().flatten().filter(|_| fresh) {
            self.clear_table(gradients, table);
        }
        if let Some(table) = e.position {
            self.add_rows(gradients.out(table.offset), width, d_sum, &occurrences(&batch.positions));
        }
        // A type has too many tokens for one block to add up.
        if let Some(table) = e.token_type {
            for Occurrence { row, .. } in occurrences(&batch.token_types) {
                let to = gradients.out(table.offset + row as usize * width);
                let sums = params::ColumnSums::of(to, d_sum, batch.tokens(), width, false);
                self.column_sums(params::ColumnSums { kinds: batch.on_device[2], kind: row, ..sums });
            }
        }
        if let Some(table) = e.task {
            let to = gradients.out(table.offset);
            self.column_sums(params::ColumnSums::of(to, d_sum, batch.tokens(), width, false));
        }
    }
}

//! Attention as the contract has it.

use super::{
    super::{Attend, AttentionBackward, AttentionOps},
    Buffer, Cpu, CpuBatch,
    attention::Operands,
    attention_tasks::Layout,
    relative::Positions,
    relative_backward::Grouped,
};

impl AttentionOps for Cpu {
    fn attention(&mut self, args: Attend<Buffer, CpuBatch>) {
        let Attend { context, q, kv, batch, attention, relative } = args;
        let relative = relative.map(|relative| Positions::new(&relative, &attention));
        let of = Operands { l: &Layout::new(&attention), q, kv, relative: relative.as_ref() };
        attention.forward(context, &of, &batch.offsets);
    }

    fn attention_backward(&mut self, args: AttentionBackward<Buffer, CpuBatch>) {
        let AttentionBackward { dq, dkv, d_context, q, kv, batch, attention, relative } = args;
        let of = Operands { l: &Layout::new(&attention), q, kv, relative: None };
        match relative {
            None => attention.backward(dq, dkv, d_context, of, &batch.offsets),
            Some((relative, d_positions)) => {
                let relative = Positions::new(&relative, &attention);
                let of = Operands { relative: Some(&relative), ..of };
                let task = Grouped { attention: &attention, of, relative: &relative, d_context };
                task.backward((dq, dkv), &batch.offsets, d_positions, &mut self.partial);
            }
        }
    }
}

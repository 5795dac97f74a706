//! Any bytes as a data file; the first byte chooses the layout.

use super::{Sandbox, sound};

/// One input.
pub fn run(input: &[u8]) {
    thread_local!(static SANDBOX: Sandbox = sound());
    let Some((layout, rows)) = input.split_first() else { return };
    let layout = ["csv", "tsv", "jsonl"][*layout as usize % 3];
    SANDBOX.with(|sandbox| {
        let spec = "model.source = \"path:model\"\ndata.source = \"path:rows.txt\"\ndata.max_length = 16\n";
        sandbox.write("spec.toml", format!("{spec}data.format = \"{layout}\"\n"));
        sandbox.write("rows.txt", rows);
        _ = sandbox.plan();
    });
}

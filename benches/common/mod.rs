//! What the benchmarks share: the machine's facts, what a process has used, and what the machine could do at best.

pub mod bounds;
pub mod machine;

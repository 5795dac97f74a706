//! What the benchmarks share: the machine's facts, what a process has used, and what the machine could do at best, and results of
//! runs that were never trained.

pub mod bounds;
pub mod machine;
pub mod trained;

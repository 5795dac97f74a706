//! The instructions of this processor.

use std::sync::OnceLock;

use super::machine::{Kind, detect};

/// Instructions that multiply bf16 numbers. To have one is to know that this processor has them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Level(pub(super) Kind);

impl Level {
    /// The name of its instructions.
    pub fn name(self) -> &'static str {
        self.0.name()
    }
}

/// The fastest level of this processor; `None`: it has no bf16 products that this module knows.
pub fn level() -> Option<Level> {
    levels().first().copied()
}

/// Every level of this processor, the fastest first. Detected once.
pub fn levels() -> &'static [Level] {
    static LEVELS: OnceLock<Vec<Level>> = OnceLock::new();
    LEVELS.get_or_init(|| detect().into_iter().map(Level).collect())
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;

    #[test]
    fn levels_are_those_that_the_system_reports() {
        let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let Some(flags) = info.lines().find(|line| line.starts_with("flags")) else {
            super::super::tests::skipped("skipped: no flags in /proc/cpuinfo here");
            return;
        };
        let has = |flag: &str| flags.split_whitespace().any(|f| f == flag);
        let vectors = has("avx512f") && has("avx512bw") && has("avx512_bf16");
        let tiles = vectors && has("amx_bf16") && has("amx_tile");
        assert_eq!(level().is_some(), vectors);
        // A container may forbid the tile registers that the processor has; the other way round must not happen.
        assert!(levels().len() <= usize::from(vectors) + usize::from(tiles), "{:?} with {flags}", levels());
    }
}

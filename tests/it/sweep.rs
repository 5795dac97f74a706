//! Sweeps: whatever happens to them, they end as if nothing had.

#![expect(clippy::print_stderr, reason = "tests say what they skip and what they did")]

mod decide;
mod disk;
mod lost;
mod signal;
mod torture;
mod twelve;
mod workers;

//! Sweeps: whatever happens to them, they end as if nothing had.

#![cfg(target_os = "linux")]
#![expect(clippy::print_stderr, reason = "tests say what they skip and what they did")]

mod decide;
mod disk;
mod lost;
mod support;
mod torture;
mod workers;

//! Sweeps: whatever happens to them, they end as if nothing had.

#![cfg(target_os = "linux")]

mod disk;
mod support;
mod torture;
mod workers;

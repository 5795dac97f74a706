//! `taper serve` as programs and people meet it: over HTTP.

mod answers;
mod browser;
mod faults;
mod load;
mod reload;
mod server;
mod start;

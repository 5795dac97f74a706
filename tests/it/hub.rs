//! Models and data from servers: everything that can go wrong on the way, against real HTTP on the loopback interface.

mod commands;
mod denied;
mod downloads;
pub mod home;
mod interop;
mod lock;
mod modelscope;
pub mod server;
mod web;

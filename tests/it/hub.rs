//! Models and data from servers: everything that can go wrong on the way, against real HTTP on the loopback interface.

mod commands;
mod denied;
mod downloads;
mod home;
mod interop;
mod lock;
mod modelscope;
mod server;
mod web;

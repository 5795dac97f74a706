//! `taper push`, against a hub with repositories, branches, commits and a store of large files, on the loopback interface.

mod faults;
mod pushes;
mod repositories;
mod server;

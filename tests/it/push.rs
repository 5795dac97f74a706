//! `taper push`, against hubs with repositories, branches, commits and a store of large files, on the loopback interface.

mod faults;
mod modelscope;
mod pushes;
mod repositories;
mod server;
mod to_modelscope;
mod to_modelscope_faults;

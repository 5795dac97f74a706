//! What `taper report` does besides writing one report: the list and the index of all, the browser, the server of a page that follows a
//! sweep.

mod all;
mod browser;
mod http;
mod server;
mod watch;
mod write;

pub use all::{list, write_all};
pub use browser::Browser;
pub use watch::watch;
pub use write::{How, Writing, explained, write};

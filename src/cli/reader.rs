//! Handles a reader of `taper run`'s JSON lines that goes away.

use std::{
    io::{self, Write},
    sync::{Arc, OnceLock},
};

use taper::{format, observe::Above};

use super::{common, output};

/// The state of standard output's reader.
#[derive(Default)]
pub struct Reader(Arc<OnceLock<io::Error>>);

impl Reader {
    /// Wraps `out` for lines. If it can no longer be written, runs do not fail: the command stops as after Ctrl-C, after the current step and
    /// with a checkpoint, and says so through `above`.
    pub fn lines<W: Write>(&self, out: W, above: Above) -> Lines<W> {
        Lines { out, failure: Arc::clone(&self.0), above }
    }

    /// Why lines could no longer be written.
    pub fn failure(&self) -> Option<&io::Error> {
        self.0.get()
    }
}

/// A writer that never fails: see [`Reader::lines`].
pub struct Lines<W> {
    out: W,
    failure: Arc<OnceLock<io::Error>>,
    above: Above,
}

impl<W: Write> Lines<W> {
    fn attempt(&mut self, f: impl FnOnce(&mut W) -> io::Result<()>) {
        if self.failure.get().is_some() {
            return;
        }
        if let Err(e) = f(&mut self.out) {
            let what = match output::is_closed(&e) {
                true => "standard output was closed".to_string(),
                false => format!("the JSON lines cannot be written ({})", format::io(&e)),
            };
            self.above.say(&format!(
                "{what}: stopping after this step (`taper run` resumes runs that have trained at least one step)"
            ));
            common::request_stop();
            let _ = self.failure.set(e);
        }
    }
}

impl<W: Write> Write for Lines<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.attempt(|out| out.write_all(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.attempt(W::flush);
        Ok(())
    }
}

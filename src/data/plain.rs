//! Texts without a layout: each line is one.

use std::{
    io::BufReader,
    path::{Path, PathBuf},
};

use super::{
    cells::{Cells, Fault},
    encoding,
    input_fault::reading,
    settings::Wording,
    source::{Input, read_line},
};

/// A file, line by line.
pub(super) struct Plain {
    path: PathBuf,
    reader: BufReader<Input>,
    buffer: Vec<u8>,
    line: u64,
}

impl Plain {
    pub(super) fn new(path: &Path, input: Input) -> Self {
        Self { path: path.to_owned(), reader: BufReader::with_capacity(1 << 16, input), buffer: Vec::new(), line: 0 }
    }

    pub(super) fn next(&mut self, cells: &mut Cells) -> Result<Option<u64>, Fault> {
        let line = self.line + 1;
        read_line(&mut self.reader, &mut self.buffer).map_err(reading(&self.path, line)).map_err(Fault::File)?;
        if self.buffer.is_empty() {
            return Ok(None);
        }
        self.line = line;
        let text = str::from_utf8(&self.buffer).map_err(|error| {
            Fault::File(encoding::not_utf8(&self.path, line, error.valid_up_to(), None, Wording::Options))
        })?;
        let text = text.strip_suffix('\n').unwrap_or(text);
        cells.text.push_str(text.strip_suffix('\r').unwrap_or(text));
        Ok(Some(line))
    }

    pub(super) fn input(&self) -> &Input {
        self.reader.get_ref()
    }
}

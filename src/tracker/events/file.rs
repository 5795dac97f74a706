//! Writes an event file.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use prost::Message;

use super::{
    checksum::masked,
    hyperparameters::{Hyperparameters, Session},
    proto::{Event, START, SessionLog, SourceMetadata, Summary, Value, What},
};
use crate::tracker::Point;

/// An event file that is being written.
#[derive(Debug)]
pub struct EventFile {
    out: BufWriter<File>,
    path: PathBuf,
}

impl EventFile {
    /// Creates a file in a folder, which is created too; `at` (Unix time in seconds) is in its name, since TensorBoard reads the files of a folder in the
    /// order of their names. No file is replaced.
    pub fn create(folder: &Path, at: f64) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let (seconds, micros) = (at.max(0.0) as u64, (at.max(0.0).fract() * 1e6) as u64);
        let path = folder.join(format!("events.out.tfevents.{seconds:010}.{micros:06}.taper"));
        let out = BufWriter::new(File::create_new(&path)?);
        let mut file = Self { out, path };
        let version = What::FileVersion("brain.Event:2".into());
        let writer = SourceMetadata { writer: "taper".into() };
        file.write(&Event { wall_time: at, step: 0, what: Some(version), source_metadata: Some(writer) })?;
        Ok(file)
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Says that training starts at `step`: TensorBoard forgets what it read of this step and of later ones.
    pub fn start(&mut self, step: u64, at: f64) -> io::Result<()> {
        self.event(step, at, What::SessionLog(SessionLog { status: START }))
    }

    /// Adds the values of a step, as float32.
    pub fn add(&mut self, point: &Point) -> io::Result<()> {
        let value = |(tag, value): &(String, f64)| Value {
            tag: tag.clone(),
            simple_value: Some(*value as f32),
            tensor: None,
            metadata: None,
        };
        let value = point.scalars.iter().map(value).collect();
        self.event(point.step, point.at, What::Summary(Summary { value }))
    }

    /// Says with which settings a run is trained, or how it ended.
    pub fn session(&mut self, session: &Session<'_>, at: f64) -> io::Result<()> {
        self.event(0, at, What::Summary(session.summary()))
    }

    /// Says what the runs of the folders below have in common.
    pub fn hyperparameters(&mut self, experiment: &Hyperparameters<'_>, at: f64) -> io::Result<()> {
        self.event(0, at, What::Summary(experiment.summary()))
    }

    /// Passes what was written to the system.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// Writes the rest, durably.
    pub fn finish(mut self) -> io::Result<()> {
        self.out.flush()?;
        self.out.get_ref().sync_all()
    }

    fn event(&mut self, step: u64, at: f64, what: What) -> io::Result<()> {
        let step = i64::try_from(step).unwrap_or(i64::MAX);
        self.write(&Event { wall_time: at, step, what: Some(what), source_metadata: None })
    }

    /// A record: the length of its bytes with a checksum, the bytes, and theirs.
    fn write(&mut self, event: &Event) -> io::Result<()> {
        let bytes = event.encode_to_vec();
        let length = (bytes.len() as u64).to_le_bytes();
        self.out.write_all(&length)?;
        self.out.write_all(&masked(&length).to_le_bytes())?;
        self.out.write_all(&bytes)?;
        self.out.write_all(&masked(&bytes).to_le_bytes())
    }
}

//! The file of what one run reported: an append-only sequence of frames, each with a checksum that also covers the frames before it.
//!
//! It is written by one process and needs no locks, which file systems of clusters often lack. While the run is not done its name ends in
//! `.part`; then it is renamed to `.shard`. A `.part` whose last frame is not whole is continued after the last whole frame; a `.shard` is used
//! only if every byte of it is right.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use crc32fast::Hasher;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{execute::protocol::Report, plan::RunConfig};

/// The first bytes of a shard: a name and the version of the format.
const MAGIC: [u8; 12] = *b"taper shard\x01";
/// Bytes before the content of a frame: its length and its checksum.
const FRAME: usize = 8;

/// What a shard is about: its first frame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShardHeader {
    /// Key of the run.
    pub key: String,
    /// Name of the run.
    pub name: String,
    /// The settings that it is trained with.
    pub config: RunConfig,
}

/// A report and its Unix time in seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Timed {
    /// When it arrived.
    pub at: f64,
    /// The report.
    pub report: Report,
}

/// A whole shard.
#[derive(Debug, Clone, PartialEq)]
pub struct Shard {
    /// What it is about.
    pub header: ShardHeader,
    /// The reports, in their order.
    pub reports: Vec<Timed>,
}

/// Why a shard cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ShardError {
    /// It cannot be read.
    #[error("{}: {}", path.display(), crate::format::io(error))]
    Io {
        /// Which.
        path: PathBuf,
        /// Why. No source of the error: the message says it already.
        error: io::Error,
    },
    /// Its bytes are not those that were written.
    #[error("{}: damaged: {what}", path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What is wrong, and where.
        what: String,
    },
    /// Another version of taper wrote it.
    #[error("{}: {what}", path.display())]
    Version {
        /// Which.
        path: PathBuf,
        /// What this version does not read.
        what: String,
    },
}

impl ShardError {
    /// What to do about a shard whose run is done; `None` if the message says it.
    pub fn advice(&self) -> Option<&'static str> {
        match self {
            Self::Io { .. } => None,
            Self::Damaged { .. } => Some("remove the file and submit the run again"),
            Self::Version { .. } => Some("collect it with that version of taper"),
        }
    }
}

/// A position after whole frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Position {
    /// Bytes before it.
    offset: u64,
    /// The checksum of the last frame.
    sum: u32,
}

impl Position {
    /// After the first bytes.
    fn start() -> Self {
        Self { offset: MAGIC.len() as u64, sum: crc32fast::hash(&MAGIC) }
    }

    /// The checksum of the frame with this content that follows here.
    fn sum_of(self, content: &[u8]) -> u32 {
        let mut sum = Hasher::new();
        sum.update(&self.sum.to_le_bytes());
        sum.update(&(content.len() as u64).to_le_bytes());
        sum.update(content);
        sum.finalize()
    }

    /// The content of the frame at the beginning of `bytes`, and the position after it; `None` if it is not whole.
    fn frame(self, bytes: &[u8]) -> Option<(&[u8], Self)> {
        let number = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        let (length, sum) = (number(0)? as usize, number(4)?);
        let content = bytes.get(FRAME..FRAME.checked_add(length)?)?;
        let after = Self { offset: self.offset + (FRAME + length) as u64, sum };
        (self.sum_of(content) == sum).then_some((content, after))
    }
}

fn encode(position: Position, message: &impl Serialize) -> io::Result<(Vec<u8>, Position)> {
    let mut bytes = vec![0; FRAME];
    ciborium::into_writer(message, &mut bytes).map_err(io::Error::other)?;
    let content = &bytes[FRAME..];
    let length = u32::try_from(content.len()).map_err(|_| io::Error::other("a report of more than 4 GiB"))?;
    let sum = position.sum_of(content);
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    bytes[4..FRAME].copy_from_slice(&sum.to_le_bytes());
    let offset = position.offset + bytes.len() as u64;
    Ok((bytes, Position { offset, sum }))
}

/// The reports in the whole frames at the beginning of `bytes`, and the position after them. The error is a frame that is whole, but not a
/// message of this version.
fn messages<M: DeserializeOwned>(mut bytes: &[u8], mut at: Position) -> Result<(Vec<M>, Position), String> {
    let mut found = Vec::new();
    while let Some((content, after)) = at.frame(bytes) {
        let message = ciborium::from_reader(content)
            .map_err(|_| format!("the report at byte {} is of another version of taper", at.offset))?;
        found.push(message);
        bytes = &bytes[(after.offset - at.offset) as usize..];
        at = after;
    }
    Ok((found, at))
}

/// The whole frames of a shard: its header, reports, and the position after them. `None` if not even the header is whole.
fn whole(path: &Path, bytes: &[u8]) -> Result<Option<(Shard, Position)>, ShardError> {
    let damaged = |what: &str| ShardError::Damaged { path: path.into(), what: what.into() };
    let version = |what: String| ShardError::Version { path: path.into(), what };
    let start = Position::start();
    let Some(rest) = bytes.strip_prefix(&MAGIC) else {
        return match MAGIC.starts_with(&bytes[..bytes.len().min(MAGIC.len())]) {
            true => Ok(None),
            false if bytes.starts_with(&MAGIC[..MAGIC.len() - 1]) => {
                Err(version("it was written by another version of taper".into()))
            }
            false => Err(damaged("it does not begin like a results file of a job")),
        };
    };
    let Some((content, at)) = start.frame(rest) else { return Ok(None) };
    let header =
        ciborium::from_reader(content).map_err(|_| version("its header is of another version of taper".into()))?;
    let (reports, end) = messages(&rest[(at.offset - start.offset) as usize..], at).map_err(version)?;
    Ok(Some((Shard { header, reports }, end)))
}

/// Reads a shard whose run is done.
///
/// # Errors
/// If it cannot be read, or if it is not whole: a byte is missing, was added or differs.
pub fn read(path: &Path) -> Result<Shard, ShardError> {
    let bytes = fs::read(path).map_err(|error| ShardError::Io { path: path.into(), error })?;
    let damaged = |what| ShardError::Damaged { path: path.into(), what };
    let Some((shard, end)) = whole(path, &bytes)? else {
        return Err(damaged("its beginning is incomplete".into()));
    };
    if end.offset != bytes.len() as u64 {
        let (from, all) = (end.offset, bytes.len());
        return Err(damaged(format!("what follows byte {from} of {all} does not match its checksum")));
    }
    match shard.reports.last() {
        Some(Timed { report: Report::Finished, .. }) => Ok(shard),
        _ => Err(damaged("it ends before the run was done".into())),
    }
}

/// Reads the whole reports of a shard whose run is not done; `None` if there are none.
///
/// # Errors
/// If it cannot be read, or another version of taper wrote it.
pub fn read_unfinished(path: &Path) -> Result<Option<Shard>, ShardError> {
    let bytes = fs::read(path).map_err(|error| ShardError::Io { path: path.into(), error })?;
    Ok(whole(path, &bytes)?.map(|(shard, _)| shard).filter(|shard| !shard.reports.is_empty()))
}

/// Follows the shard of a run that an element may be writing.
#[derive(Debug)]
pub struct ShardTail {
    folder: PathBuf,
    key: String,
    /// After the last report that was read; `None` if not even the header was there.
    at: Option<Position>,
}

impl ShardTail {
    /// Before the first report of the shard of a run in `folder`, which need not be there yet.
    pub fn new(folder: PathBuf, key: &str) -> Self {
        Self { folder, key: key.into(), at: None }
    }

    /// The reports that were added since the last call, as far as they are whole.
    ///
    /// # Errors
    /// If the shard cannot be read, is shorter than before, about another run, or of another version of taper.
    pub fn read(&mut self) -> Result<Vec<Report>, ShardError> {
        // Opened anew each time: network file systems show what was written before a file was opened.
        for path in [part(&self.folder, &self.key), done(&self.folder, &self.key)] {
            match File::open(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(ShardError::Io { path, error }),
                Ok(file) => return self.read_from(file, &path),
            }
        }
        Ok(Vec::new())
    }

    fn read_from(&mut self, mut file: File, path: &Path) -> Result<Vec<Report>, ShardError> {
        let failed = |error| ShardError::Io { path: path.into(), error };
        let damaged = |what: &str| ShardError::Damaged { path: path.into(), what: what.into() };
        let mut bytes = Vec::new();
        let reports = match self.at {
            Some(at) => {
                if file.metadata().map_err(failed)?.len() < at.offset {
                    return Err(damaged("it is shorter than before"));
                }
                file.seek(SeekFrom::Start(at.offset)).and_then(|_| file.read_to_end(&mut bytes)).map_err(failed)?;
                let version = |what| ShardError::Version { path: path.into(), what };
                let (reports, end) = messages::<Timed>(&bytes, at).map_err(version)?;
                self.at = Some(end);
                reports
            }
            None => {
                file.read_to_end(&mut bytes).map_err(failed)?;
                let Some((shard, end)) = whole(path, &bytes)? else { return Ok(Vec::new()) };
                if shard.header.key != self.key {
                    return Err(damaged("it is of another run"));
                }
                self.at = Some(end);
                shard.reports
            }
        };
        Ok(reports.into_iter().map(|timed| timed.report).collect())
    }
}

/// Renames a shard that cannot be continued, so that its run can begin a new one. Returns its new path.
///
/// # Errors
/// If it cannot be renamed.
pub fn set_aside(path: &Path) -> Result<PathBuf, ShardError> {
    let to = path.with_extension("damaged");
    fs::rename(path, &to).map_err(|error| ShardError::Io { path: path.into(), error })?;
    Ok(to)
}

/// Writes the shard of a run.
#[derive(Debug)]
pub struct ShardWriter {
    file: File,
    path: PathBuf,
    at: Position,
}

impl ShardWriter {
    /// Continues the shard of a run in `folder` after its last whole frame; returns the reports before it. Without one, or if not even its
    /// header is whole, begins a new one.
    ///
    /// # Errors
    /// If the file cannot be read or written, is of another version of taper, or about another run.
    pub fn open(folder: &Path, header: &ShardHeader) -> Result<(Self, Vec<Timed>), ShardError> {
        let path = part(folder, &header.key);
        let failed = |error| ShardError::Io { path: path.clone(), error };
        let damaged = |what| ShardError::Damaged { path: path.clone(), what };
        fs::create_dir_all(folder).map_err(failed)?;
        let mut file =
            OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path).map_err(failed)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed)?;
        let (reports, at) = match whole(&path, &bytes)? {
            Some((shard, _)) if shard.header.key != header.key => {
                return Err(damaged(format!("it is of the run {}, not of {}", shard.header.key, header.key)));
            }
            Some((shard, at)) => {
                file.set_len(at.offset).map_err(failed)?;
                (shard.reports, at)
            }
            None => {
                let (bytes, at) = encode(Position::start(), header).map_err(failed)?;
                file.set_len(0).map_err(failed)?;
                file.seek(SeekFrom::Start(0)).map_err(failed)?;
                file.write_all(&[&MAGIC[..], &bytes].concat()).map_err(failed)?;
                (Vec::new(), at)
            }
        };
        file.seek(SeekFrom::Start(at.offset)).map_err(failed)?;
        file.sync_all().and_then(|()| sync_folder(folder)).map_err(failed)?;
        Ok((Self { file, path, at }, reports))
    }

    /// Appends a report. With `sync` it is on the disk when this returns, and all reports before it.
    ///
    /// # Errors
    /// If it cannot be written. Then nothing more may be appended.
    pub fn append(&mut self, report: &Timed, sync: bool) -> Result<(), ShardError> {
        let written = encode(self.at, report).and_then(|(bytes, at)| {
            self.file.write_all(&bytes)?;
            if sync {
                self.file.sync_data()?;
            }
            Ok(at)
        });
        self.at = written.map_err(|error| ShardError::Io { path: self.path.clone(), error })?;
        Ok(())
    }

    /// Names the shard as one whose run is done. Its last report must be [`Report::Finished`].
    ///
    /// # Errors
    /// If it cannot be renamed.
    pub fn finish(self) -> Result<PathBuf, ShardError> {
        let done = self.path.with_extension(DONE);
        let folder = self.path.parent().unwrap_or(Path::new(".")).to_path_buf();
        self.file
            .sync_all()
            .and_then(|()| fs::rename(&self.path, &done))
            .and_then(|()| sync_folder(&folder))
            .map_err(|error| ShardError::Io { path: self.path.clone(), error })?;
        Ok(done)
    }
}

/// The end of the name of a shard whose run is done.
const DONE: &str = "shard";

/// The shard of a run that is not done.
pub fn part(folder: &Path, key: &str) -> PathBuf {
    folder.join(format!("{key}.part"))
}

/// The shard of a run that is done.
pub fn done(folder: &Path, key: &str) -> PathBuf {
    folder.join(format!("{key}.{DONE}"))
}

/// What remains of a shard that is in the database: an empty file.
pub fn collected(folder: &Path, key: &str) -> PathBuf {
    folder.join(format!("{key}.collected"))
}

/// Replaces a shard that is in the database by an empty file, which says that the element has nothing left to do for the run.
///
/// # Errors
/// If it cannot be renamed and emptied.
pub fn empty(path: &Path, key: &str) -> Result<(), ShardError> {
    let to = collected(path.parent().unwrap_or(Path::new(".")), key);
    let done = fs::rename(path, &to).and_then(|()| File::options().write(true).open(&to)?.set_len(0));
    done.map_err(|error| ShardError::Io { path: path.into(), error })
}

/// The key of the run whose shard has this path, if it is one whose run is done.
pub fn key_of_done(path: &Path) -> Option<&str> {
    if path.extension()? == DONE { path.file_stem()?.to_str() } else { None }
}

/// Makes the names in a folder durable.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        event::{Event, Outcome, Split, When},
        store::testing::{config, eval, prediction, step},
    };

    fn header() -> ShardHeader {
        ShardHeader { key: "k".into(), name: "lr=1e-5".into(), config: config() }
    }

    fn reports() -> Vec<Timed> {
        let events = [
            eval(When::Before, 0, Split::Dev, 1),
            step(1, f64::NAN),
            step(2, 0.1 + 0.2),
            Event::Predicted { split: Split::Dev, predictions: vec![prediction(0, "送餐很快")] },
            Event::RunFinished(Outcome::Completed),
        ];
        let events = events.into_iter().map(Report::Event).chain([Report::Finished]);
        events.zip(1..).map(|(report, at)| Timed { at: f64::from(at) / 3.0, report }).collect()
    }

    fn write(folder: &Path, reports: &[Timed]) -> PathBuf {
        let (mut writer, before) = ShardWriter::open(folder, &header()).unwrap();
        assert!(before.is_empty());
        reports.iter().for_each(|report| writer.append(report, false).unwrap());
        writer.finish().unwrap()
    }

    /// NaN is not equal to itself.
    fn shown(reports: &[Timed]) -> Vec<String> {
        reports.iter().map(|report| format!("{report:?}")).collect()
    }

    #[test]
    fn what_is_read_is_what_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = write(folder.path(), &reports());
        assert_eq!((key_of_done(&path), part(folder.path(), "k").exists()), (Some("k"), false));
        let shard = read(&path).unwrap();
        assert_eq!((shard.header, shown(&shard.reports)), (header(), shown(&reports())));
    }

    #[test]
    fn a_shard_whose_run_is_not_done_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = write(folder.path(), &reports()[..3]);
        let error = read(&path).unwrap_err().to_string();
        assert!(error.contains("k.shard: damaged: it ends before the run was done"), "{error}");
        assert!(matches!(read(&part(folder.path(), "k")), Err(ShardError::Io { .. })));
    }

    #[test]
    fn an_unfinished_shard_is_continued_after_its_last_whole_report() {
        let all = reports();
        let folder = tempfile::tempdir().unwrap();
        let path = part(folder.path(), "k");
        let (mut writer, _) = ShardWriter::open(folder.path(), &header()).unwrap();
        let mut ends = vec![writer.at.offset];
        for report in &all {
            writer.append(report, true).unwrap();
            ends.push(writer.at.offset);
        }
        drop(writer);
        let bytes = fs::read(&path).unwrap();
        for length in 0..=bytes.len() {
            fs::write(&path, &bytes[..length]).unwrap();
            let (mut writer, before) = ShardWriter::open(folder.path(), &header()).unwrap();
            let whole = ends.iter().filter(|end| **end <= length as u64).count().saturating_sub(1);
            assert_eq!(shown(&before), shown(&all[..whole]), "{length} bytes");
            all[whole..].iter().for_each(|report| writer.append(report, false).unwrap());
            assert!(fs::read(&path).unwrap() == bytes, "{length} bytes");
        }
    }

    #[test]
    fn a_shard_of_another_run_or_version_is_not_continued() {
        let folder = tempfile::tempdir().unwrap();
        drop(ShardWriter::open(folder.path(), &header()).unwrap());
        fs::rename(part(folder.path(), "k"), part(folder.path(), "l")).unwrap();
        let other = ShardHeader { key: "l".into(), ..header() };
        let error = ShardWriter::open(folder.path(), &other).unwrap_err().to_string();
        assert!(error.contains("l.part: damaged: it is of the run k, not of l"), "{error}");
        fs::write(part(folder.path(), "k"), b"taper shard\x02more").unwrap();
        let error = ShardWriter::open(folder.path(), &header()).unwrap_err().to_string();
        assert!(error.contains("k.part: it was written by another version of taper"), "{error}");
        fs::write(part(folder.path(), "k"), b"something else").unwrap();
        let error = ShardWriter::open(folder.path(), &header()).unwrap_err().to_string();
        assert!(error.contains("k.part: damaged: it does not begin like a results file of a job"), "{error}");
    }

    /// Frames whose checksums are right by themselves, but that are not in the order in which they were written.
    #[test]
    fn frames_that_are_missing_doubled_or_exchanged_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = write(folder.path(), &reports());
        let bytes = fs::read(&path).unwrap();
        let mut frames = Vec::new();
        let (mut at, mut rest) = (Position::start(), &bytes[MAGIC.len()..]);
        while let Some((content, after)) = at.frame(rest) {
            frames.push(&rest[..FRAME + content.len()]);
            (rest, at) = (&rest[FRAME + content.len()..], after);
        }
        assert_eq!((frames.len(), rest.len()), (7, 0));
        let changes: [&[usize]; 4] = [&[0, 1, 2, 4, 5, 6], &[0, 1, 2, 2, 3, 4, 5, 6], &[0, 1, 3, 2, 4, 5, 6], &[0, 6]];
        for order in changes {
            let changed: Vec<&[u8]> = [&MAGIC[..]].into_iter().chain(order.iter().map(|i| frames[*i])).collect();
            fs::write(&path, changed.concat()).unwrap();
            assert!(matches!(read(&path), Err(ShardError::Damaged { .. })), "{order:?}");
        }
    }

    #[test]
    fn a_shard_is_followed_while_it_grows() {
        let folder = tempfile::tempdir().unwrap();
        let all: Vec<Report> = reports().into_iter().map(|timed| timed.report).collect();
        let bytes = fs::read(write(folder.path(), &reports())).unwrap();
        let (growing, is_done) = (part(folder.path(), "k"), done(folder.path(), "k"));
        fs::remove_file(&is_done).unwrap();
        let mut tail = ShardTail::new(folder.path().into(), "k");
        assert!(tail.read().unwrap().is_empty(), "it is not there yet");
        let mut read = Vec::new();
        for length in (0..bytes.len()).step_by(7) {
            fs::write(&growing, &bytes[..length]).unwrap();
            read.extend(tail.read().unwrap());
        }
        assert!(read.len() < all.len());
        fs::remove_file(&growing).unwrap();
        fs::write(&is_done, &bytes).unwrap();
        read.extend(tail.read().unwrap());
        assert_eq!(format!("{read:?}"), format!("{all:?}"), "each of them once");
        assert!(tail.read().unwrap().is_empty());
        fs::write(&is_done, &bytes[..40]).unwrap();
        assert!(matches!(tail.read(), Err(ShardError::Damaged { .. })), "what was read is gone");
        let mut other = ShardTail::new(folder.path().into(), "l");
        fs::write(done(folder.path(), "l"), &bytes).unwrap();
        assert!(matches!(other.read(), Err(ShardError::Damaged { .. })));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

        /// Whatever happens to the bytes, no report is read that was not written.
        #[test]
        fn damage_never_gives_a_wrong_report(
            cut in 0.0..=1.0f64, position in 0.0..1.0f64, flip in 1u8.., added in prop::collection::vec(any::<u8>(), 0..20)
        ) {
            let folder = tempfile::tempdir().unwrap();
            let all = reports();
            let path = write(folder.path(), &all);
            let bytes = fs::read(&path).unwrap();
            let at = |share: f64, of: usize| ((share * of as f64) as usize).min(of.saturating_sub(1));
            let mut flipped = bytes.clone();
            flipped[at(position, bytes.len())] ^= flip;
            let length = (cut * bytes.len() as f64) as usize;
            let spliced = [&bytes[..length], &added, &bytes[length..]].concat();
            for (what, damaged) in [("flipped", flipped), ("cut", bytes[..length].to_vec()), ("spliced", spliced)] {
                if damaged == bytes {
                    continue;
                }
                fs::write(&path, &damaged).unwrap();
                let refused = matches!(read(&path), Err(ShardError::Damaged { .. } | ShardError::Version { .. }));
                prop_assert!(refused, "{what}");
                fs::rename(&path, part(folder.path(), "k")).unwrap();
                if let Ok((writer, before)) = ShardWriter::open(folder.path(), &header()) {
                    prop_assert_eq!(shown(&before), shown(&all[..before.len()]), "{}", what);
                    drop(writer);
                }
                fs::rename(part(folder.path(), "k"), &path).unwrap();
            }
        }
    }
}

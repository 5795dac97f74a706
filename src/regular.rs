//! Opening files that somebody names: a regular file at once, anything else not at all.
//!
//! A named pipe blocks whoever opens it until somebody writes, and a device such as `/dev/zero` never ends. Both look like
//! files to [`std::fs::read`].

use std::{
    fs::{File, Metadata, OpenOptions},
    io::{self, Read},
    path::Path,
};

use crate::format::bytes;

/// What a path leads to when it is no regular file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotRegular {
    /// A folder.
    #[error("it is a folder; expected a file")]
    Folder,
    /// A named pipe (FIFO), also one behind `<(COMMAND)` of a shell.
    #[error("it is a pipe; expected a regular file: write what comes out of it to a file first")]
    Pipe,
    /// A socket.
    #[error("it is a socket; expected a regular file")]
    Socket,
    /// A device.
    #[error("it is a device; expected a regular file")]
    Device,
    /// None of these.
    #[error("it is not a regular file")]
    Other,
}

/// A file that holds more than its reader takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it has more than {}, the most that is read of such a file", bytes(*.0))]
pub struct TooLarge(pub u64);

/// Opens a regular file for reading. Never waits for a writer.
///
/// # Errors
/// Those of [`File::open`]; an [`io::Error`] that holds a [`NotRegular`] for anything but a regular file (of kind
/// `IsADirectory` for a folder, `InvalidInput` for the rest).
pub fn open(path: &Path) -> io::Result<File> {
    // Opening a device may do something to it: it is looked at first. What it is in the end only the open file tells.
    refuse(&path.metadata()?)?;
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(libc::O_NONBLOCK);
    }
    let file = options.open(path)?;
    refuse(&file.metadata()?)?;
    Ok(file)
}

/// What a regular file holds, if that is no more than `most` bytes.
///
/// # Errors
/// Those of [`open`] and of reading; an [`io::Error`] of kind `FileTooLarge` that holds [`TooLarge`].
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    // A file may grow while it is read: its size is not believed.
    open(path)?.take(most.saturating_add(1)).read_to_end(&mut all)?;
    match all.len() as u64 > most {
        true => Err(io::Error::new(io::ErrorKind::FileTooLarge, TooLarge(most))),
        false => Ok(all),
    }
}

fn refuse(metadata: &Metadata) -> io::Result<()> {
    match what(metadata) {
        None => Ok(()),
        Some(NotRegular::Folder) => Err(io::Error::new(io::ErrorKind::IsADirectory, NotRegular::Folder)),
        Some(other) => Err(io::Error::new(io::ErrorKind::InvalidInput, other)),
    }
}

/// What it is; `None` for a regular file.
fn what(metadata: &Metadata) -> Option<NotRegular> {
    let kind = metadata.file_type();
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if kind.is_fifo() {
            return Some(NotRegular::Pipe);
        }
        if kind.is_socket() {
            return Some(NotRegular::Socket);
        }
        if kind.is_char_device() || kind.is_block_device() {
            return Some(NotRegular::Device);
        }
    }
    match (kind.is_file(), kind.is_dir()) {
        (true, _) => None,
        (_, true) => Some(NotRegular::Folder),
        _ => Some(NotRegular::Other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(path: &Path) -> Option<NotRegular> {
        open(path).err()?.get_ref()?.downcast_ref().copied()
    }

    #[test]
    fn regular_files_are_opened_also_behind_links() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("a"), folder.path().join("b"));
        std::fs::write(&file, "text").unwrap();
        assert_eq!(read(&file, 4).unwrap(), b"text");
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(&file, &link).unwrap();
            assert_eq!(read(&link, 4).unwrap(), b"text");
        }
        assert_eq!(open(&folder.path().join("c")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[cfg(unix)]
    #[test]
    fn anything_else_is_refused_without_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        assert_eq!(refused(&pipe), Some(NotRegular::Pipe));
        assert_eq!(refused(folder.path()), Some(NotRegular::Folder));
        assert_eq!(refused(Path::new("/dev/zero")), Some(NotRegular::Device));
        let socket = folder.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        assert_eq!(refused(&socket), Some(NotRegular::Socket));
        assert_eq!(open(folder.path()).unwrap_err().kind(), io::ErrorKind::IsADirectory);
    }

    #[test]
    fn files_over_the_limit_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a");
        std::fs::write(&file, "12345").unwrap();
        assert_eq!(read(&file, 5).unwrap().len(), 5);
        let error = read(&file, 4).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(error.get_ref().unwrap().downcast_ref(), Some(&TooLarge(4)));
    }
}

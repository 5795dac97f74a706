//! Opens only regular files, without ever blocking.
//!
//! Opening a named pipe blocks until something writes to it, and a device such as `/dev/zero` never ends. To [`std::fs::read`] both look
//! like files.

use std::{
    fs::{File, Metadata, OpenOptions},
    io::{self, Read},
    path::Path,
};

use crate::format::bytes;

/// What a path leads to if it is not a regular file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotRegular {
    /// A folder.
    #[error("it is a folder; expected a file")]
    Folder,
    /// A named pipe (FIFO), including one from a shell's `<(COMMAND)`.
    #[error("it is a pipe; expected a regular file: save its output to a file first")]
    Pipe,
    /// A socket.
    #[error("it is a socket; expected a regular file")]
    Socket,
    /// A device.
    #[error("it is a device; expected a regular file")]
    Device,
    /// Something else.
    #[error("it is not a regular file")]
    Other,
}

/// A file larger than its reader accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is larger than {}, the limit for such a file", bytes(*.0))]
pub struct TooLarge(pub u64);

/// Opens a regular file for reading. Never waits for a writer.
///
/// # Errors
/// Those of [`File::open`]; an [`io::Error`] that holds a [`NotRegular`] for anything other than a regular file (of kind
/// `IsADirectory` for a folder, `InvalidInput` for the rest).
pub fn open(path: &Path) -> io::Result<File> {
    // Opening a device may have side effects, so the path is checked first. Only the open file is reliable, so it is checked again.
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

/// The content of a regular file of at most `most` bytes.
///
/// # Errors
/// Those of [`open`] and of reading; an [`io::Error`] of kind `FileTooLarge` that holds [`TooLarge`].
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    // A file may grow while it is read, so its size is not relied on.
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
        let status = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(status.success());
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

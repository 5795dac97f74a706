//! Digests of files.

use std::{
    fmt,
    fs::File,
    io::{self, Read, Write},
    path::Path,
};

use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::AssetError;

/// The expected digest of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Check {
    /// SHA-256 of its bytes, in hex.
    Sha256(String),
    /// git's object name: SHA-1 of `blob`, its size and its bytes. The hub states it for small files.
    Git(String),
}

impl Check {
    /// The digest in hex.
    pub fn digest(&self) -> &str {
        match self {
            Self::Sha256(digest) | Self::Git(digest) => digest,
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sha256(digest) => write!(f, "sha256 {digest}"),
            Self::Git(digest) => write!(f, "git blob {digest}"),
        }
    }
}

/// Digests a file's bytes incrementally.
pub(super) struct Hasher {
    sha256: Sha256,
    git: Option<Sha1>,
}

impl Hasher {
    /// For a file of that size, if known: git's object name begins with it.
    pub fn new(size: Option<u64>) -> Self {
        let git = size.map(|size| Sha1::new_with_prefix(format!("blob {size}\0")));
        Self { sha256: Sha256::new(), git }
    }

    /// Adds bytes.
    pub fn take(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        if let Some(git) = &mut self.git {
            git.update(bytes);
        }
    }

    /// The digest of the same kind as `check`, in hex.
    pub fn found(self, check: &Check) -> String {
        match (check, self.git) {
            (Check::Git(_), Some(git)) => hex(&git.finalize()),
            // Without a size there is no git object name to compare.
            (Check::Git(digest), None) => digest.clone(),
            (Check::Sha256(_), _) => hex(&self.sha256.finalize()),
        }
    }
}

impl Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.take(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// SHA-256 of a file, in hex, read a mebibyte at a time.
///
/// # Errors
/// [`AssetError::Io`] where it cannot be read.
pub fn digest_file(path: &Path) -> Result<String, AssetError> {
    let io = |error| AssetError::Io { path: path.to_path_buf(), error };
    let mut file = File::open(path).map_err(io)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hex(&hash.finalize())),
            Ok(n) => hash.update(&buffer[..n]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(io(error)),
        }
    }
}

/// Whether a text is a digest of that many hex digits.
pub(super) fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `git hash-object` of "hello\n", and sha256sum of it.
    #[test]
    fn digests_are_those_of_git_and_sha256sum() {
        let mut hasher = Hasher::new(Some(6));
        hasher.take(b"hel");
        hasher.take(b"lo\n");
        assert_eq!(hasher.found(&Check::Git(String::new())), "ce013625030ba8dba906f756967f9e9ca394464a");
        let mut hasher = Hasher::new(None);
        hasher.take(b"hello\n");
        assert_eq!(
            hasher.found(&Check::Sha256(String::new())),
            "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"
        );
    }
}

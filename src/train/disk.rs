//! Free space on the disk.

use std::path::Path;

use super::TrainError;

/// Checks that the disk of `folder` has `needed` bytes free. If the free space cannot be determined, the check passes: writing will
/// fail if the disk is full.
///
/// # Errors
/// [`TrainError::NoRoom`] if the disk has fewer bytes free.
pub fn check_room(folder: &Path, needed: u64) -> Result<(), TrainError> {
    match free_bytes(folder) {
        Some(free) if free < needed => Err(TrainError::NoRoom { folder: folder.into(), needed, free }),
        _ => Ok(()),
    }
}

/// Bytes that this user can still write to the disk of `folder`; `None` if that cannot be determined.
#[cfg(unix)]
pub fn free_bytes(folder: &Path) -> Option<u64> {
    use std::{ffi::CString, mem::MaybeUninit, os::unix::ffi::OsStrExt};

    let path = CString::new(folder.as_os_str().as_bytes()).ok()?;
    let mut facts = MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: `path` ends with a zero, and `facts` is read only after the call has reported that it filled it in.
    #[expect(unsafe_code, reason = "the standard library has no function for free disk space")]
    let facts = unsafe {
        match libc::statvfs(path.as_ptr(), facts.as_mut_ptr()) {
            0 => facts.assume_init(),
            _ => return None,
        }
    };
    // These fields are narrower on some systems.
    Some((facts.f_bavail as u64).saturating_mul(facts.f_frsize as u64))
}

/// Free bytes on the disk of a folder: unknown on this system.
#[cfg(not(unix))]
pub fn free_bytes(_: &Path) -> Option<u64> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_disk_has_room_for_one_byte_and_not_for_all() {
        let folder = tempfile::tempdir().unwrap();
        check_room(folder.path(), 1).unwrap();
        let error = check_room(folder.path(), u64::MAX).unwrap_err().to_string();
        assert!(error.contains("TiB, and its disk has") && error.contains("free up space"), "{error}");
        check_room(&folder.path().join("not there"), u64::MAX).unwrap();
    }
}

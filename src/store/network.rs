//! Runs folders on file systems that several machines share.
//!
//! SQLite's write-ahead log needs memory that all its processes share, which those of several machines do not; and locks of such a file system
//! may not hold between machines. So the database has a rollback journal there, and only one command at a time trains.

use std::{
    env, fs,
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
};

use super::StoreError;

/// The variable that says whether the runs folder is on such a file system, where taper cannot tell: `yes` or `no`.
const VARIABLE: &str = "TAPER_SHARED_RUNS";

/// The file system of a folder, if several machines share it: `NFS`. `None` on a disk of this machine.
fn file_system(folder: &Path) -> Option<&'static str> {
    match env::var(VARIABLE).as_deref() {
        Ok("yes") => Some("a shared file system, as TAPER_SHARED_RUNS says"),
        Ok("no") => None,
        _ => kind(folder).and_then(name),
    }
}

/// The journal of the database in a folder: a write-ahead log, with which readers and the writer do not block each other; where several machines
/// share the folder, a rollback journal, which needs no memory that all processes share.
pub(super) fn journal(runs: &Path) -> &'static str {
    if file_system(runs).is_some() { "delete" } else { "wal" }
}

/// The name of a shared file system by its number in Linux: `f_type` of statfs(2).
fn name(kind: u32) -> Option<&'static str> {
    Some(match kind {
        0x6969 => "NFS",
        0x517b | 0xff53_4d42 | 0xfe53_4d42 => "SMB/CIFS",
        0x0bd0_0bd0 => "Lustre",
        0x4750_4653 => "GPFS",
        0x1983_0326 => "BeeGFS",
        0x00c3_6400 => "CephFS",
        0x5346_414f | 0x6b41_4653 => "AFS",
        0x0116_1970 => "GFS2",
        0x7461_636f => "OCFS2",
        0x2003_0528 => "OrangeFS",
        0xaad7_aaea => "PanFS",
        0x0102_1997 => "9P",
        // sshfs and others; what is behind it is not known.
        0x6573_5546 => "FUSE",
        _ => return None,
    })
}

#[cfg(target_os = "linux")]
fn kind(folder: &Path) -> Option<u32> {
    use std::os::unix::ffi::OsStrExt;
    // The folder is created later; then it is on the file system of the nearest one above it.
    let there = folder.ancestors().find(|folder| folder.as_os_str().is_empty() || folder.exists())?;
    let there = if there.as_os_str().is_empty() { Path::new(".") } else { there };
    let path = std::ffi::CString::new(there.as_os_str().as_bytes()).ok()?;
    #[expect(
        unsafe_code,
        reason = "the standard library does not know file systems; the structure is filled or not used"
    )]
    let facts = unsafe {
        let mut facts: libc::statfs = std::mem::zeroed();
        if libc::statfs(path.as_ptr(), &raw mut facts) != 0 {
            return None;
        }
        facts
    };
    Some(facts.f_type as u32)
}

/// Other systems do not number their file systems.
#[cfg(not(target_os = "linux"))]
fn kind(_: &Path) -> Option<u32> {
    None
}

/// The right of one command to train runs in a folder that several machines share, held as long as this value lives.
///
/// It is a file with the machine and the process, which is created only if it does not exist: that holds between machines where locks do not.
#[derive(Debug)]
pub struct OnlyCommand(PathBuf);

impl OnlyCommand {
    /// Claims it; `None` on a disk of this machine, where several commands can train at a time.
    ///
    /// # Errors
    /// If another command has it, or the file cannot be written.
    pub fn claim(runs: &Path) -> Result<Option<Self>, StoreError> {
        file_system(runs).map(|system| Self::claim_on(runs, system, &Process::this())).transpose()
    }

    fn claim_on(runs: &Path, system: &'static str, this: &Process) -> Result<Self, StoreError> {
        let folder = runs.join("locks");
        let path = folder.join("training");
        let unwritable = |error| StoreError::Unwritable { path: path.clone(), error };
        fs::create_dir_all(&folder).map_err(|error| StoreError::Folder { path: folder.clone(), error })?;
        loop {
            match fs::File::create_new(&path) {
                Ok(mut file) => {
                    file.write_all(this.to_line().as_bytes()).and_then(|()| file.sync_all()).map_err(unwritable)?;
                    return Ok(Self(path));
                }
                Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
                Err(e) => return Err(unwritable(e)),
            }
            let other = match fs::read_to_string(&path) {
                Err(e) if e.kind() == ErrorKind::NotFound => continue,
                text => Process::from_line(&text.map_err(unwritable)?),
            };
            if other.as_ref().is_some_and(|other| other.has_ended(this)) {
                fs::remove_file(&path).or_else(gone).map_err(unwritable)?;
                continue;
            }
            let by = other.map_or("another command".into(), |other| {
                format!("process {} on {}", other.id, crate::format::one_line(&other.machine))
            });
            return Err(StoreError::Shared { runs: runs.into(), system, by, path });
        }
    }
}

impl Drop for OnlyCommand {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn gone(error: std::io::Error) -> std::io::Result<()> {
    if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

/// A process of a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Process {
    machine: String,
    id: u32,
    /// When it started, in the machine's own count: ids are used again.
    started: String,
}

impl Process {
    fn this() -> Self {
        let id = std::process::id();
        let machine = fs::read_to_string("/proc/sys/kernel/hostname").ok().or_else(|| env::var("HOSTNAME").ok());
        let machine = machine.unwrap_or_else(|| "this machine".into()).trim().to_string();
        Self { machine, id, started: started(id).unwrap_or_default() }
    }

    fn to_line(&self) -> String {
        format!("{} {} {}\n", self.id, self.started, self.machine)
    }

    fn from_line(line: &str) -> Option<Self> {
        let mut parts = line.strip_suffix('\n')?.splitn(3, ' ');
        let (id, started, machine) = (parts.next()?.parse().ok()?, parts.next()?.into(), parts.next()?.into());
        Some(Self { machine, id, started })
    }

    /// Whether it is certain that it has ended: it was on the machine of `this`. Of another machine nothing is known.
    fn has_ended(&self, this: &Self) -> bool {
        self.machine == this.machine && !this.started.is_empty() && started(self.id).as_ref() != Some(&self.started)
    }
}

/// When a process of this machine started; `None` if there is none, or the system does not say.
fn started(id: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // Field 22 of proc_pid_stat(5); the name, in parentheses, can have spaces.
    Some(stat.rsplit_once(") ")?.1.split(' ').nth(19)?.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_systems_are_known_by_their_numbers() {
        // linux/magic.h and statfs(2); the last three are ext4, tmpfs and btrfs.
        let kinds =
            [0x6969, 0xff53_4d42, 0x0bd0_0bd0, 0x4750_4653, 0x1983_0326, 0x6573_5546, 0xef53, 0x0102_1994, 0x9123_683e];
        let expected = [
            Some("NFS"),
            Some("SMB/CIFS"),
            Some("Lustre"),
            Some("GPFS"),
            Some("BeeGFS"),
            Some("FUSE"),
            None,
            None,
            None,
        ];
        assert_eq!(kinds.map(name), expected);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_folder_that_is_not_there_is_on_the_file_system_above_it() {
        let proc = Path::new("/proc/no/such/folder");
        assert_eq!(kind(proc), Some(0x9fa0), "PROC_SUPER_MAGIC of linux/magic.h");
        assert_eq!(kind(Path::new("no-such-folder")), kind(Path::new(".")));
    }

    #[test]
    fn one_command_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let claim = |this: &Process| OnlyCommand::claim_on(folder.path(), "NFS", this);
        let this = Process::this();
        let held = claim(&this).unwrap();
        let error = claim(&this).unwrap_err().to_string();
        let by = format!("process {} on {}", this.id, this.machine);
        assert!(error.contains(&by) && error.contains("NFS"), "{error}");
        super::super::tidy_locks(folder.path());
        assert!(claim(&this).is_err(), "it is not a lock that was left");
        drop(held);
        drop(claim(&this).unwrap());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_killed_command_is_in_the_way_on_other_machines_only() {
        let folder = tempfile::tempdir().unwrap();
        let claim = |this: &Process| OnlyCommand::claim_on(folder.path(), "NFS", this);
        let this = Process::this();
        // The process has that id, but is another one.
        let killed = Process { started: "1".into(), ..this.clone() };
        std::mem::forget(claim(&killed).unwrap());
        let elsewhere = Process { machine: "node 7".into(), ..this.clone() };
        assert!(claim(&elsewhere).unwrap_err().to_string().contains(&this.machine));
        std::mem::forget(claim(&this).unwrap());
        fs::write(folder.path().join("locks/training"), "").unwrap();
        assert!(claim(&this).unwrap_err().to_string().contains("another command"), "who wrote it is not known");
    }

    #[test]
    fn a_process_is_read_as_it_was_written() {
        let process = Process { machine: "node 7".into(), id: 12, started: String::new() };
        assert_eq!(Process::from_line(&process.to_line()), Some(process));
        assert_eq!(Process::from_line("12 34"), None);
    }
}

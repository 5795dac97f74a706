//! A disk that fills up under a sweep.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::twelve::*;

/// A small file system of its own, as far as this process may mount one.
struct Small(PathBuf);

impl Small {
    fn mount(path: PathBuf, size: &str) -> Option<Self> {
        fs::create_dir(&path).expect("a folder");
        let mounted = Self::call(&["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"], &path);
        mounted.then_some(Self(path))
    }

    fn resize(&self, size: &str) {
        assert!(Self::call(&["-o", &format!("remount,size={size}")], &self.0), "a larger file system");
    }

    fn call(arguments: &[&str], path: &Path) -> bool {
        let status = Command::new("mount").args(arguments).arg(path).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_stops_a_sweep_with_a_clear_error_and_it_resumes_with_free_space() {
    let sandbox = twelve_runs();
    sandbox.finish("calm", &[]);
    let calm = trail(&sandbox.path("calm"));
    let Some(small) = Small::mount(sandbox.path("runs"), "512k") else {
        eprintln!("skipped: this process may not mount a file system");
        return;
    };
    // From a disk on which nothing fits to one on which all does: the database, a checkpoint, a model stop it in turn.
    let mut refused = 0;
    for size in ["1m", "2m", "3m", "4m", "6m", "8m", "10m", "13m", "64m"] {
        let output = sandbox.start("runs", &["--jobs", "2"]).wait_with_output().expect("its end");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(!error.contains("panicked"), "{error}");
        if output.status.success() {
            break;
        }
        refused += 1;
        let said = error.to_lowercase();
        assert!(said.contains("full") || said.contains("no space") || said.contains("free"), "unclear: {error}");
        small.resize(size);
    }
    assert!(refused > 2, "the disk was never full");
    sandbox.finish("runs", &[]);
    assert!(
        trail(&sandbox.path("runs")) == calm,
        "steps, weights or metrics differ from those of an undisturbed sweep"
    );
    assert_clean(&sandbox.path("runs"));
}

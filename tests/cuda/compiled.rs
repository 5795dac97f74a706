//! Kernels compiled for the processor: once for each process, and only where sources, flags or compiler have changed.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use libloading::Library;
use sha2::{Digest, Sha256};

/// Without fortified jumps between stacks, and without the stacks' canaries.
const FLAGS: [&str; 8] =
    ["-shared", "-fPIC", "-O2", "-std=c++17", "-U_FORTIFY_SOURCE", "-fno-stack-protector", "-w", "-xc++"];

/// The file that all kernels are compiled from.
const KERNELS: &str = "kernels.cu";
/// The one with which the emulator itself is tried.
const SELFTEST: &str = "selftest.cu";

/// The backend's kernels; none where there is no C++ compiler.
pub fn kernels() -> Option<&'static Library> {
    static LIBRARY: OnceLock<Option<Library>> = OnceLock::new();
    LIBRARY.get_or_init(|| compiled(KERNELS)).as_ref()
}

/// Those of `selftest.cu`.
pub fn selftest() -> Option<&'static Library> {
    static LIBRARY: OnceLock<Option<Library>> = OnceLock::new();
    LIBRARY.get_or_init(|| compiled(SELFTEST)).as_ref()
}

/// A driver and a cuBLAS whose device is the emulator, as one file.
#[allow(dead_code, reason = "the tests of the whole program use it, those of the kernels do not")]
pub fn driver() -> Option<PathBuf> {
    built("driver.cu")
}

/// The compiler, and what it says of itself.
fn compiler() -> Option<(String, Vec<u8>)> {
    let named = env::var("CXX").ok().filter(|name| !name.trim().is_empty());
    named.into_iter().chain(["c++", "g++", "clang++"].map(String::from)).find_map(|name| {
        let version = Command::new(&name).arg("--version").output().ok()?;
        version.status.success().then_some((name, version.stdout))
    })
}

/// The files of a folder by name.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let words = "needed to run kernels on the processor; without a C++ compiler that is left out";
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}, {words}: {e}", folder.display()));
    let named = entries.map(|entry| {
        let entry = entry.expect("an entry");
        (entry.file_name().to_string_lossy().into_owned(), entry.path())
    });
    let mut named: Vec<_> =
        named.filter(|(name, _)| [".cu", ".h"].iter().any(|ending| name.ends_with(ending))).collect();
    named.sort();
    named.into_iter().map(|(name, path)| (name, fs::read(path).expect("a source"))).collect()
}

fn compiled(source: &str) -> Option<Library> {
    let file = built(source)?;
    #[expect(unsafe_code, reason = "the library was compiled a moment ago, from the sources beside this file")]
    let library = unsafe { Library::new(&file) };
    Some(library.unwrap_or_else(|e| panic!("{}: {e}", file.display())))
}

/// The file of a source, compiled where that was not done before.
fn built(source: &str) -> Option<PathBuf> {
    let (compiler, version) = compiler()?;
    let root = crate::pytorch::root();
    let mut sources = files(&root.join("src/kernels/cuda/source"));
    sources.extend(files(&root.join("tests/cuda")));
    let mut digest = Sha256::new();
    digest.update(version);
    digest.update(FLAGS.join(" "));
    for (name, text) in &sources {
        digest.update(format!("{name} {}\n", text.len()));
        digest.update(text);
    }
    let digest: String = digest.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("emulated");
    let folder = if fs::create_dir_all(&folder).is_ok() { folder } else { env::temp_dir() };
    let done = folder.join(format!("{source}-{digest}.so"));
    if !done.exists() {
        compile(&compiler, source, &sources, &folder, &done);
    }
    Some(done)
}

/// Into a file under another name, which then is renamed: another process may be at the same.
fn compile(compiler: &str, source: &str, sources: &[(String, Vec<u8>)], folder: &Path, done: &Path) {
    let work = tempfile::tempdir_in(folder).expect("a folder");
    for (name, text) in sources {
        fs::write(work.path().join(name), text).expect("a source");
    }
    let output = Command::new(compiler)
        .current_dir(work.path())
        .args(FLAGS)
        .args(["-I.", source, "-o", "library.so", "-lm", "-ldl"])
        .output()
        .unwrap_or_else(|e| panic!("{compiler}: {e}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{compiler} does not compile {source}:\n{errors}");
    fs::rename(work.path().join("library.so"), done).expect("the library can be renamed");
}

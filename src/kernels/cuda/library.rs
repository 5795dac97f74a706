//! The libraries of NVIDIA that a device needs, found when one is asked for.

use std::{env, path::PathBuf, sync::OnceLock};

use libloading::Library;

use super::DeviceError;

/// Whether the driver's library is there.
#[expect(unsafe_code, reason = "loading a library runs its code")]
pub fn find_driver() -> Result<(), DeviceError> {
    // SAFETY: the driver's library expects to be loaded by any process.
    match unsafe { cudarc::driver::sys::is_culib_present() } {
        true => Ok(()),
        false => Err(DeviceError::NoDriver("its library, libcuda.so.1, is not there".into())),
    }
}

/// Finds cuBLAS, where the loader looks and in the usual folders, and loads it.
///
/// # Errors
/// Where it is in none of them.
#[expect(unsafe_code, reason = "loading a library runs its code")]
pub fn find_cublas() -> Result<(), DeviceError> {
    // A library that is loaded is what its name means from then on; kept for ever.
    static LOADED: OnceLock<Vec<Library>> = OnceLock::new();
    // SAFETY: cuBLAS expects to be loaded by any process.
    let present = || unsafe { cudarc::cublas::sys::is_culib_present() };
    if present() {
        return Ok(());
    }
    LOADED.get_or_init(|| {
        // cuBLAS needs its sister, which the loader would not find.
        let names = ["libcublasLt.so", "libcublas.so"];
        let in_folder = |folder: PathBuf| {
            let files = folder.read_dir().into_iter().flatten().flatten().map(|entry| entry.path());
            let mut files: Vec<PathBuf> = files.collect();
            files.sort();
            let named = |name: &str| {
                let is = |path: &&PathBuf| path.file_name().is_some_and(|n| n.to_string_lossy().starts_with(name));
                // SAFETY: see above.
                files.iter().find(is).and_then(|path| unsafe { Library::new(path) }.ok())
            };
            names.map(named).into_iter().collect::<Option<Vec<_>>>()
        };
        folders().into_iter().find_map(in_folder).unwrap_or_default()
    });
    match present() {
        true => Ok(()),
        false => Err(DeviceError::NoLibrary("cuBLAS (libcublas.so)".into())),
    }
}

/// Where it may lie.
fn folders() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = env::var_os("TAPER_CUDA_LIBS").iter().flat_map(env::split_paths).collect();
    let homes = ["CUDA_HOME", "CUDA_PATH"].iter().filter_map(env::var_os).map(PathBuf::from);
    for home in homes.chain([PathBuf::from("/usr/local/cuda")]) {
        folders.extend(["lib64", "lib", "targets/x86_64-linux/lib"].map(|part| home.join(part)));
    }
    folders
}

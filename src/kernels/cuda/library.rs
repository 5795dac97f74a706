//! NVIDIA's libraries, found when a device is opened.

use std::{env, path::PathBuf, sync::OnceLock};

use libloading::Library;

use super::DeviceError;

/// Whether the libraries are there, looked for at run time.
#[cfg(not(feature = "candle-cuda"))]
mod present {
    pub use cudarc::{
        cublas::sys::is_culib_present as cublas, cublaslt::sys::is_culib_present as cublas_lt,
        driver::sys::is_culib_present as driver,
    };
}

/// candle links them: a program that runs has them.
#[cfg(feature = "candle-cuda")]
#[expect(unsafe_code, reason = "the functions of the module above are unsafe")]
mod present {
    pub unsafe fn driver() -> bool {
        true
    }

    pub unsafe fn cublas() -> bool {
        true
    }

    pub unsafe fn cublas_lt() -> bool {
        true
    }
}

pub use present::cublas_lt as has_cublas_lt;

/// Whether the driver's library is installed.
#[expect(unsafe_code, reason = "loading a library runs its code")]
pub fn find_driver() -> Result<(), DeviceError> {
    // SAFETY: the driver's library expects to be loaded by any process.
    match unsafe { present::driver() } {
        true => Ok(()),
        false => Err(DeviceError::NoDriver("its library, libcuda.so.1, is missing".into())),
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
    let present = || unsafe { present::cublas() };
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

/// Versions of the driver and of cuBLAS, as far as they are known: `driver 580.159.04, cuBLAS 13.1.0`. With the same versions a device
/// gives the same results.
pub fn versions() -> String {
    let driver = std::fs::read_to_string("/proc/driver/nvidia/version").ok().and_then(|text| driver_version(&text));
    let parts = [
        driver.map(|version| format!("driver {version}")),
        cublas_version().map(|version| format!("cuBLAS {version}")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// From `NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.159.04  Tue …`.
fn driver_version(text: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with("NVRM version:"))?;
    let is_version = |word: &&str| word.contains('.') && word.chars().all(|c| c.is_ascii_digit() || c == '.');
    line.split_whitespace().find(is_version).map(str::to_string)
}

#[expect(unsafe_code, reason = "cuBLAS's interface")]
fn cublas_version() -> Option<String> {
    use cudarc::cublas::sys::{cublasGetProperty, libraryPropertyType as Property};
    find_cublas().ok()?;
    let part = |property| {
        let mut value = 0;
        // SAFETY: the library is there; it writes an integer.
        unsafe { cublasGetProperty(property, &raw mut value) }.result().ok().map(|()| value.to_string())
    };
    let parts = [Property::MAJOR_VERSION, Property::MINOR_VERSION, Property::PATCH_LEVEL].map(part);
    Some(parts.into_iter().collect::<Option<Vec<_>>>()?.join("."))
}

/// Folders where it may be.
fn folders() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = env::var_os("TAPER_CUDA_LIBS").iter().flat_map(env::split_paths).collect();
    let homes = ["CUDA_HOME", "CUDA_PATH"].iter().filter_map(env::var_os).map(PathBuf::from);
    for home in homes.chain([PathBuf::from("/usr/local/cuda")]) {
        folders.extend(["lib64", "lib", "targets/x86_64-linux/lib"].map(|part| home.join(part)));
    }
    folders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_drivers_version_is_read_from_what_it_says() {
        let open = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.159.04  Release Build  (root@x)\nGCC version: 12.2.0\n";
        assert_eq!(driver_version(open).as_deref(), Some("580.159.04"));
        let closed = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.54.03  Tue Jun  6 22:20:39 UTC 2023\n";
        assert_eq!(driver_version(closed).as_deref(), Some("535.54.03"));
        for other in ["", "GCC version: 12.2.0\n", "NVRM version: none\n"] {
            assert_eq!(driver_version(other), None, "{other}");
        }
    }
}

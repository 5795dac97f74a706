//! The machine's facts and a process's use of it, as Linux tells them; nothing where the system does not tell.

/// Processor features that decide how fast matrix products can be, as /proc/cpuinfo names them.
const FEATURES: [&str; 7] = ["avx2", "avx512f", "avx512_bf16", "avx512_fp16", "amx_tile", "amx_bf16", "asimd"];

/// Cores that this process may use.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The processor's name.
pub fn cpu() -> String {
    cpuinfo("model name").unwrap_or_else(|| std::env::consts::ARCH.to_string())
}

/// Those of [`FEATURES`] that the processor has.
pub fn features() -> Vec<&'static str> {
    let flags = cpuinfo("flags").or_else(|| cpuinfo("Features")).unwrap_or_default();
    FEATURES.into_iter().filter(|feature| flags.split(' ').any(|flag| flag == *feature)).collect()
}

/// Whether the processor multiplies bf16 itself.
pub fn has_bf16() -> bool {
    features().iter().any(|feature| feature.ends_with("_bf16"))
}

/// The first value under that name in /proc/cpuinfo.
fn cpuinfo(name: &str) -> Option<String> {
    let info = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let value = info.lines().find_map(|line| line.split_once(':').filter(|(key, _)| key.trim() == name))?.1;
    Some(value.trim().to_string())
}

/// Memory of the machine in GiB.
pub fn memory_gib() -> Option<f64> {
    Some(kib("/proc/meminfo", "MemTotal:")? / 1024.0 / 1024.0)
}

/// Processes that want to run, averaged over the last minute.
pub fn load() -> Option<f64> {
    std::fs::read_to_string("/proc/loadavg").ok()?.split(' ').next()?.parse().ok()
}

/// Largest resident memory of this process so far, in MiB.
pub fn peak_rss_mib() -> Option<f64> {
    Some(kib("/proc/self/status", "VmHWM:")? / 1024.0)
}

fn kib(file: &str, name: &str) -> Option<f64> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

/// CPU seconds of this process so far, all threads together; in steps of 10 ms.
pub fn cpu_seconds() -> Option<f64> {
    /// Linux counts in hundredths of a second here, whatever its own clock.
    const TICK_S: f64 = 0.01;
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // After the program's name in brackets: state is field 3, utime 14, stime 15.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<f64>().ok();
    Some((ticks()? + ticks()?) * TICK_S)
}

//! Environment variables: those that set keys, those with another purpose, and misspelt ones.

use super::{closest::closest, keys, suggest::key_like};

pub(super) const PREFIX: &str = "TAPER_";

/// The variable that sets a key: `train.lr` → `TAPER_TRAIN__LR`.
pub(super) fn variable(path: &str) -> String {
    format!("{PREFIX}{}", path.replace('.', "__").to_uppercase())
}

/// Whether a variable of this name sets a key of the spec.
pub fn sets_a_key(variable: &str) -> bool {
    variable.strip_prefix(PREFIX).is_some_and(|path| path.contains("__") || ["NAME", "DESCRIPTION"].contains(&path))
}

/// taper's other variables, with their purpose.
pub const OTHER_VARIABLES: &[(&str, &str)] = &[
    ("TAPER_RUNS", "the runs folder"),
    ("TAPER_CACHE", "the folder of files from https: sources"),
    ("TAPER_DOWNLOAD_ATTEMPTS", "attempts per download"),
    ("TAPER_DOWNLOAD_WAIT_S", "seconds before the second attempt"),
    ("TAPER_MAX_DOWNLOAD", "maximum size of a downloaded file, in bytes"),
    ("TAPER_CUDA_LIBS", "folders with cuBLAS"),
    ("TAPER_SHARED_RUNS", "whether several machines share the runs folder: yes or no"),
];

/// Whether a variable belongs to taper's own tests: `TAPER_TEST_…` and their settings.
fn is_of_the_tests(name: &str) -> bool {
    name.starts_with("TAPER_TEST_") || ["TAPER_TORTURE", "TAPER_REPORTS"].contains(&name)
}

/// Messages about variables with taper's prefix that have no effect: those that match a key except for their underscores, such as
/// `TAPER_TRAIN_LR`, and unknown ones.
pub fn misspelt(environment: &[(String, String)]) -> impl Iterator<Item = String> {
    let is_read = |name: &str| {
        sets_a_key(name) || OTHER_VARIABLES.iter().any(|(known, _)| *known == name) || is_of_the_tests(name)
    };
    let unread =
        environment.iter().map(|(name, _)| name).filter(move |name| name.starts_with(PREFIX) && !is_read(name));
    unread.map(|name| {
        let plain = |name: &str| name.replace('_', "").to_uppercase();
        let key = keys::KEYS.iter().find(|key| key.path.contains('.') && plain(&variable(key.path)) == plain(name));
        if let Some(key) = key {
            return format!(
                "environment variable {name} has no effect: {} sets {} (two underscores between table and key); unset {name}",
                variable(key.path),
                key.path
            );
        }
        let others = || OTHER_VARIABLES.iter().map(|(name, _)| *name);
        let by_name = || {
            let path = name.strip_prefix(PREFIX)?.to_lowercase();
            let (table, rest) =
                path.split_once('_').filter(|(table, _)| keys::is_section(table)).unwrap_or(("", &path));
            let path = if table.is_empty() { rest.to_string() } else { format!("{table}.{rest}") };
            key_like(&path, |key| key.path.contains('.')).map(variable)
        };
        // `TAPER_LR`: the last part of a key's name.
        let by_last_part = || {
            let last = |key: &&keys::Key| {
                key.path.rsplit_once('.').is_some_and(|(_, last)| format!("{PREFIX}{last}").eq_ignore_ascii_case(name))
            };
            let mut found = keys::KEYS.iter().filter(last);
            found.next().filter(|_| found.next().is_none()).map(|key| variable(key.path))
        };
        let lower: Vec<String> = others().map(str::to_lowercase).collect();
        let meant = by_last_part()
            .or_else(|| closest(name, lower.iter().map(String::as_str)).map(str::to_uppercase))
            .or_else(by_name);
        let help = meant.map_or_else(
            || {
                format!(
                    "taper reads {} and, for the keys of a spec, TAPER_TABLE__KEY",
                    others().collect::<Vec<_>>().join(", ")
                )
            },
            |meant| format!("did you mean {meant}?"),
        );
        format!("environment variable {name} has no effect: {help}")
    })
}

//! Download settings from the environment: servers, caches, tokens, timeouts.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{AssetError, endpoint::Endpoint};

/// Retries and timeouts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Patience {
    /// Attempts in a row without any progress.
    pub attempts: u32,
    /// Wait before the second attempt; doubled for each further one, up to [`Self::LONGEST`].
    pub first_wait: Duration,
    /// Timeout for connecting.
    pub connect: Duration,
    /// Timeout for receiving the next bytes.
    pub read: Duration,
}

impl Patience {
    /// The longest wait between two attempts.
    pub const LONGEST: Duration = Duration::from_secs(60);
}

/// Download settings.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Whether connections are forbidden.
    pub offline: bool,
    /// The Hugging Face Hub, or a mirror of it.
    pub hub: Endpoint,
    /// Its cache; `None` without a home folder.
    pub hub_cache: Option<PathBuf>,
    /// ModelScope.
    pub modelscope: Endpoint,
    /// Its cache; `None` without a home folder.
    pub modelscope_cache: Option<PathBuf>,
    /// Files of `https:` sources; `None` without a home folder.
    pub web_cache: Option<PathBuf>,
    /// Largest file that is downloaded, in bytes.
    pub max_download: u64,
    /// Retries and timeouts.
    pub patience: Patience,
}

/// Default of the largest file, in bytes.
const MAX_DOWNLOAD: u64 = 64 << 30;

/// Valid wait times in seconds.
const SECONDS: std::ops::RangeInclusive<f64> = 0.001..=86_400.0;

/// Expands a path like Python's `expandvars(expanduser(…))`: unknown names stay as they are.
fn expanded(text: &str, var: &impl Fn(&str) -> Option<String>, home: Option<&Path>) -> String {
    let mut rest = match (text.strip_prefix('~'), home) {
        (Some(below), Some(home)) if below.is_empty() || below.starts_with('/') => format!("{}{below}", home.display()),
        _ => text.to_string(),
    };
    let mut done = String::new();
    while let Some(at) = rest.find('$') {
        let (before, after) = rest.split_at(at);
        let word = |text: &str| text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
        let (name, end) = match after[1..].strip_prefix('{').and_then(|inner| inner.split_once('}')) {
            Some((name, _)) => (name, name.len() + 3),
            None => (&after[1..1 + word(&after[1..])], 1 + word(&after[1..])),
        };
        // The home folder counts as HOME, which tests may not set.
        let value = var(name).or_else(|| home.filter(|_| name == "HOME").map(|home| home.display().to_string()));
        done.push_str(before);
        done.push_str(value.as_deref().unwrap_or(&after[..end]));
        rest = after[end..].to_string();
    }
    done + &rest
}

impl Settings {
    /// Reads the environment like Python's huggingface_hub and modelscope; `offline` forbids connections in any
    /// case.
    ///
    /// - `HF_ENDPOINT`, `HF_TOKEN` (else `HUGGING_FACE_HUB_TOKEN`, else the file `token` in `HF_HOME`, or `HF_TOKEN_PATH`),
    ///   `HF_HUB_CACHE` (else `HUGGINGFACE_HUB_CACHE`, else `hub` in `HF_HOME`, else in `~/.cache/huggingface`),
    ///   `HF_HUB_OFFLINE` (else `TRANSFORMERS_OFFLINE`), `HF_HUB_DOWNLOAD_TIMEOUT` (seconds without a byte).
    /// - `MODELSCOPE_ENDPOINT`, `MODELSCOPE_API_TOKEN`, `MODELSCOPE_CACHE` (else `~/.cache/modelscope`).
    /// - `TAPER_CACHE` (else `~/.cache/taper`), `TAPER_DOWNLOAD_ATTEMPTS`, `TAPER_DOWNLOAD_WAIT_S`, `TAPER_MAX_DOWNLOAD` (bytes
    ///   of one file).
    ///
    /// In folders and files, `~`, `$NAME` and `${NAME}` are expanded like Python's `expanduser` and `expandvars`. A folder whose name is not
    /// UTF-8 is used as it is.
    ///
    /// # Errors
    /// [`AssetError::Variable`] for an invalid variable: not UTF-8 (except for folders), or not a number.
    pub fn from_env(offline: bool) -> Result<Self, AssetError> {
        Self::check(|name| env::var_os(name))?;
        let mut settings = Self::unchecked();
        settings.offline |= offline;
        Ok(settings)
    }

    /// Reads the environment; invalid values count as not set.
    pub(super) fn unchecked() -> Self {
        Self::from_os_vars(|name| env::var_os(name), env::home_dir())
    }

    /// Refuses values that would be ignored.
    fn check(var: impl Fn(&str) -> Option<OsString>) -> Result<(), AssetError> {
        for (name, expected) in [
            ("HF_ENDPOINT", "an address"),
            ("HF_TOKEN", "a token"),
            ("HUGGING_FACE_HUB_TOKEN", "a token"),
            ("HF_HUB_OFFLINE", "0 or 1"),
            ("TRANSFORMERS_OFFLINE", "0 or 1"),
            ("HF_HUB_DOWNLOAD_TIMEOUT", "seconds"),
            ("MODELSCOPE_ENDPOINT", "an address"),
            ("MODELSCOPE_API_TOKEN", "a token"),
            ("TAPER_DOWNLOAD_ATTEMPTS", "an integer above 0"),
            ("TAPER_DOWNLOAD_WAIT_S", "seconds, from 0.001 to 86400"),
            ("TAPER_MAX_DOWNLOAD", "bytes, an integer above 0"),
        ] {
            let Some(value) = var(name) else { continue };
            let found = match value.to_str().map(str::trim) {
                None => "not UTF-8".to_string(),
                Some("") => continue,
                Some(text) => {
                    let fits = match name {
                        "TAPER_DOWNLOAD_ATTEMPTS" => text.parse::<u32>().is_ok_and(|n| n > 0),
                        "TAPER_DOWNLOAD_WAIT_S" => text.parse::<f64>().is_ok_and(|s| SECONDS.contains(&s)),
                        "TAPER_MAX_DOWNLOAD" => text.parse::<u64>().is_ok_and(|n| n > 0),
                        _ => true,
                    };
                    if fits {
                        continue;
                    }
                    format!("`{text}`")
                }
            };
            return Err(AssetError::Variable { name, found, expected });
        }
        Ok(())
    }

    /// Like [`Self::from_env`], from any source of variables.
    pub fn from_vars(var: impl Fn(&str) -> Option<String>, home: Option<PathBuf>) -> Self {
        Self::from_os_vars(|name| var(name).map(OsString::from), home)
    }

    fn from_os_vars(os: impl Fn(&str) -> Option<OsString>, home: Option<PathBuf>) -> Self {
        let var = |name: &str| {
            let value = os(name)?.into_string().ok()?;
            Some(value.trim().to_string()).filter(|value| !value.is_empty())
        };
        let path = |name: &str| match os(name)?.into_string() {
            Ok(_) => var(name).map(|text| PathBuf::from(expanded(&text, &var, home.as_deref()))),
            Err(other) => Some(other.into()),
        };
        let caches = path("XDG_CACHE_HOME").or_else(|| Some(home.as_ref()?.join(".cache")));
        let below = |name: &str| caches.as_ref().map(|caches| caches.join(name));
        let hub_home = path("HF_HOME").or_else(|| below("huggingface"));
        let token_file = path("HF_TOKEN_PATH").or_else(|| Some(hub_home.as_ref()?.join("token")));
        let token = var("HF_TOKEN")
            .or_else(|| var("HUGGING_FACE_HUB_TOKEN"))
            .or_else(|| std::fs::read_to_string(token_file?).ok());
        let yes = |text: &str| ["1", "ON", "YES", "TRUE"].contains(&text.to_ascii_uppercase().as_str());
        let seconds = |name: &str, default: f64| {
            let given = var(name).and_then(|text| text.parse().ok()).filter(|s: &f64| SECONDS.contains(s));
            Duration::from_secs_f64(given.unwrap_or(default))
        };
        Self {
            // The older name counts only if the newer one is not set; a value of 0 is set.
            offline: var("HF_HUB_OFFLINE").or_else(|| var("TRANSFORMERS_OFFLINE")).is_some_and(|text| yes(&text)),
            hub: Endpoint::new(&var("HF_ENDPOINT").unwrap_or("https://huggingface.co".into()), token),
            hub_cache: path("HF_HUB_CACHE")
                .or_else(|| path("HUGGINGFACE_HUB_CACHE"))
                .or_else(|| Some(hub_home.as_ref()?.join("hub"))),
            modelscope: Endpoint::new(
                &var("MODELSCOPE_ENDPOINT").unwrap_or("https://modelscope.cn".into()),
                var("MODELSCOPE_API_TOKEN"),
            ),
            modelscope_cache: path("MODELSCOPE_CACHE").or_else(|| below("modelscope")),
            web_cache: path("TAPER_CACHE").or_else(|| below("taper")),
            max_download: var("TAPER_MAX_DOWNLOAD")
                .and_then(|n| n.parse().ok())
                .filter(|n| *n > 0)
                .unwrap_or(MAX_DOWNLOAD),
            patience: Patience {
                attempts: var("TAPER_DOWNLOAD_ATTEMPTS").and_then(|n| n.parse().ok()).filter(|n| *n > 0).unwrap_or(6),
                first_wait: seconds("TAPER_DOWNLOAD_WAIT_S", 1.0),
                connect: Duration::from_secs(10),
                read: seconds("HF_HUB_DOWNLOAD_TIMEOUT", 30.0),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::endpoint::Token, *};

    fn vars(pairs: &'static [(&str, &str)]) -> Settings {
        let var = |name: &str| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_string());
        Settings::from_vars(var, Some("/home/me".into()))
    }

    #[test]
    fn the_environment_is_read_like_the_hubs_own_libraries() {
        let plain = vars(&[("HF_ENDPOINT", ""), ("HF_HUB_OFFLINE", "0")]);
        assert_eq!((plain.hub.url.as_str(), plain.offline), ("https://huggingface.co", false));
        assert_eq!(plain.hub_cache, Some("/home/me/.cache/huggingface/hub".into()));
        assert_eq!(plain.modelscope.url, "https://modelscope.cn");
        assert_eq!(plain.modelscope_cache, Some("/home/me/.cache/modelscope".into()));
        assert_eq!(plain.web_cache, Some("/home/me/.cache/taper".into()));
        let set = vars(&[
            ("HF_ENDPOINT", "https://m.example/"),
            ("HF_HOME", "/c"),
            ("HF_HUB_OFFLINE", "true"),
            ("HF_TOKEN", " t\n"),
            ("MODELSCOPE_ENDPOINT", "ms.example"),
            ("MODELSCOPE_CACHE", "/m"),
            ("HF_HUB_DOWNLOAD_TIMEOUT", "2.5"),
            ("TAPER_DOWNLOAD_ATTEMPTS", "2"),
        ]);
        assert_eq!((set.hub.url.as_str(), set.offline), ("https://m.example", true));
        assert_eq!(set.hub.token, Token::new("t"));
        assert_eq!((set.hub_cache, set.modelscope_cache), (Some("/c/hub".into()), Some("/m".into())));
        assert_eq!(set.modelscope.url, "https://ms.example");
        assert_eq!((set.patience.read, set.patience.attempts), (Duration::from_millis(2500), 2));
        assert_eq!(vars(&[("HF_HOME", "/c"), ("HF_HUB_CACHE", "/h")]).hub_cache, Some("/h".into()));
        assert_eq!(Settings::from_vars(|_| None, None).hub_cache, None);
    }

    #[test]
    fn folders_are_expanded_like_in_python() {
        for (text, expected) in [
            ("~/c", "/home/me/c"),
            ("~", "/home/me"),
            ("$HOME/c", "/home/me/c"),
            ("${HOME}/c", "/home/me/c"),
            ("/x/$A_1/${B}y/$C", "/x/one/twoy/$C"),
            ("${C}/x", "${C}/x"),
            ("/x/~", "/x/~"),
            ("~other/x", "~other/x"),
            ("$/x$", "$/x$"),
            ("${open", "${open"),
        ] {
            for name in [
                "HF_HOME",
                "HF_HUB_CACHE",
                "HUGGINGFACE_HUB_CACHE",
                "MODELSCOPE_CACHE",
                "TAPER_CACHE",
                "XDG_CACHE_HOME",
            ] {
                let all = [(name, text), ("A_1", "one"), ("B", "two")];
                let var = |asked: &str| all.iter().find(|(key, _)| *key == asked).map(|(_, value)| value.to_string());
                let set = Settings::from_vars(var, Some("/home/me".into()));
                let (found, expected) = match name {
                    "HF_HOME" => (set.hub_cache, format!("{expected}/hub")),
                    "MODELSCOPE_CACHE" => (set.modelscope_cache, expected.into()),
                    "TAPER_CACHE" => (set.web_cache, expected.into()),
                    "XDG_CACHE_HOME" => (set.hub_cache, format!("{expected}/huggingface/hub")),
                    _ => (set.hub_cache, expected.into()),
                };
                assert_eq!(found, Some(expected.into()), "{name}={text}");
            }
        }
    }

    #[test]
    fn older_names_count_if_newer_ones_are_not_set() {
        let older = vars(&[
            ("HUGGING_FACE_HUB_TOKEN", "old"),
            ("HUGGINGFACE_HUB_CACHE", "/old"),
            ("TRANSFORMERS_OFFLINE", "1"),
        ]);
        assert_eq!((older.hub.token, older.hub_cache, older.offline), (Token::new("old"), Some("/old".into()), true));
        let both = vars(&[
            ("HUGGING_FACE_HUB_TOKEN", "old"),
            ("HF_TOKEN", "new"),
            ("HUGGINGFACE_HUB_CACHE", "/old"),
            ("HF_HUB_CACHE", "/new"),
            ("TRANSFORMERS_OFFLINE", "1"),
            ("HF_HUB_OFFLINE", "0"),
        ]);
        assert_eq!((both.hub.token, both.hub_cache, both.offline), (Token::new("new"), Some("/new".into()), false));
        assert!(!vars(&[("HF_DATASETS_OFFLINE", "1")]).offline);
        assert_eq!(vars(&[("TAPER_MAX_DOWNLOAD", "1000")]).max_download, 1000);
        assert_eq!(vars(&[("TAPER_MAX_DOWNLOAD", "none")]).max_download, 64 << 30);
    }

    #[cfg(unix)]
    #[test]
    fn folders_that_are_not_utf8_are_used_as_they_are() {
        use std::os::unix::ffi::OsStringExt;
        let odd = OsString::from_vec(b"/c/\xff".to_vec());
        for name in
            ["HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "MODELSCOPE_CACHE", "TAPER_CACHE", "XDG_CACHE_HOME"]
        {
            let var = |asked: &str| (asked == name).then(|| odd.clone());
            assert!(Settings::check(var).is_ok(), "{name}");
            let set = Settings::from_os_vars(var, Some("/home/me".into()));
            let below = PathBuf::from(&odd);
            let (found, expected) = match name {
                "HF_HOME" => (set.hub_cache, below.join("hub")),
                "MODELSCOPE_CACHE" => (set.modelscope_cache, below),
                "TAPER_CACHE" => (set.web_cache, below),
                "XDG_CACHE_HOME" => (set.web_cache, below.join("taper")),
                _ => (set.hub_cache, below),
            };
            assert_eq!(found, Some(expected), "{name}");
        }
        for name in ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_ENDPOINT", "MODELSCOPE_API_TOKEN", "TAPER_MAX_DOWNLOAD"]
        {
            let why = Settings::check(|asked| (asked == name).then(|| odd.clone())).unwrap_err().to_string();
            assert!(why.contains(&format!("{name} is not UTF-8")) && why.contains("expected"), "{why}");
        }
    }

    #[test]
    fn invalid_numbers_are_refused() {
        let check = |name: &str, value: &str| Settings::check(|asked| (asked == name).then(|| value.into()));
        for (name, wrong) in [
            ("TAPER_MAX_DOWNLOAD", "10G"),
            ("TAPER_MAX_DOWNLOAD", "0"),
            ("TAPER_DOWNLOAD_ATTEMPTS", "-1"),
            ("TAPER_DOWNLOAD_WAIT_S", "1m"),
            ("TAPER_DOWNLOAD_WAIT_S", "inf"),
        ] {
            let why = check(name, wrong).unwrap_err().to_string();
            assert!(why.contains(&format!("{name} is `{wrong}`; expected")), "{why}");
        }
        for (name, right) in
            [("TAPER_MAX_DOWNLOAD", " 10 "), ("TAPER_MAX_DOWNLOAD", ""), ("TAPER_DOWNLOAD_WAIT_S", "0.5")]
        {
            assert!(check(name, right).is_ok(), "{name}={right}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let set = vars(&[("HF_ENDPOINT", "http://user:hf_secret@m.example"), ("HF_TOKEN", "hf_secret")]);
        assert_eq!(set.hub.shown(), "http://m.example");
        assert!(!format!("{:?}", set.hub.token).contains("secret"));
    }
}

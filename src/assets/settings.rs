//! What the environment says of downloads: where from, where to, who asks, how patiently.

use std::{env, fmt, path::PathBuf, time::Duration};

/// A secret that no message, log or debug output shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A token; surrounding white space is no part of it.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self(text.into()))
    }

    /// The secret itself, for the one header that carries it.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// A server and what tells it who asks.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Without a slash at the end.
    pub url: String,
    /// Sent to this server and to no other.
    pub token: Option<Token>,
}

impl Endpoint {
    fn new(url: &str, token: Option<String>) -> Self {
        let url = url.trim_end_matches('/');
        let url = if url.contains("://") { url.to_string() } else { format!("https://{url}") };
        Self { url, token: token.as_deref().and_then(Token::new) }
    }

    /// The address without a user name and password.
    pub fn shown(&self) -> String {
        match (self.url.split_once("://"), self.url.rsplit_once('@')) {
            (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
            _ => self.url.clone(),
        }
    }
}

/// How often and how long something is tried.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Patience {
    /// Attempts in a row without a byte of progress.
    pub attempts: u32,
    /// Before the second attempt; twice as long before each further one, up to [`Self::LONGEST`].
    pub first_wait: Duration,
    /// Until a connection stands.
    pub connect: Duration,
    /// Until the next bytes arrive.
    pub read: Duration,
}

impl Patience {
    /// The longest wait between two attempts.
    pub const LONGEST: Duration = Duration::from_secs(60);
}

/// What the environment says of downloads.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Whether no connection may be made at all.
    pub offline: bool,
    /// The Hugging Face hub, or a mirror of it.
    pub hub: Endpoint,
    /// Its cache; none without a home folder.
    pub hub_cache: Option<PathBuf>,
    /// ModelScope.
    pub modelscope: Endpoint,
    /// Its cache; none without a home folder.
    pub modelscope_cache: Option<PathBuf>,
    /// Files of `https:` sources; none without a home folder.
    pub web_cache: Option<PathBuf>,
    /// How often and how long something is tried.
    pub patience: Patience,
}

impl Settings {
    /// From the environment, read as Python's huggingface_hub and modelscope read it; `offline` forbids connections whatever
    /// it says.
    ///
    /// - `HF_ENDPOINT`, `HF_TOKEN` (else the file `token` in `HF_HOME`, or `HF_TOKEN_PATH`), `HF_HUB_CACHE` (else `hub` in
    ///   `HF_HOME`, else in `~/.cache/huggingface`), `HF_HUB_OFFLINE`, `HF_HUB_DOWNLOAD_TIMEOUT` (seconds without a byte).
    /// - `MODELSCOPE_ENDPOINT`, `MODELSCOPE_API_TOKEN`, `MODELSCOPE_CACHE` (else `~/.cache/modelscope`).
    /// - `TAPER_CACHE` (else `~/.cache/taper`), `TAPER_DOWNLOAD_ATTEMPTS`, `TAPER_DOWNLOAD_WAIT_S`.
    pub fn from_env(offline: bool) -> Self {
        let mut settings = Self::from_vars(|name| env::var(name).ok(), env::home_dir());
        settings.offline |= offline;
        settings
    }

    /// The same from any source of variables.
    pub fn from_vars(var: impl Fn(&str) -> Option<String>, home: Option<PathBuf>) -> Self {
        let var = |name: &str| var(name).map(|value| value.trim().to_string()).filter(|value| !value.is_empty());
        let path = |name: &str| var(name).map(PathBuf::from);
        let caches = path("XDG_CACHE_HOME").or_else(|| Some(home?.join(".cache")));
        let below = |name: &str| caches.as_ref().map(|caches| caches.join(name));
        let hub_home = path("HF_HOME").or_else(|| below("huggingface"));
        let token_file = path("HF_TOKEN_PATH").or_else(|| Some(hub_home.as_ref()?.join("token")));
        let token = var("HF_TOKEN").or_else(|| std::fs::read_to_string(token_file?).ok());
        let yes = |name: &str| {
            ["1", "ON", "YES", "TRUE"].contains(&var(name).unwrap_or_default().to_ascii_uppercase().as_str())
        };
        let seconds = |name: &str, default: f64| {
            let given = var(name).and_then(|text| text.parse().ok()).filter(|s: &f64| (0.001..=86_400.0).contains(s));
            Duration::from_secs_f64(given.unwrap_or(default))
        };
        Self {
            offline: yes("HF_HUB_OFFLINE") || yes("TRANSFORMERS_OFFLINE"),
            hub: Endpoint::new(&var("HF_ENDPOINT").unwrap_or("https://huggingface.co".into()), token),
            hub_cache: path("HF_HUB_CACHE").or_else(|| Some(hub_home.as_ref()?.join("hub"))),
            modelscope: Endpoint::new(
                &var("MODELSCOPE_ENDPOINT").unwrap_or("https://modelscope.cn".into()),
                var("MODELSCOPE_API_TOKEN"),
            ),
            modelscope_cache: path("MODELSCOPE_CACHE").or_else(|| below("modelscope")),
            web_cache: path("TAPER_CACHE").or_else(|| below("taper")),
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
    use super::*;

    fn vars(pairs: &'static [(&str, &str)]) -> Settings {
        let var = |name: &str| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_string());
        Settings::from_vars(var, Some("/home/me".into()))
    }

    #[test]
    fn the_environment_is_read_as_by_the_hubs_own_libraries() {
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
    fn secrets_are_not_shown() {
        let set = vars(&[("HF_ENDPOINT", "http://user:hf_secret@m.example"), ("HF_TOKEN", "hf_secret")]);
        assert_eq!(set.hub.shown(), "http://m.example");
        assert!(!format!("{:?}", set.hub.token).contains("secret"));
    }
}

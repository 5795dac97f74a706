//! `path:…`, `scratch:…`, `hf:…`, `modelscope:…`, `https:…`: whether a source is well formed, and what its path is relative
//! to.

use std::path::{Component, Path, PathBuf};

use super::{
    address::{Repository, WebFile},
    suggest::closest,
};

/// Sizes of a new model that need no file.
const SIZES: &[&str] = &["tiny", "small", "rbt3"];

/// Why a source is refused: what is wrong, and what to do.
pub(super) type Refusal = (String, Option<String>);

/// The source with its path resolved, or why it is refused. `schemes` are those that the key takes; `folder` is what
/// relative paths start from (`None`: they are left as they are).
pub(super) fn resolve(text: &str, schemes: &[&str], folder: Option<&Path>) -> Result<String, Refusal> {
    let refuse = |message: &str, help: Option<String>| Err((message.to_string(), help));
    let Some((scheme, rest)) = text.split_once(':') else {
        let is_path = text.starts_with(['.', '/', '~']) || text.contains('\\') || Path::new(text).extension().is_some();
        let help = match (is_path, text.matches('/').count(), owner(text)) {
            (true, ..) => format!("for a file or folder write `path:{text}`"),
            (_, 0, Some(owner)) if schemes.contains(&"scratch") => {
                format!("for the model on the Hugging Face hub write `hf:{owner}/{text}`; for a folder `path:{text}`")
            }
            (_, 0, _) if SIZES.contains(&text) && schemes.contains(&"scratch") => format!("write `scratch:{text}`"),
            (_, 0, _) => format!(
                "for a file or folder write `path:{text}`; on the Hugging Face hub it has an owner: `hf:OWNER/{text}`"
            ),
            (_, 1, _) => format!("for the Hugging Face hub write `hf:{text}`; for a file or folder `path:{text}`"),
            _ => format!("for a file or folder write `path:{text}`"),
        };
        return refuse("has no scheme", Some(help));
    };
    if scheme == "http" && schemes.contains(&"https") {
        // Said below why it needs a digest.
    } else if !schemes.contains(&scheme) {
        let help = match closest(scheme, schemes.iter().copied()) {
            Some(close) => format!("did you mean `{close}:{rest}`?"),
            None if scheme == "scratch" => "only models can be created from scratch".into(),
            None => format!("it takes {}", forms(schemes)),
        };
        return refuse(&format!("has the unknown scheme `{scheme}:`"), Some(help));
    }
    match scheme {
        "path" if rest.trim().is_empty() => refuse("has no path", Some("write the path after `path:`".into())),
        "path" => Ok(format!("path:{}", beside(folder, rest))),
        "scratch" if SIZES.contains(&rest) => Ok(text.into()),
        "scratch" if rest.len() > ".json".len() && rest.ends_with(".json") => {
            Ok(format!("scratch:{}", beside(folder, rest)))
        }
        // A folder is known by its slash: without one it would be the name of a size.
        "scratch" if rest.contains('/') => {
            Ok(format!("scratch:{}/", beside(folder, rest.trim_end_matches('/')).trim_end_matches('/')))
        }
        "scratch" => {
            let help = closest(rest, SIZES.iter().copied()).map(|close| format!("did you mean `scratch:{close}`?"));
            let help = help.unwrap_or_else(|| format!("it takes {}", forms(&["scratch"])));
            refuse(&format!("is not a known model: `{rest}`"), Some(help))
        }
        "https" | "http" => match WebFile::parse(text) {
            Ok(_) => Ok(text.into()),
            Err(why) => refuse(why, Some(format!("it takes {}", forms(&["https"])))),
        },
        _ => match Repository::parse(rest) {
            Ok(_) => Ok(text.into()),
            Err(why) => {
                let help = match owner(rest).filter(|_| scheme == "hf" && schemes.contains(&"scratch")) {
                    Some(owner) => format!("write `hf:{owner}/{rest}`"),
                    None => format!("it takes {}", forms(&[scheme])),
                };
                refuse(why, Some(help))
            }
        },
    }
}

/// The owner on the Hugging Face hub of a model that people call by its name alone, as it was called there once.
fn owner(name: &str) -> Option<&'static str> {
    let bert = ["bert-base-", "bert-large-"].iter().any(|family| name.starts_with(family));
    bert.then_some("google-bert")
}

/// How each scheme is written.
pub(super) fn forms(schemes: &[&str]) -> String {
    let form = |scheme: &&str| match *scheme {
        "path" => "`path:PATH`",
        "scratch" => "`scratch:tiny`, `scratch:small`, `scratch:rbt3`, `scratch:FILE.json`, `scratch:DIR/`",
        "modelscope" => "`modelscope:OWNER/NAME[@REVISION][/FILE]`",
        "https" => "`https://HOST/FILE[#sha256=…]`",
        _ => "`hf:OWNER/NAME[@REVISION][/FILE]`",
    };
    schemes.iter().map(form).collect::<Vec<_>>().join(", ")
}

/// `path` as it is called from the current folder when it was written in `folder`, without `.` in between.
pub(super) fn beside(folder: Option<&Path>, path: &str) -> String {
    let Some(folder) = folder else { return path.into() };
    let joined: PathBuf = folder.join(path).components().filter(|c| !matches!(c, Component::CurDir)).collect();
    if joined.as_os_str().is_empty() { ".".into() } else { joined.display().to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODEL: &[&str] = &["path", "scratch", "hf", "modelscope"];

    fn resolved(text: &str) -> Result<String, String> {
        resolve(text, MODEL, Some(Path::new("experiments")))
            .map_err(|(why, help)| format!("{why}; {}", help.unwrap_or_default()))
    }

    #[test]
    fn paths_are_relative_to_the_folder_of_the_file() {
        assert_eq!(resolved("path:models/a").unwrap(), "path:experiments/models/a");
        assert_eq!(resolved("path:./../models/a").unwrap(), "path:experiments/../models/a");
        assert_eq!(resolved("path:/models/a").unwrap(), "path:/models/a");
        assert_eq!(resolved("scratch:bert.json").unwrap(), "scratch:experiments/bert.json");
        assert_eq!(resolved("scratch:tiny").unwrap(), "scratch:tiny");
        assert_eq!(resolved("scratch:rbt3").unwrap(), "scratch:rbt3");
        assert_eq!(resolved("scratch:rbt3/").unwrap(), "scratch:experiments/rbt3/");
        assert_eq!(resolved("scratch:../a/rbt3//").unwrap(), "scratch:experiments/../a/rbt3/");
        assert_eq!(resolve("scratch:rbt3/", MODEL, Some(Path::new(""))).unwrap(), "scratch:rbt3/");
        assert_eq!(resolved("hf:hfl/rbt3@main").unwrap(), "hf:hfl/rbt3@main");
        assert_eq!(resolved("modelscope:dienstag/rbt3").unwrap(), "modelscope:dienstag/rbt3");
        assert_eq!(resolve("path:x", MODEL, None).unwrap(), "path:x");
        assert_eq!(resolve("path:./x", MODEL, Some(Path::new(""))).unwrap(), "path:x");
        assert_eq!(resolve("path:.", MODEL, Some(Path::new(""))).unwrap(), "path:.");
    }

    #[test]
    fn malformed_sources_say_what_to_write() {
        for (text, expected) in [
            ("models/a.bin", "has no scheme; for a file or folder write `path:models/a.bin`"),
            (
                "hfl/rbt3",
                "has no scheme; for the Hugging Face hub write `hf:hfl/rbt3`; for a file or folder `path:hfl/rbt3`",
            ),
            (
                "bert-base-chinese",
                "has no scheme; for the model on the Hugging Face hub write `hf:google-bert/bert-base-chinese`; for a folder \
                 `path:bert-base-chinese`",
            ),
            (
                "chinese-roberta",
                "has no scheme; for a file or folder write `path:chinese-roberta`; on the Hugging Face hub it has an owner: \
                 `hf:OWNER/chinese-roberta`",
            ),
            ("hf:bert-base-chinese", "has no owner; write `hf:google-bert/bert-base-chinese`"),
            ("a/b/c", "has no scheme; for a file or folder write `path:a/b/c`"),
            ("tiny", "has no scheme; write `scratch:tiny`"),
            ("pth:x", "has the unknown scheme `pth:`; did you mean `path:x`?"),
            ("path:", "has no path; write the path after `path:`"),
            ("scratch:tinny", "is not a known model: `tinny`; did you mean `scratch:tiny`?"),
            ("hf:rbt3", "has no owner; it takes `hf:OWNER/NAME[@REVISION][/FILE]`"),
            ("hf:a b/c", "is not `OWNER/NAME`; it takes `hf:OWNER/NAME[@REVISION][/FILE]`"),
            ("hf:a/b@", "has an empty revision after `@`; it takes `hf:OWNER/NAME[@REVISION][/FILE]`"),
            ("modelscope:b", "has no owner; it takes `modelscope:OWNER/NAME[@REVISION][/FILE]`"),
        ] {
            assert_eq!(resolved(text).unwrap_err(), expected, "{text}");
        }
        let data = &["path", "hf", "https"];
        assert!(resolve("scratch:tiny", data, None).unwrap_err().1.unwrap().contains("only models"));
        assert!(resolve("https://a.example/x.csv", data, None).is_ok());
        assert!(resolve("https://a.example/x.csv", MODEL, None).unwrap_err().0.contains("unknown scheme `https:`"));
        assert!(resolve("http://a.example/x.csv", data, None).unwrap_err().0.contains("sha256"));
    }
}

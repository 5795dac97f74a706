//! Resolves a source in a spec: which schemes its key takes, what its path is relative to, and what to write instead of an invalid
//! one. [`Source`] parses the text itself.

use std::path::Path;

use super::closest::closest;
use crate::{
    format::or,
    source::{Fault, Preset, Scheme, Source},
};

/// Why a source is refused, and what to do.
pub(super) type Refusal = (String, Option<String>);

/// The source with its path resolved, or why it is refused. `schemes` are those that the key takes; relative paths are resolved against
/// `folder` (`None`: they stay as they are).
pub(super) fn resolve(text: &str, schemes: &[Scheme], folder: Option<&Path>) -> Result<Source, Refusal> {
    let (name, rest) = text.split_once(':').unwrap_or_default();
    let parsed = text.parse::<Source>();
    let fault = match (parsed.map_err(|error| error.fault), Scheme::named(name)) {
        (Err(Fault::NoScheme), _) => Fault::NoScheme,
        // The scheme comes first: other errors do not matter if the key does not take it.
        (_, scheme) if scheme.is_none_or(|scheme| !schemes.contains(&scheme)) => Fault::UnknownScheme,
        (Ok(source), _) => return Ok(folder.map_or(source.clone(), |folder| source.beside(folder))),
        (Err(fault), _) => fault,
    };
    let help = match &fault {
        Fault::NoScheme => with_scheme(text, schemes),
        Fault::UnknownScheme => {
            let help = match closest(name, schemes.iter().map(|scheme| scheme.name())) {
                Some(close) => format!("did you mean `{close}:{rest}`?"),
                None if Scheme::named(name) == Some(Scheme::Scratch) => {
                    "only models can be created from scratch".into()
                }
                None => format!("it takes {}", forms(schemes)),
            };
            return Err((format!("has the unknown scheme `{name}:`"), Some(help)));
        }
        Fault::NoPath => "write the path after `path:`".into(),
        Fault::UnknownModel(model) => match closest(model, Preset::ALL.map(Preset::name)) {
            Some(close) => format!("did you mean `scratch:{close}`?"),
            None => format!("it takes {}", forms(&[Scheme::Scratch])),
        },
        Fault::Malformed(_) => match (Scheme::named(name), owner(rest)) {
            (Some(Scheme::Hub), Some(owner)) if schemes.contains(&Scheme::Scratch) => {
                format!("write `hf:{owner}/{rest}`")
            }
            (scheme, _) => format!("it takes {}", forms(scheme.as_slice())),
        },
    };
    Err((fault.to_string(), Some(help)))
}

/// What to write for a text without a scheme.
fn with_scheme(text: &str, schemes: &[Scheme]) -> String {
    let is_path = text.starts_with(['.', '/', '~']) || text.contains('\\') || Path::new(text).extension().is_some();
    let models = schemes.contains(&Scheme::Scratch);
    match (is_path, text.matches('/').count(), owner(text)) {
        (true, ..) => format!("for a file or folder write `path:{text}`"),
        (_, 0, Some(owner)) if models => {
            format!("for the model on the Hugging Face Hub write `hf:{owner}/{text}`; for a folder `path:{text}`")
        }
        (_, 0, _) if Preset::named(text).is_some() && models => format!("write `scratch:{text}`"),
        (_, 0, _) => format!(
            "for a file or folder write `path:{text}`; on the Hugging Face Hub it has an owner: `hf:OWNER/{text}`"
        ),
        (_, 1, _) => format!("for the Hugging Face Hub write `hf:{text}`; for a file or folder `path:{text}`"),
        _ => format!("for a file or folder write `path:{text}`"),
    }
}

/// The owner on the Hugging Face Hub of models that used to have a name without one.
fn owner(name: &str) -> Option<&'static str> {
    let bert = ["bert-base-", "bert-large-"].iter().any(|family| name.starts_with(family));
    bert.then_some("google-bert")
}

/// How each scheme is written.
pub(super) fn forms(schemes: &[Scheme]) -> String {
    let form = |scheme: &Scheme| match scheme {
        Scheme::Path => &["`path:PATH`"][..],
        Scheme::Scratch => {
            &["`scratch:tiny`", "`scratch:small`", "`scratch:rbt3`", "`scratch:FILE.json`", "`scratch:DIR/`"]
        }
        Scheme::ModelScope => &["`modelscope:OWNER/NAME[@REVISION][/FILE]`"],
        Scheme::Web => &["`https://HOST/FILE[#sha256=…]`"],
        Scheme::Hub => &["`hf:OWNER/NAME[@REVISION][/FILE]`"],
    };
    or(&schemes.iter().flat_map(form).map(|form| form.to_string()).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODEL: &[Scheme] = &[Scheme::Path, Scheme::Scratch, Scheme::Hub, Scheme::ModelScope];

    fn resolved(text: &str) -> Result<String, String> {
        resolve(text, MODEL, Some(Path::new("experiments")))
            .map(String::from)
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
        assert_eq!(resolve("scratch:rbt3/", MODEL, Some(Path::new(""))).unwrap().to_string(), "scratch:rbt3/");
        assert_eq!(resolved("hf:hfl/rbt3@main").unwrap(), "hf:hfl/rbt3@main");
        assert_eq!(resolved("modelscope:dienstag/rbt3").unwrap(), "modelscope:dienstag/rbt3");
        assert_eq!(resolve("path:x", MODEL, None).unwrap().to_string(), "path:x");
        assert_eq!(resolve("path:./x", MODEL, Some(Path::new(""))).unwrap().to_string(), "path:x");
        assert_eq!(resolve("path:.", MODEL, Some(Path::new(""))).unwrap().to_string(), "path:.");
    }

    #[test]
    fn malformed_sources_say_what_to_write() {
        for (text, expected) in [
            ("models/a.bin", "has no scheme; for a file or folder write `path:models/a.bin`"),
            (
                "hfl/rbt3",
                "has no scheme; for the Hugging Face Hub write `hf:hfl/rbt3`; for a file or folder `path:hfl/rbt3`",
            ),
            (
                "bert-base-chinese",
                "has no scheme; for the model on the Hugging Face Hub write `hf:google-bert/bert-base-chinese`; for a folder \
                 `path:bert-base-chinese`",
            ),
            (
                "chinese-roberta",
                "has no scheme; for a file or folder write `path:chinese-roberta`; on the Hugging Face Hub it has an owner: \
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
        let data = &[Scheme::Path, Scheme::Hub, Scheme::Web];
        assert!(resolve("scratch:tiny", data, None).unwrap_err().1.unwrap().contains("only models"));
        assert!(resolve("https://a.example/x.csv", data, None).is_ok());
        assert!(resolve("https://a.example/x.csv", MODEL, None).unwrap_err().0.contains("unknown scheme `https:`"));
        assert!(resolve("http://a.example/x.csv", data, None).unwrap_err().0.contains("sha256"));
    }
}

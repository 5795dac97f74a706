//! What the card of another model or of a dataset says.

use serde::Deserialize;

use crate::format::front_matter;

/// What a card says in its header; empty without a card, and for what the card leaves out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// Whether there is a card.
    pub is_there: bool,
    /// The id of its licence, as the hub has them: `apache-2.0`.
    pub license: Option<String>,
    /// The name of a licence whose id is `other`.
    pub license_name: Option<String>,
    /// The address of its text.
    pub license_link: Option<String>,
    /// Codes of languages.
    pub languages: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Header {
    license: Option<OneOrMany>,
    license_name: Option<String>,
    license_link: Option<String>,
    language: Option<OneOrMany>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn all(self) -> Vec<String> {
        match self {
            Self::One(one) => vec![one],
            Self::Many(many) => many,
        }
    }
}

impl Origin {
    /// What the text of a README.md says. Whatever is not written as the hub writes it counts as not said.
    pub fn read(text: &str) -> Self {
        let header: Header = front_matter(text).and_then(|yaml| serde_saphyr::from_str(yaml).ok()).unwrap_or_default();
        let license = header.license.map(OneOrMany::all).unwrap_or_default();
        // Of several licences it is not known which applies to what.
        let license = match &license[..] {
            [one] if is_code(one) && one != "unknown" => Some(one.clone()),
            _ => None,
        };
        let is_other = license.as_deref() == Some("other");
        let languages = header.language.map(OneOrMany::all).unwrap_or_default();
        Self {
            is_there: true,
            license_name: header.license_name.filter(|name| is_other && is_code(name)),
            license_link: header.license_link.filter(|link| is_other && is_address(link)),
            license,
            languages: languages.into_iter().filter(|code| is_code(code) && code.len() <= 12).collect(),
        }
    }
}

/// Whether a text can be an id of the hub.
fn is_code(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.+".contains(c);
    (1..=96).contains(&text.len()) && text.chars().all(plain)
}

fn is_address(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.~/:%".contains(c);
    text.starts_with("https://") && text.len() <= 300 && text.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(header: &str) -> Origin {
        Origin::read(&format!("---\n{header}\n---\n# x"))
    }

    #[test]
    fn licence_and_languages_are_read_as_the_hub_writes_them() {
        let one = read("license: apache-2.0\nlanguage: zh\ntags: [a]");
        assert_eq!((one.license.as_deref(), &one.languages[..]), (Some("apache-2.0"), &["zh".to_owned()][..]));
        let many = read("language:\n- en\n- zh\nlicense:\n- mit");
        assert_eq!((many.license.as_deref(), many.languages.len()), (Some("mit"), 2));
        let own = read("license: other\nlicense_name: my-licence\nlicense_link: https://a.example/LICENSE");
        assert_eq!(own.license_name.as_deref(), Some("my-licence"));
        assert_eq!(own.license_link.as_deref(), Some("https://a.example/LICENSE"));
    }

    #[test]
    fn what_is_not_clear_counts_as_not_said() {
        for header in
            ["license: [mit, gpl-3.0]", "license: \"x\\ny: z\"", "license: unknown", "license: {a: b}", "a: [", ""]
        {
            let said = read(header);
            assert_eq!((said.license, said.is_there), (None, true), "{header}");
        }
        let linked = read("license: other\nlicense_name: \"a b\"\nlicense_link: javascript:alert(1)");
        assert_eq!((linked.license_name, linked.license_link), (None, None));
        assert_eq!(Origin::read("# no header"), Origin { is_there: true, ..Origin::default() });
        assert!(read("language: [\"zh\\n\", en]").languages == ["en"]);
    }
}

//! What MLflow allows (`mlflow/utils/validation.py`), and what becomes of the rest.

use std::collections::BTreeMap;

use serde_json::Value;
use sha2::{Digest, Sha256};

/// Characters of a run's name, which is a tag.
pub(super) const RUN_NAME: usize = 250;
/// Characters of the name of an experiment.
pub(super) const EXPERIMENT_NAME: usize = 500;
/// Characters of a parameter.
pub(super) const PARAMETER: usize = 6000;
/// Characters of a tag.
pub(super) const TAG: usize = 8000;
/// Bytes of a name: MLflow allows 250 characters, but each name is a file, and file systems allow 255 bytes.
const NAME: usize = 240;

/// What was cut or renamed: what it is called in MLflow, and its name and whole value.
#[derive(Debug, Default)]
pub(super) struct Whole(pub BTreeMap<String, Value>);

impl Whole {
    /// `prefix` and a name of letters, digits, `_`, `-`, `.`, `:` and spaces. Other names are changed, and end with the first digits of their SHA-256;
    /// so no name is a folder of another, or leaves its own.
    pub fn name(&mut self, kind: &str, prefix: &str, name: &str) -> String {
        let good = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':' | ' ');
        let ends = [' ', '.'];
        let kept: String = name.trim_matches(ends).chars().map(|c| if good(c) { c } else { '_' }).collect();
        if kept == name && name.len() <= NAME && !name.is_empty() {
            return format!("{prefix}{name}");
        }
        let digest = format!("{:x}", Sha256::digest(name))[..8].to_string();
        let mut end = kept.len().min(NAME - digest.len() - 1);
        while !kept.is_char_boundary(end) {
            end -= 1;
        }
        let end = kept[..end].trim_end_matches(ends);
        let called = if end.is_empty() { format!("{prefix}{digest}") } else { format!("{prefix}{end}_{digest}") };
        self.0.insert(format!("{kind} {called}"), format!("{prefix}{name}").into());
        called
    }

    /// A value of at most so many characters. A longer one ends with `…`.
    pub fn value(&mut self, kind: &str, name: &str, value: &str, most: usize) -> String {
        match value.char_indices().nth(most) {
            None => value.into(),
            Some(_) => {
                self.0.insert(format!("{kind} {name} (value)"), value.into());
                let end = value.char_indices().nth(most - 1).map_or(value.len(), |(end, _)| end);
                format!("{}…", &value[..end])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_that_mlflow_takes_stay() {
        let mut whole = Whole::default();
        for name in ["loss", "f1:好评", "data.labels.0", "a b-c_d"] {
            assert_eq!(whole.name("metric", "dev/", name), format!("dev/{name}"));
        }
        assert!(whole.0.is_empty());
        for (name, begins) in
            [("f1:a%b", "f1:a_b_"), ("../x", "_x_"), ("/etc", "_etc_"), ("a/b", "a_b_"), ("..", ""), ("", "")]
        {
            let called = whole.name("metric", "dev/", name);
            assert!(called.starts_with(&format!("dev/{begins}")), "{name}: {called}");
            assert_eq!(called.len(), "dev/".len() + begins.len() + 8, "{name}: {called}");
            assert_eq!(whole.0[&format!("metric {called}")], format!("dev/{name}"));
        }
        assert_eq!(whole.value("tag", "t", "好评好", 3), "好评好");
        assert_eq!(whole.value("tag", "t", "好评好评", 3), "好评…");
        assert_eq!(whole.0["tag t (value)"], "好评好评");
    }

    proptest! {
        /// As `_validate_param_name`: its characters, and a path that is its own normal form.
        #[test]
        fn any_name_is_one_that_mlflow_takes(name in "(\\PC|[/. :\0]){0,300}", other in "[./ a]{0,5}") {
            let mut whole = Whole::default();
            let called = whole.name("param", "", &name);
            prop_assert!(called.len() <= NAME && !called.is_empty());
            prop_assert!(called.chars().all(|c| c.is_alphanumeric() || "_-.: ".contains(c)), "{}", called);
            prop_assert!(!matches!(called.as_str(), "." | ".."), "{}", called);
            prop_assert_eq!(called == whole.name("param", "", &other), name == other);
        }
    }
}

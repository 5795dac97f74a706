//! Keys about texts of more than `data.max_length` tokens that contradict each other.

use super::{
    conflicts::{Conflict, conflict},
    schema::{Data, Long, Spec},
    search::Owned,
};
/// Contradictions within one run.
pub(super) fn of_run(spec: &Spec) -> Vec<Conflict> {
    let data = &spec.data;
    let mut found = Vec::new();
    if data.long != Long::Cut && data.text_pair_column.is_some() {
        let message = format!(
            "`data.long` = \"{}\" is for single texts, but the model reads two (`data.text_pair_column`)",
            data.long.name()
        );
        let help = "remove it: the longer text of a pair is cut first, at its end";
        found.push(conflict(&["data.long", "data.text_pair_column"], message, help));
    }
    // How many special tokens take a part of it is known once the tokenizer is: the rest is checked then.
    for Part { key, of, value, leaves } in parts(data) {
        let Some(tokens) = value.filter(|tokens| data.long == of && *tokens >= data.max_length) else { continue };
        let message = format!(
            "`{key}` = {tokens} leaves {leaves}: the model reads `data.max_length` = {} tokens at once, including special tokens",
            data.max_length
        );
        let help = format!(
            "set {key} to less than `data.max_length` minus the number of the tokenizer's special tokens (usually 2)"
        );
        found.push(conflict(&[key, "data.max_length"], message, &help));
    }
    found
}

/// A key that only one choice of `data.long` reads.
struct Part {
    key: &'static str,
    /// That choice.
    of: Long,
    value: Option<u64>,
    /// What a value that is too large leaves.
    leaves: &'static str,
}

fn parts(data: &Data) -> [Part; 2] {
    let stride = ("data.stride", Long::Windows, data.stride, "no new token for the next window");
    let head = ("data.head_tokens", Long::HeadTail, data.head_tokens, "no room for the end of a text");
    [stride, head].map(|(key, of, value, leaves)| Part { key, of, value, leaves })
}

/// Keys that the choice of `data.long` does not read: the layers know whether they were set explicitly. None if the choice is swept:
/// they have an effect in some runs.
pub(super) fn unread(spec: &Spec, is_swept: impl Fn(&str) -> bool) -> Vec<Owned> {
    let long = spec.data.long;
    let unread = parts(&spec.data).into_iter().filter(|part| part.of != long && !is_swept("data.long"));
    unread
        .map(|Part { key, of, .. }| Owned {
            key,
            rules: &["data.long"],
            message: format!(
                "`{key}` applies only to `data.long` = \"{}\", but `data.long` is \"{}\"",
                of.name(),
                long.name()
            ),
        })
        .collect()
}

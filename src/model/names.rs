//! Names of tensors in weights files: transformers' names, older and shorter ones, and names changed by wrappers around the
//! model.

use std::collections::{BTreeMap, BTreeSet};

use super::Naming;

/// Name parts added by wrappers: DataParallel and averaged models, `torch.compile`, activation checkpointing and FSDP. No part of an encoder
/// has these names.
const WRAPPERS: [&str; 4] = ["module", "_orig_mod", "_checkpoint_wrapped_module", "_fsdp_wrapped_module"];

/// transformers' name of a tensor with one of its older or shorter names, and the distance between the two.
pub(super) fn canonical(naming: &Naming, name: &str) -> (String, usize) {
    let mut steps = 0;
    let mut take = |is: bool| {
        steps += usize::from(is);
        is
    };
    let parts: Vec<&str> = name.split('.').filter(|part| !take(WRAPPERS.contains(part))).collect();
    let name = parts.join(".");
    let is_short = naming.groups.iter().any(|group| name.starts_with(group));
    let name = if take(is_short) { format!("{}{name}", naming.prefix) } else { name };
    let renamed = name.rsplit_once('.').and_then(|(rest, last)| {
        let (_, today) = naming.renamed.iter().find(|(old, _)| *old == last)?;
        Some(format!("{rest}.{today}"))
    });
    take(renamed.is_some());
    let name = renamed.unwrap_or(name);
    (name, steps)
}

/// Whether a tensor is a counter that every model of the family has and files may omit: not a weight, and always the same.
pub(super) fn is_counter(naming: &Naming, canonical: &str) -> bool {
    naming.counters.contains(&canonical)
}

/// The number of encoder layers in a file.
pub(super) fn layers<'a>(naming: &Naming, names: impl Iterator<Item = &'a String>) -> usize {
    let number = |name: &String| name.strip_prefix(naming.layers)?.split('.').next()?.parse::<usize>().ok();
    names.filter_map(number).max().map_or(0, |last| last.saturating_add(1))
}

/// The prefixes under which a file has the tensors `missing`, each with the names found, the most frequent first.
pub(super) fn prefixes<'a>(
    naming: &Naming,
    missing: &BTreeSet<&str>,
    names: impl Iterator<Item = &'a str>,
) -> Vec<(&'a str, BTreeMap<String, &'a str>)> {
    let mut found: BTreeMap<&str, BTreeMap<String, &str>> = BTreeMap::new();
    for name in names {
        let starts = name.match_indices('.').map(|(dot, _)| dot + 1);
        for start in starts {
            let (canonical, _) = canonical(naming, &name[start..]);
            if missing.contains(canonical.as_str()) {
                found.entry(&name[..start]).or_default().insert(canonical, name);
                break;
            }
        }
    }
    let mut found: Vec<_> = found.into_iter().collect();
    found.sort_by_key(|(prefix, names)| (std::cmp::Reverse(names.len()), *prefix));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::family::bert::BERT;
    const NAMING: Naming = BERT.naming;

    #[test]
    fn wrappers_are_looked_past_wherever_they_are() {
        let name = "bert.encoder.layer.0.output.dense.weight";
        for (written, steps) in [
            (name, 0),
            ("encoder.layer.0.output.dense.weight", 1),
            ("module.bert.encoder.layer.0.output.dense.weight", 1),
            ("_orig_mod.bert.encoder.layer.0.output.dense.weight", 1),
            ("_orig_mod.module.bert.encoder.layer.0.output.dense.weight", 2),
            ("module._orig_mod.encoder.layer.0.output.dense.weight", 3),
            ("module.module.bert.encoder.layer.0.output.dense.weight", 2),
            ("bert._orig_mod.encoder.layer.0.output.dense.weight", 1),
            ("bert.encoder.layer.0._orig_mod.output.dense.weight", 1),
            ("bert.encoder.layer.0._checkpoint_wrapped_module.output.dense.weight", 1),
        ] {
            assert_eq!(canonical(&NAMING, written), (name.to_string(), steps), "{written}");
        }
        assert_eq!(
            canonical(&NAMING, "module.embeddings.LayerNorm.gamma"),
            ("bert.embeddings.LayerNorm.weight".into(), 3)
        );
        assert_eq!(canonical(&NAMING, "my_module.classifier.bias"), ("my_module.classifier.bias".into(), 0));
    }

    #[test]
    fn the_prefix_of_the_names_is_found() {
        let missing = BTreeSet::from(["bert.pooler.dense.bias", "classifier.bias", "bert.embeddings.LayerNorm.bias"]);
        let names = [
            "student.classifier.bias",
            "teacher.net.bert.pooler.dense.bias",
            "student._orig_mod.pooler.dense.bias",
            "other.weight",
            "student.embeddings.LayerNorm.beta",
        ];
        let found = prefixes(&NAMING, &missing, names.into_iter());
        let found: Vec<(&str, usize)> = found.iter().map(|(prefix, names)| (*prefix, names.len())).collect();
        assert_eq!(found, [("student.", 3), ("teacher.net.", 1)]);
    }
}

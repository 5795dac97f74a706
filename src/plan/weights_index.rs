//! The index of sharded weights: transformers' `model.safetensors.index.json`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::sniff;

#[derive(Deserialize)]
struct Index {
    /// Tensor → file.
    weight_map: BTreeMap<String, String>,
}

/// Names of the files, sorted and without duplicates.
///
/// # Errors
/// Why the index is invalid: not JSON, without files, or a name that leads out of its folder.
pub fn shards(index: &str) -> Result<Vec<String>, String> {
    let index: Index = serde_json::from_str(index)
        .map_err(|e| format!("it is not a list of weight files: {}", sniff::not_json(index.as_bytes(), &e)))?;
    let names: BTreeSet<String> = index.weight_map.into_values().collect();
    let plain =
        |name: &&String| name.ends_with(".safetensors") && !name.contains(['/', '\\', ':']) && !name.starts_with('.');
    match names.iter().find(|name| !plain(name)) {
        Some(odd) => Err(format!("`{odd}` is not a safetensors file in the same folder")),
        None if names.is_empty() => Err("it lists no file".into()),
        None => Ok(names.into_iter().collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_once_and_stay_in_their_folder() {
        let index = r#"{"metadata": {}, "weight_map": {"b": "m-2.safetensors", "a": "m-1.safetensors", "c": "m-2.safetensors"}}"#;
        assert_eq!(shards(index).unwrap(), ["m-1.safetensors", "m-2.safetensors"]);
        for odd in ["../x.safetensors", "/x.safetensors", "x.bin", "a\\\\x.safetensors", ".safetensors"] {
            assert!(shards(&format!(r#"{{"weight_map": {{"a": "{odd}"}}}}"#)).is_err(), "{odd}");
        }
        let pointer = shards("version https://git-lfs.github.com/spec/v1\noid sha256:0").unwrap_err();
        assert!(pointer.contains("Git LFS pointer"), "{pointer}");
        for wrong in ["", "{}", r#"{"weight_map": {}}"#, "[]"] {
            assert!(shards(wrong).is_err(), "{wrong}");
        }
    }
}

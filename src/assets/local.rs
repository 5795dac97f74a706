//! `path:` sources: local files.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{
    AssetError, DataFile, DataSet, ModelFiles, files,
    instead::instead,
    named_splits::{CARD, NamedSplits, check_apart},
};

/// The model in a folder.
pub(super) fn model(folder: &Path) -> Result<ModelFiles, AssetError> {
    if !folder.exists() {
        return Err(AssetError::NoSuchPath(folder.to_path_buf()));
    }
    if !folder.is_dir() {
        return Err(AssetError::NotAFolder(folder.to_path_buf()));
    }
    let choice = files::choose(&folder.display().to_string(), None, |name| folder.join(name).is_file());
    let choice = choice.map_err(|error| with_instead(folder, dangling(folder, error)))?;
    files::collect(folder, &choice, None, &[])
}

/// The error about files that a folder lacks, with what lies there instead.
fn with_instead(folder: &Path, error: AssetError) -> AssetError {
    match error {
        AssetError::Incomplete { source_, missing, .. } => {
            AssetError::Incomplete { source_, missing, instead: instead(folder) }
        }
        other => other,
    }
}

/// The error about files that a folder lacks; if the link of one of them leads nowhere, the error about it. Other links do not matter.
fn dangling(folder: &Path, error: AssetError) -> AssetError {
    let AssetError::Incomplete { missing, .. } = &error else { return error };
    // Whether less would be missing if this file were there.
    let is_missed = |file: &str| {
        let has = |name: &str| name == file || folder.join(name).is_file();
        match files::choose("", None, has) {
            Err(AssetError::Incomplete { missing: still, .. }) => still.len() < missing.len(),
            _ => true,
        }
    };
    let to = |path: &Path| fs::read_link(path).ok().filter(|_| !path.exists());
    let mut links: Vec<(PathBuf, PathBuf)> = fs::read_dir(folder)
        .map(|entries| entries.flatten().filter_map(|entry| Some((entry.path(), to(&entry.path())?))).collect())
        .unwrap_or_default();
    links.retain(|(path, _)| path.file_name().and_then(|name| name.to_str()).is_some_and(is_missed));
    links.sort();
    match links.into_iter().next() {
        Some((path, to)) => AssetError::Dangling { path, to, then: Box::new(error) },
        None => error,
    }
}

/// A data file.
pub(super) fn data(path: &Path) -> Result<DataFile, AssetError> {
    if path.is_dir() {
        return Err(AssetError::NotAFile(path.to_path_buf()));
    }
    if !path.exists() {
        return Err(AssetError::NoSuchPath(path.to_path_buf()));
    }
    Ok(DataFile { path: path.to_path_buf(), revision: None, pin: None })
}

/// The files of splits in a folder.
pub(super) fn data_set(folder: &Path, config: Option<&str>, names: &[String]) -> Result<DataSet, AssetError> {
    if !folder.exists() {
        return Err(AssetError::NoSuchPath(folder.to_path_buf()));
    }
    let source = folder.display().to_string();
    let refuse = |what: String| AssetError::Splits { source_: source.clone(), what };
    if !folder.is_dir() {
        let what = "data.splits without data.split_column names the splits of a folder or a repository, but this is a \
                    file: set data.split_column, or name the folder";
        return Err(refuse(what.into()));
    }
    let card = folder.join(CARD);
    let card = match card.is_file() {
        true => Some(fs::read_to_string(&card).map_err(|error| AssetError::Io { path: card, error })?),
        false => None,
    };
    let found = NamedSplits::of(&source, &files::list(folder)?, card.as_deref(), config)?;
    let wanted = names.iter().map(|name| found.files(name).map(<[String]>::to_vec).map_err(refuse));
    check_apart(names, &wanted.collect::<Result<Vec<_>, _>>()?).map_err(refuse)?;
    let paths = |name: &String| -> Result<Vec<PathBuf>, AssetError> {
        Ok(found.files(name).map_err(refuse)?.iter().map(|file| folder.join(file)).collect())
    };
    let splits = names.iter().map(paths).collect::<Result<_, _>>()?;
    Ok(DataSet { splits, config: found.config, classes: found.classes })
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Library, Settings, digest_file},
        *,
    };
    use crate::plan::Source;

    fn library() -> Library {
        Library::new(Settings::from_vars(|_| None, None))
    }

    fn data_of(source: &Source, file: Option<&str>) -> Result<DataFile, AssetError> {
        library().data(source, file)
    }

    fn model_of(source: &Source) -> Result<ModelFiles, AssetError> {
        library().model(source)
    }

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        files.iter().for_each(|(name, text)| fs::write(folder.path().join(name), text).unwrap());
        folder
    }

    const WHOLE: [(&str, &str); 5] = [
        ("config.json", "{}"),
        ("model.safetensors", "weights"),
        ("vocab.txt", "[PAD]"),
        ("tokenizer_config.json", "{\"do_lower_case\": true}"),
        ("README.md", "about"),
    ];

    #[test]
    fn a_model_is_its_files_and_its_digest() {
        let dir = folder(&WHOLE);
        let model = model(dir.path()).unwrap();
        assert_eq!(model.folder, dir.path());
        assert_eq!(model.weights, dir.path().join("model.safetensors"));
        assert_eq!(model.revision, None);
        // (sha256sum config.json model.safetensors vocab.txt tokenizer_config.json, as "name digest" lines) | sha256sum
        assert_eq!(model.digest, "52a2991ed70be0b8c390969ad3f463bdb2abaf275104f2da8b03422f3daecb98");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_that_leads_nowhere_is_named() {
        let dir = folder(&[WHOLE[0], WHOLE[2]]);
        let link = dir.path().join("model.safetensors");
        std::os::unix::fs::symlink("../blobs/gone", &link).unwrap();
        let said = model(dir.path()).unwrap_err().to_string();
        let want = format!("{} is a link to ../blobs/gone, which does not exist: copy the file itself", link.display());
        assert!(said.starts_with(&want) && said.contains("it lacks weights"), "{said}");
        // One that does not count does not matter, whether or not others are missing.
        let dir = folder(&WHOLE);
        std::os::unix::fs::symlink("gone", dir.path().join("notes.txt")).unwrap();
        model(dir.path()).unwrap();
        let dir = folder(&[WHOLE[0], WHOLE[2]]);
        for name in ["a.txt", "tokenizer.json", "tokenizer_config.json"] {
            std::os::unix::fs::symlink("gone", dir.path().join(name)).unwrap();
        }
        let said = model(dir.path()).unwrap_err().to_string();
        assert!(!said.contains("is a link to") && said.contains("it lacks weights"), "{said}");
        // Any of the files of which one is enough.
        for name in ["pytorch_model.bin", "model.safetensors.index.json"] {
            let link = dir.path().join(name);
            std::os::unix::fs::symlink("gone", &link).unwrap();
            let said = model(dir.path()).unwrap_err().to_string();
            assert!(said.starts_with(&format!("{} is a link to gone,", link.display())), "{said}");
            fs::remove_file(link).unwrap();
        }
    }

    #[test]
    fn the_digest_covers_exactly_what_is_read() {
        let base = model(folder(&WHOLE).path()).unwrap().digest;
        let changed = |name: &str, text: &str| {
            let dir = folder(&WHOLE);
            fs::write(dir.path().join(name), text).unwrap();
            model(dir.path()).unwrap().digest
        };
        for name in ["config.json", "model.safetensors", "vocab.txt", "tokenizer_config.json", "tokenizer.json"] {
            assert_ne!(changed(name, "other"), base, "{name}");
        }
        for name in ["README.md", "pytorch_model.bin", "special_tokens_map.json"] {
            assert_eq!(changed(name, "other"), base, "{name}");
        }
    }

    /// Files that affect tokens count; those that add nothing do not, so that digests of older folders stay the same.
    #[test]
    fn the_digest_covers_added_and_special_tokens() {
        let digest = |files: &[(&str, &str)]| model(folder(&[&WHOLE, files].concat()).path()).unwrap().digest;
        let base = digest(&[]);
        let usual =
            r#"{"unk_token": "[UNK]", "cls_token": {"content": "[CLS]", "normalized": false, "special": true}}"#;
        assert_eq!(digest(&[("special_tokens_map.json", usual)]), base);
        assert_eq!(digest(&[("special_tokens_map.json", "{}")]), base);
        let mut found = vec![base];
        for files in [
            [("special_tokens_map.json", r#"{"unk_token": "[NO]"}"#)],
            [("special_tokens_map.json", r#"{"additional_special_tokens": ["<e>"]}"#)],
            [("special_tokens_map.json", r#"{"mask_token": {"content": "[MASK]", "lstrip": true}}"#)],
            [("added_tokens.json", r#"{"<e>": 1}"#)],
            [("added_tokens.json", r#"{"<e>": 2}"#)],
        ] {
            let digest = digest(&files);
            assert!(!found.contains(&digest), "{files:?}");
            found.push(digest);
        }
        // If the config names all added tokens, the map is not read.
        let all = |map: &str| {
            let config = ("tokenizer_config.json", r#"{"added_tokens_decoder": {}}"#);
            let files = [&WHOLE[..3], &[config, ("special_tokens_map.json", map)]].concat();
            model(folder(&files).path()).unwrap().digest
        };
        assert_eq!(all(r#"{"unk_token": "[NO]"}"#), all("{}"));
    }

    /// Vocabularies of tokenizers that are not BERT's count where there is no tokenizer.json, all of them.
    #[test]
    fn the_digest_covers_every_vocabulary_that_is_read() {
        let start = [WHOLE[0], WHOLE[1]];
        let of = |files: &[(&str, &str)]| model(folder(&[&start, files].concat()).path()).unwrap();
        let names = ["vocab.json", "sentencepiece.bpe.model", "spm.model", "spiece.model"];
        let mut digests: Vec<String> = names.iter().map(|name| of(&[(name, "{}")]).digest).collect();
        digests.push(of(&[("vocab.json", "{}"), ("merges.txt", "a b")]).digest);
        digests.push(of(&[("vocab.json", "{}"), ("merges.txt", "b a")]).digest);
        digests.sort();
        digests.dedup();
        assert_eq!(digests.len(), names.len() + 2);
        let whole = of(&[("tokenizer.json", "{}")]);
        let more = of(&[("tokenizer.json", "{}"), ("vocab.json", "{}"), ("spm.model", "x")]);
        assert_eq!((more.digest, more.files.len()), (whole.digest, whole.files.len()));
        // merges.txt alone is no tokenizer.
        assert!(model(folder(&[&start[..], &[("merges.txt", "")]].concat()).path()).is_err());
    }

    /// A map with BERT's names says nothing of BERT, and much of a RoBERTa.
    #[test]
    fn the_digest_covers_berts_special_tokens_where_the_class_has_others() {
        let start = [("model.safetensors", "weights"), ("tokenizer.json", "{}")];
        let map = ("special_tokens_map.json", r#"{"cls_token": "[CLS]"}"#);
        for (config, tokenizer, counts) in [
            (r#"{"model_type": "bert"}"#, "{}", false),
            (r#"{"model_type": "roberta"}"#, "{}", true),
            (r#"{"model_type": "roberta"}"#, r#"{"tokenizer_class": "BertTokenizer"}"#, false),
            (r#"{"model_type": "bert"}"#, r#"{"tokenizer_class": "AlbertTokenizerFast"}"#, true),
            // tokenizer.json alone, in which `[CLS]` need not be a special token.
            (r#"{"model_type": "bert"}"#, r#"{"tokenizer_class": "PreTrainedTokenizerFast"}"#, true),
            (r#"{"model_type": "bert"}"#, r#"{"tokenizer_class": "TokenizersBackend"}"#, true),
            (r#"{"model_type": "modernbert"}"#, "{}", true),
            // The map goes over the config.
            (r#"{"model_type": "bert"}"#, r#"{"cls_token": "[CLS]"}"#, false),
            (r#"{"model_type": "bert"}"#, r#"{"cls_token": "<cls>"}"#, true),
        ] {
            let files = [&start[..], &[("config.json", config), ("tokenizer_config.json", tokenizer)]].concat();
            let digest = |more: &[(&str, &str)]| model(folder(&[&files, more].concat()).path()).unwrap().digest;
            assert_eq!(digest(&[map]) != digest(&[]), counts, "{config} {tokenizer}");
        }
    }

    #[test]
    fn the_older_format_is_the_second_choice() {
        let dir = folder(&[("config.json", "{}"), ("pytorch_model.bin", "x"), ("tokenizer.json", "{}")]);
        assert_eq!(model(dir.path()).unwrap().weights, dir.path().join("pytorch_model.bin"));
    }

    #[test]
    fn all_that_is_missing_is_named_at_once() {
        let dir = folder(&[("README.md", "")]);
        let message = model(dir.path()).unwrap_err().to_string();
        for name in ["config.json", "vocab.txt", "model.safetensors", &dir.path().display().to_string()] {
            assert!(message.contains(name), "{message}");
        }
        let message = model(folder(&WHOLE[..2]).path()).unwrap_err().to_string();
        assert!(
            message.ends_with(
                "it lacks a tokenizer (tokenizer.json, vocab.txt, vocab.json or a SentencePiece .model file)"
            ),
            "{message}"
        );
    }

    #[test]
    fn an_adapter_is_never_left_out_silently() {
        let adapter = [("adapter_config.json", "{}"), ("adapter_model.safetensors", "")];
        let refused = |files: &[(&str, &str)]| model(folder(files).path()).unwrap_err().to_string();
        let beside = refused(&[&WHOLE[..], &adapter].concat());
        for part in [
            "has an adapter (adapter_config.json) beside its weights",
            "merge_and_unload()",
            "use a folder without adapter_config.json",
        ] {
            assert!(beside.contains(part), "{beside}");
        }
        for files in [&adapter[..], &adapter[1..]] {
            let only = refused(&[&WHOLE[2..], files].concat());
            assert!(only.contains("not a complete model") && only.contains("merge_and_unload()"), "{only}");
        }
        // Without its settings nothing applies it.
        model(folder(&[&WHOLE[..], &adapter[1..]].concat()).path()).unwrap();
        // Of a repository; and where a spec names the weights, it is these.
        let names = ["m/config.json", "m/model.safetensors", "m/vocab.txt", "m/adapter_config.json"];
        let choose = |part| files::choose("hf:a/b", Some(part), |name| names.contains(&name));
        let error = choose("m").unwrap_err().to_string();
        assert!(error.starts_with("hf:a/b has an adapter (m/adapter_config.json) beside its weights"), "{error}");
        assert_eq!(choose("m/model.safetensors").unwrap().weights, "model.safetensors");
    }

    #[test]
    fn weights_in_several_files_count_one_by_one() {
        let index = r#"{"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}"#;
        let names = ["config.json", "model.safetensors.index.json", "vocab.txt", "model-1.safetensors"];
        let dir = folder(&names.map(|name| (name, if name.ends_with("index.json") { index } else { "{}" })));
        let missing = model(dir.path()).unwrap_err().to_string();
        let want = "model.safetensors.index.json names model-2.safetensors, which is not in the same folder: copy or \
                    download it too";
        assert!(missing.ends_with(want), "{missing}");
        fs::write(dir.path().join("model-2.safetensors"), "2").unwrap();
        let whole = model(dir.path()).unwrap();
        assert_eq!(whole.weights, dir.path().join("model.safetensors.index.json"));
        assert_eq!(whole.shards, ["model-1.safetensors", "model-2.safetensors"].map(|name| dir.path().join(name)));
        fs::write(dir.path().join("model-2.safetensors"), "3").unwrap();
        assert_ne!(model(dir.path()).unwrap().digest, whole.digest);
        fs::write(dir.path().join("model.safetensors.index.json"), "{}").unwrap();
        assert!(model(dir.path()).unwrap_err().to_string().contains("not a list of weight files"));

        let pickles = folder(&[("config.json", "{}"), ("pytorch_model.bin.index.json", "{}"), ("vocab.txt", "")]);
        let message = model(pickles.path()).unwrap_err().to_string();
        assert!(message.contains("sharded PyTorch files") && message.contains("save_pretrained"), "{message}");
    }

    #[test]
    fn paths_of_the_wrong_type_are_refused() {
        let dir = folder(&[("data.csv", "label,review\n")]);
        let file = dir.path().join("data.csv");
        let message = |result: Result<(), AssetError>| result.unwrap_err().to_string();
        let source = |path: &Path| Source::Path(path.to_path_buf());
        assert_eq!(data_of(&source(&file), None).unwrap(), DataFile { path: file.clone(), revision: None, pin: None });
        assert!(message(model_of(&source(&file)).map(drop)).contains("is a file"));
        assert!(message(model_of(&source(&dir.path().join("no"))).map(drop)).contains("does not exist"));
        assert!(!message(model_of(&source(&dir.path().join("no"))).map(drop)).contains('~'));
        let home = message(model_of(&source(&dir.path().join("~/m3e"))).map(drop));
        assert!(home.ends_with("; `~` is not expanded: write the whole path"), "{home}");
        assert!(message(data_of(&source(&dir.path().join("no.csv")), None).map(drop)).contains("does not exist"));
        assert!(message(data_of(&source(dir.path()), None).map(drop)).contains("is a folder"));
        assert!(message(data_of(&source(dir.path()), Some("data.csv")).map(drop)).contains("remove one of the two"));
        assert!(message(model_of(&"scratch:tiny".parse().unwrap()).map(drop)).contains("`scratch:tiny`"));
    }

    /// The published digest of a million `a`s (FIPS 180-2), which is not a whole number of buffers.
    #[test]
    fn digests_are_those_of_sha256() {
        let dir = folder(&[("a", &"a".repeat(1_000_000)), ("aa", &"a".repeat((1 << 20) + 1)), ("none", "")]);
        let digest = |name: &str| digest_file(&dir.path().join(name)).unwrap();
        assert_eq!(digest("a"), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
        assert_eq!(digest("none"), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(digest("aa"), "4a3f0c0c213adea174f9a3d4c13177315b588bdb2e9c1012d3d0bf0453ca0f6a");
    }
}

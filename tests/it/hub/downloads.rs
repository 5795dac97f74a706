//! Whole, cut, slow, refused for a while, changed on the way.

use std::{fs, time::Duration};

use crate::hub::{
    home::{Home, ROWS, ear, files, holds, server, source, weights},
    server::{COMMIT, Fault, sha256},
};

const STORE: &str = "GET /store/";

#[test]
fn a_model_is_downloaded_once() {
    let (server, (listener, heard)) = (server(), ear());
    let home = Home::new(&server.url);
    let model = home.library().with_listener(listener).model(&source("hf:a/model")).unwrap();
    assert_eq!(fs::read(&model.weights).unwrap(), weights());
    assert_eq!(model.revision.as_deref(), Some(COMMIT));
    let names: Vec<&str> = model.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["config.json", "vocab.txt", "tokenizer_config.json", "model.safetensors"]);
    let heard = heard.lock().unwrap().clone();
    assert!(heard.contains(&"began model.safetensors 0 60000".to_string()), "{heard:?}");
    assert!(heard.contains(&"ended model.safetensors".to_string()), "{heard:?}");
    // Small files first: a commit whose weights are in the cache has all its files there.
    let weights_at = heard.iter().position(|text| text.starts_with("began model.safetensors"));
    assert!(heard.iter().position(|text| text == "ended config.json") < weights_at, "{heard:?}");

    // The layout of huggingface_hub: contents by their tags, relative links, and the branch's commit.
    let repo = home.path("hf/hub/models--a--model");
    assert!(repo.join("blobs").join(sha256(&weights())).is_file());
    let link = fs::read_link(repo.join("snapshots").join(COMMIT).join("model.safetensors")).unwrap();
    assert_eq!(link.to_str().unwrap(), format!("../../blobs/{}", sha256(&weights())));
    assert_eq!(fs::read_to_string(repo.join("refs/main")).unwrap(), COMMIT);
    assert!(!files(&home.path("hf")).iter().any(|(path, _)| path.to_string_lossy().contains("incomplete")));

    // A branch costs one request; a commit, and being offline, none.
    server.seen();
    assert_eq!(home.library().model(&source("hf:a/model")).unwrap(), model);
    assert_eq!(server.seen().len(), 1);
    assert_eq!(home.library().model(&source(&format!("hf:a/model@{COMMIT}"))).unwrap(), model);
    assert_eq!(home.offline().model(&source("hf:a/model")).unwrap(), model);
    assert_eq!(
        home.library().model(&source("hf:a/model/pytorch_model.bin")).unwrap().weights.file_name().unwrap(),
        "pytorch_model.bin"
    );
    assert!(server.seen().len() > 1, "the other weights had to be downloaded");
}

/// The small files tell whether it can be trained: its weights are not downloaded then.
#[test]
fn a_model_of_another_kind_is_refused_before_its_weights() {
    let server = server();
    for from in ["hf", "modelscope"] {
        let home = Home::new(&server.url);
        let look = |path: &std::path::Path| taper::model::ModelConfig::check_kind(path).map_err(|e| e.to_string());
        let found = home.library().with_check(look).model(&source(&format!("{from}:a/deberta")));
        let error = found.unwrap_err().to_string();
        assert!(error.contains("`model_type` is \"deberta\""), "{error}");
        assert!(!files(home.dir.root()).iter().any(|(_, size)| *size == weights().len() as u64));
        assert!(home.library().with_check(look).model(&source(&format!("{from}:a/model"))).is_ok());
    }
}

/// What others left of a commit in the cache is not taken for all that it has.
#[test]
fn a_part_of_a_commit_in_the_cache_is_not_the_whole() {
    let server = server();
    let home = Home::new(&server.url);
    let named = home.library().model(&source(&format!("hf:a/model@{COMMIT}/pytorch_model.bin"))).unwrap();
    assert!(named.weights.ends_with("pytorch_model.bin"));
    let model = home.library().model(&source(&format!("hf:a/model@{COMMIT}"))).unwrap();
    assert!(model.weights.ends_with("model.safetensors"), "{:?}", model.weights);
}

#[test]
fn shards_folders_and_data_files_are_found() {
    let server = server();
    let home = Home::new(&server.url);
    let mut library = home.library();
    let model = library.model(&source("hf:a/shards")).unwrap();
    let whole: Vec<u8> = model.shards.iter().flat_map(|path| fs::read(path).unwrap()).collect();
    assert_eq!(whole, weights());
    assert!(model.weights.ends_with("model.safetensors.index.json"));
    let model = library.model(&source("hf:a/steps/step-9")).unwrap();
    assert!(model.weights.ends_with("step-9/pytorch_model.bin") && model.files[0].name == "step-9/config.json");

    let data = library.data(&source("hf:a/data"), None).unwrap();
    assert_eq!(fs::read(&data.path).unwrap(), ROWS);
    assert!(data.path.ends_with(format!("snapshots/{COMMIT}/data/rows.csv")));
    let error = library.data(&source("hf:a/two"), None).unwrap_err().to_string();
    assert!(error.contains("the files are: test.jsonl, train.jsonl"), "{error}");
    let error = library.data(&source("hf:a/two"), Some("dev.jsonl")).unwrap_err().to_string();
    assert!(error.contains("no file `dev.jsonl`"), "{error}");
    assert!(library.data(&source("hf:a/two/train.jsonl"), None).unwrap().path.ends_with("train.jsonl"));
    assert!(library.data(&source("hf:a/two"), Some("test.jsonl")).unwrap().path.ends_with("test.jsonl"));
    let error = library.data(&source("hf:a/two/train.jsonl"), Some("test.jsonl")).unwrap_err().to_string();
    assert!(error.contains("remove one of the two"), "{error}");
    // Offline, each of them again.
    server.seen();
    let mut offline = home.offline();
    offline.model(&source("hf:a/shards")).unwrap();
    offline.model(&source("hf:a/steps/step-9")).unwrap();
    offline.data(&source("hf:a/data"), None).unwrap();
    offline.data(&source("hf:a/two"), Some("test.jsonl")).unwrap();
    let error = offline.model(&source("hf:a/none")).unwrap_err().to_string();
    assert!(error.contains("hf:a/none is missing from the cache") && error.contains("taper fetch"), "{error}");
    assert_eq!(server.seen(), []);
}

#[test]
fn an_interrupted_download_resumes_where_it_was() {
    let (server, (listener, heard)) = (server(), ear());
    let home = Home::new(&server.url);
    server.fault(STORE, 1, Fault::CutAfter(20_000));
    server.fault(STORE, 1, Fault::CutAfter(20_000));
    let model = home.library().with_listener(listener).model(&source("hf:a/model")).unwrap();
    assert_eq!(fs::read(&model.weights).unwrap(), weights());
    let ranges: Vec<_> =
        server.seen().into_iter().filter(|seen| seen.path.starts_with("/store")).map(|s| s.range).collect();
    assert_eq!(ranges, [None, Some("bytes=20000-".into()), Some("bytes=40000-".into())]);
    let heard = heard.lock().unwrap().clone();
    assert!(heard.contains(&"began model.safetensors 40000 60000".to_string()), "{heard:?}");
    assert!(heard.iter().any(|text| text.contains("broke after 20000 of 60000 bytes")), "{heard:?}");
}

#[test]
fn what_was_left_of_a_download_is_no_file_and_is_gone_on_from() {
    let server = server();
    let home = Home::new(&server.url);
    // It ends each time without a byte of progress.
    server.fault(STORE, 1, Fault::CutAfter(30_000));
    server.fault(STORE, 9, Fault::CutAfter(0));
    let error = home.library().model(&source("hf:a/model")).unwrap_err().to_string();
    assert!(error.contains("hf:a/model is not available, because ") && error.contains("30000 of 60000"), "{error}");
    assert!(!holds(&home.path("hf"), "model.safetensors"));
    assert!(home.offline().model(&source("hf:a/model")).is_err());

    // Another attempt by another process, some day.
    let again = crate::hub::home::server();
    let home = home.set("HF_ENDPOINT", &again.url);
    home.library().model(&source("hf:a/model")).unwrap();
    let ranges: Vec<_> = again.seen().into_iter().filter_map(|seen| seen.range).collect();
    // The hub and the store that it sends us to.
    assert_eq!(ranges, ["bytes=30000-", "bytes=30000-"]);
}

#[test]
fn a_part_that_is_wrong_is_found_out_and_begun_anew() {
    let server = server();
    let home = Home::new(&server.url);
    let blobs = home.path("hf/hub/models--a--model/blobs");
    fs::create_dir_all(&blobs).unwrap();
    for left in [vec![7; 10_000], vec![7; 60_000], vec![7; 70_000]] {
        fs::write(blobs.join(format!("{}.incomplete", sha256(&weights()))), left).unwrap();
        let model = home.library().model(&source("hf:a/model")).unwrap();
        assert_eq!(fs::read(&model.weights).unwrap(), weights());
        fs::remove_file(fs::canonicalize(&model.weights).unwrap()).unwrap();
    }
}

#[test]
fn refusals_for_a_while_are_waited_for() {
    let server = server();
    let home = Home::new(&server.url);
    server.fault("GET /api/models", 2, Fault::Status(429, Some(("retry-after", "0"))));
    server.fault("HEAD /a/model", 1, Fault::Status(503, None));
    server.fault(STORE, 2, Fault::Status(500, None));
    let (listener, heard) = ear();
    home.library().with_listener(listener).model(&source("hf:a/model")).unwrap();
    let heard = heard.lock().unwrap().join("\n");
    for words in ["waits a/model status 429", "status 503", "waits model.safetensors status 500"] {
        assert!(heard.contains(words), "{heard}");
    }
}

#[test]
fn a_server_that_fails_for_ever_ends_it() {
    for (part, fault, words) in [
        ("GET /api/models", Fault::Status(500, None), "it answered with status 500; try again later, or name a mirror"),
        (
            STORE,
            Fault::Status(502, None),
            "did not provide model.safetensors of hf:a/model: it answered with status 502",
        ),
        ("GET /api", Fault::Status(429, Some(("retry-after", "7200"))), "asked to wait 7200 seconds"),
        (STORE, Fault::Redirect(String::new()), "redirects more than"),
    ] {
        let server = server();
        let home = Home::new(&server.url);
        server.fault(part, usize::MAX, fault);
        let error = home.library().model(&source("hf:a/model")).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
        assert!(!holds(&home.path("hf"), "model.safetensors"));
        let asked = server.seen().iter().filter(|seen| format!("{} {}", seen.method, seen.path).contains(part)).count();
        assert!(asked <= 10, "{asked} requests");
    }
}

#[test]
fn other_content_than_is_stated_is_thrown_away() {
    for (part, name, fault) in [
        (STORE, "model.safetensors", Fault::OtherBytes),
        (STORE, "model.safetensors", Fault::Shorter(10)),
        ("GET /a/model/resolve", "config.json", Fault::OtherBytes),
    ] {
        let server = server();
        let home = Home::new(&server.url);
        server.fault(part, usize::MAX, fault.clone());
        let error = home.library().model(&source("hf:a/model")).unwrap_err().to_string();
        assert!(
            error.contains("does not have the expected content") && error.contains("discarded"),
            "{fault:?}: {error}"
        );
        assert!(!holds(&home.path("hf"), name));
        // Of others that were on their way a beginning may stay.
        let left = files(&home.path("hf")).iter().any(|(path, _)| path.extension().is_some_and(|e| e == "incomplete"));
        assert!(!left || part != STORE);
        assert!(home.offline().model(&source("hf:a/model")).is_err());
    }
}

#[test]
fn a_silent_server_times_out() {
    let server = server();
    let home = Home::new(&server.url).set("HF_HUB_DOWNLOAD_TIMEOUT", "0.2").set("TAPER_DOWNLOAD_ATTEMPTS", "2");
    server.fault(STORE, 1, Fault::StallAfter(25_000));
    home.library().model(&source("hf:a/model")).unwrap();
    assert!(server.seen().iter().any(|seen| seen.range.is_some()));
    // Slow is not silent.
    let (slow, home) = (crate::hub::home::server(), home);
    slow.fault(STORE, 1, Fault::Slow(Duration::from_millis(30)));
    let other = home.path("other").display().to_string();
    let home = home.set("HF_ENDPOINT", &slow.url).set("HF_HOME", &other);
    home.library().model(&source("hf:a/model")).unwrap();
    assert!(slow.seen().iter().all(|seen| seen.range.is_none()));
}

/// Where a part would be written lies a link to something else, or a second name of it: that stays as it is.
#[cfg(unix)]
#[test]
fn a_part_is_never_written_through_a_link() {
    let server = server();
    let link = |from: &std::path::Path, to: &std::path::Path| std::os::unix::fs::symlink(from, to);
    let dangling = |from: &std::path::Path, to: &std::path::Path| link(&from.with_extension("new"), to);
    let hard = |from: &std::path::Path, to: &std::path::Path| fs::hard_link(from, to);
    for link_to in [&link as &dyn Fn(&std::path::Path, &std::path::Path) -> std::io::Result<()>, &dangling, &hard] {
        let home = Home::new(&server.url);
        let blobs = home.path("hf/hub/models--a--model/blobs");
        fs::create_dir_all(&blobs).unwrap();
        let outside = home.path("outside.txt");
        fs::write(&outside, "precious").unwrap();
        link_to(&outside, &blobs.join(format!("{}.incomplete", sha256(&weights())))).unwrap();
        let model = home.library().model(&source("hf:a/model")).unwrap();
        assert_eq!(fs::read(&model.weights).unwrap(), weights());
        assert_eq!(fs::read(&outside).unwrap(), b"precious");
        assert!(!outside.with_extension("new").exists());
    }
}

#[test]
fn a_file_has_a_limit_whether_its_length_is_stated_or_not() {
    let server = server();
    let home = Home::new(&server.url).set("TAPER_MAX_DOWNLOAD", "50000");
    let error = home.library().model(&source("hf:a/model")).unwrap_err().to_string();
    assert!(error.contains("larger than 48.8 KiB") && error.contains("TAPER_MAX_DOWNLOAD"), "{error}");
    assert!(!holds(&home.path("hf"), "model.safetensors"));
    server.fault("/web/", usize::MAX, Fault::Chunked);
    let home = home.set("TAPER_MAX_DOWNLOAD", "20");
    let rows = source(&format!("{}/web/rows.csv#sha256={}", server.url, sha256(ROWS)));
    let error = home.library().data(&rows, None).unwrap_err().to_string();
    assert!(error.contains("larger than 20 B") && error.contains("TAPER_MAX_DOWNLOAD"), "{error}");
    assert_eq!(files(&home.path("taper")).iter().map(|(_, size)| size).sum::<u64>(), 0);
    home.set("TAPER_MAX_DOWNLOAD", "1000").library().data(&rows, None).unwrap();
}

#[test]
fn a_list_that_does_not_come_to_an_end_is_left() {
    let server = server();
    let home = Home::new(&server.url).set("HF_HUB_DOWNLOAD_TIMEOUT", "0.1").set("TAPER_DOWNLOAD_ATTEMPTS", "1");
    server.fault("/api/", usize::MAX, Fault::Drip(Duration::from_millis(20)));
    for name in ["hf:a/model", "modelscope:a/model"] {
        let error = home.library().model(&source(name)).unwrap_err().to_string();
        assert!(error.contains("did not end in time"), "{name}: {error}");
    }
}

/// Whatever lies there and however it got there: what the server states is what is used.
#[test]
fn a_damaged_cache_is_repaired_from_a_server_and_refused_without_one() {
    let server = server();
    let vocab = "vocab.txt";
    let replace = |path: &std::path::Path, bytes: &[u8]| {
        fs::remove_file(path).unwrap();
        fs::write(path, bytes).unwrap();
    };
    for (name, bytes, plain) in [
        ("model.safetensors", &b"short"[..], false),
        ("model.safetensors", &weights()[1..], true),
        (vocab, b"[PAD", false),
        (vocab, b"[PAX]\n", false),
        (vocab, b"[PAX]\n", true),
        ("config.json", b"{ }", false),
    ] {
        for revision in ["", &format!("@{COMMIT}")] {
            let home = Home::new(&server.url);
            let model = source(&format!("hf:a/model{revision}"));
            let whole = home.library().model(&model).unwrap();
            let path = whole.folder.join(name);
            match plain {
                // As huggingface_hub writes it where there are no links.
                true => replace(&path, bytes),
                false => fs::write(fs::canonicalize(&path).unwrap(), bytes).unwrap(),
            }
            if !plain {
                let error = home.offline().model(&model).unwrap_err().to_string();
                assert!(error.contains("is damaged") && error.contains("delete it"), "{name}: {error}");
            }
            // A commit in the cache is used without a question: only the names of blobs tell there.
            if plain && !revision.is_empty() {
                continue;
            }
            assert_eq!(home.library().model(&model).unwrap(), whole, "{name}{revision}");
            assert_eq!(home.offline().model(&model).unwrap(), whole);
        }
    }
}

#[test]
fn files_that_a_server_gives_one_tag_do_not_become_one() {
    let server = server();
    server.fault("HEAD ", usize::MAX, Fault::OneTag);
    let home = Home::new(&server.url);
    let model = home.library().model(&source("hf:a/model")).unwrap();
    assert_eq!(fs::read(&model.weights).unwrap(), weights());
    assert_eq!(fs::read(model.folder.join("vocab.txt")).unwrap(), b"[PAD]\n");
    assert_eq!(fs::read(model.folder.join("config.json")).unwrap(), b"{}");
}

/// A link out of the cache is followed only to what the server states.
#[cfg(unix)]
#[test]
fn a_link_to_other_content_gives_way() {
    let server = server();
    let home = Home::new(&server.url);
    let whole = home.library().model(&source("hf:a/model")).unwrap();
    let outside = home.path("outside.txt");
    fs::write(&outside, "[UNK]\n").unwrap();
    for path in [whole.folder.join("vocab.txt"), fs::canonicalize(whole.folder.join("vocab.txt")).unwrap()] {
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(&outside, &path).unwrap();
        assert_eq!(home.library().model(&source("hf:a/model")).unwrap(), whole);
        assert_eq!(fs::read(whole.folder.join("vocab.txt")).unwrap(), b"[PAD]\n");
        assert_eq!(fs::read(&outside).unwrap(), b"[UNK]\n");
    }
}

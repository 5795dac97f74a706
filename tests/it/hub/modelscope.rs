//! ModelScope's addresses and folders.

use std::fs;

use crate::hub::{
    home::{Home, ROWS, files, holds, server, source, weights},
    server::{COMMIT, Fault},
};

#[test]
fn models_and_data_lie_where_its_own_package_puts_them() {
    let server = server();
    let home = Home::new(&server.url).set("MODELSCOPE_API_TOKEN", "hf_secret_of_the_tests");
    let mut library = home.library();
    let model = library.model(&source("modelscope:a/model")).unwrap();
    assert_eq!(model.folder, home.path("ms/models/a--model/snapshots/master"));
    assert_eq!(model.revision.as_deref(), Some(COMMIT));
    assert_eq!(fs::read(&model.weights).unwrap(), weights());
    let data = library.data(&source("modelscope:a/data@v1"), None).unwrap();
    assert_eq!(data.path, home.path("ms/datasets/a--data/snapshots/v1/data/rows.csv"));
    assert_eq!(fs::read(&data.path).unwrap(), ROWS);
    let seen = server.seen();
    assert!(seen.iter().all(|seen| seen.token), "{seen:?}");
    let paths: Vec<_> = seen.iter().map(|seen| seen.path.as_str()).collect();
    assert_eq!(paths[0], "/api/v1/models/a/model/repo/files?Revision=master&Recursive=True");
    let file = format!("/api/v1/models/a/model/repo?Revision={COMMIT}&FilePath=model.safetensors");
    assert!(paths.contains(&file.as_str()), "{paths:?}");
    assert!(paths.contains(&"/api/v1/datasets/a/data/repo/tree?Revision=v1&Recursive=True&PageNumber=1&PageSize=200"));
    // The same content from the hub is the same model.
    assert_eq!(library.model(&source("hf:a/model")).unwrap().digest, model.digest);
    assert_eq!(home.offline().model(&source("modelscope:a/model")).unwrap().digest, model.digest);
}

#[test]
fn what_its_package_downloaded_is_used_if_it_is_what_is_listed() {
    let server = server();
    let home = Home::new(&server.url);
    let folder = home.path("ms/models/a--model/snapshots/master");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("model.safetensors"), weights()).unwrap();
    fs::write(folder.join("config.json"), "{old}").unwrap();
    let model = home.library().model(&source("modelscope:a/model")).unwrap();
    assert_eq!(fs::read_to_string(model.folder.join("config.json")).unwrap(), "{}");
    let downloaded: Vec<_> =
        server.seen().into_iter().filter_map(|s| s.path.split("FilePath=").nth(1).map(String::from)).collect();
    assert!(
        downloaded.contains(&"config.json".into()) && !downloaded.contains(&"model.safetensors".into()),
        "{downloaded:?}"
    );

    // The folders of packages up to 1.37, offline.
    let old = Home::new(&server.url);
    let folder = old.path("ms/hub/models/a/model");
    fs::create_dir_all(&folder).unwrap();
    for (name, bytes) in [("config.json", "{}"), ("vocab.txt", "[PAD]\n"), ("pytorch_model.bin", "x")] {
        fs::write(folder.join(name), bytes).unwrap();
    }
    assert_eq!(old.offline().model(&source("modelscope:a/model")).unwrap().folder, folder);
}

#[test]
fn cuts_and_other_content_are_found_out() {
    let server = server();
    let home = Home::new(&server.url);
    server.fault("FilePath=model.safetensors", 1, Fault::CutAfter(10_000));
    home.library().model(&source("modelscope:a/model")).unwrap();
    assert!(server.seen().iter().any(|seen| seen.range.as_deref() == Some("bytes=10000-")));
    assert!(!files(&home.path("ms")).iter().any(|(path, _)| path.to_string_lossy().ends_with(".incomplete")));

    let home = Home::new(&server.url);
    server.fault("FilePath=model.safetensors", 1, Fault::OtherBytes);
    let error = home.library().model(&source("modelscope:a/model")).unwrap_err().to_string();
    assert!(error.contains("does not have the expected content") && error.contains("use hf:"), "{error}");
    assert!(!holds(&home.path("ms"), "model.safetensors"));
    server.fault("/repo/files", 1, Fault::Login);
    let error = home.library().model(&source("modelscope:a/model")).unwrap_err().to_string();
    assert!(error.contains("with a web page") && error.contains("MODELSCOPE_ENDPOINT"), "{error}");
}

#[test]
fn a_message_of_the_server_does_not_steer_the_terminal() {
    let server = server();
    let home = Home::new(&server.url);
    server.fault("/api/v1/", usize::MAX, Fault::Message("\u{1b}[2J\u{1b}]0;x\u{7} no\nmore"));
    let error = home.library().model(&source("modelscope:a/model")).unwrap_err().to_string();
    assert!(!error.contains(char::is_control) && error.contains("\\u{1b}[2J"), "{error:?}");
}

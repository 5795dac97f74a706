//! The report in `docs/example`: it can be given away, and its links lead somewhere.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
};

use crate::data::shared;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/example")
}

fn files() -> Vec<(String, String)> {
    let read = |path: PathBuf| (path.display().to_string(), fs::read_to_string(&path).unwrap());
    let files: Vec<_> = fs::read_dir(folder()).unwrap().map(|entry| read(entry.unwrap().path())).collect();
    assert!(files.len() > 20, "{}", files.len());
    files
}

/// The targets of the links of a page that are files.
fn links(page: &str, text: &str) -> Vec<String> {
    let (before, after) = if page.ends_with(".md") { ("](", ')') } else { ("href=\"", '"') };
    let all = text.split(before).skip(1).filter_map(|rest| Some(rest.split_once(after)?.0.to_string()));
    all.filter(|link| !link.starts_with('#') && !link.contains("://")).collect()
}

#[test]
fn links_lead_to_files() {
    let mut found = 0;
    for (page, text) in files().iter().filter(|(name, _)| name.ends_with(".md") || name.ends_with(".html")) {
        for link in links(page, text) {
            let path = folder().join(link.split('#').next().unwrap());
            assert!(path.exists(), "{page}: {link}");
            found += 1;
        }
    }
    assert!(found > 40, "{found}");
}

#[test]
fn it_names_no_folder_of_the_machine_that_wrote_it() {
    for (name, text) in files() {
        for root in ["/root/", "/home/", "/tmp/", "/Users/"] {
            assert!(!text.contains(root), "{name}: {root}");
        }
    }
}

/// Texts of fewer characters are words that are also on the page by themselves.
const LONG: usize = 6;

/// The reviews are in `../shared/data`, if there is one; they are no part of this project.
#[test]
fn it_has_no_review() {
    let Some(path) = shared("data/waimai_10k.csv") else { return };
    let mut reader = csv::Reader::from_path(path).unwrap();
    let column = reader.headers().unwrap().iter().position(|name| name == "review").unwrap();
    let rows = reader.records().map(|row| row.unwrap()[column].trim().to_string());
    let reviews: HashSet<String> = rows.filter(|review| review.chars().count() >= LONG).collect();
    assert!(reviews.len() > 10_000, "{}", reviews.len());
    for (name, text) in files() {
        for review in &reviews {
            assert!(!text.contains(review.as_str()), "{name}: {review}");
        }
    }
}

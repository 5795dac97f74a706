//! Progress of reading and tokenising.

use std::sync::{Arc, Mutex};

use ::parquet::basic::Compression;
use taper::{
    data::{DataFiles, Listener, Progress, Tokens, read_files_telling},
    plan::LongTexts,
};

use super::{
    config, file, parquet,
    tokenizing::{VOCAB, load},
};

/// What a listener was told: the work, the rows and the share; `None` at its end.
type Told = Vec<Option<(String, u64, f64)>>;

fn listener() -> (Listener, Arc<Mutex<Told>>) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let heard = told.clone();
    let listener: Listener = Arc::new(move |progress: Progress| {
        heard.lock().unwrap().push(match progress {
            Progress::Reading { file, rows, share } => Some((file.to_owned(), rows, share)),
            Progress::Vocabulary { rows, of } => Some(("vocabulary".to_owned(), rows, rows as f64 / of as f64)),
            Progress::Tokenizing { rows, of } => Some(("tokens".to_owned(), rows, rows as f64 / of as f64)),
            Progress::Ended => None,
        });
    });
    (listener, told)
}

/// What was told about `work`, without the end, which has to be told last.
fn shares(told: &Mutex<Told>, work: &str) -> Vec<(u64, f64)> {
    let mut told = std::mem::take(&mut *told.lock().unwrap());
    assert_eq!(told.pop(), Some(None), "{work} ended");
    let shares: Vec<(u64, f64)> =
        told.into_iter().flatten().filter(|(name, ..)| name == work).map(|t| (t.1, t.2)).collect();
    assert!(shares.len() > 3 && shares.iter().all(|(_, share)| (0.0..=1.0).contains(share)), "{work}: {shares:?}");
    shares
}

#[test]
fn the_share_of_a_file_and_of_the_tokens_grows_to_one() {
    const ROWS: usize = 30_000;
    let mut csv = String::from("review,label\n");
    (0..ROWS).for_each(|row| csv += &format!("好吃 {row},{}\n", row % 2));
    let texts: Vec<String> = (0..ROWS).map(|row| format!("好吃 {row}")).collect();
    let rows: Vec<(Option<&str>, i64)> =
        texts.iter().zip(0..).map(|(text, row)| (Some(text.as_str()), row % 2)).collect();
    let parquet = parquet::write(&[&rows], Compression::SNAPPY);
    let (listener, told) = listener();
    for (name, bytes) in [("rows.csv", csv.into_bytes()), ("rows.parquet", parquet)] {
        let (_dir, path) = file(name, bytes);
        let files = DataFiles { source: vec![path], ..DataFiles::default() };
        let data = read_files_telling(&files, &config(), &listener).unwrap();
        let shares = shares(&told, name);
        assert!(shares.is_sorted() && shares[0].0 == 0, "{shares:?}");
        let (rows, share) = shares[shares.len() - 1];
        assert!(rows as usize + 4096 > ROWS && share > 0.9, "{rows} {share}");

        let tokenizer = Arc::new(load(&[("vocab.txt", VOCAB)]));
        let tokens = Tokens::of(tokenizer, Arc::new(data), LongTexts::from(16), listener.clone()).unwrap();
        assert!(told.lock().unwrap().is_empty(), "nothing is tokenised yet");
        tokens.encode_all().unwrap();
        let mut counts: Vec<u64> = self::shares(&told, "tokens").into_iter().map(|(rows, _)| rows).collect();
        counts.sort_unstable();
        assert_eq!(counts, (1..=7).map(|n| n * 4096).collect::<Vec<u64>>());
        tokens.encode_all().unwrap();
        assert!(told.lock().unwrap().is_empty(), "nothing is left to tokenise");
    }
}

#[test]
fn work_that_fails_ends_too() {
    let (listener, told) = listener();
    let (_dir, path) = file("rows.csv", "review,label\na\n");
    let files = DataFiles { source: vec![path], ..DataFiles::default() };
    assert!(read_files_telling(&files, &config(), &listener).is_err());
    assert_eq!(told.lock().unwrap().last(), Some(&None));
}

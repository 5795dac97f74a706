//! Second texts of rows and probes, which the database has since version 14.

use super::*;
use crate::{event::ProbeScore, plan::Probe};

/// Before version 14 rows and probes had one text: they keep it, and the same probe with a second text is another one.
#[test]
fn texts_of_before_pairs_stay_as_they_are() {
    let folder = folder();
    let old = older(folder.path(), 13);
    insert_run(&old, "k", "completed");
    old.execute_batch(
        "INSERT INTO predictions VALUES ('k', 'test', 3, 4, 'good', 0, 1, '[0.25, 0.75]');
         INSERT INTO probes VALUES ('k', 'after', 7, 'fine', '', 'positive', '[0.25, 0.75]');",
    )
    .unwrap();
    drop(old);
    let mut store = Store::open(folder.path()).unwrap();
    let predicted = store.predictions("k", Split::Test).unwrap();
    assert_eq!((predicted.len(), &predicted[0].text, &predicted[0].text_pair), (1, &"good".to_string(), &None));
    let probe =
        |text_pair: Option<&str>| Probe { text: "fine".into(), text_pair: text_pair.map(String::from), expect: None };
    let [one, two] = [probe(None), probe(Some("too"))];
    let before = store.probes("k", std::slice::from_ref(&one)).unwrap();
    assert_eq!((before.len(), before[0].step, &before[0].score.text_pair), (1, 7, &None));
    assert_eq!(store.probes("k", std::slice::from_ref(&two)).unwrap(), []);
    let score = ProbeScore { text_pair: Some("too".into()), predicted: "negative".into(), ..before[0].score.clone() };
    store.append("k", &[Event::ProbesScored { when: When::After, step: 7, scores: vec![score] }]).unwrap();
    let pairs: Vec<_> = store.probes("k", &[one, two]).unwrap();
    let pairs: Vec<_> = pairs.iter().map(|p| (p.score.text_pair.as_deref(), p.score.predicted.as_str())).collect();
    assert_eq!(pairs, [(None, "positive"), (Some("too"), "negative")]);
}

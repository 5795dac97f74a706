//! The folds of a cross-validation, and groups that stay together.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use taper::{
    data::{Dataset, SplitFile, Splits, read, split},
    event::Split,
    plan::{DataConfig, Fold},
};

use super::{config, file};

fn dataset(labels: &[u32], groups: &[u32]) -> Dataset {
    Dataset { groups: groups.to_vec(), ..super::splitting::dataset(labels) }
}

fn folded(fold: &str, dev: f64, stratify: bool, seed: u64) -> DataConfig {
    let group_column = Some("author".to_string());
    DataConfig {
        fold: Some(fold.parse().unwrap()),
        test: 0.0.into(),
        dev: dev.into(),
        stratify,
        seed,
        group_column,
        ..config()
    }
}

/// The splits of the run of each fold.
fn all(data: &Dataset, of: u64, dev: f64, stratify: bool, seed: u64) -> Vec<Splits> {
    let run =
        |fold: Fold| split(data, &folded(&fold.to_string(), dev, stratify, seed)).unwrap_or_else(|e| panic!("{e}"));
    Fold::all(of).map(run).collect()
}

fn sorted(mut rows: Vec<u32>) -> Vec<u32> {
    rows.sort_unstable();
    rows
}

fn groups_of(data: &Dataset, rows: &[u32]) -> BTreeSet<u32> {
    rows.iter().map(|&row| data.groups[row as usize]).collect()
}

/// What holds of the folds of any data: every row is tested once, by a run that neither trains on it nor chooses by it, and groups stay whole.
fn check(data: &Dataset, runs: &[Splits], what: &str) {
    let every: Vec<u32> = (0..data.rows.len() as u32).collect();
    assert_eq!(
        sorted(runs.iter().flat_map(|run| run.test.clone()).collect()),
        every,
        "{what}: each row is tested once"
    );
    for run in runs {
        let own = [&run.train[..], &run.dev, &run.test].concat();
        assert_eq!(sorted(own), every, "{what}: and is in one split of each run");
        assert_eq!(run.folds, runs.iter().map(|run| run.test.len()).collect::<Vec<_>>(), "{what}");
        if !data.groups.is_empty() {
            let [train, dev, test] = [&run.train, &run.dev, &run.test].map(|rows| groups_of(data, rows));
            assert!(train.is_disjoint(&test) && train.is_disjoint(&dev) && dev.is_disjoint(&test), "{what}");
        }
    }
}

#[derive(Deserialize)]
struct Case {
    name: String,
    labels: Vec<u32>,
    groups: Option<Vec<u32>>,
    folds: u64,
    /// scikit-learn's rows of each label in each fold.
    plain: Vec<Vec<u64>>,
    stratified: Vec<Vec<u64>>,
}

#[derive(Deserialize)]
struct Divisions {
    cases: Vec<Case>,
}

/// How far the rows of each label are from being divided evenly: the largest difference between a fold's share of a label and 1 / folds.
fn unevenness(counts: &[Vec<u64>]) -> f64 {
    let labels = counts[0].len();
    let total = |label: usize| counts.iter().map(|fold| fold[label]).sum::<u64>() as f64;
    let off = |fold: &Vec<u64>, label: usize| (fold[label] as f64 / total(label) - 1.0 / counts.len() as f64).abs();
    counts.iter().flat_map(|fold| (0..labels).map(move |label| off(fold, label))).fold(0.0, f64::max)
}

fn sizes(counts: &[Vec<u64>]) -> Vec<u64> {
    let mut sizes: Vec<u64> = counts.iter().map(|fold| fold.iter().sum()).collect();
    sizes.sort_unstable();
    sizes
}

/// Expected: scikit-learn 1.9.1 (tests/fixtures/folds/divisions.py). Which rows are in which fold depends on the random numbers; how many
/// of each label does not, and neither do the sizes of folds of groups.
#[test]
fn rows_are_divided_as_scikit_learn_divides_them() {
    let found: Divisions = serde_json::from_str(include_str!("../../fixtures/folds/divisions.json")).unwrap();
    assert_eq!(found.cases.len(), 5);
    for case in found.cases {
        let data = dataset(&case.labels, case.groups.as_deref().unwrap_or_default());
        for (stratify, want) in [(false, &case.plain), (true, &case.stratified)] {
            for seed in 0..5 {
                let what = format!("{}, stratify {stratify}, seed {seed}", case.name);
                let runs = all(&data, case.folds, 0.2, stratify, seed);
                check(&data, &runs, &what);
                let counts: Vec<Vec<u64>> = runs.iter().map(|run| data.class_counts(&run.test)).collect();
                match (stratify, case.groups.is_some()) {
                    // KFold, GroupKFold: as balanced.
                    (false, _) => assert_eq!(sizes(&counts), sizes(want), "{what}"),
                    // StratifiedKFold: of each label and of all together at most one more in one fold than in another.
                    (true, false) => {
                        let of_label = |counts: &[Vec<u64>], label: usize| {
                            let mut rows: Vec<u64> = counts.iter().map(|fold| fold[label]).collect();
                            rows.sort_unstable();
                            rows
                        };
                        for label in 0..data.labels.len() {
                            assert_eq!(of_label(&counts, label), of_label(want, label), "{what}, label {label}");
                        }
                        assert_eq!(sizes(&counts), sizes(want), "{what}");
                    }
                    // StratifiedGroupKFold is a heuristic, and so is this: not much less even.
                    (true, true) => {
                        let (own, theirs) = (unevenness(&counts), unevenness(want));
                        assert!(own <= theirs + 0.02, "{what}: {own} {theirs} {counts:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn the_folds_depend_on_the_seed_of_the_data_alone() {
    let labels = [0, 1].repeat(40);
    let data = dataset(&labels, &[]);
    let tests = |dev, seed| all(&data, 4, dev, true, seed).into_iter().map(|run| run.test).collect::<Vec<_>>();
    assert_eq!(tests(0.1, 1), tests(0.1, 1));
    // A larger dev split leaves the folds as they are.
    assert_eq!(tests(0.0, 1), tests(0.3, 1));
    assert_ne!(tests(0.1, 1), tests(0.1, 2));
    // The dev split is a share of all rows, as without folds, with the same share of each label, and another in each run.
    let runs = all(&data, 4, 0.1, true, 1);
    let devs: Vec<&Vec<u32>> = runs.iter().map(|run| &run.dev).collect();
    assert!(devs.iter().all(|dev| data.class_counts(dev) == [4, 4]), "{devs:?}");
    assert!(devs.windows(2).all(|pair| pair[0] != pair[1]));
    assert_eq!(runs[0].train.len(), 80 - 20 - 8);
    // Rows that a file or a column assigns to the dev split are in no fold.
    let own = Dataset { dev: (0..10).collect(), ..data.clone() };
    let runs = all(&own, 5, 0.0, false, 1);
    assert_eq!(sorted(runs.iter().flat_map(|run| run.test.clone()).collect()), (10..80).collect::<Vec<u32>>());
    assert!(runs.iter().all(|run| run.dev == (0..10).collect::<Vec<u32>>() && run.test.len() == 14));
}

#[test]
fn folds_that_cannot_be_formed_are_refused() {
    let says = |data: &Dataset, fold: &str, dev| split(data, &folded(fold, dev, false, 1)).unwrap_err().to_string();
    assert_eq!(
        says(&dataset(&[0, 1, 0], &[]), "1/5", 0.0),
        "5 folds need at least as many rows, but there are 3 rows: lower sweep.folds"
    );
    let groups = dataset(&[0, 1].repeat(10), &[0, 1, 2, 2, 2].repeat(4));
    assert_eq!(
        says(&groups, "1/5", 0.0),
        "5 folds need at least as many groups, but there are 3 groups: lower sweep.folds, or name another data.group_column"
    );
    let two = dataset(&[0, 1].repeat(10), &[0, 1].repeat(10));
    let said = says(&two, "1/2", 0.1);
    let want = "no rows remain for training: rows of a group stay together, and data.group_column forms only 1 group, but each of the 2 splits \
                needs one; the largest group has 10 of the 10 rows";
    assert!(said.starts_with(want), "{said}");
}

#[test]
fn folds_that_are_probably_a_mistake_are_warned_of_once_for_all() {
    let warned = |data: &Dataset, of| {
        let runs = all(data, of, 0.0, false, 3);
        let messages = |run: &Splits| run.warnings.iter().map(|w| w.message.clone()).collect::<Vec<_>>();
        assert!(runs.iter().all(|run| messages(run)[0] == messages(&runs[0])[0]), "the same of every run");
        messages(&runs[0]).remove(0)
    };
    let rare = [vec![0; 40], vec![1; 40], vec![2; 3]].concat();
    assert_eq!(
        warned(&dataset(&rare, &[]), 5),
        "1 label has fewer rows than there are folds (5), so some folds have no row with them: `2` (3 rows); use fewer folds, or add rows"
    );
    assert_eq!(
        warned(&dataset(&[0, 1].repeat(6), &[]), 3),
        "all folds together have 12 rows, too few to be conclusive: a single row changes accuracy by 8.3 points; use more rows"
    );
    // Every text twice, the second time 30 rows later.
    let mut twice = dataset(&[0, 1].repeat(30), &[]);
    (30..60).for_each(|i| twice.rows[i].text = twice.rows[i - 30].text.clone());
    let message = warned(&twice, 5);
    assert!(
        message.contains(" of the 60 rows (lines ") && message.contains("have a text that is also in another fold"),
        "{message}"
    );
    // Together with its copy each row is a group: none is in two folds.
    let groups: Vec<u32> = (0..30).chain(0..30).collect();
    let together = Dataset { groups, ..twice.clone() };
    let leaks = |run: &Splits| run.warnings.iter().any(|warning| warning.message.contains("also in"));
    assert!(all(&twice, 5, 0.4, false, 3).iter().any(leaks) && !all(&together, 5, 0.4, false, 3).iter().any(leaks));
    let large: Vec<u32> = (0..60).map(|i| if i < 40 { 0 } else { i }).collect();
    assert_eq!(
        warned(&dataset(&[0, 1].repeat(30), &large), 3),
        "the folds have from 10 to 40 rows: the groups of `author` are too large to divide the rows evenly; use fewer folds, or smaller groups"
    );
}

#[test]
fn random_splits_keep_groups_together() {
    // 120 groups of 1 to 8 rows.
    let groups: Vec<u32> = (0..120).flat_map(|group| vec![group; 1 + (group as usize * 7) % 8]).collect();
    let labels: Vec<u32> = (0..groups.len() as u32).map(|i| u32::from(i % 5 == 0)).collect();
    let data = dataset(&labels, &groups);
    let n = groups.len() as f64;
    let mut tested = BTreeMap::new();
    for seed in 0..40 {
        for stratify in [false, true] {
            let group_column = Some("author".to_string());
            let config = DataConfig { test: 0.2.into(), dev: 0.1.into(), seed, stratify, group_column, ..config() };
            let splits = split(&data, &config).unwrap();
            let own = [&splits.train[..], &splits.dev, &splits.test].concat();
            assert_eq!(sorted(own), (0..groups.len() as u32).collect::<Vec<u32>>());
            let [train, dev, test] = [&splits.train, &splits.dev, &splits.test].map(|rows| groups_of(&data, rows));
            assert!(train.is_disjoint(&test) && train.is_disjoint(&dev) && dev.is_disjoint(&test));
            // Within a group of what was asked for.
            for (rows, share) in [(&splits.test, 0.2), (&splits.dev, 0.1)] {
                assert!((rows.len() as f64 - share * n).abs() <= 6.0, "{} of {n} for {share}", rows.len());
            }
            if stratify {
                let of_label = data.class_counts(&splits.test)[1] as f64 / splits.test.len() as f64;
                assert!((of_label - 0.2).abs() < 0.05, "{of_label}");
            } else {
                test.into_iter().for_each(|group| *tested.entry(group).or_insert(0) += 1);
            }
            assert!(splits.warnings.is_empty(), "{:?}", splits.warnings);
        }
    }
    // Large groups are not tested more often than small ones: each in about 8 of 40.
    let mean = |sizes: fn(usize) -> bool| {
        let of = |group: u32| groups.iter().filter(|other| **other == group).count();
        let those: Vec<f64> = (0..120)
            .filter(|group| sizes(of(*group)))
            .map(|group| f64::from(*tested.get(&group).unwrap_or(&0)))
            .collect();
        those.iter().sum::<f64>() / those.len() as f64
    };
    let (small, large) = (mean(|size| size <= 2), mean(|size| size >= 7));
    assert!((6.0..10.0).contains(&small) && (6.0..10.0).contains(&large), "{small} {large}");
}

#[test]
fn groups_that_are_too_large_are_warned_of_or_refused() {
    let with = |groups: Vec<u32>, test: f64, dev: f64| {
        let labels: Vec<u32> = (0..groups.len() as u32).map(|i| i % 2).collect();
        let group_column = Some("author".to_string());
        split(&dataset(&labels, &groups), &DataConfig { test: test.into(), dev: dev.into(), group_column, ..config() })
    };
    // A split has at least one group.
    let splits = with([vec![0; 60], vec![1; 60]].concat(), 0.1, 0.0).unwrap();
    assert_eq!((splits.train.len(), splits.test.len()), (60, 60));
    assert_eq!(
        splits.warnings[0].message,
        "the test split has 60 rows (50.0%), not the 10.0% asked for: rows of a group stay together, and the groups of `author` are too \
         large; change data.test, or use smaller groups"
    );
    // Without rows that are split at random it does nothing.
    let nothing = with((0..60).collect(), 0.0, 0.0).unwrap().warnings;
    assert!(
        nothing[0].message.starts_with("data.group_column (`author`) has no effect: no rows are split at random"),
        "{nothing:?}"
    );
    let error = with([vec![0; 30], vec![1; 30]].concat(), 0.2, 0.2).unwrap_err().to_string();
    let want = "data.group_column forms only 2 groups, but each of the 3 splits needs one; the largest group has 30 of the 60 rows (see line 2)";
    assert!(error.contains(want), "{error}");
    // One of two thirds of the rows, or more, is trained on, and the others are shared out.
    for (groups, want) in [
        ([vec![0; 60], (1..21).collect()].concat(), [60, 10, 10]),
        ([vec![0; 70], vec![1; 5], vec![2; 5]].concat(), [70, 5, 5]),
        ([vec![0; 60], vec![1; 19], vec![2]].concat(), [60, 1, 19]),
    ] {
        let data = dataset(&(0..80).map(|i| i % 2).collect::<Vec<u32>>(), &groups);
        for seed in 0..20 {
            let group_column = Some("author".to_string());
            let config = DataConfig { test: 0.25.into(), dev: 0.25.into(), seed, group_column, ..config() };
            let splits = split(&data, &config).unwrap();
            assert_eq!([&splits.train, &splits.dev, &splits.test].map(Vec::len), want, "{seed}");
            let [train, dev, test] = [&splits.train, &splits.dev, &splits.test].map(|rows| groups_of(&data, rows));
            assert!(train.is_disjoint(&test) && train.is_disjoint(&dev) && dev.is_disjoint(&test));
            let told = splits.warnings.iter().any(|warning| warning.message.contains("rows of a group stay together"));
            assert!(told, "{:?}", splits.warnings);
        }
    }
}

/// Groups are read from every form, with their rows: those that are dropped have none.
#[test]
fn groups_are_read_from_every_form() {
    let by = |column: &str| DataConfig { group_column: Some(column.into()), test: 0.0.into(), ..config() };
    let csv = "label,review,author\n1,a,x\n0,,y\n1,b,z\n0,c, x \n1,d,7\n0,e,z\n";
    let lines = csv.lines().skip(1).map(|line| {
        let cells: Vec<&str> = line.split(',').collect();
        let author = if cells[2] == "7" { "7".to_string() } else { format!("{:?}", cells[2]) };
        format!("{{\"author\": {author}, \"label\": {}, \"review\": {:?}}}", cells[0], cells[1])
    });
    let lines: Vec<String> = lines.collect();
    let want = [0, 1, 0, 2, 1];
    for (name, text) in [
        ("a.csv", csv.to_string()),
        ("a.tsv", csv.replace(',', "\t")),
        ("a.jsonl", lines.join("\n")),
        ("a.json", format!("[{}]", lines.join(","))),
    ] {
        let (_dir, path) = file(name, text);
        let data = read(&path, &by("author")).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(data.groups, want, "{name}");
        // Rows that data.limit draws keep their groups.
        let few = read(&path, &DataConfig { limit: Some(3), seed: 1, ..by("author") }).unwrap();
        let group_of = |text: &str| want["abcde".find(text).unwrap()];
        assert_eq!(few.groups, few.rows.iter().map(|row| group_of(&row.text)).collect::<Vec<_>>(), "{name}");
    }
    let forms =
        |name: &str| std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/forms").join(name);
    let texts = |column: &str| DataConfig { text_column: "text".into(), ..by(column) };
    // Each row of the workbook has a number, two of which have no text or no label.
    assert_eq!(read(&forms("rows.xlsx"), &texts("编号")).unwrap().groups, [0, 1, 2, 3, 4, 5]);
    assert_eq!(read(&forms("rows.parquet"), &texts("label")).unwrap().groups, [0, 1, 1, 0, 0, 1]);
    let (_dir, path) = file("a.csv", csv);
    let error = read(&path, &by("autor")).unwrap_err().to_string();
    assert!(error.contains("no column `autor`, which data.group_column names") && error.contains("author"), "{error}");
}

#[test]
fn a_row_without_a_group_is_refused_with_its_line() {
    let config = |missing: &[&str]| DataConfig {
        group_column: Some("author".into()),
        missing: missing.iter().map(|value| (*value).to_string()).collect(),
        ..config()
    };
    let (_dir, path) = file("a.csv", "label,review,author\n1,a,x\n0,b,\n1,c,NA\n0,,\n0,d,y\n");
    let error = read(&path, &config(&[])).unwrap_err().to_string();
    assert!(
        error.contains("line 3: `author` is empty, so this row's group is unknown: give it the value of its group"),
        "{error}"
    );
    let error = read(&path, &config(&["NA"])).unwrap_err().to_string();
    assert!(error.contains("lines 3 and 4: `author` is empty"), "{error}");
}

/// A group that a column puts into dev chooses what is tested on its other rows.
#[test]
fn groups_of_dev_rows_that_are_tested_too_are_warned_of() {
    let said = |splits: &Splits| {
        let of_dev = splits.warnings.iter().filter(|warning| warning.message.contains("also in the dev split"));
        of_dev.map(|warning| (warning.message.clone(), warning.lines.clone())).collect::<Vec<_>>()
    };
    // Groups of two rows; rows 0 and 2 are in dev.
    let groups: Vec<u32> = (0..60).map(|i| i / 2).collect();
    let data = Dataset { dev: vec![0, 2], ..dataset(&[0, 1].repeat(30), &groups) };
    for run in all(&data, 5, 0.0, false, 3) {
        let found = said(&run);
        assert_eq!((found.len(), &found[0].1), (1, &vec![3, 5]), "the same of the run of each fold");
        assert!(
            found[0].0.starts_with(
                "2 rows (lines 3 and 5) are of a group of `author` that is also in the dev split, because"
            ),
            "{found:?}"
        );
    }
    let config = |data: &Dataset| {
        let group_column = Some("author".to_string());
        split(data, &DataConfig { test: 0.0.into(), dev: 0.0.into(), group_column, ..config() }).unwrap()
    };
    let test = Dataset { test: vec![1, 9], ..data.clone() };
    let found = said(&config(&test));
    assert_eq!((found.len(), &found[0].1), (1, &vec![3]));
    assert!(found[0].0.starts_with("1 test row (line 3) is of a group of `author`"), "{found:?}");
    let apart = Dataset { dev: vec![0, 1], test: vec![8, 9], ..data };
    assert_eq!(said(&config(&apart)), []);
}

/// Lines of `data.source` have its name where the dev split has a file of its own.
#[test]
fn rows_that_are_known_elsewhere_have_their_file() {
    let mut data = dataset(&[0, 1].repeat(40), &[]);
    (20..40).for_each(|i| data.rows[i].text = data.rows[i - 20].text.clone());
    let file = SplitFile {
        split: Split::Dev,
        name: "dev.csv".into(),
        more_files: 0,
        sources: Vec::new(),
        rows: 60..80,
        cleaning: Default::default(),
        notes: Vec::new(),
    };
    data.files.push(file);
    data.dev = (60..80).collect();
    // The last five rows of the file have texts of data.source.
    (75..80).for_each(|i| data.rows[i].text = format!("t{}", i - 30).into());
    let of = |what: &str, warnings: &[taper::warning::Warning]| {
        let found = warnings.iter().find(|warning| warning.message.contains(what));
        found.unwrap_or_else(|| panic!("{warnings:?}")).message.clone()
    };
    let run = &all(&data, 3, 0.0, false, 3)[0];
    let folds = of("also in another fold", &run.warnings);
    assert!(
        folds.contains("of the 60 rows (lines 2, ") && folds.contains(" more of data.source) have a text"),
        "{folds}"
    );
    let dev = of("20 dev rows", &run.warnings);
    assert!(dev.contains(" of dev.csv) ") && dev.contains("remove these rows from dev.csv"), "{dev}");
    let splits = split(&data, &DataConfig { test: 0.3.into(), dev: 0.0.into(), ..config() }).unwrap();
    let test = of("18 test rows", &splits.warnings);
    assert!(test.contains(" of data.source) "), "{test}");
}

//! Which rows train, choose and measure.

use std::collections::HashMap;

use taper::{
    data::{Dataset, Row, Splits, epoch_order, leaks, split},
    event::Split,
    plan::{DataConfig, Fold},
    task::Target,
};

use crate::data::config;

/// Rows of `test` whose text is exactly that of a row of `train`.
fn leaked(data: &Dataset, train: &[u32], test: &[u32]) -> usize {
    let splits = Splits { train: train.into(), test: test.into(), ..Splits::default() };
    let found = leaks(data, &splits);
    found.iter().find(|leak| (leak.rows_of, leak.also_in) == (Split::Test, Split::Train)).map_or(0, |leak| leak.exact)
}

/// Rows `t0`, `t1`, … with these labels.
pub fn dataset(labels: &[u32]) -> Dataset {
    let row = |(i, &label)| Row {
        line: i as u64 + 2,
        text: format!("t{i}").into(),
        text_pair: None,
        target: Target::Label(label),
    };
    let classes = labels.iter().max().map_or(0, |max| max + 1);
    Dataset {
        rows: labels.iter().enumerate().map(row).collect(),
        labels: (0..classes).map(|id| id.to_string()).collect(),
        ..Dataset::default()
    }
}

fn shares(test: f64, dev: f64) -> DataConfig {
    DataConfig { test: test.into(), dev: dev.into(), ..config() }
}

fn sizes(splits: &Splits) -> [usize; 3] {
    [splits.train.len(), splits.dev.len(), splits.test.len()]
}

fn sorted(splits: &Splits) -> Vec<u32> {
    let mut all = [&splits.train[..], &splits.dev, &splits.test].concat();
    all.sort_unstable();
    all
}

#[test]
fn sizes_are_rounded_and_every_row_is_in_one_split() {
    let data = dataset(&[0; 11_987]);
    let splits = split(&data, &shares(0.2, 0.0)).unwrap();
    assert_eq!(sizes(&splits), [9590, 0, 2397]);
    assert_eq!(sizes(&split(&data, &shares(0.1, 0.05)).unwrap()), [10_189, 599, 1199]);
    assert_eq!(sizes(&split(&data, &shares(0.0, 0.0)).unwrap()), [11_987, 0, 0]);
    assert_eq!(sorted(&splits), (0..11_987).collect::<Vec<u32>>());
    assert!(!splits.train.is_sorted() && !splits.test.is_sorted());
}

#[test]
fn the_seed_alone_decides() {
    let data = dataset(&[0, 1].repeat(50));
    let by = |seed| split(&data, &DataConfig { seed, ..shares(0.2, 0.1) }).unwrap();
    assert_eq!(by(1), by(1));
    assert_ne!(by(1).test, by(2).test);
    // A larger dev split leaves the test rows as they are, so that results stay comparable.
    assert_eq!(by(1).test, split(&data, &DataConfig { seed: 1, ..shares(0.2, 0.4) }).unwrap().test);
}

/// Rows with these targets, of so many labels or columns.
fn targets(targets: Vec<Target>, labels: u32) -> Dataset {
    let mut data = dataset(&vec![0; targets.len()]);
    data.rows.iter_mut().zip(targets).for_each(|(row, target)| row.target = target);
    data.labels = (0..labels).map(|id| id.to_string()).collect();
    data
}

/// By how many rows the number of any label in a split is at most off its share of all rows.
fn off(data: &Dataset, all: &[u32], parts: &[&[u32]]) -> f64 {
    let counts = data.class_counts(all);
    let of_part = |part: &&[u32]| {
        let share = part.len() as f64 / all.len() as f64;
        let off = |(have, all): (u64, &u64)| (have as f64 - *all as f64 * share).abs();
        data.class_counts(part).into_iter().zip(&counts).map(off).fold(0.0, f64::max)
    };
    parts.iter().map(of_part).fold(0.0, f64::max)
}

/// Twelve labels of different frequencies, of which some come together, and rows without any. At random a label is off by several rows;
/// `tests/fixtures/stratified/make.py` prints how far.
#[test]
fn stratified_splits_share_out_labels_of_which_a_row_has_several() {
    let has = |row: u32, id: u32| {
        (row * 2_654_435_761u32.wrapping_add(id * 40_503)).rotate_left(id).is_multiple_of(3 + 2 * id)
    };
    let set =
        |row: u32| (0..12).filter(|id| has(row, *id) || *id == 1 && has(row, 0) && !row.is_multiple_of(3)).collect();
    let data = targets((0..500).map(|row| Target::labels(set(row))).collect(), 12);
    let counts = data.class_counts(&(0..500).collect::<Vec<u32>>());
    assert!(counts.iter().any(|rows| *rows < 30) && counts.iter().any(|rows| *rows > 150), "{counts:?}");
    assert!(data.rows.iter().any(|row| row.target.ids().is_empty()));
    let all: Vec<u32> = (0..500).collect();
    let of = |seed, stratify| split(&data, &DataConfig { seed, stratify, ..shares(0.2, 0.1) }).unwrap();
    let (mut worst, mut plain) = (0.0f64, f64::INFINITY);
    for seed in 0..20 {
        let splits = of(seed, true);
        assert_eq!(sizes(&splits), [350, 50, 100]);
        assert_eq!(sorted(&splits), all);
        worst = worst.max(off(&data, &all, &[&splits.train, &splits.dev, &splits.test]));
        let splits = of(seed, false);
        plain = plain.min(off(&data, &all, &[&splits.train, &splits.dev, &splits.test]));
    }
    assert!(worst <= 1.5 && plain > 2.0, "{worst} {plain}");
    assert_eq!(of(3, true), of(3, true));
    assert_ne!(of(3, true).test, of(4, true).test);
    // A larger dev split leaves the test rows as they are.
    let larger = split(&data, &DataConfig { seed: 3, stratify: true, ..shares(0.2, 0.4) }).unwrap();
    assert_eq!(larger.test, of(3, true).test);
    assert!(!of(3, true).train.is_sorted(), "they are in a random order");

    // Folds: each row once, sizes equal, and each fold with its share of each label.
    let folded = |index: u32, stratify| {
        let fold: Fold = format!("{index}/5").parse().unwrap();
        let config = DataConfig { fold: Some(fold), seed: 3, stratify, ..shares(0.0, 0.1) };
        split(&data, &config).unwrap()
    };
    let folds = |stratify| (1..=5).map(|index| folded(index, stratify).test).collect::<Vec<_>>();
    let stratified = folds(true);
    assert!(stratified.iter().all(|fold| fold.len() == 100));
    let mut together = stratified.concat();
    together.sort_unstable();
    assert_eq!(together, all);
    let parts = |folds: &[Vec<u32>]| off(&data, &all, &folds.iter().map(Vec::as_slice).collect::<Vec<_>>());
    assert!(parts(&stratified) <= 2.5 && parts(&folds(false)) > 4.0, "{} {}", parts(&stratified), parts(&folds(false)));
    let run = folded(2, true);
    let rest: Vec<u32> = [&run.train[..], &run.dev].concat();
    assert!(run.dev.len() == 50 && off(&data, &rest, &[&run.dev]) <= 1.5, "{}", off(&data, &rest, &[&run.dev]));
}

/// Groups stay together, and labels are more even than at random: as far as whole groups, taken in random order, allow.
#[test]
fn stratified_groups_share_out_labels_of_which_a_row_has_several() {
    let groups: Vec<u32> = (0..150).flat_map(|group| vec![group; 1 + group as usize % 3]).collect();
    let set = |row: usize| {
        (0..4).filter(|id| (row * 7 + groups[row] as usize * 5).is_multiple_of(2 + 3 * *id as usize)).collect()
    };
    let data = targets((0..groups.len()).map(|row| Target::labels(set(row))).collect(), 4);
    let data = Dataset { groups: groups.clone(), ..data };
    let all: Vec<u32> = (0..groups.len() as u32).collect();
    let (mut stratified, mut plain) = (0.0, 0.0);
    for seed in 0..40 {
        let of = |stratify| {
            let config = DataConfig { seed, stratify, group_column: Some("author".into()), ..shares(0.2, 0.0) };
            split(&data, &config).unwrap()
        };
        let splits = of(true);
        stratified += off(&data, &all, &[&splits.test]) / 40.0;
        plain += off(&data, &all, &[&of(false).test]) / 40.0;
        let of =
            |rows: &[u32]| rows.iter().map(|row| groups[*row as usize]).collect::<std::collections::HashSet<u32>>();
        assert!(of(&splits.train).is_disjoint(&of(&splits.test)));
        assert!(splits.test.len().abs_diff(60) <= 6, "{}", splits.test.len());
    }
    assert!(stratified < 3.5 && stratified < 0.95 * plain, "{stratified} {plain}");
}

/// Numbers: each split has its share of each tenth of the values. Expected tenths: pandas' `qcut(values, 10)`, whose edges are the deciles.
#[test]
fn stratified_splits_of_numbers_have_the_same_values() {
    // 200 different values in a scattered order, and 40 equal ones above them, which no edge divides.
    let value = |row: u32| if row < 200 { f64::from(row * 77 % 200) / 10.0 } else { 99.0 };
    let data = targets((0..240).map(|row| Target::values(vec![value(row)])).collect(), 1);
    let config = |seed, stratify| DataConfig { seed, stratify, ..shares(0.25, 0.0) };
    let lowest = |rows: &[u32], to: f64| rows.iter().filter(|row| value(**row) < to).count();
    let mut random = std::collections::HashSet::new();
    for seed in 0..20 {
        let splits = split(&data, &config(seed, true)).unwrap();
        assert_eq!(sizes(&splits), [180, 0, 60]);
        // 24 rows a tenth: the values below 2.4, 4.8, …, of which the test split has six each; of the 40 equal ones and the 8 before
        // them, which the last two tenths would divide, its quarter.
        for tenth in 1..=8usize {
            assert_eq!(lowest(&splits.test, 2.4 * tenth as f64 - 0.05), 6 * tenth, "seed {seed}, tenth {tenth}");
        }
        random.insert(lowest(&split(&data, &config(seed, false)).unwrap().test, 2.35));
    }
    assert!(random.len() > 2, "{random:?}");

    // Of two columns each is divided so.
    let row = |row: u32| Target::values(vec![f64::from(row * 77 % 200), f64::from(row * 31 % 200)]);
    let data = targets((0..200).map(row).collect(), 2);
    let splits = split(&data, &config(5, true)).unwrap();
    for column in 0..2 {
        for tenth in 1..=10 {
            let below = |row: &&u32| data.rows[**row as usize].target.numbers()[column] < 20.0 * f64::from(tenth);
            let have = splits.test.iter().filter(below).count();
            assert!(have.abs_diff(5 * tenth as usize) <= 2, "column {column}, tenth {tenth}: {have}");
        }
    }
}

#[test]
fn stratified_splits_share_out_every_label() {
    // 70, 27 and 3 rows; a tenth each would be 7, 2.7 and 0.3.
    let labels = [vec![0; 70], vec![1; 27], vec![2; 3]].concat();
    let data = dataset(&labels);
    for seed in 0..20 {
        let config = DataConfig { seed, stratify: true, ..shares(0.1, 0.2) };
        let splits = split(&data, &config).unwrap();
        assert_eq!(sizes(&splits), [70, 20, 10]);
        assert_eq!(data.class_counts(&splits.test), [7, 3, 0]);
        // Of the 63, 24 and 3 that are left, 20 in 90: 14, 5.33 and 0.67.
        assert_eq!(data.class_counts(&splits.dev), [14, 5, 1]);
        assert_eq!(sorted(&splits), (0..100).collect::<Vec<u32>>());
    }
    // A plain split of the same data does not come out even.
    let counts = |seed| data.class_counts(&split(&data, &DataConfig { seed, ..shares(0.1, 0.2) }).unwrap().test);
    assert!((0..20).any(|seed| counts(seed) != [7, 3, 0]));
    // Labels with a single row, and large shares.
    let data = dataset(&(0..10).collect::<Vec<u32>>());
    let splits = split(&data, &DataConfig { stratify: true, ..shares(0.5, 0.4) }).unwrap();
    assert_eq!(sizes(&splits), [1, 4, 5]);
}

#[test]
fn empty_splits_are_refused() {
    let data = dataset(&[0, 1].repeat(6));
    let says = |test, dev| split(&data, &shares(test, dev)).unwrap_err().to_string();
    let empty = |split| {
        format!("the {split} split is empty: 0.01 of 12 rows rounds to none; raise data.{split} to 0.05 or more")
    };
    // To 0 the dev split may be set, the test split may not.
    assert_eq!(says(0.01, 0.1), empty("test"));
    assert_eq!(says(0.1, 0.01), format!("{}, or set it to 0", empty("dev")));
    assert!(split(&data, &shares(0.05, 0.05)).is_ok(), "the advice is good");
    assert_eq!(
        says(0.5, 0.5),
        "no rows remain for training: of 12 rows, test takes 6 and dev takes 6; lower data.test or data.dev"
    );
    assert_eq!(
        says(0.99, 0.0),
        "no rows remain for training: of 12 rows, test takes 12 and dev takes 0; lower data.test"
    );
    assert!(says(1e300, 0.0).starts_with("no rows remain for training"));
}

#[test]
fn each_epoch_has_an_order_of_its_own() {
    let rows: Vec<u32> = (0..100).map(|i| i * 3).collect();
    let order = epoch_order(&rows, 1, 1);
    assert_eq!(order, epoch_order(&rows, 1, 1));
    assert_ne!(order, epoch_order(&rows, 1, 2));
    assert_ne!(order, epoch_order(&rows, 2, 1));
    assert_ne!(order, rows);
    let mut back = order;
    back.sort_unstable();
    assert_eq!(back, rows);
    assert!(epoch_order(&[], 1, 1).is_empty());
}

#[test]
fn every_row_is_equally_likely_to_be_tested() {
    let data = dataset(&[0; 10]);
    let mut tested: HashMap<u32, u32> = HashMap::new();
    for seed in 0..2000 {
        for row in split(&data, &DataConfig { seed, ..shares(0.2, 0.0) }).unwrap().test {
            *tested.entry(row).or_default() += 1;
        }
    }
    // Each is a binomial count of mean 400 and standard deviation 18.
    assert!((0..10).all(|row| (310..490).contains(&tested[&row])), "{tested:?}");
}

#[test]
fn texts_that_leak_are_counted() {
    let mut data = dataset(&[0, 1, 0, 1, 0]);
    data.rows[3].text = "t0".into();
    data.rows[4].text = "t0".into();
    assert_eq!(leaked(&data, &[0, 1, 2], &[3, 4]), 2);
    assert_eq!(leaked(&data, &[1, 2], &[0, 3, 4]), 0);
    assert_eq!(leaked(&data, &[], &[0]), 0);
}

#[test]
fn held_out_rows_that_training_has_seen_are_warned_of_from_one_in_twenty() {
    // 60 texts, each on two lines: most of the test rows are also trained on.
    let mut data = dataset(&[0, 1].repeat(60));
    for i in 0..60 {
        data.rows[i + 60].text = data.rows[i].text.clone();
    }
    let splits = split(&data, &shares(0.25, 0.2)).unwrap();
    let found: Vec<_> = splits.warnings.iter().filter(|w| w.message.contains("also in the train split")).collect();
    assert_eq!(found.len(), 2, "one for the test and one for the dev rows: {found:?}");
    let n = leaked(&data, &splits.train, &splits.test);
    assert!(found[0].message.starts_with(&format!("{n} of the 30 test rows (lines ")), "{found:?}");
    assert!(found[0].message.contains("measure memorisation, not generalisation"), "{found:?}");
    let own = |line: &u64| splits.test.iter().any(|row| data.rows[*row as usize].line == *line);
    assert!(!found[0].lines.is_empty() && found[0].lines.iter().all(own), "{found:?}");
    assert!(found[1].message.contains(" of the 24 dev rows (lines "), "{found:?}");
    // One of 40 is no doubt of the result, two are.
    for (repeated, warned) in [(1, false), (2, true)] {
        let mut data = dataset(&[0, 1].repeat(100));
        let splits = split(&data, &shares(0.2, 0.0)).unwrap();
        for i in 0..repeated {
            data.rows[splits.test[i] as usize].text = data.rows[splits.train[i] as usize].text.clone();
        }
        let splits = split(&data, &shares(0.2, 0.0)).unwrap();
        assert_eq!(leaked(&data, &splits.train, &splits.test), repeated);
        let found = splits.warnings.iter().any(|w| w.message.contains("also in the train split"));
        assert_eq!(found, warned, "{:?}", splits.warnings);
    }
}

/// Messages of the warnings, and the lines they name.
fn warned(labels: &[u32], config: &DataConfig) -> Vec<(String, Vec<u64>)> {
    let splits = split(&dataset(labels), config).unwrap();
    splits.warnings.into_iter().map(|warning| (warning.message, warning.lines)).collect()
}

#[test]
fn splits_that_are_too_small_are_warned_of() {
    let labels = [0, 1].repeat(60);
    assert_eq!(warned(&labels, &shares(0.2, 0.2)), []);
    let found = warned(&labels, &shares(0.05, 0.2));
    assert_eq!(
        found[0].0,
        "the test split has 6 rows, too few to be conclusive: a single row changes accuracy by 16.7 points; raise \
         data.test, or use more rows"
    );
    assert!(warned(&labels, &shares(0.2, 0.01))[0].0.starts_with("the dev split has 1 row, too few"));
}

#[test]
fn labels_that_a_split_lacks_are_named_with_their_lines() {
    // Label 2 has one row: it is trained on, or held out, as the seed has it.
    let labels = [vec![0; 50], vec![1; 50], vec![2; 1]].concat();
    let mut seen = [false; 2];
    for seed in 0..20 {
        let config = DataConfig { seed, ..shares(0.3, 0.3) };
        let found = warned(&labels, &config);
        let trained = found.iter().any(|(m, lines)| {
            m.starts_with("only one row has the label `2` (line 102): it is used for training and never evaluated")
                && *lines == [102]
        });
        let held_out = found.iter().any(|(m, lines)| {
            m.starts_with(
                "no training row has the label `2`, so the 1 held-out row with this label (line 102) cannot be \
                 predicted correctly",
            ) && *lines == [102]
        });
        assert!(trained != held_out, "{found:?}");
        seen[usize::from(held_out)] = true;
    }
    assert_eq!(seen, [true; 2]);

    // Two rows of it, stratified: none is left for the test split.
    let labels = [vec![0; 60], vec![1; 60], vec![2; 2]].concat();
    let found = warned(&labels, &DataConfig { stratify: true, ..shares(0.2, 0.0) });
    assert!(
        found.iter().any(|(m, _)| m.starts_with("no test row has the label `2`, so it is not evaluated there")
            && !m.contains("data.stratify")),
        "{found:?}"
    );
    // A label that data.labels names and no row has.
    let mut data = dataset(&[0, 1].repeat(60));
    data.labels.push("none".into());
    let warnings = split(&data, &shares(0.2, 0.0)).unwrap().warnings;
    assert_eq!(warnings[0].message, "no row has the label `none`: the model cannot learn it");
}

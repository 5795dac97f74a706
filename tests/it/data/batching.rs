//! Token streams and batches.

use taper::{
    data::{Cleaning, Dataset, LengthStats, Row, Tokens, batch, by_length, by_tokens},
    task::Target,
};

/// Rows of these lengths: row i is 10i, 10i + 1, …
fn tokens(lengths: &[u32]) -> Tokens {
    let row = |(row, &length): (usize, &u32)| (0..length).map(|i| 10 * row as u32 + i).collect();
    Tokens::given(lengths.iter().enumerate().map(row).collect())
}

#[test]
fn a_batch_is_one_stream() {
    let row = |label| Row { line: 1, text: "".into(), text_pair: None, target: Target::Label(label) };
    let data = Dataset {
        rows: vec![row(0), row(1), row(2)],
        labels: ["a", "b", "c"].map(String::from).into(),
        digest: String::new(),
        cleaning: Cleaning::default(),
        warnings: Vec::new(),
        ..Dataset::default()
    };
    let packed = batch(&data, &tokens(&[3, 2, 4]), &[2, 0]).unwrap();
    assert_eq!(packed.ids, [20, 21, 22, 23, 0, 1, 2]);
    assert_eq!(packed.positions, [0, 1, 2, 3, 0, 1, 2]);
    assert_eq!(packed.offsets, [0, 4, 7]);
    assert_eq!(
        (packed.targets.as_slice(), packed.rows.as_slice()),
        ([2, 0].map(Target::Label).as_slice(), [2, 0].as_slice())
    );
    assert_eq!((packed.first_row, packed.first_token), (0, 0));
    let moved = packed.clone().at_offset(2, 7);
    assert_eq!((moved.first_row, moved.first_token, moved.ids), (2, 7, packed.ids));
    assert_eq!(batch(&data, &tokens(&[3, 2, 4]), &[]).unwrap().offsets, [0]);
}

#[test]
fn lengths_are_nearest_rank_percentiles() {
    let lengths: Vec<usize> = (1..=200).rev().collect();
    let stats = LengthStats::new(lengths, 150);
    assert_eq!(
        stats,
        LengthStats { mean: 100.5, p50: 100, p90: 180, p99: 198, max: 200, truncated: 50, longer_than_counted: 0 }
    );
    assert_eq!(LengthStats::new(vec![7], 7).p50, 7);
    assert_eq!(LengthStats::new(vec![7], 7).truncated, 0);
    assert_eq!(LengthStats::new(vec![], 7), LengthStats::default());
}

#[test]
fn parts_of_so_many_tokens_at_most() {
    assert_eq!(by_tokens([3, 3, 4, 5, 20, 1, 9], 10), [0..3, 3..4, 4..5, 5..7]);
    assert_eq!(by_tokens([20], 10).len(), 1);
    assert!(by_tokens([], 10).is_empty());
}

#[test]
fn rows_of_like_length_share_a_batch() {
    assert_eq!(by_length(&[5, 2, 9, 2, 5, 30, 1], 10), [vec![6, 1, 3, 0], vec![4], vec![2], vec![5]]);
    assert!(by_length(&[], 10).is_empty());
}

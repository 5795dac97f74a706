//! Token streams and batches.

use taper::data::{Cleaning, Dataset, LengthStats, Row, Tokens, batch, by_tokens};

/// Rows of these lengths: row i is 10i, 10i + 1, …
fn tokens(lengths: &[u32]) -> Tokens {
    let mut tokens = Tokens { ids: Vec::new(), offsets: vec![0] };
    for (row, &length) in lengths.iter().enumerate() {
        tokens.ids.extend((0..length).map(|i| 10 * row as u32 + i));
        tokens.offsets.push(tokens.ids.len() as u32);
    }
    tokens
}

#[test]
fn a_batch_is_one_stream() {
    let row = |label| Row { line: 1, text: String::new(), label };
    let data = Dataset {
        rows: vec![row(0), row(1), row(2)],
        labels: ["a", "b", "c"].map(String::from).into(),
        digest: String::new(),
        cleaning: Cleaning::default(),
    };
    let made = batch(&data, &tokens(&[3, 2, 4]), &[2, 0]);
    assert_eq!(made.ids, [20, 21, 22, 23, 0, 1, 2]);
    assert_eq!(made.positions, [0, 1, 2, 3, 0, 1, 2]);
    assert_eq!(made.offsets, [0, 4, 7]);
    assert_eq!((made.labels.as_slice(), made.rows.as_slice()), ([2, 0].as_slice(), [2, 0].as_slice()));
    assert_eq!((made.first_row, made.first_token), (0, 0));
    let placed = made.clone().placed(2, 7);
    assert_eq!((placed.first_row, placed.first_token, placed.ids), (2, 7, made.ids));
    assert_eq!(batch(&data, &tokens(&[3, 2, 4]), &[]).offsets, [0]);
}

#[test]
fn cutting_keeps_the_last_token() {
    let whole = tokens(&[5, 2, 3, 4]);
    let cut = whole.cut(3);
    assert_eq!(cut.offsets, [0, 3, 5, 8, 11]);
    assert_eq!(cut.ids, [0, 1, 4, 10, 11, 20, 21, 22, 30, 31, 33]);
    assert_eq!((cut.rows(), cut.row(3)), (4, [30, 31, 33].as_slice()));
    assert_eq!(whole.cut(5), whole);
}

#[test]
fn lengths_are_nearest_rank_percentiles() {
    let lengths: Vec<u32> = (1..=200).rev().collect();
    let stats = LengthStats::new(&tokens(&lengths), 150);
    assert_eq!(stats, LengthStats { mean: 100.5, p50: 100, p90: 180, p99: 198, max: 200, truncated: 50 });
    assert_eq!(LengthStats::new(&tokens(&[7]), 7).p50, 7);
    assert_eq!(LengthStats::new(&tokens(&[7]), 7).truncated, 0);
    assert_eq!(LengthStats::new(&Tokens::default(), 7), LengthStats::default());
}

#[test]
fn parts_of_so_many_tokens_at_most() {
    assert_eq!(by_tokens([3, 3, 4, 5, 20, 1, 9], 10), [0..3, 3..4, 4..5, 5..7]);
    assert_eq!(by_tokens([20], 10).len(), 1);
    assert!(by_tokens([], 10).is_empty());
}

//! Parquet files.

use std::{fs, sync::Arc};

use parquet::{
    basic::{Compression, ZstdLevel},
    data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type},
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::parser::parse_message_type,
};
use taper::data::{Cleaning, DataError, Layout, Origin, read, stream_texts};

use super::{config, file};

const SCHEMA: &str = "message rows { optional binary review (UTF8); required int64 label; required double score; }";

/// Rows of two groups: a text that may be missing, and a label.
pub fn write(groups: &[&[(Option<&str>, i64)]], compression: Compression) -> Vec<u8> {
    let schema = Arc::new(parse_message_type(SCHEMA).unwrap());
    let properties = Arc::new(WriterProperties::builder().set_compression(compression).build());
    let mut bytes = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut bytes, schema, properties).unwrap();
    for rows in groups {
        let mut group = writer.next_row_group().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        let texts: Vec<ByteArray> = rows.iter().filter_map(|row| row.0.map(ByteArray::from)).collect();
        let levels: Vec<i16> = rows.iter().map(|row| i16::from(row.0.is_some())).collect();
        column.typed::<ByteArrayType>().write_batch(&texts, Some(&levels), None).unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        let labels: Vec<i64> = rows.iter().map(|row| row.1).collect();
        column.typed::<Int64Type>().write_batch(&labels, None, None).unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<DoubleType>().write_batch(&vec![0.5; rows.len()], None, None).unwrap();
        column.close().unwrap();
        group.close().unwrap();
    }
    writer.close().unwrap();
    bytes
}

#[test]
fn rows_are_those_of_the_same_csv() {
    let groups: [&[_]; 2] = [&[(Some("很好吃"), 1), (None, 0), (Some("太慢了"), 0)], &[(Some("  还行  "), 1)]];
    for compression in [Compression::UNCOMPRESSED, Compression::SNAPPY, Compression::ZSTD(ZstdLevel::default())] {
        let (_dir, path) = file("rows.parquet", write(&groups, compression));
        let (_dir2, csv) = file("rows.csv", "review,label\n很好吃,1\n,0\n太慢了,0\n  还行  ,1\n");
        let (found, expected) = (read(&path, &config()).unwrap(), read(&csv, &config()).unwrap());
        let texts = |rows: &[taper::data::Row]| -> Vec<_> {
            rows.iter().map(|r| (r.text.clone(), r.target.ids()[0])).collect()
        };
        assert_eq!(texts(&found.rows), texts(&expected.rows));
        // Rows are counted as rows, not as lines.
        let cleaning = Cleaning { missing_text_lines: vec![2], ..expected.cleaning };
        assert_eq!((found.labels, found.cleaning), (expected.labels, cleaning));
        assert_eq!(found.rows[1].line, 3);
        assert_eq!(found.digest, taper::assets::digest_file(&path).unwrap());
        let streamed: Vec<_> = stream_texts(&Origin::File(path), &Layout::default(), "review")
            .unwrap()
            .map(|row| row.unwrap().text)
            .collect();
        assert_eq!(streamed, ["很好吃", "", "太慢了", "  还行  "]);
    }
}

/// The columns of the file are in another order than the spec names them.
#[test]
fn pairs_and_joined_columns_are_read() {
    let schema = "message rows { optional binary reply (UTF8); optional binary body (UTF8); required int64 label; \
                  optional binary title (UTF8); }";
    let rows: [[Option<&str>; 3]; 5] = [
        [Some("答"), Some("文"), Some("题")],
        [Some("答"), None, Some("题")],
        [None, Some("文"), Some("题")],
        [Some("答"), None, Some(" ")],
        [Some("另"), Some("文"), None],
    ];
    let mut bytes = Vec::new();
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut writer = SerializedFileWriter::new(&mut bytes, schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    for column in [Some(0), Some(1), None, Some(2)] {
        let mut written = group.next_column().unwrap().unwrap();
        match column {
            Some(at) => {
                let texts: Vec<ByteArray> = rows.iter().filter_map(|row| row[at].map(ByteArray::from)).collect();
                let levels: Vec<i16> = rows.iter().map(|row| i16::from(row[at].is_some())).collect();
                written.typed::<ByteArrayType>().write_batch(&texts, Some(&levels), None).unwrap();
            }
            None => drop(written.typed::<Int64Type>().write_batch(&[0, 1, 0, 1, 0], None, None).unwrap()),
        }
        written.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
    let (_dir, path) = file("rows.parquet", &bytes);
    let pairs = taper::plan::DataConfig {
        text_column: String::new(),
        text_columns: vec!["title".into(), "body".into()],
        text_pair_column: Some("reply".into()),
        ..config()
    };
    let data = read(&path, &pairs).unwrap();
    let texts: Vec<_> = data.rows.iter().map(|row| (row.line, row.text.as_str(), row.text_pair.as_deref())).collect();
    assert_eq!(texts, [(1, "题 文", Some("答")), (2, "题", Some("答")), (5, "文", Some("另"))]);
    assert_eq!((data.cleaning.missing_text, data.cleaning.missing_pair), (1, 1));
    let other = taper::plan::DataConfig { text_pair_column: Some("answer".into()), ..pairs };
    let error = read(&path, &other).unwrap_err().to_string();
    assert!(error.contains("no column `answer`, which data.text_pair_column names"), "{error}");
}

#[test]
fn what_is_no_such_file_or_column_is_refused() {
    let whole = write(&[&[(Some("a"), 1), (Some("b"), 0)]], Compression::SNAPPY);
    let (_dir, path) = file("rows.parquet", &whole);
    let mut other = config();
    other.text_column = "text".into();
    let error = read(&path, &other).unwrap_err().to_string();
    assert!(error.contains("`text`") && error.contains("review, label, score"), "{error}");
    other.text_column = "review".into();
    other.label_column = "score".into();
    let error = read(&path, &other).unwrap_err().to_string();
    assert!(error.contains("every row has the label `0.5`"), "{error}");
    for broken in [&b"PAR1"[..], b"label,review\n1,a\n", &whole[..whole.len() / 2], &whole[..whole.len() - 9]] {
        fs::write(&path, broken).unwrap();
        let error = read(&path, &config()).unwrap_err();
        let is_text = broken.starts_with(b"label");
        let fits =
            matches!(error, DataError::Parquet { .. }) || is_text && error.to_string().contains("it is a text file");
        assert!(fits, "{} bytes: {error}", broken.len());
    }
}

/// The files are pyarrow's.
#[test]
fn compressions_that_are_not_read_are_named() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/targets");
    for (name, packing) in [("lz4.parquet", "LZ4"), ("brotli.parquet", "Brotli")] {
        let error = read(&folder.join(name), &config()).unwrap_err().to_string();
        let want = format!(
            "column `review` is compressed with {packing}, which taper does not read: write the file with Snappy, gzip,"
        );
        assert!(error.contains(&want), "{error}");
    }
}

/// Texts are decoded on a thread of their own and labels on another, from one file: more rows than any of them hands over at a time,
/// in several groups, with texts larger than a batch.
#[test]
fn many_rows_keep_their_texts_and_labels() {
    let long = "长".repeat(500_000);
    let texts: Vec<Option<String>> = (0..20_000)
        .map(|row| match row % 4001 {
            7 => Some(format!("{row} {long}")),
            n if n % 10 == 3 => None,
            _ => Some(format!("text {row}")),
        })
        .collect();
    let rows: Vec<(Option<&str>, i64)> = texts.iter().zip(0..).map(|(text, row)| (text.as_deref(), row % 3)).collect();
    let (_dir, path) = file("rows.parquet", write(&[&rows[..9000], &[], &rows[9000..]], Compression::SNAPPY));
    let data = read(&path, &config()).unwrap();
    let found =
        data.rows.iter().map(|row| (row.line, row.text.as_str(), data.labels[row.target.ids()[0] as usize].as_str()));
    let label = |row: i64| ["0", "1", "2"][row as usize % 3];
    let expected = rows.iter().zip(1..).filter_map(|((text, row), line)| Some((line, (*text)?, label(*row))));
    assert!(found.eq(expected));
    assert_eq!(data.cleaning.missing_text as usize, texts.iter().filter(|text| text.is_none()).count());
    assert_eq!(data.digest, taper::assets::digest_file(&path).unwrap());
    // One that is left before its end does not hang.
    let mut streamed = stream_texts(&Origin::File(path), &Layout::default(), "review").unwrap();
    assert_eq!(streamed.next().unwrap().unwrap().text, "text 0");
}

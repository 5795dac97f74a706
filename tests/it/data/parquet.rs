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
fn write(groups: &[&[(Option<&str>, i64)]], compression: Compression) -> Vec<u8> {
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
        let texts =
            |rows: &[taper::data::Row]| -> Vec<_> { rows.iter().map(|r| (r.text.clone(), r.label())).collect() };
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
        assert!(matches!(read(&path, &config()), Err(DataError::Parquet { .. })), "{} bytes", broken.len());
    }
}

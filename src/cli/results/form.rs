//! How results are written: the format, and how the file is packed.

use std::path::Path;

use anyhow::anyhow;
use clap::ValueEnum;

use super::super::Unusable;

/// A format of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// CSV with a header, in UTF-8.
    Csv,
    /// One JSON object per line.
    Jsonl,
    /// Parquet, compressed with Snappy.
    Parquet,
}

/// How a file is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// Not at all.
    None,
    /// By gzip.
    Gzip,
    /// By Zstandard.
    Zstd,
}

/// Format and packing of a file of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// The format.
    pub form: Form,
    /// The packing.
    pub packing: Packing,
}

impl Target {
    /// Those of the file at `path`: by its ending, unless an option says what the format is.
    ///
    /// # Errors
    /// The ending says nothing, or Parquet is to be packed.
    pub fn of(path: &Path, option: Option<Form>) -> Result<Self, Unusable> {
        let shown = path.display();
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        let (name, packing) = match (name.strip_suffix(".gz"), name.strip_suffix(".zst")) {
            (Some(name), _) => (name, Packing::Gzip),
            (_, Some(name)) => (name, Packing::Zstd),
            _ => (&*name, Packing::None),
        };
        let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
        let form = match (option, ending) {
            (Some(form), _) => form,
            (_, "csv") => Form::Csv,
            (_, "jsonl" | "ndjson") => Form::Jsonl,
            (_, "parquet") => Form::Parquet,
            _ => {
                let what = format!(
                    "--out {shown}: the extension does not tell the format; use .csv, .jsonl or .parquet (or .csv.gz, \
                     .jsonl.zst, …), or give --out-format csv, jsonl or parquet"
                );
                return Err(Unusable(anyhow!(what)));
            }
        };
        if form == Form::Parquet && packing != Packing::None {
            let what = format!("--out {shown}: Parquet is already compressed; remove the last extension");
            return Err(Unusable(anyhow!(what)));
        }
        Ok(Self { form, packing })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_says_the_format_unless_an_option_does() {
        let of = |name: &str, option| Target::of(Path::new(name), option).map(|t| (t.form, t.packing)).ok();
        for (name, option, want) in [
            ("a.csv", None, Some((Form::Csv, Packing::None))),
            ("a.b.CSV.GZ", None, Some((Form::Csv, Packing::Gzip))),
            ("a.jsonl.zst", None, Some((Form::Jsonl, Packing::Zstd))),
            ("a.ndjson", None, Some((Form::Jsonl, Packing::None))),
            ("a.parquet", None, Some((Form::Parquet, Packing::None))),
            ("a.csv", Some(Form::Parquet), Some((Form::Parquet, Packing::None))),
            ("a.gz", Some(Form::Jsonl), Some((Form::Jsonl, Packing::Gzip))),
            ("a.parquet.gz", None, None),
            ("a.gz", Some(Form::Parquet), None),
            ("a.tsv", None, None),
            ("csv", None, None),
        ] {
            assert_eq!(of(name, option), want, "{name}");
        }
    }
}

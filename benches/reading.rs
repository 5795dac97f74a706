//! Reading data files beside pandas and pyarrow, in turn, on the same files: `just bench-reading --peer-python PATH [--rows N]
//! [--rounds N] [--form csv|parquet]`.
//!
//! Python (with pandas and pyarrow) writes one table as CSV and as Parquet. Both sides read only the text and the label; taper also digests
//! the file, checks each row, maps labels and looks for repeated texts. Each reading is the first of a new process, as in a training run:
//! that of programs and libraries is not counted. Python reads the file again in the same process, with the memory that it has by then.
//! Prints seconds, the best of the rounds, and ratios.

use std::{path::Path, process::Command, time::Instant};

use taper::{
    data::read,
    plan::{DataConfig, Source},
};

const WRITE: &str = r#"
import sys
import numpy, pandas
rows, folder = int(sys.argv[1]), sys.argv[2]
rng = numpy.random.default_rng(0)
words = ["味道", "很好", "送餐", "太慢", "难吃", "下次", "还来", "分量", "足", "价格", "实惠", "包装", "服务", "态度", "不错", "一般"]
texts = ["，".join(rng.choice(words, rng.integers(3, 18))) + str(i) for i in range(rows)]
frame = pandas.DataFrame({"id": range(rows), "text": texts, "label": rng.integers(0, 2, rows)})
frame.to_csv(folder + "/rows.csv", index=False)
frame.to_parquet(folder + "/rows.parquet")
"#;

const READ: &str = r#"
import sys, time
import pandas, pyarrow.parquet
for _ in range(4):
    start = time.perf_counter()
    if sys.argv[1].endswith(".csv"):
        pandas.read_csv(sys.argv[1], usecols=["text", "label"])
    else:
        pyarrow.parquet.read_table(sys.argv[1], columns=["text", "label"])
    print(time.perf_counter() - start)
"#;

/// The argument by which this program reads one file.
const CHILD: &str = "--read";

#[expect(clippy::print_stdout, reason = "a benchmark prints its results")]
fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let value = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1).cloned()
    };
    if let Some(path) = value(CHILD) {
        return println!("{}", seconds(Path::new(&path)));
    }
    let Some(python) = value("--peer-python") else {
        println!("skipped: name a Python with pandas and pyarrow: --peer-python PATH");
        return;
    };
    let rows = value("--rows").unwrap_or_else(|| "1000000".into());
    let rounds: usize = value("--rounds").and_then(|text| text.parse().ok()).unwrap_or(5);
    let only = value("--form");
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let written = Command::new(&python).args(["-c", WRITE, &rows]).arg(folder).status();
    assert!(written.is_ok_and(|status| status.success()), "Python needs pandas and pyarrow");
    println!("{rows} rows; seconds, the best of {rounds} rounds in turn\n");
    println!(
        "{:8}  {:>6}  {:>6}  {:>14}  {:>12}  {:>14}",
        "file", "taper", "Python", "taper / Python", "Python again", "taper / Python"
    );
    for form in ["csv", "parquet"].into_iter().filter(|form| only.as_deref().is_none_or(|only| only == *form)) {
        let path = folder.join(format!("rows.{form}"));
        let (mut own, mut other, mut again) = (f64::INFINITY, f64::INFINITY, f64::INFINITY);
        for _ in 0..rounds {
            own = own.min(printed(Command::new(&arguments[0]).arg(CHILD).arg(&path))[0]);
            let times = printed(Command::new(&python).args(["-c", READ]).arg(&path));
            other = other.min(times[0]);
            again = times[1..].iter().copied().fold(again, f64::min);
        }
        println!("{form:8}  {own:6.2}  {other:6.2}  {:14.2}  {again:12.2}  {:14.2}", own / other, own / again);
    }
}

/// The numbers that a program prints.
fn printed(command: &mut Command) -> Vec<f64> {
    let output = command.output().expect("a program");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().map(|line| line.trim().parse().expect("seconds")).collect()
}

/// How long taper takes for a file.
fn seconds(path: &Path) -> f64 {
    let spec = format!("model.source = \"scratch:tiny\"\ndata.source = \"path:{}\"\n", path.display());
    let config = config(&spec);
    let start = Instant::now();
    let data = read(path, &config).expect("a dataset");
    let taken = start.elapsed().as_secs_f64();
    assert_eq!(data.labels, ["0", "1"]);
    taken
}

/// The data section of a spec.
fn config(spec: &str) -> DataConfig {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("spec.toml");
    std::fs::write(&path, spec).expect("a spec");
    let loaded = taper::spec::LoadedSpec::load(&path, &taper::spec::LoadOptions::default()).expect("a spec");
    let config = taper::plan::resolve(loaded.spec()).expect("a run").data;
    assert!(matches!(config.source, Source::Path(_)));
    config
}

//! Reading data files beside pandas and pyarrow, in turn, on the same files: `just bench-reading --peer-python PATH [--rows N]`.
//!
//! Python (with pandas and pyarrow) writes one table as CSV and as Parquet, and reads it: only the text and the label, as taper does. taper also
//! digests the file, checks each row, maps labels and looks for repeated texts. Prints seconds, the best of the rounds, and the ratio.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{ChildStdin, ChildStdout, Command, Stdio},
    time::Instant,
};

use taper::{
    data::read,
    plan::{DataConfig, Source},
};

const PEER: &str = r#"
import sys, time
import numpy, pandas, pyarrow.parquet
rows, folder = int(sys.argv[1]), sys.argv[2]
rng = numpy.random.default_rng(0)
words = ["味道", "很好", "送餐", "太慢", "难吃", "下次", "还来", "分量", "足", "价格", "实惠", "包装", "服务", "态度", "不错", "一般"]
texts = ["，".join(rng.choice(words, rng.integers(3, 18))) + str(i) for i in range(rows)]
frame = pandas.DataFrame({"id": range(rows), "text": texts, "label": rng.integers(0, 2, rows)})
frame.to_csv(folder + "/rows.csv", index=False)
frame.to_parquet(folder + "/rows.parquet")
del frame, texts
print("ready", flush=True)
for line in sys.stdin:
    start = time.perf_counter()
    if line.strip() == "csv":
        pandas.read_csv(folder + "/rows.csv", usecols=["text", "label"])
    else:
        pyarrow.parquet.read_table(folder + "/rows.parquet", columns=["text", "label"])
    print(time.perf_counter() - start, flush=True)
"#;

/// Python, which reads a file each time it is told to.
struct Peer {
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Peer {
    fn says(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("Python answers");
        line.trim().to_owned()
    }

    fn seconds(&mut self, form: &str) -> f64 {
        writeln!(self.input, "{form}").expect("Python listens");
        self.says().parse().expect("seconds")
    }
}

#[expect(clippy::print_stdout, reason = "a benchmark prints its results")]
fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let value = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1).cloned()
    };
    let Some(python) = value("--peer-python") else {
        println!("skipped: name a Python with pandas and pyarrow: --peer-python PATH");
        return;
    };
    let rows = value("--rows").unwrap_or_else(|| "1000000".into());
    let rounds: usize = value("--rounds").and_then(|text| text.parse().ok()).unwrap_or(5);
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let mut child = Command::new(python)
        .args(["-c", PEER, &rows, &folder.display().to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python starts");
    let mut peer = Peer {
        input: child.stdin.take().expect("its input"),
        output: BufReader::new(child.stdout.take().expect("its output")),
    };
    assert_eq!(peer.says(), "ready", "Python needs pandas and pyarrow");
    println!("{rows} rows; seconds, the best of {rounds} rounds in turn\n");
    println!("{:8}  {:>8}  {:>8}  {:>14}", "file", "taper", "Python", "taper / Python");
    for form in ["csv", "parquet"] {
        let path = folder.join(format!("rows.{form}"));
        let (mut own, mut other) = (f64::INFINITY, f64::INFINITY);
        for _ in 0..rounds {
            own = own.min(seconds(&path));
            other = other.min(peer.seconds(form));
        }
        println!("{form:8}  {own:8.2}  {other:8.2}  {:14.2}", own / other);
    }
    drop(peer);
    child.wait().expect("Python ends");
}

/// How long taper takes for a file.
fn seconds(path: &Path) -> f64 {
    let spec = format!("model.source = \"scratch:tiny\"\ndata.source = \"path:{}\"\n", path.display());
    let config = config(&spec);
    let start = Instant::now();
    let data = read(path, &config).expect("a data set");
    let taken = start.elapsed().as_secs_f64();
    assert_eq!(data.labels, ["0", "1"]);
    // A process reads its data once. The pieces of this memory would be put together during the next reading.
    std::mem::forget(data);
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

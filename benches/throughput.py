"""Rows a second of `taper predict --file` on a CSV, beside onnxruntime with the exported model on the same threads.

    pip install onnxruntime tokenizers numpy
    python benches/throughput.py --taper target/release/taper --runs runs --run RUN --texts waimai_10k.csv

RUN is a classifier with one label per text. The CSV has --rows rows (100,000): the texts of --texts again and again, each time in another order. Modes
alternate, --rounds times (3), each in a process of its own. taper: the whole command, from its start to its end, with the file of results. onnxruntime: from
opening the CSV to the file of results, without starting Python and loading the model, and in the best way that is known here: tokenizers'
encode_batch on all threads, all texts sorted by length, padded batches of the number of rows that is fastest on a sample, padding to the longest text of the
batch. int8 is `taper export --quantize int8`. Labels are compared with those of taper in float32.
"""
import argparse, csv, json, os, pathlib, random, statistics, subprocess, sys, time

MODES = ["taper fp32", "taper bf16", "onnxruntime fp32", "onnxruntime int8"]
BATCHES = [8, 16, 32, 64, 128]
SAMPLE = 1024


def texts_of(path, column):
    with open(path, encoding="utf-8", newline="") as file:
        return [row[column] for row in csv.DictReader(file)]


def onnxruntime_process(args):
    """Prints its seconds, its rows and its batch size."""
    os.environ["RAYON_NUM_THREADS"] = str(args.threads)
    import numpy, onnxruntime
    from tokenizers import Tokenizer

    folder = pathlib.Path(args.child)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = args.threads, 1
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"])
    names = [i.name for i in session.get_inputs()]
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(args.max_length)
    labels = json.loads((folder / "config.json").read_text(encoding="utf-8"))["id2label"]

    def predict(texts, batch):
        encoded = tokenizer.encode_batch_fast(texts)
        order = sorted(range(len(texts)), key=lambda i: len(encoded[i].ids))
        answers = [None] * len(texts)
        for begin in range(0, len(order), batch):
            part = order[begin:begin + batch]
            longest = len(encoded[part[-1]].ids)
            ids, mask = numpy.zeros((2, len(part), longest), numpy.int64)
            for row, i in enumerate(part):
                own = encoded[i].ids
                ids[row, :len(own)], mask[row, :len(own)] = own, 1
            given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": numpy.zeros_like(ids)}
            [logits] = session.run(["logits"], {name: given[name] for name in names})
            logits = numpy.exp(logits - logits.max(1, keepdims=True))
            for i, p in zip(part, logits / logits.sum(1, keepdims=True)):
                answers[i] = p
        return answers

    sample = texts_of(args.csv, args.column)[:SAMPLE]
    predict(sample, 32)

    def seconds(batch):
        begin = time.perf_counter()
        predict(sample, batch)
        return time.perf_counter() - begin

    batch = min(BATCHES, key=seconds)
    begin = time.perf_counter()
    texts = texts_of(args.csv, args.column)
    with open(args.out, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["line", "label", "confidence", *(f"p({name})" for name in labels.values()), "text"])
        for line, (text, p) in enumerate(zip(texts, predict(texts, batch)), 2):
            label = int(p.argmax())
            writer.writerow([line, labels[str(label)], p[label], *p, text])
    print(json.dumps({"seconds": time.perf_counter() - begin, "batch": batch}))


def main(args):
    args.dir.mkdir(parents=True, exist_ok=True)
    source = texts_of(args.texts, args.column)
    shuffled, rows = random.Random(1), []
    while len(rows) < args.rows:
        shuffled.shuffle(source)
        rows += source[:args.rows - len(rows)]
    path = args.dir / "rows.csv"
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([[args.column], *([text] for text in rows)])
    predict = [args.taper, "--runs", args.runs, "--threads", str(args.threads)]
    max_length = args.max_length or json.loads(subprocess.run([*predict, "show", args.run, "--json"], check=True, capture_output=True).stdout)[
        "config"]["data"]["max_length"]
    for numbers, options in [("fp32", []), ("int8", ["--quantize", "int8"])]:
        folder = args.dir / f"onnx-{numbers}"
        if not folder.exists():
            subprocess.run([*predict, "export", args.run, str(folder), "--format", "onnx", *options, "--quiet"], check=True, stdout=subprocess.DEVNULL)
    found = {mode: [] for mode in args.modes}
    for round in range(args.rounds):
        for mode in args.modes:
            program, numbers = mode.split()
            out = args.dir / f"{mode.replace(' ', '-')}.csv"
            if program == "taper":
                command = [*predict, "predict", args.run, "--file", str(path), "--text-column", args.column, "--precision", numbers,
                           "--out", str(out), "--quiet"]
            else:
                command = [sys.executable, __file__, "--child", str(args.dir / f"onnx-{numbers}"), "--csv", str(path), "--out", str(out),
                           "--column", args.column, "--threads", str(args.threads), "--max-length", str(max_length)]
            load, begin = os.getloadavg()[0], time.perf_counter()
            process = subprocess.Popen(command, stdout=subprocess.PIPE)
            printed = process.stdout.read()
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode:
                sys.exit(f"{mode}: exit code {process.returncode}")
            one = {"seconds": time.perf_counter() - begin} if program == "taper" else json.loads(printed)
            one |= {"mib": used.ru_maxrss / 1024, "load": load}
            found[mode].append(one)
            batch = f", batches of {one['batch']}" if "batch" in one else ""
            print(f"round {round + 1}: {mode}: {args.rows / one['seconds']:,.0f} rows/s (load {load:.1f} before{batch})", file=sys.stderr, flush=True)
    table = {mode: args.rows / statistics.median(one["seconds"] for one in all) for mode, all in found.items()}

    def labels(mode):
        with open(args.dir / f"{mode.replace(' ', '-')}.csv", encoding="utf-8", newline="") as file:
            return [row["label"] for row in csv.DictReader(file)]

    wanted = labels(args.modes[0])
    print(f"{args.rows:,} rows, {args.threads} threads, {args.rounds} rounds, alternating; {os.cpu_count()} cores")
    print(f"{'':<18} {'rows/s':>8} {'slowest–fastest':>17} {'× onnxruntime fp32':>19} {'MiB':>6} {'other labels':>13}")
    for mode, all in found.items():
        speeds = sorted(args.rows / one["seconds"] for one in all)
        ratio = f"{table[mode] / table['onnxruntime fp32']:.2f}" if "onnxruntime fp32" in table else "–"
        other = sum(a != b for a, b in zip(labels(mode), wanted, strict=True))
        print(f"{mode:<18} {table[mode]:>8,.0f} {f'{speeds[0]:,.0f}–{speeds[-1]:,.0f}':>17} {ratio:>19} {max(one['mib'] for one in all):>6,.0f} {other:>13,}")


parser = argparse.ArgumentParser()
parser.add_argument("--taper", type=os.path.abspath)
parser.add_argument("--runs", default="runs")
parser.add_argument("--run")
parser.add_argument("--texts")
parser.add_argument("--column", default="review")
parser.add_argument("--rows", type=int, default=100_000)
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--max-length", type=int)
parser.add_argument("--dir", type=pathlib.Path, default=pathlib.Path("throughput"))
parser.add_argument("--modes", type=lambda text: text.split(","), default=MODES, help="comma-separated; labels are compared with those of the first")
for name in ["--child", "--csv", "--out"]:
    parser.add_argument(name, help=argparse.SUPPRESS)
args = parser.parse_args()
onnxruntime_process(args) if args.child else main(args)

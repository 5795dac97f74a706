#!/usr/bin/env python3
"""PyTorch + transformers on the rows that `cargo bench --bench compare` gives to taper.

    pip install torch transformers          (CPU: --index-url https://download.pytorch.org/whl/cpu for torch)
    python benches/peer.py ROWS.json --mode dynamic [--device cuda:0] [--threads 2] [--steps 20]

The benchmark writes ROWS.json and calls this itself. Modes:

    padded                   the usual tutorial: every row padded to max_length, plain AdamW, fp32
    dynamic, dynamic-bf16    padded to the longest row of the batch, fused AdamW; fp32, bf16 autocast
    compile-bf16             the same in bf16 with torch.compile (dynamic shapes; compiled before the clock starts)
    grouped, grouped-bf16    the same rows regrouped by length as transformers' Trainer does with group_by_length
    eval, eval-bf16          evaluation, rows sorted by length, inference mode
    run-padded, run-dynamic, run-dynamic-bf16, run-compile-bf16
                             whole runs: all steps in these ways, an evaluation before and after each epoch, the model saved

Texts are tokenised inside the timing: batch by batch as in the tutorial, or all together where they are sorted by length.
Prints one line of JSON. Peak memory is that of the process until the last step, and of the GPU as PyTorch counts its tensors;
CPU seconds are those of all threads. The padded loop reads its loss after every step, as the tutorial does; the others leave it
on the device until the end.
"""
import argparse, json, os, resource, statistics, sys, tempfile, time

WAYS = ["padded", "dynamic", "dynamic-bf16", "compile-bf16"]
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("rows")
parser.add_argument("--mode", required=True, choices=[
    *WAYS, "grouped", "grouped-bf16", "eval", "eval-bf16", *("run-" + way for way in WAYS)])
parser.add_argument("--device", default="cpu", help="cpu or cuda:N")
parser.add_argument("--threads", type=int, default=os.cpu_count())
parser.add_argument("--steps", type=int, help="only the first of the steps")
args = parser.parse_args()
os.environ["OMP_NUM_THREADS"] = os.environ["RAYON_NUM_THREADS"] = str(args.threads)
os.environ["HF_HUB_OFFLINE"] = "1"  # everything is in the model's folder

import torch, transformers
from transformers import AutoModelForSequenceClassification, AutoTokenizer

gpu = args.device.startswith("cuda")
if gpu and not torch.cuda.is_available():
    sys.exit(f"peer.py: --device {args.device}, but PyTorch {torch.__version__} sees no GPU: "
             "it may be a build for the CPU, or the driver is older than its CUDA")
device = torch.device(args.device)
if gpu:
    torch.cuda.set_device(device)
torch.set_num_threads(args.threads)
torch.manual_seed(42)
transformers.logging.set_verbosity_error()
work = json.load(open(args.rows))
texts, labels, max_length = work["texts"], work["labels"], work["max_length"]
whole, mode = args.mode.startswith("run-"), args.mode.removeprefix("run-")
kind, bf16 = mode.removesuffix("-bf16"), mode.endswith("-bf16")
dtype = torch.bfloat16 if bf16 else torch.float32
EVAL_BATCH, MEGA_BATCH = 64, 50  # rows; batches that Trainer sorts together

tokenizer = AutoTokenizer.from_pretrained(work["model"])
model = AutoModelForSequenceClassification.from_pretrained(
    work["model"], num_labels=work["num_labels"], **work["dropout"]).float().to(device)
net = torch.compile(model, dynamic=True) if kind == "compile" else model  # what is called; the weights are the model's


def sync():
    if gpu:
        torch.cuda.synchronize()


def cpu_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def peak_rss_mib():
    try:  # what getrusage says can be the memory of the process that started this one
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) / 1024
    except OSError:
        return None


def ceiling(rows):
    """GFLOP/s of the model's matrix products, forward and for both gradients, weighted by their FLOP."""
    config = model.config.to_dict()  # every family has its own keys, of which `hidden_size` is an alias
    h = model.config.hidden_size
    f = config.get("intermediate_size") or config["hidden_dim"]
    up = 2 * f if config["model_type"] == "modernbert" else f
    flop = seconds = 0.0
    calls = 100 if gpu else 1  # between two looks at the clock
    with torch.inference_mode():
        for width, out in [(h, 3 * h), (h, h), (h, up), (f, h)]:
            shapes = [(rows, width), (rows, out), (out, width)]
            x, y, w = (torch.randn(*shape, dtype=dtype, device=device) for shape in shapes)
            for product in [lambda: x @ w.T, lambda: y @ w, lambda: y.T @ x]:
                product()
                times = []
                for _ in range(5):
                    sync()
                    begin = time.perf_counter()
                    for _ in range(calls):
                        product()
                    sync()
                    times.append((time.perf_counter() - begin) / calls)
                seconds += statistics.median(times)
                flop += 2.0 * rows * width * out
    return flop / seconds / 1e9


def encode(rows, padding):
    """A batch tokenised and padded."""
    return tokenizer([texts[i] for i in rows], padding=padding, truncation=True, max_length=max_length, return_tensors="pt")


def encode_all(rows):
    """Token ids by row."""
    ids = tokenizer([texts[i] for i in rows], truncation=True, max_length=max_length)["input_ids"]
    return dict(zip(rows, ids))


def pad(ids, rows):
    """A batch of rows that are tokenised already."""
    return tokenizer.pad({"input_ids": [ids[i] for i in rows]}, return_tensors="pt")


def chunks(items, size):
    return [items[i:i + size] for i in range(0, len(items), size)]


def regrouped(steps, ids):
    """The rows of all steps, sorted by length within mega-batches; as many rows a step as before."""
    size = len(steps[0])
    mega_batches = chunks([i for rows in steps for i in rows], MEGA_BATCH * size)
    return chunks([i for rows in mega_batches for i in sorted(rows, key=lambda i: -len(ids[i]))], size)


real_tokens = padded_tokens = 0


def forward(batch, rows):
    """Mean loss and logits of a batch; counts its tokens."""
    global real_tokens, padded_tokens
    real_tokens += int(batch["attention_mask"].sum())
    padded_tokens += batch["attention_mask"].numel()
    batch = batch.to(device, non_blocking=True)
    targets = torch.tensor([labels[i] for i in rows]).to(device, non_blocking=True)
    with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        output = net(**batch, labels=targets)
    return output.loss, output.logits, targets


def train_step(rows, make_batch, optimizer, max_grad_norm):
    """One optimizer step, in parts of `batch_size` rows where gradients are accumulated; its mean loss, on the device."""
    optimizer.zero_grad()
    total = 0.0
    for part in chunks(rows, work["batch_size"]):
        loss = forward(make_batch(part), part)[0] * (len(part) / len(rows))
        loss.backward()
        total = total + loss.detach()
    if max_grad_norm > 0:
        torch.nn.utils.clip_grad_norm_(model.parameters(), max_grad_norm)
    optimizer.step()
    if kind == "padded":
        total.item()
    return total


def sorted_batches(rows):
    ids = encode_all(rows)
    return chunks(sorted(rows, key=lambda i: len(ids[i])), EVAL_BATCH), ids


def evaluate(batches, ids):
    """Sum of the losses and number of right answers."""
    model.eval()
    loss, right = torch.zeros((), device=device), torch.zeros((), device=device)
    with torch.inference_mode():
        for rows in batches:
            mean, logits, targets = forward(pad(ids, rows), rows)
            loss += mean * len(rows)
            right += (logits.argmax(-1) == targets).sum()
    model.train()
    return loss.item(), right.item()


def make_optimizer():
    o = work["optimizer"]
    fast = {"foreach": False} if kind == "padded" else {"fused": True}
    return torch.optim.AdamW(
        model.parameters(), lr=o["lr"], betas=o["betas"], eps=o["eps"], weight_decay=o["weight_decay"], **fast)


class Clock:
    """Milliseconds of each step, without waiting for a GPU in between."""

    def __init__(self):
        self.marks = []

    def mark(self):
        if gpu:
            self.marks.append(torch.cuda.Event(enable_timing=True))
            self.marks[-1].record()
        else:
            self.marks.append(time.perf_counter())

    def ms(self):
        pairs = list(zip(self.marks, self.marks[1:]))
        return [a.elapsed_time(b) if gpu else 1e3 * (b - a) for a, b in pairs]


def train(batches, ids, optimizer, clock):
    """Sum of the losses of all rows."""
    padding = "max_length" if kind == "padded" else "longest"
    make_batch = (lambda part: pad(ids, part)) if ids else (lambda part: encode(part, padding))
    total = 0.0
    clock.mark()
    for rows in batches:
        total = total + train_step(rows, make_batch, optimizer, work["optimizer"]["max_grad_norm"]) * len(rows)
        clock.mark()
    return float(total)


def report(batches, mean_loss, seconds, **more):
    samples = sum(map(len, batches))
    print(json.dumps({
        "mode": args.mode, "threads": args.threads, "steps": len(batches), "samples": samples, "mean_loss": mean_loss,
        "seconds": seconds, "samples_per_s": samples / seconds, "ms_per_step_mean": 1e3 * seconds / len(batches),
        "real_tokens": real_tokens, "padded_tokens": padded_tokens, "peak_rss_mib": peak_rss_mib(),
        "device_mib": torch.cuda.max_memory_allocated() / 2**20 if gpu else None, "load": os.getloadavg()[0],
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
        "cpu_seconds": None, "samples_per_cpu_s": None, "ms_per_step_median": None, "ceiling_gflops": [None, None], **more,
    }))


def whole_run():
    """From the start of the process to its end is measured by who started it."""
    begin = time.perf_counter()
    steps, optimizer, clock = work["steps"], make_optimizer(), Clock()
    model.train()
    test = sorted_batches(work["eval"])
    evaluate(*test)
    for epoch in chunks(steps, work["steps_per_epoch"]):
        train(epoch, None, optimizer, clock)
        loss, right = evaluate(*test)
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    n = len(work["eval"])
    report(steps, loss / n, time.perf_counter() - begin, accuracy=right / n)


def part_of_a_run():
    global real_tokens, padded_tokens
    clock = Clock()
    if kind == "eval":
        timed, prepare = work["eval"], sorted_batches
        run = lambda batches, ids: evaluate(batches, ids)[0]
        run(*prepare(work["warmup"][0]))
    else:
        model.train()
        optimizer = make_optimizer()

        def prepare(steps):
            if kind != "grouped":
                return steps, None
            ids = encode_all([i for rows in steps for i in rows])
            return regrouped(steps, ids), ids

        run = lambda batches, ids: train(batches, ids, optimizer, clock)
        timed = work["steps"][:args.steps]
        # The padded mode takes as long for every batch, and long.
        run(*prepare(work["warmup"][:1] if kind == "padded" else work["warmup"]))
    before = ceiling(work["tokens_per_step"])
    real_tokens = padded_tokens = 0
    clock.marks.clear()
    sync()
    begin, cpu_begin = time.perf_counter(), cpu_seconds()
    batches, ids = prepare(timed)
    total_loss = run(batches, ids)
    sync()
    seconds, cpu = time.perf_counter() - begin, cpu_seconds() - cpu_begin
    step_ms, samples = clock.ms(), sum(map(len, batches))
    memory = {"peak_rss_mib": peak_rss_mib(), "device_mib": torch.cuda.max_memory_allocated() / 2**20 if gpu else None}
    after = ceiling(work["tokens_per_step"])
    report(batches, total_loss / samples, seconds, cpu_seconds=cpu, samples_per_cpu_s=samples / cpu,
           ms_per_step_median=statistics.median(step_ms) if step_ms else None, ceiling_gflops=[before, after], **memory)


whole_run() if whole else part_of_a_run()

#!/usr/bin/env python3
"""PyTorch + transformers on the rows that `cargo bench --bench compare` gives to taper.

    pip install torch transformers          (CPU: --index-url https://download.pytorch.org/whl/cpu for torch)
    python benches/peer.py ROWS.json --mode dynamic [--threads 2] [--steps 20]

The benchmark writes ROWS.json and calls this itself. Modes:

    padded                   the usual tutorial: every row padded to max_length, plain AdamW, fp32
    dynamic, dynamic-bf16    padded to the longest row of the batch, fused AdamW; fp32, bf16 autocast
    grouped, grouped-bf16    the same rows regrouped by length as transformers' Trainer does with group_by_length
    eval, eval-bf16          evaluation, rows sorted by length, inference mode

Texts are tokenised inside the timing: batch by batch as in the tutorial, or all together where they are sorted by length.
Prints one line of JSON. Peak memory is that of the process until the last step; CPU seconds are those of all threads.
"""
import argparse, json, os, resource, statistics, time

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("rows")
parser.add_argument("--mode", required=True, choices=[
    "padded", "dynamic", "dynamic-bf16", "grouped", "grouped-bf16", "eval", "eval-bf16"])
parser.add_argument("--threads", type=int, default=os.cpu_count())
parser.add_argument("--steps", type=int, help="only the first of the steps")
args = parser.parse_args()
os.environ["OMP_NUM_THREADS"] = os.environ["RAYON_NUM_THREADS"] = str(args.threads)
os.environ["HF_HUB_OFFLINE"] = "1"  # everything is in the model's folder

import torch, transformers
from transformers import AutoModelForSequenceClassification, AutoTokenizer

torch.set_num_threads(args.threads)
torch.manual_seed(42)
transformers.logging.set_verbosity_error()
work = json.load(open(args.rows))
texts, labels, max_length = work["texts"], work["labels"], work["max_length"]
kind, bf16 = args.mode.removesuffix("-bf16"), args.mode.endswith("-bf16")
dtype = torch.bfloat16 if bf16 else torch.float32
EVAL_BATCH, MEGA_BATCH = 64, 50  # rows; batches that Trainer sorts together

tokenizer = AutoTokenizer.from_pretrained(work["model"])
model = AutoModelForSequenceClassification.from_pretrained(
    work["model"], num_labels=work["num_labels"], **work["dropout"]).float()


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
    h, f = model.config.hidden_size, model.config.intermediate_size
    flop = seconds = 0.0
    with torch.inference_mode():
        for width, out in [(h, 3 * h), (h, h), (h, f), (f, h)]:
            x, y, w = (torch.randn(*shape, dtype=dtype) for shape in [(rows, width), (rows, out), (out, width)])
            for product in [lambda: x @ w.T, lambda: y @ w, lambda: y.T @ x]:
                product()
                times = []
                for _ in range(5):
                    begin = time.perf_counter()
                    product()
                    times.append(time.perf_counter() - begin)
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


def loss_of(batch, rows):
    """Mean loss of a batch; counts its tokens."""
    global real_tokens, padded_tokens
    real_tokens += int(batch["attention_mask"].sum())
    padded_tokens += batch["attention_mask"].numel()
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        return model(**batch, labels=torch.tensor([labels[i] for i in rows])).loss


def train_step(rows, make_batch, optimizer, max_grad_norm):
    """One optimiser step, in parts of `batch_size` rows where gradients are accumulated; its mean loss."""
    optimizer.zero_grad()
    total = 0.0
    for part in chunks(rows, work["batch_size"]):
        loss = loss_of(make_batch(part), part) * (len(part) / len(rows))
        loss.backward()
        total += loss.item()
    if max_grad_norm > 0:
        torch.nn.utils.clip_grad_norm_(model.parameters(), max_grad_norm)
    optimizer.step()
    return total


if kind == "eval":
    model.eval()

    def prepare(rows):
        ids = encode_all(rows)
        return chunks(sorted(rows, key=lambda i: len(ids[i])), EVAL_BATCH), ids

    def run(batches, ids):
        with torch.inference_mode():
            return sum(loss_of(pad(ids, rows), rows).item() * len(rows) for rows in batches), []

    timed = work["eval"]
    run(*prepare(work["warmup"][0]))
else:
    model.train()
    o = work["optimizer"]
    fast = {"foreach": False} if kind == "padded" else {"fused": True}
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=o["lr"], betas=o["betas"], eps=o["eps"], weight_decay=o["weight_decay"], **fast)

    def prepare(steps):
        if kind != "grouped":
            return steps, None
        ids = encode_all([i for rows in steps for i in rows])
        return regrouped(steps, ids), ids

    def run(batches, ids):
        padding = "max_length" if kind == "padded" else "longest"
        make_batch = (lambda part: pad(ids, part)) if ids else (lambda part: encode(part, padding))
        total, step_ms = 0.0, []
        for rows in batches:
            begin = time.perf_counter()
            total += train_step(rows, make_batch, optimizer, o["max_grad_norm"]) * len(rows)
            step_ms.append(1e3 * (time.perf_counter() - begin))
        return total, step_ms

    timed = work["steps"][:args.steps]
    # The padded mode takes as long for every batch, and long.
    run(*prepare(work["warmup"][:1] if kind == "padded" else work["warmup"]))

rows_of_product = work["tokens_per_step"]
before = ceiling(rows_of_product)
real_tokens = padded_tokens = 0
begin, cpu_begin = time.perf_counter(), cpu_seconds()
batches, ids = prepare(timed)
total_loss, step_ms = run(batches, ids)
seconds, cpu = time.perf_counter() - begin, cpu_seconds() - cpu_begin
peak = peak_rss_mib()
after = ceiling(rows_of_product)
samples = sum(map(len, batches))
print(json.dumps({
    "mode": args.mode, "threads": args.threads, "steps": len(batches), "samples": samples, "mean_loss": total_loss / samples,
    "seconds": seconds, "cpu_seconds": cpu, "samples_per_s": samples / seconds, "samples_per_cpu_s": samples / cpu,
    "ms_per_step_mean": 1e3 * seconds / len(batches), "ms_per_step_median": statistics.median(step_ms) if step_ms else None,
    "real_tokens": real_tokens, "padded_tokens": padded_tokens, "peak_rss_mib": peak,
    "ceiling_gflops": [before, after], "load": os.getloadavg()[0],
    "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
}))

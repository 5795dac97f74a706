"""taper serve beside FastAPI + onnxruntime (peer.py), on the same model, threads and cores, in turn. Needs wrk.

    measure.py --taper target/release/taper --runs runs --run KEY --csv waimai_10k.csv --python PYTHON [--seconds 10] [--rounds 3]

Both serve the model of the run, exported by taper, and read up to 512 tokens. PYTHON has onnxruntime, tokenizers, fastapi, uvicorn and orjson (uvloop and
httptools too, which uvicorn then uses). Prints a table of medians over the rounds, and each value as a line of JSON.
"""

import argparse
import csv
import json
import os
import pathlib
import signal
import socket
import statistics
import subprocess
import tempfile
import time
import urllib.request

HERE = pathlib.Path(__file__).parent


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--taper", required=True)
    parser.add_argument("--runs", required=True)
    parser.add_argument("--run", required=True)
    parser.add_argument("--csv", required=True)
    parser.add_argument("--python", required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--servers", nargs="+", default=["taper fp32", "peer", "taper bf16"])
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 64])
    return parser.parse_args()


def export(options, folder):
    common = [options.taper, "--runs", options.runs, "export", options.run]
    for name, more in [("torch", []), ("onnx", ["--format", "onnx"])]:
        subprocess.run([*common, str(folder / name), *more, "-q"], check=True, stdout=subprocess.DEVNULL)
        path = folder / name / "tokenizer_config.json"
        config = json.loads(path.read_text()) | {"model_max_length": 512}
        path.write_text(json.dumps(config))


def write_texts(options, folder):
    """Texts with about 27 and 300 characters, which in Chinese are about as many tokens."""
    with open(options.csv, encoding="utf-8") as file:
        texts = [row["review"].strip() for row in csv.DictReader(file)]
    texts = [text for text in texts if text]
    files = {}
    for length in (27, 300):
        found, rest = [], ""
        for text in texts:
            rest += text
            if len(rest) >= length - 2:
                found.append(rest[: length - 2])
                rest = ""
        files[length] = folder / f"{length}.txt"
        files[length].write_text("".join(json.dumps(text) + "\n" for text in found[:1000]))
    return files


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def start(options, folder, name):
    port = free_port()
    taper = [options.taper, "--threads", str(options.threads), "serve", str(folder / "torch"), "--addr", f"127.0.0.1:{port}"]
    command = {
        "taper fp32": taper,
        "taper bf16": [*taper, "--precision", "bf16"],
        "peer": [options.python, str(HERE / "peer.py"), str(folder / "onnx"), str(port), str(options.threads)],
    }[name]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(600):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1).read()
            return server, port
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"{name} does not start")


def load(port, clients, seconds, texts):
    command = ["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "--timeout", "60s", "-s", str(HERE / "load.lua"), f"http://127.0.0.1:{port}"]
    environment = os.environ | {"TEXTS": str(texts), "TARGET": "/predict"}
    out = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    [line] = [line for line in out.splitlines() if line.startswith("RESULT ")]
    return json.loads(line.removeprefix("RESULT "))


def main():
    options = arguments()
    measured = {}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        export(options, folder)
        files = write_texts(options, folder)
        for tokens, texts in files.items():
            for round in range(options.rounds):
                # In turn, so that a machine that slows down slows all; the first alternates, too.
                for server_name in options.servers if round % 2 == 0 else options.servers[::-1]:
                    server, port = start(options, folder, server_name)
                    load(port, 4, 2, texts)
                    for clients in options.clients:
                        result = load(port, clients, options.seconds, texts)
                        result["rate"] = result["requests"] / result["seconds"]
                        measured.setdefault((tokens, clients, server_name), []).append(result)
                        print(json.dumps({"server": server_name, "tokens": tokens, "clients": clients, **result}), flush=True)
                    server.send_signal(signal.SIGTERM)
                    server.wait(60)
    print(f"{'tokens':>6} {'clients':>7} {'server':<10} {'requests/s':>10} {'p50 ms':>9} {'p99 ms':>9} {'errors':>6}")
    for (tokens, clients, server_name), results in sorted(measured.items()):
        median = {key: statistics.median(result[key] for result in results) for key in results[0]}
        print(f"{tokens:>6} {clients:>7} {server_name:<10} {median['rate']:>10.1f} {median['p50_ms']:>9.2f} {median['p99_ms']:>9.2f} {median['errors']:>6.0f}")


main()

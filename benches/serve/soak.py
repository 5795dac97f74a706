"""taper serve for a long time, with bad requests among good ones. Fails if a request is lost or wrong, or if memory grows.

    soak.py --taper target/release/taper --model FOLDER [--seconds 3600] [--clients 16]

Each client asks one request after the other on a connection that stays open; one of twenty is bad, and must be answered with a status from 400 to 499 and a message.
The answer to each text must be the same each time. Prints memory once a minute.
"""

import argparse
import http.client
import json
import random
import signal
import subprocess
import threading
import time

BAD = [
    ("POST", "/predict", "{"),
    ("POST", "/predict", '{"inputs": []}'),
    ("POST", "/predict", '{"inputs": 3}'),
    ("POST", "/predict", '{"inputs": ""}'),
    ("POST", "/predict", '{"inputs": "a", "model": "zzz"}'),
    ("POST", "/predict", '{"inputs": ["a", "b", "c"]}'),
    ("POST", "/predict", json.dumps({"inputs": "好" * 5000})),
    ("POST", "/predict", json.dumps({"inputs": [["a"]] * 1000})),
    ("POST", "/zzz", "{}"),
    ("GET", "/predict", None),
    ("POST", "/predict", "x" * 3_000_000),
]
PARTS = ["味道很好", "送得慢", "难吃", "很快", "服务态度差", "下次再点", "量大", "，", "。"]


def memory(pid):
    """Bytes of memory of a process, in MiB."""
    with open(f"/proc/{pid}/status") as file:
        [line] = [line for line in file if line.startswith("VmRSS:")]
    return int(line.split()[1]) / 1024


def client(address, end, counts, wrong, seen, number):
    choice = random.Random(number)
    connection = http.client.HTTPConnection(address, timeout=120)
    while time.time() < end and not wrong:
        bad = choice.random() < 0.05
        if bad:
            method, path, body = choice.choice(BAD)
        else:
            text = "".join(PARTS[(number * 7 + choice.randrange(400) * k) % len(PARTS)] for k in range(1, 2 + choice.randrange(60)))
            method, path, body = "POST", "/predict", json.dumps({"inputs": text, "truncate": True})
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            value = json.loads(answer.read())
        except Exception as error:
            wrong.append(f"{method} {path} {str(body)[:80]}: lost: {error!r}")
            return
        if bad and not (400 <= answer.status < 500 and value["error"]):
            wrong.append(f"{method} {path} {str(body)[:80]}: {answer.status} {value}")
        if not bad and answer.status == 200 and seen.setdefault(text, value) != value:
            wrong.append(f"{text}: {seen[text]}, then {value}")
        if not bad and answer.status != 200:
            wrong.append(f"{text}: {answer.status} {value}")
        counts[bad] += 1


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--taper", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--seconds", type=int, default=3600)
    parser.add_argument("--clients", type=int, default=16)
    options = parser.parse_args()
    command = [options.taper, "serve", options.model, "--addr", "127.0.0.1:0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    address = next(line for line in server.stdout if "http://" in line).split("http://")[1].strip()
    end, wrong, seen = time.time() + options.seconds, [], {}
    all_counts = [{False: 0, True: 0} for _ in range(options.clients)]
    threads = [
        threading.Thread(target=client, args=(address, end, counts, wrong, seen, number)) for number, counts in enumerate(all_counts)
    ]
    for thread in threads:
        thread.start()
    samples, began = [], time.time()
    while any(thread.is_alive() for thread in threads):
        time.sleep(min(60, max(1, options.seconds / 10)))
        samples.append(memory(server.pid))
        done = [sum(counts[bad] for counts in all_counts) for bad in (False, True)]
        print(f"{time.time() - began:6.0f} s  {samples[-1]:8.1f} MiB  {done[0]} good, {done[1]} bad", flush=True)
    server.send_signal(signal.SIGTERM)
    code = server.wait(120)
    # From a third of the time on nothing is new to the server.
    settled = samples[len(samples) // 3 :]
    growth = settled[-1] / settled[0] - 1
    print(f"exit code {code}, memory from a third of the time on: {growth:+.1%}")
    if wrong or code != 0 or growth > 0.05:
        raise SystemExit("\n".join(wrong[:10]) or "memory grows, or it did not end well")


main()

"""A server of an exported ONNX model with FastAPI and onnxruntime: what one writes without taper, done well. Requests that wait are answered as one
batch, sorted by length and padded to the longest text, as long as MOST tokens with padding allow. Python: onnxruntime, tokenizers, fastapi, uvicorn, orjson.

    peer.py FOLDER PORT THREADS
"""

import asyncio
import pathlib
import sys

import numpy as np
import onnxruntime
import orjson
import uvicorn
from fastapi import FastAPI, Request, Response
from tokenizers import Tokenizer

FOLDER, PORT, THREADS = pathlib.Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
MOST = 2048

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = THREADS
session = onnxruntime.InferenceSession(FOLDER / "model.onnx", options, providers=["CPUExecutionProvider"])
names = [i.name for i in session.get_inputs()]
config = orjson.loads((FOLDER / "config.json").read_bytes())
labels = [config["id2label"][str(i)] for i in range(len(config["id2label"]))]
tokenizer = Tokenizer.from_file(str(FOLDER / "tokenizer.json"))
tokenizer.enable_truncation(orjson.loads((FOLDER / "tokenizer_config.json").read_bytes())["model_max_length"])
tokenizer.no_padding()

app = FastAPI()
waiting: asyncio.Queue = asyncio.Queue()


def scores(encodings):
    longest = max(len(e.ids) for e in encodings)
    feed = {name: np.zeros((len(encodings), longest), dtype=np.int64) for name in names}
    for row, e in enumerate(encodings):
        feed["input_ids"][row, : len(e.ids)] = e.ids
        feed["attention_mask"][row, : len(e.ids)] = 1
    [logits] = session.run(["logits"], feed)
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True)


async def work():
    while True:
        jobs = [await waiting.get()]
        while not waiting.empty():
            jobs.append(waiting.get_nowait())
        jobs.sort(key=lambda job: len(job[0].ids))
        while jobs:
            part = 1
            while part < len(jobs) and (part + 1) * len(jobs[part][0].ids) <= MOST:
                part += 1
            now, jobs = jobs[:part], jobs[part:]
            answers = await asyncio.to_thread(scores, [encoding for encoding, _ in now])
            for (_, future), answer in zip(now, answers):
                if not future.done():
                    future.set_result(answer)


@app.on_event("startup")
async def start():
    app.state.worker = asyncio.create_task(work())


@app.post("/predict")
async def predict(request: Request):
    text = orjson.loads(await request.body())["inputs"]
    future = asyncio.get_running_loop().create_future()
    waiting.put_nowait((tokenizer.encode(text), future))
    p = await future
    order = np.argsort(-p)
    found = [{"score": float(p[i]), "label": labels[i]} for i in order]
    return Response(orjson.dumps(found), media_type="application/json")


@app.get("/health")
async def health():
    return {}


uvicorn.run(app, host="127.0.0.1", port=PORT, log_level="error", access_log=False)

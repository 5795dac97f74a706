"""Seeds of the fuzz targets: what torch, transformers and taper itself write. usage: seeds.py CORPUS TAPER_CHECKOUT"""
import io, json, pathlib, sys, tempfile, zipfile
corpus, tree = map(pathlib.Path, sys.argv[1:3])
def put(target, name, data, first=None):
    d = corpus/target; d.mkdir(parents=True, exist_ok=True)
    data = data.encode() if isinstance(data, str) else data
    (d/name).write_bytes((bytes([first]) if first is not None else b"") + data)
# specs
n = 0
for f in sorted(tree.glob("experiments/*.toml")):
    put("spec", f.stem, f.read_text()); n += 1
base = 'model.source = "scratch:tiny"\ndata.source = "path:rows.csv"\n'
extra = {
 "grid": '[sweep.axes]\n"train.lr" = [1e-4, 3e-4]\n"train.batch_size" = [8, 16]\n[[sweep.exclude]]\n"train.lr" = 1e-4\n"train.batch_size" = 16\n',
 "zip": '[[sweep.zip]]\n"train.lr" = [1e-4, 2e-4]\n"train.epochs" = [1, 2]\n',
 "tpe": '[sweep]\nsearch = "tpe"\ntrials = 6\nseeds = [1, 2]\nprune = "asha"\nreduction_factor = 3\nrungs = 2\n[sweep.axes]\n"train.lr" = { log_uniform = [1e-5, 1e-3] }\n"train.dropout" = { uniform = [0.0, 0.5] }\n"train.batch_size" = { int = [4, 32] }\n',
 "probes": 'data.max_length = 32\ndata.test = 0.2\ndata.dev = 0.1\ndata.stratify = true\n[[probes]]\ntext = "送餐很慢"\nexpect = "neg"\n[report]\ntitle = "T"\nsmoothing = 0.9\n',
 "train": '[train]\nlr = 2e-5\nepochs = 3\nbatch_size = 16\nwarmup_ratio = 0.1\nscheduler = "linear"\nweight_decay = 0.01\nmax_grad_norm = 1.0\nclass_weights = "balanced"\nlabel_smoothing = 0.1\nprecision = "bf16"\nfreeze = ["embeddings", "encoder.layer.0"]\nearly_stopping_patience = 2\n[checkpoint]\nkeep = "best"\nmetric = "macro_f1"\nevery_minutes = 5\n',
 "profile": '[profile.quick.train]\nepochs = 1\n', "extends": 'extends = "other.toml"\n', "hub": '',
}
for k, v in extra.items():
    top, rest = (v, "") if not v.startswith("[") else ("", v)
    put("spec", k, base + v)
put("spec", "hub", 'model.source = "hf:hfl/rbt3"\nmodel.revision = "main"\ndata.source = "https://example.org/a.csv#sha256=00"\n')
put("spec", "when", base + '[sweep]\nsearch = "random"\ntrials = 4\n[sweep.axes]\n"train.scheduler" = ["linear", "constant"]\n[[sweep.when]]\n"train.scheduler" = "linear"\n"train.warmup_ratio" = [0.0, 0.1]\n')
# data: first byte: layout csv, tsv, jsonl
rows = [("很快好吃", "pos"), ("差评,\"难吃\"", "neg"), ("多\n行", "pos"), ("", "neg"), ("ok", "1"), ("bad", "1.0")]
import csv
for i, d in enumerate(",\t"):
    for enc in ["utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-32"]:
        s = io.StringIO(); w = csv.writer(s, delimiter=d); w.writerow(["text", "label"]); w.writerows(rows*3)
        put("data", f"{'ct'[i]}sv-{enc}", s.getvalue().encode(enc), i)
put("data", "semicolon", "text;label\na;b\nc;d\n", 0); put("data", "quotes", 'text,label\n"a ""b"" c",x\n"unclosed,y\nz,x\n', 0)
put("data", "nul", b"text,label\na\0b,x\nc,y\n", 0); put("data", "crlf", "label,text\r\nx,a\r\ny,b\r\n", 0)
put("data", "jsonl", "".join(json.dumps({"text": t, "label": l}, ensure_ascii=False)+"\n" for t, l in rows*3), 2)
put("data", "jsonl-num", '{"text":"a","label":0}\n{"text":"b","label":1.0}\n{"text":null,"label":true}\n{"label":[1],"text":{"a":1}}\n', 2)
put("data", "jsonl-esc", '{"text":"\\ud83d\\ude00 \\ud83d","label":"x"}\n', 2); put("data", "array", '[{"text":"a","label":"b"}]', 2)
# tokenizer: first byte 0..4
vocab = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n很\n快\n好\n吃\n差\n评\n味\n道\nok\nba\n##d\n"
import transformers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
v = {w: i for i, w in enumerate(vocab.split())}
d = pathlib.Path(tempfile.mkdtemp()); (d/"vocab.txt").write_text(vocab)
t = transformers.BertTokenizerFast(vocab_file=str(d/"vocab.txt"), vocab=v); t.save_pretrained(d)
files = ["tokenizer.json", "vocab.txt", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"]
for i, f in enumerate(files):
    if (d/f).exists(): put("tokenizer", f, (d/f).read_bytes(), i)
put("tokenizer", "special", '{"cls_token":"[CLS]","sep_token":{"content":"[SEP]","lstrip":false},"mask_token":"[MASK]","additional_special_tokens":["好"]}', 3)
put("tokenizer", "added", '{"[NEW]": 16, "x": 17}', 4)
put("tokenizer", "config", '{"do_lower_case": true, "tokenize_chinese_chars": false, "strip_accents": null, "tokenizer_class": "BertTokenizer", "never_split": ["a"], "model_max_length": 1000000000000000019884624838656, "added_tokens_decoder": {"0": {"content": "[PAD]", "special": true}}}', 2)
base_j = json.loads((d/"tokenizer.json").read_text())
def variant(name, f):
    j = json.loads(json.dumps(base_j)); f(j); put("tokenizer", name, json.dumps(j), 0)
variant("bpe", lambda j: j.update(model={"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2, "[UNK]": 3, "##b": 4}, "merges": [["a", "b"]], "unk_token": "[UNK]", "continuing_subword_prefix": "##"}))
variant("unigram", lambda j: j.update(model={"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0], ["a", -1.0], ["很", -2.0]], "byte_fallback": False}))
variant("wordlevel", lambda j: j.update(model={"type": "WordLevel", "vocab": v, "unk_token": "[UNK]"}))
variant("norm", lambda j: j.update(normalizer={"type": "Sequence", "normalizers": [{"type": "NFKC"}, {"type": "Replace", "pattern": {"Regex": "a+"}, "content": "b"}, {"type": "Precompiled", "precompiled_charsmap": "AAAA"}, {"type": "Prepend", "prepend": "_"}]}))
variant("pre", lambda j: j.update(pre_tokenizer={"type": "Sequence", "pretokenizers": [{"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}, {"type": "Split", "pattern": {"String": " "}, "behavior": "Isolated", "invert": False}, {"type": "Metaspace", "replacement": "_", "prepend_scheme": "always"}]}))
variant("trunc", lambda j: j.update(truncation={"max_length": 3, "strategy": "LongestFirst", "stride": 2, "direction": "Left"}, padding={"strategy": {"Fixed": 9}, "direction": "Right", "pad_to_multiple_of": 3, "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"}))
variant("template", lambda j: j.update(post_processor={"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 1}}], "pair": [], "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [2, 99], "tokens": ["[CLS]", "x"]}}}))
# vocabularies of other classes: first byte from 128 on, by its remainder of 7
fixtures = tree/"tests/fixtures/tokenizers"
others = ["vocab.json", "merges.txt", "bpe.tokenizer.json", "xlmr.tokenizer.json", "xlmr.model", "deberta.model", "albert.model"]
for i, name in enumerate(others):
    if (fixtures/name).exists(): put("tokenizer", f"other-{name}", (fixtures/name).read_bytes(), 128 + (i - 128) % 7)
put("tokenizer", "other-small-vocab", '{"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "o": 4, "k": 5, "ok": 6, "<mask>": 7}', 128 + (0 - 128) % 7)
put("tokenizer", "other-small-merges", "#version: 0.2\no k\n", 128 + (1 - 128) % 7)
# weights: 0 config, 1 safetensors, 2 bin, 3 index, 4 pickle
import torch
from safetensors.torch import save
cfg = {"model_type": "bert", "vocab_size": 16, "hidden_size": 4, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 6, "max_position_embeddings": 16, "type_vocab_size": 2, "hidden_act": "gelu", "layer_norm_eps": 1e-12, "initializer_range": 0.02}
put("weights", "config", json.dumps(cfg), 0)
put("weights", "config-head", json.dumps({**cfg, "id2label": {"0": "neg", "1": "pos"}, "label2id": {"neg": 0, "pos": 1}, "problem_type": None, "architectures": ["BertForSequenceClassification"], "pooler_type": "x", "torch_dtype": "float16", "position_embedding_type": "absolute", "quantization_config": {"a": 1}}), 0)
m = transformers.BertForSequenceClassification(transformers.BertConfig(**cfg))
sd = m.state_dict()
put("weights", "st", save(sd), 1); put("weights", "st-half", save({k: x.half() for k, x in sd.items()}), 1)
put("weights", "st-bf16", save({k: x.bfloat16() if x.is_floating_point() else x for k, x in sd.items()}), 1)
put("weights", "st-gamma", save({k.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): x for k, x in sd.items()}), 1)
put("weights", "st-meta", save({"a": torch.zeros(2), "b": torch.ones(3, dtype=torch.int8)}, metadata={"format": "pt"}), 1)
def bin_(obj, **k):
    b = io.BytesIO(); torch.save(obj, b, **k); return b.getvalue()
put("weights", "bin", bin_(sd), 2); put("weights", "bin-old", bin_(sd, _use_new_zipfile_serialization=False), 2)
put("weights", "bin-half", bin_({k: x.bfloat16() for k, x in sd.items()}), 2)
put("weights", "bin-p4", bin_(sd, pickle_protocol=4), 2); put("weights", "bin-model", bin_({"state_dict": sd, "epoch": 3, "args": {"lr": 1e-3}}), 2)
small = {"bert.pooler.dense.bias": torch.zeros(4), "w": torch.arange(64.).reshape(8, 8).t(), "v": torch.nn.Parameter(torch.zeros(2))}
put("weights", "index", json.dumps({"metadata": {"total_size": 9}, "weight_map": {k: "model.safetensors" for k in sd}}), 3)
for k, o in {"small": small, "all": sd, "half": {k: x.half() for k, x in sd.items()}, "nested": {"a": [1, (2.5, None, True), {"x": "y"}, b"z", 10**30]}}.items():
    z = zipfile.ZipFile(io.BytesIO(bin_(o))); put("weights", f"pickle-{k}", z.read([f for f in z.namelist() if f.endswith("data.pkl")][0]), 4)
# lock
put("lock", "empty", "version = 1\n")
put("lock", "full", """version = 1

[[source]]
use = "model"
source = "hf:o/m"
revision = "0123456789abcdef0123456789abcdef01234567"

[[source.files]]
name = "config.json"
size = 100
sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

[[source]]
use = "data"
source = "hf:o/d"
file = "a.csv"
files = [{ name = "a.csv", size = 3, sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" }]
""")
# checkpoint: 0 to 2 raw files, 3 to 5 headers that are sealed
state = {"train": {"step": 8, "elapsed_s": 1.5, "best": {"figure": 0.75, "step": 4, "without_progress": 1}, "evaluated_at": 8, "evaluations": [4, 8], "stopped": False}, "optimizer": {"updates": 8, "untouched_decay": 0.99, "touched_words": [1, 2, 5]}, "run": "0123456789abcdef"}
for first in (3, 4):
    put("checkpoint", f"state{first}", json.dumps(state), first)
put("checkpoint", "old", json.dumps({**{k: v for k, v in state.items() if k != "run"}, "optimizer": {"updates": 1, "untouched_decay": 1.0, "touched_words": None}}), 3)
put("checkpoint", "step", "17", 5)
for i in range(3):
    put("checkpoint", f"raw{i}", save({"a": torch.ones(2)}, metadata={"taper_state": json.dumps(state), "crc32_of_tensors": "00000000", "crc32_of_metadata": "00000000"}), i)

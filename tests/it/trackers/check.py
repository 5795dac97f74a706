"""Reads what `taper export` wrote with the programs that it is for, and compares it with the views of the database.

Arguments: the program, the database, the experiment, the exported folder. Prints `missing: …` where a package is not installed.
"""

import importlib
import json
import math
import pathlib
import sqlite3
import struct
import sys

PROGRAM, DATABASE, EXPERIMENT, FOLDER = sys.argv[1:]
FOLDER = pathlib.Path(FOLDER)
DB = sqlite3.connect(f"file:{DATABASE}?mode=ro", uri=True)
TRUTHS = {"in_plan", "higher_is_better"}


def rows(sql, *arguments):
    cursor = DB.execute(sql, arguments)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row)) for row in cursor]


RUNS = rows("SELECT * FROM v_experiment_runs WHERE experiment = ? AND in_plan ORDER BY position", EXPERIMENT)
STEPS = {run["key"]: rows("SELECT * FROM v_steps WHERE run = ? ORDER BY step", run["key"]) for run in RUNS}
METRICS = {
    run["key"]: rows(
        "SELECT * FROM v_metrics WHERE run = ? ORDER BY instr('before during after decided', phase), step, split, metric",
        run["key"],
    )
    for run in RUNS
}
TABLES = {"runs": RUNS, "metrics": sum(METRICS.values(), []), "steps": sum(STEPS.values(), [])}


def need(*names):
    found = []
    for name in names:
        try:
            found.append(importlib.import_module(name))
        except ImportError:
            print(f"missing: {name}")
            sys.exit(0)
    return found


def inert(text):
    """What a cell of CSV has for text that a spreadsheet would run."""
    begins = text[:1] in tuple("=+-@\t\r\n＝＋－＠") and text != ""
    return "'" + text if begins else text


def same(found, expected, kind, column):
    if isinstance(found, float) and math.isnan(found) or found is None or found == "" and kind == "csv":
        assert expected is None or expected == "" or kind == "jsonl" and math.isinf(expected), (column, found, expected)
    elif column in TRUTHS and kind != "csv":
        assert found in (True, False) and int(found) == expected, (column, found, expected)
    elif isinstance(expected, str):
        expected = inert(expected) if kind == "csv" else expected
        assert found == expected, (column, found, expected)
    elif isinstance(expected, int):
        assert int(found) == expected, (column, found, expected)
    else:
        assert float(found) == expected, (column, found, expected)


def compare(table, kind, found):
    """`found`: a list of rows as dicts."""
    expected = TABLES[table]
    assert len(found) == len(expected), (table, kind, len(found), len(expected))
    for a, b in zip(found, expected):
        assert list(a) == list(b), (table, kind)
        for column in b:
            same(a[column], b[column], kind, column)


def floats(table):
    return [column for column in TABLES[table][0] if any(isinstance(row[column], float) for row in TABLES[table])]


def pandas():
    (pd, _) = need("pandas", "pyarrow")
    # A column with a missing value is not one of integers, and "NA" is a text.
    plain = dict(keep_default_na=False)
    for table in TABLES:
        texts = {c: str for c in TABLES[table][0] if c not in floats(table)}
        frame = pd.read_csv(FOLDER / f"csv/{table}.csv", dtype=texts, na_values={c: [""] for c in floats(table)}, **plain)
        compare(table, "csv", frame.to_dict("records"))
        frame = pd.read_json(FOLDER / f"jsonl/{table}.jsonl", lines=True, dtype=False, convert_dates=False, precise_float=True)
        compare(table, "jsonl", frame.astype(object).where(frame.notna(), None).to_dict("records"))
        frame = pd.read_parquet(FOLDER / f"parquet/{table}.parquet")
        compare(table, "parquet", frame.astype(object).where(frame.notna(), None).to_dict("records"))


def polars():
    (pl,) = need("polars")
    for table in TABLES:
        frame = pl.read_parquet(FOLDER / f"parquet/{table}.parquet")
        assert all(frame.schema[c] == pl.Boolean for c in TRUTHS if c in frame.columns), frame.schema
        assert all(frame.schema[c] == pl.Float64 for c in floats(table)), frame.schema
        compare(table, "parquet", frame.to_dicts())
        schema = frame.schema
        frame = pl.read_ndjson(FOLDER / f"jsonl/{table}.jsonl", schema=schema)
        compare(table, "jsonl", frame.to_dicts())
        frame = pl.read_csv(FOLDER / f"csv/{table}.csv", infer_schema=False)
        compare(table, "csv", frame.to_dicts())


def duckdb():
    (db,) = need("duckdb")
    for table in TABLES:
        read = lambda what: db.sql(f"SELECT * FROM {what}")
        dicts = lambda result: [dict(zip(result.columns, row)) for row in result.fetchall()]
        found = read(f"read_parquet('{FOLDER}/parquet/{table}.parquet')")
        compare(table, "parquet", dicts(found))
        types = {column: str(kind) for column, kind in zip(found.columns, found.types)}
        columns = "{" + ", ".join(f"'{column}': '{kind}'" for column, kind in types.items()) + "}"
        compare(table, "jsonl", dicts(read(f"read_json('{FOLDER}/jsonl/{table}.jsonl', columns = {columns})")))
        compare(table, "csv", dicts(read(f"read_csv('{FOLDER}/csv/{table}.csv', header = true, all_varchar = true)")))


def curves(run):
    """The curves of a run: name → (step, value), without undefined values of metrics."""
    found = {}
    for step in STEPS[run["key"]]:
        for name, column in ("train/loss", "train_loss"), ("train/lr", "lr"), ("train/grad_norm", "grad_norm"):
            value = math.nan if step[column] is None else step[column]
            found.setdefault(name, []).append((step["step"], value))
    for metric in METRICS[run["key"]]:
        if metric["value"] is not None and metric["phase"] != "decided":
            prefix = "kept/" if metric["phase"] == "after" else ""
            name = f"{prefix}{metric['split']}/{metric['metric']}"
            found.setdefault(name, []).append((metric["step"], metric["value"]))
    return found


def equal(a, b):
    return len(a) == len(b) and all(x[0] == y[0] and (x[1] == y[1] or x[1] != x[1] and y[1] != y[1]) for x, y in zip(a, b))


def settings(run):
    """The settings of a run by name: text, truth values and numbers; lists are JSON."""
    found = {}

    def walk(path, value):
        if isinstance(value, dict):
            for name, below in value.items():
                walk(f"{path}.{name}", below)
        elif isinstance(value, list):
            found[path] = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
        elif value is not None:
            found[path] = value

    for name, value in json.loads(run["config"]).items():
        if name not in ("name", "probes"):
            walk(name, value)
    return found


def single(value):
    try:
        return struct.unpack("f", struct.pack("f", value))[0]
    except OverflowError:
        return math.copysign(math.inf, value)


def folder_of(run):
    [folder] = [path for path in FOLDER.rglob("*") if path.is_dir() and path.name.endswith("-" + run["key"][:12])]
    return folder


def tensorboard():
    need("tensorboard")
    from tensorboard.backend.event_processing import data_provider, plugin_event_multiplexer
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.context import RequestContext
    from tensorboard.plugins import base_plugin
    from tensorboard.plugins.hparams import api_pb2, backend_context, get_experiment, list_session_groups

    for run in RUNS:
        read = EventAccumulator(str(folder_of(run)), size_guidance={"scalars": 0})
        read.Reload()
        expected = curves(run)
        assert sorted(read.Tags()["scalars"]) == sorted(expected), (run["name"], read.Tags()["scalars"], sorted(expected))
        for tag, points in expected.items():
            events = read.Scalars(tag)
            assert equal([(e.step, e.value) for e in events], [(s, single(v)) for s, v in points]), (tag, events, points)
            times = [e.wall_time for e in events]
            assert times == sorted(times) and all(run["started_s"] <= t for t in times), tag
        tag = read.SummaryMetadata("_hparams_/session_start_info")
        assert tag.plugin_data.plugin_name == "hparams"

    # As the HPARAMS tab asks for it.
    multiplexer = plugin_event_multiplexer.EventMultiplexer().AddRunsFromDirectory(str(FOLDER))
    multiplexer.Reload()
    provider = data_provider.MultiplexerDataProvider(multiplexer, str(FOLDER))
    context = backend_context.Context(base_plugin.TBContext(data_provider=provider))
    request = RequestContext()
    experiment = get_experiment.Handler(request, context, "", api_pb2.GetExperimentRequest()).run()
    if "exported" in FOLDER.parts:
        assert experiment.name == EXPERIMENT, experiment
    names = [info.name for info in experiment.hparam_infos]
    assert "train.lr" in names, names
    ask = api_pb2.ListSessionGroupsRequest(start_index=0, slice_size=1000, allowed_statuses=[0, 1, 2, 3], aggregation_type=1)
    for name in names:
        ask.col_params.add(hparam=name)
    groups = list_session_groups.Handler(request, context, "", ask).run().session_groups
    assert len(groups) == len(RUNS), groups
    for group in groups:
        [run] = [run for run in RUNS if group.name.endswith("-" + run["key"][:12])]
        value = lambda v: getattr(v, v.WhichOneof("kind"))
        found = {name: value(v) for name, v in group.hparams.items()}
        # Numbers are float64 there.
        is_whole = lambda v: isinstance(v, int) and not isinstance(v, bool)
        expected = {name: float(v) if is_whole(v) else v for name, v in settings(run).items()}
        assert found == expected, (found, expected)
        [session] = group.sessions
        if run["final_value"] is not None:
            wanted = f"kept/{run['final_split']}/{run['metric']}"
            [metric] = [m for m in session.metric_values if m.name.tag == wanted]
            assert metric.value == single(run["final_value"]), metric
        assert session.status == {"completed": 1, "failed": 2}.get(run["state"], 0), session.status


def mlflow():
    import os

    os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
    need("mlflow")
    from mlflow.entities import ViewType
    from mlflow.store.tracking.file_store import FileStore

    store = FileStore(str(FOLDER))
    [experiment] = store.search_experiments()
    assert experiment.name == (EXPERIMENT if len(EXPERIMENT) <= 500 else EXPERIMENT[:499] + "…")
    found = store.search_runs([experiment.experiment_id], "", ViewType.ACTIVE_ONLY, max_results=1000)
    assert len(found) == len(RUNS)
    for run in RUNS:
        [it] = [r for r in found if r.info.run_id == run["key"][:32]]
        artifacts = pathlib.Path(it.info.artifact_uri.removeprefix("file://"))
        if "%" in str(artifacts):
            import urllib.parse

            artifacts = pathlib.Path(urllib.parse.unquote(str(artifacts)))
        cut = artifacts / "mlflow-limits.json"
        cut = json.loads(cut.read_text()) if cut.exists() else {}
        whole = lambda kind, name, value: cut.get(f"{kind} {name} (value)", value)
        name = whole("tag", "mlflow.runName", it.info.run_name)
        assert name == run["name"] and it.data.tags["mlflow.runName"] == it.info.run_name, (name, run["name"])
        assert it.data.tags["taper.key"] == run["key"]
        status = {"completed": "FINISHED", "failed": "FAILED", "pruned": "KILLED", "running": "RUNNING"}
        assert it.info.status == status.get(run["state"], it.info.status)
        assert abs(it.info.start_time / 1e3 - run["started_s"]) < 1e-3
        parameters = {cut.get(f"param {k}", k): whole("param", k, v) for k, v in it.data.params.items()}
        expected = settings(run)
        assert sorted(parameters) == sorted(expected), (sorted(parameters), sorted(expected))
        for key, value in expected.items():
            told = parameters[key]
            if isinstance(value, bool):
                assert told == str(value).lower(), (key, told, value)
            elif isinstance(value, (int, float)):
                assert told == str(value) or float(told) == value, (key, told, value)
            else:
                assert told == value, (key, told, value)
        expected = curves(run)
        names = {cut.get(f"metric {k}", k): k for k in it.data.metrics}
        assert sorted(names) == sorted(expected), (sorted(names), sorted(expected))
        for key, points in expected.items():
            history = store.get_metric_history(run["key"][:32], names[key])
            assert equal([(m.step, m.value) for m in history], points), (key, history, points)
        assert (artifacts / "run.toml").exists()


{f.__name__: f for f in (pandas, polars, duckdb, tensorboard, mlflow)}[PROGRAM]()
print("equal")

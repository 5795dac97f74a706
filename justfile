# `just` lists these. Everything is a plain cargo or taper command, shown as it runs.

taper := "cargo run --release --quiet --"

_default:
    @just --list

# Build the release binary: target/release/taper
build:
    cargo build --release

# What an experiment means and costs: just plan quickstart
plan NAME *ARGS:
    {{ taper }} plan experiments/{{ NAME }}.toml {{ ARGS }}

# Run what is not yet done: just run quickstart
run NAME *ARGS:
    {{ taper }} run experiments/{{ NAME }}.toml {{ ARGS }}

# The same for a sweep, with its report: just sweep rbt3-waimai-sweep
sweep NAME *ARGS:
    {{ taper }} run experiments/{{ NAME }}.toml {{ ARGS }}
    {{ taper }} report {{ NAME }}

# Write the report of an experiment: just report quickstart
report NAME *ARGS:
    {{ taper }} report {{ NAME }} {{ ARGS }}

# All runs
list *ARGS:
    {{ taper }} list {{ ARGS }}

# All tests
test *ARGS:
    cargo test --release {{ ARGS }}

# Sweeps under kill -9 (at least fifty times), on a full disk, with dying workers
torture:
    TAPER_TORTURE=50 cargo test --release --test it sweep:: -- --nocapture

# taper and PyTorch side by side: just bench --set model.source=path:DIR --set data.source=path:FILE.csv --peer-python PATH
bench *ARGS:
    cargo bench --bench compare -- experiments/rbt3-waimai.toml {{ ARGS }}

# Each CPU kernel against what memory and arithmetic allow: just bench-kernels gelu
bench-kernels *ARGS:
    cargo bench --bench kernels -- {{ ARGS }}

# Reading a million rows of CSV and Parquet beside pandas and pyarrow: just bench-reading --peer-python PATH
bench-reading *ARGS:
    cargo bench --bench reading -- {{ ARGS }}

# Rows a second of predict beside onnxruntime, with a Python that has it: just bench-throughput --run RUN --texts waimai_10k.csv
bench-throughput *ARGS:
    python3 benches/throughput.py --taper target/release/taper {{ ARGS }}

# Listing 10,000 stored runs, and what recording takes from training
bench-store *ARGS:
    cargo bench --bench store -- {{ ARGS }}

# taper serve beside onnxruntime + FastAPI (needs wrk): just bench-serve --run KEY --csv waimai_10k.csv --python PATH
bench-serve *ARGS:
    cargo build --release
    python3 benches/serve/measure.py --taper target/release/taper --runs runs {{ ARGS }}

# taper serve for an hour, with 5% bad requests: just soak-serve exported/reviews 3600
soak-serve MODEL SECONDS="3600":
    cargo build --release
    python3 benches/serve/soak.py --taper target/release/taper --model {{ MODEL }} --seconds {{ SECONDS }}

# Whether a change kept every number, bit for bit: just numbers record before it, just numbers compare after it
numbers *ARGS:
    cargo bench --bench numbers -- {{ ARGS }}

# Mutate what taper reads, from the kept corpus: just fuzz spec|data|tokenizer|weights|lock|checkpoint (needs cargo-fuzz)
fuzz TARGET SECONDS="1200":
    mkdir -p fuzz/corpus && tar -xf fuzz/corpora.tar.xz -C fuzz/corpus --skip-old-files
    cd fuzz && RUSTC_BOOTSTRAP=1 cargo fuzz run -O -a -s none --fuzz-dir . {{ TARGET }} -- -max_total_time={{ SECONDS }} -timeout=60

# Where the time of a step goes, kernel by kernel: just profile experiments/quickstart.toml --set train.precision=bf16
profile SPEC *ARGS:
    cargo bench --bench profile -- {{ SPEC }} {{ ARGS }}

# A folder that checks and measures taper on a machine with a GPU: just cuda-build waimai_10k.csv vocab.txt (see docs/gpu.md)
cuda-build *ARGS:
    benches/gpu/build.sh {{ ARGS }}

# Check and measure on this machine's GPU, from that folder: just gpu-check --device cuda:0 tests bench
gpu-check *ARGS:
    target/gpu-check/gpu-check.sh {{ ARGS }}

# What main has to pass
ci:
    .ci/run

# Put the reference tables of docs/spec.md in step with the code
docs:
    UPDATE_DOCS=1 cargo test --release --test it spec::docs

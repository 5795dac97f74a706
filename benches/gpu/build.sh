#!/usr/bin/env bash
# Makes target/gpu-check, and target/gpu-check.tar.gz of it: a folder that checks and measures taper on a machine with a GPU and neither cargo nor network.
#
#   benches/gpu/build.sh [ROWS.csv [VOCAB.txt]]
#
# ROWS.csv: the rows to train on, with the columns label (0 or 1) and review, as waimai_10k has them; without it those that come
# with taper, repeated, which is good for speed only. VOCAB.txt: BERT's vocabulary; without it one is built from the rows.
#
# With nvcc on PATH or in $CUDA_HOME/bin it also compares kernels.ptx with what its sources give. $PEER_PYTHON is no part of this.
set -euo pipefail
rows=${1:+$(realpath "$1")} vocab=${2:+$(realpath "$2")}
cd "$(dirname "$0")/../.."
if PATH=${CUDA_HOME:+$CUDA_HOME/bin:}$PATH command -v nvcc >/dev/null; then
  src/kernels/cuda/build.sh --check
else
  echo "kernels.ptx is taken as it is: there is no nvcc on PATH or in \$CUDA_HOME/bin to compare it with its sources"
fi

# What cargo says: `Executable benches/compare/main.rs (target/release/deps/compare-0123456789abcdef)`.
program() { sed -n 's/^ *Executable .*(\(.*\))$/\1/p'; }
cargo build --release --bin taper
tests=$(cargo test --release --no-run --test cuda 2>&1 | tee >(cat >&2) | program)
compare=$(cargo bench --no-run --bench compare 2>&1 | tee >(cat >&2) | program)

out=target/gpu-check
rm -rf "$out"
mkdir -p "$out/rbt3" "$out/tests/fixtures"
strip -o "$out/taper" "${CARGO_TARGET_DIR:-target}/release/taper"
strip -o "$out/cuda-tests" "$tests"
strip -o "$out/compare" "$compare"
cp benches/peer.py benches/gpu/gpu-check.sh experiments/rbt3-waimai.toml experiments/rbt3-waimai-sweep.toml "$out"
cp -r tests/fixtures/{reference,families} "$out/tests/fixtures"  # where the tests look when the sources are not there
git describe --always --dirty > "$out/commit" 2>/dev/null || echo unknown > "$out/commit"

if [[ -n $rows ]]; then
  cp "$rows" "$out/rows.csv"
else
  # The numbers of rows and steps are about those of waimai_10k.
  { echo review,label
    for _ in $(seq 20); do
      tail -n +2 experiments/takeaway/takeaway.csv | sed 's/,negative\r*$/,0/; s/,positive\r*$/,1/'
    done
  } > "$out/rows.csv"
fi
if [[ -n $vocab ]]; then
  model=scratch:rbt3/
  cp "$vocab" "$out/rbt3/vocab.txt"
  cat > "$out/rbt3/config.json" <<JSON
{ "model_type": "bert", "hidden_act": "gelu", "vocab_size": $(grep -c '' "$vocab"), "hidden_size": 768, "num_hidden_layers": 3,
  "num_attention_heads": 12, "intermediate_size": 3072, "max_position_embeddings": 512, "type_vocab_size": 2,
  "layer_norm_eps": 1e-12, "initializer_range": 0.02, "pad_token_id": 0, "hidden_dropout_prob": 0.1,
  "attention_probs_dropout_prob": 0.1 }
JSON
else
  model=scratch:rbt3
fi
for name in rbt3-waimai rbt3-waimai-sweep; do
  cat > "$out/${name/rbt3-waimai/check}.toml" <<TOML
# $name with new weights of the same shape, on the rows in this folder.
extends = ["$name.toml"]
name = "${name/rbt3-waimai/check}"
[model]
source = "$model"
[data]
source = "path:rows.csv"
TOML
done
"$out/taper" plan "$out/check-sweep.toml" --device cpu --runs "$out/none" > /dev/null

tar -C "$(dirname "$out")" -czf "$out.tar.gz" "$(basename "$out")"
size=$(du -sm "$out.tar.gz" | cut -f1)
echo "$out.tar.gz: $size MiB; on a machine with a GPU, unpack it and run ./gpu-check.sh in it"
if ((size >= 64)); then
  echo "$out.tar.gz is larger than 64 MiB" >&2
  exit 1
fi

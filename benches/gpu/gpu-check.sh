#!/usr/bin/env bash
# Checks and measures taper on this machine's GPU. Needs nothing beside this folder but an NVIDIA driver (CUDA 12 or newer), cuBLAS,
# and for PyTorch's figures a python3 with torch and transformers. What it prints is also in gpu-check.txt.
#
#   ./gpu-check.sh [--device cuda:0] [--python python3] [--rounds 3] [--workers "1 auto 2 3 4"] [PART …]
#
# Parts, the first five where none is named: tests (the kernels against the CPU), tutorial (whole runs), bench (steps, beside
# PyTorch), whole (whole runs, beside PyTorch), sweep (twelve runs, one after the other and side by side), sanitize (the kernels
# under NVIDIA's compute-sanitizer; its racecheck takes minutes).
set -uo pipefail
cd "$(dirname "$0")"
device=cuda:0 python=python3 rounds=3 workers="1 auto 2 3 4" parts=()
while (($#)); do
  case $1 in
    --device) device=$2; shift 2 ;;
    --python) python=$2; shift 2 ;;
    --rounds) rounds=$2; shift 2 ;;
    --workers) workers=$2; shift 2 ;;
    tests|tutorial|bench|whole|sweep|sanitize) parts+=("$1"); shift ;;
    *) sed -n '2,10s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
  esac
done
((${#parts[@]})) || parts=(tests tutorial bench whole sweep)
exec > >(tee -a gpu-check.txt) 2>&1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=()

# cuBLAS may come with PyTorch, where no loader looks.
if [[ -z ${TAPER_CUDA_LIBS:-} ]]; then
  TAPER_CUDA_LIBS=$($python - 2>/dev/null <<'PYTHON'
import glob, importlib.util, os
torch = os.path.dirname(importlib.util.find_spec("torch").origin)
places = [torch + "/lib", *glob.glob(os.path.dirname(torch) + "/nvidia/*/lib")]
print(":".join(place for place in places if glob.glob(place + "/libcublas.so*")))
PYTHON
  )
  [[ -n $TAPER_CUDA_LIBS ]] && export TAPER_CUDA_LIBS || unset TAPER_CUDA_LIBS
fi

title() { printf '\n== %s\n' "$*"; }
# Runs a command, and says how long it took.
timed() {
  local begin=$EPOCHREALTIME
  "$@"
  local status=$?
  awk -v a="$begin" -v b="$EPOCHREALTIME" -v s=$status 'BEGIN { printf "-- %.2f s, exit code %d\n", b - a, s }'
  return $status
}
part() {
  local name=$1
  shift
  [[ " ${parts[*]} " == *" $name "* ]] || return 0
  title "$name"
  "$@" || failed+=("$name")
}

title "$(date -u +%FT%TZ), $(./taper --version), commit $(cat commit), $device"
uname -srm
grep -m 1 'model name' /proc/cpuinfo; nproc
nvidia-smi --query-gpu=index,name,driver_version,memory.total,compute_cap,power.limit --format=csv 2>&1
$python -c 'import torch, transformers; print("torch", torch.__version__, "transformers", transformers.__version__)' 2>&1 | tail -n 1
echo "TAPER_CUDA_LIBS=${TAPER_CUDA_LIBS:-}"
if ! ./taper run check.toml --device "$device" --runs "$scratch/first" --set train.max_steps=2 --set train.precision=fp32; then
  echo "taper cannot use $device: nothing else is tried"
  exit 1
fi

# The tests on the GPU; those of the emulated GPU need the sources and no GPU.
tests() { timed ./cuda-tests gpu_ --test-threads 1; }

# The same kernels, watched: accesses outside of memory, reads of memory that nothing wrote, races, missing barriers.
sanitize() {
  local tool status=0
  if ! command -v compute-sanitizer; then
    echo "skipped: compute-sanitizer is not on PATH"
    return 0
  fi
  for tool in memcheck initcheck synccheck racecheck; do
    title "compute-sanitizer, $tool"
    timed compute-sanitizer --tool "$tool" --error-exitcode 9 --print-limit 20 ./cuda-tests gpu_kernels gpu_bf16_kernels \
      --test-threads 1 2>&1 | grep -v '^test .* ok$' || true
    ((PIPESTATUS[0])) && status=1
  done
  return $status
}

tutorial() {
  local precision
  for precision in bf16 tf32 fp32; do
    for round in $(seq "$rounds"); do
      title "tutorial, $precision, round $round"
      timed ./taper run check.toml --device "$device" --set train.precision=$precision --runs "$scratch/$precision-$round" \
        --quiet || return 1
    done
    # The same recipe on one device gives the same weights.
    for round in $(seq "$rounds"); do digests "$scratch/$precision-$round" | sort; done | uniq -c
  done
}

# The digest of every run's weights.
digests() { ./taper list --json --runs "$1" | grep -o '"weights_sha256": *"[0-9a-f]*"'; }

bench() {
  timed ./compare check.toml --device "$device" --peer-python "$python" --steps 200 --warmup 20 --rounds "$rounds" \
    --json "bench.json"
}

whole() {
  timed ./compare check.toml --device "$device" --peer-python "$python" --whole --rounds "$rounds" --json "whole.json"
}

sweep() {
  local k status=0
  for k in $workers; do
    title "twelve runs, bf16, --runs-per-device $k"
    timed ./taper run check-sweep.toml --device "$device" --set train.precision=bf16 --runs-per-device "$k" \
      --runs "$scratch/sweep-$k" || status=1
    digests "$scratch/sweep-$k" | sort > "$scratch/sweep-$k.digests"
    if ! cmp -s "$scratch/sweep-1.digests" "$scratch/sweep-$k.digests"; then
      echo "the weights differ from those of runs one after the other"
      status=1
    fi
    rm -rf "$scratch/sweep-$k"
  done
  return $status
}

part tests tests
part sanitize sanitize
part tutorial tutorial
part bench bench
part whole whole
part sweep sweep
title "done$( ((${#failed[@]})) && echo "; failed: ${failed[*]}")"
exit $((${#failed[@]} > 0))

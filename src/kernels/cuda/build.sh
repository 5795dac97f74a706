#!/usr/bin/env bash
# Compiles the kernels in source/ to kernels.ptx, which the binary holds and any driver turns into instructions of its GPU.
# Needs nvcc and ptxas (CUDA 12 or newer) on PATH or in $CUDA_HOME/bin.
#
#   build.sh           writes kernels.ptx
#   build.sh --check   says whether kernels.ptx is what the sources give
#
# The PTX is for compute capability 7.5 and is marked as PTX 7.0, which drivers since CUDA 11 read: nvcc marks it with its own
# version, but for a hint that is left out nothing newer is in it, and ptxas shows that for every generation below.
set -euo pipefail
cd "$(dirname "$0")"
PATH=${CUDA_HOME:+$CUDA_HOME/bin:}$PATH
for tool in nvcc ptxas; do
  command -v $tool >/dev/null || { echo "build.sh: $tool was not found: put it on PATH, or set CUDA_HOME" >&2; exit 1; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
nvcc -ptx -arch=compute_75 -O3 -std=c++17 source/kernels.cu -o "$work/made.ptx"
{
  echo "// Made by build.sh with $(nvcc --version | grep -o 'release [0-9.]*'); not to be edited."
  # The test of the same name knows by this whether somebody forgot to run build.sh.
  echo "// sources: $(cat source/* | sha256sum | cut -d' ' -f1)"
  # nvcc marks names with a hash of the folder it runs in.
  sed -e '/^\/\//d; /^$/d; /\.pragma "used_bytes_mask/d' -e 's/^\.version .*/.version 7.0/' \
      -e 's/_INTERNAL_[0-9a-f]\{8\}_/_INTERNAL_00000000_/g' "$work/made.ptx"
} > "$work/kernels.ptx"
known=$(ptxas --help | grep -o "sm_[0-9]*'" | tr -d "'" | sort -u)
for capability in 75 80 86 89 90 100 120; do
  if grep -qx "sm_$capability" <<<"$known"; then
    ptxas -arch=sm_$capability "$work/kernels.ptx" -o "$work/kernels.cubin"
    echo "compute capability $capability: $(stat -c %s "$work/kernels.cubin") bytes"
  fi
done
if [[ ${1:-} == --check ]]; then
  cmp "$work/kernels.ptx" kernels.ptx && echo "kernels.ptx is up to date"
else
  mv "$work/kernels.ptx" kernels.ptx
  echo "kernels.ptx: $(stat -c %s kernels.ptx) bytes"
fi

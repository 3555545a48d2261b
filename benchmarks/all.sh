#!/bin/sh
# All benchmarks in under 20 minutes on two idle cores, into one JSON that docs/measurements.md quotes; ratios that became more than
# 15 % worse are named. Options go to all.py: `benchmarks/all.sh --quick` is what CI runs. TORCH names a Python that has PyTorch.
set -eu
cd "$(dirname "$0")/.."
if [ $# = 0 ]; then set -- --out benchmarks/results.json --against benchmarks/results.json ${TORCH:+--torch "$TORCH"}; fi
exec "${PYTHON:-python3}" benchmarks/all.py "$@"

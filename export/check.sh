#!/bin/sh
# All that a change of the C code must pass: strict builds with gcc and clang, sizes on Cortex-M, tests on this machine and on an
# emulated big-endian one, 20,000 mutants under sanitizers, a minute of coverage-guided fuzzing each of the reader, the
# programmer and the map reader. About six minutes.
#
#     sh export/check.sh          MUTANTS=200000 FUZZ_SECONDS=300 sh export/check.sh for the long version
#
# Missing tools are installed with apt-get where that is possible, else named. PYTHON needs numpy, pytest and hypothesis.
set -eu
cd "$(dirname "$0")"
python=${PYTHON:-python3}
mutants=${MUTANTS:-20000}
seconds=${FUZZ_SECONDS:-60}
build=${BUILD:-build}

need() { # command, Debian packages
    command -v "$1" > /dev/null && return
    echo "-- installing $2 for $1"
    # shellcheck disable=SC2086
    apt-get update -qq && apt-get install -qq -y --no-install-recommends $2 > /dev/null \
        || { echo "check.sh needs $1 (Debian: $2) and cannot install it" >&2; exit 1; }
}
need gcc "gcc libc6-dev"
need make make
need g++ g++
need avr-gcc "gcc-avr avr-libc"
need simavr simavr
need arm-none-eabi-gcc "gcc-arm-none-eabi libnewlib-arm-none-eabi"
need clang "clang libclang-rt-dev"
need s390x-linux-gnu-gcc "gcc-s390x-linux-gnu libc6-dev-s390x-cross"
need qemu-s390x qemu-user

for compiler in gcc clang; do
    echo "-- $compiler: programmer and reader, strict flags, sanitizers"
    rm -rf "${build:?}/$compiler"
    make -s CC=$compiler BUILD="$build/$compiler" "$build/$compiler/programmer" "$build/$compiler/classify"
    $python tests/mutants.py "$build/$compiler/classify" --count "$mutants" --seed "$([ $compiler = gcc ] && echo 1 || echo 2)"
done

echo "-- sizes"
sh size.sh

echo "-- tests on this machine, under sanitizers"
(cd .. && MINIRRAM_SANITIZE=1 $python -m pytest -q -m "slow or not slow" tests/export)

echo "-- the same tests on an emulated big-endian machine (s390x)"
(cd .. && MINIRRAM_CC="s390x-linux-gnu-gcc -static" MINIRRAM_RUN=qemu-s390x $python -m pytest -q \
    tests/export)

$python fuzz/seeds.py "$build/corpus"
for harness in fuzz fuzz-programmer fuzz-npy; do
    case $harness in fuzz) corpus=xbp ;; *) corpus=${harness#fuzz-} ;; esac
    echo "-- $seconds s of coverage-guided fuzzing: $corpus"
    make -s BUILD="$build" "$build/$harness"
    "$build/$harness" -max_total_time="$seconds" -max_len=4096 -rss_limit_mb=2048 -close_fd_mask=2 -artifact_prefix="$build/" \
        "$build/corpus/$corpus" > "$build/$harness.log" 2>&1 \
        || { tail -40 "$build/$harness.log" >&2; echo "the fuzzer found something: $build/$harness.log" >&2; exit 1; }
done
echo "-- export: all good"

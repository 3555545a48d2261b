#!/bin/sh
# The firmware on an emulated Cortex-M3: builds it for all cores, measures code, RAM, stack and instructions against budgets, then
# has `minirram bench` program two chips of 512 x 512 cells over its UART, with stops, lost and damaged frames, and classifies.
#
#     sh export/firmware/check.sh [--json]          --json: one JSON object, nothing else, on standard output
#
# Missing tools are installed with apt-get where that is possible, else named. PYTHON needs numpy and pyserial. Other options go
# to check.py: --stops, --garments, --digits, --runs FOLDER (keeps the trainings).
set -eu
cd "$(dirname "$0")"
python=${PYTHON:-python3}
build=${BUILD:-$PWD/../build/firmware}

need() { # command, Debian packages
    command -v "$1" > /dev/null && return
    echo "-- installing $2 for $1" >&2
    # shellcheck disable=SC2086
    { apt-get update -qq && apt-get install -qq -y --no-install-recommends $2; } > /dev/null \
        || { echo "check.sh needs $1 (Debian: $2) and cannot install it" >&2; exit 1; }
}
need gcc "gcc libc6-dev"
need make make
need arm-none-eabi-gcc "gcc-arm-none-eabi libnewlib-arm-none-eabi"
need qemu-system-arm qemu-system-arm
need riscv64-unknown-elf-gcc "gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf"
need qemu-system-riscv32 qemu-system-misc
need avr-gcc "gcc-avr avr-libc"

mkdir -p "$build"
make -s -C .. BUILD="$build" "$build/programmer"
sh build.sh "$build/mps2.elf"
gcc -std=c99 -O2 ../tests/infer.c ../infer.c ../infer_steps.c ../xbp.c ../chip_virtual.c ../chip_age.c ../chip_wires.c \
    ../npy.c ../recipe.c -lm -o "$build/infer"
exec "$python" check.py "$build" "$@"

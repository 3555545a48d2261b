#!/bin/sh
# Prints what the reader costs: code at -Os and RAM at two payload sizes; fails above the limits that SPEC.md promises.
# CC=clang, CC=arm-none-eabi-gcc and the like work too: nothing is run. Code counts without unwind tables, which C on a
# microcontroller does not have.
set -eu
cd "$(dirname "$0")"
cc=${CC:-cc}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

$cc -std=c99 -Os -fno-asynchronous-unwind-tables -c xbp.c -o "$work/xbp.o"
code=$(size "$work/xbp.o" | awk 'NR == 2 { print $1 + $2 }')
echo "code at -Os: $code bytes"

for payload in 512 1024; do
    printf '#include "xbp.h"\nxbp_reader reader = { 0 };\n' > "$work/ram.c"
    $cc -std=c99 -I. -fno-common "-DXBP_READER_PAYLOAD=${payload}u" -c "$work/ram.c" -o "$work/ram.o"
    echo "RAM with $payload-byte payloads: $(size "$work/ram.o" | awk 'NR == 2 { print $2 + $3 }') bytes" | tee "$work/$payload"
done

limit=${CODE_LIMIT:-3072}
[ "$code" -le "$limit" ] || { echo "xbp.c takes $code bytes, the limit is $limit" >&2; exit 1; }
[ "$(awk '{ print $5 }' "$work/512")" -le 1228 ] && [ "$(awk '{ print $5 }' "$work/1024")" -le 2457 ] \
    || { echo "the reader takes more than 1.2 KB (512-byte payloads) or 2.4 KB (1,024) of RAM" >&2; exit 1; }

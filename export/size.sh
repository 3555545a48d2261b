#!/bin/sh
# Prints what the reader costs on ARM Cortex-M: code at -Os, RAM at two payload sizes and the stack of its deepest calls; fails
# above the limits that README.md promises: 3 KB on each core. Nothing is run. Code counts without unwind tables, which C on a
# microcontroller does not have.
set -eu
cd "$(dirname "$0")"
cc=${CC:-arm-none-eabi-gcc}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

limit() { # what, value, most
    echo "$1: $2 bytes"
    [ "$2" -le "$3" ] || { echo "$1: the limit is $3 bytes" >&2; failed=1; }
}

for core in m0 m3 m4 m33; do
    $cc -std=c99 -Os -mcpu=cortex-$core -mthumb -fno-asynchronous-unwind-tables -fstack-usage -c xbp.c -o "$work/xbp.o"
    code=$(size "$work/xbp.o" | awk 'NR == 2 { print $1 + $2 }')
    limit "code at -Os, Cortex-$core" "$code" 3072
    # feed -> unit -> record -> the deepest of the checks; the sink is called from deliver, two levels up.
    stack=$(awk '{ sub(/.*:/, "", $1); sub(/\..*/, "", $1); s[$1] = $2 }
        END { for (name in s) if (name !~ /^xbp|^unit$|^record$|^deliver$/ && s[name] > deepest) deepest = s[name];
              for (name in s) if (name ~ /^xbp_feed/) feed = s[name];
              print feed + s["unit"] + s["record"] + deepest + 2 * s["turn"] + s["mix"] }' "$work/xbp.su")
    limit "stack, Cortex-$core" "$stack" 320
done

for payload in 512 1024; do
    printf '#include "xbp.h"\nxbp_reader reader = { { 0 } };\n' > "$work/ram.c"
    $cc -std=c99 -I. -fno-common -mcpu=cortex-m3 -mthumb "-DXBP_READER_PAYLOAD=$payload" -c "$work/ram.c" -o "$work/ram.o"
    ram=$(size "$work/ram.o" | awk 'NR == 2 { print $2 + $3 }')
    limit "RAM with $payload-byte payloads" "$ram" "$((2 * payload + 176))"
done
exit $failed

"""Code, RAM, stack, instructions and cycles on each core, as README.md lists them; fails above the budgets.

python export/firmware/table.py BUILD        builds, runs what Debian has an emulator for, prints the table
"""

import pathlib
import re
import subprocess
import sys
from typing import Dict, List, NamedTuple, Optional, Tuple

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import cycles  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
EXPORT = HERE.parent
PARTS = {
    "reader": ("xbp.c",),
    "line": ("firmware/frames.c", "firmware/service.c", "drive.c", "board.c", "recipe.c", "firmware/keeps_nothing.c"),
    "infer": ("infer.c", "infer_steps.c"),
}
"""what a board takes; the line with the programmer behind it"""
FLAGS = [
    "-Os",
    "-ffunction-sections",
    "-fdata-sections",
    "-fno-asynchronous-unwind-tables",
    "-DXBP_READER_PAYLOAD=1024",
]
STRICT = ["-std=c99", "-Wall", "-Wextra", "-Wshadow", "-Werror", "-Ifirmware"]
MEASURE = ["firmware/measure.c", "xbp.c", "infer.c", "infer_steps.c", "recipe.c"]
LIMITS = {"ram": 12288, "stack": 1024, "per_byte": 64}
"""budgets of every core: bytes of measure.c, and instructions of the reader a byte"""


class Core(NamedTuple):
    """One target: its compiler, and how its programs run."""

    name: str
    compiler: Tuple[str, ...]
    port: Tuple[str, ...]
    """sources and options of measure.c on it; none: it is compiled alone"""
    emulator: Tuple[str, ...]
    budgets: Tuple[int, ...]
    """bytes of code of each part"""


ARM = ("--specs=nano.specs", "--specs=nosys.specs", "-T", "firmware/measure.ld", "firmware/measure_arm.c")
RISCV = ("-T", "firmware/measure_riscv.ld", "firmware/measure_riscv.c")
CORES = (
    Core(
        "Cortex-M3",
        ("arm-none-eabi-gcc", "-mcpu=cortex-m3", "-mthumb"),
        ARM,
        ("qemu-system-arm", "-M", "mps2-an385", "-nographic", "-semihosting"),
        (3072, 10240, 7168),
    ),
    Core(
        "Cortex-M0",
        ("arm-none-eabi-gcc", "-mcpu=cortex-m0", "-mthumb"),
        ("-DTICK_NS=62.5", *ARM),
        ("qemu-system-arm", "-M", "microbit", "-nographic", "-semihosting"),
        (4096, 11264, 8192),
    ),
    Core(
        "RV32IMAC",
        ("riscv64-unknown-elf-gcc", "-march=rv32imac", "-mabi=ilp32", "--specs=picolibc.specs"),
        RISCV,
        ("qemu-system-riscv32", "-M", "virt", "-bios", "none", "-nographic"),
        (4608, 13312, 9216),
    ),
    Core("AVR (ATmega1284P)", ("avr-gcc", "-mmcu=atmega1284p"), (), (), (7168, 0, 22528)),
)


def run(*command: str, timeout: int = 120) -> str:
    """What a command prints; its failure ends all."""
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    done = subprocess.run(command, cwd=EXPORT, timeout=timeout, **pipes)  # type: ignore[call-overload]
    said: str = done.stdout.decode()
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: exit {done.returncode}\n{said}")
    return said


def sizes(path: pathlib.Path) -> Tuple[int, int]:
    """(bytes of code and constants, bytes of data) of an object or a program."""
    text, data, bss = map(int, run("size", str(path)).splitlines()[1].split()[:3])
    return text, data + bss


def measured(core: Core, build: pathlib.Path) -> Dict[str, int]:
    """Figures of the core: code of each part; what measure.c prints, where it runs."""
    row: Dict[str, int] = {}
    for part, sources in PARTS.items():
        if part == "line" and not core.port:
            continue  # the programmer asks for signal.h, which avr-libc lacks
        row[part] = 0
        for source in sources:
            out = build / f"{core.name.split()[0]}-{pathlib.Path(source).stem}.o"
            run(*core.compiler, *STRICT, *FLAGS, "-c", source, "-o", str(out))
            row[part] += sizes(out)[0]
    if not core.port:
        return row
    out = build / f"{core.name}.elf"
    sections = ["-std=gnu99", "-Ifirmware", "-nostartfiles", "-Wl,--gc-sections"]
    run(*core.compiler, *FLAGS, *sections, *MEASURE, *core.port, "-o", str(out))
    said = run(*core.emulator, "-icount", "shift=0", "-kernel", str(out))
    found = {name: int(value) for name, value in re.findall(r"(\w+) (\d+)", said)}
    if not (found.get("verdict") and found.get("good")):
        raise SystemExit(f"{core.name}: {said}")
    reader, first = cycles.measured(core.name, core.emulator, str(out))
    if abs(reader.instructions - found["reader"]) > found["reader"] / 100:
        raise SystemExit(
            f"{core.name}: {found['reader']} instructions of the reader, its trace has {reader.instructions}"
        )
    row.update(ram=sizes(out)[1], stack=found["stack"], per_byte=round(found["reader"] / found["bytes"]))
    row.update(per_input=first.instructions, input_low=first.at_least, input_high=first.at_most)
    row.update(byte_low=round(reader.at_least / found["bytes"]), byte_high=round(reader.at_most / found["bytes"]))
    return row


def table(build: pathlib.Path) -> Tuple[List[str], Dict[str, Dict[str, int]], List[str]]:
    """(lines of the table, figures by core, budgets that are exceeded)"""
    build.mkdir(parents=True, exist_ok=True)
    rows = {core.name: measured(core, build) for core in CORES}
    lines = [
        "| core | code: reader | line, programmer | inference | RAM | stack | a byte: instructions | cycles "
        "| an input: instructions | cycles, millions |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    names = ("reader", "line", "infer", "ram", "stack", "per_byte")
    for core, row in rows.items():
        texts = [_text(row.get(name)) for name in names] + ["-"] * 3
        if "per_input" in row:
            bounds = [_bounds(str(row["byte_low"]), str(row["byte_high"]))]
            bounds += [_bounds(*(f"{row[name] / 1e6:.1f}" for name in ("input_low", "input_high")))]
            texts[-3:] = [bounds[0], _text(round(row["per_input"], -3)), bounds[1]]
        lines.append(f"| {core} | {' | '.join(texts)} |")
    over = []
    for core in CORES:
        budgets = {**dict(zip(PARTS, core.budgets)), **LIMITS}
        row = rows[core.name]
        found = ((name, row[name], most) for name, most in budgets.items() if name in row)
        over += [f"{core.name}: {name} is {value}, the budget {most}" for name, value, most in found if value > most]
    return lines, rows, over


def _bounds(low: str, high: str) -> str:
    return low if low == high else f"{low} to {high}"


def _text(value: Optional[int]) -> str:
    return "-" if value is None else f"{value:,}"


if __name__ == "__main__":
    printed, _, exceeded = table(pathlib.Path(sys.argv[1]).resolve())
    print("\n".join(printed + exceeded))
    sys.exit(1 if exceeded else 0)

"""Bounds of the processor cycles that measure.c takes, from a trace of what the emulator executed.

The emulator counts instructions, not cycles. So each executed instruction is weighed with the timing table of its core:

    Cortex-M3   Technical Reference Manual DDI 0337, table 3-1 and the notes on load and store timings below it
    Cortex-M0   Technical Reference Manual DDI 0432, table 3-1, with the multiplier of one cycle that nRF51822 has
    RV32        SiFive FE310-G000 manual, 3.3: the E31 core

The figures hold for memory without wait states and without interrupts. The lower bound takes what overlaps at its best,
the upper one at its worst. They are no measurement of a chip: a real one lies between them, plus what its flash waits.
"""

import os
import re
import subprocess
from typing import Any, Callable, Counter, Dict, Iterable, List, NamedTuple, Sequence, Tuple

Cost = Tuple[int, int]  # cycles at least, and at most
Pairs = Counter[Tuple[bytes, bytes]]  # (a block, the one behind it) -> times
_INSTRUCTION = re.compile(rb"^0x(\w+):  ([0-9a-f ]+?)  +([a-z][\w.]*) *([^\n]*)$", re.M)
_CONDITION = "(eq|ne|hs|lo|cs|cc|mi|pl|vs|vc|hi|ls|ge|lt|gt|le)?"
_ARM_JUMP = re.compile(f"(b|bx|blx|bl|cbz|cbnz|tbb|tbh){_CONDITION}$")


class Instruction(NamedTuple):
    """One instruction as the emulator lists it."""

    after: int
    """address behind it"""
    name: str
    operands: str

    @property
    def registers(self) -> int:
        """How many a list {r4-r7, lr} names."""
        count = 0
        for one in self.operands.partition("{")[2].strip("}").split(","):
            first, _, last = one.strip().partition("-")
            count += int(last[1:]) - int(first[1:]) + 1 if last else 1
        return count

    @property
    def writes_pc(self) -> bool:
        """Whether a data instruction or a load jumps."""
        return bool(re.match(r"pc\b|.*\{.*\bpc\}", self.operands))


def cortex_m3(one: Instruction, jumps: bool) -> Cost:
    """P, the refill of the pipeline, takes 1 to 3 cycles; an instruction whose condition fails takes 1."""
    name, refill = one.name.split(".")[0], (1, 3) if jumps else (0, 0)
    low, high = 1, 1
    if _ARM_JUMP.match(name):
        low, high = (2, 3) if name in ("tbb", "tbh") else (1, 1)
    elif re.match("it[te]*$", name):
        low = 0  # folded onto the instruction before it
    elif name.startswith(("ldrd", "strd")):
        low, high = 3, 4
    elif name.startswith(("ldm", "stm", "push", "pop")):
        low, high = 1 + one.registers, 2 + one.registers
    elif name.startswith(("ldr", "str")):
        high = 3  # 2; 1 behind another one; one more where its address was worked out right before
    elif name.startswith(("mla", "mls", "mrs", "msr")):
        high = 2
    elif name.startswith(("umull", "smull")):
        low, high = 3, 5
    elif name.startswith(("umlal", "smlal")):
        low, high = 4, 7
    elif name.startswith(("udiv", "sdiv")):
        low, high = 2, 12
    return low + refill[0], high + refill[1]


def cortex_m0(one: Instruction, jumps: bool) -> Cost:
    """Every instruction has one time."""
    name = one.name.split(".")[0]
    if _ARM_JUMP.match(name):
        cycles = 4 if name == "bl" else 3 if jumps else 1
    elif name in ("ldm", "stm", "push", "pop"):
        cycles = (4 if one.writes_pc else 1) + one.registers
    elif name.startswith(("ldr", "str")):
        cycles = 2
    else:
        cycles = 3 if jumps else 4 if name in ("mrs", "msr", "dmb", "dsb", "isb") else 1
    return cycles, cycles


def e31(one: Instruction, jumps: bool) -> Cost:
    """At most, each result is waited for and each jump is predicted wrong, which costs 3."""
    if one.name in ("lw", "lh", "lhu", "lb", "lbu"):
        return 1, 2 if one.name == "lw" else 3
    if one.name.startswith(("mul", "csr")):
        return 1, 5 if one.name.startswith("mul") else 3
    if one.name.startswith(("div", "rem")):
        return 2, 33
    return (1, 4) if jumps or re.match("b|j|ret|call", one.name) else (1, 1)


CostOf = Callable[[Instruction, bool], Cost]  # (instruction, whether it jumps)
COSTS: Dict[str, CostOf] = {
    "Cortex-M3": cortex_m3,
    "Cortex-M0": cortex_m0,
    "RV32IMAC": e31,
}


class Executed(NamedTuple):
    """What a part of a program took."""

    instructions: int
    at_least: int
    at_most: int


def measured(core: str, emulator: Sequence[str], elf: str) -> Tuple[Executed, Executed]:
    """(the reader on the program file, inference of the first input) of measure.c on a core."""
    ours, theirs = os.pipe()
    command = [*emulator, "-d", "in_asm,exec,nochain", "-D", f"/dev/fd/{theirs}", "-kernel", elf]
    quiet: Dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
    process = subprocess.Popen(command, pass_fds=[theirs], **quiet)
    os.close(theirs)
    try:
        with os.fdopen(ours, "rb", 1 << 20) as log:
            return parts_of(log, COSTS[core])
    except EOFError:
        raise SystemExit(f"{core}: the emulator's trace ends before the second input") from None
    finally:
        process.kill()
        process.wait()


def parts_of(log: Iterable[bytes], cost: CostOf) -> Tuple[Executed, Executed]:
    """What `measured` returns, from the lines of a trace; EOFError where they end before the second input.

    A block is listed when it is translated, right before it is executed for the first time. A line names it each time.
    """
    blocks: Dict[bytes, List[Instruction]] = {}
    entries: Dict[bytes, bytes] = {}  # name of a function -> its first block
    parts: Tuple[Pairs, Pairs] = (Counter(), Counter())
    calls: Counter = Counter()
    listing: List[bytes] = []
    part, last = None, b""
    for line in log:
        if not line.startswith(b"Trace"):
            listing.append(line)
            continue
        key = line[line.index(b"[") + 1 : line.index(b"]")]
        if listing:
            blocks[key] = _block(b"".join(listing))
            entries.setdefault(line.split()[-1], key)
            listing = []
        if part is not None:
            part[last, key] += 1
        last = key
        if key == entries.get(b"instructions"):  # called before and after the reader
            calls["instructions"] += 1
            part = parts[0] if calls["instructions"] == 1 else None
        elif key == entries.get(b"infer_run"):
            calls["infer_run"] += 1
            part = parts[1]
            if calls["infer_run"] == 2:
                return _weighed(parts[0], blocks, cost), _weighed(parts[1], blocks, cost)
    raise EOFError


def _block(listing: bytes) -> List[Instruction]:
    """The instructions of a block as the emulator lists them."""
    found = []
    for address, code, name, operands in _INSTRUCTION.findall(listing):
        size = len(code.replace(b" ", b"")) // 2
        found.append(Instruction(int(address, 16) + size, name.decode(), operands.decode().strip()))
    return found


def _weighed(pairs: Pairs, blocks: Dict[bytes, List[Instruction]], cost: CostOf) -> Executed:
    """The sum over executed blocks; pairs: how often one block came behind the other."""
    instructions = low = high = 0
    for (block, behind), times in pairs.items():
        listed, to = blocks[block], int(behind.split(b"/")[1], 16)
        costs = [cost(one, False) for one in listed[:-1]] + [cost(listed[-1], to != listed[-1].after)]
        instructions += times * len(listed)
        low += times * sum(one[0] for one in costs)
        high += times * sum(one[1] for one in costs)
    return Executed(instructions, low, high)

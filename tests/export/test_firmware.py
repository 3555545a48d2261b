"""The firmware's frames and service on this machine, what measure.c holds, and the table of the README."""

import contextlib
import importlib.util
import re
import shutil
import socket
import struct
import subprocess
import sys
import zlib
from dataclasses import replace

import numpy as np
import pytest

from minirram.driver import messages
from minirram.driver.protocol import Verify
from minirram.driver.serial_driver import SerialDriver
from minirram.errors import BenchError
from minirram.inference.integer_binary import from_bytes
from minirram.inference.integer_forward import integer_forward

from ..support.benches import LIMITS, RECIPES, BadLine, FileLine
from ..support.c_programs import EXPORT, NEEDS_COMPILER, build

pytestmark = NEEDS_COMPILER

TOOLS = (
    "arm-none-eabi-gcc",
    "riscv64-unknown-elf-gcc",
    "avr-gcc",
    "qemu-system-arm",
    "qemu-system-riscv32",
)


def measure_data():
    """{name: array or number} of measure_data.h."""
    text = (EXPORT / "firmware" / "measure_data.h").read_text(encoding="ascii")
    found = {name: int(value) for name, value in re.findall(r"#define (\w+) (\d+)u?", text)}
    found.update((name, int(value)) for name, value in re.findall(r"(ROWS|COLS) = (\d+)", text))
    for name, values in re.findall(r"(\w+)\[\] = \{ (.*?) \};", text):
        found[name] = np.array(values.split(", "), np.int64)
    return found


def test_the_measured_network_has_the_integers_of_python():
    data, crc = measure_data(), 0
    network = from_bytes(data["digital_side"].astype(np.uint8).tobytes())
    cells = data["cells_nS"].reshape(data["ROWS"], data["COLS"])
    by_name = {matrix.name: matrix for matrix in network.matrices}

    def totals(name, codes):
        matrix = by_name[name]
        lsb_nS = matrix.lsb[0] * 2.0 ** matrix.lsb[1]
        total = np.zeros((len(codes), matrix.fan_out), np.int64)
        for read in matrix.reads:
            pairs = cells[:, read.col0 : read.col0 + 2 * read.pairs]
            weights = pairs[:, 0::2] - pairs[:, 1::2]
            for bit in range(matrix.input_bits):
                nS = sum((codes[:, m : m + n] >> bit & 1) @ weights[row0 : row0 + n] for row0, n, m in read.pieces)
                code = np.clip(np.rint(nS / lsb_nS), 1 - 2 ** (matrix.adc_bits - 1), 2 ** (matrix.adc_bits - 1) - 1)
                total[:, read.matrix_col : read.matrix_col + read.pairs] += code.astype(np.int64) << bit
        return total

    def saw(_, x):
        nonlocal crc
        crc = zlib.crc32(x.tobytes() if x.dtype == np.uint8 else x.astype("<i4").tobytes(), crc)

    for sample in data["inputs"].reshape((data["N_INPUTS"],) + network.input_shape).astype(np.uint8):
        integer_forward(network, sample[np.newaxis], totals, saw=saw)
    assert crc == data["EXPECTED_CRC"]


TRACE = """----------------
IN: instructions
0x00000100:  b510       push     {r4, lr}
0x00000102:  4b1c       ldr      r3, [pc, #0x70]
0x00000104:  f000 fb56  bl       #0x200

Trace 0: 0x7f0000000100 [0/00000100/10/0] instructions
----------------
IN: work
0x00000200:  fbb0 f0f1  udiv     r0, r0, r1
0x00000204:  bf38       it       lo
0x00000206:  d32a       blo      #0x200

Trace 0: 0x7f0000000200 [0/00000200/10/0] work
Trace 0: 0x7f0000000200 [0/00000200/10/0] work
----------------
IN: work
0x00000208:  bd10       pop      {r4, pc}

Trace 0: 0x7f0000000300 [0/00000208/10/0] work
Trace 0: 0x7f0000000100 [0/00000100/10/0] instructions
----------------
IN: infer_run
0x00000300:  e8bd 80f0  pop.w    {r4-r7, pc}

Trace 0: 0x7f0000000400 [0/00000300/10/0] infer_run
Trace 0: 0x7f0000000400 [0/00000300/10/0] infer_run
"""


def test_cycles_are_those_of_the_instructions_that_a_trace_names():
    path = EXPORT / "firmware" / "cycles.py"
    spec = importlib.util.spec_from_file_location("cycles", path)
    cycles = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(cycles)
    log = TRACE.encode("ascii").splitlines(keepends=True)
    # push 3 to 4, ldr 1 to 3, bl 1 + P; twice udiv 2 to 12, it 0 to 1, and blo 1 + P, then 1; pop 3 to 4 + P.
    reader, first = cycles.parts_of(log, cycles.COSTS["Cortex-M3"])
    assert reader == (
        10,
        3 + 1 + 2 + (2 + 0 + 2) + (2 + 0 + 1) + 3 + 1,
        4 + 3 + 4 + (12 + 1 + 4) + (12 + 1 + 1) + 4 + 3,
    )
    assert first == (1, 6 + 1, 7 + 3)
    # push 1 + 2, ldr 2, bl 4; blo 3, then 1; pop with PC 4 + 2. What an M0 lacks takes 1.
    reader, first = cycles.parts_of(log, cycles.COSTS["Cortex-M0"])
    assert reader == (10, 3 + 2 + 4 + (1 + 1 + 3) + (1 + 1 + 1) + 6, 3 + 2 + 4 + (1 + 1 + 3) + (1 + 1 + 1) + 6)
    with pytest.raises(EOFError):
        cycles.parts_of(log[:-1], cycles.COSTS["Cortex-M3"])


SERVICE = ["tests/service.c", "xbp.c", "drive.c", "board.c", "recipe.c", "chip_virtual.c", "chip_age.c", "chip_wires.c"]
SERVICE += ["npy.c", "infer.c", "infer_steps.c", "firmware/frames.c", "firmware/service.c", "firmware/keeps_nothing.c"]


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """The firmware's service as a program, under sanitizers, and a chip of 8 x 16 cells."""
    folder = tmp_path_factory.mktemp("service")
    np.save(folder / "map.npy", np.random.default_rng(0).uniform(12e-6, 20e-6, (1, 8, 16)))
    flags = [f"-I{EXPORT / 'firmware'}", "-DFRAME_BYTES=512"]
    return [*build(folder, "service", SERVICE, flags=flags), str(folder / "map.npy")]


@contextlib.contextmanager
def served_by(command):
    """The host's end of a line to the service; its exit status afterwards is 0, or a sanitizer has spoken."""
    ours, theirs = socket.socketpair()
    process = subprocess.Popen(command, stdin=theirs.fileno(), stdout=theirs.fileno())
    theirs.close()
    try:
        yield FileLine(ours.fileno())
    finally:
        ours.close()
        assert process.wait(10) == 0


@pytest.mark.slow
def test_the_service_answers_as_any_board_on_a_bad_line(service):
    formed_S, mask = np.load(service[-1])[0], np.indices((8, 16)).sum(axis=0) % 3 == 0
    with served_by(service) as line:
        bad = BadLine(line, 0.4, seed=5)
        driver = SerialDriver(None, line=bad, answer_s=0.05, retries=60)
        bench = driver.capabilities
        assert (bench.rows, bench.cols, bench.granularity, bench.verifies) == (8, 16, "line", True)
        done = driver.form(0, np.ones((8, 16), bool), RECIPES["FORM"], verify=Verify(RECIPES["READ"], LIMITS.on_min_S))
        assert not done.failed.any() and (done.pulses >= 1).all()
        assert np.allclose(driver.read(0, mask)[mask], formed_S[mask], atol=1e-9)
        limit = Verify(RECIPES["READ"], LIMITS.off_max_S)
        reset = driver.reset(0, mask, replace(RECIPES["RESET"], max_pulses=10), verify=limit)
        off = driver.read(0, np.ones((8, 16), bool), RECIPES["READ"]) <= LIMITS.off_max_S
        assert np.array_equal(off, mask) and not reset.failed.any()
        pulses, _ = struct.unpack("<QI", driver._ask(19, b""))
        assert pulses == int(done.pulses.sum() + reset.pulses.sum()) and bad.harmed > 1
        with pytest.raises(BenchError, match="refused: an operation that is not known"):
            driver._ask(9, b"")


@pytest.mark.slow
def test_no_request_harms_the_service(service):
    """Right frames with changed contents, and bytes that are no frames: each is answered, refused or ignored."""
    random = np.random.default_rng(1)
    request = messages.Request("RESET", 0, 2, np.ones((3, 16), bool), RECIPES["RESET"], Verify(RECIPES["READ"], 2e-6))
    packed, digital = messages.packed_request(request, 1e-9), measure_data()["digital_side"].astype(np.uint8).tobytes()
    parts = [(2, packed), (3, packed), (16, struct.pack("<II", len(digital), 0) + digital[:400]), (17, bytes(20))]
    parts += [(18, bytes(8) + (EXPORT / "vectors" / "good" / "example.xbp").read_bytes()[:400]), (1, b""), (4, b"")]
    with served_by(service) as line:
        driver = SerialDriver(None, line=line, answer_s=2.0)
        for _ in range(300):
            operation, arguments = parts[random.integers(len(parts))]
            changed = bytearray(arguments)
            for _ in range(random.integers(4) if changed else 0):
                changed[random.integers(len(changed))] = int(random.choice((0, 1, 2, 127, 128, 255)))
            changed = changed[: random.integers(len(changed) + 1)] if random.integers(4) == 0 else changed
            line.send(random.integers(0, 256, random.integers(9), np.uint8).tobytes())
            try:
                driver._ask(operation, bytes(changed))
            except BenchError as error:
                assert "refused" in str(error)
        assert np.isfinite(driver.read(0, np.ones((8, 16), bool))).all()


def gcc_12(name):
    return subprocess.run([name, "-dumpversion"], stdout=subprocess.PIPE).stdout.startswith(b"12")


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("arm-none-eabi-gcc"), reason="needs arm-none-eabi-gcc")
def test_the_sources_of_the_guide_link_with_the_empty_board(tmp_path):
    step = (EXPORT / "README.md").read_text(encoding="utf-8").split("2. **Build.**")[1].split("3. **Greeting.**")[0]
    sources, flags = re.findall(r"`([\w/]+\.c)`", step), re.findall(r"-D\w+=\d+", step)
    (tmp_path / "port.c").write_text(
        '#include "port.h"\nint port_get(void) { return -1; }\n'
        "void port_put(uint8_t byte) { (void)byte; }\nuint32_t port_ms(void) { return 0; }\n"
    )
    command = [
        "arm-none-eabi-gcc",
        "-mcpu=cortex-m3",
        "-mthumb",
        "-Wall",
        "-Wextra",
        "-Wshadow",
        "-Wconversion",
        "-Werror",
    ]
    command += [
        *step.split("(`")[1].split("`)")[0].split(),
        *flags,
        "-nostartfiles",
        "-Wl,-e,main",
        "-Wl,-Ttext=0x8000000",
    ]
    command += ["-Wl,-Tdata=0x20000000", *sources, str(tmp_path / "port.c"), "-o", str(tmp_path / "board.elf")]
    done = subprocess.run(command, cwd=EXPORT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout.decode()
    size = subprocess.run(["size", str(tmp_path / "board.elf")], stdout=subprocess.PIPE).stdout.split()
    data, bss = map(int, size[7:9])
    assert data + bss < 100 * 1024, "the guide says that it fits boards of 128 KB"


@pytest.mark.slow
def test_the_table_of_the_readme_is_what_the_check_prints(tmp_path):
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if missing or not gcc_12("arm-none-eabi-gcc") or not gcc_12("riscv64-unknown-elf-gcc"):
        pytest.skip(f"the table is that of gcc 12 and qemu; missing here: {', '.join(missing) or 'that gcc'}")
    command = [sys.executable, str(EXPORT / "firmware" / "table.py"), str(tmp_path)]
    done = subprocess.run(command, stdout=subprocess.PIPE)
    assert done.returncode == 0, done.stdout.decode()
    readme = (EXPORT / "README.md").read_text(encoding="utf-8")
    assert done.stdout.decode().strip() in readme, done.stdout.decode()

"""The firmware on an emulated Cortex-M3: programs two chips over the line, with stops and damage, and classifies.

Called by check.sh, which builds it. Prints what it finds, and with --json one object on the last line.

    python export/firmware/check.py BUILD [--json] [--stops 200] [--garments 1000] [--digits 300] [--runs FOLDER]

BUILD holds mps2.elf and the example programmer. FOLDER keeps the two trainings from one call to the next.
"""

import argparse
import json
import os
import pathlib
import re
import select
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import tty
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Dict, List, NamedTuple, Tuple

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "export" / "firmware")]

from table import sizes, table  # noqa: E402

from minirram.driver import programmer  # noqa: E402
from minirram.driver.frames import unstuffed  # noqa: E402
from minirram.driver.journal import Journal  # noqa: E402
from minirram.driver.messages import BUSY, PULSE  # noqa: E402
from minirram.driver.serial_driver import SerialDriver  # noqa: E402
from minirram.errors import BenchError  # noqa: E402
from minirram.inference import integer_binary  # noqa: E402
from minirram.inference.forward import predict  # noqa: E402
from minirram.inference.integer_forward import step_crcs  # noqa: E402
from minirram.inference.integer_network import integer_network  # noqa: E402
from minirram.inference.product import ChipProduct  # noqa: E402
from minirram.nn.network import input_bits  # noqa: E402
from minirram.programming.manifest import JOURNAL  # noqa: E402
from minirram.runs.bench import build_program  # noqa: E402
from minirram.runs.export import chip_map, export  # noqa: E402
from minirram.runs.folder import RunFolder, open_test  # noqa: E402
from minirram.runs.recalibrate import recalibrate  # noqa: E402
from minirram.xbp import codec, digests  # noqa: E402

LOAD, INFER, PROGRAM, COUNTS = range(16, 20)  # operations of service.h
MAP_AT = 0x21000000
PATIENT: Dict[str, Any] = {"answer_s": 5.0, "retries": 30}
IMAGE = {"m3_code": 49152, "m3_ram": 262144, "m3_stack": 4096}
"""budgets of the whole image: virtual chip, C library and buffers included"""
HARMS = ("lost", "damaged", "cut", "doubled")
"""what becomes of a frame on a bad line"""
TASKS = {"garments": ("fashion-mnist", "1"), "digits": ("spoken-digits", "4")}
"""task and epochs: integers are compared, not accuracies"""


class FileLine:
    """A line over a file descriptor in raw mode."""

    def __init__(self, port: str) -> None:
        self.descriptor = os.open(port, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self.descriptor)

    def send(self, data: bytes) -> None:
        while data:
            data = data[os.write(self.descriptor, data) :]

    def receive(self, timeout_s: float) -> bytes:
        ready, _, _ = select.select([self.descriptor], [], [], max(0.0, timeout_s))
        return os.read(self.descriptor, 4096) if ready else b""

    def close(self) -> None:
        os.close(self.descriptor)


class Stopped(Exception):
    """The host was stopped."""


class StoppedLine:
    """A line on which something stops the n-th PULSE that is sent, or what comes soon after it."""

    def __init__(self, line: Any, pulses: int, stop: Callable[[], None]) -> None:
        self.line, self.pulses, self.stop = line, pulses, stop

    def send(self, data: bytes) -> None:
        self.line.send(data)
        self.pulses -= data[2] == PULSE  # behind a zero and the first code of the stuffing
        if self.pulses == 0:
            self.pulses -= 1
            self.stop()

    def receive(self, timeout_s: float) -> bytes:
        return self.line.receive(timeout_s)

    def close(self) -> None:
        self.line.close()


class Emulated:
    """qemu with the firmware, a chip of the map, and its UART on a pseudo-terminal."""

    def __init__(self, elf: pathlib.Path, map_S: np.ndarray, folder: pathlib.Path) -> None:
        blob, monitor = folder / "map.bin", folder / "monitor"
        blob.write_bytes(struct.pack("<4s3I", b"MAP1", *map_S.shape) + map_S.astype("<f8").tobytes())
        command = ["qemu-system-arm", "-M", "mps2-an385", "-display", "none", "-serial", "pty", "-kernel", str(elf)]
        command += ["-device", f"loader,file={blob},addr={MAP_AT},force-raw=on"]
        command += ["-monitor", f"unix:{monitor},server,nowait"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert self.process.stdout is not None
        said = self.process.stdout.readline().decode()
        found = re.search(r"/dev/pts/\d+", said)
        if found is None:
            raise SystemExit(f"qemu-system-arm: {said}")
        self.port = found.group()
        self.monitor = socket.socket(socket.AF_UNIX)
        self.monitor.connect(str(monitor))

    def cpu_s(self) -> float:
        """Processor time of the emulator so far."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def reset(self) -> None:
        """The processor starts anew; the chip stays."""
        self.monitor.sendall(b"system_reset\n")

    def __enter__(self) -> "Emulated":
        return self

    def __exit__(self, *_: Any) -> None:
        self.monitor.close()
        self.process.kill()
        self.process.wait()


class Relay:
    """A second pseudo-terminal in front of a port. In every tenth exchange a frame is lost, cut, doubled or damaged.

    An exchange is a request that comes, new or again, and what answers it. By turns its request or the next answer is
    harmed; that the board is busy is no answer.
    """

    EVERY = 10

    def __init__(self, port: str, seed: int) -> None:
        ours, theirs = os.openpty()
        tty.setraw(ours)
        tty.setraw(theirs)
        self.port, self.ends = os.ttyname(theirs), (ours, theirs)
        self.board, self.host = FileLine(port), ours
        self.random, self.exchanges, self.harmed = np.random.default_rng(seed), 0, dict.fromkeys(HARMS, 0)
        self.due = 0
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._work, daemon=True)
        self.thread.start()

    def _work(self) -> None:
        waiting = {self.host: b"", self.board.descriptor: b""}
        while not self.ended.is_set():
            ready, _, _ = select.select(list(waiting), [], [], 0.05)
            for end in ready:
                *frames, rest = (waiting[end] + os.read(end, 4096)).split(b"\0")
                waiting[end] = rest
                to = self.board.descriptor if end == self.host else self.host
                for frame in filter(None, frames):
                    data = b"\0" + frame + b"\0"
                    data = self._harmed(data) if self._is_next(frame, end == self.host) else data
                    while data:
                        data = data[os.write(to, data) :]

    def _is_next(self, frame: bytes, request: bool) -> bool:
        """Whether this frame is to be harmed."""
        self.exchanges += request
        self.due += request and self.exchanges % self.EVERY == 0
        of_request = sum(self.harmed.values()) % 2 == 0
        is_next = self.due > 0 and request == of_request and (request or unstuffed(frame)[1] != BUSY)
        self.due -= is_next
        return is_next

    def _harmed(self, data: bytes) -> bytes:
        how, at = HARMS[self.random.integers(len(HARMS))], int(self.random.integers(len(data)))
        self.harmed[how] += 1
        if how == "lost":
            return b""
        if how == "damaged":
            return data[:at] + bytes((data[at] ^ 1 << int(self.random.integers(8)),)) + data[at + 1 :]
        return data[:at] if how == "cut" else data + data

    def close(self) -> None:
        self.ended.set()
        self.thread.join()
        self.board.close()
        for end in self.ends:
            os.close(end)


class Prepared(NamedTuple):
    """A trained run, and what a programming without a stop does."""

    folder: pathlib.Path
    host: pathlib.Path
    """what the programmer made of the same chip on this machine"""
    map_S: np.ndarray
    pulses: int
    readback_S: np.ndarray


def prepare(name: str, build: pathlib.Path, runs: pathlib.Path) -> Prepared:
    """Train and export a task on its built-in data; program its chip once on this machine."""
    folder, work = runs / name, runs / f"{name}-host"
    if not (folder / "results.json").exists():
        task, epochs = TASKS[name]
        command = [sys.executable, "-m", "minirram", "train", task, "--data", "synthetic", "--preset", "quick"]
        command += ["--epochs", epochs, "--out", str(folder)]
        subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    work.mkdir(exist_ok=True)
    export(folder, work / "program.xbp")
    map_S = chip_map(folder, work / "map.npy", state="formed")
    memory = work / "chip.memory"
    memory.unlink() if memory.exists() else None
    arguments = ["--chip", str(work / "map.npy"), "--memory", str(memory), "--out", str(work / "readback.npy")]
    arguments.append(str(work / "program.xbp"))
    done = subprocess.run([str(build / "programmer"), *arguments], stdout=subprocess.PIPE, check=True).stdout.decode()
    pulses = sum(int(count) for count in re.findall(r"(\d+) (?:FORM|SET|RESET)", done))
    return Prepared(folder, work, map_S, pulses, np.load(work / "readback.npy"))


def counts(driver: SerialDriver) -> Tuple[int, int]:
    """(pulses that the chip got, most bytes of stack)"""
    pulses, stack = struct.unpack("<QI", driver._ask(COUNTS, b""))
    return pulses, stack


def run_bench(run: Prepared, port: str, out: pathlib.Path) -> Dict[str, Any]:
    """`minirram bench` over a port: what it says in JSON."""
    command = [sys.executable, "-m", "minirram", "bench", str(run.folder), "--driver", "serial", "--port", port]
    options = ["--timeout", "900", "--out", str(out), "--json"]  # a call reads a whole macro, on a bad line
    done = subprocess.run([*command, *options], cwd=ROOT, stdout=subprocess.PIPE)
    if done.returncode:
        raise SystemExit(f"minirram bench: exit {done.returncode}: {done.stdout.decode()}")
    return json.loads(done.stdout)


def program_with_stops(run: Prepared, board: Emulated, out: pathlib.Path, stops: int) -> Dict[str, int]:
    """Start programming until it was stopped so often: half of the hosts, half of the boards. Then bench ends it."""
    folder, random = RunFolder.open(run.folder), np.random.default_rng(1)
    chip, model, masks = folder.load_trained()
    built, _ = build_program(folder.config, chip, model=model, masks=masks, code_bits=0)
    digest = digests.program_digest(codec.write(built))
    header = {"program": digest, "chip_id": f"{built.chip_id:08x}", "rows": programmer.ROWS}
    stopped = {"hosts": 0, "boards": 0, "ended": 0}
    out.mkdir()
    while stopped["hosts"] + stopped["boards"] < stops and not stopped["ended"]:
        whole, wait_s = FileLine(board.port), float(random.uniform(0, 0.05))

        def stop(wait_s: float = wait_s, of_host: bool = stopped["hosts"] <= stopped["boards"]) -> None:
            time.sleep(wait_s)
            if of_host:
                raise Stopped
            board.reset()

        try:
            line = StoppedLine(whole, int(random.integers(1, 3)), stop)
            driver = SerialDriver(None, line=line, **PATIENT)
            with Journal(str(out / JOURNAL), header) as journal:
                programmer.run(driver, built, journal)
            stopped["ended"] = 1
        except Stopped:
            stopped["hosts"] += 1
        except BenchError as error:
            if "restarted" not in str(error):
                raise
            stopped["boards"] += 1
        finally:
            whole.close()
    return stopped


def load(driver: SerialDriver, data: bytes) -> int:
    """digital.bin onto the board; bytes of working memory."""
    for at in range(0, len(data), 4096):
        answer = driver._ask(LOAD, struct.pack("<II", len(data), at) + data[at : at + 4096])
    status, work = struct.unpack("<iI", answer)
    if status:
        raise SystemExit(f"infer_open on the board: {status}")
    return work


def on_host(run: Prepared, data: bytes, codes: np.ndarray, build: pathlib.Path) -> Tuple[np.ndarray, np.ndarray]:
    """(CRC-32 of every step, classes) that infer.c gives on this machine, on the chip of the example programmer."""
    (run.host / "digital.bin").write_bytes(data)
    files = [str(run.host / name) for name in ("digital.bin", "map.npy", "chip.memory")]
    done = subprocess.run([str(build / "infer"), *files], input=codes.tobytes(), stdout=subprocess.PIPE, check=True)
    lines = [line.split() for line in done.stdout.decode().splitlines()]
    return np.array([[int(crc, 16) for crc in line[:-1]] for line in lines]), np.array(
        [int(line[-1]) for line in lines]
    )


def classify(run: Prepared, port: str, out: pathlib.Path, inputs: int, options: argparse.Namespace) -> Dict[str, Any]:
    """Recalibrate to the read-back, load the digital side, and compare the integers of every step with Python's."""
    taken = recalibrate(run.folder, out / "readback.npy", out=out / "recalibrated")
    folder = RunFolder.open(taken.folder)
    chip, model, _ = folder.load_trained()
    config, test = folder.config, open_test(folder.config)
    network = integer_network(json.loads((out / "recalibrated" / "digital.json").read_text()))
    codes = test.codes[:inputs]
    product = ChipProduct(chip, model.adcs, input_bits=input_bits(config.network), scales_S=model.scales_S)
    crcs, expected = step_crcs(network, codes, product.totals)
    floats = predict(config.network, model.state, codes=codes, product=product).reshape(len(codes), -1).argmax(axis=1)
    driver = SerialDriver(None, line=FileLine(port), **PATIENT)
    data, started, differ, found = integer_binary.to_bytes(network), time.perf_counter(), 0, []
    work = load(driver, data)
    host_crcs, host_classes = on_host(run, data, codes, options.build)
    host_differ = int(np.count_nonzero((host_crcs != crcs).any(axis=1) | (host_classes != expected)))
    for k, sample in enumerate(codes[: options.on_board]):
        answer = driver._ask(INFER, sample.tobytes())
        found.append(struct.unpack_from("<h", answer)[0])
        differ += not np.array_equal(np.frombuffer(answer, "<u4", offset=4), crcs[k])
    seconds = time.perf_counter() - started
    _, stack = counts(driver)
    driver.close()
    return {
        "inputs": len(codes),
        "on_board": len(found),
        "digital_bytes": len(data),
        "work_bytes": work,
        "steps": len(network.steps),
        "differ": differ + int(np.count_nonzero(np.array(found) != expected[: len(found)])) + host_differ,
        "as_floats": float(np.mean(expected == floats)),
        "accuracy": float(np.mean(expected == test.labels[: len(codes)])),
        "seconds": round(seconds, 1),
        "stack": stack,
    }


def loop(name: str, options: argparse.Namespace, work: pathlib.Path) -> Dict[str, Any]:
    """All of one chip: program it, read it back, verify, classify. Garments: with stops; digits: on a bad line."""
    started = time.perf_counter()
    run = prepare(name, options.build, options.runs)
    trained, folder = time.perf_counter(), work / f"{name}-loop"
    folder.mkdir()
    with Emulated(options.build / "mps2.elf", run.map_S, folder) as board:
        found: Dict[str, Any] = {"train_s": round(trained - started, 1)}
        if name == "garments":
            found["stops"] = program_with_stops(run, board, folder / "bench", options.stops)
            bench = run_bench(run, board.port, folder / "bench")
        else:
            relay = Relay(board.port, seed=2)
            bench = run_bench(run, relay.port, folder / "bench")
            relay.close()
            found.update(exchanges=relay.exchanges, harmed=relay.harmed)
        driver = SerialDriver(None, line=FileLine(board.port), **PATIENT)
        pulses, _ = counts(driver)
        driver.close()
        readback_S = np.load(folder / "bench" / "readback.npy")
        there = np.isfinite(readback_S)
        same = np.rint(readback_S[there] * 1e9) == np.rint(run.readback_S[there] * 1e9)
        found.update(
            cells=int(np.count_nonzero(there)),
            failed=len(bench["failed"]),
            other_than_host=int(np.count_nonzero(~same)),
            pulses=pulses,
            extra_pulses=round(pulses / run.pulses - 1, 5),
            program_s=round(time.perf_counter() - trained, 1),
        )
        programmed_s = board.cpu_s()
        found["infer"] = classify(run, board.port, folder / "bench", getattr(options, name), options)
        found.update(cpu_s={"program": programmed_s, "infer": round(board.cpu_s() - programmed_s, 1)})
    print(f"-- {name}: {json.dumps(found)}", file=sys.stderr, flush=True)
    return found


def wrong_chips(found: Dict[str, Any], stops: int) -> List[str]:
    """What of the chips is not as it must be."""
    wrong = []
    for name, chip in found.items():
        differ = chip["failed"] + chip["other_than_host"] + chip["infer"]["differ"]
        if differ or abs(chip["extra_pulses"]) >= 0.01:
            wrong.append(f"{name}: {differ} differ, {chip['extra_pulses']:.2%} extra pulses")
    harmed, exchanges = sum(found["digits"]["harmed"].values()), found["digits"]["exchanges"]
    if harmed < exchanges // Relay.EVERY - 1:
        wrong.append(f"digits: {harmed} of {exchanges} exchanges harmed, one of {Relay.EVERY} was asked for")
    stopped = found["garments"]["stops"]
    if stopped["hosts"] + stopped["boards"] < stops:
        wrong.append(f"garments: stopped {stopped}, {stops} were asked for")
    return wrong


def main(arguments: List[str]) -> int:
    """Both chips and all cores, and whether all is as it must be."""
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--stops", type=int, default=200)
    parser.add_argument("--garments", type=int, default=1000)
    parser.add_argument("--digits", type=int, default=300)
    parser.add_argument("--on-board", type=int, default=1000, help="inputs of each on the board; all on this machine")
    parser.add_argument("--runs", type=pathlib.Path)
    options, started = parser.parse_args(arguments), time.perf_counter()
    options.build = options.build.resolve()
    lines, cores, wrong = table(options.build)
    code, ram = sizes(options.build / "mps2.elf")
    with tempfile.TemporaryDirectory() as made:
        work = pathlib.Path(made)
        options.runs = work if options.runs is None else options.runs.resolve()
        with ThreadPoolExecutor(len(TASKS)) as side_by_side:
            loops = {name: side_by_side.submit(loop, name, options, work) for name in TASKS}
            chips = {name: future.result() for name, future in loops.items()}
    figures: Dict[str, Any] = {
        "m3_code": code,
        "m3_ram": ram,
        "m3_stack": max(chip["infer"]["stack"] for chip in chips.values()),
        "differ": sum(chip["failed"] + chip["other_than_host"] + chip["infer"]["differ"] for chip in chips.values()),
        "seconds": round(time.perf_counter() - started, 1),
    }
    wrong += wrong_chips(chips, options.stops)
    wrong += [f"{name} is {figures[name]}, the budget {most}" for name, most in IMAGE.items() if figures[name] > most]
    if options.json:
        print(json.dumps({**figures, "chips": chips, "cores": cores}))
    else:
        print(
            "\n".join([*lines, *(f"{name}: {json.dumps(chip)}" for name, chip in chips.items()), json.dumps(figures)])
        )
    print("".join(f"not as it must be: {line}\n" for line in wrong), file=sys.stderr, end="")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

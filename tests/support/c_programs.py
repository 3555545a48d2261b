"""Programs built from the C sources of export/, and the example programmer at work on a virtual chip."""

import functools
import os
import shutil
import subprocess

import numpy as np
import pytest

from .places import ROOT

EXPORT = ROOT / "export"
PROGRAMMER = tuple(sorted(path.name for path in EXPORT.glob("*.c")))
"""sources of the example programmer"""
STRICT = ["-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-pedantic", "-Werror"]
SANITIZE = ["-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
COMPILERS = [name for name in ("gcc", "clang") if shutil.which(name)]

# Another compiler and what runs its programs, for example MINIRRAM_CC="s390x-linux-gnu-gcc -static" and
# MINIRRAM_RUN=qemu-s390x: the same tests on a big-endian machine.
CROSS = os.environ.get("MINIRRAM_CC", "").split()
RUN = os.environ.get("MINIRRAM_RUN", "").split()

NEEDS_COMPILER = pytest.mark.skipif(
    not (COMPILERS or CROSS) or os.name == "nt", reason="no C compiler (gcc or clang) on this machine"
)


def build(folder, name, sources, flags=()):
    """The command that runs the program built from sources of export/; sources built before are not compiled again."""
    objects = [compiled(folder, source, (*compiler(folder), *flags)) for source in sources]
    subprocess.run([*compiler(folder), *objects, "-o", str(folder / name), "-lm"], check=True)
    return [*RUN, str(folder / name)]


@functools.lru_cache(maxsize=None)
def compiled(folder, source, command):
    """The object file of a source of export/."""
    out = folder / f"{len(list(folder.iterdir()))}.o"
    subprocess.run([*command, "-c", str(EXPORT / source), "-o", str(out)], check=True)
    return str(out)


@functools.lru_cache(maxsize=None)
def compiler(folder):
    """The compiler with its options: sanitizers where MINIRRAM_SANITIZE asks for them, they are there and they run."""
    if CROSS:
        return (*CROSS, *STRICT, "-O2")
    sanitizers = SANITIZE if os.environ.get("MINIRRAM_SANITIZE") else []
    probe = folder / "probe"
    probe.with_suffix(".c").write_text("int main(void) { return 0; }")
    command = [COMPILERS[0], *sanitizers, str(probe) + ".c", "-o", str(probe)]
    works = (
        subprocess.run(command, stderr=subprocess.DEVNULL).returncode == 0
        and subprocess.run([str(probe)]).returncode == 0
    )
    return (COMPILERS[0], *STRICT, *(sanitizers if works and sanitizers else ["-O1"]))


def run_programmer(folder, programmer, *arguments):
    """Run the programmer on the chip in map.npy; (return code, standard error, read-back or None)."""
    out = folder / "readback.npy"
    command = [*programmer, "--chip", str(folder / "map.npy"), "--out", str(out), *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    found = np.load(out) if out.exists() else None
    if out.exists():
        out.unlink()
    return done.returncode, done.stderr.decode(), found

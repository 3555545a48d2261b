"""Programs built from the C sources of export/, and the example programmer at work on a virtual chip."""

import os
import shutil
import subprocess

import numpy as np
import pytest

from .places import ROOT

EXPORT = ROOT / "export"
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


def build(folder, name, sources, flags=(), sanitize=True):
    """The command that runs the program built from sources of export/, with sanitizers unless cross-compiled."""
    out = folder / name
    compiler = (
        [*CROSS, *STRICT, "-O2"] if CROSS else [COMPILERS[0], *STRICT, *(sanitizers(folder) if sanitize else ["-O1"])]
    )
    subprocess.run(
        [*compiler, *flags, *(str(EXPORT / source) for source in sources), "-o", str(out), "-lm"], check=True
    )
    return [*RUN, str(out)]


def sanitizers(folder):
    """SANITIZE where the compiler brings the libraries for it and they run."""
    probe = folder / "probe"
    probe.with_suffix(".c").write_text("int main(void) { return 0; }")
    command = [COMPILERS[0], *SANITIZE, str(probe) + ".c", "-o", str(probe)]
    works = (
        subprocess.run(command, stderr=subprocess.DEVNULL).returncode == 0
        and subprocess.run([str(probe)]).returncode == 0
    )
    return SANITIZE if works else ["-O1"]


def run_programmer(folder, programmer, *arguments):
    """Run the programmer on the chip in map.npy; (return code, standard error, read-back or None)."""
    out = folder / "readback.npy"
    command = [*programmer, "--chip", str(folder / "map.npy"), "--out", str(out), *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    found = np.load(out) if out.exists() else None
    if out.exists():
        out.unlink()
    return done.returncode, done.stderr.decode(), found

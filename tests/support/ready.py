"""A process that has loaded the package and is copied for each command: no command waits for its modules."""

import array
import contextlib
import json
import os
import pathlib
import socket
import subprocess
import sys
from typing import Dict, Iterator, List

CLIENT = """import array, json, os, socket, sys
told = json.dumps([sys.argv[2:], os.getcwd(), dict(os.environ)]).encode()
os.chdir(sys.argv[1])
line = socket.socket(socket.AF_UNIX)
line.connect("line")
line.sendmsg([b"%8d" % len(told)], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 1, 2]))])
line.sendall(told)
sys.exit(int(line.recv(8) or 70))
"""
"""hands its words, folder, environment and files 0 to 2 over, and ends as the command does"""


def commands() -> List[str]:
    """The words of a command that a client hands over; returns in a copy of this process, once for each command."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind("line")  # a whole path may be longer than such a name
    listener.listen(8)
    print("ready", flush=True)
    while True:
        line, _ = listener.accept()
        process = os.fork()
        if not process:
            listener.close()
            return _taken(line)
        _, status = os.waitpid(process, 0)
        code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)
        with contextlib.suppress(OSError), line:
            line.sendall(str(code).encode())


def _taken(line: socket.socket) -> List[str]:
    """What a client hands over becomes this process's; the words."""
    files = array.array("i")
    length, ancillary, _, _ = line.recvmsg(8, socket.CMSG_SPACE(3 * files.itemsize))
    files.frombytes(ancillary[0][2])
    with line.makefile("rb") as told, line:
        words, folder, environment = json.loads(told.read(int(length)).decode())
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    sys.stdin, sys.stdout, sys.stderr = (open(n, mode, closefd=False) for n, mode in ((0, "r"), (1, "w"), (2, "w")))
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    return words


@contextlib.contextmanager
def served(folder: pathlib.Path, module: str, environment: Dict[str, str]) -> Iterator[str]:
    """The start of a shell line that has the words behind it run by `module`, which is told `--ready`."""
    client = folder / "client.py"
    client.write_text(CLIENT)
    call = [sys.executable, "-m", module, "--ready"]
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE}
    with subprocess.Popen(call, cwd=str(folder), env=environment, **pipes) as server:
        try:
            assert server.stdout.readline() == b"ready\n"
            yield f'"{sys.executable}" -SE "{client}" "{folder}"'
        finally:
            server.terminate()

"""The script that plants faults of wiring: what it finds in a small package, and a fault that a test sees."""

import pytest

from .mutants import Fault, copy_of, drawn, faults, nearest, seen_by
from .places import ROOT

PACKAGE = """
from dataclasses import dataclass

@dataclass(frozen=True)
class Recipe:
    epochs: int = 30

def learn(data, rate: float, decay: float = 0.0, *, threads=1):
    data.check()
    print(data)
    return data

def run(recipe, options, rate, decay):
    learn(recipe.epochs, rate, decay, threads=options.threads)
"""


@pytest.fixture
def tree(tmp_path):
    (tmp_path / "minirram" / "runs").mkdir(parents=True)
    (tmp_path / "minirram" / "runs" / "train.py").write_text(PACKAGE)
    return tmp_path


def test_every_kind_of_fault_is_found_and_is_python(tree):
    found = {}
    for fault in faults(tree):
        source = PACKAGE.encode()
        planted = fault.planted(source).decode()
        compile(planted, fault.path, "exec")
        (changed,) = set(planted.splitlines()) - set(PACKAGE.splitlines())
        found[f"{fault.kind} {fault.what}"] = changed.strip()
    call = "learn(recipe.epochs, rate, decay, threads=options.threads)"
    assert found == {
        "leave out data.check()": "pass",
        f"leave out {call}": "pass",
        "drop decay of learn": "learn(recipe.epochs, rate, threads=options.threads)",
        "drop threads of learn": "learn(recipe.epochs, rate, decay)",
        "swap rate and decay of learn": "learn(recipe.epochs, decay, rate, threads=options.threads)",
        "default recipe.epochs as 30": "learn((30), rate, decay, threads=options.threads)",
    }


def test_a_draw_is_that_of_its_seed(tree):
    found = faults(tree)
    assert drawn(found, 3, seed=1) == drawn(found, 3, seed=1) and len(set(drawn(found, 99, seed=2))) == len(found)
    tests = nearest(found[0], ROOT)
    assert tests[-1] == "tests/runs" and len(tests) > 3 and all((ROOT / path).exists() for path in tests)


@pytest.mark.slow
def test_a_fault_is_caught_by_a_test_and_no_fault_by_none(tmp_path):
    copy, test = copy_of(ROOT, str(tmp_path)), "tests/files/test_files.py"
    (replaced,) = [
        one
        for one in faults(copy)
        if str(one).startswith("minirram/files/writing.py") and "os.replace(temporary" in one.what
    ]
    whole = (copy / replaced.path).read_bytes()
    assert seen_by(replaced, copy, [test]).startswith(test)
    nothing = Fault("minirram/files/writing.py", 1, "nothing", "at all", 0, 0, "")
    assert seen_by(nothing, copy, [test]) == ""
    assert (copy / replaced.path).read_bytes() == whole

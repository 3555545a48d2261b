"""Any option of any command with any text or number: a listed exit code, one line, no half-made folder."""

import os
import time

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ..support.command_lines import Place, command_lines

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGALRM that stops what is asked for much")

EVERY = list(HealthCheck)
SECONDS = float(os.environ.get("MINIRRAM_FUZZ_S", "20"))
"""of the long fuzz"""


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Place:
    """A run and files of each kind."""
    return Place(str(tmp_path_factory.mktemp("any-words")))


@pytest.mark.slow
@settings(max_examples=4, suppress_health_check=EVERY, phases=(Phase.generate,), derandomize=True)  # the long one draws
@given(data=st.data())
def test_any_words_end_by_the_contract(place, data):
    ended = place.run_line(data.draw(command_lines(place)))
    assert not ended.wrong, ended.wrong


LISTED = (
    ("bench RUN --driver simulated --out OUT --timeout nan", 2),
    ("bench RUN --driver simulated --out OUT --timeout 1e300", 2),
    ("convert DIGITAL --out \ud800x", 2),
    ("demo --out a\x00b", 2),
    ("sweep --run RUN --vary read_noise=0,0.01 --out OUT --figure none", 2),
    ("sweep --run RUN --vary read_noise=0,0.01 --out OUT --range x=1:2", 2),
    ("evaluate RUN --digital OUT --data OUT", 2),
    ("bench RUN --driver simulated --out OUT --port empty", 2),
    ("train fashion-mnist --data synthetic --out OUT --seed 18446744073709551616", 2),
    ("compare fashion-mnist --data synthetic --out OUT --seeds -1", 2),
    ("transfer RUN --out OUT --epochs 0", 2),
    ("sweep --run RUN --vary read_noise=0,0.01 --out OUT --threshold inf", 2),
    ("energy RUN --read-voltage 1e300", 2),
    ("evaluate RUN --split test --data 1375992517777558", 2),
    ("demo --out RUN --json --resume", 2),
    ("evaluate RUN --split test --digital RUN", 2),
    ("evaluate RUN --threads 4294967296", 2),
    ("evaluate RUN --threads 1024", 0),
    ("sweep --run RUN --vary read_noise=0,0.01 --out OUT --processes 65536", 2),
)
"""what fuzzes have found"""


@pytest.mark.parametrize("line, code", LISTED)
def test_what_was_found_stays_mended(place, line, code):
    ended = place.run_line([place.files.get(word, word) for word in line.split(" ")])
    assert (ended.code, ended.wrong) == (code, "")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # a stop in hypothesis' own callbacks
@pytest.mark.slow
def test_ten_minutes_of_any_words(place):
    """The time is that of MINIRRAM_FUZZ_S. Every kind of fault is told once, then it fails."""
    found, count, until = {}, 0, time.monotonic() + SECONDS

    @settings(max_examples=10**6, suppress_health_check=EVERY, phases=(Phase.generate,), database=None, deadline=None)
    @given(command_lines(place))
    def fuzz(words):
        nonlocal count
        if time.monotonic() > until:
            raise TimeoutError
        ended = place.run_line(words)
        count += 1
        if ended.wrong:
            found.setdefault((words[0], ended.wrong.split("\n")[0]), ended.wrong)

    with pytest.raises(TimeoutError):
        fuzz()
    print(f"{count} command lines, {len(found)} kinds of faults")
    assert not found, "\n".join(found.values())
    assert count > 2 * SECONDS / 10

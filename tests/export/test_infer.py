"""export/infer.c beside Python: the same integers at every step, and the same files refused."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minirram.errors import ConfigError
from minirram.inference import integer_binary
from minirram.inference.integer_network import integer_network

from ..support import network_laws as laws
from ..support.c_programs import NEEDS_COMPILER, build
from ..support.integer_kinds import kinds_of_networks
from ..support.integer_mutants import expected_line, in_c, in_python, mutant, with_crc
from ..support.random_networks import networks
from ..support.tiny import tiny_network

pytestmark = NEEDS_COMPILER


@pytest.fixture(scope="module")
def formula(tmp_path_factory):
    """infer.c on a chip that is a formula, under sanitizers."""
    folder = tmp_path_factory.mktemp("formula")
    return build(folder, "formula", ["tests/infer.c", "infer.c", "infer_steps.c", "xbp.c"], flags=["-DFORMULA"])


def binary(network, seed=0, adc_bits=14):
    """The digital side of a random chip."""
    case = laws.make_case(network, seed)
    return integer_binary.to_bytes(integer_network(laws.described(case, adc_bits)))


@pytest.mark.slow
@settings(deadline=None, max_examples=8, suppress_health_check=list(HealthCheck))
@given(networks(), st.integers(0, 2**16), st.sampled_from((8, 14)))
def test_every_step_of_a_random_network_has_the_integers_of_python(formula, network, seed, adc_bits):
    try:
        data = binary(network, seed, adc_bits)
    except ConfigError:
        return  # a layer without a form in integers
    ((verdict, line),) = in_c(formula, [data])
    assert verdict == 0 and line == [*expected_line(in_python(data))[:-1], line[-1]]
    assert len(line) == len(in_python(data).steps) + 1


def test_every_kind_of_step_has_the_integers_of_python(formula):
    files = [binary(network) for network in kinds_of_networks()]
    for data, (verdict, line) in zip(files, in_c(formula, files)):
        assert verdict == 0 and line == [*expected_line(in_python(data))[:-1], line[-1]]


def test_all_truncations_and_bit_flips_are_refused(formula):
    data = binary(tiny_network())
    changed = [data[:length] for length in range(len(data))]
    for at in range(len(data)):
        for bit in range(8):
            changed.append(data[:at] + bytes((data[at] ^ 1 << bit,)) + data[at + 1 :])
    changed.append(data + b"\0")
    assert in_c(formula, [data])[0][0] == 0 and in_python(data) is not None
    assert all(verdict < 0 for verdict, _ in in_c(formula, changed))
    assert not any(in_python(other) for other in changed)


def check_mutants(formula, data, count, seed):
    """(mutants, accepted ones): C and Python agree on which are good, and on what those compute."""
    random = np.random.default_rng(seed)
    files = [mutant(data, random) for _ in range(count)]
    accepted = 0
    for file, (verdict, line) in zip(files, in_c(formula, files)):
        network = in_python(file)
        assert (verdict == 0) == (network is not None), (verdict, file.hex())
        if network is not None and line:
            accepted += 1
            assert line == expected_line(network), file.hex()
    return accepted


def test_mutants_with_right_checksums_mean_the_same_in_c_and_python(formula):
    assert check_mutants(formula, binary(tiny_network()), 100, seed=1) > 5


@pytest.mark.slow
def test_twenty_thousand_mutants(formula):
    """Of all kinds of steps; no sanitizer report, or `in_c` raises."""
    accepted = 0
    for seed, network in enumerate(kinds_of_networks()):
        accepted += check_mutants(formula, binary(network, seed), 4000, seed)
    assert accepted > 2000


def test_what_integers_do_not_have_is_named(formula):
    from minirram.nn.layers.resample import Upsample
    from minirram.nn.network import Network

    case = laws.make_case(Network("up", (2, 2, 1), 2, tiny_network().layers[:1] + (Upsample("larger"),)))
    with pytest.raises(ConfigError, match="layer larger: Upsample has no form in integers"):
        integer_network(laws.described(case, 14))
    case = laws.make_case(Network("wide", (4, 4, 1), 8, tiny_network().layers[:1]))
    with pytest.raises(ConfigError, match="matrix conv: totals to .* do not fit 32 bits"):
        integer_network(laws.described(case, 24))
    assert with_crc(binary(tiny_network())) == binary(tiny_network())

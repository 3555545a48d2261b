"""Cost files of peers, as a check of counting: each component of our account beside the figure that the peer gave.

NeuroSim V1.4 on the shapes of the Fashion-MNIST CNN: arrays of 64 x 64, two 1-bit columns for a weight, 8 columns per
ADC, 8-bit SAR, 4-bit inputs with 17 % of their bits set, a quarter of the cells on. Both count the conversions, and the
energy of one is that of NeuroSim's formula. The other components are NeuroSim's joules over our counts: they hold the
files to the figures, and the counts to what they were when the files were made.

MNSIM 2.0 (commit ca39ccb) with its own SimConfig.ini on the same shapes: crossbars of 256 x 256, 128 DACs and 128 6-bit
converters each, weights of 2 bits in two crossbars, 4-bit inputs.
"""

import pytest

from minirram.accounting import shapes
from minirram.accounting.account import shapes_account
from minirram.accounting.costs import load_costs
from minirram.chip.placement import place
from minirram.device.presets import TAOX_40NM
from minirram.tasks.fashion_mnist import TASK

CONVERSIONS = 196_256
NEUROSIM_J = {
    "neurosim-45nm": {
        "adc_J": 64.8e-9,
        "digital_J": 24.8e-9,
        "links_J": 75.6e-9,
        "buffer_J": 5.0e-9,
        "drive_J": 19.0e-9,
    },
    "neurosim-32nm": {
        "adc_J": 35.3e-9,
        "digital_J": 12.5e-9,
        "links_J": 40.4e-9,
        "buffer_J": 2.5e-9,
        "drive_J": 10.0e-9,
    },
}
TOTAL_J = {"neurosim-45nm": 192e-9, "neurosim-32nm": 102e-9}


MNSIM_J = {
    "array_J": 1.2614e-9,
    "drive_J": 3.6222e-9,  # DACs, input registers, demultiplexers
    "adc_J": 389.854e-9,
    "digital_J": 8.594e-9,  # shift registers, multiplexers, output registers, joint modules, pooling
    "buffer_J": 351.397e-9,
}


def account_with(name, *, rows=64, macro_pairs=32, adc_bits=8, arrangement="polarity"):
    network = shapes.of_network(TASK.network)
    placement = place(network.matrices, rows, macro_pairs=macro_pairs)
    how = dict(adc_bits=adc_bits, activity=0.17, arrangement=arrangement)
    return shapes_account(network, placement, cell_model=TAOX_40NM, costs=name, **how)


@pytest.mark.parametrize("name", NEUROSIM_J)
def test_neurosim_is_reproduced_by_component(name):
    found = account_with(name)
    for term, joules in NEUROSIM_J[name].items():
        assert found.energy_terms_J[term] == pytest.approx(joules, rel=0.2), term
    assert found.total_J.typical == pytest.approx(TOTAL_J[name], rel=0.05)
    assert found.energy_terms_J["adc_J"] / load_costs(name).adc(8, "J")[1] == pytest.approx(CONVERSIONS)
    assert found.energy_terms_J["array_J"] == found.energy_terms_J["lines_J"] == 0  # with the conversions, the drivers


def test_mnsim_is_reproduced_by_component():
    found = account_with("mnsim-2", rows=128, macro_pairs=128, adc_bits=6, arrangement="pair")
    for term, joules in MNSIM_J.items():
        assert found.energy_terms_J[term] == pytest.approx(joules, rel=0.2), term
    assert found.energy_terms_J["lines_J"] == found.energy_terms_J["links_J"] == 0  # it counts neither
    assert found.total_J.typical == pytest.approx(754.73e-9, rel=0.05)


def test_a_conversion_of_mnsim_is_its_formula():
    """1.26 mW for 6 + 2 periods of 1 ns; it counts one of the two columns that share a converter, 38,676 of 77,352."""
    table = load_costs("mnsim-2")
    each_J = 1.26e-3 * (6 + 2) * 1e-9
    assert table.adc(6, "J")[1] == pytest.approx(each_J / 2) and table.adc(6, "s")[1] == 8e-9
    assert MNSIM_J["adc_J"] / each_J == pytest.approx(77_352 / 2)


def test_the_bracket_of_a_conversion_spans_the_families_of_sources():
    """NeuroSim's SAR, ISAAC's, the plug-in's, the survey's median, NeuRRAM's: low to high at 8 bits."""
    low, typical, high = load_costs().adc(8, "J")
    families_J = [
        load_costs("neurosim-45nm").adc(8, "J")[1],
        1.67e-12,
        2.6e-12,
        load_costs("adc-survey").adc(8, "J")[1],
    ]
    assert all(low <= joules <= high for joules in (*families_J, 13.4e-12)) and typical in families_J

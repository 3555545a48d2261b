"""What a digital side taken anew wins back, by what RESET leaves: `python benchmarks/recalibration.py RUN`.

Off cells conduct a share of their own on conductance, as after a RESET that goes that far. Validation accuracy in the
training forward: as learned, with these off cells, and with batch norms and ranges that saw 50 batches of them.
"""

import argparse
from dataclasses import replace

import numpy as np

from minirram.learn.adaptation import retake_statistics
from minirram.learn.learned import copies
from minirram.nn.engine.engine import Engine
from minirram.rng import stream
from minirram.runs.folder import RunFolder, open_training

SHARES = (0.1, 0.2, 0.3, 0.4, 0.5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--data", help="instead of the run's")
    parser.add_argument("--shares", nargs="+", type=float, default=SHARES, help="of the own on conductance")
    options = parser.parse_args()
    import machine

    machine.tell()
    run = RunFolder.open(options.run)
    config, data = run.config, open_training(replace(run.config, data_crc=0), options.data)
    engine = Engine(config.network, config.recipe.batch_size)

    def weights(chip, model, reads=None):
        of = {} if reads is None else reads
        return {n: chip.read_weights(n, model.scales_S[n], generator=of.get(n)) for n in chip.placement.names}

    def score(chip, model, state):
        held = weights(chip, model)
        return data.validation_score(lambda codes: engine.predict(held, state, x=codes))

    chip, model, _ = run.load_trained()
    learned = score(chip, model, model.state)
    on, held_S = np.stack([macro.on for macro in chip.macros]), chip.conductance_S()
    print(f"as learned {learned:.2%}")
    for share in options.shares:
        chip, model, _ = run.load_trained()
        cells_S = np.where(chip.used & ~on, share * chip.formed_S(), held_S)
        chip.replace_conductances(chip.physical(cells_S))
        lost = learned - score(chip, model, model.state)
        state, reads = copies(model.state), {name: stream(1, "read", name) for name in chip.placement.names}
        retake_statistics(
            engine,
            state,
            read_weights=lambda chip=chip, model=model, reads=reads: weights(chip, model, reads),
            data=data,
            order=stream(1, "order"),
            recipe=config.recipe,
        )
        left = learned - score(chip, model, state)
        won = f", {1 - left / lost:.0%} won back" if lost > 0 else ""
        print(f"off at {share:g} of on: {100 * lost:.2f} points lost{won}", flush=True)


if __name__ == "__main__":
    main()

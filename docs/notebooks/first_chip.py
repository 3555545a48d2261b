# %% [markdown]
# # A chip, masks, a program file
# Two classes of drawn images of 6 x 6 pixels are learned on a simulated chip.

# %%
import numpy as np

import minirram as mr

generator = np.random.default_rng(1)
labels = np.arange(400) % 2
lines = np.stack([np.eye(6), np.eye(6)[::-1]])  # one diagonal or the other
images = generator.random((400, 6, 6)) + lines[labels]

# %% [markdown]
# A full layer of 36 inputs and 2 outputs: 72 weights, each a pair of cells with random conductances.

# %%
network = mr.nn.Network("diagonals", (6, 6, 1), 4, (mr.nn.Flatten("flat"), mr.nn.Linear("fc", 36, 2)))
recipe = mr.Recipe(epochs=10, batch_size=20)
run = mr.train(network, mr.LabelledData.split(images, labels), recipe, out="runs/diagonals")
score = run.evaluate("test")
print(f"accuracy {score.accuracy:.1%} with read noise, {score.ideal.accuracy:.1%} without")
assert score.accuracy > 0.8

# %% [markdown]
# What an image costs, and the file for the programmer.

# %%
print(f"energy {run.energy(adc_bits=8).total_J * 1e9:.2f} nJ")
run.export("runs/diagonals/program.xbp")
program = mr.read_program("runs/diagonals/program.xbp")
print(f"{program.macros} macro of {program.rows} x {program.cols} cells")
assert program.macros == 1

# %% [markdown]
# # The noise of a product
# One macro is formed, and an input is multiplied many times. The spread of the results is that of the cells.

# %%
import numpy as np

import minirram as mr
from minirram.crossbar.region import Reading

cell = mr.technology("taox-40nm")
macro = mr.Macro.sample(cell, seed=1)
macro.form()
conductance_S = macro.conductance_S()
print(f"median {np.median(conductance_S) * 1e6:.2f} uS")

# %% [markdown]
# The same codes 400 times. One bit, so that one plane alone is converted; a fine step hides nothing.

# %%
codes = np.repeat(np.random.default_rng(0).integers(0, 2, (1, 512)).astype(np.uint8), 400, axis=0)
reading = Reading(noise=macro.read_noise(0, macro.whole))
y, saturated = macro.multiply(codes, input_bits=1, adc=mr.Adc(20, 10.0), reading=reading)
measured_S = y.std(axis=0, ddof=1) * 10 * cell.grid_S

# %% [markdown]
# Each driven cell adds (r G)^2 to the variance of its column.

# %%
driven_S = conductance_S[codes[0] > 0]
expected_S = np.sqrt((cell.read_std(driven_S) ** 2).sum(axis=0).reshape(-1, 2).sum(axis=1))
ratio = np.sqrt((measured_S**2).sum() / (expected_S**2).sum())
print(f"measured over expected {ratio:.3f}")
assert abs(ratio - 1) < 0.02

# %% [markdown]
# # From a measured map to a technology
# A map stands in for a measurement here: cells of a preset, some of them not formed. Take your own in its place.

# %%
import numpy as np

import minirram as mr

base = mr.technology("taox-40nm")
generator = np.random.default_rng(3)
map_S = base.sample_lrs_S(generator, (64, 64))
map_S[generator.random((64, 64)) < 0.3] = 0.0

# %% [markdown]
# The fit names the states, its distance from the cells, and whether it may be used.

# %%
found = mr.fit_maps([map_S], base)
print(found.verdict, f"median {found.model.lrs_median_S * 1e6:.2f} uS")
assert abs(found.model.lrs_median_S / base.lrs_median_S - 1) < 0.05

# %% [markdown]
# Macros of that technology are drawn by its name or its model.

# %%
macro = mr.Macro.sample(found.model, seed=2)
print(f"{macro.form()} pulses formed the macro")

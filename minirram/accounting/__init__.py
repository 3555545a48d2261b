"""Energy, latency and area: counts of events times what each costs.

Not named `energy`: `minirram.energy` is a function of the public face, and importing a package of that name would put
the package in the function's place.
"""

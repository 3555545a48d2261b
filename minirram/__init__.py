"""minirram: learn which connections of a random resistive-memory chip to keep.

`import minirram` loads nothing, not even NumPy, so the command line can settle the number of BLAS threads first.
"""

__version__ = "0.1.0"

"""minirram: learn which connections of a random resistive-memory chip to keep.

`import minirram` loads nothing, not even NumPy: each module is imported when it is first used (`minirram.cells`,
`minirram.macro`, ...), so the command line can settle the number of BLAS threads before NumPy starts.
"""

import importlib
import pkgutil

__version__ = "0.1.0"

__all__ = sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))


def __getattr__(name):
    if name in __all__:
        return importlib.import_module("." + name, __name__)
    raise AttributeError(f"module 'minirram' has no attribute {name!r}")


def __dir__():
    return __all__ + ["__version__"]

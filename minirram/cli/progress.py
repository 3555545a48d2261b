"""How far a training is, on stderr."""

import sys
from typing import Any, Dict


class Progress:
    """A line per epoch on stderr, or a tqdm bar when that is installed."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs
        self.bar: Any = None
        try:
            from tqdm import tqdm
        except ImportError:
            tqdm = None
        self.make_bar = tqdm

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.close()

    def row(self, row: Dict[str, Any]) -> None:
        """Show one row of the history."""
        if self.make_bar is not None:
            if self.bar is None:
                self.bar = self.make_bar(total=self.epochs, unit="epoch", file=sys.stderr)
            self.bar.update(row["epoch"] - self.bar.n)
            self.bar.set_postfix(loss=row["loss"], validation=row["validation"])
            return
        print(
            f"epoch {row['epoch']}/{self.epochs}  loss {row['loss']:.4f}  validation {row['validation']:.4f}  "
            f"kept {row['kept_fraction']:.3f}  {row['samples_per_second']:.0f} samples/s",
            file=sys.stderr,
        )

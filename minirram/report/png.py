"""Pictures of few colours as PNG in a data URI: indexed, 1 to 8 bits a pixel (PNG specification, 2nd edition)."""

import base64
import struct
import zlib
from typing import Sequence, Tuple

import numpy as np

from ..errors import ShapeError

Colour = Tuple[int, int, int, int]
"""red, green, blue, opacity, 0..255"""


def png(pixels: np.ndarray, palette: Sequence[Colour]) -> bytes:
    """The PNG file of `pixels`, integers (height, width) that are places in `palette`; ShapeError for others."""
    pixels = np.asarray(pixels)
    if pixels.ndim != 2 or not pixels.size or not 0 < len(palette) <= 256:
        raise ShapeError(
            f"a picture of shape {pixels.shape} in {len(palette)} colours; it takes (height, width), 1..256"
        )
    if pixels.min() < 0 or pixels.max() >= len(palette):
        raise ShapeError(f"pixels {pixels.min()}..{pixels.max()} of a palette of {len(palette)} colours")
    bits = next(bits for bits in (1, 2, 4, 8) if len(palette) <= 2**bits)
    height, width = pixels.shape
    rows = _packed(pixels.astype(np.uint8), bits)
    lines = np.concatenate([np.zeros((height, 1), np.uint8), rows], axis=1)  # no filter
    colours = np.array(palette, np.uint8)
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, 3, 0, 0, 0)),
            _chunk(b"PLTE", colours[:, :3].tobytes()),
            _chunk(b"tRNS", colours[:, 3].tobytes()),
            _chunk(b"IDAT", zlib.compress(lines.tobytes(), 9)),
            _chunk(b"IEND", b""),
        ]
    )


def data_uri(pixels: np.ndarray, palette: Sequence[Colour]) -> str:
    """The same as the address of an image within a page."""
    return "data:image/png;base64," + base64.b64encode(png(pixels, palette)).decode("ascii")


def _packed(pixels: np.ndarray, bits: int) -> np.ndarray:
    """Pixels of a row side by side in bytes, the first in the highest bits: uint8 (height, bytes)."""
    per_byte = 8 // bits
    height, width = pixels.shape
    padded = np.pad(pixels, [(0, 0), (0, -width % per_byte)]).reshape(height, -1, per_byte)
    shifts = np.arange(8 - bits, -1, -bits, dtype=np.uint8)
    return np.bitwise_or.reduce(padded << shifts, axis=2).astype(np.uint8)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

"""One file per family of layers."""

"""One array and its product: converters, read noise, wires, conditions of use."""

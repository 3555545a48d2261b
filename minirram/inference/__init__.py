"""A trained network on a chip: bit-serial forward, ADC calibration, what is saved for it."""

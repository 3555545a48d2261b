"""Test vectors of the product for other implementations: RTL, firmware in C, circuits in SPICE."""

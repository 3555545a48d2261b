"""One cell: sampled, fitted to measured maps, pulsed, told on from off."""

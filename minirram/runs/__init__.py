"""The run folder, and one step per file: train, evaluate, energy, export."""

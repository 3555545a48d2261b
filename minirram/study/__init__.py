"""Several runs side by side: transfer, weight optimisation, comparison."""

"""What learns: masks on a chip, written weights, free weights."""

"""One front door for files from a lab: what was taken is said, nothing is read as something else."""

"""Where many independent computations run: one process, several, a Dask cluster, or any executor."""

"""Studies of many points: runs under varied conditions, trainings under varied configurations, one table."""

"""Data: one file per task, and how an answer is scored."""

"""Data: one file per task, and how an answer is scored.

A task of one's own is a `Task` that is registered; `docs/extending.md` shows one.
"""

from .codes import CodeRule
from .datasets import Layout
from .labelled_data import LabelledData
from .registry import register_task
from .task import Drawing, Task

__all__ = ["CodeRule", "Drawing", "LabelledData", "Layout", "Task", "register_task"]

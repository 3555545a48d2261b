"""Command-line arguments that several commands share."""

import argparse
import os

GOOD, COMMAND_LINE, CONTENTS = 0, 2, 3


def positive(text):
    """argparse type: an integer of at least 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not at least 1")
    return value


def threads_option(parser):
    """--threads N"""
    parser.add_argument("--threads", type=positive, default=min(2, os.cpu_count() or 1), help="default %(default)s")


def run_option(parser):
    """RUN"""
    parser.add_argument("run", metavar="RUN", help="run folder")


def data_option(parser):
    """--data SOURCE, instead of the run's"""
    parser.add_argument("--data", help='folder of the data set, or "synthetic"; default: that of the run')

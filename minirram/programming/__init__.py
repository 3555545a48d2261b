"""From masks to pulses and a program file, and from a read-back to a verdict."""

"""A chip behind one interface: simulated, at the end of a serial line, or on any bench with a driver of its own."""

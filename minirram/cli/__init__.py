"""Command line: arguments in, text or one JSON object out."""

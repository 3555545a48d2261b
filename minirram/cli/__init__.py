"""Command line: arguments in, text or one JSON object out.

One module per command: `add_options(parser)` says what it takes, `run(options)` gives its result, `text(result)` shows
that to people. `RESULT` is the result's type, from which its JSON schema comes. `exit_code(result)`, where there is
one, says how it went.
"""

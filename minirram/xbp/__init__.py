"""The program file and nothing else: byte table, rules, records, reader, codec. See export/SPEC.md."""

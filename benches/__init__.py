"""Benchmarks: Firesteel beside what a user would pick instead, in one run on one machine.

Start at ``benches/README.md``; ``python -m benches.run`` is the command.
"""

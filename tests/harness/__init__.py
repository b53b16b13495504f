"""A real Kafka broker, and other programs, for the demo, the tests and the benchmarks.

Start at `harness.broker.Broker`. Whatever is started here ends with its `with` block, with the Python process, and
even with a killed one (see `harness.guard`).
"""

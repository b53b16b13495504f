"""Programs that the benchmarks start in a process of their own, one Spark session each."""

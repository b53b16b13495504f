"""What every benchmark shares: figures and bars, the machine's description, paths, Kafka, Spark workers."""

"""What the end-to-end tests share: places, Kafka, spark-submit, golden scores, and proof of the native path."""

package io.firesteel.spark.job

import org.apache.spark.sql.DataFrame
import org.apache.spark.sql.functions._
import org.apache.spark.sql.types.BinaryType

/** Takes the rows of one kind, batch by batch. Runs on the driver, in the query's own thread. */
private[job] trait Sink {

  /** What a reader may rely on, for the start's message. */
  def guarantee: String

  /** Writes the `count` rows of a batch. The same batch may come again after a restart, with the same rows. */
  def write(rows: DataFrame, count: Long, batchId: Long): Unit
}

/** Parquet, one folder `batch_id=N` per batch: a batch that comes again replaces its own folder. */
private[job] final class ParquetSink(kind: String, folder: OwnedFolder) extends Sink {
  override def guarantee: String =
    s"$kind -> ${folder.path}: exactly once (one folder per batch, replaced when a batch is repeated)"

  override def write(rows: DataFrame, count: Long, batchId: Long): Unit = {
    folder.claim()
    val own = s"batch_id=$batchId"
    if (count > 0) rows.write.mode("overwrite").parquet(s"${folder.path}/$own")
    else folder.delete(own)
  }
}

/** Kafka, after Spark's own sink. A repeated batch writes its records again. */
private[job] final class TopicSink(
    kind: String,
    topic: String,
    settings: Map[String, String],
    toRecords: DataFrame => DataFrame
) extends Sink {
  override def guarantee: String =
    s"$kind -> topic $topic: at least once (a batch repeated after a failure writes its records again)"

  override def write(rows: DataFrame, count: Long, batchId: Long): Unit =
    if (count > 0) toRecords(rows).write.format("kafka").options(settings).option("topic", topic).save()
}

private[job] object TopicSink {

  /** Scores: the output columns as one JSON object, nulls included; the key is one of them, as text. */
  def scores(topic: String, key: Option[String], settings: Map[String, String]): TopicSink =
    new TopicSink(
      "scores",
      topic,
      settings,
      rows => {
        val value = to_json(struct("*"), java.util.Map.of("ignoreNullFields", "false")).as("value")
        rows.select(key.map(name => col(s"`$name`").cast("string").as("key")).toSeq :+ value: _*)
      }
    )

  /** Rejected records: the bytes as they came, with the place and the reason in headers. */
  def rejected(topic: String, settings: Map[String, String]): TopicSink =
    new TopicSink(
      "rejected rows",
      topic,
      settings,
      rows => {
        val headers = Seq("topic", "partition", "offset", "stage", "code", "message").map { name =>
          struct(lit(s"firesteel.$name").as("key"), col(name).cast("string").cast(BinaryType).as("value"))
        }
        rows.select(col("raw").as("value"), array(headers: _*).as("headers"))
      }
    )
}

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

/** Kafka, by our sink or Spark's own. A repeated batch writes its records again. */
private[job] final class TopicSink(
    kind: String,
    topic: String,
    sink: SinkChoice,
    settings: Map[String, String],
    toRecords: DataFrame => Records
) extends Sink {
  override def guarantee: String =
    s"$kind -> topic $topic: at least once (a batch repeated after a failure writes its records again)"

  override def write(rows: DataFrame, count: Long, batchId: Long): Unit = if (count > 0) {
    val records = toRecords(rows)
    records.frame.write.format(sink.format).options(settings ++ records.options).option("topic", topic).save()
  }
}

/** Rows in the form of a sink, and what it must be told of them. */
private[job] final case class Records(frame: DataFrame, options: Map[String, String] = Map.empty)

private[job] object TopicSink {

  /** Columns that mean something else to the native sink than a member of the JSON object. */
  private val ofRecord = Set("topic", "partition", "key", "headers")

  /** Scores: the output columns as one JSON object, nulls included; the key is one of them, as text. */
  def scores(topic: String, key: Option[String], sink: SinkChoice, settings: Map[String, String]): TopicSink =
    new TopicSink("scores", topic, sink, settings, rows => scores(rows, key, sink))

  private def scores(rows: DataFrame, key: Option[String], sink: SinkChoice): Records = {
    val keys = key.map(name => col(s"`$name`").cast("string").as("key")).toSeq
    if (sink == SinkChoice.Native && !rows.columns.exists(name => ofRecord(name.toLowerCase))) {
      Records(rows.select(keys :+ col("*"): _*), Map("valueFormat" -> "json", "ignoreNullFields" -> "false"))
    } else {
      val value = to_json(struct("*"), java.util.Map.of("ignoreNullFields", "false")).as("value")
      Records(rows.select(keys :+ value: _*))
    }
  }

  /** Rejected records: the bytes as they came, with the place and the reason in headers. */
  def rejected(topic: String, sink: SinkChoice, settings: Map[String, String]): TopicSink =
    new TopicSink(
      "rejected rows",
      topic,
      sink,
      settings,
      rows => {
        val headers = Seq("topic", "partition", "offset", "stage", "code", "message").map { name =>
          struct(lit(s"firesteel.$name").as("key"), col(name).cast("string").cast(BinaryType).as("value"))
        }
        Records(rows.select(col("raw").as("value"), array(headers: _*).as("headers")))
      }
    )
}

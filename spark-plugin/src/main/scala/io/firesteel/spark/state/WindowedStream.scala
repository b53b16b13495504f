package io.firesteel.spark.state

import io.firesteel.spark.FiresteelAnalysisException
import org.apache.spark.sql.classic.{SparkSession => ClassicSession}
import org.apache.spark.sql.functions.col
import org.apache.spark.sql.streaming.{OutputMode, TimeMode}
import org.apache.spark.sql.{Dataset, Encoder, Encoders}

/** One window block behind a stream: the keys' histories live in Spark's state store. */
private[spark] object WindowedStream {
  private val Provider = "spark.sql.streaming.stateStore.providerClass"
  private val RocksDb = "org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider"
  private implicit val pieces: Encoder[Piece] = Encoders.product[Piece]
  private implicit val numbers: Encoder[Int] = Encoders.scalaInt

  /**
   * What the state store needs; set by who makes a session for its users. The changes of a batch are kept as a log. Not
   * version 2 of its checkpoints: after a crash between a file sink and the commit log, Spark 4.2.0 can't go on with it.
   */
  val StateStore: Map[String, String] =
    Map(Provider -> RocksDb, "spark.sql.streaming.stateStore.rocksdb.changelogCheckpointing.enabled" -> "true")

  /** Throws what to set if the state store is one that can't keep histories. */
  def check(path: String, session: ClassicSession): Unit =
    if (!session.sessionState.conf.getConfString(Provider, "").contains("RocksDB")) {
      throw new FiresteelAnalysisException(
        s"WINDOWS_NEED_ROCKSDB: $path has windows, and the histories of a stream's keys need Spark's RocksDB state " +
          s"store. Set $Provider=$RocksDb (firesteel.configure and StreamJob do), or read the topic with " +
          "format(\"firesteel\") and the option pipeline, which needs no store"
      )
    }

  def block(rows: Dataset[Piece], call: String, buckets: Int): Dataset[Piece] =
    rows
      .groupBy(col("bucket"))
      .as[Int, Piece]
      .transformWithState(new BucketProcessor(call, buckets), TimeMode.None(), OutputMode.Append())
}

package io.firesteel.spark.state

import java.util.Collections

import io.firesteel.spark.bridge.NativeBucket
import io.firesteel.spark.exec.TaskRunners
import org.apache.spark.TaskContext
import org.apache.spark.sql.functions.col
import org.apache.spark.sql.{Dataset, Encoder, Encoders}

/** One window block over a history: every bucket begins with nothing, and its rows come in the order of their time. */
private[spark] object WindowedBatch {
  private implicit val pieces: Encoder[Piece] = Encoders.product[Piece]
  private implicit val numbers: Encoder[Int] = Encoders.scalaInt

  def block(rows: Dataset[Piece], call: String, buckets: Int): Dataset[Piece] =
    rows.groupBy(col("bucket")).as[Int, Piece].flatMapGroups { (bucket: Int, pieces: Iterator[Piece]) =>
      worked(call, buckets, bucket, pieces)
    }

  private def worked(call: String, buckets: Int, bucket: Int, pieces: Iterator[Piece]): Iterator[Piece] = {
    val task = TaskContext.get()
    val native = new NativeBucket(call, buckets, true)
    TaskRunners.closeWith(task, native)
    Piece.take(native, pieces)
    val keys = native.begin(bucket, null, null)
    // Nobody keeps the histories when their rows are through.
    val _ = TaskRunners.stoppable(task)(native.run(Collections.nCopies(keys.size, null)))
    Piece.results(native, bucket)
  }
}

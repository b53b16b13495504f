package io.firesteel.spark.state

import scala.jdk.CollectionConverters._

import io.firesteel.spark.bridge.{FiresteelException, NativeBucket, NativeCalls}
import io.firesteel.spark.exec.{FiresteelPipeline, PackedPieces, UnpackedRows, WindowedRows}
import io.firesteel.spark.resolve.{PipelineSource, Prepared}
import io.firesteel.spark.{FiresteelAnalysisException, FiresteelConf}
import org.apache.spark.TaskContext
import org.apache.spark.sql.classic.{SparkSession => ClassicSession}
import org.apache.spark.sql.functions.{call_function, col, lit, struct}
import org.apache.spark.sql.{DataFrame, Dataset, Encoder, Encoders, SparkSession}

/**
 * A pipeline with windows behind a DataFrame: its parts, and between them the rows' way to their keys.
 *
 * {{{
 * front, packed ──► shuffle by bucket ──► block ──(by bucket of the next block)──► block ──► back, unpacked
 * }}}
 *
 * Between the parts rows go as pieces of some hundred, so that Spark never touches a row until the results come out.
 */
private[spark] object Windowed {
  private implicit val encoder: Encoder[Piece] = Encoders.product[Piece]

  /** The key columns of a pipeline file's window blocks. Over Connect the server knows; here nobody asks. */
  def keys(path: String, spark: SparkSession): Seq[Seq[String]] = spark match {
    case classic: ClassicSession =>
      checked {
        val source = PipelineSource.of(path, classic.sparkContext)
        // Only what the file says is asked: whether it is right is found out when it is put behind records.
        val windows = Prepared.read(NativeCalls.parse(source.yaml, path)).path("windows").elements().asScala
        windows.map(_.path("key").elements().asScala.map(_.asText).toSeq).toSeq
      }
    case _ => Seq.empty
  }

  def transform(path: String, records: DataFrame): DataFrame = records.sparkSession match {
    case session: ClassicSession =>
      val buckets = FiresteelConf.windowBuckets(session.sessionState.conf)
      if (records.isStreaming) {
        WindowedStream.check(path, session)
        val done = blocks(path, session, buckets).foldLeft(streamed(path, buckets, records)) { (rows, call) =>
          WindowedStream.block(rows, call, buckets)
        }
        done.select(call_function(UnpackedRows.Name, lit(path), col("rows")))
      } else {
        val pieces = packed(path, buckets, records).select(call_function(PackedPieces.Name, col("packed")))
        val earlier = blocks(path, session, buckets).dropRight(1)
        val done = if (earlier.isEmpty) pieces
        else {
          earlier.foldLeft(pieces.as[Piece])((rows, call) => WindowedBatch.block(rows, call, buckets)).toDF()
        }
        val columns = PackedPieces.Schema.fieldNames.toSeq.map(col)
        done.select(call_function(WindowedRows.Name, lit(path) +: lit(buckets) +: columns: _*))
      }
    case _ =>
      throw new FiresteelAnalysisException(
        s"WINDOWS_NEED_CLASSIC: $path has windows, which don't run over Spark Connect yet"
      )
  }

  /** The calls of the window blocks, in their order. */
  private def blocks(path: String, session: ClassicSession, buckets: Int): Seq[String] = checked {
    val source = PipelineSource.of(path, session.sparkContext)
    // Whether records come as bytes or as columns makes no difference behind the front.
    Prepared.parseParts(NativeBucket.prepare(source.yaml, path, source.found, true, buckets, true)).blocks
  }

  private def packed(path: String, buckets: Int, records: DataFrame): DataFrame =
    records
      .select(
        call_function(FiresteelPipeline.PackName, lit(path), lit(buckets), lit(records.isStreaming), struct(col("*")))
          .as("_firesteel")
      )
      .select(col("_firesteel.*"))
      // The first rows of a batch hold its pieces, the others nothing.
      .where(col("packed").isNotNull)

  private def streamed(path: String, buckets: Int, records: DataFrame): Dataset[Piece] =
    packed(path, buckets, records).as[Array[Byte]](Encoders.BINARY).mapPartitions { packed =>
      val task = TaskContext.getPartitionId()
      packed.flatMap(NativeBucket.pieces(_).asScala).zipWithIndex.map { case (piece, i) =>
        Piece(piece.bucket, Piece.from(task, i), piece.rows)
      }
    }

  private def checked[T](work: => T): T =
    try work
    catch {
      case e: FiresteelException => throw new FiresteelAnalysisException(e.getMessage, Some(e))
    }
}

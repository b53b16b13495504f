package io.firesteel.spark.state

import io.firesteel.spark.bridge.NativeBucket

/**
 * Packed rows of a bucket.
 *
 * @param from whose they are: they have an order of their own, whatever way they come
 */
private[spark] final case class Piece(bucket: Int, from: Long, rows: Array[Byte])

private[spark] object Piece {
  private val PiecesBits = 32

  /** Numbers pieces by the task or the bucket that gave them. */
  def from(number: Int, piece: Int): Long = (number.toLong << PiecesBits) | piece.toLong

  /** What a bucket has given, as long as there is more. */
  def results(native: NativeBucket, bucket: Int): Iterator[Piece] =
    Iterator.continually(native.next()).takeWhile(_ != null).zipWithIndex.map { case (piece, i) =>
      Piece(piece.bucket, from(bucket, i), piece.rows)
    }

  /** Takes the pieces of a bucket in their own order. */
  def take(native: NativeBucket, pieces: Iterator[Piece]): Unit =
    pieces.toArray.sortBy(_.from).foreach(piece => native.add(piece.rows))
}

package io.firesteel.spark.kafka.transaction

import java.nio.charset.StandardCharsets.UTF_8

import org.apache.spark.sql.catalyst.expressions.XXH64
import org.apache.spark.unsafe.Platform

/** How many records, and two digests of them: one that knows their order, and one that does not. */
final case class Content(rows: Long, ordered: Long, unordered: Long)

object Content {
  val Empty: Content = Content(0, 0, 0)
}

/**
 * Takes records up into a [[Content]]: topic, chosen partition, key, headers and value, each with its length, so that
 * bytes can't move from one to the next unseen. XXH64 finds accidents, not forgers.
 */
final class ContentDigest {
  private var rows = 0L
  private var ordered = 0L
  private var unordered = 0L
  private var topic = ""
  private var topicHash = 0L

  def add(record: OutgoingRecord): Unit = {
    if (record.topic != topic) {
      topic = record.topic
      topicHash = hash(topic.getBytes(UTF_8), 0)
    }
    var row = XXH64.hashInt(record.partition.getOrElse(-1), topicHash)
    row = hash(record.key, row)
    row = hash(record.headers, row)
    row = hash(record.value, row)
    rows += 1
    unordered += row
    ordered = XXH64.hashLong(row, ordered)
  }

  private def hash(bytes: Array[Byte], seed: Long): Long =
    if (bytes == null) XXH64.hashInt(-1, seed)
    else
      XXH64.hashUnsafeBytes(bytes, Platform.BYTE_ARRAY_OFFSET.toLong, bytes.length, XXH64.hashInt(bytes.length, seed))

  def content: Content = Content(rows, ordered, unordered)
}

/**
 * A record on its way out.
 *
 * @param key may be null
 * @param headers in the form of `HeaderBytes`, or null
 * @param value may be null
 */
final case class OutgoingRecord(
    topic: String,
    partition: Option[Int],
    key: Array[Byte],
    headers: Array[Byte],
    value: Array[Byte])

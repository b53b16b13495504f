package io.firesteel.bench

import java.nio.{ByteBuffer, ByteOrder}

/**
 * Payments of one customer in the order of (time, number): those of the last 30 days out of the state, then the new
 * ones. The packed form is all times and then all amounts, eight bytes each.
 *
 * Lives in one task. Call [[load]] once, [[add]] for each new payment, then [[last30Days]], which also puts them in
 * order; after that the arrays may be read up to [[size]].
 */
final private class History {
  import History._

  /** The payment's number, or [[History.Old]] for one that came out of the state. */
  var ids = new Array[Long](FirstCapacity)
  var times = new Array[Long](FirstCapacity)
  var amounts = new Array[Double](FirstCapacity)
  var size = 0
  private var ordered = true

  /** Starts anew with the packed form, or with nothing for null. */
  def load(packed: Array[Byte]): Unit = {
    size = if (packed == null) 0 else packed.length / EventBytes
    ordered = true
    reserve(size)
    if (size > 0) {
      val from = ByteBuffer.wrap(packed).order(ByteOrder.nativeOrder())
      from.asLongBuffer().get(times, 0, size): Unit
      from.position(size * java.lang.Long.BYTES).asDoubleBuffer().get(amounts, 0, size): Unit
      java.util.Arrays.fill(ids, 0, size, Old)
    }
  }

  def add(id: Long, time: Long, amount: Double): Unit = {
    reserve(size + 1)
    if (size > 0 && time < times(size - 1)) ordered = false
    ids(size) = id
    times(size) = time
    amounts(size) = amount
    size += 1
  }

  /** Puts the payments in order and packs those that a later one may still have in its windows. */
  def last30Days(): Array[Byte] = {
    if (!ordered) sort()
    val before = times(size - 1) - KeptDays * DayMicros
    var first = 0
    while (times(first) <= before) first += 1
    val count = size - first
    val packed = new Array[Byte](count * EventBytes)
    val to = ByteBuffer.wrap(packed).order(ByteOrder.nativeOrder())
    to.asLongBuffer().put(times, first, count): Unit
    to.position(count * java.lang.Long.BYTES).asDoubleBuffer().put(amounts, first, count): Unit
    packed
  }

  /** Rare: a topic whose partitions are in the order of time never comes here. */
  private def sort(): Unit = {
    val order = Array.range(0, size).sortBy(i => (times(i), ids(i)))
    val (oldIds, oldTimes, oldAmounts) = (ids, times, amounts)
    ids = order.map(oldIds(_))
    times = order.map(oldTimes(_))
    amounts = order.map(oldAmounts(_))
    ordered = true
  }

  private def reserve(count: Int): Unit =
    if (count > times.length) {
      val capacity = math.max(count, 2 * times.length)
      ids = java.util.Arrays.copyOf(ids, capacity)
      times = java.util.Arrays.copyOf(times, capacity)
      amounts = java.util.Arrays.copyOf(amounts, capacity)
    }
}

private object History {
  val DayMicros = 86400L * 1000000L
  val KeptDays = 30L

  /** Less than every number of a payment, so that of equal times the old ones come first. */
  val Old: Long = Long.MinValue
  private val EventBytes = 16
  private val FirstCapacity = 1024
}

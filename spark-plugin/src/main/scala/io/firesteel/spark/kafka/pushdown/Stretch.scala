package io.firesteel.spark.kafka.pushdown

/**
 * The part of a partition in which a filter may let records through: no record outside of it is wanted, and those
 * inside are still to be looked at.
 *
 * @param from first offset, and `until` the one after the last
 * @param since nothing is wanted before the first record with this time or a later one; milliseconds since 1970
 */
private[kafka] final case class Stretch(from: Long, until: Long, since: Long) {
  def isEmpty: Boolean = from >= until

  /** What is in both. */
  def and(other: Stretch): Stretch =
    Stretch(math.max(from, other.from), math.min(until, other.until), math.max(since, other.since))

  /** The smallest stretch that has both: more than either, if there is something between them. */
  def or(other: Stretch): Stretch =
    if (isEmpty) other
    else if (other.isEmpty) this
    else Stretch(math.min(from, other.from), math.max(until, other.until), math.min(since, other.since))
}

private[kafka] object Stretch {
  private val AnyTime = Long.MinValue

  val All: Stretch = Stretch(0L, Long.MaxValue, AnyTime)
  val Nothing: Stretch = Stretch(0L, 0L, AnyTime)

  def where(isWanted: Boolean): Stretch = if (isWanted) All else Nothing

  /** There is no offset `Long.MaxValue`, so that it can stand for no end. */
  def from(offset: Long): Stretch = All.copy(from = math.max(offset, 0L))
  def after(offset: Long): Stretch = from(next(offset))
  def before(offset: Long): Stretch = All.copy(until = offset)
  def to(offset: Long): Stretch = before(next(offset))

  def since(millis: Long): Stretch = All.copy(since = millis)

  private def next(offset: Long) = if (offset == Long.MaxValue) offset else offset + 1
}

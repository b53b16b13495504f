package io.firesteel.bench

import scala.collection.AbstractIterator

import org.apache.spark.sql.{DataFrame, Encoders}
import org.apache.spark.sql.streaming.{OutputMode, StatefulProcessor, TTLConfig, TimeMode, TimerValues, ValueState}

/** A payment as `from_json` decoded it: primitives, never null; `ts` in microseconds since the epoch. */
final case class Payment(customer_id: Long, transaction_id: Long, ts: Long, amount: Double)

/** A payment's six features: how many payments of its customer, and their average, in `(t - W, t]`. */
final case class Features(
    transaction_id: Long,
    customer_id: Long,
    ts: Long,
    customer_id_nb_1d: Long,
    customer_id_avg_amount_1d: Double,
    customer_id_nb_7d: Long,
    customer_id_avg_amount_7d: Double,
    customer_id_nb_30d: Long,
    customer_id_avg_amount_30d: Double
)

/**
 * One customer at a time: its last 30 days come out of the state store as one value and go back as one, the new
 * payments are worked on in the order of (time, number). The buffers are a task's own and serve every customer: Spark
 * takes all rows of one before it asks for the next.
 */
final class CustomerWindows extends StatefulProcessor[Long, Payment, Features] {
  @transient private var kept: ValueState[Array[Byte]] = _
  @transient private var history: History = _

  override def init(outputMode: OutputMode, timeMode: TimeMode): Unit = {
    kept = getHandle.getValueState[Array[Byte]]("kept", Encoders.BINARY, TTLConfig.NONE)
    history = new History
  }

  override def handleInputRows(customer: Long, rows: Iterator[Payment], timers: TimerValues): Iterator[Features] = {
    history.load(kept.get())
    while (rows.hasNext) {
      val payment = rows.next()
      history.add(payment.transaction_id, payment.ts, payment.amount)
    }
    kept.update(history.last30Days())
    new WindowedPayments(customer, history)
  }
}

object CustomerWindows {

  /** Called from the benchmark's Python driver on a stream with the columns of [[Payment]]. */
  def features(payments: DataFrame): DataFrame = {
    import payments.sparkSession.implicits._
    // By a column: a function of the row as key would decode every row once more.
    val customers = payments.groupBy("customer_id").as[Long, Payment]
    customers.transformWithState(new CustomerWindows, TimeMode.None(), OutputMode.Append()).toDF()
  }
}

/** The new payments of one customer with their features; the sums of the windows run along. */
final private class WindowedPayments(customer: Long, history: History) extends AbstractIterator[Features] {
  private val day = new RunningWindow(history, 1)
  private val week = new RunningWindow(history, 7)
  private val month = new RunningWindow(history, 30)
  private var row = 0
  skipOld()

  override def hasNext: Boolean = row < history.size

  override def next(): Features = {
    step()
    val at = row
    val found = Features(
      history.ids(at),
      customer,
      history.times(at),
      day.count,
      day.sum / day.count,
      week.count,
      week.sum / week.count,
      month.count,
      month.sum / month.count
    )
    row += 1
    skipOld()
    found
  }

  private def step(): Unit = {
    day.advance(row)
    week.advance(row)
    month.advance(row)
  }

  private def skipOld(): Unit =
    while (row < history.size && history.ids(row) == History.Old) {
      step()
      row += 1
    }
}

/** A window `(t - W, t]` that moves along a history, payment by payment. */
final private class RunningWindow(history: History, days: Int) {
  private val span = days * History.DayMicros
  private var start = 0
  private var end = 0
  var sum: Double = 0.0

  def count: Long = (end - start).toLong

  /** Takes in the payment at `row`, which is the next one, and lets go what its time has left behind. */
  def advance(row: Int): Unit = {
    sum += history.amounts(row)
    end = row + 1
    val before = history.times(row) - span
    while (history.times(start) <= before) {
      sum -= history.amounts(start)
      start += 1
    }
  }
}

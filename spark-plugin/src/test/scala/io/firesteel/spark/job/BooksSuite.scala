package io.firesteel.spark.job

import java.util.concurrent.{CountDownLatch, TimeUnit}

class BooksSuite extends munit.FunSuite {
  private val balanced =
    BatchCounts(10, 7, Seq(RejectedCount("decode", "MALFORMED", 2), RejectedCount("clean", "CHECK_FAILED", 1)))

  test("balanced books pass, and a lost or doubled row fails the batch") {
    balanced.check(3)
    for (wrong <- Seq(balanced.copy(rowsIn = 11), balanced.copy(rowsScored = 8))) {
      val message = intercept[IllegalStateException](wrong.check(3)).getMessage
      assert(message.startsWith("ROWS_LOST: batch 3 read "), message)
    }
  }

  test("a stop waits for the batch in progress, but not for ever") {
    val books = new Books(None)
    books.during(0)(balanced) // not committed: Spark has not reported it
    val from = System.nanoTime
    books.stopAfterBatch(200)
    val waited = TimeUnit.NANOSECONDS.toMillis(System.nanoTime - from)
    assert(waited >= 195 && waited < 5000, s"$waited ms")
    assert(books.isStopping)
  }

  test("after a stop no batch begins: it waits to be interrupted") {
    val books = new Books(None)
    books.stopAfterBatch(1)
    val ran = new CountDownLatch(1)
    val query = new Thread(() =>
      try books.during(1) {
          ran.countDown()
          balanced
        }
      catch { case _: InterruptedException => () }
    )
    query.start()
    assert(!ran.await(200, TimeUnit.MILLISECONDS))
    query.interrupt()
    query.join(5000)
    assert(!query.isAlive)
    assertEquals(ran.getCount, 1L)
  }
}

package io.firesteel.spark.bridge

import java.util.concurrent.{Executors, TimeUnit}

import org.apache.spark.sql.catalyst.InternalRow
import org.apache.spark.sql.types.{FloatType, StructType}

/** The border itself: what crosses, what throws, what is freed. */
class BridgeSuite extends munit.FunSuite {
  private val result = new StructType().add("result", FloatType)

  private def floats(n: Int): StructType = (0 until n).foldLeft(new StructType())((s, i) => s.add(s"f$i", FloatType))

  override def beforeAll(): Unit = NativeLibrary.load()

  /** After every test nothing native may be alive; a failure is the test's own. */
  override def munitTestTransforms: List[TestTransform] = super.munitTestTransforms :+
    new TestTransform(
      "leaks",
      test =>
        test.withBody(() =>
          test.body().map { result =>
            assertEquals(NativeCounts.now(), new NativeCounts(0, 0, 0, 0))
            result
          }(munitExecutionContext)
        )
    )

  private def withSum[T](columns: Int)(body: NativeRunner => T): T = {
    val runner = NativeRunner.sum(floats(columns), result, MemoryBudget.UNLIMITED)
    try body(runner)
    finally runner.close()
  }

  test("rows go in and come out in order, batch after batch, whatever their number") {
    withSum(3) { runner =>
      Seq(1, 63, 64, 65, 1000, 0, 7).foreach { n =>
        (0 until n).foreach(i => runner.append(InternalRow(i.toFloat, 1f, 0.5f)))
        val sums = runner.run().getChild(0)
        (0 until n).foreach(i => assertEquals(sums.getFloat(i), i + 1.5f))
        runner.clear()
      }
      assertEquals(runner.metrics().rows(), 1200L)
      assertEquals(runner.metrics().batches(), 7L)
    }
  }

  test("the same batch may run twice") {
    withSum(1) { runner =>
      runner.append(InternalRow(2f))
      assertEquals(runner.run().getChild(0).getFloat(0), 2f)
      assertEquals(runner.run().getChild(0).getFloat(0), 2f)
    }
  }

  test("a panic becomes an exception with its message and place, and the JVM goes on") {
    val literal = intercept[FiresteelPanicException](Native.selfTestPanic(0))
    assert(literal.getMessage.contains("a literal message, at "), literal.getMessage)
    val formatted = intercept[FiresteelPanicException](Native.selfTestPanic(1))
    assert(formatted.getMessage.contains("a formatted message, number 1, at "), formatted.getMessage)
    assert(formatted.getMessage.contains("self_test.rs:"), formatted.getMessage)
    val strange = intercept[FiresteelPanicException](Native.selfTestPanic(2))
    assert(strange.getMessage.contains("no text"), strange.getMessage)
    withSum(1) { runner =>
      runner.append(InternalRow(1f))
      assertEquals(runner.run().getChild(0).getFloat(0), 1f)
    }
  }

  test("panics of many threads keep their own texts") {
    val pool = Executors.newFixedThreadPool(4)
    try {
      val done = (0 until 200).map { i =>
        pool.submit[Unit] { () =>
          val e = intercept[FiresteelPanicException](Native.selfTestPanic(i % 2))
          assert(e.getMessage.contains(if (i % 2 == 0) "literal" else "formatted"), e.getMessage)
          assert(e.getMessage.contains("self_test.rs:"), e.getMessage)
        }
      }
      done.foreach(_.get(30, TimeUnit.SECONDS))
    } finally pool.shutdown()
  }

  test("a Java exception that native code meets goes on as itself") {
    val mine = new IllegalStateException("mine")
    val caught = intercept[IllegalStateException](Native.selfTestCallback(() => throw mine))
    assert(caught eq mine)
  }

  test("a handle that is not open is an exception, not a crash") {
    Seq(0L, -1L, 42_000_000L, Long.MaxValue).foreach { handle =>
      val e = intercept[FiresteelException](Native.close(handle))
      assert(e.getMessage.startsWith("STALE_HANDLE"), e.getMessage)
    }
    val handle = Native.selfTestSum(1)
    Native.close(handle)
    val _ = intercept[FiresteelException](Native.close(handle))
  }

  test("a closed runner refuses work, and closing again is nothing") {
    val runner = NativeRunner.sum(floats(1), result, MemoryBudget.UNLIMITED)
    runner.append(InternalRow(1f))
    val _ = runner.run()
    runner.close()
    runner.close()
    runner.cancel()
    val e = intercept[IllegalStateException](runner.run())
    assert(e.getMessage.contains("NativeRunner is closed"), e.getMessage)
  }

  test("cancel stops a batch that is running, from another thread") {
    val runner = NativeRunner.slow(60_000, floats(1), result, MemoryBudget.UNLIMITED)
    try {
      runner.append(InternalRow(1f))
      val canceller = new Thread(() => {
        Thread.sleep(200)
        runner.cancel()
      })
      canceller.start()
      val start = System.nanoTime()
      val _ = intercept[FiresteelCancelledException](runner.run())
      assert(System.nanoTime() - start < 10_000_000_000L)
      canceller.join()
    } finally runner.close()
  }

  test("close waits for a running batch instead of pulling memory from under it") {
    val runner = NativeRunner.slow(60_000, floats(1), result, MemoryBudget.UNLIMITED)
    runner.append(InternalRow(1f))
    val running = new Thread(() => {
      val _ = intercept[FiresteelCancelledException](runner.run())
    })
    running.start()
    Thread.sleep(200)
    runner.close()
    running.join(10_000)
    assert(!running.isAlive)
  }

  test("a runner that nobody closed is closed by the collector") {
    def forget(): Unit = {
      val runner = NativeRunner.sum(floats(1), result, MemoryBudget.UNLIMITED)
      runner.append(InternalRow(1f))
      val _ = runner.run()
    }
    forget()
    assertEquals(NativeCounts.now().runners(), 1L)
    val deadline = System.nanoTime() + 20_000_000_000L
    while (!NativeCounts.now().isZero && System.nanoTime() < deadline) {
      System.gc()
      Thread.sleep(20)
    }
  }

  test("a budget that grants nothing stops the batch and leaves nothing behind") {
    val refused = new MemoryBudget {
      override def acquire(bytes: Long): Unit = throw new FiresteelException("OUT_OF_MEMORY: no")
      override def release(bytes: Long): Unit = ()
    }
    val _ = intercept[FiresteelException](NativeRunner.sum(floats(1), result, refused))
  }

  test("what is charged to a budget is given back to the last byte") {
    var charged = 0L
    var peak = 0L
    val budget = new MemoryBudget {
      override def acquire(bytes: Long): Unit = {
        charged += bytes
        peak = peak.max(charged)
      }
      override def release(bytes: Long): Unit = charged -= bytes
    }
    val runner = NativeRunner.sum(floats(16), result, budget)
    (0 until 5000).foreach(_ =>
      runner.append(new org.apache.spark.sql.catalyst.expressions.GenericInternalRow(
        Array.fill[Any](16)(1f)
      ))
    )
    val _ = runner.run()
    runner.close()
    assertEquals(charged, 0L)
    assert(peak > 5000L * 16 * 4, s"peak $peak")
  }

  test("log lines of native code reach SLF4J, with their level and module") {
    val captured = LogCapture.of("io.firesteel.native") {
      Native.selfTestLog(2, "careful — ünïcödé")
      Native.selfTestLog(1, "worse")
      Native.selfTestLog(5, "too detailed to show")
    }
    assertEquals(
      captured,
      Seq(
        ("WARN", "io.firesteel.native.firesteel.self_test", "careful — ünïcödé"),
        ("ERROR", "io.firesteel.native.firesteel.self_test", "worse")
      )
    )
  }

  test("a pipeline file with a fault is refused with file, line and column") {
    val e = intercept[FiresteelSpecException](NativeCalls.parse("name: x\nnonsense: 1\n", "my.yaml"))
    assert(e.getMessage.contains("my.yaml:2:"), e.getMessage)
  }
}

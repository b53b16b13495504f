package io.firesteel.spark.exec

import io.firesteel.spark.SparkSuite
import org.apache.spark.SparkException
import org.apache.spark.sql.functions.{col, udf}

import scala.concurrent.duration.DurationInt
import scala.concurrent.{Await, ExecutionContext, Future}
import scala.util.Try

/** Tasks that fail and tasks that are killed leave nothing native behind, and the next query works. */
class FailureSuite extends SparkSuite with Points {
  private implicit val pool: ExecutionContext = ExecutionContext.global

  private def assertNextQueryWorks(): Unit = assertEquals(points(100).selectExpr(score(Lr)).collect().length, 100)

  test("a Java exception in the middle of the input reaches the user as itself") {
    val failing = udf { (id: Long) =>
      if (id == 1500) throw new IllegalStateException("row 1500 is bad")
      id.toDouble
    }
    val df = points(3000).withColumn("f0", failing(col("id"))).selectExpr("id", score(Lr))
    val e = intercept[SparkException](withConf("spark.firesteel.batchSize" -> "64")(df.collect()))
    val causes = Iterator.iterate[Throwable](e)(_.getCause).takeWhile(_ != null).toSeq
    assert(causes.exists(c => c.isInstanceOf[IllegalStateException] && c.getMessage == "row 1500 is bad"), causes)
    assertNextQueryWorks()
  }

  test("a consumer that stops early frees what was read ahead") {
    assertEquals(points().selectExpr(score(Lr)).limit(1).collect().length, 1)
    val e = Try(points().selectExpr(score(Lr)).foreachPartition { (rows: Iterator[org.apache.spark.sql.Row]) =>
      rows.take(3).foreach(_ => ())
      throw new IllegalStateException("enough")
    })
    assert(e.isFailure)
    assertNextQueryWorks()
  }

  test("a killed job frees its native memory") {
    val slow = udf { (x: Double) =>
      Thread.sleep(1)
      x
    }
    val sc = spark.sparkContext
    val job = Future {
      sc.setJobGroup("to-be-killed", "killed by a test", interruptOnCancel = false)
      points(200000).withColumn("f0", slow(col("f0"))).selectExpr(score(Lr)).count()
      points(200000).withColumn("f0", slow(col("f0"))).where(s"${score(Lr)} > 0.5").count()
    }
    val deadline = System.nanoTime() + 30_000_000_000L
    while (io.firesteel.spark.bridge.NativeCounts.now().runners() == 0 && System.nanoTime() < deadline) {
      Thread.sleep(20)
    }
    assert(io.firesteel.spark.bridge.NativeCounts.now().runners() > 0, "the job runs natively")
    sc.cancelJobGroup("to-be-killed")
    assert(Try(Await.result(job, 60.seconds)).isFailure)
    sc.clearJobGroup()
    assertNextQueryWorks()
  }

  test("a task that is retried starts clean") {
    val df = points(100).selectExpr("id", score(Lr))
    val expected = SparkSuite.bits(df.orderBy("id").collect())
    (0 until 3).foreach(_ => assertEquals(SparkSuite.bits(df.orderBy("id").collect()), expected))
  }
}

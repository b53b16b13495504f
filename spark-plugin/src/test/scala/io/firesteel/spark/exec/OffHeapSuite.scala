package io.firesteel.spark.exec

import io.firesteel.spark.SparkSuite
import org.apache.spark.SparkException

/** With Spark's own budget for off-heap memory, batches are charged to it. */
class OffHeapSuite extends SparkSuite with Points {
  override protected def settings: Map[String, String] = super.settings ++ Map(
    "spark.memory.offHeap.enabled" -> "true",
    "spark.memory.offHeap.size" -> "16m"
  )

  test("batches fit into the budget and give everything back") {
    val df = points().selectExpr("id", score(Lr))
    assertEquals(df.collect().length.toLong, Rows)
    assert(operators(df).head.metrics("memory").value > Rows * 16 * 8 / 3)
  }

  test("a batch that does not fit fails with advice, and the JVM goes on") {
    withConf("spark.firesteel.batchSize" -> "1000000") {
      val e = intercept[SparkException](points(900000).selectExpr(s"sum(${score(Lr)})").collect())
      val text = Iterator.iterate[Throwable](e)(_.getCause).takeWhile(_ != null).map(_.getMessage).mkString("\n")
      assert(text.contains("OUT_OF_MEMORY") && text.contains("spark.memory.offHeap.size"), text)
    }
    assertEquals(points(10).selectExpr(score(Lr)).collect().length, 10)
  }
}

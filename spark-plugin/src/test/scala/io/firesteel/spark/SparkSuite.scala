package io.firesteel.spark

import java.nio.file.{Files, Path}

import io.firesteel.spark.bridge.NativeCounts
import io.firesteel.spark.exec.FiresteelEvalExec
import org.apache.commons.io.FileUtils
import org.apache.spark.sql.classic.{Dataset, SparkSession}
import org.apache.spark.sql.execution.SparkPlan
import org.apache.spark.sql.execution.adaptive.{AdaptiveSparkPlanExec, AdaptiveSparkPlanHelper}
import org.apache.spark.sql.{DataFrame, Row}

/** A local session with Firesteel installed, and what proves that the native path ran. */
abstract class SparkSuite extends munit.FunSuite with AdaptiveSparkPlanHelper {
  override def munitTimeout: scala.concurrent.duration.Duration = scala.concurrent.duration.Duration(120, "s")

  protected def settings: Map[String, String] = Map("spark.sql.extensions" -> classOf[FiresteelExtensions].getName)

  protected lazy val spark: SparkSession = {
    val builder = SparkSession
      .builder()
      .master("local[2]")
      .appName(getClass.getSimpleName)
      .config("spark.ui.enabled", "false")
      .config("spark.sql.shuffle.partitions", "2")
      .config("spark.sql.session.timeZone", "UTC")
      // A task that leaves memory behind fails.
      .config("spark.unsafe.exceptionOnMemoryLeak", "true")
    settings.foldLeft(builder) { case (b, (key, value)) => b.config(key, value) }.getOrCreate()
  }

  override def afterAll(): Unit = {
    spark.stop()
    folders.foreach(folder => FileUtils.deleteQuietly(folder.toFile))
    SparkSession.clearActiveSession()
    SparkSession.clearDefaultSession()
  }

  /** After every test nothing native may be alive; a failure is the test's own. */
  override def munitTestTransforms: List[TestTransform] = super.munitTestTransforms :+
    new TestTransform(
      "leaks",
      test => test.withBody(() => test.body().map { result => assertNothingIsAlive(); result }(munitExecutionContext))
    )

  /** The operators of a plan, those of finished AQE stages included. */
  protected def operators(df: DataFrame): Seq[FiresteelEvalExec] =
    operators(df.asInstanceOf[Dataset[Row]].queryExecution.executedPlan)

  protected def operators(plan: SparkPlan): Seq[FiresteelEvalExec] = collectWithSubqueries(plan) {
    case eval: FiresteelEvalExec => eval
  }

  protected def rowsEvaluated(df: DataFrame): Seq[Long] = operators(df).map(_.metrics("rows").value)

  protected def isFinal(df: DataFrame): Boolean =
    df.asInstanceOf[Dataset[Row]].queryExecution.executedPlan match {
      case adaptive: AdaptiveSparkPlanExec => adaptive.isFinalPlan
      case _ => true
    }

  protected def withConf[T](pairs: (String, String)*)(body: => T): T = {
    val before = pairs.map { case (key, _) => key -> spark.conf.getOption(key) }
    pairs.foreach { case (key, value) => spark.conf.set(key, value) }
    try body
    finally before.foreach {
        case (key, Some(value)) => spark.conf.set(key, value)
        case (key, None) => spark.conf.unset(key)
      }
  }

  protected def rowByRow[T](body: => T): T = withConf(FiresteelConf.BatchEnabled -> "false")(body)

  /**
   * Nothing native is alive; tasks that were killed get a while to notice. Spark also orders rows outside of any task
   * (the last merge of ORDER BY with LIMIT): a runner that was made there has no task to end with, and its cleaner
   * needs a garbage collection.
   */
  protected def assertNothingIsAlive(): Unit = {
    val deadline = System.nanoTime() + 20_000_000_000L
    while (!NativeCounts.now().isZero && System.nanoTime() < deadline) {
      System.gc()
      Thread.sleep(50)
    }
    assertEquals(NativeCounts.now(), new NativeCounts(0, 0, 0, 0))
  }

  private var folders = Seq.empty[Path]

  protected def temporaryFolder(): Path = {
    val folder = Files.createTempDirectory("firesteel-test-")
    folders :+= folder
    folder
  }
}

object SparkSuite {

  /** Bit for bit, also for floats, arrays and structs. */
  def bits(value: Any): Any = value match {
    case d: Double => java.lang.Double.doubleToRawLongBits(d)
    case f: Float => java.lang.Float.floatToRawIntBits(f)
    case row: Row => row.toSeq.map(bits)
    case bytes: Array[Byte] => bytes.toSeq
    case seq: scala.collection.Seq[_] => seq.map(bits)
    case other => other
  }

  def bits(rows: Array[Row]): Seq[Any] = rows.toSeq.map(row => bits(row: Any))
}

package io.firesteel.spark.doctor

import org.apache.spark.SparkEnv
import org.apache.spark.sql.classic.SparkSession

/**
 * Looks whether Firesteel can run here, and tells what to mend.
 *
 * {{{
 * spark-submit --class io.firesteel.spark.doctor.Doctor firesteel-spark_2.13-0.1.0.jar [--json]
 * }}}
 *
 * With the job's own settings: many findings are about them. Exit status 1 if something does not work.
 */
object Doctor {

  /** Driver, session, and every executor that a small job reaches; of executors only what is not in order. */
  def findings(spark: SparkSession): Seq[Finding] =
    ProcessChecks.all() ++ new SparkChecks(spark).all() ++ (if (spark.sparkContext.isLocal) Nil else executors(spark))

  private def executors(spark: SparkSession): Seq[Finding] = {
    val sc = spark.sparkContext
    val tasks = math.max(2, sc.defaultParallelism) * 2
    val seen = sc.parallelize(0 until tasks, tasks).mapPartitions { _ =>
      val where = s"executor ${SparkEnv.get.executorId} on ${java.net.InetAddress.getLocalHost.getHostName}"
      Iterator.single(where -> ProcessChecks.all().filter(shown).map(_.copy(where = where)))
    }.collect().toMap
    Finding.ok("executors", s"${seen.size} looked at") +: seen.toSeq.sortBy(_._1).flatMap(_._2)
  }

  /** Of an executor: what is not in order, and the models that it has loaded. */
  private def shown(finding: Finding): Boolean = finding.level != Finding.Ok || finding.check == ProcessChecks.Models

  /** A line each, and a last one that sums up. */
  def text(findings: Seq[Finding]): String = {
    val (failed, warned) = (findings.count(_.level == Finding.Fail), findings.count(_.level == Finding.Warn))
    val end =
      if (failed > 0) s"$failed must be mended before Firesteel works here, $warned should be looked at"
      else if (warned > 0) s"Firesteel works here; $warned should be looked at"
      else "Firesteel works here"
    (findings.map(_.toString) :+ end).mkString("\n")
  }

  def main(arguments: Array[String]): Unit = {
    val unknown = arguments.filterNot(Set("--json", "--help"))
    if (unknown.nonEmpty || arguments.contains("--help")) {
      println("Looks whether Firesteel can run here.\n\n  --json    one JSON document instead of lines")
      if (unknown.nonEmpty) {
        System.err.println(s"error: unknown option ${unknown.head}")
        sys.exit(2)
      }
    } else {
      val spark = SparkSession.builder().appName("firesteel-doctor").getOrCreate()
      val found =
        try findings(spark)
        finally spark.stop()
      println(if (arguments.contains("--json")) Finding.toJson(found) else text(found))
      if (found.exists(_.level == Finding.Fail)) sys.exit(1)
    }
  }
}

package io.firesteel.spark

import io.firesteel.spark.bridge.FiresteelException
import io.firesteel.spark.models.{ModelStoreException, StoreCommand}
import org.apache.hadoop.conf.Configuration
import org.apache.spark.SparkConf

/**
 * The command of model stores, for spark-submit and `python -m firesteel model`: add, list, move, promote, rollback,
 * verify. Works on every file system that Spark reaches; starts no session. Exit status: 0 done, 2 refused.
 */
object ModelStore {
  private val Refused = 2
  private val HadoopPrefix = "spark.hadoop."

  def main(arguments: Array[String]): Unit = {
    val status =
      try {
        StoreCommand.run(arguments.toIndexedSeq, hadoop).foreach(println)
        0
      } catch {
        case refused @ (_: ModelStoreException | _: FiresteelException | _: FiresteelAnalysisException) =>
          System.err.println(s"error: ${refused.getMessage}")
          Refused
      }
    if (status != 0) sys.exit(status)
  }

  /** As a session would have it. */
  private def hadoop: Configuration = {
    val made = new Configuration()
    new SparkConf().getAllWithPrefix(HadoopPrefix).foreach { case (key, value) => made.set(key, value) }
    made
  }
}

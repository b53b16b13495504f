package io.firesteel.spark.kafka.windows

import io.firesteel.spark.FiresteelAnalysisException

/** Which windows can live beside Kafka's partitions: those of one entity, by which the topic is keyed. */
private[spark] object StateKeys {

  /** Whether one key of the topic's records is enough: all blocks see the events of their keys in one partition. */
  def fit(keys: Seq[Seq[String]]): Boolean = misfit(keys).isEmpty

  /** Throws if that is not so. */
  def check(file: String, keys: Seq[Seq[String]]): Unit =
    misfit(keys).foreach { i =>
      throw new FiresteelAnalysisException(
        s"WINDOWS_NEED_ORDER: $file: windows[$i] has the key ${keys(i).mkString(", ")}, but windows[0] " +
          s"${keys.head.mkString(", ")}: a topic is keyed by one of them, and beside its partitions only windows of that key " +
          "see all their events. Put the others into a second pipeline file, behind Pipeline.transform or on a topic " +
          "of their own key"
      )
    }

  /** The first block whose key has not all of the first block's columns in it. */
  private def misfit(keys: Seq[Seq[String]]): Option[Int] =
    keys.headOption.map(first => keys.indexWhere(key => !first.forall(name => key.exists(_.equalsIgnoreCase(name)))))
      .filter(_ >= 0)
}

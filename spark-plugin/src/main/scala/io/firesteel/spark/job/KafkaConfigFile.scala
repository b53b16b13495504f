package io.firesteel.spark.job

import java.io.{IOException, StringReader}
import java.nio.file.{Files, InvalidPathException, Path}
import java.util.Properties

import scala.jdk.CollectionConverters._

/**
 * Settings of the Kafka clients from a file, as Kafka's own tools take them (`--command-config`): a Java properties
 * file. What is in a file is in no list of processes, nor in the command line that Spark keeps in its event log.
 */
private[job] object KafkaConfigFile {

  /** The settings, each name with `prefix`. Throws [[WrongOption]], which never holds a value. */
  def read(path: String, prefix: String): Map[String, String] = {
    val properties = new Properties
    try properties.load(new StringReader(Files.readString(Path.of(path))))
    catch {
      case e @ (_: IOException | _: InvalidPathException) =>
        throw new WrongOption(s"--kafka-config $path can't be read: ${e.getClass.getSimpleName}")
      case _: IllegalArgumentException =>
        throw new WrongOption(s"--kafka-config $path is no properties file: a \\u without four digits")
    }
    properties.asScala.toMap.map { case (name, value) => prefix + name.stripPrefix(prefix) -> value }
  }
}

package io.firesteel.spark.bridge

import org.apache.logging.log4j.LogManager
import org.apache.logging.log4j.core.appender.AbstractAppender
import org.apache.logging.log4j.core.config.Property
import org.apache.logging.log4j.core.{LogEvent, Logger}

import scala.collection.mutable

/** What was logged below a name while a body ran: level, logger, message. */
object LogCapture {
  def of(name: String)(body: => Unit): Seq[(String, String, String)] = {
    val lines = mutable.ArrayBuffer.empty[(String, String, String)]
    val appender = new AbstractAppender("capture", null, null, false, Property.EMPTY_ARRAY) {
      override def append(event: LogEvent): Unit = lines.synchronized {
        val _ = lines += ((event.getLevel.name, event.getLoggerName, event.getMessage.getFormattedMessage))
      }
    }
    appender.start()
    val root = LogManager.getRootLogger.asInstanceOf[Logger]
    root.addAppender(appender)
    try body
    finally root.removeAppender(appender)
    lines.filter(_._2.startsWith(name)).toSeq
  }
}

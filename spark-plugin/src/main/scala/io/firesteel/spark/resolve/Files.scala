package io.firesteel.spark.resolve

import java.io.{FileInputStream, FileNotFoundException, IOException}
import java.net.URI
import java.nio.file.{Files => LocalFiles, Path => LocalPath}

import io.firesteel.spark.FiresteelAnalysisException
import org.apache.hadoop.conf.Configuration
import org.apache.hadoop.fs.Path

import scala.util.Try

/**
 * Small files that the driver reads: pipelines and models. A path with a scheme is Hadoop's; one without is a local
 * file if there is one, and else on Hadoop's default file system.
 */
private[spark] object Files {
  private def hasScheme(path: String): Boolean = Try(new URI(path).getScheme).toOption.exists(_ != null)

  def read(path: String, what: String, hadoop: => Configuration): Array[Byte] =
    try {
      if (!hasScheme(path) && LocalFiles.isRegularFile(LocalPath.of(path))) {
        // Not by a channel: each thread that has read one keeps native memory of the largest file's size.
        val in = new FileInputStream(path)
        try in.readAllBytes()
        finally in.close()
      } else {
        val file = new Path(path)
        val in = file.getFileSystem(hadoop).open(file)
        try in.readAllBytes()
        finally in.close()
      }
    } catch {
      case _: FileNotFoundException => throw missing(path, what)
      case e: IOException =>
        throw new FiresteelAnalysisException(s"FILE_UNREADABLE: $what $path: ${e.getMessage}", Some(e))
    }

  private def missing(path: String, what: String) = {
    val looked = if (hasScheme(path)) path else LocalPath.of(path).toAbsolutePath.toString
    new FiresteelAnalysisException(
      s"FILE_NOT_FOUND: $what $path is not there (looked at $looked on the driver)"
    )
  }

  /** Names of the files beside a local `path`; none for a path elsewhere, where a listing could be slow. */
  def beside(path: String, suffix: String): Seq[String] = {
    val folder = if (hasScheme(path)) None else Option(LocalPath.of(path).toAbsolutePath.getParent)
    val names = folder.flatMap(f => Option(f.toFile.list())).getOrElse(Array.empty[String])
    names.toSeq.filter(_.endsWith(suffix)).sorted
  }

  /** `path` as seen from the folder of `base`; absolute paths and URIs stay as they are. */
  def relativeTo(base: String, path: String): String =
    if (hasScheme(path) || path.startsWith("/")) {
      path
    } else {
      val slash = base.lastIndexOf('/')
      if (slash < 0) path else base.substring(0, slash + 1) + path
    }
}

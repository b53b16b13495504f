package io.firesteel.spark.job

import java.io.IOException
import java.nio.charset.StandardCharsets.UTF_8

import org.apache.hadoop.conf.Configuration
import org.apache.hadoop.fs.{FileAlreadyExistsException, FileSystem, Path}

/**
 * An output folder and the query that may write to it. A second query would number its batches from 0 again and
 * replace the first one's, so a folder belongs to the query whose id stands in it, for good.
 */
private[job] final class OwnedFolder(val path: String, hadoop: Configuration, queryId: () => String) {
  // Spark's readers skip names that start with an underscore.
  private val mark = new Path(path, "_firesteel_query")
  private var claimed = false

  /** Makes the folder this query's own, once. Throws if it is another's. */
  def claim(): Unit = if (!claimed) {
    val files = mark.getFileSystem(hadoop)
    val own = queryId()
    if (files.exists(mark)) refuseUnless(read(files) == own, read(files), own)
    else {
      refuseContent(files)
      create(files, own)
    }
    claimed = true
  }

  /** Removes one entry of the folder, if it is there. */
  def delete(name: String): Unit = {
    val _ = mark.getFileSystem(hadoop).delete(new Path(path, name), true)
  }

  /** Before the query starts: throws if the folder can't become that of query `own`; none is a query yet to come. */
  def check(own: Option[String]): Unit = {
    val files = mark.getFileSystem(hadoop)
    if (files.exists(mark)) refuseUnless(own.contains(read(files)), read(files), own.getOrElse("a new one"))
    else refuseContent(files)
  }

  private def refuseUnless(mine: Boolean, owner: String, own: String): Unit =
    if (!mine)
      throw new WrongOption(
        s"$path holds the output of query $owner, this query is $own: use the checkpoint of that query, or another folder"
      )

  private def refuseContent(files: FileSystem): Unit = {
    val folder = new Path(path)
    if (files.exists(folder) && files.listStatus(folder).nonEmpty)
      throw new WrongOption(s"$path is not empty and was not written by this job: give another folder")
  }

  private def create(files: FileSystem, own: String): Unit =
    try {
      val out = files.create(mark, false)
      try out.write(own.getBytes(UTF_8))
      finally out.close()
    } catch {
      case _: FileAlreadyExistsException => refuseUnless(read(files) == own, read(files), own)
    }

  private def read(files: FileSystem): String = {
    val in = files.open(mark)
    try new String(in.readAllBytes(), UTF_8).trim
    finally in.close()
  }
}

private[job] object OwnedFolder {

  /** The id of the query that a checkpoint belongs to; none for a new one. */
  def queryOf(checkpoint: String, hadoop: Configuration): Option[String] = {
    val metadata = new Path(checkpoint, "metadata")
    val files = metadata.getFileSystem(hadoop)
    if (!files.exists(metadata)) None
    else {
      val in = files.open(metadata)
      val text =
        try new String(in.readAllBytes(), UTF_8)
        finally in.close()
      """"id"\s*:\s*"([^"]+)"""".r.findFirstMatchIn(text).map(_.group(1)).orElse {
        throw new IOException(s"$metadata: no query id in it: is $checkpoint a checkpoint of Spark?")
      }
    }
  }
}

package io.firesteel.spark.models

import java.io.{FileNotFoundException, IOException}
import java.nio.charset.StandardCharsets.UTF_8
import java.security.MessageDigest

import com.fasterxml.jackson.databind.node.ObjectNode
import com.fasterxml.jackson.databind.{JsonNode, ObjectMapper}
import org.apache.hadoop.conf.Configuration
import org.apache.hadoop.fs.{FileSystem, Path}
import org.slf4j.LoggerFactory

import scala.util.Try

/** A version as its `model.json` tells it. `about` is the whole of it. */
private[spark] final case class StoredVersion(version: Long, sha256: String, bytes: Long, about: JsonNode)

/** One move of an alias; `undoes` is the number of the move that a rollback takes back. */
private[spark] final case class Move(number: Long, version: Long, moved: String, by: String, undoes: Option[Long])

/**
 * A folder of a model's versions, on any of Hadoop's file systems. `firesteel model` of the command line has the same
 * layout:
 *
 * {{{
 * versions/000003/model.onnx        written first
 * versions/000003/model.json        written last: without a whole one there is no version 3
 * aliases/champion/000007.json      a move; the highest number is where the alias stands
 * }}}
 *
 * No file is ever written twice, so that every store can do it: a reader sees a file whole, or torn, and takes one that
 * is torn for none. Versions are never changed; a replay of an old micro-batch finds the model that it had.
 */
private[spark] final class StoreFolder(val path: String, hadoop: Configuration) {
  import StoreFolder._
  private val root = new Path(path)
  private lazy val system: FileSystem = root.getFileSystem(hadoop)
  private val versions = new Path(root, "versions")

  /** The folder of a version. */
  private def folder(version: Long): Path = new Path(versions, f"$version%06d")

  def isThere: Boolean = system.exists(versions)

  /** All whole versions, in order. */
  def list(): Seq[StoredVersion] = numbers(versions, Numbered).flatMap(version)

  /** A version's description; none if it is not there or not whole. */
  def version(number: Long): Option[StoredVersion] =
    json(new Path(folder(number), About)).flatMap { node =>
      val sha256 = node.path("sha256").asText("")
      if (node.path("version").asLong == number && sha256.length == HashLength)
        Some(StoredVersion(number, sha256, node.path("bytes").asLong, node))
      else None
    }

  /** A version's bytes, checked against its hash. */
  def read(number: Long): (StoredVersion, Array[Byte]) = {
    val known = version(number).getOrElse {
      val there = list().map(_.version).mkString(", ")
      val others = if (there.isEmpty) "There are none" else s"There are: $there"
      throw new ModelStoreException(
        s"MODEL_VERSION: $path has no version $number. $others. Versions that a stream has used must stay"
      )
    }
    val file = new Path(folder(number), Model)
    val content = bytes(file).getOrElse {
      throw new ModelStoreException(
        s"MODEL_VERSION: $file is gone. Put the file back, or move the alias to another version"
      )
    }
    val found = sha256(content)
    if (found != known.sha256) {
      throw new ModelStoreException(
        s"MODEL_CHECKSUM: $file has sha256 $found, but was added with ${known.sha256}. The file was changed or damaged: " +
          "add the model again as a new version"
      )
    }
    (known, content)
  }

  /** Where the alias stands. */
  def current(alias: String): Long = standing(alias).lastOption.map(_.version).getOrElse {
    val known = aliases()
    val others = if (known.isEmpty) "There are none" else s"There are: ${known.mkString(", ")}"
    throw new ModelStoreException(s"MODEL_ALIAS: $path has no alias $alias. $others. Set it with: firesteel model move")
  }

  def aliases(): Seq[String] = {
    val folder = new Path(root, "aliases")
    val names =
      try system.listStatus(folder).toSeq.filter(_.isDirectory).map(_.getPath.getName)
      catch { case _: FileNotFoundException => Seq.empty }
    names.filter(standing(_).nonEmpty).sorted
  }

  /** Every whole move of an alias, in order. */
  def moves(alias: String): Seq[Move] = {
    val folder = new Path(new Path(root, "aliases"), alias)
    numbers(folder, NumberedFile).flatMap { number =>
      val file = moveFile(folder, number)
      val move = json(file).filter(_.path("version").asLong > 0).map { node =>
        val undoes = Some(node.path("undoes")).filter(_.isNumber).map(_.asLong)
        Move(number, node.path("version").asLong, node.path("moved").asText(""), node.path("by").asText(""), undoes)
      }
      if (move.isEmpty) log.warn("MODEL_ALIAS: {} is not whole and is passed over; the move before it counts", file)
      move
    }
  }

  /** The moves that no rollback has taken back: the last is where the alias stands, the one before where it came from. */
  def standing(alias: String): Seq[Move] = moves(alias).foldLeft(Seq.empty[Move]) {
    case (stack, Move(_, _, _, _, Some(undone))) => stack.filter(_.number != undone)
    case (stack, move) => stack :+ move
  }

  /** Adds a model that was checked; gives its version. `about` is completed with what the store knows. */
  def add(content: Array[Byte], about: ObjectNode): StoredVersion = {
    val number = numbers(versions, Numbered).lastOption.getOrElse(0L) + 1
    val hash = sha256(content)
    // Fails if another writer has taken the number in between.
    create(new Path(folder(number), Model), content)
    val node = mapper.createObjectNode()
    node.put("format", 1).put("version", number).put("sha256", hash).put("bytes", content.length.toLong)
    node.put("created", java.time.Instant.now().truncatedTo(java.time.temporal.ChronoUnit.SECONDS).toString)
    node.setAll[JsonNode](about)
    create(new Path(folder(number), About), pretty(node))
    StoredVersion(number, hash, content.length.toLong, node)
  }

  /** Moves an alias to a version, which must be there and whole. */
  def move(alias: String, version: Long, by: String, undoes: Option[Long] = None): Move = {
    ModelUri.checkAlias(alias)
    val _ = read(version)
    val folder = new Path(new Path(root, "aliases"), alias)
    val number = numbers(folder, NumberedFile).lastOption.getOrElse(0L) + 1
    val moved = java.time.Instant.now().truncatedTo(java.time.temporal.ChronoUnit.MILLIS).toString
    val node = mapper.createObjectNode().put("version", version).put("moved", moved).put("by", by)
    undoes.foreach(node.put("undoes", _))
    create(moveFile(folder, number), pretty(node))
    Move(number, version, moved, by, undoes)
  }

  /** Takes an alias's last move back. */
  def rollback(alias: String, by: String): Move = standing(alias) match {
    case _ :+ before :+ last => move(alias, before.version, by, undoes = Some(last.number))
    case _ =>
      throw new ModelStoreException(
        s"MODEL_ALIAS: $path@$alias has no move before its last one to go back to. Move it to a version by its number"
      )
  }

  private def moveFile(folder: Path, number: Long) = new Path(folder, f"$number%06d.json")

  private def numbers(folder: Path, form: scala.util.matching.Regex): Seq[Long] =
    try {
      val names = system.listStatus(folder).toSeq.map(_.getPath.getName)
      names.collect { case form(number) => number.toLong }.sorted
    } catch { case _: FileNotFoundException => Seq.empty }

  private def bytes(file: Path): Option[Array[Byte]] =
    try {
      val in = system.open(file)
      try Some(in.readAllBytes())
      finally in.close()
    } catch { case _: FileNotFoundException => None }

  /** None if the file is not there, is not JSON to its end, or is not what was written. */
  private def json(file: Path): Option[JsonNode] = {
    val content =
      try bytes(file)
      catch { case _: org.apache.hadoop.fs.ChecksumException | _: java.io.EOFException => None }
    content.flatMap(all => Try(mapper.readTree(all)).toOption).filter(_.isObject)
  }

  private def create(file: Path, content: Array[Byte]): Unit =
    try {
      val out = system.create(file, false)
      try out.write(content)
      finally out.close()
    } catch {
      case e: IOException =>
        throw new ModelStoreException(
          s"MODEL_STORE: $file could not be written: ${e.getMessage}. If someone else was writing there, try again",
          e
        )
    }
}

private[spark] object StoreFolder {
  private val log = LoggerFactory.getLogger(getClass)
  private val mapper = new ObjectMapper()
  private val Numbered = """(\d{6,18})""".r
  private val NumberedFile = """(\d{6,18})\.json""".r
  private val Model = "model.onnx"
  private val About = "model.json"
  private val HashLength = 64

  def sha256(content: Array[Byte]): String =
    MessageDigest.getInstance("SHA-256").digest(content).map(byte => f"$byte%02x").mkString

  private def pretty(node: JsonNode): Array[Byte] =
    (mapper.writerWithDefaultPrettyPrinter().writeValueAsString(node) + "\n").getBytes(UTF_8)
}

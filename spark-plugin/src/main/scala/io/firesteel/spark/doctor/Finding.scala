package io.firesteel.spark.doctor

import org.json4s.JsonDSL._
import org.json4s.jackson.JsonMethods.{compact, parse, render}
import org.json4s.{DefaultFormats, Formats, JValue}

/**
 * One look at one thing.
 *
 * @param check what was looked at, in a word or two
 * @param level `ok`; `warn`: it works, but slower or nearer to an edge than it must; `fail`: it does not work
 * @param found what is there
 * @param fix what to do about it; empty where there is nothing to do
 * @param where the process: `driver`, or an executor and its host
 */
final case class Finding(check: String, level: String, found: String, fix: String, where: String = "driver") {
  override def toString: String = {
    val shown = if (level == Finding.Ok) level else level.toUpperCase
    val cure = if (fix.isEmpty) "" else s". To mend it: $fix"
    f"$shown%-5s $check%-16s $found$cure${if (where == "driver") "" else s" [$where]"}"
  }
}

object Finding {
  val Ok = "ok"
  val Warn = "warn"
  val Fail = "fail"

  private implicit val formats: Formats = DefaultFormats

  def ok(check: String, found: String): Finding = Finding(check, Ok, found, "")

  def warn(check: String, found: String, fix: String): Finding = Finding(check, Warn, found, fix)

  def fail(check: String, found: String, fix: String): Finding = Finding(check, Fail, found, fix)

  /** A JSON list of objects with the fields' names. */
  def toJson(findings: Seq[Finding]): String = compact(render(findings.map { finding =>
    ("check" -> finding.check) ~ ("level" -> finding.level) ~ ("found" -> finding.found) ~ ("fix" -> finding.fix) ~
      ("where" -> finding.where)
  }))

  /** The engine's own findings, and the container's limit of memory in bytes. */
  private[doctor] def ofEngine(json: String): (Seq[Finding], Option[Long]) = {
    val machine = parse(json)
    def text(of: JValue, name: String): String = (of \ name).extract[String]
    val findings = (machine \ "findings").children.map { one =>
      Finding(text(one, "check"), text(one, "level"), text(one, "found"), text(one, "fix"))
    }
    (findings, (machine \ "memory_limit").extractOpt[Long])
  }
}

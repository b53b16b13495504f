package io.firesteel.spark.doctor

import munit.FunSuite

/** What the checks say of machines that are not this one. */
class ChecksSuite extends FunSuite {
  private val mounts =
    """/dev/vda / ext4 rw,relatime 0 0
      |tmpfs /tmp tmpfs rw,noexec,nosuid 0 0
      |tmpfs /tmp/exec tmpfs rw 0 0
      |tmpfs /tmpfs tmpfs rw,noexec 0 0
      |""".stripMargin

  test("a path is on the longest mount that contains it, and of two on one point on the later") {
    def noexec(path: String): Boolean = ProcessChecks.mountOf(path, mounts).exists(_.options.contains("noexec"))
    assert(noexec("/tmp"))
    assert(noexec("/tmp/spark"))
    assert(!noexec("/tmp/exec/spark"))
    assert(!noexec("/tmpo"))
    assert(!noexec("/home"))
    val later = mounts + "tmpfs /tmp tmpfs rw 0 0\n"
    assert(ProcessChecks.mountOf("/tmp/x", later).exists(!_.options.contains("noexec")))
    assert(ProcessChecks.mountOf("/tmp", "").isEmpty)
  }

  test("a heap that fills its container is told, with both sizes") {
    val finding = ProcessChecks.room(3L << 30, Some(3500L << 20))
    assert(finding.level == Finding.Warn)
    assert(finding.found.contains("heap of 3072 MiB in a container of 3500 MiB"))
    assert(finding.fix.contains("memoryOverhead"))
    assert(ProcessChecks.room(3L << 30, Some(4L << 30)).level == Finding.Ok)
    assert(ProcessChecks.room(3L << 30, None).level == Finding.Ok)
  }

  test("lines of Spark: tested, likely, impossible") {
    assert(SparkChecks.version("4.2.0").level == Finding.Ok)
    assert(SparkChecks.version("4.0.1").level == Finding.Warn)
    assert(SparkChecks.version("3.5.1").level == Finding.Fail)
  }

  test("the text sums up, and JSON keeps every word") {
    val findings = Seq(Finding.ok("Java", "21"), Finding.warn("a", "b \"c\"", "d"), Finding.fail("e", "f", "g"))
    assert(Doctor.text(
      findings
    ).linesIterator.toSeq.last == "1 must be mended before Firesteel works here, 1 should be looked at")
    assert(Finding.toJson(findings).contains("""b \"c\""""))
  }
}

package io.firesteel.spark.bridge

import java.nio.file.{Files, Path}
import java.util.concurrent.TimeUnit

import scala.jdk.CollectionConverters._

/** Loading, each time in a JVM of its own: what can go wrong takes the whole process along. */
class NativeLibrarySuite extends munit.FunSuite {
  override def munitTimeout: scala.concurrent.duration.Duration = scala.concurrent.duration.Duration(120, "s")

  /** Exit code and output of [[VersionProbe]]. */
  private def load(options: String*): (Int, String) = {
    val java = Path.of(System.getProperty("java.home"), "bin", "java").toString
    val output = Files.createTempFile("firesteel-probe-", ".log")
    val command = Seq(java, "-Xmx256m") ++ options :+ classOf[VersionProbe].getName
    val builder = new ProcessBuilder(command.asJava).redirectErrorStream(true).redirectOutput(output.toFile)
    builder.environment().put("CLASSPATH", System.getProperty("java.class.path"))
    val process = builder.start()
    try {
      assert(process.waitFor(60, TimeUnit.SECONDS), "the JVM hangs")
      (process.exitValue(), Files.readString(output))
    } finally {
      process.destroyForcibly()
      Files.delete(output)
    }
  }

  private val here = s"-D${NativeLibrary.PATH_KEY}=${System.getProperty(NativeLibrary.PATH_KEY)}"

  test("a JVM with a command line of 100,000 characters loads it, and exits") {
    val (code, output) = load(here, s"-Dpadding=${"/opt/some/library-1.0.jar:" * 4000}")
    assertEquals(code, 0, output)
    assert(output.contains("version 0.1.0"), output)
  }

  test("a folder without the library is refused, with the linker's own words, each time again") {
    val (code, output) = load(s"-D${NativeLibrary.PATH_KEY}=/nowhere")
    assertEquals(code, 0, output)
    val lines = output.linesIterator.filter(_.contains("refused: NATIVE_LIBRARY: /nowhere/libfiresteel.so")).toSeq
    assertEquals(lines.length, 2, output)
    assert(output.contains("cause: java.lang.UnsatisfiedLinkError"), output)
  }

  test("class files without the jar's libraries say which jar to use") {
    val (code, output) = load()
    assertEquals(code, 0, output)
    assert(output.contains("make dist"), output)
  }
}

/** Loads twice, prints what came of it. */
final class VersionProbe

object VersionProbe {
  def main(args: Array[String]): Unit = (1 to 2).foreach { _ =>
    try println(s"version ${NativeLibrary.version()}")
    catch {
      case e: FiresteelException => println(s"refused: ${e.getMessage}\ncause: ${e.getCause}")
    }
  }
}

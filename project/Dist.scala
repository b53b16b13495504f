import java.security.MessageDigest
import java.util.jar.Attributes.Name
import java.util.jar.Manifest

import sbt.Keys._
import sbt._

/**
 * What leaves this build: `dist`, the one jar for `--jars` and Databricks, and `writeClasspaths`, class paths for
 * programs that are started beside sbt.
 */
object Dist extends AutoPlugin {
  object autoImport {
    val dist = taskKey[File]("Our classes and the native libraries in one jar, in build/dist")
    val writeClasspaths = taskKey[Unit]("Writes build/classpath/plugin-test.txt: what our test classes run with")
    val nativeLibraries = settingKey[File]("Folder with libfiresteel.so and libonnxruntime.so")
  }
  import autoImport._

  private val libraries = Seq("libfiresteel.so", "libonnxruntime.so")
  private val inJar = "native/linux-x86_64"

  override lazy val projectSettings: Seq[Setting[_]] = Seq(
    nativeLibraries := (ThisBuild / baseDirectory).value / "build" / "native",
    dist := {
      val folder = nativeLibraries.value
      val missing = libraries.map(folder / _).filterNot(_.isFile)
      if (missing.nonEmpty) {
        throw new MessageOnlyException(s"dist: ${missing.mkString(", ")} missing. Run: make native")
      }
      val root = (ThisBuild / baseDirectory).value
      val sums = libraries.map(name => name -> sha256(folder / name))
      val sumsFile = streams.value.cacheDirectory / "SHA256SUMS"
      IO.write(sumsFile, sums.map { case (name, sum) => s"$sum  $name\n" }.mkString)
      val classes = (Compile / packageBin / mappings).value.filter(_._1.isFile)
      val natives = libraries.map(name => (folder / name) -> s"$inJar/$name") :+ (sumsFile -> s"$inJar/SHA256SUMS")
      val kafka = ShadedKafka.contents(ShadedKafka.autoImport.shadedKafka.value, target.value / "shaded" / "classes")
      val texts = Seq("LICENSE", "NOTICE").map(name => (root / name) -> s"META-INF/$name")
      val jar = root / "build" / "dist" / s"${name.value}_${scalaBinaryVersion.value}-${version.value}.jar"
      // Written aside and moved: a demo that runs meanwhile never sees half a jar.
      val part = jar.getParentFile / s".${jar.getName}.part"
      // A fixed time, so that the same contents make the same jar.
      IO.jar((classes ++ kafka ++ natives ++ texts).sortBy(_._2), part, manifest(version.value, sums), Some(0L))
      IO.move(part, jar)
      streams.value.log.info(s"wrote $jar (${jar.length / 1000000} MB)")
      jar
    },
    writeClasspaths := {
      val file = (ThisBuild / baseDirectory).value / "build" / "classpath" / "plugin-test.txt"
      IO.write(file, (Test / fullClasspath).value.files.mkString(java.io.File.pathSeparator))
    }
  )

  private def manifest(version: String, sums: Seq[(String, String)]): Manifest = {
    val manifest = new Manifest
    val main = manifest.getMainAttributes
    main.put(Name.MANIFEST_VERSION, "1.0")
    main.put(Name.IMPLEMENTATION_TITLE, "Firesteel for Apache Spark")
    main.put(Name.IMPLEMENTATION_VERSION, version)
    sums.foreach { case (name, sum) => main.put(new Name(s"Sha256-${name.stripSuffix(".so")}"), sum) }
    manifest
  }

  private def sha256(file: File): String =
    MessageDigest.getInstance("SHA-256").digest(IO.readBytes(file)).map("%02x".format(_)).mkString
}

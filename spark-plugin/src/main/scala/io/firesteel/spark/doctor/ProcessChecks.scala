package io.firesteel.spark.doctor

import java.lang.management.ManagementFactory
import java.net.URL
import java.nio.file.{Files, Path}

import io.firesteel.spark.bridge.{FiresteelException, NativeCalls, NativeLibrary}
import io.firesteel.spark.models.LoadedModels

import scala.jdk.CollectionConverters._

/** What can be wrong in a JVM, the driver's or an executor's: library, folders, flags, classes. */
private[doctor] object ProcessChecks {
  private val Ours = "io/firesteel/spark/FiresteelExtensions.class"
  private val MinFreeMiB = 300L
  private[doctor] val Models = "model"

  /** All of them; the native library's own findings first, as nothing else matters without it. */
  def all(): Seq[Finding] = native() ++ Seq(folder(), java(), flags(), memory(), loader()) ++ copies() ++ models()

  /** Those that this process has loaded; none if it has not scored yet. */
  def models(): Seq[Finding] =
    if (machine.isLeft) Nil else LoadedModels.sentences(_ => true).map(Finding.ok(Models, _))

  private lazy val machine: Either[FiresteelException, (Seq[Finding], Option[Long])] =
    try Right(Finding.ofEngine(NativeCalls.machine()))
    catch { case e: FiresteelException => Left(e) }

  private def native(): Seq[Finding] = machine match {
    case Right((findings, _)) => Finding.ok("native library", NativeLibrary.version()) +: findings
    case Left(e) =>
      Seq(
        Finding.fail(
          "native library",
          e.getMessage.stripSuffix("."),
          "the sentence says what is missing: another machine type or image, or -Dfiresteel.native.path"
        )
      )
  }

  /** Where the native library is unpacked to: noexec and full folders are passed over. */
  private def folder(): Finding = {
    val temp = Path.of(System.getProperty("java.io.tmpdir"))
    val mount = ProcessChecks.mountOf(temp.toAbsolutePath.toString, mounts())
    val free = Files.getFileStore(temp).getUsableSpace >> 20
    if (mount.exists(_.options.contains("noexec")))
      Finding.warn(
        "temp folder",
        s"$temp is mounted noexec, so the library is unpacked in another folder",
        "set -Djava.io.tmpdir or spark.local.dir to a folder that allows programs"
      )
    else if (free < MinFreeMiB)
      Finding.warn(
        "temp folder",
        s"$temp has $free MiB left, and unpacking takes 100",
        "free some space, or set -Djava.io.tmpdir to another folder"
      )
    else Finding.ok("temp folder", s"$temp, $free MiB free")
  }

  private def mounts(): String = {
    val file = Path.of("/proc/self/mounts")
    if (Files.isReadable(file)) Files.readString(file) else ""
  }

  final case class Mount(point: String, options: Set[String])

  /** The mount that a path is on: of all that contain it the longest, and of equals the last, which hides the others. */
  def mountOf(path: String, mounts: String): Option[Mount] = {
    val found = mounts.linesIterator.map(_.split(' ')).collect {
      case Array(_, point, _, options, _*) if path == point || path.startsWith(point.stripSuffix("/") + "/") =>
        Mount(point, options.split(',').toSet)
    }
    found.foldLeft(Option.empty[Mount])((best, next) =>
      best.filter(_.point.length > next.point.length).orElse(Some(next))
    )
  }

  private def java(): Finding = {
    val feature = Runtime.version().feature()
    val text = s"Java ${Runtime.version()}"
    if (feature >= 17) Finding.ok("Java", text)
    else Finding.fail("Java", s"$text, and Firesteel's classes are for 17", "run Spark on Java 17 or 21")
  }

  private def flags(): Finding = {
    val passed = ManagementFactory.getRuntimeMXBean.getInputArguments.asScala
    val slow = passed.filter(flag => Seq("-Xint", "-Xcheck:jni", "-XX:TieredStopAtLevel").exists(flag.startsWith))
    if (slow.isEmpty) Finding.ok("JVM flags", s"${passed.size}, none that slows this down")
    else
      Finding.warn(
        "JVM flags",
        s"${slow.mkString(", ")} makes Spark's code several times slower",
        "leave it out of spark.driver.extraJavaOptions and spark.executor.extraJavaOptions"
      )
  }

  /** Batches, models and the state of windows live outside the heap. */
  private def memory(): Finding = {
    val heap = Runtime.getRuntime.maxMemory()
    val limit = machine.toOption.flatMap(_._2)
    ProcessChecks.room(heap, limit)
  }

  def room(heap: Long, limit: Option[Long]): Finding = {
    val text = s"heap of ${heap >> 20} MiB"
    limit match {
      case Some(bytes) if bytes - heap < NeededOutside =>
        Finding.warn(
          "heap",
          s"$text in a container of ${bytes >> 20} MiB leaves less than ${NeededOutside >> 20} MiB to batches, models and state",
          "lower spark.driver.memory or spark.executor.memory, or raise memoryOverhead"
        )
      case Some(bytes) => Finding.ok("heap", s"$text in a container of ${bytes >> 20} MiB")
      case None => Finding.ok("heap", text)
    }
  }

  /** A JVM's own share outside its heap, and a few batches. */
  private val NeededOutside = 768L << 20

  private def loader(): Finding = {
    val ours = getClass.getClassLoader
    val context = Thread.currentThread().getContextClassLoader
    val same =
      try context == null || context.loadClass("io.firesteel.spark.FiresteelExtensions").getClassLoader == ours
      catch { case _: ClassNotFoundException => false }
    if (same) Finding.ok("class loader", ours.getClass.getSimpleName)
    else
      Finding.fail(
        "class loader",
        "a task's class loader gives other classes of Firesteel than the plugin's",
        "put the jar in one place: --jars, or the cluster's jar folder, not both"
      )
  }

  private def copies(): Seq[Finding] = {
    def jars(resource: String): Seq[String] = {
      val found: Iterator[URL] = getClass.getClassLoader.getResources(resource).asScala
      found.map(_.toString.stripPrefix("jar:").takeWhile(_ != '!').split('/').last).toSeq.distinct
    }
    val ours = jars(Ours)
    val own =
      if (ours.size <= 1) Finding.ok("our jar", ours.headOption.getOrElse("classes in a folder"))
      else
        Finding.fail("our jar", s"${ours.size} on one class path: ${ours.mkString(", ")}", "leave one of them")
    val others = Seq(
      ("onnxruntime", "ai/onnxruntime/OrtEnvironment.class", 0, "it is not used here, and takes memory beside ours"),
      ("arrow", "org/apache/arrow/vector/VectorSchemaRoot.class", 1, "Spark may take either of them")
    ).collect {
      case (name, resource, most, why) if jars(resource).size > most =>
        Finding.warn(s"$name jars", jars(resource).mkString(", "), s"$why: remove what nobody needs")
    }
    own +: others
  }
}

import com.eed3si9n.jarjarabrams.{ShadeRule, Shader}
import sbt.Keys._
import sbt._

/**
 * Kafka's Java client under names of our own, for exactly-once writes: Spark's class path may hold an older one.
 *
 * We compile and test against the renamed classes, so what is tested is what ships. The client's optional libraries
 * (compression, SLF4J) keep their names: Spark brings them.
 */
object ShadedKafka extends AutoPlugin {
  object autoImport {
    val shadedKafka = taskKey[Seq[File]]("Kafka's client and what it reads tokens with, below io.firesteel.shaded")
  }
  import autoImport._

  private val Shaded = config("shaded").hide

  private val names = Seq(
    "org.apache.kafka.**" -> "io.firesteel.shaded.kafka.@1",
    "org.jose4j.**" -> "io.firesteel.shaded.jose4j.@1"
  )

  override lazy val projectSettings: Seq[Setting[_]] = Seq(
    ivyConfigurations += Shaded,
    libraryDependencies ++= Dependencies.shaded.map(module => (module % Shaded).intransitive()),
    shadedKafka := {
      val originals = update.value.select(configurationFilter(Shaded.name)).filter(_.getName.endsWith(".jar"))
      if (originals.size != Dependencies.shaded.size) {
        throw new MessageOnlyException(s"shadedKafka: other jars than expected: ${originals.mkString(", ")}")
      }
      originals.map { original =>
        // Other names make other jars: one of before is not taken for them.
        val renamed = target.value / s"shaded-${names.hashCode.toHexString}" / original.getName
        if (!renamed.isFile) {
          val part = renamed.getParentFile / s".${renamed.getName}.part"
          IO.createDirectory(renamed.getParentFile)
          val rules = names.map(ShadeRule.rename(_).inAll)
          Shader.shadeFile(rules, original.toPath, part.toPath, false, true, true, false)
          IO.move(part, renamed)
        }
        renamed
      }
    },
    Compile / unmanagedJars ++= shadedKafka.value.map(Attributed.blank),
    Test / unmanagedJars ++= shadedKafka.value.map(Attributed.blank)
  )

  /** The classes and resources that go into our jar. */
  def contents(jars: Seq[File], folder: File): Seq[(File, String)] = {
    IO.delete(folder)
    jars.foreach(IO.unzip(_, folder, (name: String) => name.startsWith("io/firesteel/shaded/")))
    (folder ** "*").get.filter(_.isFile).flatMap(file => IO.relativize(folder, file).map(file -> _))
  }
}

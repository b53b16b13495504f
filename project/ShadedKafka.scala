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
    val shadedKafka = taskKey[File]("Kafka's client jar with its packages below io.firesteel.shaded.kafka")
  }
  import autoImport._

  private val Shaded = config("shaded").hide

  override lazy val projectSettings: Seq[Setting[_]] = Seq(
    ivyConfigurations += Shaded,
    libraryDependencies += (Dependencies.kafkaClient % Shaded).intransitive(),
    shadedKafka := {
      val original = update.value.select(configurationFilter(Shaded.name)).filter(_.getName.endsWith(".jar")) match {
        case Seq(jar) => jar
        case other => throw new MessageOnlyException(s"shadedKafka: one jar expected, not ${other.mkString(", ")}")
      }
      val renamed = target.value / "shaded" / s"shaded-${original.getName}"
      if (!renamed.isFile) {
        val part = renamed.getParentFile / s".${renamed.getName}.part"
        IO.createDirectory(renamed.getParentFile)
        val rules = Seq(ShadeRule.rename("org.apache.kafka.**" -> "io.firesteel.shaded.kafka.@1").inAll)
        Shader.shadeFile(rules, original.toPath, part.toPath, false, true, true, false)
        IO.move(part, renamed)
      }
      renamed
    },
    Compile / unmanagedJars += Attributed.blank(shadedKafka.value),
    Test / unmanagedJars += Attributed.blank(shadedKafka.value)
  )

  /** The classes and resources that go into our jar. */
  def contents(jar: File, folder: File): Seq[(File, String)] = {
    IO.delete(folder)
    IO.unzip(jar, folder, (name: String) => name.startsWith("io/firesteel/shaded/"))
    (folder ** "*").get.filter(_.isFile).flatMap(file => IO.relativize(folder, file).map(file -> _))
  }
}

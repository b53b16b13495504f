import sbt._

/** Every version that the Scala build uses, in one place. */
object Dependencies {
  val sparkVersion = "4.2.0"
  val arrowVersion = "19.0.0"
  val onnxRuntimeVersion = "1.29.0"

  /** Spark is there at run time; `arrow-c-data` travels in our jar, without the Arrow that Spark brings. */
  val plugin: Seq[ModuleID] = Seq(
    "org.apache.spark" %% "spark-sql" % sparkVersion % Provided,
    "org.apache.spark" %% "spark-sql-kafka-0-10" % sparkVersion % Provided,
    "org.apache.arrow" % "arrow-c-data" % arrowVersion excludeAll (
      ExclusionRule("org.apache.arrow"),
      ExclusionRule("org.slf4j"),
      ExclusionRule("io.netty")
    ),
    "org.scalameta" %% "munit" % "1.1.1" % Test
  )
}

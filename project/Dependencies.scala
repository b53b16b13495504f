import sbt._

/** Every version that the Scala build uses, in one place. */
object Dependencies {
  val sparkVersion = "4.2.0"
  val onnxRuntimeVersion = "1.29.0"

  /** Renamed and put into our jar, see ShadedKafka: it has the transactions of KIP-890. */
  private val kafkaClient: ModuleID = "org.apache.kafka" % "kafka-clients" % "4.4.0"

  /** What that client reads the tokens of OAUTHBEARER with. */
  private val jose4j: ModuleID = "org.bitbucket.b_c" % "jose4j" % "0.9.6"

  /** Renamed and put into our jar. */
  val shaded: Seq[ModuleID] = Seq(kafkaClient, jose4j)

  /**
   * Spark is there at run time, and brings every library that we use. Arrow's is not among them: both ends of the
   * crossing speak its C Data Interface themselves.
   */
  val plugin: Seq[ModuleID] = Seq(
    "org.apache.spark" %% "spark-sql" % sparkVersion % Provided,
    "org.apache.spark" %% "spark-sql-kafka-0-10" % sparkVersion % Provided,
    "org.scalameta" %% "munit" % "1.1.1" % Test
  )
}

/** What Spark's own launcher gives every JVM on Java 17, for the JVMs that sbt starts. */
object SparkJvm {
  private val opened = Seq(
    "java.lang",
    "java.lang.invoke",
    "java.lang.reflect",
    "java.io",
    "java.net",
    "java.nio",
    "java.util",
    "java.util.concurrent",
    "java.util.concurrent.atomic",
    "sun.nio.ch",
    "sun.nio.cs",
    "sun.security.action",
    "sun.util.calendar"
  )

  val options: Seq[String] =
    opened.map(p => s"--add-opens=java.base/$p=ALL-UNNAMED") ++ Seq(
      "--add-opens=jdk.unsupported/sun.misc=ALL-UNNAMED",
      "-Djdk.reflect.useDirectMethodHandle=false",
      "-Dio.netty.tryReflectionSetAccessible=true",
      "-Djava.net.preferIPv6Addresses=false",
      "-Duser.timezone=UTC"
    )
}

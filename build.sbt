import Dist.autoImport._

ThisBuild / organization := "io.firesteel"
ThisBuild / version := "0.1.0"
// The exact patch version that Spark 4.2.0 ships in its jars folder.
ThisBuild / scalaVersion := "2.13.18"
ThisBuild / javacOptions ++= Seq("--release", "17", "-Xlint:all,-processing,-serial", "-Werror")
ThisBuild / scalacOptions ++= Seq(
  "-release:17",
  "-deprecation",
  "-feature",
  "-unchecked",
  "-Xlint:_,-byname-implicit",
  "-Wvalue-discard",
  "-Wnonunit-statement",
  "-Wdead-code",
  "-Wunused:_",
  "-Werror"
)
// Spark jobs, ONNX Runtime and Kafka share two cores: one suite at a time.
Global / concurrentRestrictions += Tags.limit(Tags.Test, 1)

lazy val root = (project in file("."))
  .aggregate(plugin, benchPeers)
  .settings(publish / skip := true)

lazy val plugin = (project in file("spark-plugin"))
  .enablePlugins(Dist, ShadedKafka)
  .settings(
    name := "firesteel-spark",
    libraryDependencies ++= Dependencies.plugin,
    Compile / compileOrder := CompileOrder.Mixed,
    // A test may call for the effect alone.
    Test / scalacOptions --= Seq("-Wnonunit-statement", "-Wvalue-discard"),
    Test / fork := true,
    Test / parallelExecution := false,
    Test / baseDirectory := (ThisBuild / baseDirectory).value,
    Test / javaOptions ++= SparkJvm.options ++ Seq(
      "-Xmx2g",
      "-XX:+UseSerialGC",
      s"-Dfiresteel.native.path=${sys.props.getOrElse("firesteel.native.path", nativeLibraries.value.toString)}"
    ),
    Test / testOptions += Tests.Argument(new TestFramework("munit.Framework"), "+l")
  )

// Benchmarks' JVM peers; settings in benches/peers/build.sbt.
lazy val benchPeers = project in file("benches/peers")

// The JVM peers of the benchmarks. `benchPeers/benchLibs` puts their jar, ONNX Runtime for Java and Spark's Kafka
// connector where benches/ looks for them: build/bench/jars/peers and build/bench/jars/kafka.

name := "firesteel-bench-peers"
publish / skip := true

libraryDependencies ++= Seq(
  "org.apache.spark" %% "spark-sql" % Dependencies.sparkVersion % Provided,
  "com.microsoft.onnxruntime" % "onnxruntime" % Dependencies.onnxRuntimeVersion,
  "org.apache.spark" %% "spark-sql-kafka-0-10" % Dependencies.sparkVersion
)

lazy val benchLibs = taskKey[Unit]("copies what the benchmarks put on Spark's class path to build/bench/jars")
benchLibs := {
  val target = (ThisBuild / baseDirectory).value / "build" / "bench" / "jars"
  // What Spark has already must not come twice, in another place of the class path.
  val spark = (ThisBuild / baseDirectory).value / ".venv" / "lib"
  def module(jar: File): String = jar.getName.replaceAll("-\\d.*", "")
  val present = (spark ** "pyspark" / "jars" * "*.jar").get.map(module).toSet
  val libraries = (Runtime / externalDependencyClasspath).value.map(_.data).filterNot(jar => present(module(jar)))
  val (onnx, kafka) = libraries.partition(_.getName.startsWith("onnxruntime"))
  def fill(folder: String, jars: Seq[File]): Unit = {
    IO.delete(target / folder)
    jars.foreach(jar => IO.copyFile(jar, target / folder / jar.getName, CopyOptions().withPreserveLastModified(true)))
  }
  fill("kafka", kafka)
  fill("peers", onnx :+ (Compile / packageBin).value)
}

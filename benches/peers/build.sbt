// The JVM peers of the benchmarks. `benchPeers/benchLibs` puts their jar and ONNX Runtime for Java into
// build/bench/jars, where benches/ looks for them.

name := "firesteel-bench-peers"
publish / skip := true

libraryDependencies ++= Seq(
  "org.apache.spark" %% "spark-sql" % Dependencies.sparkVersion % Provided,
  "com.microsoft.onnxruntime" % "onnxruntime" % Dependencies.onnxRuntimeVersion
)

lazy val benchLibs = taskKey[Unit]("copies the peers' jar and ONNX Runtime for Java to build/bench/jars")
benchLibs := {
  val target = (ThisBuild / baseDirectory).value / "build" / "bench" / "jars"
  val onnx = (Runtime / externalDependencyClasspath).value.map(_.data).filter(_.getName.startsWith("onnxruntime"))
  IO.delete(target)
  (onnx :+ (Compile / packageBin).value).foreach(jar => IO.copyFile(jar, target / jar.getName))
}

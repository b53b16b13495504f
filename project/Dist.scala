import sbt._

object Dist extends AutoPlugin {
  object autoImport {}
}

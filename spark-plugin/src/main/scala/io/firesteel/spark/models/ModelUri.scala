package io.firesteel.spark.models

/**
 * What a model's uri names, by its form alone: the rules are those of the engine's `ModelUri`.
 *
 * An `@` counts in the last part of the path only, with a word or a number behind it.
 */
private[spark] sealed trait ModelUri {

  /** Whether it may mean another model tomorrow. */
  def moves: Boolean = false
}

private[spark] object ModelUri {

  /** An ONNX file. */
  final case class File(path: String) extends ModelUri

  /** The version at which an alias of a store stands. */
  final case class Alias(store: String, alias: String) extends ModelUri {
    override def moves: Boolean = true
  }

  /** A version in a store. */
  final case class Version(store: String, version: Long) extends ModelUri

  /** `models:/…` or `runs:/…`. */
  final case class Mlflow(uri: String) extends ModelUri {
    override def moves: Boolean = uri.contains("@") || uri.endsWith("/latest")
  }

  private val Stored = """(.*/)?([^/]+)@([^/@]+)""".r
  private val AliasName = """[A-Za-z][A-Za-z0-9_-]*""".r
  private val Number = """0*([1-9]\d{0,17})""".r

  def parse(uri: String): ModelUri = uri match {
    case mlflow if mlflow.startsWith("models:/") || mlflow.startsWith("runs:/") => Mlflow(mlflow)
    case Stored(folder, name, reference) =>
      val store = Option(folder).getOrElse("") + name
      reference match {
        case Number(version) => Version(store, version.toLong)
        case AliasName() => Alias(store, reference)
        case _ => File(uri)
      }
    case other => File(other)
  }

  /** Throws [[ModelStoreException]] unless a word can be an alias. */
  def checkAlias(alias: String): Unit =
    if (!AliasName.matches(alias)) {
      throw new ModelStoreException(
        s"MODEL_ALIAS: '$alias' can't be an alias. Use letters, digits, - and _, a letter first"
      )
    }
}

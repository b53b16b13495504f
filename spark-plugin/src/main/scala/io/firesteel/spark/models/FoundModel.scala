package io.firesteel.spark.models

import io.firesteel.spark.resolve.Files
import org.apache.hadoop.conf.Configuration
import org.apache.hadoop.fs.Path

/**
 * The bytes behind a model's uri.
 *
 * @param version in its store, if it comes from one that counts
 * @param uri that means these bytes for good: an alias is followed
 */
private[spark] final case class FoundModel(bytes: Array[Byte], version: Option[Long], uri: String)

private[spark] object FoundModel {

  /**
   * Reads what a uri names, which is a file or a model in a store. Throws
   * [[io.firesteel.spark.FiresteelAnalysisException]] or [[ModelStoreException]].
   */
  def of(uri: String, hadoop: => Configuration): FoundModel = ModelUri.parse(uri) match {
    case ModelUri.File(path) => FoundModel(Files.read(path, "model", hadoop), None, path)
    case ModelUri.Alias(store, alias) =>
      val folder = opened(store, hadoop)
      version(folder, folder.current(alias))
    case ModelUri.Version(store, number) => version(opened(store, hadoop), number)
    case ModelUri.Mlflow(of) =>
      val answer = MlflowModels.resolve(of)
      FoundModel(Files.read(answer.file, "model", hadoop), answer.version, answer.uri)
  }

  /** The uri that means for good what `uri` means now, without reading a model. */
  def pinned(uri: String, hadoop: => Configuration): String = ModelUri.parse(uri) match {
    case ModelUri.Alias(store, alias) =>
      val folder = opened(store, hadoop)
      s"$store@${folder.current(alias)}"
    case ModelUri.Mlflow(of) => MlflowModels.resolve(of).uri
    case _ => uri
  }

  private def version(folder: StoreFolder, number: Long): FoundModel =
    FoundModel(folder.read(number)._2, Some(number), s"${folder.path}@$number")

  /** As for files: a path without a scheme is local if there is, or can be, a folder, and else Hadoop's to understand. */
  def located(store: String): String = {
    val file = new java.io.File(store).getAbsoluteFile
    val isLocal = !store.matches("[A-Za-z][A-Za-z0-9+.-]*:.*") && (file.isDirectory || file.getParentFile.isDirectory)
    // Not `toURI`, which ends with a slash if the folder is there.
    if (isLocal) new Path("file", null, file.getPath).toString else store.stripSuffix("/")
  }

  /** Throws unless there is a store. */
  def opened(store: String, hadoop: Configuration): StoreFolder = {
    val folder = new StoreFolder(located(store), hadoop)
    val there =
      try folder.isThere
      catch {
        case e: java.io.IOException =>
          throw new ModelStoreException(
            s"MODEL_STORE: $store can't be reached: ${e.getMessage}. Try again, or correct it",
            e
          )
      }
    if (!there) {
      throw new ModelStoreException(
        s"MODEL_STORE: $store is no model store: it has no folder `versions`. Add a model first: firesteel model add $store FILE"
      )
    }
    folder
  }
}

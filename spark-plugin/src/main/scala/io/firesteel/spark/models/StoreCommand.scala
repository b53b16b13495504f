package io.firesteel.spark.models

import com.fasterxml.jackson.databind.ObjectMapper
import io.firesteel.spark.bridge.NativeModels
import io.firesteel.spark.resolve.Files
import org.apache.hadoop.conf.Configuration

/** What people do to a store. The words and the output are those of `firesteel model`. */
private[spark] object StoreCommand {
  private val mapper = new ObjectMapper()
  private val ShownDigits = 12

  private val Usage =
    """add STORE FILE [--alias ALIAS] [--note TEXT]   check a model and add it as the next version
      |list STORE                                      show versions and aliases
      |move STORE ALIAS VERSION                        let an alias stand at a version
      |promote STORE FROM TO                           let an alias stand where another one does
      |rollback STORE ALIAS                            take an alias's last move back
      |verify STORE                                    read every version and check it""".stripMargin

  /** Lines to print. Throws [[ModelStoreException]], or what is wrong with a model. */
  def run(arguments: Seq[String], hadoop: Configuration): Seq[String] = {
    val by = sys.props.getOrElse("user.name", "")
    def opened(store: String) = FoundModel.opened(store, hadoop)
    // A shell completes a folder with its slash.
    arguments.zipWithIndex.map { case (word, i) =>
      if (i == 1 && word.length > 1) word.stripSuffix("/") else word
    } match {
      case "add" +: store +: file +: options => add(store, file, optionsOf(options), by, hadoop)
      case Seq("list", store) => list(opened(store))
      case Seq("move", store, alias, version) =>
        val number = version.toLongOption.filter(_ > 0).getOrElse {
          throw new ModelStoreException(s"MODEL_VERSION: $version is no version. Give its number; `list` shows them")
        }
        Seq(moved(store, alias, opened(store).move(alias, number, by)))
      case Seq("promote", store, from, to) =>
        val folder = opened(store)
        Seq(moved(store, to, folder.move(to, folder.current(from), by)))
      case Seq("rollback", store, alias) => Seq(moved(store, alias, opened(store).rollback(alias, by)))
      case Seq("verify", store) => verify(opened(store))
      case _ =>
        throw new ModelStoreException(s"MODEL_STORE: '${arguments.mkString(" ")}' is no command. There are:\n$Usage")
    }
  }

  private def optionsOf(typed: Seq[String]): Map[String, String] = typed match {
    case Seq() => Map.empty
    case (name @ ("--alias" | "--note")) +: value +: rest => optionsOf(rest).updated(name, value)
    case other =>
      throw new ModelStoreException(s"MODEL_STORE: ${other.mkString(" ")}: `add` takes --alias ALIAS and --note TEXT")
  }

  private def add(
      store: String,
      file: String,
      options: Map[String, String],
      by: String,
      hadoop: Configuration): Seq[String] = {
    options.get("--alias").foreach(ModelUri.checkAlias)
    if (ModelUri.parse(s"$store@1") != ModelUri.Version(store, 1)) {
      throw new ModelStoreException(s"MODEL_STORE: $store can't be a store: its name must not be empty. Give a folder")
    }
    val content = Files.read(file, "model", hadoop)
    // Our parser and ONNX Runtime look at it first: what can't be loaded is never a version.
    val sha256 = NativeModels.load(content)
    val about = mapper.createObjectNode().put("source", file).put("note", options.getOrElse("--note", "")).put("by", by)
    val described = mapper.readTree(NativeModels.describe(sha256))
    val _ = about.set[com.fasterxml.jackson.databind.JsonNode]("inputs", described.path("inputs"))
    val _ = about.set[com.fasterxml.jackson.databind.JsonNode]("outputs", described.path("outputs"))
    val folder = new StoreFolder(FoundModel.located(store), hadoop)
    val added = folder.add(content, about)
    val line = s"$store@${added.version} added (sha256 ${added.sha256.take(ShownDigits)}, ${added.bytes} bytes)"
    line +: options.get("--alias").map(alias => moved(store, alias, folder.move(alias, added.version, by))).toSeq
  }

  private def moved(store: String, alias: String, move: Move): String =
    s"$store@$alias is version ${move.version} (move ${move.number})"

  private def list(folder: StoreFolder): Seq[String] = {
    val aliases = folder.aliases().map(alias => alias -> folder.current(alias))
    folder.list().map { version =>
      val here = aliases.collect { case (alias, at) if at == version.version => alias }
      val words = Seq(
        version.version.toString,
        version.sha256.take(ShownDigits),
        version.about.path("created").asText,
        s"${version.bytes} bytes"
      ) ++ here.map("@" + _) ++ Seq(version.about.path("note").asText).filter(_.nonEmpty)
      words.mkString("  ")
    }
  }

  private def verify(folder: StoreFolder): Seq[String] = {
    val results = folder.list().map { version =>
      val wrong =
        try { val _ = NativeModels.load(folder.read(version.version)._2); None }
        catch {
          case e: ModelStoreException => Some(e.getMessage)
          case e: io.firesteel.spark.bridge.FiresteelException => Some(e.getMessage)
        }
      version.version -> wrong
    }
    val bad = results.collect { case (number, Some(why)) => s"$number: $why" }
    if (bad.nonEmpty) {
      throw new ModelStoreException(
        s"MODEL_CHECKSUM: ${bad.size} of ${results.size} versions are not good:\n${bad.mkString("\n")}"
      )
    }
    Seq(s"${results.size} versions are whole and load")
  }
}

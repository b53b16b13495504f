package io.firesteel.spark.job

/** An option that can't be: named as the user typed it, with what to write instead. */
final class WrongOption(message: String) extends IllegalArgumentException(message)

/** What starts a micro-batch. */
sealed trait TriggerChoice
object TriggerChoice {

  /** Everything that the topic holds now, then the end. */
  case object AvailableNow extends TriggerChoice

  /** A batch every so often, until stopped. */
  final case class ProcessingTime(interval: String) extends TriggerChoice
}

/** Who reads Kafka. */
sealed trait SourceChoice
object SourceChoice {

  /** `format("firesteel")`: records become columns, features and scores in native code. */
  case object Native extends SourceChoice

  /** Spark's own source, `format("kafka")`. */
  case object Spark extends SourceChoice
}

/** Who writes topics. */
sealed trait SinkChoice {

  /** The format's name. */
  def format: String
}
object SinkChoice {

  /** `format("firesteel")`: JSON is made, and records are written, in native code. */
  case object Native extends SinkChoice {
    override val format: String = "firesteel"
  }

  /** Spark's own sink, `format("kafka")`. */
  case object Spark extends SinkChoice {
    override val format: String = "kafka"
  }
}

/** The job's options, checked. Where nothing is started (`dryRun`), topic and sinks may be missing. */
final case class JobOptions(
    pipeline: String,
    bootstrapServers: String,
    topic: String,
    source: SourceChoice,
    sink: SinkChoice,
    checkpoint: String,
    startingOffsets: String,
    maxOffsetsPerTrigger: Option[Long],
    trigger: TriggerChoice,
    failOnDataLoss: Boolean,
    outputParquet: Option[String],
    outputTopic: Option[String],
    outputKey: Option[String],
    rejectedParquet: Option[String],
    rejectedTopic: Option[String],
    progressFile: Option[String],
    queryName: Option[String],
    dryRun: Boolean,
    kafka: Map[String, String]
)

/** Parses strictly: an unknown, repeated or incomplete option is an error that names the nearest known one. */
object JobOptions {

  /** One option: its value's form (none for a switch), and one sentence. */
  private final case class Known(name: String, value: Option[String], doc: String)

  private val known = Seq(
    Known("pipeline", Some("FILE"), "The pipeline file. Required."),
    Known("bootstrap-servers", Some("HOST:PORT,..."), "Kafka's brokers. Required."),
    Known("topic", Some("TOPIC"), "The topic to read. Required."),
    Known("source", Some("SOURCE"), "native, or spark for Spark's own Kafka source. Default: native."),
    Known("sink", Some("SINK"), "native, or spark for Spark's own Kafka sink. Default: native."),
    Known("checkpoint", Some("DIR"), "Where the query keeps its position; the same folder resumes it. Required."),
    Known(
      "starting-offsets",
      Some("OFFSETS"),
      "earliest, latest or Spark's JSON; for a new checkpoint. Default: earliest."
    ),
    Known("max-offsets-per-trigger", Some("N"), "Records per micro-batch at most. Default: no limit."),
    Known("trigger", Some("TRIGGER"), "available-now, or \"processing-time 1 second\". Default: available-now."),
    Known("fail-on-data-loss", Some("true|false"), "Fail when records are gone before they were read. Default: true."),
    Known("output-parquet", Some("DIR"), "Write the scores as Parquet, exactly once."),
    Known("output-topic", Some("TOPIC"), "Write the scores as JSON records, at least once."),
    Known("output-key", Some("COLUMN"), "Output column that becomes the key of these records. Default: no key."),
    Known("rejected-parquet", Some("DIR"), "Write rejected rows as Parquet, exactly once."),
    Known(
      "rejected-topic",
      Some("TOPIC"),
      "Write rejected records as they came, the reason in headers, at least once."
    ),
    Known("progress-file", Some("FILE"), "Append one JSON line per micro-batch: rows, rejected by code, times, lag."),
    Known("kafka-config", Some("FILE"), "Settings of the Kafka clients, a properties file: the place for passwords."),
    Known("query-name", Some("NAME"), "Name of the query in Spark's UI. Default: none."),
    Known("dry-run", None, "Check options, file, schema and models, show the plan, start nothing."),
    Known("help", None, "Show this.")
  )

  private val KafkaPrefix = "kafka."

  /** The text of `--help`. */
  def help: String = {
    val lines = known.map { option =>
      val left = s"--${option.name}${option.value.fold("")(" " + _)}"
      f"  $left%-36s ${option.doc}"
    }
    s"""spark-submit --class io.firesteel.spark.StreamJob [...] FIRESTEEL.jar OPTION...
       |
       |Reads a Kafka topic, runs a pipeline file over every record and writes scores and rejected rows.
       |At least one of --output-parquet and --output-topic is needed, and one of --rejected-parquet and
       |--rejected-topic: no row is dropped.
       |
       |${lines.mkString("\n")}
       |  --kafka.KEY VALUE                    Any setting of the Kafka clients, for reading and writing.
       |""".stripMargin
  }

  /** Throws [[WrongOption]]. */
  def parse(arguments: Seq[String]): JobOptions = {
    val typed = collect(arguments.toList, Map.empty)
    val dryRun = typed.contains("dry-run")
    def required(name: String): String = typed.get(name) match {
      case Some(value) => value
      case None if dryRun && name != "pipeline" => ""
      case None => throw new WrongOption(s"--$name is required")
    }
    val options = JobOptions(
      pipeline = required("pipeline"),
      bootstrapServers = required("bootstrap-servers"),
      topic = required("topic"),
      source = typed.get("source").fold[SourceChoice](SourceChoice.Native)(source),
      sink = typed.get("sink").fold[SinkChoice](SinkChoice.Native)(sink),
      checkpoint = required("checkpoint"),
      startingOffsets = typed.getOrElse("starting-offsets", "earliest"),
      maxOffsetsPerTrigger = typed.get("max-offsets-per-trigger").map(positive("max-offsets-per-trigger", _)),
      trigger = typed.get("trigger").fold[TriggerChoice](TriggerChoice.AvailableNow)(trigger),
      failOnDataLoss = typed.get("fail-on-data-loss").forall(boolean("fail-on-data-loss", _)),
      outputParquet = typed.get("output-parquet"),
      outputTopic = typed.get("output-topic"),
      outputKey = typed.get("output-key"),
      rejectedParquet = typed.get("rejected-parquet"),
      rejectedTopic = typed.get("rejected-topic"),
      progressFile = typed.get("progress-file"),
      queryName = typed.get("query-name"),
      dryRun = dryRun,
      kafka = typed.get("kafka-config").fold(Map.empty[String, String])(KafkaConfigFile.read(_, KafkaPrefix)) ++
        typed.filter { case (name, _) => name.startsWith(KafkaPrefix) }
    )
    checkTogether(options)
    options
  }

  @annotation.tailrec
  private def collect(rest: List[String], seen: Map[String, String]): Map[String, String] = rest match {
    case Nil => seen
    case argument :: tail =>
      val (name, inline) = split(argument)
      if (seen.contains(name)) throw new WrongOption(s"--$name is given twice")
      if (!takesValue(name)) {
        inline.foreach(value => throw new WrongOption(s"--$name takes no value, not `$value`"))
        collect(tail, seen.updated(name, ""))
      } else {
        (inline, tail) match {
          case (Some(value), _) => collect(tail, seen.updated(name, value))
          case (None, value :: after) if !value.startsWith("--") => collect(after, seen.updated(name, value))
          case _ => throw new WrongOption(s"--$name needs a value")
        }
      }
  }

  /** `--name`, or `--name=value`. */
  private def split(argument: String): (String, Option[String]) =
    if (!argument.startsWith("--") || argument.length == 2)
      throw new WrongOption(s"`$argument` is no option: options start with --")
    else
      argument.drop(2).span(_ != '=') match {
        case (name, "") => (name, None)
        case (name, value) => (name, Some(value.drop(1)))
      }

  private def takesValue(name: String): Boolean =
    if (name.startsWith(KafkaPrefix) && name.length > KafkaPrefix.length) true
    else
      known.find(_.name == name) match {
        case Some(option) => option.value.isDefined
        case None =>
          val near = Nearest.to(name, known.map(_.name)).fold("")(near => s" (did you mean --$near?)")
          throw new WrongOption(s"--$name is unknown$near")
      }

  private def positive(name: String, text: String): Long =
    text.toLongOption.filter(_ > 0).getOrElse {
      throw new WrongOption(s"--$name $text: wanted a whole number above 0")
    }

  private def boolean(name: String, text: String): Boolean = text match {
    case "true" => true
    case "false" => false
    case other => throw new WrongOption(s"--$name $other: wanted true or false")
  }

  private def source(text: String): SourceChoice = text.trim match {
    case "native" => SourceChoice.Native
    case "spark" => SourceChoice.Spark
    case other => throw new WrongOption(s"--source $other: wanted native or spark")
  }

  private def sink(text: String): SinkChoice = text.trim match {
    case "native" => SinkChoice.Native
    case "spark" => SinkChoice.Spark
    case other => throw new WrongOption(s"--sink $other: wanted native or spark")
  }

  private val Interval = """processing-time[ =]+(\d+ *[a-z]+)""".r

  private def trigger(text: String): TriggerChoice = text.trim match {
    case "available-now" => TriggerChoice.AvailableNow
    case Interval(interval) => TriggerChoice.ProcessingTime(interval)
    case other => throw new WrongOption(s"--trigger $other: wanted available-now or \"processing-time 1 second\"")
  }

  private def checkTogether(options: JobOptions): Unit = {
    if (options.outputKey.isDefined && options.outputTopic.isEmpty)
      throw new WrongOption("--output-key belongs to --output-topic, which is missing")
    if (!options.dryRun) {
      if (options.outputParquet.isEmpty && options.outputTopic.isEmpty)
        throw new WrongOption("nowhere to write the scores to: give --output-parquet or --output-topic")
      if (options.rejectedParquet.isEmpty && options.rejectedTopic.isEmpty)
        throw new WrongOption("nowhere to write rejected rows to: give --rejected-parquet or --rejected-topic")
      val folders = Seq(options.outputParquet, options.rejectedParquet, Some(options.checkpoint)).flatten
      folders.diff(folders.distinct).headOption.foreach { twice =>
        throw new WrongOption(s"$twice is given twice: scores, rejected rows and checkpoint need a folder each")
      }
      val topics = Seq(Some(options.topic), options.outputTopic, options.rejectedTopic).flatten
      topics.diff(topics.distinct).headOption.foreach { twice =>
        throw new WrongOption(s"topic $twice is given twice: the query would read what it writes, or mix its outputs")
      }
    }
  }
}

package io.firesteel.spark.kafka

import com.fasterxml.jackson.databind.ObjectMapper
import io.firesteel.spark.{Firesteel, FiresteelAnalysisException}
import io.firesteel.spark.bridge.{FiresteelException, NativeCalls}
import io.firesteel.spark.exec.ModelRef
import io.firesteel.spark.kafka.deadletter.DeadLetterOptions
import io.firesteel.spark.resolve.{PipelineSource, Prepared}
import org.apache.spark.SparkContext
import org.apache.spark.sql.types._

/**
 * What comes out of a task's reader: the records' own columns, or those of a prepared call that every batch goes
 * through.
 *
 * @param records columns of the records that are made
 * @param call the prepared call, or empty
 * @param native the columns that native code gives, in its order
 * @param schema the columns that Spark sees, among them
 * @param rejected place of `_rejected` among the native ones, if rejected rows go to a topic and not to Spark
 */
private[kafka] final case class ReadPlan(
    records: Seq[String],
    call: String,
    native: StructType,
    schema: StructType,
    models: Seq[ModelRef],
    description: String,
    rejected: Option[Int] = None) {

  /** Places of Spark's columns among the native ones, and of `_rejected` if it is taken out on the way. */
  def fields: Array[Int] = schema.fieldNames.map(native.fieldIndex) ++ rejected
}

/** Where the columns come from, before it is known which are wanted. */
private[kafka] sealed trait Content {
  def schema: StructType

  /** Whether the columns are those of Kafka's records, so that `offset` is the record's and no field of a value. */
  def isOfRecords: Boolean = false

  /** Some of the columns, in their order. */
  def only(names: Set[String]): StructType = StructType(schema.filter(field => names(field.name)))

  /** The plan for some of the columns; none at all are wanted by a count. */
  def plan(wanted: StructType): ReadPlan
}

private[kafka] object Content {
  private val RecordFields = Seq(
    StructField("key", BinaryType),
    StructField("value", BinaryType),
    StructField("topic", StringType),
    StructField("partition", IntegerType),
    StructField("offset", LongType),
    StructField("timestamp", TimestampType),
    StructField("timestampType", IntegerType)
  )
  private val Headers = StructField(
    "headers",
    ArrayType(StructType(Seq(StructField("key", StringType), StructField("value", BinaryType))))
  )

  /** What a pipeline is fed with: the value, and where it came from for rejected rows. */
  private val Fed = Seq("value", "topic", "partition", "offset")

  def of(text: SourceText, sc: => SparkContext): Content =
    // A writer's options: Spark asks a table for its columns before it writes to it.
    if (Subscription.options.forall(text.get(_).isEmpty)) new Records(false)
    else {
      val letters = DeadLetterOptions.of(text)
      val content = read(text, sc)
      letters.fold(content)(options => new Sieved(content, options.topic))
    }

  private def read(text: SourceText, sc: => SparkContext): Content =
    (text.get("schema"), text.get("pipeline")) match {
      case (Some(_), Some(_)) =>
        throw new WrongSourceOption("schema and pipeline: give only one of them; a pipeline file has its own schema")
      case (Some(ddl), None) => new Decoded(ddl, text.get("valueFormat").map(_.trim.toLowerCase).getOrElse("json"))
      case (None, Some(file)) =>
        if (text.get("valueFormat").isDefined) {
          throw new WrongSourceOption("valueFormat belongs to schema; a pipeline file says its own input.format")
        }
        new Piped(file, sc)
      case (None, None) =>
        text.get("valueFormat").foreach { _ =>
          throw new WrongSourceOption("valueFormat belongs to schema, which is missing")
        }
        new Records(text.boolean("includeHeaders").getOrElse(false))
    }

  private val mapper = new ObjectMapper()

  private def records(wanted: StructType): ReadPlan =
    ReadPlan(wanted.fieldNames.toSeq, "", wanted, wanted, Seq.empty, wanted.fieldNames.mkString(", "))

  /** The columns that Spark's own source has. */
  private final class Records(headers: Boolean) extends Content {
    override val schema: StructType = StructType(RecordFields ++ (if (headers) Seq(Headers) else Seq.empty))
    override val isOfRecords: Boolean = true
    override def plan(wanted: StructType): ReadPlan = records(wanted)
  }

  /** The value decoded by a schema. */
  private final class Decoded(ddl: String, format: String) extends Content {
    private val declared =
      try StructType.fromDDL(ddl)
      catch {
        case e: Exception =>
          throw new WrongSourceOption(s"schema: ${e.getMessage.linesIterator.find(_.nonEmpty).getOrElse("")}")
      }
    private val all = prepare(_ => true)
    override val schema: StructType = all.output

    /**
     * Only the wanted columns are decoded, so a bad value in another one rejects nothing; if `_rejected` is wanted, all
     * are. So are those of CSV, whose fields are known by their places.
     */
    override def plan(wanted: StructType): ReadPlan =
      if (wanted.isEmpty) records(wanted)
      else {
        val names = wanted.fieldNames.toSet
        val whole = format == "csv" || names(Firesteel.RejectedColumn)
        val prepared = if (whole) all else prepare(names)
        ReadPlan(Fed, prepared.call, prepared.output, wanted, Seq.empty, s"$format: ${wanted.toDDL}")
      }

    /** A pipeline that does nothing but decode the leaves that are wanted, each named by its path. */
    private def prepare(isWanted: String => Boolean): Prepared = checked {
      val kept = wantedOf("", declared, isWanted)
      val root = mapper.createObjectNode().put("name", "source")
      root.putObject("input").put("format", format).put("schema", kept.toDDL)
      val output = root.putArray("output")
      leaves("", kept).foreach(output.add)
      val yaml = mapper.writeValueAsString(root)
      Prepared.parse(NativeCalls.preparePipeline(yaml, "the option schema", Array.empty, false))
    }

    private def leaves(prefix: String, fields: StructType): Seq[String] = fields.toSeq.flatMap { field =>
      field.dataType match {
        case inner: StructType => leaves(s"$prefix${field.name}.", inner)
        case _ => Seq(prefix + field.name)
      }
    }

    private def wantedOf(prefix: String, fields: StructType, isWanted: String => Boolean): StructType =
      StructType(fields.flatMap { field =>
        field.dataType match {
          case inner: StructType =>
            val kept = wantedOf(s"$prefix${field.name}.", inner, isWanted)
            if (kept.isEmpty) None else Some(field.copy(dataType = kept))
          case _ => Some(field).filter(_ => isWanted(prefix + field.name))
        }
      })
  }

  /** The value through a pipeline file. */
  private final class Piped(file: String, sc: => SparkContext) extends Content {
    private val source = checked(PipelineSource.of(file, sc))
    private val prepared = checked {
      Prepared.parse(NativeCalls.preparePipeline(source.yaml, file, source.found, false))
    }
    override val schema: StructType = prepared.output
    override def plan(wanted: StructType): ReadPlan =
      if (wanted.isEmpty) records(wanted)
      else ReadPlan(
        Fed,
        prepared.call,
        prepared.output,
        wanted,
        source.models,
        s"pipeline ${source.name}\n${prepared.plan}"
      )
  }

  /**
   * The good rows of another content, without `_rejected`. Everything is decoded, whatever is wanted: the rows that are
   * rejected must be the same in every read.
   */
  private final class Sieved(all: Content, topic: String) extends Content {
    override val schema: StructType = StructType(all.schema.filter(_.name != Firesteel.RejectedColumn))
    override def plan(wanted: StructType): ReadPlan = {
      val whole = all.plan(all.schema)
      whole.copy(
        schema = wanted,
        rejected = Some(whole.native.fieldIndex(Firesteel.RejectedColumn)),
        description = s"${whole.description}\nrejected rows go to topic $topic"
      )
    }
  }

  private def checked[T](work: => T): T =
    try work
    catch { case e: FiresteelException => throw new FiresteelAnalysisException(e.getMessage, Some(e)) }
}

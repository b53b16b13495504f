package io.firesteel.spark.resolve

import java.nio.charset.StandardCharsets.UTF_8

import io.firesteel.spark.FiresteelAnalysisException
import io.firesteel.spark.bridge.{FiresteelException, NativeBucket, NativeCalls}
import io.firesteel.spark.doctor.{Doctor, Finding}
import io.firesteel.spark.exec.{
  FiresteelPipeline,
  FiresteelPredict,
  ModelRef,
  PackedPieces,
  Program,
  UnpackedRows,
  VectorValues,
  WindowedRows,
  WritableTypes
}
import io.firesteel.spark.explain.Explain
import io.firesteel.spark.models.{Comparison, LiveModels, NamedUri, StoreFolder, Swap}
import org.apache.spark.SparkContext
import org.apache.spark.sql.catalyst.FunctionIdentifier
import org.apache.spark.sql.catalyst.expressions.{
  CreateNamedStruct,
  Expression,
  ExpressionInfo,
  Literal,
  NamedExpression
}
import org.apache.spark.sql.catalyst.util.toPrettySQL
import org.apache.spark.sql.classic.SparkSession
import org.apache.spark.sql.internal.SQLConf
import org.apache.spark.sql.types.{BinaryType, IntegerType, LongType, StructField, StructType}

/**
 * The SQL functions: from arguments to a checked expression. Driver side, during analysis; everything that can be
 * wrong with a file, a model or a column is an [[FiresteelAnalysisException]] here, before any job.
 */
object Functions {
  type Builder = Seq[Expression] => Expression

  /** What `SparkSessionExtensions.injectFunction` takes. */
  val all: Seq[(FunctionIdentifier, ExpressionInfo, Builder)] = Seq(
    described(
      FiresteelPipeline.Name,
      classOf[FiresteelPipeline],
      "_FUNC_(file, struct(*)) - Runs the pipeline in a YAML file on every row: a struct of the output columns and " +
        "of _rejected, which is null where the row was taken.",
      pipeline
    ),
    described(
      FiresteelPipeline.PackName,
      classOf[FiresteelPipeline],
      "_FUNC_(file, buckets, stream, struct(*)) - Runs what comes before a pipeline's windows, and packs the rows by the buckets of " +
        "their keys. Pipeline.transform of a stream uses it.",
      pack
    ),
    described(
      UnpackedRows.Name,
      classOf[UnpackedRows],
      "_FUNC_(file, packed) - Runs what comes behind a pipeline's windows on packed rows, and gives one row for each. " +
        "Pipeline.transform of a stream uses it.",
      unpack
    ),
    described(
      PackedPieces.Name,
      classOf[PackedPieces],
      "_FUNC_(packed) - The pieces in packed rows, with their buckets. Pipeline.transform of a batch uses it.",
      pieces
    ),
    described(
      WindowedRows.Name,
      classOf[WindowedRows],
      "_FUNC_(file, buckets, bucket, from, packed) - Runs a pipeline's last window block and what comes behind it on packed " +
        "rows, and gives one row for each. Pipeline.transform of a batch uses it.",
      windowed
    ),
    described(
      FiresteelPredict.Name,
      classOf[FiresteelPredict],
      "_FUNC_(model, column, ...) - Scores every row with an ONNX model: a struct of all its outputs, null where a " +
        "column is null.",
      predict
    ),
    described(
      Comparison.Name,
      classOf[CreateNamedStruct],
      "_FUNC_(champion, challenger[, label[, threshold]]) - How much the answers of two models differ, and which of them " +
        "is right more often: a struct of aggregates.",
      Comparison.of
    ),
    described(
      "firesteel_transform",
      classOf[FiresteelPipeline],
      "_FUNC_(file, struct(*)) - firesteel_pipeline under the name that its Python and Scala methods have.",
      pipeline
    ),
    described(
      "firesteel_explain",
      classOf[Literal],
      "_FUNC_(file) - What a pipeline file does and how it would run here, as text.",
      {
        case Seq(file) =>
          Literal(Explain.pipeline(constant("firesteel_explain", Some(file), "the path of a pipeline file")))
        case other => throw wrongCount("firesteel_explain", "a file", other.length)
      }
    ),
    described(
      "firesteel_doctor",
      classOf[Literal],
      "_FUNC_() - Looks whether Firesteel can run here: a JSON list of findings, each with its cure.",
      {
        case Seq() => Literal(Finding.toJson(Doctor.findings(SparkSession.active)))
        case other => throw wrongCount("firesteel_doctor", "no argument", other.length)
      }
    )
  )

  private def wrongCount(name: String, wanted: String, got: Int) =
    new FiresteelAnalysisException(s"WRONG_ARGUMENT: $name takes $wanted, but got $got arguments")

  /** The challengers of a pipeline file and whom they challenge. */
  def comparisonsOf(path: String): Seq[PreparedComparison] =
    prepared(checked(PipelineSource.of(path, sparkContext)), path, typed = false).comparisons

  /** The plan of a pipeline file, with windows or without, as it reads records' bytes. */
  def planOf(path: String): String = prepared(checked(PipelineSource.of(path, sparkContext)), path, typed = false).plan

  private def described(name: String, of: Class[_], usage: String, builder: Builder) =
    (
      FunctionIdentifier(name),
      new ExpressionInfo(of.getName, null, name, usage, "", "", "", "", "", "", "scala_udf"),
      builder
    )

  private def sparkContext: SparkContext = SparkSession.active.sparkContext

  /** The constant text of argument `i`. */
  private def constant(name: String, argument: Option[Expression], what: String): String =
    argument.filter(_.foldable).flatMap(e => Option(e.eval())).map(_.toString).getOrElse {
      throw new FiresteelAnalysisException(s"WRONG_ARGUMENT: $name's first argument must be $what, as a constant text")
    }

  private def checked[T](work: => T): T =
    try work
    catch {
      case e: FiresteelException => throw new FiresteelAnalysisException(e.getMessage, Some(e))
    }

  private def pipeline(arguments: Seq[Expression]): Expression = {
    val path = constant(FiresteelPipeline.Name, arguments.headOption, "the path of a pipeline file")
    if (arguments.length != 2) {
      throw new FiresteelAnalysisException(
        s"WRONG_ARGUMENT: ${FiresteelPipeline.Name} takes a file and one struct, but got ${arguments.length} arguments"
      )
    }
    val source = checked(PipelineSource.of(path, sparkContext))
    val prepare = prepared(_: PipelineSource, path, _: Boolean)
    val whole = firstOf(path, arguments(1))(prepare(source, _))
    if (whole.chosen.windows.nonEmpty) {
      throw new FiresteelAnalysisException(
        s"WINDOWS_NEED_ORDER: $path has windows, which need all rows of a key in one place and in their order. Use " +
          "Pipeline.load(file).transform(df), or format(\"firesteel\") with the option pipeline, instead of " +
          FiresteelPipeline.Name
      )
    }
    val swap = swapped(source, whole.chosen)(prepare(_, whole.typed))
    call(source, whole, swap)
  }

  /** What gives a call of a pipeline other models, if they may change. */
  private def swapped(source: PipelineSource, first: Prepared)(prepare: PipelineSource => Prepared): Option[Swap] =
    source.live.map(PreparedSwap(_, source, first, sparkContext)(prepare))

  private def prepared(source: PipelineSource, path: String, typed: Boolean): Prepared =
    checked(Prepared.parse(NativeCalls.preparePipeline(source.yaml, path, source.found, typed)))

  /** A prepared call and the columns that it takes. */
  private final case class Chosen(chosen: Prepared, input: PipelineInput, typed: Boolean)

  /** What reads records: typed columns if all are there, else their bytes. */
  private def firstOf(path: String, struct: Expression)(prepare: Boolean => Prepared): Chosen = {
    val input = new PipelineInput(struct, SQLConf.get.resolver)
    val typed = prepare(true)
    input.missing(typed) match {
      case Seq() => Chosen(typed, input, typed = true)
      case missing =>
        val bytes = prepare(false)
        if (input.missing(bytes).nonEmpty) {
          throw new FiresteelAnalysisException(
            s"MISSING_COLUMNS: $path reads records from a column `value`, or the columns of its schema. There is no " +
              s"`value`, and of the schema ${missing.mkString("`", "`, `", "`")} are missing. There are: " +
              input.names.mkString(", ")
          )
        }
        Chosen(bytes, input, typed = false)
    }
  }

  private def pack(arguments: Seq[Expression]): Expression = {
    val name = FiresteelPipeline.PackName
    val path = constant(name, arguments.headOption, "the path of a pipeline file")
    val constants = arguments.slice(1, 3).filter(_.foldable).map(_.eval())
    (constants, arguments.length) match {
      case (Seq(buckets: Int, stream: Boolean), 4) =>
        val source = checked(PipelineSource.of(path, sparkContext))
        call(source, firstOf(path, arguments(3))(parts(source, path, _, buckets, stream).front), None)
      case _ =>
        throw new FiresteelAnalysisException(
          s"WRONG_ARGUMENT: $name takes a file, a constant number of buckets, whether it is a stream, and one struct, " +
            s"such as $name('f.yaml', 64, true, struct(*))"
        )
    }
  }

  private def unpack(arguments: Seq[Expression]): Expression = {
    val path = constant(UnpackedRows.Name, arguments.headOption, "the path of a pipeline file")
    if (arguments.length != 2) {
      throw new FiresteelAnalysisException(
        s"WRONG_ARGUMENT: ${UnpackedRows.Name} takes a file and packed rows, but got ${arguments.length} arguments"
      )
    }
    val source = checked(PipelineSource.of(path, sparkContext))
    val prepare = parts(_: PipelineSource, path, typed = true, 1, stream = true).back
    val back = prepare(source)
    val swap = swapped(source, back)(prepare)
    val program = Functions.program(source.name, back, back.input, source.models, isStruct = false, swap)
    UnpackedRows(program, arguments(1))
  }

  private def pieces(arguments: Seq[Expression]): Expression = arguments match {
    case Seq(packed) => PackedPieces(packed)
    case other =>
      throw new FiresteelAnalysisException(
        s"WRONG_ARGUMENT: ${PackedPieces.Name} takes one column, but got ${other.length}"
      )
  }

  private def windowed(arguments: Seq[Expression]): Expression = {
    val name = WindowedRows.Name
    val path = constant(name, arguments.headOption, "the path of a pipeline file")
    (arguments.slice(1, 2).filter(_.foldable).map(_.eval()), arguments.drop(2).map(_.dataType)) match {
      case (Seq(buckets: Int), Seq(IntegerType, LongType, BinaryType)) =>
        val source = checked(PipelineSource.of(path, sparkContext))
        val made = parts(source, path, typed = true, buckets, stream = false)
        val program = Functions.program(source.name, made.back, made.back.input, source.models, isStruct = false)
        WindowedRows(made.blocks.last, buckets, program, arguments.drop(2))
      case _ =>
        throw new FiresteelAnalysisException(
          s"WRONG_ARGUMENT: $name takes a file, a constant number of buckets, and the columns of packed rows, such as " +
            s"$name('f.yaml', 64, bucket, from, rows)"
        )
    }
  }

  private def parts(
      source: PipelineSource,
      path: String,
      typed: Boolean,
      buckets: Int,
      stream: Boolean): PreparedParts =
    checked(Prepared.parseParts(NativeBucket.prepare(source.yaml, path, source.found, typed, buckets, stream)))

  private def call(source: PipelineSource, of: Chosen, swap: Option[Swap]): Expression = {
    val (fields, expressions) = of.input.columns(of.chosen).unzip
    val program = Functions.program(source.name, of.chosen, fields, source.models, isStruct = false, swap)
    FiresteelPipeline(program, expressions)
  }

  private def predict(arguments: Seq[Expression]): Expression = {
    val path = constant(FiresteelPredict.Name, arguments.headOption, "the path of an ONNX model")
    val columns = arguments.drop(1)
    if (columns.isEmpty) {
      throw new FiresteelAnalysisException(
        s"WRONG_ARGUMENT: ${FiresteelPredict.Name} takes a model and at least one column"
      )
    }
    val values = columns.map(VectorValues.of)
    val fields = columns.zip(values).map { case (argument, column) =>
      val name = argument match {
        case named: NamedExpression => named.name
        case other => toPrettySQL(other)
      }
      if (!WritableTypes.takesOrArrays(column.dataType)) {
        throw new FiresteelAnalysisException(
          s"WRONG_TYPE: ${FiresteelPredict.Name}'s argument $name is ${column.dataType.sql}, which a model can't take"
        )
      }
      StructField(name, column.dataType)
    }
    val sc = sparkContext
    val (model, live) = LiveModels.inQuery(sc.applicationId, path, "") {
      val model = ModelStore.load(path, sc)
      val key = s"predict-${StoreFolder.sha256(path.getBytes(UTF_8)).take(KeyDigits)}"
      (model, ModelStore.live(key, Seq(NamedUri("model", path)), Seq(model), sc))
    }
    val (names, types) = (fields.map(_.name).toArray, fields.map(_.dataType.sql).toArray)
    def prepare(of: ModelRef) = {
      of.load()
      checked(Prepared.parse(NativeCalls.preparePredict(path, of.sha256, names, types)))
    }
    val prepared = prepare(model)
    val swap = live.map(PreparedSwap.of(_, Seq(model), prepared, sc)(models => prepare(models.head)))
    // SQL lets two arguments share a name; on the way to the engine they go by their places.
    val crossing = fields.zipWithIndex.map { case (field, i) => field.copy(name = s"a$i") }
    FiresteelPredict(program(path, prepared, crossing, Seq(model), isStruct = true, swap), values)
  }

  /** Enough to tell a few uris apart. */
  private val KeyDigits = 12

  private def program(
      name: String,
      p: Prepared,
      fields: Seq[StructField],
      models: Seq[ModelRef],
      isStruct: Boolean,
      swap: Option[Swap] = None) =
    new Program(name, p.call, StructType(fields), p.output, models, p.plan, isStruct, swap)
}

package io.firesteel.spark.resolve

import io.firesteel.spark.FiresteelAnalysisException
import io.firesteel.spark.bridge.{FiresteelException, NativeCalls}
import io.firesteel.spark.exec.{FiresteelPipeline, FiresteelPredict, ModelRef, Program, WritableTypes}
import org.apache.spark.SparkContext
import org.apache.spark.sql.catalyst.FunctionIdentifier
import org.apache.spark.sql.catalyst.expressions.{Expression, ExpressionInfo, NamedExpression}
import org.apache.spark.sql.catalyst.util.toPrettySQL
import org.apache.spark.sql.classic.SparkSession
import org.apache.spark.sql.internal.SQLConf
import org.apache.spark.sql.types.{StructField, StructType}

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
      FiresteelPredict.Name,
      classOf[FiresteelPredict],
      "_FUNC_(model, column, ...) - Scores every row with an ONNX model: a struct of all its outputs, null where a " +
        "column is null.",
      predict
    )
  )

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
    val sc = sparkContext
    val source = checked(PipelineSource.of(path, sc))
    val models = source.models
    def prepared(typed: Boolean) =
      checked(Prepared.parse(NativeCalls.preparePipeline(source.yaml, path, source.found, typed)))
    val input = new PipelineInput(arguments(1), SQLConf.get.resolver)
    val typed = prepared(typed = true)
    val chosen = input.missing(typed) match {
      case Seq() => typed
      case missing =>
        val bytes = prepared(typed = false)
        if (input.missing(bytes).nonEmpty) {
          throw new FiresteelAnalysisException(
            s"MISSING_COLUMNS: $path reads records from a column `value`, or the columns of its schema. There is no " +
              s"`value`, and of the schema ${missing.mkString("`", "`, `", "`")} are missing. There are: " +
              input.names.mkString(", ")
          )
        }
        bytes
    }
    val (fields, expressions) = input.columns(chosen).unzip
    FiresteelPipeline(program(source.name, chosen, fields, models, isStruct = false), expressions)
  }

  private def predict(arguments: Seq[Expression]): Expression = {
    val path = constant(FiresteelPredict.Name, arguments.headOption, "the path of an ONNX model")
    val columns = arguments.drop(1)
    if (columns.isEmpty) {
      throw new FiresteelAnalysisException(
        s"WRONG_ARGUMENT: ${FiresteelPredict.Name} takes a model and at least one column"
      )
    }
    val fields = columns.map { column =>
      val name = column match {
        case named: NamedExpression => named.name
        case other => toPrettySQL(other)
      }
      if (!WritableTypes.takes(column.dataType)) {
        throw new FiresteelAnalysisException(
          s"WRONG_TYPE: ${FiresteelPredict.Name}'s argument $name is ${column.dataType.sql}, which a model can't take"
        )
      }
      StructField(name, column.dataType)
    }
    val model = ModelStore.load(path, sparkContext)
    val prepared = checked(
      Prepared.parse(
        NativeCalls.preparePredict(path, model.sha256, fields.map(_.name).toArray, fields.map(_.dataType.sql).toArray)
      )
    )
    // SQL lets two arguments share a name; on the way to the engine they go by their places.
    val crossing = fields.zipWithIndex.map { case (field, i) => field.copy(name = s"a$i") }
    FiresteelPredict(program(path, prepared, crossing, Seq(model), isStruct = true), columns)
  }

  private def program(name: String, p: Prepared, fields: Seq[StructField], models: Seq[ModelRef], isStruct: Boolean) =
    new Program(name, p.call, StructType(fields), p.output, models, p.plan, isStruct)
}

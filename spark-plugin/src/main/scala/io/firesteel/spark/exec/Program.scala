package io.firesteel.spark.exec

import io.firesteel.spark.bridge.{MemoryBudget, NativeLibrary, NativeModels, NativeRunner}
import io.firesteel.spark.models.{MicroBatch, Swap}
import org.apache.spark.broadcast.Broadcast
import org.apache.spark.sql.types.{DataType, StructType}

/**
 * A model as a plan carries it: the content's name, and where an executor gets the bytes.
 *
 * @param version in its store, if it has one
 * @param uri that means this content for good
 */
final case class ModelRef(sha256: String, bytes: Broadcast[Array[Byte]], version: Option[Long], uri: String) {

  /** What the engine wants to know of it. */
  def found: String = sha256 + version.fold("")(number => s"@$number")

  /** Loads the model into this process unless it is there. */
  def load(): Unit =
    if (!NativeModels.contains(sha256)) {
      val loaded = NativeModels.load(bytes.value)
      require(loaded == sha256, s"INTERNAL: a broadcast model has sha256 $loaded, not $sha256")
    }
}

/**
 * A checked call of the engine: small, immutable, and all that an executor needs. Two programs are equal if they
 * compute the same from the same columns, whichever query made them.
 *
 * @param name for people: the pipeline's or the model's
 * @param call the prepared call's JSON
 * @param input the columns that go in, in the order of the expression's children
 * @param output the columns that come out of the engine
 * @param plan the stages, for explain
 * @param swap decides which models a micro-batch has, if that may change
 * @param isStruct whether the one output column is itself the result (a model call), or all of them together are
 */
final class Program(
    val name: String,
    val call: String,
    val input: StructType,
    val output: StructType,
    val models: Seq[ModelRef],
    val plan: String,
    val isStruct: Boolean,
    @transient private[spark] val swap: Option[Swap] = None)
    extends Serializable {

  /** The same with the models of a micro-batch. Driver side. */
  private[exec] def in(batch: MicroBatch): Program = swap.fold(this) { of =>
    val chosen = of.chosen(batch)
    if (chosen.call == call) this
    else new Program(name, chosen.call, input, output, chosen.models, chosen.plan, isStruct, swap)
  }

  def resultType: StructType =
    if (isStruct) output.head.dataType.asInstanceOf[StructType] else output

  /** Opens a runner in this process, with the models loaded. `ordinals` are the inputs' places in the rows. */
  def open(ordinals: Array[Int], budget: MemoryBudget): NativeRunner = {
    NativeLibrary.load()
    models.foreach(_.load())
    new NativeRunner(call, input, ordinals, output, budget)
  }

  override def equals(other: Any): Boolean = other match {
    case that: Program => call == that.call && Program.sameTypes(input, that.input)
    case _ => false
  }

  override def hashCode: Int = call.hashCode

  override def toString: String = name
}

object Program {
  private def sameTypes(a: DataType, b: DataType): Boolean = DataType.equalsIgnoreNullability(a, b)
}

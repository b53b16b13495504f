package io.firesteel.bench

import java.nio.{ByteBuffer, ByteOrder, FloatBuffer}
import java.util.concurrent.ConcurrentHashMap

import scala.jdk.CollectionConverters._

import ai.onnxruntime.{OnnxTensor, OrtEnvironment, OrtSession}
import ai.onnxruntime.OrtSession.SessionOptions

/**
 * One session per model file and JVM, as ONNX Runtime allows concurrent runs: one intra-op thread per task and no
 * spinning, because Spark's task slots are already the cores.
 */
object Sessions {
  private val loaded = new ConcurrentHashMap[String, OrtSession]()

  def apply(path: String): OrtSession = loaded.computeIfAbsent(path, open)

  private def open(path: String): OrtSession = {
    val options = new SessionOptions()
    options.setIntraOpNumThreads(1)
    options.setInterOpNumThreads(1)
    options.addConfigEntry("session.intra_op.allow_spinning", "0")
    options.setOptimizationLevel(SessionOptions.OptLevel.ALL_OPT)
    OrtEnvironment.getEnvironment.createSession(path, options)
  }
}

/**
 * Scores batches of up to `capacity` rows without copies: both tensors lie on direct buffers that are made once per
 * task; the result is pinned, so ONNX Runtime writes the probabilities where we read them.
 *
 * Lives in one task, on its thread. Fill [[features]] row by row, call [[run]], read [[score]].
 */
final class BatchScorer(modelPath: String, val capacity: Int) extends AutoCloseable {
  import BatchScorer._

  private val environment = OrtEnvironment.getEnvironment
  private val session = Sessions(modelPath)
  private val inputName = session.getInputInfo.keySet.iterator.next()

  /** Row-major `[capacity, Width]`. */
  val features: FloatBuffer = directFloats(capacity * Width)
  private val probabilities: FloatBuffer = directFloats(capacity * Classes)
  private val fullInput = tensor(features, capacity, Width)
  private val fullOutput = tensor(probabilities, capacity, Classes)

  def run(rows: Int): Unit =
    if (rows == capacity) run(fullInput, fullOutput)
    else {
      val in = tensor(features, rows, Width)
      val out = tensor(probabilities, rows, Classes)
      try run(in, out)
      finally {
        in.close()
        out.close()
      }
    }

  private def run(in: OnnxTensor, out: OnnxTensor): Unit =
    session.run(Map(inputName -> in).asJava, Map(OutputName -> out).asJava).close()

  /** Probability of the second class for one row of the last batch. */
  def score(row: Int): Float = probabilities.get(row * Classes + 1)

  private def tensor(buffer: FloatBuffer, rows: Int, columns: Int): OnnxTensor = {
    val view = buffer.duplicate()
    view.position(0).limit(rows * columns): Unit
    OnnxTensor.createTensor(environment, view, Array(rows.toLong, columns.toLong))
  }

  override def close(): Unit = {
    fullInput.close()
    fullOutput.close()
  }
}

object BatchScorer {
  val Width = 16
  val Classes = 2
  val OutputName = "probabilities"

  private def directFloats(count: Int): FloatBuffer =
    ByteBuffer.allocateDirect(count * java.lang.Float.BYTES).order(ByteOrder.nativeOrder()).asFloatBuffer()
}

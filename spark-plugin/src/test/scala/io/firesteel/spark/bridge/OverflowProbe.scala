package io.firesteel.spark.bridge

import org.apache.spark.sql.catalyst.InternalRow
import org.apache.spark.sql.types.{FloatType, StructType}
import org.apache.spark.unsafe.Platform

/**
 * Lends native code a batch that claims more rows than its memory holds. Only for `make asan`, where the sanitizer
 * must stop it: a run of the tests proves something only if this does not get through.
 */
object OverflowProbe {
  def main(args: Array[String]): Unit = {
    NativeLibrary.load()
    val writer = new BatchWriter(new StructType().add("f0", FloatType), Array(0), MemoryBudget.UNLIMITED)
    writer.append(InternalRow(1f))
    val batch = writer.lend()
    val child = Platform.getLong(null, Platform.getLong(null, batch + ArrowC.CHILDREN))
    Seq(batch, child).foreach(array => Platform.putLong(null, array + ArrowC.LENGTH, 1000L))
    val output = Platform.allocateMemory(ArrowC.SIZE)
    Platform.setMemory(output, 0.toByte, ArrowC.SIZE)
    Native.process(Native.selfTestSum(1), batch, output)
    println("OVERFLOW_UNNOTICED")
  }
}

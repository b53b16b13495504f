package io.firesteel.spark.exec

import org.apache.spark.sql.types._

/** The types that cross to the engine; its writer for each is in the bridge. */
object WritableTypes {
  def takes(dataType: DataType): Boolean = dataType match {
    case BooleanType | ByteType | ShortType | IntegerType | LongType | FloatType | DoubleType | DateType |
        TimestampType | TimestampNTZType | BinaryType | _: StringType | _: DecimalType =>
      true
    case _ => false
  }

  /** As [[takes]], and arrays of these, nested as deep as they like: what a model may take. */
  def takesOrArrays(dataType: DataType): Boolean = dataType match {
    case array: ArrayType => takesOrArrays(array.elementType)
    case other => takes(other)
  }
}

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
}

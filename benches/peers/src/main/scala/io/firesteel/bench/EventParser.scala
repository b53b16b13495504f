package io.firesteel.bench

import java.nio.FloatBuffer
import java.time.Instant

import com.fasterxml.jackson.core.{JsonFactory, JsonFactoryBuilder, JsonParser, JsonToken, StreamReadFeature}

/**
 * Jackson's streaming parser used as its best users use it for a known shape: bytes in, no tree, no String for a
 * number, names compared by identity (the factory interns them) against the position where the field is expected, and
 * the fast double parser on.
 *
 * Lives in one task. After [[parse]] the event's id and time stand in [[eventId]] and [[tsMicros]].
 */
final class EventParser {
  import EventParser._

  private val factory: JsonFactory =
    new JsonFactoryBuilder().enable(StreamReadFeature.USE_FAST_DOUBLE_PARSER).build()

  var eventId: Long = 0L
  var tsMicros: Long = 0L

  /** Writes the 16 features at `offset`; a feature that is absent or null stays NaN. */
  def parse(value: Array[Byte], features: FloatBuffer, offset: Int): Unit = {
    var i = 0
    while (i < BatchScorer.Width) {
      features.put(offset + i, Float.NaN): Unit
      i += 1
    }
    val parser = factory.createParser(value)
    try {
      if (parser.nextToken() != JsonToken.START_OBJECT) throw new IllegalArgumentException("not a JSON object")
      var expected = 0
      var name = parser.nextFieldName()
      while (name != null) {
        val token = parser.nextToken()
        val field = indexOf(name, expected)
        if (field < 0) parser.skipChildren(): Unit
        else {
          expected = field + 1
          if (token != JsonToken.VALUE_NULL) take(field, token, parser, features, offset)
        }
        name = parser.nextFieldName()
      }
    } finally parser.close()
  }

  private def take(field: Int, token: JsonToken, parser: JsonParser, features: FloatBuffer, offset: Int): Unit =
    field match {
      case 0 => eventId = parser.getLongValue
      case 1 =>
        tsMicros =
          if (token == JsonToken.VALUE_NUMBER_INT) parser.getLongValue * 1000L
          else timestamp(parser.getTextCharacters, parser.getTextOffset, parser.getTextLength)
      case n => features.put(offset + n - FirstFeature, parser.getFloatValue): Unit
    }
}

object EventParser {
  private val FirstFeature = 2
  private val names: Array[String] =
    (Seq("event_id", "ts") ++ (0 until BatchScorer.Width).map(i => s"f$i")).map(_.intern()).toArray

  private def indexOf(name: String, expected: Int): Int =
    if (expected < names.length && (names(expected) eq name)) expected
    else {
      var i = 0
      while (i < names.length && !(names(i) eq name)) i += 1
      if (i < names.length) i else -1
    }

  /** `yyyy-MM-ddTHH:mm:ss.SSSZ` by position; any other RFC 3339 text through `java.time`. */
  private def timestamp(text: Array[Char], from: Int, length: Int): Long = {
    def digits(at: Int, count: Int): Int = {
      var value = 0
      var i = from + at
      while (i < from + at + count) {
        value = value * 10 + (text(i) - '0')
        i += 1
      }
      value
    }
    if (length == 24 && text(from + 19) == '.' && text(from + 23) == 'Z') {
      val days = epochDay(digits(0, 4), digits(5, 2), digits(8, 2))
      val seconds = days * 86400L + digits(11, 2) * 3600 + digits(14, 2) * 60 + digits(17, 2)
      seconds * 1000000L + digits(20, 3) * 1000L
    } else {
      val instant = Instant.parse(new String(text, from, length))
      instant.getEpochSecond * 1000000L + instant.getNano / 1000
    }
  }

  /** Days since 1970-01-01 of a proleptic Gregorian date, counted in 400-year eras that start in March. */
  private def epochDay(year: Int, month: Int, day: Int): Long = {
    val y = if (month <= 2) year - 1 else year
    val era = Math.floorDiv(y, 400)
    val yearOfEra = y - era * 400
    val dayOfYear = (153 * (month + (if (month > 2) -3 else 9)) + 2) / 5 + day - 1
    val dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    era * 146097L + dayOfEra - 719468
  }
}

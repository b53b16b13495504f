package io.firesteel.bench

/**
 * The decoded event: primitives only, so Spark's encoder neither boxes nor allocates per field.
 * `ts` is in microseconds since the epoch.
 */
final case class Event(
    event_id: Long,
    ts: Long,
    f0: Float,
    f1: Float,
    f2: Float,
    f3: Float,
    f4: Float,
    f5: Float,
    f6: Float,
    f7: Float,
    f8: Float,
    f9: Float,
    f10: Float,
    f11: Float,
    f12: Float,
    f13: Float,
    f14: Float,
    f15: Float
)

/** What every peer gives back; `ts` becomes a TIMESTAMP by `timestamp_micros` in the plan. */
final case class Scored(event_id: Long, ts: Long, score: Float)

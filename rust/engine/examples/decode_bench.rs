//! Decoding alone: Firesteel's JSON decoder beside arrow-json's, one thread, same bytes, same columns.
//!
//! `cargo run --release -p firesteel-engine --example decode_bench -- [result.json]`
//!
//! Three kinds of events of ≈ 365 bytes with 16 numeric features, two ids, a timestamp and three strings: in the
//! producer's key order with short decimals (the benchmark's events), with 17-digit decimals, and with the keys of
//! every record shuffled. After a warm-up the two decoders take turns; the figures are medians over the repetitions,
//! the spread is (max − min) / median. Before any timing both outputs are compared row by row.

use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{Array, ArrayRef, BinaryArray, RecordBatch, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow_json::ReaderBuilder;
use firesteel_engine::decode::{DecodeOptions, Decoder};
use serde_json::{Value, json};

const ROWS_PER_BATCH: usize = 8_192;
const BATCHES: usize = 24;
const REPETITIONS: usize = 9;
const FEATURES: usize = 16;
/// arrow-json knows zones by name only with a time zone database compiled in.
const PEER_ZONE: &str = "+00:00";
const SEED: u64 = 20_261_122;

/// What the events of a case look like.
#[derive(Clone, Copy, PartialEq)]
enum Case {
    /// Fixed key order, features with two to six decimals.
    Events,
    /// Fixed key order, features with all 17 digits of a random double.
    LongDecimals,
    /// As `Events`, the keys of every record in another order.
    Shuffled,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1);
    let cases = [("events", Case::Events), ("long_decimals", Case::LongDecimals), ("shuffled_keys", Case::Shuffled)];
    let mut figures = Vec::new();
    let mut bars = Vec::new();
    for (name, case) in cases {
        let batches = batches(case);
        let (schema, peer_schema) = (schema_in("UTC"), schema_in(PEER_ZONE));
        compare(&schema, &peer_schema, &batches[0])?;
        let (ours, peer) = alternate(&schema, &peer_schema, &batches)?;
        let bytes: usize = batches.iter().map(|batch| batch.value_data().len()).sum();
        let rows = ROWS_PER_BATCH * BATCHES;
        let ratio = ours.median / peer.median;
        println!(
            "{name:14} {:4.0} B/event  firesteel {:5.2} M rows/s (spread {:4.1} %, {:4.0} MB/s)  arrow-json {:5.2} M rows/s (spread {:4.1} %)  ratio {ratio:.2}",
            bytes as f64 / rows as f64,
            ours.median / 1e6,
            ours.spread * 100.0,
            ours.median * bytes as f64 / rows as f64 / 1e6,
            peer.median / 1e6,
            peer.spread * 100.0,
        );
        if case == Case::Events {
            bars.push(bar("decode: rows/s per core, benchmark events", 1e6, ours.median));
            bars.push(bar("decode: times arrow-json, benchmark events", 2.0, ratio));
        }
        figures.push(json!({
            "case": name,
            "rows": rows,
            "rows_per_batch": ROWS_PER_BATCH,
            "bytes_per_row": bytes as f64 / rows as f64,
            "repetitions": REPETITIONS,
            "firesteel_rows_per_s": {"median": ours.median, "spread": ours.spread, "values": ours.values},
            "arrow_json_rows_per_s": {"median": peer.median, "spread": peer.spread, "values": peer.values},
            "ratio": ratio,
        }));
    }
    for bar in &bars {
        println!("bar: {} >= {}: {:.2} {}", bar["name"], bar["target"], bar["value"], bar["holds"]);
    }
    if let Some(path) = path {
        let result = json!({"name": "decode", "threads": 1, "seed": SEED, "figures": figures, "bars": bars});
        std::fs::write(path, serde_json::to_string_pretty(&result)?)?;
    }
    Ok(())
}

fn bar(name: &str, target: f64, value: f64) -> Value {
    json!({"name": name, "target": target, "value": value, "holds": value >= target})
}

/// Time that this thread spent on a core: a busy machine slows the run down, not the figure. Where the system does not
/// tell (anything but Linux), time on the wall.
struct CoreClock {
    wall: Instant,
    on_core_ns: Option<u64>,
}

impl CoreClock {
    fn start() -> Self {
        Self { wall: Instant::now(), on_core_ns: Self::on_core_ns() }
    }

    fn seconds(&self) -> f64 {
        match (self.on_core_ns, Self::on_core_ns()) {
            (Some(begin), Some(end)) => (end - begin) as f64 / 1e9,
            _ => self.wall.elapsed().as_secs_f64(),
        }
    }

    /// First figure of Linux's scheduler statistics, in nanoseconds.
    fn on_core_ns() -> Option<u64> {
        std::fs::read_to_string("/proc/thread-self/schedstat").ok()?.split(' ').next()?.parse().ok()
    }
}

/// Rows per second of core time over the repetitions.
struct Rate {
    median: f64,
    spread: f64,
    /// In the order in which they ran.
    values: Vec<f64>,
}

impl Rate {
    fn of(values: Vec<f64>) -> Self {
        let mut rates = values.clone();
        rates.sort_by(f64::total_cmp);
        let median = rates[rates.len() / 2];
        Self { median, spread: (rates[rates.len() - 1] - rates[0]) / median, values }
    }
}

fn alternate(
    schema: &SchemaRef,
    peer_schema: &SchemaRef,
    batches: &[BinaryArray],
) -> Result<(Rate, Rate), Box<dyn std::error::Error>> {
    let rows: usize = batches.iter().map(BinaryArray::len).sum();
    let (mut ours, mut peer) = (Vec::new(), Vec::new());
    let mut decoder = Decoder::try_new(&DecodeOptions::default(), schema).map_err(|e| e.to_string())?;
    for repetition in 0..=REPETITIONS {
        let clock = CoreClock::start();
        for batch in batches {
            let staged = decoder.process(black_box(batch))?;
            assert_eq!(staged.kept.num_rows(), batch.len());
            black_box(staged);
        }
        let ours_s = clock.seconds();
        let clock = CoreClock::start();
        for batch in batches {
            let decoded = arrow_json(peer_schema, black_box(batch))?;
            assert_eq!(decoded.num_rows(), batch.len());
            black_box(decoded);
        }
        let peer_s = clock.seconds();
        // The first turn warms caches and predictors.
        if repetition > 0 {
            ours.push(rows as f64 / ours_s);
            peer.push(rows as f64 / peer_s);
        }
    }
    Ok((Rate::of(ours), Rate::of(peer)))
}

/// arrow-json at its best on separate values: one decoder per batch, values fed as they lie, flushed once.
fn arrow_json(schema: &SchemaRef, batch: &BinaryArray) -> Result<RecordBatch, Box<dyn std::error::Error>> {
    let mut decoder = ReaderBuilder::new(schema.clone()).with_batch_size(batch.len()).build_decoder()?;
    for value in batch.iter().flatten() {
        decoder.decode(value)?;
    }
    Ok(decoder.flush()?.ok_or("arrow-json gave no batch")?)
}

fn compare(schema: &SchemaRef, peer_schema: &SchemaRef, batch: &BinaryArray) -> Result<(), Box<dyn std::error::Error>> {
    let ours = Decoder::try_new(&DecodeOptions::default(), schema).map_err(|e| e.to_string())?.process(batch)?;
    assert!(ours.rejected.is_empty(), "{:?}", ours.rejected.first());
    // The zones are spelled differently, the instants must be the same.
    let kept = RecordBatch::try_new(peer_schema.clone(), ours.kept.columns().iter().map(respelled).collect())?;
    assert_eq!(kept, arrow_json(peer_schema, batch)?, "the two decoders must agree before they are timed");
    Ok(())
}

fn respelled(column: &ArrayRef) -> ArrayRef {
    match column.as_any().downcast_ref::<TimestampMicrosecondArray>() {
        Some(instants) => Arc::new(instants.clone().with_timezone(PEER_ZONE)),
        None => column.clone(),
    }
}

fn schema_in(zone: &str) -> SchemaRef {
    let mut fields = vec![
        Field::new("event_id", DataType::Int64, true),
        Field::new("customer_id", DataType::Int64, true),
        Field::new("ts", DataType::Timestamp(TimeUnit::Microsecond, Some(zone.into())), true),
        Field::new("country", DataType::Utf8, true),
        Field::new("channel", DataType::Utf8, true),
        Field::new("merchant", DataType::Utf8, true),
    ];
    fields.extend((0..FEATURES).map(|i| Field::new(format!("f{i}"), DataType::Float64, true)));
    Arc::new(Schema::new(fields))
}

fn batches(case: Case) -> Vec<BinaryArray> {
    let mut random = Random(SEED);
    let mut event_id = 0u64;
    (0..BATCHES)
        .map(|_| {
            let rows: Vec<String> = (0..ROWS_PER_BATCH)
                .map(|_| {
                    event_id += 1;
                    event(&mut random, event_id, case)
                })
                .collect();
            BinaryArray::from_iter_values(rows)
        })
        .collect()
}

fn event(random: &mut Random, event_id: u64, case: Case) -> String {
    let second = event_id % 86_400;
    let mut members = vec![
        format!("\"event_id\":{}", 100_000_000_000 + event_id),
        format!("\"customer_id\":{}", random.below(5_000_000)),
        format!(
            "\"ts\":\"2026-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z\"",
            1 + random.below(12),
            1 + random.below(28),
            second / 3600,
            second / 60 % 60,
            second % 60,
            random.below(1000)
        ),
        format!("\"country\":\"{}\"", ["DE", "FR", "US", "IN", "BR"][random.below(5) as usize]),
        format!("\"channel\":\"{}\"", ["web", "pos", "app", "phone"][random.below(4) as usize]),
        format!("\"merchant\":\"merchant-{:06}\"", random.below(1_000_000)),
    ];
    for i in 0..FEATURES {
        let value = random.unit();
        members.push(match (case, i % 4) {
            (Case::LongDecimals, _) => format!("\"f{i}\":{value}"),
            (_, 0) => format!("\"f{i}\":{:.2}", value * 10_000.0),
            (_, 1) => format!("\"f{i}\":{:.6}", value),
            (_, 2) => format!("\"f{i}\":{:.4}", value * 20.0 - 10.0),
            _ => format!("\"f{i}\":{:.5}", value * 100.0),
        });
    }
    if case == Case::Shuffled {
        for i in (1..members.len()).rev() {
            members.swap(i, random.below(i as u64 + 1) as usize);
        }
    }
    let mut text = String::from("{");
    for (i, member) in members.iter().enumerate() {
        let _ = write!(text, "{}{member}", if i == 0 { "" } else { "," });
    }
    text + "}"
}

/// SplitMix64 (Steele, Lea, Flood 2014): the same events on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

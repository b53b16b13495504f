//! The requests that reading needs, and their answers. Source: Kafka's protocol guide, the versions named here.

use super::WireError;
use super::codec::{Reader, Writer};

/// Which versions a broker speaks.
pub(crate) const API_VERSIONS: i16 = 18;
/// Where partitions are.
pub(crate) const METADATA: i16 = 3;
/// Records.
pub(crate) const FETCH: i16 = 1;
/// Brokers since 0.11 speak it.
pub(crate) const METADATA_VERSION: i16 = 4;
/// Fetch since Kafka 0.11, and the last without flexible fields, of Kafka 2.4.
const FETCH_VERSIONS: std::ops::RangeInclusive<i16> = 4..=11;

/// Error codes of the protocol that reading deals with.
pub(crate) mod code {
    pub(crate) const NONE: i16 = 0;
    pub(crate) const OFFSET_OUT_OF_RANGE: i16 = 1;
    pub(crate) const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
    pub(crate) const TOPIC_AUTHORIZATION_FAILED: i16 = 29;
    pub(crate) const UNSUPPORTED_VERSION: i16 = 35;

    /// What an error means, in the protocol guide's names.
    pub(crate) fn name(code: i16) -> &'static str {
        match code {
            1 => "OFFSET_OUT_OF_RANGE",
            2 => "CORRUPT_MESSAGE",
            3 => "UNKNOWN_TOPIC_OR_PARTITION",
            5 => "LEADER_NOT_AVAILABLE",
            6 => "NOT_LEADER_OR_FOLLOWER",
            7 => "REQUEST_TIMED_OUT",
            8 => "BROKER_NOT_AVAILABLE",
            9 => "REPLICA_NOT_AVAILABLE",
            13 => "NETWORK_EXCEPTION",
            17 => "INVALID_TOPIC_EXCEPTION",
            29 => "TOPIC_AUTHORIZATION_FAILED",
            31 => "CLUSTER_AUTHORIZATION_FAILED",
            35 => "UNSUPPORTED_VERSION",
            56 => "KAFKA_STORAGE_ERROR",
            74 => "FENCED_LEADER_EPOCH",
            75 => "UNKNOWN_LEADER_EPOCH",
            76 => "UNSUPPORTED_COMPRESSION_TYPE",
            78 => "OFFSET_NOT_AVAILABLE",
            100 => "UNKNOWN_TOPIC_ID",
            _ => "an error of the broker",
        }
    }
}

/// The newest version of Fetch that both sides speak, from an answer to ApiVersions 0.
pub(crate) fn fetch_version(answer: &[u8]) -> Result<i16, WireError> {
    let mut reader = Reader::new(answer);
    let error = reader.i16()?;
    if error != code::NONE && error != code::UNSUPPORTED_VERSION {
        return Err(WireError::Malformed("ApiVersions is refused"));
    }
    for _ in 0..reader.count()? {
        let (api, least, most) = (reader.i16()?, reader.i16()?, reader.i16()?);
        if api == FETCH {
            let version = most.min(*FETCH_VERSIONS.end());
            return if version >= least.max(*FETCH_VERSIONS.start()) {
                Ok(version)
            } else {
                Err(WireError::Malformed("its versions of Fetch are not ours: brokers since Kafka 0.11 are supported"))
            };
        }
    }
    Err(WireError::Malformed("it does not speak Fetch: does this port speak Kafka's protocol?"))
}

/// A broker's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) id: i32,
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// Where partitions are.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Metadata {
    pub(crate) nodes: Vec<Node>,
    /// Topic, error.
    pub(crate) topics: Vec<(String, i16)>,
    /// Topic, partition, leader (-1 is none now).
    pub(crate) leaders: Vec<(String, i32, i32)>,
}

/// Asks for the partitions of topics, none of which the question makes.
pub(crate) fn write_metadata(writer: &mut Writer, topics: &[&str]) {
    writer.count(topics.len());
    for topic in topics {
        writer.text(topic);
    }
    writer.i8(0);
}

pub(crate) fn read_metadata(answer: &[u8]) -> Result<Metadata, WireError> {
    let mut reader = Reader::new(answer);
    let mut metadata = Metadata::default();
    reader.i32()?;
    for _ in 0..reader.count()? {
        let id = reader.i32()?;
        let host = reader.name()?.to_owned();
        let port = u16::try_from(reader.i32()?).map_err(|_| WireError::Malformed("a port"))?;
        reader.text()?;
        metadata.nodes.push(Node { id, host, port });
    }
    reader.text()?;
    reader.i32()?;
    for _ in 0..reader.count()? {
        let error = reader.i16()?;
        let topic = reader.name()?.to_owned();
        reader.i8()?;
        for _ in 0..reader.count()? {
            reader.i16()?;
            let (partition, leader) = (reader.i32()?, reader.i32()?);
            for _ in 0..2 {
                for _ in 0..reader.count()? {
                    reader.i32()?;
                }
            }
            metadata.leaders.push((topic.clone(), partition, leader));
        }
        metadata.topics.push((topic, error));
    }
    Ok(metadata)
}

/// What one request to a broker asks for.
#[derive(Debug)]
pub(crate) struct FetchRequest<'a> {
    pub(crate) max_wait_ms: i32,
    pub(crate) min_bytes: i32,
    pub(crate) max_bytes: i32,
    pub(crate) read_committed: bool,
    pub(crate) rack: &'a str,
    /// Topic, partition, the offset to begin with; most bytes for each. Partitions of a topic follow each other.
    pub(crate) partitions: &'a [(&'a str, i32, i64)],
    pub(crate) partition_max_bytes: i32,
}

impl FetchRequest<'_> {
    pub(crate) fn write(&self, writer: &mut Writer, version: i16) {
        writer.i32(-1).i32(self.max_wait_ms).i32(self.min_bytes).i32(self.max_bytes);
        writer.i8(i8::from(self.read_committed));
        if version >= 7 {
            // No session: a request says all that it wants.
            writer.i32(0).i32(-1);
        }
        let of_topic = |a: &(&str, i32, i64), b: &(&str, i32, i64)| a.0 == b.0;
        writer.count(self.partitions.chunk_by(of_topic).count());
        for topic in self.partitions.chunk_by(of_topic) {
            writer.text(topic[0].0).count(topic.len());
            for (_, partition, offset) in topic {
                writer.i32(*partition);
                if version >= 9 {
                    writer.i32(-1);
                }
                writer.i64(*offset);
                if version >= 5 {
                    writer.i64(-1);
                }
                writer.i32(self.partition_max_bytes);
            }
        }
        if version >= 7 {
            writer.count(0);
        }
        if version >= 11 {
            writer.text(self.rack);
        }
    }
}

/// What a broker says of one partition.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fetched<'a> {
    pub(crate) topic: &'a str,
    pub(crate) partition: i32,
    pub(crate) error: i16,
    /// Where what may be read ends now.
    pub(crate) end: i64,
    /// Transactions that were given up, as (producer, first offset).
    pub(crate) aborted: Vec<(i64, i64)>,
    /// A replica that is nearer, to be asked instead; -1 is none.
    pub(crate) preferred: i32,
    /// Where the batches are, counted from the start of the answer's body.
    pub(crate) records: std::ops::Range<usize>,
}

/// Walks an answer to Fetch; gives how long the broker wants to be left alone, in milliseconds.
pub(crate) fn read_fetch<'a>(
    answer: &'a [u8],
    version: i16,
    read_committed: bool,
    mut each: impl FnMut(Fetched<'a>),
) -> Result<u64, WireError> {
    let mut reader = Reader::new(answer);
    let throttle = u64::try_from(reader.i32()?).unwrap_or(0);
    if version >= 7 {
        let error = reader.i16()?;
        reader.i32()?;
        if error != code::NONE {
            return Err(WireError::Malformed(code::name(error)));
        }
    }
    for _ in 0..reader.count()? {
        let topic = reader.name()?;
        for _ in 0..reader.count()? {
            let (partition, error) = (reader.i32()?, reader.i16()?);
            let (high_watermark, last_stable) = (reader.i64()?, reader.i64()?);
            let end = if read_committed { last_stable } else { high_watermark };
            if version >= 5 {
                reader.i64()?;
            }
            let mut aborted = Vec::new();
            for _ in 0..reader.count()? {
                aborted.push((reader.i64()?, reader.i64()?));
            }
            let preferred = if version >= 11 { reader.i32()? } else { -1 };
            let length = reader.bytes()?.len();
            let after = reader.position();
            each(Fetched { topic, partition, error, end, aborted, preferred, records: after - length..after });
        }
    }
    Ok(throttle)
}

//! A driver's questions to a cluster: topics, partitions, offsets.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};

use crate::client::Client;
use crate::error::{KafkaFault, is_authorization};
use crate::settings::{ClientSettings, Secret};

/// Numbers by topic and partition.
pub type Offsets = BTreeMap<String, BTreeMap<i32, i64>>;

/// Which offset of a partition is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// The first record that there is.
    Earliest,
    /// After the last record (after the last committed one, with `isolation.level=read_committed`).
    Latest,
    /// The first record at or after a time in milliseconds since 1970, UTC.
    Time(i64),
}

impl Point {
    /// As the ListOffsets request has it.
    fn raw(self) -> i64 {
        match self {
            Self::Earliest => -2,
            Self::Latest => -1,
            Self::Time(millis) => millis.max(0),
        }
    }
}

/// A connection for questions. Every answer comes within the patience that it was made with, or is an error.
#[derive(Debug)]
pub struct Cluster {
    client: Client,
    patience: Duration,
    settings: ClientSettings,
    mirror: Mutex<Option<(String, Client)>>,
}

impl Cluster {
    /// Connects in the background; the first question finds out whether that works.
    ///
    /// # Errors
    /// A setting that librdkafka refuses.
    pub fn connect(settings: &ClientSettings, patience: Duration) -> Result<Self, KafkaFault> {
        let defaults = [("isolation.level", "read_uncommitted".to_owned())];
        Ok(Self {
            client: Client::connect(settings, &defaults)?,
            patience,
            settings: settings.clone(),
            mirror: Mutex::default(),
        })
    }

    /// Names of all topics but Kafka's own.
    ///
    /// # Errors
    /// See [`KafkaFault`].
    pub fn topics(&self) -> Result<Vec<String>, KafkaFault> {
        let metadata = self
            .client
            .ask("list the topics", self.patience, |wait| self.client.consumer().fetch_metadata(None, wait))?;
        let names = metadata.topics().iter().map(|topic| topic.name().to_owned());
        let mut names: Vec<String> = names.filter(|name| !name.starts_with("__")).collect();
        names.sort();
        Ok(names)
    }

    /// The partitions of topics, ascending.
    ///
    /// # Errors
    /// [`KafkaFault::UnknownTopic`] for the first topic that is not there.
    pub fn partitions(&self, topics: &[String]) -> Result<BTreeMap<String, Vec<i32>>, KafkaFault> {
        let mut found = BTreeMap::new();
        for topic in topics {
            found.insert(topic.clone(), self.partitions_of(topic)?);
        }
        Ok(found)
    }

    fn partitions_of(&self, topic: &str) -> Result<Vec<i32>, KafkaFault> {
        let metadata = self.client.ask(&format!("topic {topic}"), self.patience, |wait| {
            let metadata = self.client.consumer().fetch_metadata(Some(topic), wait)?;
            // A leader that is being elected has partitions all the same; a topic made a moment ago may not yet.
            let code = metadata.topics().first().and_then(|t| t.error()).map(RDKafkaErrorCode::from);
            match code {
                Some(code) if is_authorization(code) => Err(KafkaError::MetadataFetch(code)),
                Some(RDKafkaErrorCode::LeaderNotAvailable) => {
                    Err(KafkaError::MetadataFetch(RDKafkaErrorCode::LeaderNotAvailable))
                }
                _ => Ok(metadata),
            }
        })?;
        let mut partitions: Vec<i32> =
            metadata.topics().iter().flat_map(|t| t.partitions()).map(|partition| partition.id()).collect();
        if partitions.is_empty() {
            let servers = self.client.servers().to_owned();
            return Err(KafkaFault::UnknownTopic { topic: topic.to_owned(), servers });
        }
        partitions.sort_unstable();
        Ok(partitions)
    }

    /// Copies offsets to a consumer group, for tools that show a group's lag. Does not wait for the broker's answer:
    /// a failure is in the log.
    ///
    /// # Errors
    /// A setting that librdkafka refuses.
    pub fn mirror(&self, group: &str, offsets: &Offsets) -> Result<(), KafkaFault> {
        let mut mirror = self.mirror.lock().unwrap_or_else(PoisonError::into_inner);
        if mirror.as_ref().is_none_or(|(of, _)| of != group) {
            let mut settings = self.settings.clone();
            settings.properties.insert("group.id".to_owned(), Secret::new(group));
            let defaults = [("enable.auto.commit", "false".to_owned())];
            *mirror = Some((group.to_owned(), Client::connect(&settings, &defaults)?));
        }
        let mut list = TopicPartitionList::new();
        for (topic, partitions) in offsets {
            for (partition, offset) in partitions {
                list.add_partition_offset(topic, *partition, Offset::Offset(*offset))
                    .map_err(|error| KafkaFault::other(format!("{topic}-{partition}"), error))?;
            }
        }
        match &*mirror {
            Some((_, client)) => client
                .consumer()
                .commit(&list, CommitMode::Async)
                .map_err(|error| KafkaFault::other(format!("group {group}"), error)),
            None => Ok(()),
        }
    }

    /// The offsets at a point of each partition; `None` where no record is at or after the time.
    ///
    /// # Errors
    /// See [`KafkaFault`]; one for a partition that does not exist.
    pub fn offsets(
        &self,
        points: &BTreeMap<String, BTreeMap<i32, Point>>,
    ) -> Result<BTreeMap<String, BTreeMap<i32, Option<i64>>>, KafkaFault> {
        let mut wanted = TopicPartitionList::new();
        for (topic, partitions) in points {
            for (partition, point) in partitions {
                // The list carries times in the place of offsets. The two special ones are librdkafka's own numbers.
                wanted
                    .add_partition_offset(topic, *partition, offset_of(point.raw()))
                    .map_err(|error| KafkaFault::other(format!("{topic}-{partition}"), error))?;
            }
        }
        if wanted.count() == 0 {
            return Ok(BTreeMap::new());
        }
        let answer = self.client.ask("ask for offsets", self.patience, |wait| {
            let answer = self.client.consumer().offsets_for_times(wanted.clone(), wait)?;
            // A leader may be on the move: asked again until the patience ends.
            for element in answer.elements() {
                element.error()?;
            }
            Ok(answer)
        })?;
        let mut offsets: BTreeMap<String, BTreeMap<i32, Option<i64>>> = BTreeMap::new();
        for element in answer.elements() {
            let offset = match element.offset() {
                Offset::Offset(offset) => Some(offset),
                _ => None,
            };
            offsets.entry(element.topic().to_owned()).or_default().insert(element.partition(), offset);
        }
        Ok(offsets)
    }
}

fn offset_of(raw: i64) -> Offset {
    match raw {
        -2 => Offset::Beginning,
        -1 => Offset::End,
        time => Offset::Offset(time),
    }
}

//! A driver's questions to a cluster: JSON in, JSON out. Asked once per micro-batch, so text is cheap enough.

use std::collections::BTreeMap;
use std::time::Duration;

use firesteel_kafka::{ClientSettings, Cluster, Point};
use serde::Deserialize;
use serde_json::json;

use crate::error::{BridgeError, internal};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Question {
    /// Names of all topics.
    Topics {},
    /// Partitions of some topics.
    Partitions { topics: Vec<String> },
    /// Offsets at a point: -2 the earliest, -1 the latest, else a time in milliseconds.
    Offsets { points: BTreeMap<String, BTreeMap<i32, i64>> },
    /// Copy offsets to a consumer group.
    Mirror { group: String, offsets: BTreeMap<String, BTreeMap<i32, i64>> },
}

/// Connects with settings in JSON.
pub(crate) fn connect(settings: &str, patience_millis: i64) -> Result<Cluster, BridgeError> {
    let patience = Duration::from_millis(patience_millis.unsigned_abs());
    Ok(Cluster::connect(&self::settings(settings)?, patience)?)
}

/// Settings in JSON. What is wrong with them is not repeated: they hold secrets.
fn settings(json: &str) -> Result<ClientSettings, BridgeError> {
    serde_json::from_str(json).map_err(|_| internal("client settings that are none"))
}

/// Answers a question.
pub(crate) fn answer(cluster: &Cluster, question: &str) -> Result<String, BridgeError> {
    let question = serde_json::from_str(question).map_err(|e| internal(format!("a question that is none: {e}")))?;
    let answer = match question {
        Question::Topics {} => json!(cluster.topics()?),
        Question::Partitions { topics } => json!(cluster.partitions(&topics)?),
        Question::Offsets { points } => {
            let points = points
                .into_iter()
                .map(|(topic, partitions)| (topic, partitions.into_iter().map(|(p, raw)| (p, point(raw))).collect()))
                .collect();
            json!(cluster.offsets(&points)?)
        }
        Question::Mirror { group, offsets } => json!(cluster.mirror(&group, &offsets)?),
    };
    Ok(answer.to_string())
}

fn point(raw: i64) -> Point {
    match raw {
        -2 => Point::Earliest,
        -1 => Point::Latest,
        time => Point::Time(time),
    }
}

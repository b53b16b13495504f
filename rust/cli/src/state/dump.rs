//! The state of a query whose windows live in Spark's state store, as `python -m firesteel dump-state` writes it.
//!
//! One JSON object per line: first `{operator, bucket, book}` of every bucket, then `{operator, bucket, key, history}` of
//! every key; bytes in base64. An operator is a window block.

use std::collections::BTreeMap;
use std::io::BufRead;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use firesteel_engine::state::{BucketBook, Layout};
use serde::Deserialize;

use super::asked::Asked;
use super::files::SnapshotFile;
use super::summary::{BlockSummary, Found};
use super::{Looked, Refusal};

#[derive(Debug, Deserialize)]
struct Line {
    operator: u64,
    bucket: i64,
    book: Option<String>,
    key: Option<String>,
    history: Option<String>,
}

/// Books of all buckets, and what their keys' histories may consist of: blocks by operator and layout.
#[derive(Default)]
struct Books {
    books: BTreeMap<(u64, i64), BucketBook>,
    blocks: Vec<(u64, Layout)>,
    summaries: Vec<BlockSummary>,
}

impl Books {
    fn add(&mut self, operator: u64, bucket: i64, book: BucketBook) {
        let (events, time) = book.clock();
        for (i, layout) in book.layouts().iter().enumerate() {
            let block = (operator, layout.clone());
            let at = self.blocks.iter().position(|known| *known == block).unwrap_or_else(|| {
                self.summaries.push(BlockSummary::new((layout, 0, None)));
                self.blocks.push(block);
                self.blocks.len() - 1
            });
            // The clock is the bucket's, whatever its layouts: shown with the newest one.
            if i + 1 == book.layouts().len() {
                self.summaries[at].seen += events;
                self.summaries[at].clock = self.summaries[at].clock.max(time);
            }
        }
        self.books.insert((operator, bucket), book);
    }
}

/// What is in a dump.
///
/// # Errors
/// What is wrong with which line of it.
pub(super) fn look(file: &SnapshotFile, key: &[(String, String)]) -> Result<Looked, Refusal> {
    let lines = std::io::BufReader::new(std::fs::File::open(&file.path)?).lines();
    let mut books = Books::default();
    let mut asked = None;
    let mut found = Vec::new();
    for (number, line) in lines.enumerate() {
        let wrong = |what: &str| Refusal::Content(format!("line {}: {what}", number + 1));
        let line: Line = serde_json::from_str(&line?).map_err(|error| wrong(&error.to_string()))?;
        let bytes = |text: &str| STANDARD.decode(text).map_err(|error| wrong(&error.to_string()));
        match (&line.book, &line.key, &line.history) {
            (Some(book), None, None) if asked.is_none() => {
                let book = BucketBook::open(&bytes(book)?).map_err(|error| wrong(&error.to_string()))?;
                books.add(line.operator, line.bucket, book);
            }
            (None, Some(own), Some(history)) => {
                let asked = match &mut asked {
                    Some(asked) => asked,
                    None => asked.insert(Asked::new(key, &books.summaries).map_err(Refusal::Content)?),
                };
                let place = (line.operator, line.bucket);
                let book = books.books.get(&place).ok_or_else(|| wrong("its bucket has no book before it"))?;
                let (own, history) = (bytes(own)?, bytes(history)?);
                let size = own.len() + history.len();
                let damaged = |error: firesteel_engine::state::Damaged| wrong(&error.to_string());
                let Some((layout, history)) = book.history(&history).map_err(damaged)? else { continue };
                let layout = &book.layouts()[layout];
                let known = |(operator, there): &(u64, Layout)| *operator == line.operator && there == layout;
                let block = books.blocks.iter().position(known).ok_or_else(|| wrong("its layout is not known"))?;
                let parts = layout.key(&own).map_err(damaged)?;
                books.summaries[block].add(history.events.len(), size);
                if asked.takes(block, &parts) {
                    found.push(Found { block, key: parts, history, bytes: size });
                }
            }
            _ => return Err(wrong("neither a book before all keys nor a key with its history")),
        }
    }
    if books.books.is_empty() {
        return Err(Refusal::Content("no state of windows is in it".to_owned()));
    }
    let near = match asked {
        Some(asked) => asked.near(),
        None => None,
    };
    Ok(Looked { summaries: books.summaries, found, near })
}

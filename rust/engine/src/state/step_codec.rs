//! The steps of a key's tail as bytes, behind its events (see [`super::codec`]).
//!
//! | part | form |
//! |---|---|
//! | number of steps | varint |
//! | per step: times of its oldest and newest event | zigzag varint, varint of the difference |
//! | per step: events | varint |
//! | per step and input: values | varint; nothing more follows if there are none |
//! | what the input [keeps](PartLayout::keeps), in that order | sums as in `exact`; values with a byte before them that says whether there is one; lists with their length; doubles |

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::acc::Needs;
use super::block::{Block, Input};
use super::codec::{Bytes, Damaged, kind, put, put_signed, put_word, word};
use super::exact::ExactSum;
use super::part::{Part, Trend};
use super::sketch::{Frequent, Histogram, Smallest};
use super::tail::{Step, Tail};
use super::words::{Kind, Texts};

/// What a step holds of one input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartLayout {
    /// The expression, and how its values are written; none for the events themselves.
    pub value: Option<(String, String)>,
    /// Which events count.
    pub filter: Option<String>,
    /// What is known of the values beside their number: `sum`, `squares`, `lowest`, `highest`, `ends`, `distinct`, `mode`,
    /// `sorted`, `trend`.
    pub keeps: Vec<String>,
}

/// Where a need is noted.
type Flag = fn(&mut Needs) -> &mut bool;

/// Names of what is kept, in the order of the bytes.
const KEEPS: [(&str, Flag); 9] = [
    ("sum", |needs| &mut needs.sum),
    ("squares", |needs| &mut needs.squares),
    ("lowest", |needs| &mut needs.lowest),
    ("highest", |needs| &mut needs.highest),
    ("ends", |needs| &mut needs.ends),
    ("distinct", |needs| &mut needs.distinct),
    ("mode", |needs| &mut needs.mode),
    ("sorted", |needs| &mut needs.sorted),
    ("trend", |needs| &mut needs.trend),
];

impl PartLayout {
    /// What a block's steps hold of an input.
    pub(super) fn of(input: &Input, block: &Block) -> Self {
        let mut needs = input.needs;
        let column = |at: u8| &block.columns[usize::from(at)];
        Self {
            value: input.value.map(|at| (column(at).expr.sql().to_owned(), word(column(at).kind).to_owned())),
            filter: input.filter.map(|at| block.filters[usize::from(at)].sql().to_owned()),
            keeps: KEEPS.iter().filter(|(_, flag)| *flag(&mut needs)).map(|(name, _)| (*name).to_owned()).collect(),
        }
    }

    fn needs(&self) -> Result<Needs, String> {
        let mut needs = Needs::default();
        for name in &self.keeps {
            let (_, flag) = KEEPS
                .iter()
                .find(|(known, _)| known == name)
                .ok_or_else(|| format!("its state keeps {name} of its steps, which this version does not know"))?;
            *flag(&mut needs) = true;
        }
        Ok(needs)
    }
}

/// Appends the steps' bytes.
pub(super) fn encode(tail: Option<&Tail>, block: &Block, texts: &Texts, out: &mut Vec<u8>) {
    let Some(tail) = tail else { return put(out, 0) };
    put(out, tail.steps().len() as u64);
    for step in tail.steps() {
        put_signed(out, step.oldest);
        put(out, step.newest.wrapping_sub(step.oldest) as u64);
        put(out, step.events);
        for (part, input) in step.parts.iter().zip(&block.inputs) {
            put(out, part.count);
            if part.count > 0 {
                encode_part(part, input.kind(block), input.needs, texts, out);
            }
        }
    }
}

fn encode_part(part: &Part, kind: Kind, needs: Needs, texts: &Texts, out: &mut Vec<u8>) {
    let maybe = |value: Option<u64>, out: &mut Vec<u8>| {
        out.push(u8::from(value.is_some()));
        if let Some(value) = value {
            put_word(value, kind, texts, out);
        }
    };
    if needs.sum {
        part.sum.write(out);
    }
    if needs.squares {
        part.squares.write(out);
    }
    if needs.lowest {
        maybe(part.lowest, out);
    }
    if needs.highest {
        maybe(part.highest, out);
    }
    if needs.ends {
        maybe(part.ends.map(|(oldest, _)| oldest), out);
        maybe(part.ends.map(|(_, newest)| newest), out);
    }
    if needs.distinct {
        put(out, part.different.hashes().len() as u64);
        part.different.hashes().iter().for_each(|hash| out.extend_from_slice(&hash.to_le_bytes()));
    }
    if needs.mode {
        put(out, part.frequent.counts().len() as u64);
        for (value, count) in part.frequent.counts() {
            put_word(*value, kind, texts, out);
            put(out, *count);
        }
    }
    if needs.sorted {
        put(out, part.histogram.buckets().len() as u64);
        for (bucket, count) in part.histogram.buckets() {
            put_signed(out, i64::from(bucket));
            put(out, count);
        }
    }
    if needs.trend {
        let Trend { count, time, value, across, along } = part.trend;
        [count, time, value, across, along].iter().for_each(|number| out.extend_from_slice(&number.to_le_bytes()));
    }
}

/// Reads steps of one layout into a block.
#[derive(Debug)]
pub(super) struct StepDecoder {
    /// What is kept of each old input, and where it stands in the block now.
    parts: Vec<(Kind, Needs, Option<usize>)>,
}

impl StepDecoder {
    /// # Errors
    /// Why the block can't go on with steps of this layout.
    pub(super) fn new(layouts: &[PartLayout], block: &Block) -> Result<Self, String> {
        if !layouts.is_empty() && block.bound.is_none() {
            return Err("it has no bound any more, and older events are in its state as sums only: leave bound in \
                        (with more events if they are to be kept one by one), or begin with a new checkpoint"
                .to_owned());
        }
        let new: Vec<PartLayout> = block.inputs.iter().map(|input| PartLayout::of(input, block)).collect();
        let part = |old: &PartLayout| {
            let kind = old.value.as_ref().map_or(Ok(Kind::Int), |(_, word)| kind(word))?;
            let to = new.iter().position(|new| (&new.value, &new.filter) == (&old.value, &old.filter));
            Ok((kind, old.needs()?, to))
        };
        Ok(Self { parts: layouts.iter().map(part).collect::<Result<_, String>>()? })
    }

    /// The steps that the bytes begin with.
    ///
    /// # Errors
    /// [`Damaged`] if they are something else.
    pub(super) fn decode(&self, from: &mut Bytes<'_>, block: &Block, texts: &mut Texts) -> Result<Tail, Damaged> {
        let count = from.length()?;
        let mut steps = VecDeque::with_capacity(count);
        for _ in 0..count {
            let oldest = from.signed()?;
            let newest = oldest.wrapping_add(from.varint()? as i64);
            let events = from.varint()?;
            let mut parts: Box<[Part]> = block.inputs.iter().map(|_| Part::default()).collect();
            for (kind, needs, to) in &self.parts {
                let part = decode_part(*kind, *needs, from, texts)?;
                if let Some(to) = to {
                    parts[*to] = part;
                }
            }
            steps.push_back(Step { oldest, newest, events, parts });
        }
        Ok(Tail::of(steps))
    }
}

/// Number of events, times of the oldest and the newest, of each step; for readers without the block.
pub(super) fn outlines(
    layouts: &[PartLayout],
    from: &mut Bytes<'_>,
    texts: &mut Texts,
) -> Result<Vec<(u64, i64, i64)>, Damaged> {
    let count = from.length()?;
    let mut outlines = Vec::with_capacity(count);
    for _ in 0..count {
        let oldest = from.signed()?;
        let newest = oldest.wrapping_add(from.varint()? as i64);
        outlines.push((from.varint()?, oldest, newest));
        for layout in layouts {
            let kind = layout.value.as_ref().map_or(Ok(Kind::Int), |(_, word)| kind(word)).map_err(|_| Damaged)?;
            decode_part(kind, layout.needs().map_err(|_| Damaged)?, from, texts)?;
        }
    }
    Ok(outlines)
}

fn decode_part(kind: Kind, needs: Needs, from: &mut Bytes<'_>, texts: &mut Texts) -> Result<Part, Damaged> {
    let mut part = Part { count: from.varint()?, ..Part::default() };
    if part.count == 0 {
        return Ok(part);
    }
    let maybe = |from: &mut Bytes<'_>, texts: &mut Texts| match from.take(1)?[0] {
        0 => Ok(None),
        1 => Ok(Some(from.word(kind, texts)?)),
        _ => Err(Damaged),
    };
    if needs.sum {
        part.sum = ExactSum::read(&mut from.0).ok_or(Damaged)?;
    }
    if needs.squares {
        part.squares = ExactSum::read(&mut from.0).ok_or(Damaged)?;
    }
    if needs.lowest {
        part.lowest = maybe(from, texts)?;
    }
    if needs.highest {
        part.highest = maybe(from, texts)?;
    }
    if needs.ends {
        part.ends = maybe(from, texts)?.zip(maybe(from, texts)?);
    }
    if needs.distinct {
        let hashes = (0..from.length()?).map(|_| Ok(from.double()?.to_bits())).collect::<Result<Vec<_>, Damaged>>()?;
        part.different = Smallest::of(hashes).ok_or(Damaged)?;
    }
    if needs.mode {
        let counts = (0..from.length()?).map(|_| Ok((from.word(kind, texts)?, from.varint()?)));
        part.frequent = Frequent::of(counts.collect::<Result<Vec<_>, Damaged>>()?).ok_or(Damaged)?;
    }
    if needs.sorted {
        let bucket = |from: &mut Bytes<'_>| i32::try_from(from.signed()?).map_err(|_| Damaged);
        let buckets = (0..from.length()?).map(|_| Ok((bucket(from)?, from.varint()?)));
        part.histogram = Histogram::of(buckets.collect::<Result<Vec<_>, Damaged>>()?);
    }
    if needs.trend {
        let [count, time, value, across, along] =
            [from.double()?, from.double()?, from.double()?, from.double()?, from.double()?];
        part.trend = Trend { count, time, value, across, along };
    }
    Ok(part)
}

//! From the rows in a window to the aggregate's value.

use super::acc::{Acc, double};
use super::aggregate::Aggregate;
use super::block::{Block, Input, Output};
use super::exact::ExactSum;
use super::key_state::Decay;
use super::part::Trend;
use super::sketch::Histogram;
use super::slide::{Reach, Slides, View, values};
use super::tail::Past;
use super::words::{Kind, float_word};

/// The event that results are for, and the history of its key.
pub(crate) struct Context<'a> {
    /// Its row in the log.
    pub(crate) id: u64,
    /// Where its windows end, in microseconds.
    pub(crate) until: i64,
    pub(crate) past: Past<'a>,
    pub(crate) decays: &'a [Decay],
    pub(crate) block: &'a Block,
}

const MICROS: f64 = 1e6;

/// The value of an output as a word; `None` for null.
pub(crate) fn result(output: &Output, slides: &Slides, context: &Context<'_>) -> Option<u64> {
    let block = context.block;
    let input = &block.inputs[output.input];
    let kind = input.kind(block);
    let Some(window) = output.window else { return windowless(output, input, kind, context) };
    let slide = slides.view(window, block);
    if let Reach::Session(gap) = block.reaches[window]
        && slide.newest(context.past, block).is_some_and(|newest| context.until.saturating_sub(newest) >= gap)
    {
        // The last session is over; the event's own has nothing in it yet.
        return in_window(output, input, kind, block.reaches[window], View::default(), context);
    }
    in_window(output, input, kind, block.reaches[window], slide, context)
}

fn in_window(
    output: &Output,
    input: &Input,
    kind: Kind,
    reach: Reach,
    slide: View<'_>,
    context: &Context<'_>,
) -> Option<u64> {
    let (log, width) = (context.past.log, context.block.width);
    let (count, acc) = slide.of(input);
    match output.aggregate {
        Aggregate::Count => return Some(count),
        Aggregate::Rate => {
            return match reach {
                Reach::Time(length) => Some(float_word(count as f64 / (length as f64 / MICROS))),
                Reach::Last(_) | Reach::Session(_) => None,
            };
        }
        _ => {}
    }
    let nothing = Acc::default();
    let acc = acc.unwrap_or(&nothing);
    let mut ends = slide.steps(context.past.tail).filter_map(|step| step.parts[output.input].ends);
    let some = |count: u64| (acc.count >= count).then_some(());
    match output.aggregate {
        Aggregate::Distinct => Some(acc.distinct()),
        Aggregate::Sum => some(1).and_then(|()| sum(&acc.sum, kind)),
        Aggregate::Avg | Aggregate::Share => some(1).map(|()| float_word(acc.sum.to_f64() / acc.count as f64)),
        Aggregate::Var { population } => variance(acc, population).map(float_word),
        Aggregate::Stddev { population } => variance(acc, population).map(|value| float_word(value.sqrt())),
        Aggregate::Min => acc.lowest(),
        Aggregate::Max => acc.highest(),
        Aggregate::Mode => acc.mode(),
        Aggregate::Quantile(part) => match acc.histogram() {
            None => quantile(acc.sorted(), part).map(float_word),
            Some(histogram) => quantile_of_both(acc.sorted(), histogram, part).map(float_word),
        },
        Aggregate::First => {
            let mut values = values(slide.ids(), log, input, width);
            ends.next().map(|(oldest, _)| oldest).or_else(|| values.next().map(|(_, word)| word))
        }
        Aggregate::Last => {
            let mut values = values(slide.ids(), log, input, width);
            values.next_back().map(|(_, word)| word).or_else(|| ends.next_back().map(|(_, newest)| newest))
        }
        Aggregate::ZScore => {
            let own = log.row(context.id, width).value(input.value?)?;
            let deviation = variance(acc, false)?.sqrt();
            let mean = acc.sum.to_f64() / acc.count as f64;
            (deviation != 0.0).then(|| float_word((double(kind, own) - mean) / deviation))
        }
        Aggregate::Slope => {
            let rows = values(slide.ids(), log, input, width);
            let found = match steps_trend(slide, output.input, context) {
                None => slope(rows, kind),
                Some((trend, from)) => slope_of_both(trend, from, rows, kind),
            };
            found.map(float_word)
        }
        Aggregate::Count | Aggregate::Rate => None,
        Aggregate::Lag(_) | Aggregate::Delta | Aggregate::SinceLast | Aggregate::Ewma(_) => None,
    }
}

fn windowless(output: &Output, input: &Input, kind: Kind, context: &Context<'_>) -> Option<u64> {
    let (log, width) = (context.past.log, context.block.width);
    let mut before =
        (log.ids(width).start..context.id).rev().map(|id| log.row(id, width)).filter(|row| input.counts(*row));
    match output.aggregate {
        Aggregate::Lag(back) => before.nth(back as usize - 1)?.value(input.value?),
        Aggregate::Delta => {
            let (now, then) = (log.row(context.id, width).value(input.value?)?, before.next()?.value(input.value?)?);
            match kind {
                Kind::Float => Some(float_word(f64::from_bits(now) - f64::from_bits(then))),
                Kind::Int | Kind::Text => (now as i64).checked_sub(then as i64).map(|delta| delta as u64),
            }
        }
        Aggregate::SinceLast => {
            let passed = log.row(context.id, width).time().saturating_sub(before.next()?.time());
            Some(float_word(passed as f64 / MICROS))
        }
        Aggregate::Ewma(_) => context.decays[output.decay?].value().map(float_word),
        _ => None,
    }
}

/// The exact sum in the type of the result.
fn sum(sum: &ExactSum, kind: Kind) -> Option<u64> {
    match kind {
        Kind::Float => Some(float_word(sum.to_f64())),
        Kind::Int | Kind::Text => sum.to_i64().map(|value| value as u64),
    }
}

/// (n Σx² − (Σx)²) / n(n − 1) of a sample, / n² of a population; from exact sums, so that nothing cancels.
fn variance(acc: &Acc, population: bool) -> Option<f64> {
    let least = if population { 1 } else { 2 };
    let squares = acc.squares().filter(|_| acc.count >= least)?;
    let n = acc.count as f64;
    let by = if population { n * n } else { n * (n - 1.0) };
    Some(acc.sum.spread(squares, acc.count) / by)
}

/// Between the neighbours of rank p (n − 1), as numpy's default and Spark's `percentile`.
fn quantile(sorted: &[f64], part: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let rank = part * last as f64;
    let (low, high) = (rank.floor() as usize, (rank.floor() as usize + 1).min(last));
    let (a, b) = (sorted[low], sorted[high]);
    let weight = rank - rank.floor();
    // Equal neighbours also if they are infinite.
    Some(if a == b || weight == 0.0 { a } else { a + (b - a) * weight })
}

/// The same where values of steps are known by their buckets only.
fn quantile_of_both(sorted: &[f64], histogram: &Histogram, part: f64) -> Option<f64> {
    let last = (sorted.len() as u64 + histogram.count()).checked_sub(1)?;
    let rank = part * last as f64;
    let low = rank.floor() as u64;
    let (a, b) = (ranked(sorted, histogram, low)?, ranked(sorted, histogram, (low + 1).min(last))?);
    let weight = rank - rank.floor();
    Some(if a == b || weight == 0.0 { a } else { a + (b - a) * weight })
}

/// The value with so many below it.
fn ranked(sorted: &[f64], histogram: &Histogram, rank: u64) -> Option<f64> {
    let mut before = 0;
    for (value, count) in histogram.values() {
        let below = sorted.partition_point(|there| *there < value || (value.is_nan() && !there.is_nan())) as u64;
        if rank < below + before {
            break;
        }
        if rank < below + before + count {
            return Some(value);
        }
        before += count;
    }
    sorted.get((rank - before) as usize).copied()
}

/// The trend of the steps in a window, if there are any, and the time from which its seconds count.
fn steps_trend(slide: View<'_>, input: usize, context: &Context<'_>) -> Option<(Trend, i64)> {
    let mut steps = slide.steps(context.past.tail);
    let first = steps.next()?;
    let mut trend = first.parts[input].trend;
    for step in steps {
        let later = step.oldest.saturating_sub(first.oldest) as f64 / MICROS;
        trend.merge(&step.parts[input].trend, later);
    }
    Some((trend, first.oldest))
}

/// Least squares of steps and rows.
fn slope_of_both(mut trend: Trend, from: i64, rows: impl Iterator<Item = (i64, u64)>, kind: Kind) -> Option<f64> {
    rows.for_each(|(time, word)| trend.add((time - from) as f64 / MICROS, double(kind, word)));
    trend.slope()
}

/// Least squares of the values over their times, in units per second; in the order of the log, twice.
fn slope(values: impl Iterator<Item = (i64, u64)> + Clone, kind: Kind) -> Option<f64> {
    let first = values.clone().next()?.0;
    let seconds = |time: i64| (time - first) as f64 / MICROS;
    let (mut n, mut time_sum, mut value_sum) = (0.0, 0.0, 0.0);
    for (time, word) in values.clone() {
        n += 1.0;
        time_sum += seconds(time);
        value_sum += double(kind, word);
    }
    let (time_mean, value_mean) = (time_sum / n, value_sum / n);
    let (mut across, mut along) = (0.0, 0.0);
    for (time, word) in values {
        let apart = seconds(time) - time_mean;
        across += apart * (double(kind, word) - value_mean);
        along += apart * apart;
    }
    (along > 0.0).then(|| across / along)
}

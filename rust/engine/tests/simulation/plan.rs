//! What a seed decides before anything happens: sizes, windows, and how often what goes wrong.

use crate::chance::Chance;

/// Windows over `k` and `ts`; see [`crate::events::schema`].
pub(crate) const PIPELINES: &[&[&str]] = &[
    &[r#"{"key": "k", "time": "ts", "over": ["10 s", "1 m"], "late": {"allow": "5 s"},
        "compute": {"n": "count(*)", "m": "avg(x)"}}"#],
    &[r#"{"key": "k", "time": "ts", "over": ["20 s"], "delay": "5 s", "late": {"allow": "10 s", "then": "use"},
        "compute": {"n": "count(x)", "d": "stddev(x)", "top": "max(n)", "often": "mode(s)"}, "default": {"d": 0}}"#],
    &[r#"{"key": "k", "time": "ts", "over": ["last 5", "session 7 s"], "keep": "2 m", "late": {"allow": "5 s"},
        "compute": {"sum": "sum(x)", "kinds": "distinct(s)", "a": "first(s)", "z": "last(x)"}}"#],
    &[r#"{"key": "k", "time": "ts", "keep": "1 m", "late": {"allow": "3 s"},
        "compute": {"back": "lag(n, 2)", "step": "delta(x)", "pause": "since_last(*)", "smooth": "ewma(x, '30 s')"}}"#],
    &[
        r#"{"key": "k", "time": "ts", "over": ["30 s"], "compute": {"n": "count(*)", "some": "avg(x) FILTER (WHERE b)"}}"#,
        r#"{"key": ["k", "s"], "time": "ts", "over": ["15 s"], "prefix": "ks", "late": {"allow": "2 s"},
            "compute": {"n": "count(*)", "low": "min(x)"}}"#,
    ],
    &[r#"{"key": "s", "time": "ts", "over": ["5 s"], "current": "exclude", "late": {"allow": "1 s"},
        "compute": {"n": "count(*)", "q": "quantile(x, 0.9)", "score": "zscore(x)"}}"#],
    &[r#"{"key": "k", "time": "ts", "over": ["10 s", "1 m", "session 9 s"], "late": {"allow": "5 s"},
        "bound": {"events": 4, "step": "6 s"}, "compute": {"n": "count(*)", "m": "avg(x)", "d": "stddev(x)", "top": "max(n)",
        "kinds": "distinct(s)", "often": "mode(s)", "q": "median(x)", "trend": "slope(x)", "z": "last(x)"}}"#],
];

/// How often of a thousand times something goes wrong, each at its own occasion. Many seeds have none of most of it, so
/// that some faults are met alone, and often.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faults {
    /// A process dies, per step.
    pub(crate) crash: u32,
    /// The driver takes a living process for dead, per step.
    pub(crate) lost_contact: u32,
    /// The driver gives a living task up and starts another, per step.
    pub(crate) given_up: u32,
    /// The driver dies, per step.
    pub(crate) restart: u32,
    /// After a restart the last commit is gone.
    pub(crate) taken_back: u32,
    /// A process more or less, per step.
    pub(crate) rescale: u32,
    /// A task is not where the partition's last one was.
    pub(crate) moved: u32,
    /// Records do not come, per batch of the log.
    pub(crate) log: u32,
    /// Work on a batch fails half-way.
    pub(crate) kernel: u32,
    /// What comes behind the task fails, after its state was put back.
    pub(crate) behind: u32,
    /// Per write of a snapshot: it fails, whether or not something is there then.
    pub(crate) write: u32,
    /// … only its beginning arrives.
    pub(crate) torn: u32,
    /// … it arrives late.
    pub(crate) late: u32,
    /// … it arrives twice.
    pub(crate) twice: u32,
    /// The process dies in the middle of a call of the store.
    pub(crate) dies: u32,
    /// A listing, a reading or a removal fails.
    pub(crate) store: u32,
    /// A snapshot that was whole rots, per step.
    pub(crate) rot: u32,
    /// Hours pass, per step.
    pub(crate) hours: u32,
}

/// A seed's world.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) pipeline: usize,
    pub(crate) partitions: usize,
    pub(crate) processes: usize,
    pub(crate) tasks: usize,
    pub(crate) events: usize,
    pub(crate) keys: i64,
    /// Records of a partition that a micro-batch has at most.
    pub(crate) batch: usize,
    /// Records that the log gives at once, at most.
    pub(crate) rows: usize,
    /// Offsets without a record, of a thousand.
    pub(crate) gaps: u32,
    /// Events that make a snapshot worth it.
    pub(crate) snapshot_events: u64,
    /// Old records go, per step.
    pub(crate) retention: u32,
    /// Only records go that a good snapshot covers: then the query must be able to go on.
    pub(crate) careful: bool,
    pub(crate) faults: Faults,
    /// Steps with faults.
    pub(crate) steps: usize,
}

impl Plan {
    pub(crate) fn draw(chance: &mut Chance) -> Self {
        let mut rate = |most: i64| if chance.often(450) { 0 } else { chance.between(1, most) as u32 };
        let mut faults = Faults {
            crash: rate(15),
            lost_contact: rate(10),
            given_up: rate(15),
            restart: rate(12),
            taken_back: rate(400),
            rescale: rate(15),
            moved: rate(600),
            log: rate(40),
            kernel: rate(40),
            behind: rate(120),
            write: rate(250),
            torn: rate(500),
            late: rate(400),
            twice: rate(300),
            dies: rate(120),
            store: rate(120),
            rot: rate(15),
            hours: rate(6),
        };
        let careful = chance.often(600);
        if careful {
            // Nobody can promise to go on after these.
            (faults.rot, faults.taken_back) = (0, 0);
        }
        let partitions = chance.between(1, 3) as usize;
        let most = if chance.often(300) { 60 } else { 600 };
        let events = chance.between(10, most) as usize;
        Self {
            pipeline: chance.below(PIPELINES.len()),
            partitions,
            processes: chance.between(1, 3) as usize,
            tasks: chance.between(1, partitions as i64) as usize,
            events,
            keys: chance.between(1, 5),
            batch: events / 50 + chance.between(1, 25) as usize,
            rows: chance.between(1, 40) as usize,
            gaps: if chance.often(500) { 0 } else { 150 },
            snapshot_events: chance.between(1, 30) as u64,
            retention: if chance.often(400) { 0 } else { chance.between(1, if careful { 60 } else { 6 }) as u32 },
            careful,
            faults,
            steps: chance.between(200, 5_000) as usize,
        }
    }
}

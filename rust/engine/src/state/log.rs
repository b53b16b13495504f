//! One key's events, oldest first: rows of words in one piece of memory.
//!
//! A row is its time, then, if the block has columns, a word of flags and a word per column. Flag `c` (0 to 31) says
//! that column `c` is not null, flag `32 + f` that filter `f` holds. Rows are called by ids that stay the same when
//! older rows leave.

/// Columns, and filters, that a block can have.
pub(crate) const MOST_COLUMNS: usize = 32;
/// Bytes of a word.
const WORD: usize = 8;
/// Rows that leave stay in place until there are so many of them and they are half of all.
const LAZY: usize = 8;

/// The events of a key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Log {
    words: Vec<u64>,
    /// Rows at the front that have left.
    gone: usize,
    /// Id of the first row that is there.
    first: u64,
}

/// How long a row is; the same for all logs of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Width(usize);

impl Width {
    /// Rows of so many columns, and perhaps filters.
    pub(crate) fn of(columns: usize, filters: usize) -> Self {
        Self(if columns + filters == 0 { 1 } else { 2 + columns })
    }

    /// Words of a row.
    pub(crate) fn words(self) -> usize {
        self.0
    }
}

/// One row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row<'a>(pub(crate) &'a [u64]);

impl Row<'_> {
    /// Microseconds since 1970.
    #[inline]
    pub(crate) fn time(self) -> i64 {
        self.0[0] as i64
    }

    /// The value of a column, if it is not null.
    #[inline]
    pub(crate) fn value(self, column: u8) -> Option<u64> {
        (self.0[1] >> column & 1 != 0).then(|| self.0[2 + usize::from(column)])
    }

    /// Whether a filter holds.
    #[inline]
    pub(crate) fn passes(self, filter: u8) -> bool {
        self.0[1] >> (32 + filter) & 1 != 0
    }
}

impl Log {
    /// Rows that are there.
    #[inline]
    pub(crate) fn len(&self, width: Width) -> usize {
        self.words.len() / width.0 - self.gone
    }

    /// Ids of the rows that are there, from the oldest to behind the newest.
    #[inline]
    pub(crate) fn ids(&self, width: Width) -> std::ops::Range<u64> {
        self.first..self.first + self.len(width) as u64
    }

    /// A row that is there.
    #[inline]
    pub(crate) fn row(&self, id: u64, width: Width) -> Row<'_> {
        let at = (self.gone + (id - self.first) as usize) * width.0;
        Row(&self.words[at..at + width.0])
    }

    /// Appends a row; gives its id.
    #[inline]
    pub(crate) fn push(&mut self, row: &[u64], width: Width) -> u64 {
        if self.words.len() + width.0 > self.words.capacity() {
            // Most keys have few events: room for a quarter more, not for twice as many.
            let rows = self.words.len() / width.0;
            self.words.reserve_exact((rows / 4).max(2) * width.0);
        }
        self.words.extend_from_slice(row);
        self.ids(width).end - 1
    }

    /// Puts a row before the row `id`, which takes the next one, as all behind it.
    pub(crate) fn insert(&mut self, id: u64, row: &[u64], width: Width) {
        let at = (self.gone + (id - self.first) as usize) * width.0;
        self.words.splice(at..at, row.iter().copied());
    }

    /// Undoes [`Log::insert`].
    pub(crate) fn take_out(&mut self, id: u64, width: Width) {
        let at = (self.gone + (id - self.first) as usize) * width.0;
        self.words.drain(at..at + width.0);
    }

    /// Lets the oldest `rows` go.
    pub(crate) fn drop_oldest(&mut self, rows: usize, width: Width) {
        self.gone += rows;
        self.first += rows as u64;
        if self.gone >= LAZY && self.gone * 2 * width.0 >= self.words.len() {
            self.words.drain(..self.gone * width.0);
            self.gone = 0;
        }
    }

    /// Id of the first row later than `time`; behind the newest if there is none.
    pub(crate) fn after(&self, time: i64, width: Width) -> u64 {
        let ids = self.ids(width);
        let (mut low, mut high) = (ids.start, ids.end);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.row(middle, width).time() <= time { low = middle + 1 } else { high = middle }
        }
        low
    }

    /// Changes the values of some columns.
    pub(crate) fn change_words(&mut self, width: Width, columns: &[u8], change: &mut impl FnMut(u64) -> u64) {
        for row in self.words[self.gone * width.0..].chunks_exact_mut(width.0) {
            for column in columns {
                if row[1] >> column & 1 != 0 {
                    let word = &mut row[2 + usize::from(*column)];
                    *word = change(*word);
                }
            }
        }
    }

    /// Bytes that it holds beside itself.
    pub(crate) fn bytes(&self) -> usize {
        self.words.capacity() * WORD
    }
}

//! Rows that are enumerated.

/// Values of all rows of a node that are enumerated, at most: beyond, each lane is looked at by itself.
pub(super) const MOST_VALUES: usize = 1 << 20;

/// Different rows, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows {
    pub(super) lanes: usize,
    pub(super) values: Vec<i64>,
}

impl Rows {
    pub(super) fn new(lanes: usize, values: &[i64]) -> Self {
        let mut rows: Vec<&[i64]> = values.chunks_exact(lanes).collect();
        rows.sort_unstable();
        rows.dedup();
        Self { lanes, values: rows.concat() }
    }

    /// One after the other.
    pub fn iter(&self) -> impl Iterator<Item = &[i64]> {
        self.values.chunks_exact(self.lanes)
    }

    /// Whether this is one of them.
    pub fn contains(&self, row: &[i64]) -> bool {
        let (mut low, mut high) = (0, self.count());
        while low < high {
            let middle = low.midpoint(high);
            match self.values[middle * self.lanes..][..self.lanes].cmp(row) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => return true,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        false
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.values.len() / self.lanes
    }

    /// Each row made into another of `lanes` lanes.
    pub(super) fn map(&self, lanes: usize, of: impl Fn(&[i64]) -> Vec<i64>) -> Self {
        Self::new(lanes, &self.iter().flat_map(of).collect::<Vec<_>>())
    }

    /// Each row with each of some others, which have as many lanes, if these have no more than `most` values together.
    pub(super) fn with(&self, others: &Self, most: usize, of: impl Fn(i64, i64) -> i64) -> Option<Self> {
        (self.values.len() * others.count() <= most).then(|| {
            let pairs = self.iter().flat_map(|a| others.iter().map(move |b| (a, b)));
            let values = pairs.flat_map(|(a, b)| a.iter().zip(b).map(|(a, b)| of(*a, *b)));
            Self::new(self.lanes, &values.collect::<Vec<_>>())
        })
    }
}

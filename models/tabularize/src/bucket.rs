//! Rows grouped by code, so that sums over a bucket run in row order on one thread.

use ndarray::ArrayView1;

/// The rows of every code, in order.
pub(crate) struct Buckets {
    rows: Vec<u32>,
    /// `[K + 1]`: where each bucket starts.
    start: Vec<usize>,
}

impl Buckets {
    pub(crate) fn new(codes: ArrayView1<'_, u16>, k: usize) -> Self {
        let mut start = vec![0; k + 1];
        for &code in codes {
            start[usize::from(code) + 1] += 1;
        }
        for i in 0..k {
            start[i + 1] += start[i];
        }
        let mut next = start.clone();
        let mut rows = vec![0; codes.len()];
        for (row, &code) in codes.iter().enumerate() {
            let slot = &mut next[usize::from(code)];
            // Samples are far fewer than 2^32.
            rows[*slot] = row as u32;
            *slot += 1;
        }
        Self { rows, start }
    }

    /// Rows with this code.
    pub(crate) fn get(&self, code: usize) -> impl ExactSizeIterator<Item = usize> + '_ {
        self.rows[self.start[code]..self.start[code + 1]].iter().map(|&row| row as usize)
    }

    /// Codes that occur.
    pub(crate) fn used(&self) -> usize {
        self.start.windows(2).filter(|w| w[0] < w[1]).count()
    }
}

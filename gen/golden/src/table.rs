//! Table look-ups: rows of a table added, or entries of a pair table.

use tablewright_design::IntTable;

use crate::arithmetic::Int;

/// A table with its entries in the narrowest type that holds them: the fewer bytes, the more of it stays in the cache.
#[derive(Debug, Clone)]
pub(crate) struct Table<T> {
    rows: usize,
    outputs: usize,
    shifts: Vec<u32>,
    bias: Option<Vec<T>>,
    entries: Entries,
}

#[derive(Debug, Clone)]
enum Entries {
    Byte(Vec<i8>),
    Half(Vec<i16>),
    Full(Vec<i32>),
}

/// Runs `$body` with `$entries` bound to the entries, whatever their type.
macro_rules! with_entries {
    ($table:expr, $entries:ident => $body:expr) => {
        match &$table.entries {
            Entries::Byte($entries) => $body,
            Entries::Half($entries) => $body,
            Entries::Full($entries) => $body,
        }
    };
}

impl<T: Int> Table<T> {
    pub(crate) fn new(table: &IntTable) -> Self {
        let entries = match table.bits {
            ..=8 => Entries::Byte(table.entries.iter().map(|&e| e as i8).collect()),
            9..=16 => Entries::Half(table.entries.iter().map(|&e| e as i16).collect()),
            _ => Entries::Full(table.entries.clone()),
        };
        Self {
            rows: table.rows,
            outputs: table.outputs,
            shifts: table.shifts.clone(),
            bias: table.bias.as_ref().map(|b| b.iter().map(|&v| T::of(v)).collect()),
            entries,
        }
    }

    /// One row of sums for each row of codes.
    #[inline(always)]
    pub(crate) fn run(&self, codes: &[T], y: &mut [T]) {
        with_entries!(self, entries => {
            for (codes, y) in codes.chunks_exact(self.shifts.len()).zip(y.chunks_exact_mut(self.outputs)) {
                self.sum_row(entries, codes, y);
            }
        });
    }

    /// In blocks whose sums stay in registers while the subspaces are added.
    #[inline(always)]
    fn sum_row<E: Copy + Into<i32>>(&self, entries: &[E], codes: &[T], y: &mut [T]) {
        let mut start = 0;
        let (blocks, rest) = y.as_chunks_mut::<64>();
        for y in blocks {
            *y = self.sum_block(entries, codes, start);
            start += y.len();
        }
        let (blocks, rest) = rest.as_chunks_mut::<16>();
        for y in blocks {
            *y = self.sum_block(entries, codes, start);
            start += y.len();
        }
        for y in rest {
            [*y] = self.sum_block(entries, codes, start);
            start += 1;
        }
    }

    /// Sums of outputs `start..start + N`.
    #[inline(always)]
    fn sum_block<E: Copy + Into<i32>, const N: usize>(
        &self,
        entries: &[E],
        codes: &[T],
        start: usize,
    ) -> [T; N] {
        let mut sums = [T::default(); N];
        if let Some(bias) = &self.bias {
            sums.copy_from_slice(&bias[start..][..N]);
        }
        let mut bank = start;
        for (code, &shift) in codes.iter().zip(&self.shifts) {
            let row = &entries[bank + code.index() * self.outputs..][..N];
            for (sum, &e) in sums.iter_mut().zip(row) {
                *sum = *sum + (T::small(e.into()) << shift);
            }
            bank += self.rows * self.outputs;
        }
        sums
    }

    /// Scores of query codes `q` `[tokens, heads, C]` against key codes `k` `[keys, heads, C]`: `y` `[tokens, heads, keys]`.
    #[inline(always)]
    pub(crate) fn scores(&self, heads: usize, q: &[T], k: &[T], y: &mut [T]) {
        let width = heads * self.shifts.len();
        let queries = q.chunks_exact(self.shifts.len()).zip(y.chunks_exact_mut(k.len() / width));
        for (row, (q, y)) in queries.enumerate() {
            let of_head = row % heads * self.shifts.len();
            self.pairs(q, k, width, of_head, y);
        }
    }

    /// Weight codes `a` `[tokens, heads, C]` with codes `v` `[columns, C]` of the columns of V, head by head:
    /// `y` `[tokens, columns]`. `columns` has the number of each head.
    #[inline(always)]
    pub(crate) fn mix(&self, columns: &[usize], a: &[T], v: &[T], y: &mut [T]) {
        let subspaces = self.shifts.len();
        let tokens = y.chunks_exact_mut(v.len() / subspaces);
        for (mut y, a) in tokens.zip(a.chunks_exact(subspaces * columns.len())) {
            let mut v = v;
            for (a, &count) in a.chunks_exact(subspaces).zip(columns) {
                let (of_head, rest) = y.split_at_mut(count);
                self.pairs(a, v, subspaces, 0, of_head);
                v = &v[count * subspaces..];
                y = rest;
            }
        }
    }

    /// `y[j]`: the sum over c of the entries at (`left[c]`, `right[j · stride + first + c]`).
    #[inline(always)]
    fn pairs(&self, left: &[T], right: &[T], stride: usize, first: usize, y: &mut [T]) {
        with_entries!(self, entries => self.sum_pairs(entries, left, right, stride, first, y));
    }

    #[inline(always)]
    fn sum_pairs<E: Copy + Into<i32>>(
        &self,
        entries: &[E],
        left: &[T],
        right: &[T],
        stride: usize,
        first: usize,
        y: &mut [T],
    ) {
        let codes = 1 << (self.rows.ilog2() / 2);
        for (c, (left, &shift)) in left.iter().zip(&self.shifts).enumerate() {
            // The left code chooses a row of K entries that serves every right code.
            let row = &entries[c * self.rows + left.index() * codes..][..codes];
            for (y, right) in y.iter_mut().zip(right.chunks_exact(stride)) {
                let entry = T::small(row[right[first + c].index()].into()) << shift;
                *y = if c == 0 { entry } else { *y + entry };
            }
        }
    }
}

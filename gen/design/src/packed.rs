//! What is stored of a frozen bank: of its columns of bits each different one once, and no word that is never read.
//!
//! A column is one bit of one entry, over all words. One that is constant needs no memory; one that equals another, or its
//! complement, needs a wire. That covers constant and shared columns of entries, and entries narrower than their format,
//! whose upper bits repeat the sign. Only words of codes that can occur are compared. Nothing is added or selected behind the
//! bank, so no level of logic comes in; an inverter at most.

use std::collections::HashMap;

use serde::Serialize;

use crate::table::IntTable;

/// How a subspace's rows lie in the words of its bank.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// A row in so many words, one under the other, each with a part of the outputs, the lowest first.
    Rows {
        /// Words of a row.
        fold: u32,
    },
    /// Of a pair table: a word for each left code, an entry for each right code.
    Pairs,
}

/// Where a bit of an entry comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// It is the same in every word.
    Constant(bool),
    /// A bit of the stored word.
    Stored {
        /// Which.
        column: usize,
        /// It is the complement.
        inverted: bool,
    },
}

/// Bits of a bank that need not be stored, by why.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Saved {
    /// Columns that are constant.
    pub constant: u64,
    /// Columns that repeat another of their own entry: the entry needs fewer bits than its format has.
    pub narrow: u64,
    /// Columns that repeat one of another entry.
    pub shared: u64,
    /// Of what is left, words behind the last one that can be read.
    pub unread: u64,
}

impl Saved {
    /// All of them.
    pub fn total(self) -> u64 {
        self.constant + self.narrow + self.shared + self.unread
    }

    /// Of both.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            constant: self.constant + other.constant,
            narrow: self.narrow + other.narrow,
            shared: self.shared + other.shared,
            unread: self.unread + other.unread,
        }
    }
}

/// The memory of a bank.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BankShape {
    /// Words, from address 0 on.
    pub words: usize,
    /// Bits of a stored word; 0 where there is no memory.
    pub width: usize,
    /// What needed no memory.
    pub saved: Saved,
}

/// A bank as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBank {
    /// Words, from address 0 on.
    pub words: usize,
    /// Entries that are made of a word.
    pub lanes: usize,
    /// Bits of one signed entry.
    pub bits: u32,
    /// Of each bit of each entry, `[lanes, bits]`, the lowest first.
    pub sources: Vec<Source>,
    /// What needed no memory.
    pub saved: Saved,
    columns: Vec<Column>,
}

impl StoredBank {
    /// Bits of an address.
    pub fn address_bits(&self) -> u32 {
        self.words.next_power_of_two().ilog2()
    }

    /// Bits of a stored word; 0 where every entry is a constant and there is no memory.
    pub fn width(&self) -> usize {
        self.columns.len()
    }

    /// The stored words, `[words, width]`, the lowest bit first.
    pub fn contents(&self) -> Vec<bool> {
        (0..self.words).flat_map(|word| self.columns.iter().map(move |column| column.bit(word))).collect()
    }

    /// The first entry that can be read and does not come out as the table's subspace `c` has it: the proof that what is stored is
    /// that table has found a mistake. Word and entry of a word.
    pub fn first_wrong(&self, table: &IntTable, c: usize, layout: Layout) -> Option<(usize, usize)> {
        let (words, lanes) = table.laid_out(layout);
        let all = (0..words).flat_map(|word| (0..lanes).map(move |lane| (word, lane)));
        all.into_iter().find(|&(word, lane)| {
            let Some((row, output)) = table.place(layout, word, lane) else { return false };
            let read = table.packed.as_ref().is_none_or(|read| read[c * table.rows + row]);
            read && (word >= self.words || self.entry(word, lane) != i64::from(table.entry(c, row, output)))
        })
    }

    /// Entry `lane` as the wires make it of word `word`.
    pub fn entry(&self, word: usize, lane: usize) -> i64 {
        let bits = self.bits as usize;
        let bit = |source: &Source| match *source {
            Source::Constant(value) => value,
            Source::Stored { column, inverted } => self.columns[column].bit(word) != inverted,
        };
        let sources = &self.sources[lane * bits..][..bits];
        let raw = sources.iter().rev().fold(0_i64, |raw, source| raw << 1 | i64::from(bit(source)));
        // The highest bit is the sign.
        raw << (64 - bits) >> (64 - bits)
    }
}

/// One bit over all words; where nobody cares it may be anything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Column {
    value: Vec<u64>,
    care: Vec<u64>,
    /// The first entry that has it.
    lane: usize,
}

impl Column {
    fn bit(&self, word: usize) -> bool {
        self.value[word / 64] >> (word % 64) & 1 == 1
    }

    fn is(&self, all: bool) -> bool {
        let wrong = if all { u64::MAX } else { 0 };
        self.value.iter().zip(&self.care).all(|(value, care)| (value ^ wrong) & care == 0)
    }

    /// Whether it agrees with another, or with its complement, wherever somebody cares for both.
    fn agrees(&self, other: &Self, inverted: bool) -> bool {
        let flip = if inverted { u64::MAX } else { 0 };
        let both = self.care.iter().zip(&other.care).map(|(a, b)| a & b);
        self.value.iter().zip(&other.value).zip(both).all(|((a, b), both)| (a ^ b ^ flip) & both == 0)
    }

    /// Takes in another that agrees.
    fn merge(&mut self, other: &Self, inverted: bool) {
        let flip = if inverted { u64::MAX } else { 0 };
        for (i, (value, care)) in other.value.iter().zip(&other.care).enumerate() {
            let new = care & !self.care[i];
            self.value[i] |= (value ^ flip) & new;
            self.care[i] |= new;
        }
    }
}

/// Columns kept so far. Those for which somebody cares in every word that anybody cares for are found by their values.
#[derive(Default)]
struct Kept {
    columns: Vec<Column>,
    whole: HashMap<Vec<u64>, usize>,
    partial: Vec<usize>,
}

impl Kept {
    /// The column that this one repeats, and whether it is its complement; a new one where it repeats none.
    fn place(&mut self, column: Column, read: &[u64]) -> (usize, bool) {
        let key = column.care.as_slice() == read;
        let found = if key { self.find_whole(&column) } else { None };
        let found = found.or_else(|| {
            let agreeing = |&at: &usize| {
                let of = |inverted| self.columns[at].agrees(&column, inverted).then_some((at, inverted));
                of(false).or_else(|| of(true))
            };
            if key {
                self.partial.iter().find_map(agreeing)
            } else {
                (0..self.columns.len()).collect::<Vec<_>>().iter().find_map(agreeing)
            }
        });
        let (at, inverted) = found.unwrap_or_else(|| {
            self.columns.push(Column::default());
            (self.columns.len() - 1, false)
        });
        if found.is_none() {
            self.columns[at] = column;
            self.partial.push(at);
        } else {
            self.columns[at].merge(&column, inverted);
        }
        if self.columns[at].care.as_slice() == read && self.partial.contains(&at) {
            self.partial.retain(|&other| other != at);
            let (key, _) = canonical(&self.columns[at]);
            self.whole.insert(key, at);
        }
        (at, inverted)
    }

    fn find_whole(&self, column: &Column) -> Option<(usize, bool)> {
        let (key, flipped) = canonical(column);
        let at = *self.whole.get(&key)?;
        Some((at, canonical(&self.columns[at]).1 != flipped))
    }
}

/// The values of a column or of its complement, whichever begins with a zero, and whether it is the complement.
fn canonical(column: &Column) -> (Vec<u64>, bool) {
    let first = column.care.iter().zip(&column.value).find(|(care, _)| **care != 0);
    let flipped = first.is_some_and(|(care, value)| value >> care.trailing_zeros() & 1 == 1);
    let flip = if flipped { u64::MAX } else { 0 };
    (column.value.iter().zip(&column.care).map(|(value, care)| (value ^ flip) & care).collect(), flipped)
}

impl IntTable {
    /// What is stored of the bank of subspace `c`: all of it, unless the table is [packed](IntTable::packed).
    pub fn bank(&self, c: usize, layout: Layout) -> StoredBank {
        let (words, lanes) = self.laid_out(layout);
        let bits = self.bits;
        let Some(read) = &self.packed else {
            let stored = |column| Source::Stored { column, inverted: false };
            let sources: Vec<Source> = (0..lanes * bits as usize).map(stored).collect();
            let columns = (0..lanes).flat_map(|lane| {
                (0..bits).map(move |bit| self.column(c, layout, (words, lane), bit, &|_| true))
            });
            let columns = columns.collect();
            return StoredBank { words, lanes, bits, sources, saved: Saved::default(), columns };
        };
        let read = |row: usize| read[c * self.rows + row];
        let mut kept = Kept::default();
        let mut saved = Saved::default();
        let mut sources = Vec::with_capacity(lanes * bits as usize);
        let all: Vec<Column> = (0..lanes)
            .flat_map(|lane| (0..bits).map(move |bit| (lane, bit)))
            .map(|(lane, bit)| self.column(c, layout, (words, lane), bit, &read))
            .collect();
        let mut cared = vec![0; words.div_ceil(64)];
        for column in &all {
            cared.iter_mut().zip(&column.care).for_each(|(any, care)| *any |= care);
        }
        for column in all {
            let lane = column.lane;
            sources.push(if column.is(false) || column.is(true) {
                saved.constant += words as u64;
                Source::Constant(!column.is(false))
            } else {
                let before = kept.columns.len();
                let (column, inverted) = kept.place(column, &cared);
                if kept.columns.len() == before {
                    let of =
                        if kept.columns[column].lane == lane { &mut saved.narrow } else { &mut saved.shared };
                    *of += words as u64;
                }
                Source::Stored { column, inverted }
            });
        }
        let last = (0..words).rev().find(|word| cared[word / 64] >> (word % 64) & 1 == 1).unwrap_or(0);
        // Whole rows, and at least two: an address has a bit of the code.
        let parts = if let Layout::Rows { fold } = layout { fold as usize } else { 1 };
        let stored = (last + 1).next_multiple_of(parts).max(2 * parts);
        saved.unread = ((words - stored) * kept.columns.len()) as u64;
        StoredBank { words: stored, lanes, bits, sources, saved, columns: kept.columns }
    }

    /// The size of [`Self::bank`].
    pub fn bank_shape(&self, c: usize, layout: Layout) -> BankShape {
        if self.packed.is_none() {
            let (words, lanes) = self.laid_out(layout);
            return BankShape { words, width: lanes * self.bits as usize, saved: Saved::default() };
        }
        let bank = self.bank(c, layout);
        BankShape { words: bank.words, width: bank.width(), saved: bank.saved }
    }

    /// Words and entries of a word of a bank that is stored as it is.
    pub fn laid_out(&self, layout: Layout) -> (usize, usize) {
        match layout {
            Layout::Rows { fold } => (self.rows * fold as usize, self.outputs.div_ceil(fold as usize)),
            Layout::Pairs => {
                let codes = 1 << (self.rows.ilog2() / 2);
                (codes, codes * self.outputs)
            }
        }
    }

    /// Row and output of an entry of a bank; `None` behind the outputs of a folded row.
    pub fn place(&self, layout: Layout, word: usize, lane: usize) -> Option<(usize, usize)> {
        match layout {
            Layout::Rows { fold } => {
                let output = word % fold as usize * self.outputs.div_ceil(fold as usize) + lane;
                (output < self.outputs).then_some((word / fold as usize, output))
            }
            Layout::Pairs => {
                let codes = 1 << (self.rows.ilog2() / 2);
                Some((word * codes + lane / self.outputs, lane % self.outputs))
            }
        }
    }

    /// One bit of one entry of every word.
    fn column(
        &self,
        c: usize,
        layout: Layout,
        (words, lane): (usize, usize),
        bit: u32,
        read: &dyn Fn(usize) -> bool,
    ) -> Column {
        let mut column =
            Column { value: vec![0; words.div_ceil(64)], care: vec![0; words.div_ceil(64)], lane };
        for word in 0..words {
            let Some((row, output)) = self.place(layout, word, lane).filter(|(row, _)| read(*row)) else {
                continue;
            };
            column.care[word / 64] |= 1 << (word % 64);
            column.value[word / 64] |= ((self.entry(c, row, output) >> bit & 1) as u64) << (word % 64);
        }
        column
    }
}

#[cfg(test)]
mod tests;

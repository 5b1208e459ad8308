//! Flipped bits in tables, on the golden model: which banks and which bits an upset costs most.

use serde::Serialize;
use tablewright_design::{Design, Layout, Node, NodeId, Op, Source, StoredBank};
use tablewright_golden::Golden;

use crate::vectors::Random;

/// Labelled windows.
#[derive(Debug, Clone, Default)]
pub struct Labelled {
    /// Each with history × segments integers, oldest access first.
    pub windows: Vec<Vec<u8>>,
    /// Of each window the deltas that came true; output i is bit i % 8 of byte i / 8.
    pub labels: Vec<Vec<u8>>,
}

/// What flips of one bit position of one bank cost, on average over the entries that were flipped.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BitFault {
    /// The node that looks up.
    pub kernel: String,
    /// Its bank: the subspace, one table after the other where several stand side by side.
    pub bank: usize,
    /// Bit of an entry; the highest is the sign. Of a stored bit that several bits of entries are made of, the highest of
    /// them.
    pub bit: u32,
    /// Stored bits flipped, one at a time.
    pub flips: u64,
    /// Share of windows whose bitmap changed, mean over the flips.
    pub changed_bitmaps: f64,
    /// The same of the worst flip.
    pub worst_changed_bitmaps: f64,
    /// F1 lost, mean over the flips; below 0 where a flip did good.
    pub f1_lost: f64,
    /// The same of the worst flip.
    pub worst_f1_lost: f64,
}

/// What flips cost.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Faults {
    /// Windows that each flip was measured on.
    pub windows: u64,
    /// Flips in all.
    pub flips: u64,
    /// Micro-F1 of these windows without a flip.
    pub f1: f64,
    /// Bits of banks, the costliest first.
    pub ranking: Vec<BitFault>,
}

/// Flips `each` stored bits of every bit position of every bank, one at a time, in a design that takes windows. `layout` says how
/// the rows of a node's tables lie in its banks. Where a table is
/// packed a stored bit may be part of several entries, and all of them change; positions of which nothing is stored are left out.
///
/// Bits are chosen by `seed`, with the words that are read more often chosen as rarely as any: the question is what an
/// upset somewhere in the bank costs.
pub fn flip_tables(
    design: &Design,
    layout: impl Fn(&Node) -> Layout,
    labelled: &Labelled,
    (each, seed): (usize, u64),
) -> Faults {
    let right = bitmaps(design, &labelled.windows);
    let f1 = micro_f1(&right, &labelled.labels);
    let mut random = Random::new(seed);
    let mut changed = design.clone();
    let mut ranking = Vec::new();
    for node in 0..design.nodes.len() {
        let layout = layout(&design.nodes[node]);
        for bank in 0..design.nodes[node].op.tables().iter().map(|table| table.subspaces).sum() {
            // Tables side by side have one shape.
            let tables = design.nodes[node].op.tables();
            let (of_table, c) = (bank / tables[0].subspaces, bank % tables[0].subspaces);
            let table = &tables[of_table];
            let stored = table.bank(c, layout);
            let all = columns(&stored);
            for bit in 0..table.bits {
                let columns: Vec<&Column> = all.iter().filter(|column| column.highest() == bit).collect();
                if columns.is_empty() {
                    continue;
                }
                let mut fault = BitFault {
                    kernel: design.nodes[node].name.clone(),
                    bank,
                    bit,
                    flips: each as u64,
                    changed_bitmaps: 0.0,
                    worst_changed_bitmaps: 0.0,
                    f1_lost: 0.0,
                    worst_f1_lost: f64::MIN,
                };
                for _ in 0..each {
                    let column = columns[random.word() as usize % columns.len()];
                    let word = random.word() as usize % stored.words;
                    let place = Place { node, table: of_table, subspace: c, layout, word };
                    flip(&mut changed, place, column);
                    let wrong = bitmaps(&changed, &labelled.windows);
                    flip(&mut changed, place, column);
                    let differing = right.iter().zip(&wrong).filter(|(r, w)| r != w).count();
                    let share = differing as f64 / right.len().max(1) as f64;
                    let lost = f1 - micro_f1(&wrong, &labelled.labels);
                    fault.changed_bitmaps += share / each as f64;
                    fault.worst_changed_bitmaps = fault.worst_changed_bitmaps.max(share);
                    fault.f1_lost += lost / each as f64;
                    fault.worst_f1_lost = fault.worst_f1_lost.max(lost);
                }
                ranking.push(fault);
            }
        }
    }
    let flips = (ranking.len() * each) as u64;
    // A stable sort: equals stay in the order of the design.
    ranking.sort_by(|a, b| {
        b.f1_lost.total_cmp(&a.f1_lost).then(b.changed_bitmaps.total_cmp(&a.changed_bitmaps))
    });
    Faults { windows: labelled.windows.len() as u64, flips, f1, ranking }
}

/// The bits of entries that one stored bit makes: entry of a word, bit.
#[derive(Debug, Clone, Default)]
struct Column(Vec<(usize, u32)>);

impl Column {
    fn highest(&self) -> u32 {
        self.0.iter().map(|(_, bit)| *bit).max().unwrap_or(0)
    }
}

fn columns(bank: &StoredBank) -> Vec<Column> {
    let mut all = vec![Column::default(); bank.width()];
    for (i, source) in bank.sources.iter().enumerate() {
        if let Source::Stored { column, .. } = *source {
            all[column].0.push((i / bank.bits as usize, (i % bank.bits as usize) as u32));
        }
    }
    all
}

/// A word of a bank.
#[derive(Debug, Clone, Copy)]
struct Place {
    node: usize,
    table: usize,
    subspace: usize,
    layout: Layout,
    word: usize,
}

/// Inverts what is made of a stored bit of a word, or puts it back.
fn flip(design: &mut Design, at: Place, column: &Column) {
    let table = match &mut design.nodes[at.node].op {
        Op::Lookup { table } | Op::Scores { table, .. } | Op::Mix { table, .. } => table,
        Op::ConstantScores { tables } => &mut tables[at.table],
        _ => return,
    };
    let bits = table.bits;
    for &(lane, bit) in &column.0 {
        let Some((row, output)) = table.place(at.layout, at.word, lane) else { continue };
        let entry = &mut table.entries[(at.subspace * table.rows + row) * table.outputs + output];
        // The sign is that of the highest bit stored.
        *entry = (*entry ^ (1 << bit)) << (32 - bits) >> (32 - bits);
    }
}

fn bitmaps(design: &Design, windows: &[Vec<u8>]) -> Vec<Vec<i64>> {
    let mut golden = Golden::new(design);
    let last = NodeId(design.nodes.len() - 1);
    windows
        .iter()
        .map(|window| {
            golden.run(window);
            golden.value(last)
        })
        .collect()
}

/// Micro-F1 of bitmaps against labels.
pub(crate) fn micro_f1(bitmaps: &[Vec<i64>], labels: &[Vec<u8>]) -> f64 {
    let (mut both, mut either) = (0_u64, 0_u64);
    for (bitmap, label) in bitmaps.iter().zip(labels) {
        for (i, &predicted) in bitmap.iter().enumerate() {
            let (predicted, came) = (predicted != 0, label[i / 8] >> (i % 8) & 1 == 1);
            both += u64::from(predicted && came);
            either += u64::from(predicted) + u64::from(came);
        }
    }
    if either == 0 { 0.0 } else { 2.0 * both as f64 / either as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use tablewright_design::{lower, passes};
    use tablewright_model::testing::{dart_s, dart_s_spec, random_model};

    #[test]
    fn a_stored_bit_is_flipped_in_all_that_is_made_of_it_and_put_back() {
        let design = passes::packed(&passes::optimise(&lower(&random_model(&dart_s(), dart_s_spec(), 1))));
        // Sixteen words of 256 entries have columns in common, more words hardly.
        let places = [("head", 1, Layout::Rows { fold: 1 }), ("head", 0, Layout::Rows { fold: 2 })];
        for (name, others, layout) in places.into_iter().chain([("l0_mix", 0, Layout::Pairs)]) {
            let node = design.nodes.iter().position(|node| node.name == name).expect("a table");
            let table = &design.nodes[node].op.tables()[0];
            let bank = table.bank(0, layout);
            let all = columns(&bank);
            let stored = bank.sources.iter().filter(|source| matches!(source, Source::Stored { .. }));
            assert_eq!(all.iter().map(|column| column.0.len()).sum::<usize>(), stored.count());
            let shared = all.iter().max_by_key(|column| column.0.len()).expect("columns");
            assert!(shared.0.len() > others);
            let at = Place { node, table: 0, subspace: 0, layout, word: 3 };
            let mut changed = design.clone();
            flip(&mut changed, at, shared);
            let lanes: BTreeSet<usize> = shared.0.iter().map(|(lane, _)| *lane).collect();
            let places = lanes.iter().filter_map(|&lane| table.place(layout, at.word, lane));
            let expected: BTreeSet<usize> = places.map(|(row, o)| row * table.outputs + o).collect();
            let entries = &changed.nodes[node].op.tables()[0].entries;
            let differing: BTreeSet<usize> =
                (0..entries.len()).filter(|&i| entries[i] != table.entries[i]).collect();
            assert_eq!(differing, expected, "{name}");
            flip(&mut changed, at, shared);
            assert_eq!(changed, design);
        }
    }
}

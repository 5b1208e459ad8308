//! A frozen bank need not store what repeats in it, nor what no code reaches, nor what all entries of a column have in common.

use crate::format::Bounds;
use crate::graph::{Design, Op};
use crate::packed::Layout;
use crate::reach::{Places, Reach, pairs, reach};
use crate::table::IntTable;

/// Marks every table to be stored without what repeats in it ([`crate::packed`]), and its rows that can be looked up
/// ([`crate::reach`]). Where a bias is added in any case, the least entry of each column goes into it, if the table
/// then takes fewer bits. Every sum stays as it is.
pub fn packed(design: &Design) -> Design {
    // What is loaded may be anything.
    if design.loaded.is_some() {
        return design.clone();
    }
    let reach: Vec<Reach> = reach(design).iter().map(Places::any).collect();
    let mut design = design.clone();
    for node in &mut design.nodes {
        let x: Vec<_> = node.inputs.iter().map(|input| &reach[input.0]).collect();
        match &mut node.op {
            Op::Lookup { table } => {
                table.packed = Some(x[0].codes(table.rows).concat());
                *table = smaller(table, node.value.format.width);
            }
            Op::Scores { table, .. } | Op::Mix { table, .. } => {
                table.packed = Some(pairs(table, x[0], x[1]).concat());
            }
            Op::ConstantScores { tables } => {
                let codes = x[0].codes(tables[0].rows);
                let of_head = codes.chunks(tables[0].subspaces);
                tables.iter_mut().zip(of_head).for_each(|(table, codes)| table.packed = Some(codes.concat()));
            }
            _ => {}
        }
    }
    design
}

/// The table itself or, if that takes fewer bits, the same sums with the least entries of its columns in the bias, which has
/// `width` bits.
fn smaller(table: &IntTable, width: u32) -> IntTable {
    let stored = |table: &IntTable| -> usize {
        let banks = (0..table.subspaces).map(|c| table.bank_shape(c, Layout::Rows { fold: 1 }));
        banks.map(|bank| bank.words * bank.width).sum()
    };
    match based(table, width) {
        Some(other) if stored(&other) < stored(table) => other,
        _ => table.clone(),
    }
}

/// The same sums, with the least entry of each column in the bias, but where more bits would be left or the bias has no room;
/// `None` without a bias.
fn based(table: &IntTable, width: u32) -> Option<IntTable> {
    let mut bias = table.bias.clone()?;
    let mut other = table.clone();
    let read = table.packed.clone()?;
    for c in 0..table.subspaces {
        for (o, bias) in bias.iter_mut().enumerate() {
            let rows = (0..table.rows).filter(|row| read[c * table.rows + row]);
            let Some(column) = Bounds::of(rows.map(|row| i64::from(table.entry(c, row, o)))) else {
                continue;
            };
            let span = column.high - column.low;
            let moved = *bias + (column.low << table.shifts[c]);
            let bits = unsigned_width(span);
            let fits = bits < table.bits && Bounds::point(moved).signed_width() <= width;
            if bits > own_width(column) || !fits {
                continue;
            }
            *bias = moved;
            for row in 0..table.rows {
                let entry = &mut other.entries[(c * table.rows + row) * table.outputs + o];
                // Of a row that is never read it stays within the column.
                *entry = (i64::from(*entry) - column.low).clamp(0, span) as i32;
            }
        }
    }
    other.bias = Some(bias);
    Some(other)
}

/// Bits of a column's entries that are not the same in all that lie between its ends, the sign once.
fn own_width(column: Bounds) -> u32 {
    if (column.low < 0) == (column.high < 0) {
        unsigned_width(column.low ^ column.high)
    } else {
        column.signed_width()
    }
}

fn unsigned_width(value: i64) -> u32 {
    i64::BITS - value.leading_zeros()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_entry_goes_into_a_bias_where_that_is_narrower() {
        let table = IntTable {
            subspaces: 2,
            rows: 4,
            outputs: 2,
            bits: 8,
            // Subspace 0: 0 to -100, and -3 to 3. Subspace 1: constants, and 62 to 65 but for a row that is never read.
            entries: vec![0, 3, -50, -3, -100, 1, -7, 0, 9, 62, 9, 65, 9, 63, 9, -90],
            shifts: vec![0, 2],
            bias: Some(vec![1000, -5]),
            frac: 0,
            bounds: Bounds { low: -2000, high: 2000 },
            loaded: None,
            packed: Some(vec![true, true, true, true, true, true, true, false]),
        };
        let other = based(&table, 12).expect("a bias");
        assert_eq!(other.bias, Some(vec![1000 - 100 + (9 << 2), -5 - 3 + (62 << 2)]));
        assert_eq!(other.entries, [100, 6, 50, 0, 0, 4, 93, 3, 0, 0, 0, 3, 0, 1, 0, 0]);
        for (left, right) in (0..4).flat_map(|left| (0..3).map(move |right| (left, right))) {
            assert_eq!(other.sum(&[left, right]), table.sum(&[left, right]));
        }
        // Once is enough, entries have a sign, and a bias has no more bits than there are.
        assert_eq!(based(&other, 12), Some(other));
        let few = based(&table, 10).and_then(|table| table.bias);
        assert_eq!(few, Some(vec![1000, -5 - 3 + (62 << 2)]));
        let wide = IntTable { entries: [&[100, 3, -100, -3], &table.entries[4..]].concat(), ..table.clone() };
        assert_eq!(based(&wide, 12).map(|table| table.entries[..4].to_vec()), Some(vec![100, 6, -100, 0]));
        assert_eq!(based(&IntTable { bias: None, ..table }, 12), None);
    }

    #[test]
    fn only_what_is_smaller_is_taken() {
        let table = |entries: &[i32], outputs: usize| IntTable {
            subspaces: 1,
            rows: 16,
            outputs,
            bits: 8,
            entries: entries.to_vec(),
            shifts: vec![0],
            bias: Some(vec![1; outputs]),
            frac: 0,
            bounds: Bounds { low: -2000, high: 2000 },
            loaded: None,
            packed: Some(vec![true; 16]),
        };
        let alone: Vec<i32> = (0..16).map(|row| 20 - 7 * row).collect();
        assert_eq!(smaller(&table(&alone, 1), 12).bias, Some(vec![1 - 85]));
        // Beside a column that has the same bits but cannot be moved it is better left.
        let twice: Vec<i32> = alone.iter().flat_map(|&entry| [entry, entry]).collect();
        let mut fixed = table(&twice, 2);
        fixed.bias = Some(vec![1, -2000]);
        assert_eq!(smaller(&fixed, 12).bias, fixed.bias);
    }
}

use super::*;
use crate::format::Bounds;
use proptest::prelude::*;

fn table(subspaces: usize, rows: usize, outputs: usize, bits: u32, entries: Vec<i32>) -> IntTable {
    let shifts = vec![0; subspaces];
    let packed = Some(vec![true; subspaces * rows]);
    let bounds = Bounds::point(0);
    IntTable {
        subspaces,
        rows,
        outputs,
        bits,
        entries,
        shifts,
        bias: None,
        frac: 0,
        bounds,
        loaded: None,
        packed,
    }
}

const ROWS: Layout = Layout::Rows { fold: 1 };

#[test]
fn what_repeats_is_stored_once() {
    // Lane 1 is constant, lane 2 the complement of lane 0, lane 3 needs two bits of four.
    let rows = [[5, 3, -6, 1], [-7, 3, 6, -2], [2, 3, -3, 0], [0, 3, -1, -1]];
    let table = table(1, 4, 4, 4, rows.concat());
    let bank = table.bank(0, ROWS);
    assert_eq!((bank.words, bank.lanes, bank.width()), (4, 4, 6));
    assert_eq!(bank.saved, Saved { constant: 16, narrow: 8, shared: 16, unread: 0 });
    assert_eq!(bank.sources[4..8], [true, true, false, false].map(Source::Constant));
    assert_eq!(bank.sources[8], Source::Stored { column: 0, inverted: true });
    assert_eq!(bank.sources[15], bank.sources[13], "the sign");
    for (word, row) in rows.iter().enumerate() {
        for (lane, &entry) in row.iter().enumerate() {
            assert_eq!(bank.entry(word, lane), i64::from(entry), "word {word}, lane {lane}");
        }
    }
}

#[test]
fn words_that_are_never_read_are_not_stored() {
    let mut table = table(1, 4, 1, 8, vec![1, 7, 3, 100]);
    table.packed = Some(vec![true, false, true, false]);
    let bank = table.bank(0, ROWS);
    // 1 and 3 differ in one bit.
    assert_eq!((bank.words, bank.width()), (3, 1));
    assert_eq!(bank.saved, Saved { constant: 28, narrow: 0, shared: 0, unread: 1 });
    assert_eq!((bank.entry(0, 0), bank.entry(2, 0)), (1, 3));
}

#[test]
fn a_constant_bank_has_no_memory() {
    let bank = table(1, 2, 2, 3, vec![-3, 1, -3, 1]).bank(0, ROWS);
    assert_eq!((bank.width(), bank.saved.total()), (0, 12));
    assert_eq!([bank.entry(1, 0), bank.entry(1, 1)], [-3, 1]);
}

#[test]
fn what_is_not_packed_is_stored_as_it_is() {
    let mut table = table(2, 2, 2, 4, vec![0, 0, 0, 0, 1, 2, 3, 4]);
    table.packed = None;
    let bank = table.bank(1, ROWS);
    assert_eq!((bank.words, bank.width(), bank.saved.total()), (2, 8, 0));
    let set: Vec<usize> =
        bank.contents().iter().enumerate().filter(|(_, bit)| **bit).map(|(i, _)| i).collect();
    assert_eq!(set, [0, 5, 8, 9, 14], "1 and 2, then 3 and 4");
}

fn any_table() -> impl Strategy<Value = (IntTable, Layout)> {
    // Few different values, so that columns repeat; rows are a square, so that it may be a pair table.
    let sizes = (1_usize..3, 1_u32..4, 1_usize..9, 2_u32..9, 1_i32..40, 0_u32..4);
    sizes.prop_flat_map(|(subspaces, code, outputs, bits, range, fold)| {
        let pairs = fold == 3;
        let (rows, outputs) = if pairs { (1 << (2 * code), 1) } else { (1 << code, outputs) };
        let limit = (1 << (bits - 1)) - 1;
        let entries = prop::collection::vec(-range.min(limit)..=range.min(limit), subspaces * rows * outputs);
        let layout = if pairs { Layout::Pairs } else { Layout::Rows { fold: 1 << fold } };
        (entries, prop::collection::vec(any::<bool>(), subspaces * rows)).prop_map(move |(entries, read)| {
            let mut table = table(subspaces, rows, outputs, bits, entries);
            table.packed = Some(read);
            (table, layout)
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]
    /// Whatever is read comes out, and the savings add up.
    #[test]
    fn every_entry_that_is_read_comes_out((table, layout) in any_table()) {
        let read = table.packed.clone().unwrap_or_default();
        let mut plain = table.clone();
        plain.packed = None;
        for c in 0..table.subspaces {
            let (bank, whole) = (table.bank(c, layout), plain.bank(c, layout));
            let stored = (bank.words * bank.width()) as u64;
            prop_assert_eq!(stored + bank.saved.total(), (whole.words * whole.width()) as u64);
            for word in 0..whole.words {
                for lane in 0..whole.lanes {
                    let Some((row, output)) = table.place(layout, word, lane) else { continue };
                    let entry = i64::from(table.entry(c, row, output));
                    prop_assert_eq!(whole.entry(word, lane), entry);
                    if read[c * table.rows + row] {
                        prop_assert!(word < bank.words);
                        prop_assert_eq!(bank.entry(word, lane), entry, "word {}, lane {}", word, lane);
                    }
                }
            }
        }
    }

    /// No column is stored that is constant, or like another, or like its complement.
    #[test]
    fn no_column_is_stored_twice((table, layout) in any_table()) {
        let mut table = table;
        table.packed = Some(vec![true; table.subspaces * table.rows]);
        let bank = table.bank(0, layout);
        // Padding of a folded row agrees with anything.
        prop_assume!(!matches!(layout, Layout::Rows { fold } if table.outputs % fold as usize != 0));
        let contents = bank.contents();
        let column = |i: usize| (0..bank.words).map(|w| contents[w * bank.width() + i]).collect::<Vec<_>>();
        for i in 0..bank.width() {
            prop_assert!(column(i).contains(&true) && column(i).contains(&false));
            for j in 0..i {
                let differ = column(i).iter().zip(column(j)).filter(|(a, b)| **a != *b).count();
                prop_assert!(differ > 0 && differ < bank.words);
            }
        }
    }
}

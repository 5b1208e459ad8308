//! What comes out of encoders and tables.

use std::collections::BTreeSet;

use super::lane::{Lane, Part};
use super::rows::Rows;
use super::{Reach, marked};
use crate::encoder::{IntEncoder, IntEncoderKind};
use crate::table::IntTable;

/// Differences to the features of prototypes that are taken to find the nearest ones, at most: beyond, any may be.
const MOST_DIFFERENCES: usize = 1 << 24;

/// Codes of a row, `lanes` of them.
pub(super) fn encoded(encoder: &IntEncoder, x: &Reach, lanes: usize) -> Reach {
    match x {
        Reach::Rows(rows) if can_be_done(encoder, rows) => Reach::Rows(rows.map(lanes, |row| {
            let codes = row.chunks_exact(encoder.features).flat_map(|group| encoder.codes(group));
            codes.map(|code| code as i64).collect()
        })),
        _ => {
            let all = x.lanes();
            let of_group = |group: &[Lane]| {
                let codes = |c| Lane::of(marked(&leaves(encoder, c, group)).map(|code| code as i64));
                (0..encoder.subspaces).map(codes).collect::<Vec<_>>()
            };
            Reach::Lanes(all.chunks_exact(encoder.features).flat_map(of_group).collect())
        }
    }
}

/// Whether the codes of all these rows are found in little time.
fn can_be_done(encoder: &IntEncoder, rows: &Rows) -> bool {
    match encoder.kind {
        IntEncoderKind::Tree { .. } => true,
        IntEncoderKind::Nearest { .. } => rows.values.len() * encoder.prototypes() <= MOST_DIFFERENCES,
    }
}

/// The codes of one subspace that a vector can have whose lanes can be these.
pub(super) fn leaves(encoder: &IntEncoder, c: usize, lanes: &[Lane]) -> Vec<bool> {
    let count = encoder.prototypes();
    let IntEncoderKind::Tree { split, threshold, .. } = &encoder.kind else {
        // Which prototypes are nearest to something is not asked.
        return vec![true; count];
    };
    let levels = encoder.code_bits as usize;
    let split = &split[c * levels..][..levels];
    let threshold = &threshold[c * (count - 1)..][..count - 1];
    let mut within: Vec<Vec<Part<'_>>> = vec![lanes.iter().map(Lane::part).collect()];
    let mut open = vec![true];
    for (level, &feature) in split.iter().enumerate() {
        let mut next = Vec::with_capacity(2 * within.len());
        let mut reached = Vec::with_capacity(2 * within.len());
        for (place, (lanes, open)) in within.into_iter().zip(open).enumerate() {
            for side in lanes[feature].split(threshold[(1 << level) - 1 + place]) {
                let mut lanes = lanes.clone();
                lanes[feature] = side;
                reached.push(open && !side.is_empty());
                next.push(lanes);
            }
        }
        (within, open) = (next, reached);
    }
    open
}

/// What the codes `x` look up; rows of at most `most` values.
pub(super) fn looked_up(table: &IntTable, x: &Reach, lanes: usize, most: usize) -> Reach {
    let sum = |codes: &[i64]| table.sum(&codes.iter().map(|&code| code as usize).collect::<Vec<_>>());
    if let Reach::Rows(rows) = x {
        return if rows.count() * lanes <= most {
            Reach::Rows(rows.map(lanes, sum))
        } else {
            Reach::Lanes(sums(table, &x.codes(table.rows)))
        };
    }
    let codes = x.codes(table.rows);
    let count = |codes: &Vec<bool>| marked(codes).count();
    let all = codes.iter().map(count).try_fold(lanes, usize::checked_mul);
    if all.is_none_or(|all| all > most) {
        return Reach::Lanes(sums(table, &codes));
    }
    let mut rows: Vec<Vec<i64>> = vec![Vec::new()];
    for codes in &codes {
        let longer =
            |row: &Vec<i64>| marked(codes).map(|code| [row.as_slice(), &[code as i64]].concat()).collect();
        rows = rows.iter().flat_map(|row| -> Vec<Vec<i64>> { longer(row) }).collect();
    }
    let different: BTreeSet<Vec<i64>> = rows.iter().map(|row| sum(row)).collect();
    Reach::Rows(Rows::new(lanes, &different.into_iter().flatten().collect::<Vec<_>>()))
}

/// Of each output its sums, where these rows of each subspace are looked up.
pub(super) fn sums(table: &IntTable, read: &[Vec<bool>]) -> Vec<Lane> {
    let of_output = |o: usize| {
        let start = Lane::One(vec![table.bias.as_ref().map_or(0, |bias| bias[o])]);
        read.iter().enumerate().fold(start, |sum, (c, read)| {
            let column = marked(read).map(|row| i64::from(table.entry(c, row, o)) << table.shifts[c]);
            let column = Lane::of(column);
            if column.is_empty() { sum } else { sum.plus(&column) }
        })
    };
    (0..table.outputs).map(of_output).collect()
}

/// Of a pair table whose operands can be these: the rows `[C, K²]` that are looked up by some element of some head.
pub(crate) fn pairs(table: &IntTable, left: &Reach, right: &Reach) -> Vec<Vec<bool>> {
    let count = 1 << (table.rows.ilog2() / 2);
    // Lanes of codes are head-major.
    let of_any_head = |reach: &Reach, c: usize| -> Vec<bool> {
        let lanes = reach.codes(count);
        let of_head = lanes.iter().skip(c).step_by(table.subspaces);
        of_head.fold(vec![false; count], |any, lane| any.iter().zip(lane).map(|(a, b)| a | b).collect())
    };
    let of_subspace = |c: usize| {
        let (left, right) = (of_any_head(left, c), of_any_head(right, c));
        left.iter().flat_map(|&left| right.iter().map(move |&right| left && right)).collect()
    };
    (0..table.subspaces).map(of_subspace).collect()
}

//! Balanced hash trees: one split dimension for each level, one threshold for each node (MADDNESS, arXiv 2106.10860,
//! algorithm 2), here towards any targets of the rows instead of the rows themselves.

use ndarray::{ArrayView2, Axis};
use rayon::prelude::*;

/// Dimensions tried at a level, those of the largest variance left inside the nodes.
const TRIED: usize = 24;

/// What one tree is.
pub(crate) struct Tree {
    /// `[levels]`, columns of `x`.
    pub(crate) split: Vec<usize>,
    /// `[2^levels − 1]`, heap order.
    pub(crate) threshold: Vec<f32>,
    /// `[rows]`, the leaf of each row of `x`.
    pub(crate) leaf: Vec<u16>,
}

/// Splits chosen greedily, level by level, for the least Σ |target − mean of its leaf|².
///
/// `x` `[rows, dims]` is what is compared, `targets` `[rows, T]` what the leaves should agree in. A node that sees no
/// rows, or rows of one value, gets the middle of the whole column: an unseen row there still has a sensible way.
pub(crate) fn tree(x: ArrayView2<'_, f32>, targets: ArrayView2<'_, f32>, levels: usize) -> Tree {
    let rows = x.nrows();
    // Columns, and the rows of each in ascending order.
    let columns: Vec<Vec<f32>> = x.axis_iter(Axis(1)).map(|column| column.to_vec()).collect();
    let sorted: Vec<Vec<u32>> = columns
        .par_iter()
        .map(|column| {
            let mut order: Vec<u32> = (0..rows as u32).collect();
            order.sort_by(|&a, &b| column[a as usize].total_cmp(&column[b as usize]));
            order
        })
        .collect();
    // Centred, so that sums of squares keep their digits.
    let mean = targets.mean_axis(Axis(0)).unwrap_or_default();
    let targets = &targets - &mean;
    let targets = targets.as_standard_layout();

    let mut leaf = vec![0_u16; rows];
    let (mut split, mut threshold) = (Vec::new(), Vec::new());
    for level in 0..levels {
        let nodes = 1 << level;
        // Leaves below each child. With one column every value may have a leaf of its own, if no cut leaves too many on
        // one side; with several it is not known which column the deeper levels will need.
        let room = if columns.len() == 1 { 1 << (levels - level - 1) } else { usize::MAX };
        let tried = widest(&columns, &leaf, nodes);
        let cuts: Vec<Cuts> = tried
            .par_iter()
            .map(|&j| cut(&columns[j], &sorted[j], &leaf, nodes, targets.view(), room))
            .collect();
        let mut best = 0;
        for (i, cut) in cuts.iter().enumerate() {
            if cut.gain > cuts[best].gain {
                best = i;
            }
        }
        let (j, chosen) = (tried[best], &cuts[best]);
        for (row, leaf) in leaf.iter_mut().enumerate() {
            let right = columns[j][row] >= chosen.threshold[usize::from(*leaf)];
            *leaf = 2 * *leaf + u16::from(right);
        }
        split.push(j);
        threshold.extend(&chosen.threshold);
    }
    Tree { split, threshold, leaf }
}

/// Up to [`TRIED`] columns with the most variance left inside the nodes, in ascending order.
fn widest(columns: &[Vec<f32>], leaf: &[u16], nodes: usize) -> Vec<usize> {
    let mut tried: Vec<usize> = (0..columns.len()).collect();
    if columns.len() <= TRIED {
        return tried;
    }
    let left: Vec<f64> = columns
        .par_iter()
        .map(|column| {
            let mut sums = vec![(0.0, 0.0, 0.0); nodes];
            for (&value, &leaf) in column.iter().zip(leaf) {
                let (n, sum, squares) = &mut sums[usize::from(leaf)];
                *n += 1.0;
                *sum += f64::from(value);
                *squares += f64::from(value) * f64::from(value);
            }
            (sums.iter().filter(|s| s.0 > 0.0)).map(|&(n, sum, squares)| squares - sum * sum / n).sum()
        })
        .collect();
    tried.sort_by(|&a, &b| left[b].total_cmp(&left[a]).then(a.cmp(&b)));
    tried.truncate(TRIED);
    tried.sort_unstable();
    tried
}

/// The best cuts of all nodes of one level in one column.
struct Cuts {
    /// Σ over the children of |sum of targets|² / rows: the larger, the smaller the squared error.
    gain: f64,
    threshold: Vec<f32>,
}

/// `room` is the number of leaves below a child: where the values of a node can have a leaf each, they get it.
fn cut(
    column: &[f32],
    sorted: &[u32],
    leaf: &[u16],
    nodes: usize,
    targets: ArrayView2<'_, f32>,
    room: usize,
) -> Cuts {
    // The rows of each node, ascending in the column.
    let mut members: Vec<Vec<u32>> = vec![Vec::new(); nodes];
    for &row in sorted {
        members[usize::from(leaf[row as usize])].push(row);
    }
    let median = between(column, sorted);
    let width = targets.ncols();
    let (mut total, mut left) = (vec![0.0_f64; width], vec![0.0_f64; width]);
    let mut cuts = Cuts { gain: 0.0, threshold: vec![median; nodes] };
    for (node, members) in members.iter().enumerate() {
        if members.is_empty() {
            continue;
        }
        total.fill(0.0);
        left.fill(0.0);
        for &row in members {
            for (sum, &t) in total.iter_mut().zip(targets.row(row as usize)) {
                *sum += f64::from(t);
            }
        }
        let n = members.len() as f64;
        let steps = |members: &[u32]| {
            members.windows(2).filter(|pair| column[pair[0] as usize] < column[pair[1] as usize]).count()
        };
        let values = 1 + steps(members);
        let enough = values <= room.saturating_mul(2);
        let mut below = 0;
        let whole = total.iter().map(|t| t * t).sum::<f64>() / n;
        // A cut that must be made is made even if it gains nothing.
        let mut best = if enough && values > room { f64::NEG_INFINITY } else { whole };
        for (i, pair) in members.windows(2).enumerate() {
            for (sum, &t) in left.iter_mut().zip(targets.row(pair[0] as usize)) {
                *sum += f64::from(t);
            }
            let (low, high) = (column[pair[0] as usize], column[pair[1] as usize]);
            if low >= high {
                continue;
            }
            below += 1;
            if enough && (below > room || values - below > room) {
                continue;
            }
            let (mut a, mut b) = (0.0, 0.0);
            for (l, t) in left.iter().zip(&total) {
                a += l * l;
                b += (t - l) * (t - l);
            }
            let seen = (i + 1) as f64;
            let gain = a / seen + b / (n - seen);
            if gain > best {
                best = gain;
                cuts.threshold[node] = cut_point(low, high);
            }
        }
        cuts.gain += best.max(whole);
    }
    cuts
}

/// A threshold between two values, as near to the median as there is one; below all values where all are equal.
///
/// Never a value itself: the hardware rounds what it compares, and a value may then lie on either side.
fn between(column: &[f32], sorted: &[u32]) -> f32 {
    let value = |at: usize| column[sorted[at] as usize];
    let middle = sorted.len() / 2;
    let gap = |at: &usize| value(*at - 1) < value(*at);
    let (below, above) = ((1..=middle).rev().find(gap), (middle + 1..sorted.len()).find(gap));
    let at = match (below, above) {
        (Some(below), Some(above)) => Some(if middle - below <= above - middle { below } else { above }),
        (one, other) => one.or(other),
    };
    match at {
        Some(at) => cut_point(value(at - 1), value(at)),
        None => value(0) - value(0).abs() - 1.0,
    }
}

/// A threshold that sends `low` left and `high` right.
fn cut_point(low: f32, high: f32) -> f32 {
    let middle = low + (high - low) * 0.5;
    if middle > low { middle } else { high }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, array};

    #[test]
    fn splits_where_the_targets_change() {
        // Column 0 is wide but tells nothing; column 1 tells the target.
        let x = Array2::from_shape_fn((64, 2), |(i, j)| match j {
            0 => ((i * 37) % 64) as f32 * 100.0,
            _ => i as f32,
        });
        let target = Array2::from_shape_fn((64, 1), |(i, _)| f32::from(u8::from(i >= 20)));
        let tree = tree(x.view(), target.view(), 1);
        assert_eq!(tree.split, [1]);
        assert_eq!(tree.threshold, [19.5]);
        assert_eq!(tree.leaf[19..21], [0, 1]);
    }

    #[test]
    fn nodes_without_choice_get_the_middle() {
        let x = array![[1.0_f32], [1.0], [3.0], [3.0], [3.0]];
        let tree = tree(x.view(), x.view(), 3);
        assert_eq!(tree.threshold, [2.0; 7]);
        assert_eq!(tree.leaf, [0, 0, 7, 7, 7]);
    }

    #[test]
    fn a_constant_is_no_threshold() {
        let x = Array2::from_elem((9, 1), 4.0_f32);
        let tree = tree(x.view(), x.view(), 2);
        assert!(tree.threshold.iter().all(|&t| t < 3.0), "{:?}", tree.threshold);
        assert_eq!(tree.leaf, [3; 9]);
    }

    #[test]
    fn one_column_gets_a_leaf_for_every_value_if_there_are_enough() {
        // Squares pull greedy cuts to the far end, where the targets differ most.
        let x = Array2::from_shape_fn((160, 1), |(i, _)| (i % 16) as f32);
        let targets = x.mapv(|v| v.powi(4));
        let mut leaves: Vec<u16> = tree(x.view(), targets.view(), 4).leaf[..16].to_vec();
        leaves.sort_unstable();
        assert_eq!(leaves, (0..16).collect::<Vec<u16>>());
    }

    #[test]
    fn ideal_thresholds_give_equal_leaves() {
        let x = Array2::from_shape_fn((1024, 1), |(i, _)| i as f32);
        let tree = tree(x.view(), x.view(), 4);
        let mut counts = [0; 16];
        for leaf in tree.leaf {
            counts[usize::from(leaf)] += 1;
        }
        assert_eq!(counts, [64; 16]);
    }
}

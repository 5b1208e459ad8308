//! Rows that lead the first encoders to each of their codes, and to the edges of what gives a code.

use tablewright_design::{Design, IntEncoder, IntEncoderKind, Op};

use crate::vectors::Random;

/// What the encoders that read accesses decide by.
#[derive(Debug)]
pub(crate) struct Steering<'a> {
    /// Each with its groups.
    encoders: Vec<(&'a IntEncoder, usize)>,
    history: usize,
    segments: usize,
    top: u8,
}

/// Least and largest value of each segment of a row.
type Ranges = Vec<(i64, i64)>;

impl<'a> Steering<'a> {
    /// Of a design.
    pub(crate) fn new(design: &'a Design) -> Self {
        let reads_rows = |op: &Op| matches!(op, Op::Window { .. } | Op::History);
        let encoders = design.nodes.iter().filter_map(|node| match &node.op {
            Op::Encode { encoder, groups } if reads_rows(&design.node(node.inputs[0]).op) => {
                Some((encoder, *groups))
            }
            _ => None,
        });
        Self {
            encoders: encoders.collect(),
            history: design.network.history,
            segments: design.network.segments,
            top: ((1_u32 << design.input.segment_bits) - 1) as u8,
        }
    }

    /// A whole window, `history` rows: all of them different, or few ones in any order.
    pub(crate) fn window(&self, random: &mut Random) -> Vec<u8> {
        let different =
            if random.word().is_multiple_of(2) { self.history } else { 1 + random.word() as usize % 3 };
        let rows: Vec<Vec<u8>> = (0..different).map(|_| self.row(random)).collect();
        let place = |t: usize, random: &mut Random| {
            if different == self.history { t } else { random.word() as usize % different }
        };
        (0..self.history).flat_map(|t| rows[place(t, random)].clone()).collect()
    }

    /// A row with one code of each encoder, all codes as likely as the trees let them be.
    fn row(&self, random: &mut Random) -> Vec<u8> {
        let top = i64::from(self.top);
        let mut row: Vec<i64> = (0..self.segments).map(|_| i64::from(random.word()) & top).collect();
        let mut ranges: Ranges = vec![(0, top); self.segments];
        for (encoder, groups) in &self.encoders {
            match &encoder.kind {
                IntEncoderKind::Tree { split, threshold, .. } => {
                    for group in 0..*groups {
                        descend(encoder, (split, threshold), group, &mut ranges, random);
                    }
                }
                IntEncoderKind::Nearest { prototypes, lift, .. } => {
                    let features = encoder.features;
                    let k = random.word() as usize % (prototypes.len() / features);
                    for (value, prototype) in row.iter_mut().zip(&prototypes[k * features..]).take(features) {
                        *value = (prototype >> lift).clamp(0, top);
                    }
                }
            }
        }
        for (value, (least, largest)) in row.iter_mut().zip(ranges) {
            // The edges are where a comparison decides.
            *value = match random.word() % 3 {
                0 => least,
                1 => largest,
                _ => (*value).clamp(least, largest),
            };
        }
        row.into_iter().map(|value| value as u8).collect()
    }
}

/// Goes down the trees of a group at random and narrows the segments to what goes there; a side that no row can take is not
/// taken.
fn descend(
    encoder: &IntEncoder,
    (split, threshold): (&[usize], &[i64]),
    group: usize,
    ranges: &mut Ranges,
    random: &mut Random,
) {
    let (levels, nodes) = (encoder.code_bits as usize, encoder.prototypes() - 1);
    for c in 0..encoder.subspaces {
        let mut node = 0;
        for level in 0..levels {
            let Some((least, largest)) = ranges.get_mut(group * encoder.features + split[c * levels + level])
            else {
                return;
            };
            let limit = threshold[c * nodes + node];
            let (left, right) = (*least < limit, *largest >= limit);
            let goes_right = right && (!left || random.word().is_multiple_of(2));
            if goes_right {
                *least = (*least).max(limit);
            } else {
                *largest = (*largest).min(limit - 1);
            }
            node = 2 * node + 1 + usize::from(goes_right);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use tablewright_design::{NodeId, lower, passes};
    use tablewright_golden::Golden;
    use tablewright_model::testing::{dart, random_model};
    use tablewright_model::{EncoderKind, KernelSpec, NetworkConfig};

    /// Different rows of codes that the first encoder gives in so many windows.
    fn codes(design: &Design, windows: impl Iterator<Item = Vec<u8>>) -> usize {
        let id = design.iter().find(|(_, n)| matches!(n.op, Op::Encode { .. })).map(|(id, _)| id);
        let id: NodeId = id.expect("an encoder");
        let lanes = design.node(id).value.lanes;
        let mut golden = Golden::new(design);
        let mut seen = BTreeSet::new();
        for window in windows {
            golden.run(&window);
            seen.extend(golden.value(id).chunks_exact(lanes).map(<[i64]>::to_vec));
        }
        seen.len()
    }

    #[test]
    fn every_code_comes() {
        let config =
            NetworkConfig { history: 3, segments: 4, dim: 6, head_dim: 3, hidden: 5, outputs: 10, ..dart() };
        let spec = KernelSpec { encoder: EncoderKind::Tree, prototypes: 32, subspaces: 2, bits: 6 };
        let design = passes::optimise(&lower(&random_model(&config, spec, 4)));
        let steering = Steering::new(&design);
        let mut random = Random::new(1);
        let found = codes(&design, (0..4000).map(|_| steering.window(&mut random)));
        let uniform = crate::vectors::windows(&design, 4000, &[], 1);
        let without = codes(&design, uniform.into_iter());
        assert!(found > without, "{found} with, {without} without");
    }
}

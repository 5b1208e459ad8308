//! What a softmax can make of lanes that do not depend on each other: all their sums, exactly, while these are few enough.

use super::lane::Lane;
use crate::units::SoftmaxUnit;

/// Words of 64 sums that are looked at, at most.
const MOST_WORDS: u64 = 1 << 28;

/// The weights that each lane can have, or nothing where that is not found in little time.
pub(super) fn weights(unit: &SoftmaxUnit, lanes: &[Lane]) -> Option<Vec<Lane>> {
    let values: Option<Vec<&Vec<i64>>> = lanes
        .iter()
        .map(|lane| match lane {
            Lane::One(values) => Some(values),
            Lane::Within(_) => None,
        })
        .collect();
    let values = values?;
    let mut tops: Vec<i64> = values
        .iter()
        .flat_map(|of| of.iter().map(|&v| unit.exponent(v) >> SoftmaxUnit::FRACTION_BITS))
        .collect();
    tops.sort_unstable();
    tops.dedup();
    let all: u64 = values.iter().map(|of| of.len() as u64).sum();
    let words = 1 << unit.sum_width.saturating_sub(6);
    // For each lane all the others, for each largest whole part.
    if 2 * words * all * lanes.len() as u64 * tops.len() as u64 > MOST_WORDS {
        return None;
    }
    let mut weights: Vec<Vec<i64>> = vec![Vec::new(); lanes.len()];
    for top in tops {
        let powers: Vec<Vec<Power>> = values.iter().map(|of| powers(unit, of, top)).collect();
        if powers.iter().any(Vec::is_empty) {
            continue;
        }
        for (lane, own) in powers.iter().enumerate() {
            let others = powers.iter().enumerate().filter(|(other, _)| *other != lane);
            let sums = others.fold(Sums::nothing(unit.sum_width), |sums, (_, of)| sums.plus(of));
            for &power in own {
                let reached = sums.with(power);
                weights[lane].extend(reached.map(|sum| unit.weight(power.value, sum)));
            }
            weights[lane].sort_unstable();
            weights[lane].dedup();
        }
    }
    Some(weights.into_iter().map(Lane::of).collect())
}

/// A power of two in a row with a certain largest whole part.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Power {
    value: u64,
    /// Whether it has that whole part.
    largest: bool,
}

/// Of a lane what is not larger than the largest.
fn powers(unit: &SoftmaxUnit, values: &[i64], top: i64) -> Vec<Power> {
    let within = values.iter().map(|&v| unit.exponent(v)).filter(|t| t >> SoftmaxUnit::FRACTION_BITS <= top);
    let power = |t: i64| Power { value: unit.power(t, top), largest: t >> SoftmaxUnit::FRACTION_BITS == top };
    let mut all: Vec<Power> = within.map(power).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// Sums of some lanes: bit s of the first is set where s can be one and none of them is the largest, of the second where one is.
struct Sums([Vec<u64>; 2]);

impl Sums {
    fn nothing(width: u32) -> Self {
        let words = vec![0; 1 << width.saturating_sub(6)];
        let mut sums = [words.clone(), words];
        sums[0][0] = 1;
        Self(sums)
    }

    fn plus(&self, lane: &[Power]) -> Self {
        let mut all = Self([0, 1].map(|of| vec![0; self.0[of].len()]));
        for power in lane {
            for of in 0..2 {
                shifted(&self.0[of], power.value, &mut all.0[of | usize::from(power.largest)]);
            }
        }
        all
    }

    /// Of the sums with one more, one of all being the largest: one of each length and index that there are.
    fn with(&self, power: Power) -> impl Iterator<Item = u64> {
        let sets = &self.0[usize::from(!power.largest)..];
        let most = 64 * self.0[0].len() as u64;
        // A sum has eight leading bits at least, the first of them set.
        let lengths = 8..=most.ilog2() + 1;
        let ranges =
            lengths.flat_map(|bits| (128_u64..256).map(move |index| (index << (bits - 8), 1 << (bits - 8))));
        ranges.filter_map(move |(first, count)| {
            let from = first.saturating_sub(power.value);
            let to = (first + count).saturating_sub(power.value).min(most);
            let some = from < to && sets.iter().any(|set| any_set(set, from, to));
            some.then_some(first)
        })
    }
}

/// Whether a bit between two places is set, the second left out.
fn any_set(set: &[u64], from: u64, to: u64) -> bool {
    let (first, last) = ((from / 64) as usize, ((to - 1) / 64) as usize);
    let above = |word: u64| word >> (from % 64) << (from % 64);
    let below = |word: u64| word << (63 - (to - 1) % 64);
    if first == last {
        return below(above(set[first])) != 0;
    }
    above(set[first]) != 0 || below(set[last]) != 0 || set[first + 1..last].iter().any(|&word| word != 0)
}

/// Sets in `to` what is set in `from`, so many places up.
fn shifted(from: &[u64], by: u64, to: &mut [u64]) {
    let (words, bits) = ((by / 64) as usize, by % 64);
    for (place, &word) in from.iter().enumerate().filter(|(_, word)| **word != 0) {
        if let Some(to) = to.get_mut(place + words) {
            *to |= word << bits;
        }
        if let (1.., Some(to)) = (bits, to.get_mut(place + words + 1)) {
            *to |= word >> (64 - bits);
        }
    }
}

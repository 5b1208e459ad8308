//! What the rows of a node can be, as a condition on their bits.

use tablewright_design::Bounds;
use tablewright_design::reach::{Lane, Reach};

use super::unroll::Graph;

/// Bits of rows that are compared one by one, at most: beyond, each lane is looked at by itself.
const MOST_BITS: usize = 1 << 16;

/// A literal that is 1 where the lanes of a row are what they can be; of each lane its bits, the lowest first, signed or not.
pub(super) fn possible(graph: &mut Graph, reach: &Reach, lanes: &[Vec<u32>], signed: bool) -> u32 {
    let bits: usize = lanes.iter().map(Vec::len).sum();
    match reach {
        Reach::Rows(rows) if rows.count() * bits <= MOST_BITS => rows.iter().fold(0, |any, row| {
            let mut equal = 1;
            for (value, lane) in row.iter().zip(lanes) {
                for (place, &bit) in lane.iter().enumerate() {
                    equal = graph.and(equal, bit ^ u32::from(value >> place & 1 == 0));
                }
            }
            graph.or(any, equal)
        }),
        _ => reach.lanes().iter().zip(lanes).fold(1, |all, (lane, bits)| {
            let one = within(graph, lane, bits, signed);
            graph.and(all, one)
        }),
    }
}

/// A literal that is 1 where a lane is what it can be.
fn within(graph: &mut Graph, lane: &Lane, bits: &[u32], signed: bool) -> u32 {
    let size = 1_i64 << bits.len();
    let Some((&top, rest)) = bits.split_last() else { return 1 };
    if !signed {
        return among(graph, lane, bits, 0);
    }
    // The highest bit of a signed number counts downwards.
    let (positive, negative) = (among(graph, lane, rest, 0), among(graph, lane, rest, -size / 2));
    either(graph, top, [positive, negative])
}

/// The same for numbers from `first` up, as many as the bits can tell apart.
fn among(graph: &mut Graph, lane: &Lane, bits: &[u32], first: i64) -> u32 {
    let size = 1_i64 << bits.len();
    match lane.count(Bounds { low: first, high: first + size - 1 }) {
        0 => 0,
        all if all == size => 1,
        _ => {
            let Some((&top, rest)) = bits.split_last() else { return 1 };
            let halves = [among(graph, lane, rest, first), among(graph, lane, rest, first + size / 2)];
            either(graph, top, halves)
        }
    }
}

fn either(graph: &mut Graph, bit: u32, [clear, set]: [u32; 2]) -> u32 {
    let (clear, set) = (graph.and(bit ^ 1, clear), graph.and(bit, set));
    graph.or(clear, set)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The condition on one lane of 4 bits, for each value.
    fn holds(lane: &Lane, signed: bool) -> Vec<i64> {
        let values = if signed { -8..8 } else { 0..16 };
        let is = |value: &i64| {
            let mut graph = Graph::new();
            let bits: Vec<u32> = (0..4).map(|place| u32::from(value >> place & 1 == 1)).collect();
            within(&mut graph, lane, &bits, signed) == 1
        };
        values.filter(is).collect()
    }

    #[test]
    fn a_lane_is_what_it_can_be() {
        assert_eq!(holds(&Lane::One(vec![-8, -3, 0, 5]), true), [-8, -3, 0, 5]);
        assert_eq!(holds(&Lane::One(vec![1, 9, 15]), false), [1, 9, 15]);
        assert_eq!(holds(&Lane::Within(Bounds { low: -2, high: 3 }), true), [-2, -1, 0, 1, 2, 3]);
        assert_eq!(holds(&Lane::Within(Bounds { low: 0, high: 40 }), false).len(), 16);
    }
}

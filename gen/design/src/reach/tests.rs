use super::*;
use crate::encoder::{IntEncoder, IntEncoderKind};
use crate::format::Bounds;
use proptest::prelude::*;

fn tree(split: &[usize], threshold: &[i64], features: usize) -> IntEncoder {
    IntEncoder {
        features,
        subspaces: 1,
        code_bits: split.len() as u32,
        kind: IntEncoderKind::Tree { split: split.to_vec(), threshold: threshold.to_vec(), width: 8 },
    }
}

#[test]
fn a_leaf_that_asks_for_the_impossible_does_not_occur() {
    // Twice the same feature: what is below 2 is not at least 5.
    let encoder = tree(&[0, 0], &[2, 5, 9], 1);
    let occurring = |low, high| tables::leaves(&encoder, 0, &[Lane::Within(Bounds { low, high })]);
    assert_eq!(occurring(-8, 20), [true, false, true, true]);
    assert_eq!(occurring(3, 8), [false, false, true, false]);
    assert_eq!(occurring(0, 1), [true, false, false, false]);
}

#[test]
fn rows_with_rows_are_not_more_than_can_be_kept() {
    let all = |count: i64| Rows::new(2, &(0..count).flat_map(|v| [v, -v]).collect::<Vec<_>>());
    let (few, many) = (all(100), all(rows::MOST_VALUES as i64 / 2));
    let add = |a: &Rows, b: &Rows| a.with(b, rows::MOST_VALUES, |a, b| a + b);
    assert!(matches!(add(&few, &few), Some(rows) if rows.count() == 199));
    assert_eq!(add(&few, &many), None);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]
    /// Within a box the leaves are exact: those that some vector in it reaches, no fewer and no more.
    #[test]
    fn leaves_are_those_of_all_vectors(
        split in prop::collection::vec(0_usize..3, 1..5),
        threshold in prop::collection::vec(-4_i64..6, 15),
        low in prop::collection::vec(-3_i64..3, 3),
        size in prop::collection::vec(0_i64..4, 3),
    ) {
        let encoder = tree(&split, &threshold[..(1 << split.len()) - 1], 3);
        let bounds: Vec<Bounds> =
            low.iter().zip(&size).map(|(&low, size)| Bounds { low, high: low + size }).collect();
        let mut reached = vec![false; encoder.prototypes()];
        for a in bounds[0].low..=bounds[0].high {
            for b in bounds[1].low..=bounds[1].high {
                for c in bounds[2].low..=bounds[2].high {
                    reached[encoder.codes(&[a, b, c])[0]] = true;
                }
            }
        }
        let within: Vec<Lane> = bounds.iter().map(|&b| Lane::Within(b)).collect();
        prop_assert_eq!(tables::leaves(&encoder, 0, &within), reached.clone());
        let one: Vec<Lane> = bounds.iter().map(|b| Lane::of(b.low..=b.high)).collect();
        prop_assert_eq!(tables::leaves(&encoder, 0, &one), reached);
    }
}

//! Every pass leaves the logits and the bitmap identical, on random models of many shapes.
#![allow(clippy::unwrap_used)]

mod common;

use common::{network, spec, windows};
use proptest::prelude::*;
use tablewright_design::{Design, lower, passes};
use tablewright_golden::Golden;
use tablewright_model::testing::random_model;

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]
    #[test]
    fn passes_keep_the_output(network in network(), spec in spec(5), seed in any::<u64>()) {
        let whole = lower(&random_model(&network, spec, seed));
        let mut golden = Golden::new(&whole);
        let mut reduced = whole.clone();
        for pass in passes::ALL {
            let before = reduced;
            reduced = (pass.run)(&before);
            if reduced.streaming {
                // What comes out for accesses one by one is compared in `stream.rs`.
                break;
            }
            prop_assert!(reduced.words_per_inference() <= before.words_per_inference(), "{}", pass.name);
            prop_assert!(reduced.table_bits() <= before.table_bits(), "{}", pass.name);
            prop_assert_eq!(&(pass.run)(&reduced), &reduced, "{} has nothing left to do", pass.name);
            let mut other = Golden::new(&reduced);
            for window in windows(&whole, seed, 8) {
                golden.run(&window);
                other.run(&window);
                prop_assert_eq!(golden.value(whole.logits()), other.value(reduced.logits()), "{}", pass.name);
                within_bounds(&reduced, &other)?;
            }
        }
    }

    /// The bounds that widths are derived from hold for every value of every node.
    #[test]
    fn values_stay_within_their_bounds(network in network(), spec in spec(5), seed in any::<u64>()) {
        let design = lower(&random_model(&network, spec, seed));
        let mut golden = Golden::new(&design);
        for window in windows(&design, seed, 8) {
            golden.run(&window);
            within_bounds(&design, &golden)?;
        }
    }
}

fn within_bounds(design: &Design, golden: &Golden) -> Result<(), TestCaseError> {
    for (id, node) in design.iter() {
        let (bounds, limits) = (node.value.bounds, node.value.format.bounds());
        for v in golden.value(id) {
            prop_assert!((bounds.low..=bounds.high).contains(&v), "{}: {v} outside {bounds:?}", node.name);
        }
        prop_assert!(limits.low <= bounds.low && bounds.high <= limits.high, "{}", node.name);
    }
    Ok(())
}

#[test]
fn dead_rows_leaves_dart_one_query() {
    let model = random_model(&tablewright_model::testing::dart(), tablewright_model::testing::dart_spec(), 1);
    let whole = lower(&model);
    let reduced = passes::dead_rows(&whole);
    // The published count, plus two words a row for the placeholder of the cls token in the embedding.
    assert_eq!(
        whole.words_per_inference(),
        11 * 2 * 32 + 11 * 2 * 192 + 2 * 2 * 121 + 2 * 11 * 64 + 3 * 11 * 64 + 512
    );
    assert!(reduced.words_per_inference() < whole.words_per_inference() / 2 + 300);
    let scores = reduced.nodes.iter().find(|n| n.name == "l0_score").unwrap();
    assert_eq!((scores.value.rows, scores.value.lanes), (2, 11));
}

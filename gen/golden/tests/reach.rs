//! What the design says can be is all that ever is: rows, values, codes, and rows of tables that are looked up.
#![allow(clippy::unwrap_used)]

mod common;

use common::{network, spec, windows};
use proptest::prelude::*;
use tablewright_design::reach::reach;
use tablewright_design::{lower, passes};
use tablewright_golden::Golden;
use tablewright_model::testing::random_model;

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]
    #[test]
    fn nothing_is_but_what_can_be(
        network in network(), spec in spec(6), seed in any::<u64>(), streaming in any::<bool>(),
    ) {
        let whole = lower(&random_model(&network, spec, seed));
        let design = passes::chosen(&whole, |pass| streaming || pass != passes::STREAM);
        let all = reach(&design);
        let mut golden = Golden::new(&design);
        let bytes = windows(&whole, seed, 12).concat();
        for input in bytes.chunks_exact(design.accesses() * network.segments) {
            golden.run(input);
            for (id, node) in design.iter() {
                for (row, values) in golden.value(id).chunks_exact(node.value.lanes).enumerate() {
                    prop_assert!(all[id.0].row(row).contains(values), "{} {row}: {values:?}", node.name);
                }
                for read in golden.looked_up(&design, id) {
                    let table = &node.op.tables()[read.table];
                    let stored = table.packed.as_ref().unwrap()[read.subspace * table.rows + read.row];
                    prop_assert!(stored, "{}: {read:?}", node.name);
                }
            }
        }
    }
}

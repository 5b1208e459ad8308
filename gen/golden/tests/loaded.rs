//! Hardware whose contents are loaded: any model of a shape is brought to the formats of the one it was made with.
#![allow(clippy::unwrap_used)]

mod common;

use common::{network, spec, windows};
use proptest::prelude::*;
use tablewright_design::{Design, Op, Protection, lower_like, lower_loaded, passes};
use tablewright_golden::Golden;
use tablewright_model::testing::{dart_s, dart_s_spec, random_model};
use tablewright_model::{KernelSpec, TableModel};

/// A model whose numbers lie elsewhere, and far from the scales of the one it is compared with.
fn stretched(mut model: TableModel, factor: f32) -> TableModel {
    for layer in &mut model.layers {
        for linear in [&mut layer.out, &mut layer.ff1, &mut layer.ff2] {
            linear.table.entries.mapv_inplace(|v| v * factor);
        }
    }
    model.embed.table.entries.mapv_inplace(|v| v * factor);
    model.position.mapv_inplace(|v| v * factor);
    model
}

/// What the hardware is made from: all but the contents.
fn outline(design: &Design) -> Vec<String> {
    let of = |node: &tablewright_design::Node| {
        let sizes: Vec<_> = node
            .op
            .tables()
            .iter()
            .map(|t| (t.rows, t.outputs, t.bits, t.shifts.clone(), t.bias.is_some(), t.sum_width()))
            .collect();
        let trees = match &node.op {
            Op::Encode { encoder, groups } => format!("{} {} {groups}", encoder.subspaces, encoder.code_bits),
            _ => String::new(),
        };
        format!("{} {} {:?} {:?} {sizes:?} {trees}", node.name, node.op.kind(), node.inputs, node.value)
    };
    design.nodes.iter().map(of).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]
    #[test]
    fn any_model_of_the_shape_fits(
        network in network(), spec in spec(5), seed in any::<u64>(), power in -6i32..6,
    ) {
        let built = lower_loaded(&random_model(&network, spec, seed), Protection::Secded);
        let other = stretched(random_model(&network, spec, seed ^ 0xABCD), f32::from(power as i8).exp2());
        let fitted = lower_like(&other, &built).unwrap().design;
        let (hardware, contents) = (passes::for_hardware(&built), passes::for_hardware(&fitted));
        prop_assert_eq!(outline(&hardware), outline(&contents), "passes go by the shape alone");

        // What the passes compute beforehand is what the whole design computes, and all of it stays within bounds.
        if !contents.streaming {
            let (mut whole, mut reduced) = (Golden::new(&fitted), Golden::new(&contents));
            for window in windows(&fitted, seed, 4) {
                whole.run(&window);
                reduced.run(&window);
                prop_assert_eq!(whole.value(fitted.logits()), reduced.value(contents.logits()));
                for (id, node) in contents.iter() {
                    let bounds = node.value.bounds;
                    for v in reduced.value(id) {
                        prop_assert!((bounds.low..=bounds.high).contains(&v), "{}: {v}", node.name);
                    }
                }
            }
        }
    }

    #[test]
    fn a_model_fits_the_hardware_made_with_it(network in network(), spec in spec(4), seed in any::<u64>()) {
        let model = random_model(&network, spec, seed);
        let built = lower_loaded(&model, Protection::None);
        let fitted = lower_like(&model, &built).unwrap();
        prop_assert!(fitted.design == built);
        prop_assert_eq!(fitted.beyond, vec![]);
    }
}

#[test]
fn another_shape_is_refused() {
    let built = lower_loaded(&random_model(&dart_s(), dart_s_spec(), 1), Protection::None);
    let refused = |model: &TableModel| lower_like(model, &built).unwrap_err().to_string();
    let mut network = dart_s();
    network.history = 9;
    let refusal = refused(&random_model(&network, dart_s_spec(), 1));
    assert_eq!(refusal, "the network: history: 9 where the hardware has history: 10");
    let refused_with = |spec| refused(&random_model(&dart_s(), spec, 1));
    let fewer_bits = refused_with(KernelSpec { bits: 6, ..dart_s_spec() });
    assert!(fewer_bits.contains("embed") && fewer_bits.contains("x 6 bits"), "{fewer_bits}");
    let more_prototypes = refused_with(KernelSpec { prototypes: 32, ..dart_s_spec() });
    assert!(
        more_prototypes.starts_with("embed_code: ") && more_prototypes.contains("32"),
        "{more_prototypes}"
    );
    let mut model = random_model(&dart_s(), dart_s_spec(), 1);
    model.activation_bits -= 2;
    assert!(refused(&model).contains("_rq"), "{}", refused(&model));
}

//! The encoder rules of `models/FORMAT.md`, read by a second implementation, and whether random models exercise them.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;

use ndarray::array;
use support::{config, spec};
use tablewright_model::testing::{dart, dart_spec, random_model};
use tablewright_model::{Encoder, EncoderKind, KernelSpec, subspace};

fn tree_codes(encoder: &Encoder, x: &[f32]) -> Vec<usize> {
    let Encoder::Tree { split, threshold } = encoder else {
        panic!("a tree is wanted");
    };
    (0..split.nrows())
        .map(|c| {
            (0..split.ncols()).fold(0, |m, level| {
                let node = (1 << level) - 1 + m;
                2 * m + usize::from(x[split[[c, level]] as usize] >= threshold[[c, node]])
            })
        })
        .collect()
}

#[test]
fn worked_example_of_the_format() {
    let encoder = Encoder::Tree {
        split: array![[1, 0], [4, 4]],
        threshold: array![[0.0, 0.75, 0.25], [-0.5, -1.5, 1.0]],
    };
    let (table, bias) = (
        array![
            [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]],
            [[10.0, 20.0], [30.0, 40.0], [50.0, 60.0], [70.0, 80.0]]
        ],
        array![0.5, -0.5],
    );
    let codes = tree_codes(&encoder, &[0.5, -0.25, 9.0, 0.0, -0.5]);
    assert_eq!(codes, [0, 2]);
    let mut y = bias;
    for (c, &k) in codes.iter().enumerate() {
        y += &table.slice(ndarray::s![c, k, ..]);
    }
    assert_eq!(y, array![51.5, 61.5]);

    let page = include_str!("../../../models/FORMAT.md");
    for line in [
        "split     = [[1, 0], [4, 4]]",
        "threshold = [[0.0, 0.75, 0.25], [-0.5, -1.5, 1.0]]",
        "table     = [[[1, 2], [3, 4], [5, 6], [7, 8]], [[10, 20], [30, 40], [50, 60], [70, 80]]]",
        "bias      = [0.5, -0.5]",
        "x         = [0.5, -0.25, 9.0, 0.0, -0.5]",
        "**[51.5, 61.5]**",
    ] {
        assert!(page.contains(line), "FORMAT.md lacks {line}");
    }
}

#[test]
fn subspaces_cover_the_features_once() {
    for features in 1..40 {
        for count in 1..=features.min(16) {
            let all: Vec<usize> = (0..count).flat_map(|c| subspace(features, count, c)).collect();
            assert_eq!(all, (0..features).collect::<Vec<_>>());
        }
    }
    let three: Vec<_> = (0..3).map(|c| subspace(7, 3, c)).collect();
    assert_eq!(three, [0..3, 3..5, 5..7]);
}

#[test]
fn random_trees_use_every_code() {
    let model = random_model(&dart(), dart_spec(), 11);
    // Weyl sequences: spread evenly over the windows' range [0, 1), without a generator of random numbers. The roots of
    // primes are independent of each other, so the features are.
    let primes = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29];
    let steps = primes.map(|prime| f64::from(prime).sqrt());
    let mut seen = [BTreeSet::new(), BTreeSet::new()];
    for n in 0..20_000 {
        let x: Vec<f32> = steps.iter().map(|step| (f64::from(n) * step).fract() as f32).collect();
        for (seen, code) in seen.iter_mut().zip(tree_codes(&model.embed.encoder, &x)) {
            seen.insert(code);
        }
    }
    assert_eq!(seen.map(|codes| codes.len()), [128, 128]);
}

#[test]
fn random_models_depend_on_the_seed_alone() {
    for encoder in [EncoderKind::Tree, EncoderKind::L2, EncoderKind::L1] {
        let make = |seed| random_model(&config(), spec(encoder), seed);
        assert_eq!(make(1), make(1));
        assert_ne!(make(1).head, make(2).head);
    }
    // The first value, so that a changed generator, which would change every committed output, is noticed.
    let model = random_model(&config(), spec(EncoderKind::Tree), 1);
    assert_eq!(model.embed.table.entries[[0, 0, 0]].to_bits(), (-0.234_802_77_f32).to_bits());
}

#[test]
fn subspaces_are_lowered_to_the_features() {
    let wide = KernelSpec { subspaces: 16, ..spec(EncoderKind::L1) };
    let model = random_model(&config(), wide, 1);
    let counts: Vec<_> = model
        .kernels()
        .iter()
        .take(4)
        .map(|(site, kernel)| (site.features, kernel.spec().subspaces))
        .collect();
    assert_eq!(counts, [(3, 3), (8, 8), (7, 7), (6, 6)]);
}

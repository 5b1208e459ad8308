//! What is planned before training against what trained models take.

#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::Path;

use common::base;
use tablewright_configure::{Base, Candidate, Figures};
use tablewright_model::testing::{dart, dart_spec, dart_stream};
use tablewright_model::{EncoderKind, KernelSpec, NetworkConfig, load_model};

#[test]
fn plans_are_those_of_the_shipped_models_or_a_little_above() {
    let zoo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/zoo");
    let mut compared = 0;
    for file in fs::read_dir(zoo).unwrap().map(|entry| entry.unwrap().path()) {
        if file.extension().is_none_or(|ending| ending != "safetensors") {
            continue;
        }
        let model = load_model(&file).unwrap();
        let mut candidate = Candidate::uniform(model.network.clone(), model.head.spec);
        for (site, kernel) in model.kernels() {
            candidate = candidate.with(&site, *kernel.spec());
        }
        let base = Base {
            input: model.input.clone(),
            activation_bits: model.activation_bits,
            target: base().target,
        };
        let planned = Figures::of(&candidate, &base);
        let trained = Figures::of_model(&model, &base.target);
        let name = file.display();
        // A trained tree may look at one feature twice; the stand-in's never do while there are others.
        let share = |planned: u64, trained: u64| planned as f64 / trained as f64;
        let words = share(planned.words_per_inference, trained.words_per_inference);
        assert!((1.0..1.3).contains(&words), "{name}: {words} of the words");
        let above = planned.latency_cycles as i64 - trained.latency_cycles as i64;
        assert!((-1..=6 * model.layers.len() as i64).contains(&above), "{name}: {above} cycles");
        let interval = planned.interval_cycles as i64 - trained.interval_cycles as i64;
        // How many columns of values leave at once hangs on the divisors of how many a trained model has left.
        assert!((-3..=5).contains(&interval), "{name}: {interval} cycles between windows");
        let storage = share(planned.storage_bytes, trained.storage_bytes);
        assert!((0.995..1.1).contains(&storage), "{name}: {storage} of the storage");
        compared += 1;
    }
    assert!(compared >= 4);
}

#[test]
fn a_stand_in_keeps_every_rule_of_a_model() {
    // Lowering and planning stop with an error where a format is not what they expect; every width of entries, every
    // encoder, deep and flat.
    for layers in [1, 3] {
        for (prototypes, subspaces, bits, encoder) in
            [(2, 16, 4, EncoderKind::Tree), (64, 2, 6, EncoderKind::L2), (16, 5, 32, EncoderKind::L1)]
        {
            let network = NetworkConfig { layers, ..dart() };
            let candidate = Candidate::uniform(network, KernelSpec { encoder, prototypes, subspaces, bits });
            let figures = Figures::of(&candidate, &base());
            let all: u64 = candidate.network.kernels().iter().map(|s| candidate.table_bits_of(s)).sum();
            assert!((candidate.least_table_bits()..=all).contains(&figures.table_bits), "{candidate}");
            assert!(figures.latency_cycles > 40 && figures.encoder_bits > 0, "{candidate}");
        }
    }
}

#[test]
fn relative_positions_are_planned_as_the_streaming_hardware() {
    let relative = Figures::of(&Candidate::uniform(dart_stream(), dart_spec()), &base());
    let absolute = Figures::of(&Candidate::uniform(dart(), dart_spec()), &base());
    // Keys and values of one access instead of eleven tokens.
    assert!(relative.words_per_inference * 2 < absolute.words_per_inference, "{relative:?}");
}

#[test]
fn cycles_hardly_depend_on_the_bits_of_an_entry() {
    // The careful side: every residual sum drops a bit, one cycle each.
    let latency = |bits| {
        let candidate = Candidate::uniform(dart(), KernelSpec { bits, ..dart_spec() });
        Figures::of(&candidate, &base()).latency_cycles
    };
    let all = [4, 6, 8, 12, 16].map(latency);
    let (least, most) = (all.iter().min().unwrap(), all.iter().max().unwrap());
    assert!(most - least <= 4, "{all:?}");
}

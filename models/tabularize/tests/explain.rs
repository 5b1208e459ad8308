//! What a model loses where.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Sample, config, network};
use tablewright_model::{
    AttentionActivation, EncoderKind, KernelSpec, Network, NetworkConfig, Pool, TableModel,
};
use tablewright_tabularize::explain::{errors, f1, usage};
use tablewright_tabularize::{Evaluator, Options, Place, tabularize};

fn spec(encoder: EncoderKind, prototypes: usize) -> KernelSpec {
    KernelSpec { encoder, prototypes, subspaces: 2, bits: 8 }
}

fn tables(network: &Network, train: &Sample, spec: KernelSpec) -> TableModel {
    // Fitting the head to the labels would take it away from the network on purpose.
    let options = Options { spec, samples: 500, fine_tune: false, ..Options::default() };
    tabularize(network, train.data(), train.data(), &options, &mut |_| {}).unwrap().0
}

#[test]
fn a_broken_kernel_has_the_largest_error_and_costs_most() {
    let network = network(config(), 4);
    let (train, test) = (Sample::new(&network, 800, 1), Sample::new(&network, 400, 2));
    let mut model = tables(&network, &train, spec(EncoderKind::Tree, 32));
    // Every code looks up the entries of another.
    model.layers[0].ff1.table.entries.invert_axis(ndarray::Axis(1));
    let (exact, tables) = (Evaluator::of_network(&network).unwrap(), Evaluator::of_model(&model).unwrap());
    let worst = |of: &dyn Fn(Place) -> f64| {
        Place::all(&network.config).into_iter().max_by(|&a, &b| of(a).total_cmp(&of(b))).unwrap()
    };
    let error = |place| errors(&exact, &tables, place, test.windows.view()).unwrap();
    assert_eq!(worst(&|place| error(place).alone.relative().unwrap()), Place::Ff1(0));
    // What is broken spoils all that comes behind it, and nothing before.
    let cosine = |place| error(place).running.cosine();
    let broken = cosine(Place::Ff1(0));
    assert!(
        [Place::Embed, Place::Qkv(0), Place::Score(0), Place::Out(0)].into_iter().all(|p| cosine(p) > broken)
    );
    assert!(error(Place::Head).alone.cosine() > 0.95 && cosine(Place::Head) < 0.9);
    let with = |base: &Evaluator, place, from: &Evaluator| {
        let mut mixed = base.clone();
        mixed.replace(place, from);
        f1(&mixed, train.data(), test.data()).f1
    };
    assert_eq!(worst(&|place| -with(&exact, place, &tables)), Place::Ff1(0));
    assert_eq!(worst(&|place| with(&tables, place, &exact)), Place::Ff1(0));
    // Alone, a kernel errs on exact inputs; the first kernel of all has no other.
    let embed = error(Place::Embed);
    assert_eq!(embed.alone, embed.running);
}

#[test]
fn the_exact_network_has_no_errors_and_no_codes() {
    let network = network(config(), 4);
    let test = Sample::new(&network, 50, 2);
    let exact = Evaluator::of_network(&network).unwrap();
    for place in Place::all(&network.config) {
        let found = errors(&exact, &exact, place, test.windows.view()).unwrap();
        assert!(found.alone.mse() < 1e-12 && found.running.relative().unwrap() < 1e-6, "{place}");
        assert!(usage(&exact, place, test.windows.view()).is_empty());
    }
    let other = common::network(NetworkConfig { dim: 12, ..config() }, 4);
    let other = Evaluator::of_network(&other).unwrap();
    assert!(errors(&exact, &other, Place::Head, test.windows.view()).is_none());
    assert!(Evaluator::of_prototypes(&exact, &other, test.windows.view()).is_none());
}

/// With as many prototypes as there are vectors, encoding loses nothing; with few it does.
#[test]
fn prototypes_lose_what_encoding_loses() {
    for (pool, attention, encoder) in [
        (Pool::Cls, AttentionActivation::Softmax, EncoderKind::L2),
        (Pool::Mean, AttentionActivation::Sigmoid, EncoderKind::L2),
        (Pool::Last, AttentionActivation::Sigmoid, EncoderKind::Tree),
    ] {
        let network = network(NetworkConfig { pool, attention, ..config() }, 4);
        let exact = Evaluator::of_network(&network).unwrap();
        let sample = Sample::new(&network, 40, 1);
        let windows = sample.windows.view();
        let truth = exact.logits(windows);
        let size: f32 = truth.iter().map(|v| v * v).sum();
        let lost = |prototypes| {
            let model = tables(&network, &sample, spec(encoder, prototypes));
            let tables = Evaluator::of_model(&model).unwrap();
            let encoded = Evaluator::of_prototypes(&exact, &tables, windows).unwrap();
            (&encoded.logits(windows) - &truth).iter().map(|v| v * v).sum::<f32>() / size
        };
        let (few, many) = (lost(2), lost(512));
        assert!(many < 0.1 * few, "{pool:?} {attention:?} {encoder:?}: 2 lose {few}, 512 lose {many}");
        assert!(few > 0.02, "{few}");
    }
}

#[test]
fn usage_counts_every_vector_of_every_encoder() {
    let network = network(config(), 4);
    let sample = Sample::new(&network, 300, 1);
    let model = tables(&network, &sample, spec(EncoderKind::Tree, 16));
    let tables = Evaluator::of_model(&model).unwrap();
    let of = |place| usage(&tables, place, sample.windows.view());
    // Three accesses a window; the cls token is a constant.
    for subspace in of(Place::Embed) {
        assert_eq!(subspace.counts.iter().sum::<u64>(), 300 * 3);
        assert!(subspace.used() > 8 && subspace.margin.unwrap() > 0.0);
    }
    let score = of(Place::Score(0));
    let names: Vec<_> = score.iter().map(|usage| (usage.encoder, usage.subspace)).collect();
    assert_eq!(names, [("left", 0), ("left", 1), ("right", 0), ("right", 1)]);
    // Only the cls token asks, always the same, once a head; keys are those of four tokens.
    assert_eq!(score[0].counts.iter().sum::<u64>(), 300 * 2);
    assert!(score[0].used() <= 2 && score[0].entropy() <= 1.0 && score[0].top_share() >= 0.5);
    assert_eq!(score[2].counts.iter().sum::<u64>(), 300 * 2 * 4);
    assert!(score[2].entropy() > 2.0 && score[2].entropy() <= 4.0);
}

//! Random shapes: each lints, simulates and matches. `TABLEWRIGHT_SHAPES=N` makes it a campaign (`make shapes`).
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod support;

use support::Build;
use tablewright_design::{Design, Node, lower, passes};
use tablewright_model::testing::{dart, random_model};
use tablewright_model::{
    Activation, AttentionActivation, EncoderKind, KernelSpec, NetworkConfig, Pool, Positions,
};
use tablewright_plan::{Directive, Directives, Elements, Plan, Shape, pipeline};
use tablewright_verif::vectors::Random;

/// A shape within the documented limits, small enough to compile in seconds.
fn shape(random: &mut Random) -> (NetworkConfig, KernelSpec) {
    let mut pick = |low: u32, high: u32| (low + random.word() % (high - low + 1)) as usize;
    let mut network = NetworkConfig {
        history: pick(1, 12),
        segments: pick(1, 10),
        pool: [Pool::Cls, Pool::Last, Pool::Mean][pick(0, 2)],
        dim: pick(4, 20),
        layers: pick(1, 2),
        heads: pick(1, 3),
        head_dim: pick(1, 10),
        hidden: pick(1, 20),
        outputs: 2 * pick(1, 24),
        attention: [AttentionActivation::Softmax, AttentionActivation::Sigmoid][pick(0, 1)],
        activation: [Activation::Gelu, Activation::Relu][pick(0, 1)],
        ..dart()
    };
    let spec = KernelSpec {
        encoder: [EncoderKind::Tree, EncoderKind::Tree, EncoderKind::L2, EncoderKind::L1][pick(0, 3)],
        prototypes: 1 << pick(1, 5),
        subspaces: pick(1, 4),
        bits: [4, 6, 8, 12, 16, 32][pick(0, 5)],
    };
    if pick(0, 2) == 0 {
        network.positions = Positions::Relative;
        network.pool = Pool::Last;
        network.layers = 1;
    }
    (network, spec)
}

/// Registers anywhere, as the steps allow, each pair table either way, each table folded in any way it can be.
fn directives(design: &Design, random: &mut Random) -> Directives {
    let of = |node: &Node| {
        let elements = [Elements::Serial, Elements::Parallel][random.word() as usize % 2];
        let folds = pipeline::folds(node);
        let fold = folds[random.word() as usize % folds.len()];
        let steps = pipeline::steps(node, elements);
        let fixed = steps.iter().enumerate().filter(|(_, step)| step.fixed);
        let fixed = fixed.fold(0, |mask, (s, _)| mask | 1 << s);
        let shape = Shape { fold, ..Shape::of(elements) };
        Directive::new(shape, (random.word() & ((1 << steps.len()) - 1)) | fixed)
    };
    Directives(design.nodes.iter().map(of).collect())
}

#[test]
fn random_shapes_match() {
    let count: u64 = std::env::var("TABLEWRIGHT_SHAPES").ok().and_then(|n| n.parse().ok()).unwrap_or(4);
    for seed in 0..count {
        let (network, spec) = shape(&mut Random::new(seed));
        println!("shape {seed}: {network:?} {spec:?}");
        // Every second one laid out as it is where nobody says otherwise, the others at random.
        if seed % 2 == 0 {
            Build::random(&network, spec, seed).prove(60);
            continue;
        }
        let design = passes::for_hardware(&lower(&random_model(&network, spec, seed)));
        let directives = directives(&design, &mut Random::new(seed + (1 << 32)));
        println!("  {directives:?}");
        let plan = Plan::new(&design, &directives);
        Build::planned(design, plan).prove(60);
    }
}

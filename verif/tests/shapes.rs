//! Random shapes: each lints, simulates and matches under Verilator, one in ten under Icarus as well, which takes far longer.
//! `TABLEWRIGHT_SHAPES=N`, or `FROM..TO` for a part of them, makes it a campaign (`make shapes`).
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod support;

use std::time::Instant;

use support::Build;
use tablewright_design::{Design, Node, Protection, lower, lower_loaded, passes};
use tablewright_model::testing::{dart, random_model};
use tablewright_model::{
    Activation, AttentionActivation, EncoderKind, KernelSpec, NetworkConfig, Pool, Positions,
};
use tablewright_plan::{Directive, Directives, Elements, Plan, Shape, columns, pipeline};
use tablewright_verif::Compile;
use tablewright_verif::vectors::Random;

/// A small shape, that compiles in seconds.
fn small(random: &mut Random) -> (NetworkConfig, KernelSpec) {
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

/// The same with one dimension as large as it may be.
fn enlarged(
    (mut network, mut spec): (NetworkConfig, KernelSpec),
    random: &mut Random,
) -> (NetworkConfig, KernelSpec) {
    let mut pick = |low: u32, high: u32| (low + random.word() % (high - low + 1)) as usize;
    match pick(0, 6) {
        0 => {
            // A pair table has K² words.
            spec.prototypes = 1 << pick(6, 10);
            spec.subspaces = spec.subspaces.min(2);
            network.heads = 1;
        }
        1 => spec.subspaces = pick(5, 16),
        2 => network.history = pick(13, 64),
        3 => network.dim = pick(21, 128),
        4 if network.positions == Positions::Absolute => network.layers = pick(3, 4),
        4 | 5 => network.heads = pick(4, 8),
        _ => network.outputs = 2 * pick(25, 128),
    }
    (network, spec)
}

/// Registers anywhere, as the steps allow, each pair table either way, each table folded in any way it can be.
fn directives(design: &Design, random: &mut Random) -> Directives {
    let of = |node: &Node| {
        let either = [Elements::Serial, Elements::Parallel][random.word() as usize % 2];
        // Words of a parallel pair table are K entries wide.
        let wide = node
            .op
            .tables()
            .iter()
            .any(|t| u64::from(t.bits) << (t.rows.ilog2() / 2) > pipeline::WIDEST_BANK);
        let elements = if wide { Elements::Serial } else { either };
        let folds = pipeline::folds(node);
        let fold = folds[random.word() as usize % folds.len()];
        let steps = pipeline::steps(node, elements);
        let fixed = steps.iter().enumerate().filter(|(_, step)| step.fixed);
        let fixed = fixed.fold(0, |mask, (s, _)| mask | 1 << s);
        let shape = Shape { fold, ..Shape::of(elements) };
        Directive::new(shape, (random.word() & ((1 << steps.len()) - 1)) | fixed)
    };
    let mut directives: Vec<Directive> = design.nodes.iter().map(of).collect();
    // Columns at once in any way they can be.
    for (id, _) in design.iter() {
        let Some(codes) = columns::kept_codes(design, id) else { continue };
        let serial = |(n, node): (usize, &Node)| {
            node.inputs.contains(&codes) && directives[n].elements == Elements::Serial
        };
        let ways = columns::at_once(design, id);
        let any = random.word() as usize % ways.len();
        let at_once = if design.nodes.iter().enumerate().any(serial) { 1 } else { ways[any] };
        directives[id.0].at_once = at_once;
        directives[codes.0].at_once = at_once;
    }
    Directives(directives)
}

/// The campaign that was asked for, or a short one.
fn seeds() -> std::ops::Range<u64> {
    let asked = std::env::var("TABLEWRIGHT_SHAPES").unwrap_or_else(|_| "4".to_owned());
    let (from, to) = asked.split_once("..").unwrap_or(("0", &asked));
    from.parse().unwrap()..to.parse().unwrap()
}

#[test]
fn random_shapes_match() {
    for seed in seeds() {
        let mut random = Random::new(seed);
        let (mut network, mut spec) = small(&mut random);
        let large = seed % 5 == 4;
        if large {
            (network, spec) = enlarged((network, spec), &mut random);
        }
        let windows = if large { 20 } else { 60 };
        let model = random_model(&network, spec, seed);
        // Every fourth one is loaded.
        let protections = [Protection::Secded, Protection::Parity, Protection::None];
        let loaded = (seed % 4 == 3).then(|| protections[seed as usize / 4 % 3]);
        println!("shape {seed}: {network:?} {spec:?} loaded {loaded:?}");
        let started = Instant::now();
        let whole = match loaded {
            Some(protection) => lower_loaded(&model, protection),
            None => lower(&model),
        };
        let design = passes::for_hardware(&whole);
        // Every second one laid out as it is where nobody says otherwise, the others at random.
        let build = if seed % 2 == 0 {
            Build::of_design(design)
        } else {
            let directives = directives(&design, &mut Random::new(seed + (1 << 32)));
            println!("  {directives:?}");
            let plan = Plan::new(&design, &directives);
            Build::planned(design, plan)
        };
        match seed % 10 {
            0 => build.prove(windows),
            // Millions of words are loaded into some of them.
            _ if large => build.compare(windows, Compile::ForSpeed),
            _ => build.compare(windows, Compile::ForHaste),
        }
        println!("  matches, {:.0} s", started.elapsed().as_secs_f64());
    }
}

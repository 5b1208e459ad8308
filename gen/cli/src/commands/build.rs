//! `tablewright build`: a model to Verilog.

use std::path::PathBuf;

use serde::Serialize;
use tablewright_emit::{BuildDir, Interface, Origin, PrefetcherSummary, Vectors, files, write_build};
use tablewright_model::model_to_bytes;
use tablewright_plan::{Plan, text};
use tablewright_verif::vectors;

use crate::built::{designed, lowered, passes_run};
use crate::failure::{Failure, Outcome};
use crate::loadable::LoadArgs;
use crate::planned::PlanArgs;
use crate::stored::Stored;
use crate::subject;
use crate::ui::{Render, Ui, bits, count, pairs};

/// Windows of the self-checking testbenches, or accesses that have a bitmap or prefetches of their own.
const TESTBENCH_WINDOWS: usize = 64;
/// Windows or accesses of a trace that they are chosen from.
const TESTBENCH_CANDIDATES: usize = 1000;
/// Their seed.
const TESTBENCH_SEED: u64 = 1;

/// Turn a model into Verilog, table images, a testbench and a manifest
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  tablewright build models/zoo/mcfns-dart-s.safetensors -o mcf.build\n  \
    tablewright build app.safetensors -o app.build --trace app.champsimtrace.xz\n  \
    tablewright build app.safetensors -o app.build --latency 60\n  \
    tablewright build app.safetensors -o app.build --windows\n  \
    tablewright build app.safetensors -o app.build --plan app.plan")]
pub(crate) struct Args {
    /// Table model (safetensors)
    pub(crate) model: PathBuf,
    /// Directory to write; it may exist if an earlier build made it
    #[arg(short, long, value_name = "BUILD_DIR")]
    pub(crate) output: PathBuf,
    /// What the hardware is made for: banks of tables are made of what it has, and it is what `estimate` takes; see its --help
    #[arg(long, value_name = "NAME", default_value = tablewright_fpga::DEFAULT)]
    pub(crate) target: String,
    /// Take the testbench's windows from this trace; without it they are made up, and a trained model may predict little
    #[arg(long)]
    pub(crate) trace: Option<PathBuf>,
    /// Build the graph as lowered, without any optimisation pass
    #[arg(long)]
    pub(crate) no_passes: bool,
    /// Let the core take whole windows, also where it could take one access at a time in fewer cycles
    #[arg(long, conflicts_with = "no_passes")]
    pub(crate) windows: bool,
    #[command(flatten)]
    pub(crate) load: LoadArgs,
    #[command(flatten)]
    pub(crate) plan: PlanArgs,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Outcome, Failure> {
    let target = tablewright_fpga::target(&args.target)?;
    let model = subject::model(&args.model)?;
    let loaded = args.load.protection();
    let (design, passes) = if args.no_passes {
        (lowered(&model, loaded), Vec::new())
    } else {
        (designed(&model, args.windows, loaded), passes_run(args.windows))
    };
    let directives = args.plan.directives(&design, &target)?;
    let plan = Plan::new(&design, &directives);
    ui.detail(format_args!(
        "{} kernels, {} table words an inference",
        design.nodes.len(),
        design.words_per_inference()
    ));
    let (inputs, demands) = match &args.trace {
        Some(path) => {
            let trace = subject::trace(path, ui)?;
            let inputs = subject::inputs(&trace, &model, &design, TESTBENCH_CANDIDATES)?;
            (inputs, subject::demands(&trace, TESTBENCH_CANDIDATES))
        }
        None => (Vec::new(), Vec::new()),
    };
    let vectors = Vectors {
        core: vectors::testbench(&design, TESTBENCH_WINDOWS, &inputs, TESTBENCH_SEED),
        prefetcher: vectors::prefetcher_testbench(&design, TESTBENCH_WINDOWS, &demands, TESTBENCH_SEED),
    };
    let files = files(&design, &plan, &vectors)?;
    let origin = Origin {
        model: &model.name,
        model_bytes: &model_to_bytes(&model)?,
        plan: text::print(&design, &directives),
        passes,
        loaded: design.loaded,
        target: &target.name,
        cycles: (plan.latency, plan.interval),
        interface: Interface::of(&design, &plan),
        prefetcher: PrefetcherSummary::of(&design, &plan),
    };
    let manifest = write_build(&BuildDir::new(&args.output), &files, &origin)?;
    ui.print(&About {
        build_dir: args.output.display().to_string(),
        core: format!("rtl/{}.v", manifest.core),
        prefetcher: format!("rtl/{}.v", manifest.prefetcher.module),
        verilog_files: files.keys().filter(|f| f.starts_with("rtl/tw_")).count(),
        memory_images: files.keys().filter(|f| f.starts_with("rtl/mem/")).count(),
        stored: Stored::of(&design, &plan),
        encoder_bits: design.encoder_bits(),
        latency_cycles: plan.latency,
        interval_cycles: plan.interval,
        bottleneck: design.node(plan.bottleneck()).name.clone(),
        levels: plan.depth,
        passes: manifest.passes,
    })?;
    Ok(Outcome::Done)
}

#[derive(Debug, Serialize)]
struct About {
    build_dir: String,
    core: String,
    prefetcher: String,
    verilog_files: usize,
    memory_images: usize,
    #[serde(flatten)]
    stored: Stored,
    encoder_bits: u64,
    latency_cycles: u64,
    interval_cycles: u64,
    bottleneck: String,
    levels: u32,
    passes: Vec<String>,
}

impl Render for About {
    fn text(&self) -> String {
        let before = [
            ("build", self.build_dir.clone()),
            (
                "core",
                format!(
                    "{} ({} Verilog files, {} memory images)",
                    self.core, self.verilog_files, self.memory_images
                ),
            ),
            ("prefetcher", self.prefetcher.clone()),
        ];
        let behind = [
            ("encoders", bits(self.encoder_bits)),
            ("latency", format!("{} cycles", count(self.latency_cycles))),
            ("interval", format!("{} cycles, set by {}", count(self.interval_cycles), self.bottleneck)),
            ("clock", format!("at most {} levels of logic between two registers", self.levels)),
            ("next", format!("tablewright sim {}", self.build_dir)),
        ];
        pairs(before.into_iter().chain(self.stored.rows()).chain(behind))
    }
}

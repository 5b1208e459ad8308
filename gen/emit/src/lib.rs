//! Plan → files: Verilog, memory images, testbench, manifest.
//!
//! The only crate that knows the template engine. Everything that needs computing was computed by the design or the
//! plan; what is here prints. The same design gives the same bytes on every machine.

mod build;
mod diagram;
mod fusesoc;
mod image;
mod ipxact;
mod loading;
mod manifest;
mod names;
mod prefetcher;
mod registers;
mod render;
mod stage;

use std::collections::{BTreeMap, BTreeSet};

use minijinja::{Value as Context, context};
use tablewright_design::{Design, Node, NodeId};
use tablewright_plan::{Plan, PrefetcherPlan};

pub use build::{BuildDir, Origin, changed_files, check_origin, write_build};
pub use image::{Image, hex, images, loaded_images};
pub use loading::{Label, Loading, pack};
pub use manifest::{Interface, Manifest, PrefetcherSummary, read_manifest};
pub use names::{Names, identifier};

use render::Templates;
use stage::StageText;

/// What can go wrong when a build is written or read back.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder could not be written or read.
    #[error("{path}: {source}; {remedy}")]
    Io {
        /// File or folder.
        path: String,
        /// From the system.
        source: std::io::Error,
        /// What to do.
        remedy: &'static str,
    },
    /// A folder that is no build.
    #[error(
        "{0}: no build directory (it has no manifest.json); make one with `tablewright build MODEL -o BUILD_DIR`"
    )]
    NoBuild(String),
    /// A damaged or foreign manifest.
    #[error("{path}: {problem}; build again with `tablewright build`")]
    Manifest {
        /// The file.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A place that holds something else.
    #[error("{0}: there is something already, and it is no earlier build; choose another -o or remove it")]
    InTheWay(String),
    /// A path that ends in no name.
    #[error("{0}: the path ends in no name that the build could get; give the path of a folder to make")]
    NoName(String),
    /// A build whose model or plan was exchanged.
    #[error("{0}: not what the build was made from (its hash is not the manifest's); build again")]
    OtherOrigin(String),
    /// A fault of this program.
    #[error(
        "{0}: what would be stored is not the table; please report this as a bug, and build with --no-passes meanwhile"
    )]
    Packed(String),
    /// A fault of this program.
    #[error("template {0}: please report this as a bug")]
    Template(#[from] minijinja::Error),
}

/// A value that can be watched in simulation: the rows of one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boundary {
    /// The node.
    pub node: NodeId,
    /// Its name; the signals are `NAME_valid` and `NAME_data`.
    pub name: String,
    /// Bits of a row.
    pub row_width: u64,
    /// Rows that come at once, the first in the lowest bits.
    pub at_once: u64,
}

impl Boundary {
    /// Bits of the data.
    pub fn width(&self) -> u64 {
        self.row_width * self.at_once
    }
}

/// The boundaries of a design under a plan, in the order of its nodes.
pub fn boundaries(design: &Design, plan: &Plan) -> Vec<Boundary> {
    let of = |(id, node): (NodeId, &Node)| Boundary {
        node: id,
        name: node.name.clone(),
        row_width: stage::row_width(node),
        at_once: plan.stage(id).at_once(),
    };
    design.iter().map(of).collect()
}

/// Bits of the streams' data: whole bytes, as AXI4-Stream wants it.
pub fn stream_widths(design: &Design) -> (usize, usize) {
    let network = &design.network;
    (window_bits(design).next_multiple_of(8), network.outputs.next_multiple_of(8))
}

/// Bits of what the design takes at a time: the accesses of a window, or one access.
fn window_bits(design: &Design) -> usize {
    design.accesses() * design.network.segments * design.input.segment_bits as usize
}

/// Vectors that go with the testbenches.
#[derive(Debug, Clone, Default)]
pub struct Vectors {
    /// Of the core.
    pub core: CoreVectors,
    /// Of the prefetcher.
    pub prefetcher: PrefetcherVectors,
}

/// Each a demand access; and the prefetches of all of them, where none is dropped.
#[derive(Debug, Clone, Default)]
pub struct PrefetcherVectors {
    /// One line an access, for `$readmemh`.
    pub accesses: String,
    /// One line a prefetch address.
    pub prefetches: String,
}

/// Each a window and its bitmap.
#[derive(Debug, Clone, Default)]
pub struct CoreVectors {
    /// One line a window, for `$readmemh`.
    pub windows: String,
    /// One line a bitmap.
    pub bitmaps: String,
    /// How many.
    pub count: usize,
}

/// The files of a build by path inside it: `rtl/`, `rtl/mem/`, `tb/`, and the core file of `FuseSoC`.
pub fn files(design: &Design, plan: &Plan, vectors: &Vectors) -> Result<BTreeMap<String, String>, Error> {
    if let Some(place) = image::packed_wrong(design, plan) {
        return Err(Error::Packed(place));
    }
    let names = Names::new(&design.name);
    let templates = Templates::new()?;
    let mut files = BTreeMap::new();
    let mut used: BTreeSet<&'static str> = BTreeSet::new();
    let mut add_rtl = |files: &mut BTreeMap<String, String>, module: &str, text: String| {
        used.extend(render::cells_in(&text));
        files.insert(format!("rtl/{module}.v"), text);
    };

    let loading = Loading::of(design, plan);
    let stages: Vec<StageText> = design
        .iter()
        .map(|(id, node)| stage::stage(design, plan, &names, loading.as_ref(), node, plan.stage(id)))
        .collect();
    for generated in stages.iter().filter_map(|s| s.generated.as_ref()) {
        let text = templates.render(generated.template, generated.context.clone())?;
        // Elaborated alone, a generated module needs the macro that the core defines for the whole build.
        let text = with_memory_path(&text);
        add_rtl(&mut files, &generated.module, text);
    }
    let (in_width, out_width) = stream_widths(design);
    let last = design.nodes.last().map(|n| n.name.clone());
    let logits = design.node(design.logits());
    let common = context! {
        core => names.core(),
        predictor => names.predictor(),
        logits => logits.name.clone(),
        logits_format => logits.value.format.to_string(),
        logits_cycle => plan.stage(design.logits()).last(),
        row_width => stage::row_width(logits),
        in_width,
        out_width,
        what => if design.streaming { "access" } else { "window" },
        whats => if design.streaming { "accesses" } else { "windows" },
        history => design.network.history,
        warm_up => design.warm_up(),
        latency => plan.latency,
        interval => plan.interval,
        windows => vectors.core.count,
        streaming => design.streaming,
        queue => plan.queue,
        outputs => design.network.outputs,
        window_width => window_bits(design),
        segments => design.network.segments,
        segment_bits => design.input.segment_bits,
        threshold_width => design.logits_format().width + 1,
        own_reset => loading.is_some(),
        loading => loading.as_ref().map(|loading| loading_context(design, &names, loading)),
    };
    // The last node, the decision, is in the core; the predictor has the others.
    let (before, decision) = stages.split_at(stages.len() - 1);

    let core = context! {
        title => format!("{}: the predictor of model {}", names.core(), design.name),
        module => names.core(),
        decision => decision.first().map(render::data),
        last => last.clone(),
        ..common.clone()
    };
    add_rtl(&mut files, &names.core(), templates.render("core.v.j2", core)?);
    let predictor = context! {
        title => format!("{}: the logits of model {}", names.predictor(), design.name),
        module => names.predictor(),
        stages => render::data(&before),
        unread => unread(design),
        ..common.clone()
    };
    add_rtl(&mut files, &names.predictor(), templates.render("predictor.v.j2", predictor)?);
    let around = prefetcher::context(design, plan, &PrefetcherPlan::new(design, plan), &names);
    let prefetcher = context! { ..around.clone(), ..common.clone() };
    add_rtl(&mut files, &names.prefetcher(), templates.render("prefetcher.v.j2", prefetcher)?);
    let around = context! { loading => common.get_attr("loading")?, ..around };
    let probe = templates.render("prefetcher_probe.v.j2", around.clone())?;
    files.insert(format!("tb/{}.v", names.prefetcher_probe()), probe);
    files.insert("tb/prefetcher.cpp".to_owned(), templates.render("prefetcher.cpp.j2", around.clone())?);
    let PrefetcherVectors { accesses, prefetches } = &vectors.prefetcher;
    let testbench = context! {
        module => names.prefetcher_testbench(),
        accesses => accesses.lines().count(),
        prefetches => prefetches.lines().count(),
        ..around
    };
    let text = templates.render("prefetcher_tb.v.j2", testbench)?;
    files.insert(format!("tb/{}.v", names.prefetcher_testbench()), text);
    files.insert("tb/vectors/accesses.hex".to_owned(), accesses.clone());
    if let Some(loading) = &loading {
        let label = Label { version: 1, activate: true };
        let words = loading.hex(label);
        files.insert("tb/vectors/tables.hex".to_owned(), words);
        let (name, text) = render::TABLE_FEED;
        files.insert(format!("tb/{name}"), text.to_owned());
        files.insert("REGISTERS.md".to_owned(), registers::document(&names, loading));
        files.insert(names.header(), registers::header(&names, loading));
    }
    files.insert("tb/vectors/prefetches.hex".to_owned(), prefetches.clone());

    // Cells use cells.
    loop {
        let more: BTreeSet<&'static str> =
            used.iter().filter_map(|c| render::cell(c)).flat_map(render::cells_in).collect();
        if more.is_subset(&used) {
            break;
        }
        used.extend(more);
    }
    used.insert("tw_fifo");
    for name in used {
        if let Some(text) = render::cell(name) {
            files.insert(format!("rtl/{name}.v"), text.to_owned());
        }
    }
    for image in images(design, plan) {
        files.insert(format!("rtl/mem/{}", image.file), image.text());
    }
    let watched: Vec<Context> = boundaries(design, plan)
        .iter()
        .map(|b| {
            // Where in the core its signals are.
            let place = if last.as_ref() == Some(&b.name) { "" } else { "u_predictor." };
            context! { name => b.name.clone(), width => b.width(), place }
        })
        .collect();
    let probe = context! { module => names.probe(), boundaries => watched, ..common.clone() };
    files.insert(format!("tb/{}.v", names.probe()), templates.render("probe.v.j2", probe)?);
    let distinct: BTreeSet<&str> = vectors.core.bitmaps.lines().collect();
    let testbench = context! {
        module => names.testbench(),
        distinct => distinct.len(),
        ..common.clone()
    };
    files.insert(format!("tb/{}.v", names.testbench()), templates.render("tb.v.j2", testbench)?);
    let text = harness(design, plan, &names, &templates, common.get_attr("loading")?)?;
    files.insert("tb/harness.cpp".to_owned(), text);
    files.insert("tb/vectors/windows.hex".to_owned(), vectors.core.windows.clone());
    files.insert("tb/vectors/bitmaps.hex".to_owned(), vectors.core.bitmaps.clone());
    files.insert(diagram::path(&design.name), diagram::text(design, plan));
    let described = ipxact::files(design, &names, loading.as_ref(), &files);
    files.extend(described);
    let core_file = fusesoc::text(&design.name, &files);
    files.insert(fusesoc::path(&design.name), core_file);
    Ok(files)
}

/// The load machinery, as numbers for its template.
fn loading_context(design: &Design, names: &Names, loading: &Loading) -> Context {
    context! {
        memories => loading.memories.len(),
        shape => format!("{:016x}", loading.shape),
        words => loading.payload_words(),
        image_words => loading.image(Label::default()).len(),
        sizes => loading.sizes(),
        kind => loading.protection as u8,
        threshold => stage::held_threshold(design, names, Some(loading)).map(|held| render::data(&held)),
    }
}

/// Puts the default of the memory path in front of the module.
fn with_memory_path(text: &str) -> String {
    if !text.contains("`TW_MEM") {
        return text.to_owned();
    }
    text.replacen("module ", "`ifndef TW_MEM\n`define TW_MEM \"mem/\"\n`endif\nmodule ", 1)
}

/// Signals that nobody reads: an operand whose lanes or rows all stay behind a selection still has readers, so these are
/// just the values of nodes without a consumer, except the last.
fn unread(design: &Design) -> Vec<String> {
    let mut read = vec![false; design.nodes.len()];
    for node in &design.nodes {
        for input in &node.inputs {
            read[input.0] = true;
        }
    }
    if let Some(last) = read.last_mut() {
        *last = true;
    }
    design
        .iter()
        .filter(|(id, _)| !read[id.0])
        .flat_map(|(_, n)| [format!("{}_valid", n.name), format!("{}_data", n.name)])
        .collect()
}

fn harness(
    design: &Design,
    plan: &Plan,
    names: &Names,
    templates: &Templates,
    loading: Context,
) -> Result<String, Error> {
    let list: Vec<Context> = boundaries(design, plan)
        .iter()
        .map(|b| {
            let stage = plan.stage(b.node);
            context! {
                name => b.name.clone(),
                words => b.row_width.div_ceil(32),
                bits => b.row_width,
                all_words => b.width().div_ceil(32),
                rows => stage.rows,
                at_once => b.at_once,
                ahead => stage.ahead().map_or(0, |(rows, _)| rows),
                ahead_first => stage.ahead().map_or(0, |(_, first)| first),
                first => stage.first,
                every => stage.row_interval,
            }
        })
        .collect();
    let (in_width, out_width) = stream_widths(design);
    let context = context! {
        loading,
        probe => names.probe(),
        window_words => window_bits(design).div_ceil(32),
        in_words => in_width.div_ceil(32),
        out_words => out_width.div_ceil(32),
        latency => plan.latency,
        interval => plan.interval,
        boundaries => list,
    };
    Ok(templates.render("harness.cpp.j2", context)?)
}

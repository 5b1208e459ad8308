//! `tablewright info`: what a file or build directory is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;
use tablewright_design::{lower, passes};
use tablewright_emit::read_manifest;
use tablewright_model::{
    Form, InputConfig, KernelSpec, Network, NetworkConfig, Positions, TableModel, load_model, load_network,
};
use tablewright_plan::{Directives, Plan, text};
use tablewright_trace::{TraceFormat, TraceInfo};

use crate::built::{Built, designed};
use crate::failure::{Failure, Outcome};
use crate::planned;
use crate::stored::Stored;
use crate::subject::{self, Subject};
use crate::ui::{Render, Ui, bits, count, grid, pairs};

/// Say what a trace, a model, a network or a build directory is and holds
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    tablewright info app.champsimtrace.xz\n  \
    tablewright info models/zoo/libquantum_shor-dart.safetensors\n  \
    tablewright info app.build --format json\n  \
    tablewright info app.safetensors --plan -q > app.plan")]
pub(crate) struct Args {
    /// A trace, a table model, a float network or a build directory
    #[arg(value_name = "TRACE|MODEL|BUILD_DIR")]
    pub(crate) subject: PathBuf,
    /// Of a model or a build directory, print the plan: how each kernel is laid over time and space
    #[arg(long)]
    pub(crate) plan: bool,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Outcome, Failure> {
    const WANTED: &str =
        "a trace (ChampSim or ML-DPC), a table model or network (safetensors) or a build directory";
    let path = &args.subject;
    if args.plan {
        ui.print(&AboutPlan::of(path)?)?;
        return Ok(Outcome::Done);
    }
    match Subject::of(path, WANTED)? {
        Subject::Trace(format) => {
            let trace = subject::trace(path, ui)?;
            ui.print(&AboutTrace { what: "trace", format, info: &trace.info })?;
        }
        Subject::Model => ui.print(&AboutModel::of(&path.display().to_string(), &load_model(path)?))?,
        Subject::Network => ui.print(&AboutNetwork::of(&path.display().to_string(), &load_network(path)?))?,
        Subject::BuildDir => ui.print(&AboutBuild::of(path)?)?,
    }
    Ok(Outcome::Done)
}

/// How the kernels of a model or a build are laid out.
#[derive(Debug, Serialize)]
struct AboutPlan {
    what: &'static str,
    file: String,
    plan: String,
}

impl AboutPlan {
    fn of(path: &Path) -> Result<Self, Failure> {
        const WANTED: &str = "a table model (safetensors) or a build directory";
        let (design, directives) = match Subject::of(path, WANTED)? {
            Subject::Model => {
                let design = designed(&load_model(path)?, false, None);
                let directives = Directives::automatic(&design);
                (design, directives)
            }
            Subject::BuildDir => {
                let built = Built::open(path)?;
                let directives = planned::read(&built.dir.plan(), &built.design)?;
                (built.design, directives)
            }
            other => return Err(other.instead(path, WANTED)),
        };
        let plan = text::print(&design, &directives);
        Ok(Self { what: "plan", file: path.display().to_string(), plan })
    }
}

impl Render for AboutPlan {
    fn text(&self) -> String {
        self.plan.trim_end().to_owned()
    }
}

/// A trace.
#[derive(Debug, Serialize)]
struct AboutTrace<'a> {
    what: &'static str,
    #[serde(skip)]
    format: TraceFormat,
    #[serde(flatten)]
    info: &'a TraceInfo,
}

impl Render for AboutTrace<'_> {
    fn text(&self) -> String {
        let info = self.info;
        let share = |share: f64| format!("{:.1} %", 100.0 * share);
        let mut rows = vec![
            ("file", info.file.clone()),
            ("what", self.format.to_string()),
            ("records", count(info.records)),
            ("loads", count(info.loads)),
            ("stores", count(info.stores)),
            ("left out", count(info.dropped)),
            (
                "accesses",
                format!(
                    "{} ({} loads, {} stores)",
                    count(info.accesses),
                    count(info.llc_loads),
                    count(info.llc_rfos)
                ),
            ),
            ("blocks", count(info.unique_blocks)),
            ("pages", count(info.unique_pages)),
            ("program counters", count(info.unique_ips)),
            ("steps up to 128 blocks", share(info.deltas_in_range)),
            ("of them in their page", share(info.deltas_in_page)),
            ("note", info.note.to_owned()),
        ];
        rows.extend(info.warning.map(|warning| ("warning", warning.to_owned())));
        pairs(rows)
    }
}

/// A table model, with what its optimised design needs.
#[derive(Debug, Serialize)]
struct AboutModel<'a> {
    what: &'static str,
    file: &'a str,
    name: &'a str,
    network: &'a NetworkConfig,
    input: &'a InputConfig,
    threshold: f64,
    activation_bits: u32,
    kernels: Vec<Kernel>,
    /// Of all tables in hardware, as it is laid out where nothing is asked for.
    #[serde(flatten)]
    stored: Stored,
    /// Of all thresholds and prototypes in hardware.
    encoder_bits: u64,
    words_per_inference: u64,
    /// The hardware takes one access at a time and not a window.
    streaming: bool,
    provenance: &'a BTreeMap<String, String>,
}

/// A line of the kernels' table.
#[derive(Debug, Serialize)]
struct Kernel {
    name: String,
    form: &'static str,
    features: usize,
    #[serde(flatten)]
    spec: KernelSpec,
    entries: usize,
    entry_bits: usize,
}

impl<'a> AboutModel<'a> {
    fn of(file: &'a str, model: &'a TableModel) -> Self {
        let design = passes::for_hardware(&lower(model));
        let kernels = model.kernels().into_iter().map(|(site, kernel)| {
            let spec = *kernel.spec();
            let entries = site.entries(&spec);
            let form = match site.form {
                Form::Linear => "linear",
                Form::Qkv => "qkv",
                Form::Pair => "pair",
            };
            Kernel {
                form,
                features: site.features,
                spec,
                entries,
                entry_bits: entries * spec.bits as usize,
                name: site.name,
            }
        });
        Self {
            what: "model",
            file,
            name: &model.name,
            network: &model.network,
            input: &model.input,
            threshold: model.threshold,
            activation_bits: model.activation_bits,
            kernels: kernels.collect(),
            stored: Stored::of(&design, &Plan::automatic(&design)),
            encoder_bits: design.encoder_bits(),
            words_per_inference: design.words_per_inference(),
            streaming: design.streaming,
            provenance: &model.provenance,
        }
    }
}

impl Render for AboutModel<'_> {
    fn text(&self) -> String {
        let mut rows =
            vec![("file".to_owned(), self.file.to_owned()), ("what".to_owned(), "table model".to_owned())];
        rows.push(("name".into(), self.name.into()));
        rows.extend(about_network(self.network, self.input));
        rows.push(("threshold".into(), format!("{:.4}", self.threshold)));
        rows.push(("activations".into(), format!("{} bits", self.activation_bits)));
        let kernels = self.kernels.iter().map(|k| {
            vec![
                k.name.clone(),
                k.form.into(),
                count(k.features),
                word(&k.spec.encoder),
                count(k.spec.prototypes),
                count(k.spec.subspaces),
                count(k.spec.bits),
                count(k.entries),
                count(k.entry_bits),
            ]
        });
        let header = ["kernel", "form", "features", "encoder", "K", "C", "bits", "entries", "entry bits"];
        let kernels = grid(&header, &[2, 4, 5, 6, 7, 8], kernels);
        let mut sums = self.stored.rows();
        sums.extend([
            ("encoders", bits(self.encoder_bits)),
            ("table words read per inference", count(self.words_per_inference)),
        ]);
        if self.streaming {
            sums.push(("takes", "one access at a time".to_owned()));
        }
        let sums = pairs(sums);
        let text = format!("{}\n\n{kernels}\n\n{sums}", pairs(rows));
        with_provenance(text, self.provenance)
    }
}

/// A float network.
#[derive(Debug, Serialize)]
struct AboutNetwork<'a> {
    what: &'static str,
    file: &'a str,
    name: &'a str,
    network: &'a NetworkConfig,
    input: &'a InputConfig,
    parameters: usize,
    provenance: &'a BTreeMap<String, String>,
}

impl<'a> AboutNetwork<'a> {
    fn of(file: &'a str, network: &'a Network) -> Self {
        let config = &network.config;
        let dense = |inputs: usize, outputs: usize| (inputs + 1) * outputs;
        let norm = 2 * config.dim;
        let layer = norm
            + dense(config.dim, 3 * config.inner())
            + dense(config.inner(), config.dim)
            + norm
            + dense(config.dim, config.hidden)
            + dense(config.hidden, config.dim);
        let tokens = network.pos.len() + network.cls.as_ref().map_or(0, ndarray::ArrayBase::len);
        let parameters = dense(config.segments, config.dim)
            + tokens
            + config.layers * layer
            + norm
            + dense(config.dim, config.outputs);
        Self {
            what: "network",
            file,
            name: &network.name,
            network: config,
            input: &network.input,
            parameters,
            provenance: &network.provenance,
        }
    }
}

impl Render for AboutNetwork<'_> {
    fn text(&self) -> String {
        let mut rows =
            vec![("file".to_owned(), self.file.to_owned()), ("what".to_owned(), "float network".to_owned())];
        rows.push(("name".into(), self.name.into()));
        rows.extend(about_network(self.network, self.input));
        rows.push(("parameters".into(), count(self.parameters)));
        with_provenance(pairs(rows), self.provenance)
    }
}

/// A build directory: what its manifest says.
#[derive(Debug, Serialize)]
struct AboutBuild {
    what: &'static str,
    directory: String,
    manifest: serde_json::Value,
}

impl AboutBuild {
    fn of(path: &Path) -> Result<Self, Failure> {
        let manifest = serde_json::to_value(read_manifest(path)?)
            .map_err(|reason| Failure::Print(std::io::Error::other(reason)))?;
        Ok(Self { what: "build", directory: path.display().to_string(), manifest })
    }
}

impl Render for AboutBuild {
    fn text(&self) -> String {
        let mut rows = vec![
            ("directory".to_owned(), self.directory.clone()),
            ("what".to_owned(), "build directory".to_owned()),
        ];
        for (key, value) in self.manifest.as_object().into_iter().flatten() {
            let text = match value {
                serde_json::Value::String(text) => text.clone(),
                serde_json::Value::Array(items) => format!("{} entries", items.len()),
                serde_json::Value::Object(fields) => format!("{} entries", fields.len()),
                other => other.to_string(),
            };
            rows.push((key.clone(), text));
        }
        pairs(rows)
    }
}

/// Sizes and choices, in lines that people know from the paper.
fn about_network(network: &NetworkConfig, input: &InputConfig) -> Vec<(String, String)> {
    let n = network;
    vec![
        (
            "window".into(),
            format!(
                "{} accesses of {} segments ({} of the program counter), {} bits each",
                n.history, n.segments, input.pc_segments, input.segment_bits
            ),
        ),
        (
            "network".into(),
            format!(
                "L{} D{} H{}, heads of {}, feed-forward {}, {} attention, {}, pool {}{}",
                n.layers,
                n.dim,
                n.heads,
                n.head_dim,
                n.hidden,
                word(&n.attention),
                word(&n.activation),
                word(&n.pool),
                match n.positions {
                    Positions::Absolute => "",
                    Positions::Relative => ", relative positions",
                }
            ),
        ),
        ("outputs".into(), format!("{} deltas within {} accesses", n.outputs, input.lookahead)),
        (
            "issue".into(),
            format!("up to {} prefetches, filter of {} recent requests", input.degree, input.filter),
        ),
    ]
}

/// A choice as it is written in files.
fn word(choice: &impl Serialize) -> String {
    serde_json::to_value(choice).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn with_provenance(text: String, provenance: &BTreeMap<String, String>) -> String {
    if provenance.is_empty() {
        return text;
    }
    let rows = provenance.iter().map(|(key, value)| (format!("  {key}"), value));
    format!("{text}\n\nprovenance\n{}", pairs(rows))
}

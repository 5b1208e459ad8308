//! `tablewright configure`: picks L, D, H, K, C, bits and encoder within limits.

mod file;
mod measured;
mod report;
mod student;

use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::ValueEnum;
use clap::builder::{RangedI64ValueParser, RangedU64ValueParser};
use serde::Serialize;
use tablewright_configure::greedy::{greedy, ranked};
use tablewright_configure::{Base, Limits, Schedule, Shapes, Space, Survey, Tables, TargetLimit};
use tablewright_model::{EncoderKind, Network, Positions, Purpose, load_network};
use tablewright_plan::Resources;

use self::report::{Chosen, Report};
use crate::config::{Config, Role};
use crate::failure::{Failure, Outcome};
use crate::outfile;
use crate::subject::Subject;
use crate::trainer::Trainer;
use crate::training::override_page_bits;
use crate::ui::{Ui, Unit};

/// Pick layers, widths, prototypes, subspaces, bits and encoder within limits on latency and storage
///
/// Latency, interval and storage are read off the plan of a design of each shape, not from a formula; the published
/// formula's figures stand beside them. A figure equal to its limit is within it. Storage is that of tables and encoders.
#[derive(Debug, clap::Args)]
#[command(after_help = "Strategies:\n  \
    greedy    the paper's rule: of what is within the limits the largest latency, of that the largest storage;\n            \
              seconds, nothing is trained\n  \
    measured  by F1: a NETWORK is turned into tables of many kinds, kernel by kernel, first on few samples, the best on\n            \
              all; for a TRACE some students are trained before. The work is counted in evaluations, so that a seed\n            \
              always gives the same result\n\n\
    Examples:\n  \
    tablewright configure app.champsimtrace.xz --latency 250 --storage 220000 -o my.toml\n  \
    tablewright train app.champsimtrace.xz -o app.safetensors --config my.toml\n  \
    tablewright configure network.safetensors --trace app.champsimtrace.xz --strategy measured \\\n      \
      --latency 250 --storage 100000 --evaluations 60\n  \
    tablewright configure app.champsimtrace.xz --latency 400 --storage 100000 --target ecp5 --limit block-rams=56\n\n\
    DART (--layers 1 --dims 32 --heads 2 --prototypes 128 --subspaces 2 --bits 8) is planned at 243 cycles and 216,739 bytes.")]
pub(crate) struct Args {
    /// Memory trace, or a float network that is to be turned into tables
    #[arg(value_name = "TRACE|NETWORK")]
    subject: PathBuf,
    /// Cycles from a window to its bitmap, at most
    #[arg(long, value_name = "CYCLES", value_parser = RangedU64ValueParser::<u64>::new().range(1..))]
    latency: u64,
    /// Bytes of tables and encoders, at most
    #[arg(long, value_name = "BYTES", value_parser = RangedU64ValueParser::<u64>::new().range(1..=1 << 40))]
    storage: u64,
    /// Cycles from one window to the next, at most
    #[arg(long, value_name = "CYCLES", value_parser = RangedU64ValueParser::<u64>::new().range(1..))]
    interval: Option<u64>,
    /// What the hardware is made for: its figures are shown and can be limited (see `estimate`)
    #[arg(long, value_name = "NAME", default_value = tablewright_fpga::DEFAULT)]
    target: String,
    /// A figure of the target, at most: area (µm²), luts, flip-flops, block-rams or multipliers; may be repeated
    #[arg(long, value_name = "FIGURE=NUMBER")]
    limit: Vec<FigureLimit>,
    /// How to choose among what is within the limits
    #[arg(long, value_enum, default_value_t = Strategy::Greedy)]
    strategy: Strategy,
    /// Trace to measure a NETWORK on
    #[arg(long, value_name = "TRACE")]
    trace: Option<PathBuf>,
    /// What is not searched, and where the file to write begins: a student (dart-s, dart, dart-l, stream-s, stream), or a TOML file
    #[arg(long, value_name = "NAME|FILE.toml", default_value = "dart")]
    config: String,
    /// Write the configuration, as `train --config` takes it
    #[arg(short, long, value_name = "FILE.toml")]
    output: Option<PathBuf>,
    #[command(flatten)]
    search: SearchArgs,
    #[command(flatten)]
    space: SpaceArgs,
}

/// Of `--strategy measured`.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Of --strategy measured")]
struct SearchArgs {
    /// Table models to make, most of them on a part of the samples [default: 40]
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(Schedule::LEAST as u64..=10_000))]
    evaluations: Option<usize>,
    /// Networks to train on a TRACE before tables are made of the best, 1 to 32 [default: 3]
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..=32))]
    students: Option<usize>,
    /// Seed of training, drawing and search [default: 1]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Learn from at most N windows, choose on a quarter as many [default: the configuration's]
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    max_windows: Option<usize>,
    /// Label, and later issue, only inside a page of 2^N bytes; 12 if the trace has physical addresses
    #[arg(long, value_name = "N", value_parser = RangedI64ValueParser::<u32>::new().range(1..=48))]
    page_bits: Option<u32>,
}

/// What there is to choose from.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "To choose from (lists)")]
struct SpaceArgs {
    /// L, 1 to 4 [default: 1,2,3,4]
    #[arg(long, value_name = "N,...", value_delimiter = ',')]
    layers: Vec<usize>,
    /// D, 4 to 128; heads and feed-forward block keep their proportion to it [default: 8,16,32,64,128]
    #[arg(long, value_name = "N,...", value_delimiter = ',')]
    dims: Vec<usize>,
    /// H, 1 to 8 [default: 1,2,4]
    #[arg(long, value_name = "N,...", value_delimiter = ',')]
    heads: Vec<usize>,
    /// absolute, relative (streaming, one layer) [default: both]
    #[arg(long, value_name = "KIND,...", value_delimiter = ',', value_parser = positions)]
    positions: Vec<Positions>,
    /// K, powers of two, 2 to 1024 [default: 8 to 1024]
    #[arg(long, value_name = "N,...", value_delimiter = ',')]
    prototypes: Vec<usize>,
    /// C, 1 to 16; fewer where a kernel has fewer features [default: 1,2,4,8]
    #[arg(long, value_name = "N,...", value_delimiter = ',')]
    subspaces: Vec<usize>,
    /// Bits of an entry: 4, 6, 8, 12, 16, 32 [default: greedy the configuration's, measured 4,6,8,12]
    #[arg(long, value_name = "N,...", value_delimiter = ',')]
    bits: Vec<u32>,
    /// tree, l2, l1 [default: greedy the configuration's, measured all]
    #[arg(long, value_name = "KIND,...", value_delimiter = ',', value_parser = encoder)]
    encoders: Vec<EncoderKind>,
}

/// How to choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Strategy {
    /// The paper's rule
    Greedy,
    /// By measured F1
    Measured,
}

fn positions(text: &str) -> Result<Positions, String> {
    match text {
        "absolute" => Ok(Positions::Absolute),
        "relative" => Ok(Positions::Relative),
        _ => Err("allowed are absolute and relative".to_owned()),
    }
}

fn encoder(text: &str) -> Result<EncoderKind, String> {
    match text {
        "tree" => Ok(EncoderKind::Tree),
        "l2" => Ok(EncoderKind::L2),
        "l1" => Ok(EncoderKind::L1),
        _ => Err("allowed are tree, l2 and l1".to_owned()),
    }
}

/// Figures of targets that can be limited: as they are asked for, and how their names begin.
const FIGURES: [(&str, &str); 5] = [
    ("area", "area in all"),
    ("luts", "look-up tables"),
    ("flip-flops", "flip-flops"),
    ("block-rams", "block RAMs"),
    ("multipliers", "multipliers"),
];

/// A limit on one of [`FIGURES`].
#[derive(Debug, Clone)]
struct FigureLimit {
    key: &'static str,
    what: &'static str,
    limit: f64,
}

impl FromStr for FigureLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = FIGURES.map(|(key, _)| key).join(", ");
        let (key, number) = text.split_once('=').ok_or("give FIGURE=NUMBER, such as block-rams=56")?;
        let found = FIGURES.iter().find(|(name, _)| *name == key);
        let &(key, what) = found.ok_or_else(|| format!("`{key}` is not known, figures are {known}"))?;
        match number.parse() {
            Ok(limit) if limit >= 0.0 && f64::is_finite(limit) => Ok(Self { key, what, limit }),
            _ => Err(format!("`{number}` is no number, 0 or more")),
        }
    }
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Outcome, Failure> {
    let call = Call::of(args)?;
    let space = call.space();
    let bar = ui.bar("planning", Unit::Items, space.candidates()?.len() as u64);
    let survey = Survey::of(&space, &call.base, &call.limits, &|done| bar.at(done as u64))?;
    drop(bar);
    // Also refuses, with what could be reached, when nothing is within the limits.
    let (first, figures) = greedy(&survey, &call.base, &call.limits)?;
    let (chosen, measured) = match args.strategy {
        Strategy::Greedy => (Chosen { candidate: first.clone(), figures: figures.clone(), f1: None }, None),
        Strategy::Measured => {
            let (chosen, measured) = call.measured(&survey, ui)?;
            (chosen, Some(measured))
        }
    };
    if let Some(output) = &args.output {
        file::write(output, &call, &chosen)?;
    }
    let finalists = ranked(&survey);
    ui.print(&Report::of(&call, &survey, &finalists, chosen, measured))?;
    Ok(Outcome::Done)
}

/// A checked call.
struct Call<'a> {
    args: &'a Args,
    /// With the network of a NETWORK.
    config: Config,
    /// The text that `config` was read from.
    text: String,
    /// What is turned into tables, if it was given.
    network: Option<Network>,
    base: Base,
    limits: Limits,
}

impl<'a> Call<'a> {
    /// Everything that can be refused is refused before the long work begins.
    fn of(args: &'a Args) -> Result<Self, Failure> {
        const WANTED: &str = "a memory trace or a float network (safetensors)";
        let target = tablewright_fpga::target(&args.target)?;
        let mut config = Config::load(&args.config)?;
        let text = crate::config::text("--config", &args.config, Role::Student)?;
        let network = match Subject::of(&args.subject, WANTED)? {
            Subject::Trace(_) => None,
            Subject::Network => Some(load_network(&args.subject)?),
            other => return Err(other.instead(&args.subject, WANTED)),
        };
        args.check(network.as_ref())?;
        if args.strategy == Strategy::Measured && network.is_none() {
            // Students are trained long after this.
            Trainer::find()?;
        }
        if let Some(network) = &network {
            config.network = network.config.clone();
            config.input = network.input.clone();
        }
        override_page_bits(&mut config.input, args.search.page_bits)?;
        config.tables.seed = args.seed();
        config.training.max_windows = args.search.max_windows.or(config.training.max_windows);
        if let Some(output) = &args.output {
            let inputs: Vec<&Path> = [Some(&args.subject), args.trace.as_ref()]
                .into_iter()
                .flatten()
                .map(|path| &**path)
                .collect();
            outfile::check_place(output, &inputs)?;
        }
        let known = target.figures(&Resources::default(), &[]);
        for FigureLimit { key, what, .. } in &args.limit {
            if !known.iter().any(|figure| figure.what.starts_with(what)) {
                let names: Vec<_> = FIGURES
                    .iter()
                    .filter(|(_, what)| known.iter().any(|figure| figure.what.starts_with(what)))
                    .map(|(key, _)| *key)
                    .collect();
                let has = if names.is_empty() {
                    "no figures; name a --target that has some".into()
                } else {
                    names.join(", ")
                };
                let problem =
                    format!("the target {} has no such figure, it has {has}: leave out {key}", target.name);
                return Err(Failure::Options { option: "--limit", problem });
            }
        }
        let limits = Limits {
            latency_cycles: args.latency,
            storage_bytes: args.storage,
            interval_cycles: args.interval,
            target: (args.limit.iter())
                .map(|limit| TargetLimit { what: limit.what.to_owned(), limit: limit.limit })
                .collect(),
        };
        let base =
            Base { input: config.input.clone(), activation_bits: config.tables.activation_bits, target };
        Ok(Self { args, config, text, network, base, limits })
    }

    /// Where there is one network, every bit width and encoder is cheap to plan and worth measuring; before there is one,
    /// networks are chosen with the configuration's own.
    fn space(&self) -> Space {
        let SpaceArgs { layers, dims, heads, positions, .. } = &self.args.space;
        let shapes = match &self.network {
            Some(network) => Shapes::Fixed(network.config.clone()),
            None => Shapes::Grid {
                base: self.config.network.clone(),
                layers: sorted(layers, &[1, 2, 3, 4]),
                dims: sorted(dims, &[8, 16, 32, 64, 128]),
                heads: sorted(heads, &[1, 2, 4]),
                positions: if positions.is_empty() {
                    vec![Positions::Absolute, Positions::Relative]
                } else {
                    distinct(positions)
                },
            },
        };
        let wide = self.network.is_some() && self.args.strategy == Strategy::Measured;
        Space { shapes, tables: self.tables(wide) }
    }

    /// What a kernel may have; `wide` if all bits and encoders are tried where nothing was said.
    fn tables(&self, wide: bool) -> Tables {
        let SpaceArgs { prototypes, subspaces, bits, encoders, .. } = &self.args.space;
        let spec = self.config.tables.spec;
        let mut known = distinct(encoders);
        if known.is_empty() {
            known = if wide {
                vec![EncoderKind::Tree, EncoderKind::L2, EncoderKind::L1]
            } else {
                vec![spec.encoder]
            };
        }
        Tables {
            prototypes: sorted(prototypes, &[8, 16, 32, 64, 128, 256, 512, 1024]),
            subspaces: sorted(subspaces, &[1, 2, 4, 8]),
            bits: if wide { sorted(bits, &[4, 6, 8, 12]) } else { sorted(bits, &[spec.bits]) },
            encoders: known,
        }
    }
}

impl Args {
    fn seed(&self) -> u64 {
        self.search.seed.unwrap_or(1)
    }

    /// Whether the options go together.
    fn check(&self, network: Option<&Network>) -> Result<(), Failure> {
        let refuse = |option, problem: &str| Err(Failure::Options { option, problem: problem.to_owned() });
        let SearchArgs { evaluations, students, seed, max_windows, page_bits } = &self.search;
        if self.strategy == Strategy::Greedy {
            let given = [
                ("--evaluations", evaluations.is_some()),
                ("--students", students.is_some()),
                ("--seed", seed.is_some()),
                ("--max-windows", max_windows.is_some()),
                ("--page-bits", page_bits.is_some()),
                ("--trace", self.trace.is_some()),
            ];
            if let Some((option, _)) = given.iter().find(|(_, given)| *given) {
                return refuse(
                    option,
                    "the greedy rule measures nothing; leave it out, or add --strategy measured",
                );
            }
        }
        let Some(network) = network else {
            return match self.trace {
                Some(_) => refuse("--trace", "the subject is a trace itself; leave one of them out"),
                None => Ok(()),
            };
        };
        let SpaceArgs { layers, dims, heads, positions, .. } = &self.space;
        let given = [
            ("--layers", !layers.is_empty()),
            ("--dims", !dims.is_empty()),
            ("--heads", !heads.is_empty()),
            ("--positions", !positions.is_empty()),
            ("--students", students.is_some()),
        ];
        if let Some((option, _)) = given.iter().find(|(_, given)| *given) {
            return refuse(
                option,
                "the network is trained already; leave it out, or give a trace instead of the network",
            );
        }
        if self.strategy == Strategy::Measured && self.trace.is_none() {
            return refuse(
                "--trace",
                "it is missing; name the trace that tables are fitted to and F1 is measured on",
            );
        }
        if let Some(limit) = network.config.violations(Purpose::Tables).first() {
            let problem = format!("no tables can be made of `{}`: {limit}", network.name);
            return Err(Failure::Options { option: "NETWORK", problem });
        }
        Ok(())
    }
}

/// Each once, in the order of their first.
fn distinct<T: Copy + PartialEq>(given: &[T]) -> Vec<T> {
    let mut values: Vec<T> = Vec::new();
    for &value in given {
        if !values.contains(&value) {
            values.push(value);
        }
    }
    values
}

/// Ascending and each once, or `usual` if there is none.
fn sorted<T: Copy + Ord>(given: &[T], usual: &[T]) -> Vec<T> {
    let mut values = if given.is_empty() { usual.to_vec() } else { given.to_vec() };
    values.sort_unstable();
    values.dedup();
    values
}

//! What a path leads to.

use std::fs;
use std::io;
use std::path::Path;

use tablewright_design::Design;
use tablewright_golden::Demand;
use tablewright_model::{FileKind, Network, TableModel, load_model, load_network, sniff};
use tablewright_trace::window::Segmenter;
use tablewright_trace::{Access, CacheConfig, Dataset, DatasetOptions, Rows, Trace, TraceFormat, TraceKind};

use crate::failure::Failure;
use crate::ui::{Ui, Unit};

/// The file by which a build directory is known.
pub(crate) const MANIFEST: &str = "manifest.json";

/// What somebody may name on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    /// A trace, of either kind.
    Trace(TraceFormat),
    /// A table model.
    Model,
    /// A float network.
    Network,
    /// What `build` wrote.
    BuildDir,
}

impl Subject {
    /// Looks at a path; `wanted` says in errors what was hoped for.
    pub(crate) fn of(path: &Path, wanted: &'static str) -> Result<Self, Failure> {
        let metadata = fs::metadata(path).map_err(|reason| match reason.kind() {
            io::ErrorKind::NotFound => Failure::Missing { path: path.into(), wanted },
            _ => Failure::Read { path: path.into(), reason },
        })?;
        if metadata.is_dir() {
            return if path.join(MANIFEST).is_file() {
                Ok(Self::BuildDir)
            } else {
                Err(Failure::Directory { path: path.into(), wanted })
            };
        }
        if metadata.is_file() && metadata.len() == 0 {
            return Err(Failure::Empty { path: path.into(), wanted });
        }
        match sniff(path)? {
            FileKind::Model => Ok(Self::Model),
            FileKind::Network => Ok(Self::Network),
            FileKind::OtherSafetensors => {
                let looks = "a safetensors file of another program or a dataset".into();
                Err(Failure::Unknown { path: path.into(), looks, wanted })
            }
            FileKind::NotSafetensors => {
                TraceFormat::of_file(path).map(Self::Trace).map_err(|error| match error {
                    tablewright_trace::Error::NotATrace { path, looks } => {
                        Failure::Unknown { path, looks, wanted }
                    }
                    other => other.into(),
                })
            }
        }
    }

    /// In words, with its article.
    fn words(self) -> String {
        match self {
            Self::Trace(format) => match format.kind {
                TraceKind::ChampsimInstructions => format!("a {format}"),
                TraceKind::MldpcLoads => format!("an {format}"),
            },
            Self::Model => "a table model".into(),
            Self::Network => "a float network".into(),
            Self::BuildDir => "a build directory".into(),
        }
    }

    /// The failure of a path that leads to this where something else is wanted.
    pub(crate) fn instead(self, path: &Path, wanted: &'static str) -> Failure {
        Failure::Instead { path: path.into(), is: self.words(), wanted }
    }
}

/// Loads a table model, or says what the path leads to instead.
pub(crate) fn model(path: &Path) -> Result<TableModel, Failure> {
    const WANTED: &str = "a table model, as `tablewright train` or models/write_model.py make it";
    match Subject::of(path, WANTED)? {
        Subject::Model => Ok(load_model(path)?),
        other => Err(other.instead(path, WANTED)),
    }
}

/// Loads a float network, or says what the path leads to instead.
pub(crate) fn network(path: &Path) -> Result<Network, Failure> {
    const WANTED: &str = "a float network, as models/FORMAT.md describes it";
    match Subject::of(path, WANTED)? {
        Subject::Network => Ok(load_network(path)?),
        other => Err(other.instead(path, WANTED)),
    }
}

/// Loads a trace with its progress, or says what the path leads to instead.
pub(crate) fn trace(path: &Path, ui: &Ui) -> Result<Trace, Failure> {
    const WANTED: &str = "a ChampSim instruction trace or an ML-DPC load trace (raw, .xz or .gz)";
    match Subject::of(path, WANTED)? {
        Subject::Trace(format) => ui.detail(format_args!("{}: {format}", path.display())),
        other => return Err(other.instead(path, WANTED)),
    }
    let bar = ui.bar("reading", Unit::Bytes, fs::metadata(path).map_or(0, |m| m.len()));
    let trace = Trace::load_with(path, &CacheConfig::default(), &mut |done, _| bar.at(done))?;
    drop(bar);
    ui.detail(format_args!("{}: {} accesses reach the predictor", path.display(), trace.accesses.len()));
    Ok(trace)
}

/// What a model's design takes, from a trace, at most `wanted` of them: windows spread evenly over it or, where the design
/// takes accesses one by one, those in its middle in their order.
pub(crate) fn inputs(
    trace: &Trace,
    model: &TableModel,
    design: &Design,
    wanted: usize,
) -> Result<Vec<Vec<u8>>, Failure> {
    if design.streaming {
        let segmenter = Segmenter::new(&model.network, &model.input);
        let cut = |access| {
            let mut token = vec![0; model.network.segments];
            segmenter.cut(access, &mut token);
            token
        };
        return Ok(middle(&trace.accesses, wanted).map(cut).collect());
    }
    let options = DatasetOptions { rows: Rows::All, max_rows: Some(wanted) };
    let dataset = Dataset::from_trace_with(trace, &model.network, &model.input, &options)?;
    Ok(dataset.windows.outer_iter().map(|w| w.iter().copied().collect()).collect())
}

/// Demand accesses in the middle of a trace, at most `wanted` of them.
pub(crate) fn demands(trace: &Trace, wanted: usize) -> Vec<Demand> {
    let demand = |access: &Access| Demand { address: access.address, pc: access.ip };
    middle(&trace.accesses, wanted).map(demand).collect()
}

fn middle(accesses: &[Access], wanted: usize) -> impl Iterator<Item = &Access> {
    let before = accesses.len().saturating_sub(wanted) / 2;
    accesses.iter().skip(before).take(wanted)
}

//! The manifest of a build: what it was made from and what is in it.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use tablewright_design::{Design, Protection};
use tablewright_model::InputConfig;
use tablewright_plan::{Plan, PrefetcherPlan};

use crate::{Error, Names};

/// Version of the build folder's layout.
const VERSION: u32 = 3;

/// `manifest.json` of a build. Hashes, never dates or paths of a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of the build folder's layout.
    pub version: u32,
    /// Name of the model.
    pub model: String,
    /// Passes that were run on the design, in order.
    pub passes: Vec<String>,
    /// What guards the contents of tables and encoders, where these are loaded at run time; absent where they are frozen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loaded: Option<Protection>,
    /// Target the estimate is for.
    pub target: String,
    /// The core's module.
    pub core: String,
    /// Cycles from the acceptance of a window to its bitmap.
    pub latency_cycles: u64,
    /// Cycles from one window to the next.
    pub interval_cycles: u64,
    /// What to drive the core with.
    pub interface: Interface,
    /// The other top, around the same predictor.
    pub prefetcher: PrefetcherSummary,
    /// SHA-256 of every file of the build by path inside it, the manifest itself excepted.
    pub files: BTreeMap<String, String>,
}

/// What stands on the core's streams.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interface {
    /// Whether one access goes in at a time, and not a whole window.
    pub streaming: bool,
    /// Accesses of a window.
    pub history: usize,
    /// Segments of an access, the lowest in the lowest bits.
    pub segments: usize,
    /// Bits of the output bitmap, half for each direction.
    pub outputs: usize,
    /// How an access becomes segments, and what the model was trained to predict.
    pub input: InputConfig,
    /// Bitmaps after a reset that are all zero, for want of a history.
    pub warm_up: usize,
    /// What may be inside at a time, waiting bitmaps included.
    pub queue: u64,
}

impl Interface {
    /// Of a core as it is built.
    pub fn of(design: &Design, plan: &Plan) -> Self {
        Self {
            streaming: design.streaming,
            history: design.network.history,
            segments: design.network.segments,
            outputs: design.network.outputs,
            input: design.input.clone(),
            warm_up: design.warm_up(),
            queue: plan.queue,
        }
    }
}

/// The prefetcher of a build: its module, its streams and its plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrefetcherSummary {
    /// Its module.
    pub module: String,
    /// Bits of a demand access: 64 of a byte address and, if the model sees it, above it 64 of a program counter.
    pub access_bits: u32,
    /// Cycles from a demand access to its first prefetch, nobody in its way.
    pub latency_cycles: u64,
    /// Cycles from one access taken to the next, at most, while the consumer keeps up.
    pub interval_cycles: u64,
    /// Lanes that the issue unit looks at in a cycle.
    pub issue_lanes: u64,
    /// Cycles from a row of logits to its first prefetch.
    pub issue_latency_cycles: u64,
    /// Cycles that a row takes with as many prefetches as there may be and no target passed over.
    pub issue_interval_cycles: u64,
    /// Cycles that a row takes at most.
    pub issue_interval_longest_cycles: u64,
    /// Accesses that may be between the holding register and the end of their issue.
    pub places: u64,
    /// Prefetches that may wait for the consumer.
    pub queue: u64,
}

impl PrefetcherSummary {
    /// Of a prefetcher as it is built.
    pub fn of(design: &Design, plan: &Plan) -> Self {
        let around = PrefetcherPlan::new(design, plan);
        Self {
            module: Names::new(&design.name).prefetcher(),
            access_bits: design.access_width(),
            latency_cycles: around.latency,
            interval_cycles: around.interval,
            issue_lanes: around.issue.lanes,
            issue_latency_cycles: around.issue.latency,
            issue_interval_cycles: around.issue.interval,
            issue_interval_longest_cycles: around.issue.interval_longest,
            places: around.places,
            queue: around.queue,
        }
    }
}

impl Manifest {
    pub(crate) const VERSION: u32 = VERSION;
}

/// Whether a folder is a build, of whatever version: what its manifest says of itself, and the core that it names.
pub(crate) fn is_build(folder: &Path) -> bool {
    let manifest = std::fs::read(folder.join("manifest.json")).ok();
    let manifest = manifest.and_then(|bytes| serde_json::from_slice::<serde_json::Value>(&bytes).ok());
    manifest.is_some_and(|manifest| {
        let core = manifest["core"].as_str().map(|core| folder.join("rtl").join(format!("{core}.v")));
        manifest["version"].is_u64() && core.is_some_and(|core| core.is_file())
    })
}

/// Reads the manifest of a build.
pub fn read_manifest(build: &Path) -> Result<Manifest, Error> {
    let path = build.join("manifest.json");
    if !path.is_file() {
        return Err(Error::NoBuild(build.display().to_string()));
    }
    let text = std::fs::read_to_string(&path).map_err(|source| Error::Io {
        path: path.display().to_string(),
        source,
        remedy: "the manifest must be readable",
    })?;
    let wrong = |problem: String| Error::Manifest { path: path.display().to_string(), problem };
    let manifest: Manifest = serde_json::from_str(&text).map_err(|e| wrong(e.to_string()))?;
    if manifest.version != VERSION {
        return Err(wrong(format!(
            "version {} where this program writes and reads {VERSION}",
            manifest.version
        )));
    }
    Ok(manifest)
}

//! The manifest of a build: what it was made from and what is in it.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::Error;

/// Version of the build folder's layout.
const VERSION: u32 = 1;

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
    /// Target the estimate is for.
    pub target: String,
    /// The core's module.
    pub core: String,
    /// Cycles from the acceptance of a window to its bitmap.
    pub latency_cycles: u64,
    /// Cycles from one window to the next.
    pub interval_cycles: u64,
    /// SHA-256 of every file of the build by path inside it, the manifest itself excepted.
    pub files: BTreeMap<String, String>,
}

impl Manifest {
    pub(crate) const VERSION: u32 = VERSION;
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

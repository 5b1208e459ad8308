//! The build folder on disk: written beside, then renamed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::manifest::{Manifest, read_manifest};
use crate::{Error, Names};

/// Where things lie in a build folder.
#[derive(Debug, Clone)]
pub struct BuildDir {
    root: PathBuf,
}

impl BuildDir {
    /// The folder `root`, which need not exist yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Verilog; simulators run here, so that `mem/` is found.
    pub fn rtl(&self) -> PathBuf {
        self.root.join("rtl")
    }

    /// Memory images.
    pub fn mem(&self) -> PathBuf {
        self.root.join("rtl/mem")
    }

    /// Testbench, probe, harness, vectors.
    pub fn tb(&self) -> PathBuf {
        self.root.join("tb")
    }

    /// The model the build was made from.
    pub fn model(&self) -> PathBuf {
        self.root.join("model.safetensors")
    }

    /// What simulators make; safe to delete.
    pub fn sim(&self) -> PathBuf {
        self.root.join("sim")
    }
}

/// What a build is made from, beside its files.
pub struct Origin<'a> {
    /// Name of the model.
    pub model: &'a str,
    /// The model's file.
    pub model_bytes: &'a [u8],
    /// Passes that were run.
    pub passes: Vec<String>,
    /// Target of the estimate.
    pub target: &'a str,
    /// Latency and interval of the plan.
    pub cycles: (u64, u64),
}

/// Writes a build folder: into a new folder beside it, then by renaming. An earlier build in its place is replaced; any
/// other folder is left alone.
pub fn write_build(
    out: &BuildDir,
    files: &BTreeMap<String, String>,
    origin: &Origin<'_>,
) -> Result<Manifest, Error> {
    let root = out.root();
    let occupied = root.exists() && std::fs::read_dir(root).map_or(true, |mut d| d.next().is_some());
    if occupied && read_manifest(root).is_err() {
        return Err(Error::InTheWay(root.display().to_string()));
    }
    let parent = match root.parent() {
        Some(p) if !p.as_os_str().is_empty() => p.to_path_buf(),
        _ => PathBuf::from("."),
    };
    std::fs::create_dir_all(&parent).map_err(failed(&parent))?;
    let beside = tempfile::Builder::new()
        .prefix(".tablewright-build-")
        .tempdir_in(&parent)
        .map_err(failed(&parent))?;

    let mut hashes = BTreeMap::new();
    let texts = files.iter().map(|(path, text)| (path.as_str(), text.as_bytes()));
    for (path, bytes) in texts.chain([("model.safetensors", origin.model_bytes)]) {
        let to = beside.path().join(path);
        if let Some(folder) = to.parent() {
            std::fs::create_dir_all(folder).map_err(failed(folder))?;
        }
        std::fs::write(&to, bytes).map_err(failed(&to))?;
        hashes.insert(path.to_owned(), sha256(bytes));
    }
    let manifest = Manifest {
        version: Manifest::VERSION,
        model: origin.model.to_owned(),
        passes: origin.passes.clone(),
        target: origin.target.to_owned(),
        core: Names::new(origin.model).core(),
        latency_cycles: origin.cycles.0,
        interval_cycles: origin.cycles.1,
        files: hashes,
    };
    let path = beside.path().join("manifest.json");
    let mut text = serde_json::to_string_pretty(&manifest)
        .map_err(|e| Error::Manifest { path: path.display().to_string(), problem: e.to_string() })?;
    text.push('\n');
    std::fs::write(&path, text).map_err(failed(&path))?;

    if root.exists() {
        std::fs::remove_dir_all(root).map_err(failed(root))?;
    }
    std::fs::rename(beside.path(), root).map_err(failed(root))?;
    // The folder has its final name now and nothing to clean up.
    let _ = beside.keep();
    make_readable(root);
    Ok(manifest)
}

/// A temporary folder is private; the build is not.
fn make_readable(root: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // Without the right to change it the folder stays private: an inconvenience, no error.
        let _ = std::fs::set_permissions(root, std::fs::Permissions::from_mode(0o755));
    }
}

fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.display().to_string();
    move |source| Error::Io {
        path,
        source,
        remedy: "the output folder must be writable and the disk not full",
    }
}

/// SHA-256 in hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    use std::fmt::Write;
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

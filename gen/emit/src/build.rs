//! The build folder on disk: written beside, then renamed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tablewright_design::Protection;

use crate::manifest::{Interface, Manifest, PrefetcherSummary, is_build};
use crate::{Error, Names};

/// The model's and the plan's place in a build folder.
const MODEL: &str = "model.safetensors";
const PLAN: &str = "plan.txt";

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
        self.root.join(MODEL)
    }

    /// The plan that its kernels are laid out by.
    pub fn plan(&self) -> PathBuf {
        self.root.join(PLAN)
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
    /// Its plan, as text.
    pub plan: String,
    /// Passes that were run.
    pub passes: Vec<String>,
    /// Guard of the contents where they are loaded.
    pub loaded: Option<Protection>,
    /// Target of the estimate.
    pub target: &'a str,
    /// Latency and interval of the plan.
    pub cycles: (u64, u64),
    /// Of the core.
    pub interface: Interface,
    /// The prefetcher around the same predictor.
    pub prefetcher: PrefetcherSummary,
}

/// Writes a build folder: into a new folder beside it, then by renaming. An earlier build in its place is replaced; any
/// other folder is left alone.
pub fn write_build(
    out: &BuildDir,
    files: &BTreeMap<String, String>,
    origin: &Origin<'_>,
) -> Result<Manifest, Error> {
    let root = out.root();
    if root.file_name().is_none() {
        return Err(Error::NoName(root.display().to_string()));
    }
    replaceable(root)?;
    let parent = match root.parent() {
        Some(p) if !p.as_os_str().is_empty() => p.to_path_buf(),
        _ => PathBuf::from("."),
    };
    std::fs::create_dir_all(&parent).map_err(failed(&parent))?;
    // Holds the new build until it has its name, then the old one until it is deleted.
    let beside = tempfile::Builder::new()
        .prefix(".tablewright-build-")
        .tempdir_in(&parent)
        .map_err(failed(&parent))?;
    let (new, old) = (beside.path().join("new"), beside.path().join("old"));

    let mut hashes = BTreeMap::new();
    let texts = files.iter().map(|(path, text)| (path.as_str(), text.as_bytes()));
    for (path, bytes) in texts.chain([(MODEL, origin.model_bytes), (PLAN, origin.plan.as_bytes())]) {
        let to = new.join(path);
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
        loaded: origin.loaded,
        target: origin.target.to_owned(),
        core: Names::new(origin.model).core(),
        latency_cycles: origin.cycles.0,
        interval_cycles: origin.cycles.1,
        interface: origin.interface.clone(),
        prefetcher: origin.prefetcher.clone(),
        files: hashes,
    };
    let path = new.join("manifest.json");
    let mut text = serde_json::to_string_pretty(&manifest)
        .map_err(|e| Error::Manifest { path: path.display().to_string(), problem: e.to_string() })?;
    text.push('\n');
    std::fs::write(&path, text).map_err(failed(&path))?;

    // Whatever stands there is looked at again: writing took a while.
    replaceable(root)?;
    if root.exists() {
        std::fs::rename(root, &old).map_err(failed(root))?;
    }
    if let Err(source) = std::fs::rename(&new, root) {
        // The earlier build gets its name back; should that fail too, the first error says more.
        let _ = std::fs::rename(&old, root);
        return Err(failed(root)(source));
    }
    Ok(manifest)
}

/// Nothing, an empty folder, or an earlier build.
fn replaceable(root: &Path) -> Result<(), Error> {
    let occupied = root.exists() && std::fs::read_dir(root).map_or(true, |mut d| d.next().is_some());
    if occupied && !is_build(root) {
        return Err(Error::InTheWay(root.display().to_string()));
    }
    Ok(())
}

/// Whether the model and the plan in a build are those it was made from.
pub fn check_origin(build: &BuildDir, manifest: &Manifest) -> Result<(), Error> {
    for file in [MODEL, PLAN] {
        let path = build.root().join(file);
        let bytes = std::fs::read(&path).map_err(|source| Error::Io {
            path: path.display().to_string(),
            source,
            remedy: "a build's model and plan must be readable; build again",
        })?;
        if manifest.files.get(file) != Some(&sha256(&bytes)) {
            return Err(Error::OtherOrigin(path.display().to_string()));
        }
    }
    Ok(())
}

/// Files of a build that are not as they were written: changed, or gone.
pub fn changed_files(build: &BuildDir, manifest: &Manifest) -> Vec<String> {
    let intact = |(file, hash): &(&String, &String)| {
        std::fs::read(build.root().join(file)).is_ok_and(|bytes| sha256(&bytes) == **hash)
    };
    manifest.files.iter().filter(|file| !intact(file)).map(|(file, _)| file.clone()).collect()
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

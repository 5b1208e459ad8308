//! The work directory of a training.

use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// A directory beside the model. What it holds is removed when the command ends, unless it is to be kept.
#[derive(Debug)]
pub(crate) struct Work {
    folder: PathBuf,
    /// What the trainer reads: windows and labels.
    pub(crate) dataset: PathBuf,
    /// What the trainer is told.
    pub(crate) config: PathBuf,
    /// What the trainer writes.
    pub(crate) network: PathBuf,
    keep: bool,
}

impl Work {
    /// Makes the directory, or takes the one that an ended call left.
    pub(crate) fn make(output: &Path, keep: bool) -> Result<Self, Failure> {
        let mut name = output.file_name().unwrap_or_default().to_owned();
        name.push(".work");
        let folder = output.with_file_name(name);
        fs::create_dir_all(&folder).map_err(|reason| Failure::Write { path: folder.clone(), reason })?;
        let [dataset, config, network] =
            ["dataset.safetensors", "config.json", "network.safetensors"].map(|file| folder.join(file));
        Ok(Self { folder, dataset, config, network, keep })
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if self.keep {
            return;
        }
        // Only what this command made; a directory that holds something else stays, and so does one that cannot be
        // removed: the result does not depend on it.
        for file in [&self.dataset, &self.config, &self.network] {
            let _ = fs::remove_file(file);
        }
        let _ = fs::remove_dir(&self.folder);
    }
}

//! The folder beside a result, in which the steps before it are kept.
//!
//! `RESULT.stages/` holds, for each stage, `NAME.safetensors` (the finished network), `NAME.json` (what it was made from)
//! and, while it is being trained, `NAME.checkpoint` (the trainer's own). A stage is finished when its record says so
//! and the network is the one that the record names. A command that is killed leaves the folder as it is, and the next
//! one goes on there: nothing but the keys decides what is still good.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::digest;
use crate::failure::Failure;
use crate::outfile::NewFile;

/// Names of all stages.
const NAMES: [&str; 2] = ["teacher", "student"];

/// The folder, held by one command at a time.
#[derive(Debug)]
pub(crate) struct Stages {
    folder: PathBuf,
    /// What a trainer reads: windows and labels. Removed at the end.
    pub(crate) dataset: PathBuf,
    /// What a trainer is told. Removed at the end.
    pub(crate) config: PathBuf,
    /// The folder, locked as long as it is open; the system unlocks it when this program dies.
    _held: File,
}

/// One network on the way.
#[derive(Debug)]
pub(crate) struct Stage {
    name: &'static str,
    /// The finished network.
    pub(crate) network: PathBuf,
    /// The trainer's.
    pub(crate) checkpoint: PathBuf,
    record: PathBuf,
}

/// What a stage is made from, and what it gave.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    /// Of everything that the network depends on.
    key: String,
    /// Of the finished network's bytes.
    network: Option<String>,
}

impl Stages {
    /// Where the stages of a result are: beside it, under its name without `.safetensors`.
    pub(crate) fn folder(result: &Path) -> PathBuf {
        let name = result.file_name().unwrap_or_default().to_string_lossy();
        let stem = name.strip_suffix(".safetensors").unwrap_or(&name);
        result.with_file_name(format!("{stem}.stages"))
    }

    /// Refuses an input from the folder itself: a stage of other choices is forgotten, and would be lost with it.
    pub(crate) fn check_input(result: &Path, input: &Path) -> Result<(), Failure> {
        let parent = input.canonicalize().ok().and_then(|path| path.parent().map(Path::to_owned));
        let folder = Self::folder(result).canonicalize().ok();
        if folder.is_some() && parent == folder {
            let problem = "its --teacher is kept in the stages of that very file, which this call would replace; copy \
                           the teacher elsewhere first";
            return Err(Failure::Place { path: result.into(), problem });
        }
        Ok(())
    }

    /// Makes the folder, or takes the one that is there; `fresh` forgets what it holds.
    pub(crate) fn open(result: &Path, fresh: bool) -> Result<Self, Failure> {
        let folder = Self::folder(result);
        let fail = |reason| Failure::Write { path: folder.clone(), reason };
        fs::create_dir_all(&folder).map_err(fail)?;
        let held = File::open(&folder).map_err(fail)?;
        match held.try_lock() {
            Err(TryLockError::WouldBlock) => return Err(Failure::Busy { folder }),
            // A file system without locks: whoever starts two commands at once there has to know.
            Ok(()) | Err(TryLockError::Error(_)) => {}
        }
        let [dataset, config] = ["dataset.safetensors", "config.json"].map(|file| folder.join(file));
        let stages = Self { folder, dataset, config, _held: held };
        stages.sweep();
        if fresh {
            for name in NAMES {
                stages.stage(name).forget();
            }
        }
        Ok(stages)
    }

    /// The network that others learn from.
    pub(crate) fn teacher(&self) -> Stage {
        self.stage(NAMES[0])
    }

    /// The network that becomes tables.
    pub(crate) fn student(&self) -> Stage {
        self.stage(NAMES[1])
    }

    fn stage(&self, name: &'static str) -> Stage {
        let file = |ending: &str| self.folder.join(format!("{name}.{ending}"));
        Stage { name, network: file("safetensors"), checkpoint: file("checkpoint"), record: file("json") }
    }

    /// Removes half-written files of a command that was killed: those beside their place have a name with a dot in front.
    fn sweep(&self) {
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with('.') {
                // What cannot be removed is in nobody's way.
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

impl Drop for Stages {
    fn drop(&mut self) {
        for file in [&self.dataset, &self.config] {
            let _ = fs::remove_file(file);
        }
        for name in NAMES {
            let stage = self.stage(name);
            // A training that left nothing to go on with.
            let finished = stage.read().is_some_and(|record| record.network.is_some());
            if !finished && !stage.checkpoint.exists() {
                stage.forget();
            }
        }
        // Stays when it holds anything.
        let _ = fs::remove_dir(&self.folder);
    }
}

impl Stage {
    /// In messages.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Whether the network is there that this key stands for, whole and unchanged.
    pub(crate) fn is_finished(&self, key: &str) -> bool {
        self.read().is_some_and(|record| {
            record.key == key
                && record.network.is_some()
                && record.network == digest::of_file(&self.network).ok()
        })
    }

    /// Begins the making, or goes on with it: what is there of another key is forgotten. True if there is something to go
    /// on with.
    pub(crate) fn begin(&self, key: &str) -> Result<bool, Failure> {
        if self.read().is_none_or(|record| record.key != key) {
            self.forget();
        }
        self.write(key, None)?;
        Ok(self.checkpoint.exists())
    }

    /// The network is whole: it counts from now on, and there is nothing left to go on with.
    pub(crate) fn finish(&self, key: &str) -> Result<(), Failure> {
        self.write(key, Some(digest::of_file(&self.network)?))?;
        remove(&self.checkpoint)
    }

    /// Removes all there is of this stage, so far as that can be done.
    pub(crate) fn forget(&self) {
        // The record first: without it the rest counts for nothing.
        for file in [&self.record, &self.checkpoint, &self.network] {
            let _ = fs::remove_file(file);
        }
    }

    fn read(&self) -> Option<Record> {
        // A record that cannot be read is as good as none.
        serde_json::from_slice(&fs::read(&self.record).ok()?).ok()
    }

    fn write(&self, key: &str, network: Option<String>) -> Result<(), Failure> {
        let record = Record { key: key.to_owned(), network };
        let mut file = NewFile::begin(&self.record)?;
        file.write(|out| Ok(serde_json::to_writer_pretty(out, &record)?))?;
        file.finish()
    }
}

fn remove(path: &Path) -> Result<(), Failure> {
    match fs::remove_file(path) {
        Err(reason) if reason.kind() != io::ErrorKind::NotFound => {
            Err(Failure::Write { path: path.into(), reason })
        }
        _ => Ok(()),
    }
}

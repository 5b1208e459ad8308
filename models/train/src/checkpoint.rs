//! The state of a training between two epochs, in a file.
//!
//! safetensors: `weights`, `first`, `second` (the optimiser's moments), `average` (of the weights) and `best` (the average
//! after the best epoch), F32 `[n]` in the order of [`crate::params`]; `epochs`, F64 `[epochs, 5]`. One metadata entry, JSON: version, job, steps, digest of the
//! tensors. The order of the windows is not kept: it follows from the seed and the number of epochs.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tablewright_model::replace_file;

use crate::adam::Adam;
use crate::error::Error;
use crate::train::Epoch;

const VERSION: u32 = 1;

/// Key of the metadata entry.
const KEY: &str = "tablewright-training";

/// Bytes at the front among which the key is looked for.
const HEADER: usize = 4096;

/// Tensors in the order in which the digest takes them.
const WEIGHTS: [&str; 5] = ["weights", "first", "second", "average", "best"];
const EPOCHS: &str = "epochs";

/// Numbers of an epoch that are kept.
const FIELDS: usize = 5;

/// A training after some epochs.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct State {
    /// As the training sees them, see [`crate::params`].
    pub(crate) weights: Vec<f32>,
    pub(crate) adam: Adam,
    /// Running average of the weights: what is judged and kept.
    pub(crate) average: Vec<f32>,
    /// The average after the best epoch.
    pub(crate) best: Vec<f32>,
    /// All finished ones.
    pub(crate) epochs: Vec<Epoch>,
}

/// A place for the state, and whose state it is.
#[derive(Debug, Clone)]
pub(crate) struct Checkpoint {
    path: PathBuf,
    job: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    version: u32,
    job: String,
    steps: usize,
    digest: String,
}

/// What tells one job from another: a digest of everything that its result depends on.
#[derive(Default)]
pub(crate) struct Fingerprint(Sha256);

impl Fingerprint {
    /// Adds a part; its length keeps neighbours apart.
    pub(crate) fn add(&mut self, part: &[u8]) {
        self.0.update((part.len() as u64).to_le_bytes());
        self.0.update(part);
    }

    pub(crate) fn finish(self) -> String {
        format!("{:x}", self.0.finalize())
    }
}

fn digest(parts: &[&[u8]]) -> String {
    let mut fingerprint = Fingerprint::default();
    for part in parts {
        fingerprint.add(part);
    }
    fingerprint.finish()
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    let (words, _) = bytes.as_chunks::<4>();
    words.iter().map(|word| f32::from_le_bytes(*word)).collect()
}

impl Checkpoint {
    pub(crate) fn new(path: &Path, job: String) -> Self {
        Self { path: path.into(), job }
    }

    /// Replaces the file. Whoever is stopped here leaves the old one or the new one.
    pub(crate) fn save(&self, state: &State) -> Result<(), Error> {
        let State { weights, adam, average, best, .. } = state;
        let vectors = [weights, &adam.first, &adam.second, average, best].map(|vector| bytes(vector));
        let epochs: Vec<u8> = state
            .epochs
            .iter()
            .flat_map(|e| [e.loss, e.loss_valid, e.threshold, e.f1, e.seconds])
            .flat_map(f64::to_le_bytes)
            .collect();
        let mut parts: Vec<&[u8]> = vectors.iter().map(Vec::as_slice).collect();
        parts.push(&epochs);
        let header = Header {
            version: VERSION,
            job: self.job.clone(),
            steps: state.adam.steps,
            digest: digest(&parts),
        };
        let invalid = |error: String| tablewright_model::Error::Write {
            path: self.path.clone(),
            reason: io::Error::new(io::ErrorKind::InvalidData, error),
        };
        let view = |dtype, shape: Vec<usize>, data| {
            TensorView::new(dtype, shape, data).map_err(|error| invalid(error.to_string()))
        };
        let mut tensors = Vec::new();
        for (name, data) in WEIGHTS.into_iter().zip(&vectors) {
            tensors.push((name, view(Dtype::F32, vec![data.len() / 4], data.as_slice())?));
        }
        tensors.push((EPOCHS, view(Dtype::F64, vec![state.epochs.len(), FIELDS], &epochs)?));
        let text = serde_json::to_string(&header).map_err(|error| invalid(error.to_string()))?;
        let metadata = HashMap::from([(KEY.to_owned(), text)]);
        let file =
            safetensors::serialize(tensors, Some(metadata)).map_err(|error| invalid(error.to_string()))?;
        Ok(replace_file(&self.path, &file)?)
    }

    /// The state of this very job, if the file has it. That of another job is as good as none: the next [`Self::save`]
    /// replaces it. Anything else in the file's place is an error.
    pub(crate) fn load(&self, parameters: usize) -> Result<Option<State>, Error> {
        let file = match std::fs::read(&self.path) {
            Ok(file) => file,
            Err(reason) if reason.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(reason) => return Err(Error::ReadCheckpoint { path: self.path.clone(), reason }),
        };
        let foreign = || Error::NotACheckpoint { path: self.path.clone() };
        let damaged = |reason: String| Error::DamagedCheckpoint { path: self.path.clone(), reason };
        // A checkpoint without its end is still known by its beginning.
        let ours = file.windows(KEY.len()).take(HEADER).any(|word| word == KEY.as_bytes());
        let unread =
            |_| if ours { damaged("it is cut off, or its header is broken".into()) } else { foreign() };
        let (_, metadata) = SafeTensors::read_metadata(&file).map_err(unread)?;
        let text = metadata.metadata().as_ref().and_then(|entries| entries.get(KEY)).ok_or_else(foreign)?;
        let header: Header = serde_json::from_str(text).map_err(|error| damaged(error.to_string()))?;
        if header.version != VERSION {
            return Err(damaged(format!("its version is {}, this program writes {VERSION}", header.version)));
        }
        if header.job != self.job {
            return Ok(None);
        }
        let tensors = SafeTensors::deserialize(&file).map_err(|error| damaged(error.to_string()))?;
        let tensor = |name: &str| tensors.tensor(name).map_err(|error| damaged(error.to_string()));
        let mut parts: Vec<TensorView<'_>> = Vec::new();
        for name in WEIGHTS {
            parts.push(tensor(name)?);
        }
        let epochs = tensor(EPOCHS)?;
        let data: Vec<&[u8]> = parts.iter().chain([&epochs]).map(TensorView::data).collect();
        if digest(&data) != header.digest {
            return Err(damaged("its contents are not what was written".into()));
        }
        // The digest speaks for the contents; sizes are asked for because nothing here may panic.
        let vectors: Vec<Vec<f32>> = parts.iter().map(|part| floats(part.data())).collect();
        let epochs = read_epochs(epochs.data());
        match <[Vec<f32>; WEIGHTS.len()]>::try_from(vectors) {
            Ok(vectors) if vectors.iter().all(|v| v.len() == parameters) && !epochs.is_empty() => {
                let [weights, first, second, average, best] = vectors;
                let adam = Adam { first, second, steps: header.steps };
                Ok(Some(State { weights, adam, average, best, epochs }))
            }
            _ => Err(damaged(format!("it does not hold {parameters} parameters and an epoch"))),
        }
    }
}

fn read_epochs(bytes: &[u8]) -> Vec<Epoch> {
    let (words, _) = bytes.as_chunks::<8>();
    let (epochs, _) = words.as_chunks::<FIELDS>();
    let read = |(i, fields): (usize, &[[u8; 8]; FIELDS])| {
        let [loss, loss_valid, threshold, f1, seconds] = fields.map(f64::from_le_bytes);
        Epoch { epoch: i + 1, loss, loss_valid, threshold, f1, seconds }
    };
    epochs.iter().enumerate().map(read).collect()
}

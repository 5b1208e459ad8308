//! The dataset file: what the program hands to the trainer.
//!
//! safetensors with the tensors `windows` (U8, `[N, history, segments]`), `labels` (U8, `[N, ⌈outputs / 8⌉]`) and
//! `current` (U32, `[N]`), as in [`Dataset`], and one metadata entry `dataset`, a JSON object with `version`, `outputs`,
//! `segment_bits` and `split` (row ranges `{"start": …, "end": …}` for `train`, `valid` and `test`).

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use ndarray::{Array2, Array3};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::dataset::Dataset;
use crate::split::Split;

/// The only version so far.
const VERSION: u32 = 1;

/// Key of the metadata entry.
const KEY: &str = "dataset";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    version: u32,
    outputs: usize,
    segment_bits: u32,
    split: Split,
}

impl Dataset {
    /// Writes the dataset with its split. The file appears complete or not at all.
    pub fn save(&self, path: &Path, split: &Split) -> Result<(), Error> {
        let header = Header {
            version: VERSION,
            outputs: self.outputs,
            segment_bits: self.segment_bits,
            split: split.clone(),
        };
        let invalid = |error: String| Error::Write {
            path: path.into(),
            source: io::Error::new(io::ErrorKind::InvalidData, error),
        };
        let text = serde_json::to_string(&header).map_err(|error| invalid(error.to_string()))?;
        let windows: Vec<u8> = self.windows.iter().copied().collect();
        let labels: Vec<u8> = self.labels.iter().copied().collect();
        let current: Vec<u8> = self.current.iter().flat_map(|index| index.to_le_bytes()).collect();
        let view = |dtype, shape: &[usize], data| {
            TensorView::new(dtype, shape.to_vec(), data).map_err(|error| invalid(error.to_string()))
        };
        let tensors = [
            ("current", view(Dtype::U32, &[self.len()], &current)?),
            ("labels", view(Dtype::U8, self.labels.shape(), &labels)?),
            ("windows", view(Dtype::U8, self.windows.shape(), &windows)?),
        ];
        let metadata = HashMap::from([(KEY.to_owned(), text)]);
        let bytes =
            safetensors::serialize(tensors, Some(metadata)).map_err(|error| invalid(error.to_string()))?;
        write_whole(path, &bytes).map_err(|source| Error::Write { path: path.into(), source })
    }

    /// Reads what [`Dataset::save`] wrote, checked.
    pub fn load(path: &Path) -> Result<(Self, Split), Error> {
        let bytes = fs::read(path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => {
                Error::DatasetFile { path: path.into(), detail: "there is no such file".into() }
            }
            _ => Error::Read { path: path.into(), source },
        })?;
        parse(&bytes).map_err(|detail| Error::DatasetFile { path: path.into(), detail })
    }
}

fn parse(bytes: &[u8]) -> Result<(Dataset, Split), String> {
    let plain =
        |error: safetensors::SafeTensorError| format!("its safetensors structure is broken ({error})");
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(plain)?;
    let tensors = SafeTensors::deserialize(bytes).map_err(plain)?;
    let text = metadata
        .metadata()
        .as_ref()
        .and_then(|entries| entries.get(KEY))
        .ok_or_else(|| format!("its metadata has no entry `{KEY}`"))?;
    let header: Header = serde_json::from_str(text)
        .map_err(|error| format!("metadata entry `{KEY}` does not parse ({error})"))?;
    if header.version != VERSION {
        return Err(format!("its version is {}, this program reads {VERSION}", header.version));
    }
    let tensor = |name: &str, dtype: Dtype, rank: usize| {
        let view = tensors.tensor(name).map_err(|_| format!("tensor `{name}` is missing"))?;
        if view.dtype() != dtype || view.shape().len() != rank {
            return Err(format!(
                "tensor `{name}` is {:?} {:?}, it must be {dtype:?} of rank {rank}",
                view.dtype(),
                view.shape()
            ));
        }
        Ok(view)
    };
    let windows = tensor("windows", Dtype::U8, 3)?;
    let labels = tensor("labels", Dtype::U8, 2)?;
    let current = tensor("current", Dtype::U32, 1)?;
    let (rows, w, l) = (current.shape()[0], windows.shape(), labels.shape());
    if w[0] != rows || l[0] != rows || l[1] != header.outputs.div_ceil(8) {
        return Err(format!(
            "`windows` {w:?}, `labels` {l:?} and `current` [{rows}] do not belong together with {} outputs",
            header.outputs
        ));
    }
    if !(1..=8).contains(&header.segment_bits) {
        return Err(format!("segment_bits is {}, allowed are 1 to 8", header.segment_bits));
    }
    if let Some(value) = windows.data().iter().find(|&&value| u32::from(value) >> header.segment_bits != 0) {
        return Err(format!("`windows` holds {value}, which is no segment of {} bits", header.segment_bits));
    }
    let (words, _) = current.data().as_chunks::<4>();
    let current: Vec<u32> = words.iter().map(|&word| u32::from_le_bytes(word)).collect();
    if !current.is_sorted_by(|a, b| a < b) {
        return Err("`current` does not rise".into());
    }
    if !header.split.fits(rows) {
        return Err(format!("the split {:?} does not fit {rows} rows", header.split));
    }
    let shape_error = |error: ndarray::ShapeError| error.to_string();
    let dataset = Dataset {
        windows: Array3::from_shape_vec((w[0], w[1], w[2]), windows.data().to_vec()).map_err(shape_error)?,
        labels: Array2::from_shape_vec((l[0], l[1]), labels.data().to_vec()).map_err(shape_error)?,
        current,
        outputs: header.outputs,
        segment_bits: header.segment_bits,
    };
    Ok((dataset, header.split))
}

/// Writes beside the file and renames, so that a full disk or a kill leaves either the old file or the new one.
fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let name = path.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no file name"))?;
    let mut beside = std::ffi::OsString::from(".");
    beside.push(name);
    beside.push(format!(".{}.part", std::process::id()));
    let part: PathBuf = path.with_file_name(beside);
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&part)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&part, path)
    })();
    if written.is_err() {
        // The first error is the one to report.
        let _ = fs::remove_file(&part);
    }
    written
}

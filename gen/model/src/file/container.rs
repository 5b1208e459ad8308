//! Safetensors, from and to bytes, with nothing known of what the tensors mean.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, Cursor, Read, Write};
use std::path::{Path, PathBuf};

use ndarray::{Array, Dimension, IxDyn};
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};

#[cfg(doc)]
use crate::check;
use crate::error::{Error, Problem};
use crate::layout::{self, Layout, View, Views};

/// The key of the one metadata entry.
const KEY: &str = "tablewright";

/// Bytes of the longest header accepted. The largest model's tensors and kernels take some 30 kB, and the provenance at
/// most seven times [`check::PROVENANCE_LIMIT`], when JSON has to escape all of it.
const HEADER_LIMIT: u64 = 16 << 20;

/// A file or a piece of memory, read from the front.
pub(super) struct Source<'a> {
    path: PathBuf,
    /// Bytes of the whole file.
    length: u64,
    /// The first bytes, once they were looked at.
    start: Option<Vec<u8>>,
    reader: Box<dyn Read + 'a>,
}

impl<'a> Source<'a> {
    pub(super) fn open(path: &Path) -> Result<Source<'static>, Error> {
        let fail = |reason| Error::Read { path: path.to_owned(), reason };
        // Asked before opening: opening a pipe would wait for somebody to write into it.
        let metadata = std::fs::metadata(path).map_err(fail)?;
        if !metadata.is_file() {
            return Err(Error::NotAFile { path: path.to_owned() });
        }
        let file = File::open(path).map_err(fail)?;
        Ok(Source { path: path.to_owned(), length: metadata.len(), start: None, reader: Box::new(file) })
    }

    pub(super) fn memory(bytes: &'a [u8], origin: &Path) -> Self {
        Self {
            path: origin.to_owned(),
            length: bytes.len() as u64,
            start: None,
            reader: Box::new(Cursor::new(bytes)),
        }
    }

    /// The problem as an error of this file.
    pub(super) fn blame(&self, problem: Problem) -> Error {
        problem.of(format!("`{}`", self.path.display()))
    }

    /// Reads exactly so many bytes; the caller has compared the number with the file's length.
    fn take(&mut self, bytes: u64) -> Result<Vec<u8>, Error> {
        let fail = |path: &Path, reason| Error::Read { path: path.to_owned(), reason };
        let mut buffer = Vec::with_capacity(bytes as usize);
        (&mut self.reader).take(bytes).read_to_end(&mut buffer).map_err(|reason| fail(&self.path, reason))?;
        if buffer.len() as u64 == bytes {
            Ok(buffer)
        } else {
            // Somebody shortens the file at this moment.
            Err(fail(&self.path, io::ErrorKind::UnexpectedEof.into()))
        }
    }

    /// The first ten bytes, or all if there are fewer.
    fn start(&mut self) -> Result<Vec<u8>, Error> {
        if let Some(start) = &self.start {
            return Ok(start.clone());
        }
        let start = self.take(self.length.min(10))?;
        self.start = Some(start.clone());
        Ok(start)
    }

    /// Whether a JSON object seems to begin at byte 8.
    pub(super) fn looks_like_safetensors(&mut self) -> Result<bool, Error> {
        let start = self.start()?;
        // The second byte keeps out the one compressed file in 256 that has a brace there.
        let json = start.get(8) == Some(&b'{')
            && start.get(9).is_none_or(|byte| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'}'));
        Ok(json)
    }

    /// Reads the header.
    pub(super) fn header(&mut self) -> Result<Header, Error> {
        let start = self.start()?;
        let Some((length, beginning)) = start.split_first_chunk::<8>() else {
            return Err(self.blame(Problem::TooShort { bytes: self.length }));
        };
        let (claimed, left) = (u64::from_le_bytes(*length), self.length - 8);
        if left > 0 && !self.looks_like_safetensors()? {
            return Err(self.blame(Problem::NotSafetensors));
        }
        if claimed > left {
            return Err(self.blame(Problem::HeaderLength { claimed, left }));
        }
        if claimed > HEADER_LIMIT {
            return Err(self.blame(Problem::HeaderTooLong { claimed, limit: HEADER_LIMIT }));
        }
        let mut json = beginning.to_vec();
        if (claimed as usize) < json.len() {
            // A header of 0 or 1 bytes: no JSON object is that short.
            json.truncate(claimed as usize);
        } else {
            let rest = self.take(claimed - json.len() as u64)?;
            json.extend(rest);
        }
        let metadata: Metadata = serde_json::from_slice(&json).map_err(|error| {
            let reason = match unsound_tensor(&json) {
                Some(name) => format!("tensor `{name}`: {error}"),
                None => error.to_string(),
            };
            self.blame(Problem::Header { reason })
        })?;
        let (expected, found) = (metadata.data_len() as u64, left - claimed);
        Ok(Header { metadata, expected, found })
    }

    /// Reads the tensors that the header describes, once they are known to be those of the layout.
    pub(super) fn tensors(&mut self, header: &Header, layout: &Layout) -> Result<Tensors, Error> {
        let Header { metadata, expected, found } = header;
        let (expected, found) = (*expected, *found);
        let infos = metadata.tensors();
        let shapes: BTreeMap<&str, (Dtype, &[usize])> =
            infos.iter().map(|(name, info)| (name.as_str(), (info.dtype, info.shape.as_slice()))).collect();
        layout::compare(layout, &shapes).map_err(|problem| self.blame(problem))?;
        if found < expected {
            return Err(self.blame(Problem::Truncated { expected, found }));
        }
        if found > expected {
            return Err(self.blame(Problem::Trailing { expected, found }));
        }
        let bytes = self.take(expected)?;
        let places = infos
            .iter()
            .map(|(name, info)| (name.clone(), (info.shape.clone(), info.data_offsets)))
            .collect();
        Ok(Tensors { bytes, places })
    }
}

/// The first tensor of a header that is refused whose own description is wrong; the reader does not always name it.
fn unsound_tensor(json: &[u8]) -> Option<String> {
    let entries: BTreeMap<String, serde_json::Value> = serde_json::from_slice(json).ok()?;
    let sound = |description| -> Option<bool> {
        let info: TensorInfo = serde_json::from_value(description).ok()?;
        let (first, last) = info.data_offsets;
        let values = info.shape.into_iter().try_fold(1_usize, usize::checked_mul)?;
        Some(values.checked_mul(info.dtype.bitsize())? == last.checked_sub(first)?.checked_mul(8)?)
    };
    entries
        .into_iter()
        .filter(|(name, _)| name != "__metadata__")
        .find_map(|(name, description)| (sound(description) != Some(true)).then_some(name))
}

/// What stands before the tensors.
pub(super) struct Header {
    metadata: Metadata,
    /// Bytes of all tensors, by the header.
    expected: u64,
    /// Bytes after the header.
    found: u64,
}

impl Header {
    /// The metadata entry of this program.
    pub(super) fn entry(&self) -> Option<&str> {
        let entries = self.metadata.metadata().as_ref()?;
        entries.get(KEY).map(String::as_str)
    }
}

/// Tensors whose types and shapes are those of their layout.
pub(super) struct Tensors {
    bytes: Vec<u8>,
    /// Shape, and first and last byte.
    places: BTreeMap<String, (Vec<usize>, (usize, usize))>,
}

impl Tensors {
    pub(super) fn has(&self, name: &str) -> bool {
        self.places.contains_key(name)
    }

    fn array<T, D: Dimension>(
        &self,
        name: &str,
        convert: impl Fn([u8; 4]) -> T,
    ) -> Result<Array<T, D>, Problem> {
        let missing = || Problem::MissingTensor {
            name: name.to_owned(),
            dtype: Dtype::F32.to_string(),
            shape: Vec::new(),
        };
        let (shape, (first, last)) = self.places.get(name).ok_or_else(missing)?;
        let bytes = self.bytes.get(*first..*last).ok_or_else(missing)?;
        let (words, _) = bytes.as_chunks::<4>();
        let values = words.iter().map(|word| convert(*word)).collect();
        Array::from_shape_vec(IxDyn(shape), values).and_then(Array::into_dimensionality).map_err(|_| {
            Problem::Shape {
                name: name.to_owned(),
                expected: vec![0; D::NDIM.unwrap_or(0)],
                found: shape.clone(),
            }
        })
    }

    /// A tensor of the type `F32`.
    pub(super) fn real<D: Dimension>(&self, name: &str) -> Result<Array<f32, D>, Problem> {
        self.array(name, f32::from_le_bytes)
    }

    /// A tensor of the type `I32` that holds indices; a negative one becomes too large for any.
    pub(super) fn index<D: Dimension>(&self, name: &str) -> Result<Array<u32, D>, Problem> {
        self.array(name, u32::from_le_bytes)
    }
}

impl safetensors::View for &View<'_> {
    fn dtype(&self) -> Dtype {
        View::dtype(self)
    }

    fn shape(&self) -> &[usize] {
        View::shape(self)
    }

    fn data(&self) -> Cow<'_, [u8]> {
        // The logical order, whatever the order in memory.
        match self {
            View::Real(array) => array.iter().flat_map(|value| value.to_le_bytes()).collect(),
            View::Index(array) => array.iter().flat_map(|value| value.to_le_bytes()).collect(),
        }
    }

    fn data_len(&self) -> usize {
        4 * View::shape(self).iter().product::<usize>()
    }
}

/// The bytes of a file.
pub(super) fn to_bytes(entry: String, views: &Views<'_>) -> Result<Vec<u8>, Problem> {
    let metadata = HashMap::from([(KEY.to_owned(), entry)]);
    safetensors::serialize(views, Some(metadata))
        .map_err(|error| Problem::Header { reason: error.to_string() })
}

/// Puts the bytes at the path, all at once.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let fail = |reason| Error::Write { path: path.to_owned(), reason };
    // `parent` of a bare file name is the empty path, which names no directory.
    let folder = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".tablewright-").suffix(".tmp");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // As any other new file: the default would keep everybody else from reading a shared model.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    // The error of a missing folder, and the kind of any other: `tempfile` would name a file that nobody asked for.
    std::fs::metadata(folder).map_err(fail)?;
    let mut file = builder.tempfile_in(folder).map_err(|error| fail(error.kind().into()))?;
    file.as_file_mut().write_all(bytes).map_err(fail)?;
    file.as_file().sync_all().map_err(fail)?;
    file.persist(path).map_err(|error| fail(error.error))?;
    Ok(())
}

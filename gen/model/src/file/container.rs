//! Safetensors, from and to bytes, with nothing known of what the tensors mean.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, Cursor, Read, Write};
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use ndarray::{Array, Dimension, IxDyn};
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};

#[cfg(doc)]
use crate::check;
use crate::compare::{Found, compare};
use crate::error::{Error, Problem};
use crate::layout::{Layout, View, Views};

/// The key of the one metadata entry.
const KEY: &str = "tablewright";

/// Bytes of the longest header accepted. The largest model's tensors and kernels take some 30 kB, and the provenance at
/// most seven times [`check::PROVENANCE_LIMIT`], when JSON has to escape all of it.
const HEADER_LIMIT: u64 = 16 << 20;

/// What files of `torch.save` begin with: a zip archive, or before version 1.6 a pickle.
const PICKLES: [&[u8]; 2] = [b"PK\x03\x04", b"\x80\x02"];

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
            let pickled = PICKLES.iter().any(|magic| start.starts_with(magic));
            return Err(self.blame(if pickled { Problem::Pickled } else { Problem::NotSafetensors }));
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
        let shapes: Found<'_> =
            infos.iter().map(|(name, info)| (name.as_str(), (info.dtype, info.shape.as_slice()))).collect();
        compare(layout, &shapes).map_err(|problem| self.blame(problem))?;
        if found < expected {
            return Err(self.blame(Problem::Truncated { expected, found }));
        }
        if found > expected {
            return Err(self.blame(Problem::Trailing { expected, found }));
        }
        let bytes = self.take(expected)?;
        let places = infos.into_iter().map(|(name, info)| (name, info.clone())).collect();
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
    places: BTreeMap<String, TensorInfo>,
}

impl Tensors {
    pub(super) fn has(&self, name: &str) -> bool {
        self.places.contains_key(name)
    }

    /// The values of a tensor, as `convert` makes them of its type and bytes.
    fn array<T, D: Dimension>(
        &self,
        name: &str,
        convert: impl Fn(Dtype, &[u8]) -> Vec<T>,
    ) -> Result<Array<T, D>, Problem> {
        let missing = || Problem::MissingTensor {
            name: name.to_owned(),
            dtype: Dtype::F32.to_string(),
            shape: Vec::new(),
        };
        let info = self.places.get(name).ok_or_else(missing)?;
        let (first, last) = info.data_offsets;
        let bytes = self.bytes.get(first..last).ok_or_else(missing)?;
        Array::from_shape_vec(IxDyn(&info.shape), convert(info.dtype, bytes))
            .and_then(Array::into_dimensionality)
            .map_err(|_| Problem::Shape {
                name: name.to_owned(),
                expected: vec![0; D::NDIM.unwrap_or(0)],
                found: info.shape.clone(),
            })
    }

    /// A tensor of real numbers, in whichever type the file has it.
    pub(super) fn real<D: Dimension>(&self, name: &str) -> Result<Array<f32, D>, Problem> {
        self.array(name, |dtype, bytes| match dtype {
            Dtype::F16 => elements(bytes, |half| f16::from_le_bytes(half).to_f32()),
            Dtype::BF16 => elements(bytes, |half| bf16::from_le_bytes(half).to_f32()),
            // Of the types that the layout admits, `F32` is the third and last.
            _ => elements(bytes, f32::from_le_bytes),
        })
    }

    /// A tensor of the type `I32` that holds indices; a negative one becomes too large for any.
    pub(super) fn index<D: Dimension>(&self, name: &str) -> Result<Array<u32, D>, Problem> {
        self.array(name, |_, bytes| elements(bytes, u32::from_le_bytes))
    }
}

fn elements<const N: usize, T>(bytes: &[u8], convert: impl Fn([u8; N]) -> T) -> Vec<T> {
    let (words, _) = bytes.as_chunks::<N>();
    words.iter().map(|word| convert(*word)).collect()
}

/// A tensor in memory and the type that it has in the file.
struct Stored<'a, 'm> {
    view: &'a View<'m>,
    dtype: Dtype,
}

impl<'a, 'm> Stored<'a, 'm> {
    /// Real numbers become `F16` if that changes none of them, not even the sign of a zero: half the size for tables of
    /// few bits, whose entries are small integers times a power of two.
    fn new(view: &'a View<'m>) -> Self {
        let exact = |value: &f32| f16::from_f32(*value).to_f32().to_bits() == value.to_bits();
        let dtype = match view {
            View::Real(array) if array.iter().all(exact) => Dtype::F16,
            View::Real(_) => Dtype::F32,
            View::Index(_) => Dtype::I32,
        };
        Self { view, dtype }
    }
}

impl safetensors::View for Stored<'_, '_> {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        self.view.shape()
    }

    fn data(&self) -> Cow<'_, [u8]> {
        // The logical order, whatever the order in memory.
        match self.view {
            View::Real(array) if self.dtype == Dtype::F16 => {
                array.iter().flat_map(|value| f16::from_f32(*value).to_le_bytes()).collect()
            }
            View::Real(array) => array.iter().flat_map(|value| value.to_le_bytes()).collect(),
            View::Index(array) => array.iter().flat_map(|value| value.to_le_bytes()).collect(),
        }
    }

    fn data_len(&self) -> usize {
        self.view.shape().iter().product::<usize>() * self.dtype.bitsize() / 8
    }
}

/// The bytes of a file.
pub(super) fn to_bytes(entry: String, views: &Views<'_>) -> Result<Vec<u8>, Problem> {
    let metadata = HashMap::from([(KEY.to_owned(), entry)]);
    let stored = views.iter().map(|(name, view)| (name, Stored::new(view)));
    safetensors::serialize(stored, Some(metadata))
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

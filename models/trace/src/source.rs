//! A file's content, decompressed as it is read.
//!
//! The packing is told by the first bytes, never by the name: `.xz` files that are raw and raw files that are `.xz` are
//! both common.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::MultiGzDecoder;
use liblzma::bufread::XzDecoder;
use liblzma::stream::{CONCATENATED, Stream};
use serde::Serialize;

use crate::Error;

/// How a file is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Compression {
    /// Not at all.
    None,
    /// xz, one stream or several.
    Xz,
    /// gzip, one member or several.
    Gzip,
}

impl Compression {
    /// Told from the first bytes of a file.
    pub fn detect(head: &[u8]) -> Self {
        if head.starts_with(b"\xfd7zXZ\0") {
            Self::Xz
        } else if head.starts_with(b"\x1f\x8b") {
            Self::Gzip
        } else {
            Self::None
        }
    }

    /// The program that checks such a file.
    pub(crate) fn tool(self) -> &'static str {
        match self {
            Self::None => "cat",
            Self::Xz => "xz",
            Self::Gzip => "gzip",
        }
    }

    /// ` inside its xz data`, or nothing.
    pub(crate) fn inside(self) -> String {
        match self {
            Self::None => String::new(),
            packed => format!(" inside its {packed} data"),
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "raw",
            Self::Xz => "xz",
            Self::Gzip => "gzip",
        })
    }
}

/// The largest dictionary an xz file may ask for. `xz -9` takes 64 MiB; a damaged header can claim 4 GiB.
const XZ_MEMORY: u64 = 1 << 30;

/// Bytes of decompressed content that [`Source::head`] shows.
const HEAD: usize = 64 * 64;

/// Counts what is read from the file, so that progress means bytes of the file and not of its content.
struct Counting<R> {
    inner: R,
    bytes: Arc<AtomicU64>,
}

impl<R: Read> Read for Counting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.bytes.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

/// Decompressed content, read in order, in constant memory.
pub struct Source {
    path: PathBuf,
    compression: Compression,
    reader: Box<dyn Read + Send>,
    /// The first [`HEAD`] bytes or fewer, already decompressed, and how many of them were handed out.
    head: Vec<u8>,
    head_used: usize,
    bytes_done: Arc<AtomicU64>,
    bytes_total: u64,
    decompressed: u64,
}

impl Source {
    /// Opens a file and decompresses its beginning.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let metadata = fs::metadata(path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => Error::Missing { path: path.into() },
            _ => Error::Read { path: path.into(), source },
        })?;
        if metadata.is_dir() {
            return Err(Error::Directory { path: path.into() });
        }
        let file = File::open(path).map_err(|source| Error::Read { path: path.into(), source })?;
        Self::from_reader(path, file, metadata.len())
    }

    /// Reads packed content from anywhere; `name` stands for the file in messages, `bytes_total` is for progress only.
    pub fn from_reader(
        name: impl Into<PathBuf>,
        reader: impl Read + Send + 'static,
        bytes_total: u64,
    ) -> Result<Self, Error> {
        let path = name.into();
        let bytes_done = Arc::new(AtomicU64::new(0));
        let mut reader = Counting { inner: reader, bytes: Arc::clone(&bytes_done) };
        let mut magic = Vec::new();
        if let Err(source) = reader.by_ref().take(6).read_to_end(&mut magic) {
            return Err(Error::Read { path, source });
        }
        let compression = Compression::detect(&magic);
        let whole = BufReader::with_capacity(1 << 16, Cursor::new(magic).chain(reader));
        let reader: Box<dyn Read + Send> = match compression {
            Compression::None => Box::new(whole),
            Compression::Gzip => Box::new(MultiGzDecoder::new(whole)),
            Compression::Xz => match Stream::new_stream_decoder(XZ_MEMORY, CONCATENATED) {
                Ok(stream) => Box::new(XzDecoder::new_stream(whole, stream)),
                Err(error) => {
                    return Err(Error::Read { path, source: error.into() });
                }
            },
        };
        let mut source = Self {
            path,
            compression,
            reader,
            head: Vec::new(),
            head_used: 0,
            bytes_done,
            bytes_total,
            decompressed: 0,
        };
        let mut head = vec![0; HEAD];
        let filled = source.fill(&mut head)?;
        head.truncate(filled);
        if head.is_empty() {
            return Err(Error::Empty { path: source.path, compression });
        }
        source.head = head;
        source.decompressed = 0;
        Ok(source)
    }

    /// The file, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How the file is packed.
    pub fn compression(&self) -> Compression {
        self.compression
    }

    /// The decompressed beginning, at most 4096 bytes; at least one.
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// Bytes of the file read so far and in all; the second is 0 for a pipe.
    pub fn progress(&self) -> (u64, u64) {
        (self.bytes_done.load(Ordering::Relaxed), self.bytes_total)
    }

    /// Decompressed bytes handed out so far.
    pub fn decompressed(&self) -> u64 {
        self.decompressed
    }

    /// Fills `buffer` from the content; fewer bytes than it holds mean that the content ends there.
    pub fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let mut filled = (self.head.len() - self.head_used).min(buffer.len());
        buffer[..filled].copy_from_slice(&self.head[self.head_used..self.head_used + filled]);
        self.head_used += filled;
        self.decompressed += filled as u64;
        while filled < buffer.len() {
            match self.reader.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(n) => {
                    filled += n;
                    self.decompressed += n as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failed(error)),
            }
        }
        Ok(filled)
    }

    /// Tells a failing disk from a failing decoder: only the former carries an error number.
    fn failed(&self, source: io::Error) -> Error {
        let (path, compression, bytes) = (self.path.clone(), self.compression, self.decompressed);
        if compression == Compression::None || source.raw_os_error().is_some() {
            Error::Read { path, source }
        } else if source.kind() == io::ErrorKind::UnexpectedEof {
            Error::TruncatedStream { path, compression, bytes }
        } else {
            Error::CorruptStream { path, compression, bytes, detail: source.to_string() }
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("path", &self.path)
            .field("compression", &self.compression)
            .field("decompressed", &self.decompressed)
            .finish_non_exhaustive()
    }
}

//! Content as a short text that differs when the content does: SHA-256 in hexadecimal.

use std::fmt::Write as _;
use std::fs::File;
use std::io;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::failure::Failure;

/// Takes in content piece by piece.
#[derive(Default)]
pub(crate) struct Digest(Sha256);

impl Digest {
    /// Some bytes. Their number goes in too, so that two pieces are not mistaken for one.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    /// The text.
    pub(crate) fn finish(self) -> String {
        self.0.finalize().iter().fold(String::new(), |mut text, byte| {
            // Writing to a string does not fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

/// Of one piece.
pub(crate) fn of_bytes(bytes: &[u8]) -> String {
    let mut digest = Digest::default();
    digest.0.update(bytes);
    digest.finish()
}

/// Of a file's bytes.
pub(crate) fn of_file(path: &Path) -> Result<String, Failure> {
    let mut digest = Digest::default();
    let read = |reason| Failure::Read { path: path.into(), reason };
    io::copy(&mut File::open(path).map_err(read)?, &mut digest.0).map_err(read)?;
    Ok(digest.finish())
}

//! Files that appear whole or not at all.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::{Builder, TempPath};

use crate::failure::Failure;

/// Refuses a place that cannot take a file, before minutes of work are spent on its contents. `inputs` may not be
/// written over.
pub(crate) fn check_place(path: &Path, inputs: &[&Path]) -> Result<(), Failure> {
    let refuse = |problem| Err(Failure::Place { path: path.into(), problem });
    if path.is_dir() {
        return refuse("it is a directory; give the path of a file in it");
    }
    if path.exists() && !path.is_file() {
        // Renaming onto a device would replace it.
        return refuse("it is no regular file; give another path");
    }
    if path.file_name().is_none() {
        return refuse("it is no name of a file");
    }
    if !folder(path).is_dir() {
        return refuse("its directory does not exist; make it first");
    }
    let place = path.canonicalize().ok();
    if place.is_some() && inputs.iter().any(|input| input.canonicalize().ok() == place) {
        return refuse("it is also an input of this command; give another path");
    }
    Ok(())
}

/// The directory of a path.
pub(crate) fn folder(path: &Path) -> &Path {
    // `parent` of a bare file name is the empty path, which names no directory.
    path.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."))
}

/// A file being written beside its place.
#[derive(Debug)]
pub(crate) struct NewFile {
    path: PathBuf,
    /// Not the `NamedTempFile` itself: the messages of its errors name a file that nobody asked for.
    file: BufWriter<File>,
    beside: TempPath,
}

impl NewFile {
    /// Begins a file that will stand at `path`.
    pub(crate) fn begin(path: &Path) -> Result<Self, Failure> {
        let mut builder = Builder::new();
        builder.prefix(".tablewright-").suffix(".tmp");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // As any other new file; the default would be readable by its owner alone.
            builder.permissions(fs::Permissions::from_mode(0o666));
        }
        let (file, beside) = builder
            .tempfile_in(folder(path))
            .map_err(|error| Failure::Write { path: path.into(), reason: error.kind().into() })?
            .into_parts();
        Ok(Self { path: path.into(), file: BufWriter::new(file), beside })
    }

    /// Writes by `write`, naming this file if that fails.
    pub(crate) fn write(
        &mut self,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), Failure> {
        write(&mut self.file).map_err(|reason| Failure::Write { path: self.path.clone(), reason })
    }

    /// Puts the file at its place.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        let Self { path, file, beside } = self;
        let fail = |reason| Failure::Write { path: path.clone(), reason };
        let file = file.into_inner().map_err(|error| fail(error.into_error()))?;
        file.sync_all().map_err(fail)?;
        beside.persist(&path).map_err(|error| fail(error.error))?;
        Ok(())
    }
}

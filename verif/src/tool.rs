//! Other programs: started, watched, and their failures told in one message.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::Error;

/// Runs a command to its end; its output, both streams together, when it succeeds.
pub(crate) fn run(program: &str, command: &mut Command) -> Result<String, Error> {
    let output = command.stdin(Stdio::null()).output().map_err(|e| start_error(program, &e))?;
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.success() {
        Ok(text)
    } else {
        Err(Error::Tool { program: program.to_owned(), output: tail(&text) })
    }
}

pub(crate) fn start_error(program: &str, error: &std::io::Error) -> Error {
    if error.kind() == std::io::ErrorKind::NotFound {
        Error::ToolMissing(program.to_owned())
    } else {
        Error::Tool { program: program.to_owned(), output: error.to_string() }
    }
}

/// The end of a long output.
pub(crate) fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}

/// Verilog files of a folder, sorted.
pub(crate) fn verilog_in(folder: &Path) -> Result<Vec<String>, Error> {
    let read = |e: std::io::Error| Error::Io { path: folder.display().to_string(), source: e };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(read)? {
        let name = entry.map_err(read)?.file_name().to_string_lossy().into_owned();
        if Path::new(&name).extension().is_some_and(|e| e == "v") {
            files.push(name);
        }
    }
    files.sort();
    Ok(files)
}

//! Other programs: started, watched, and their failures told in one message.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::Error;

/// What a shell says of a program that is not there.
const NOT_FOUND: i32 = 127;
/// The signal to a process that has used up its processor time.
const SIGXCPU: i32 = 24;

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

/// A path for a tool that is started elsewhere.
pub(crate) fn absolute(path: &Path) -> Result<PathBuf, Error> {
    std::path::absolute(path).map_err(|source| Error::Io { path: path.display().to_string(), source })
}

/// Runs a command for at most `limit` of processor time in any one process; `None` when it was stopped for that. Unlike wall
/// clock it is the same on a busy machine. What the command says goes through the file `log`, whose folder exists.
pub(crate) fn run_for(
    program: &str,
    command: &Command,
    log: &Path,
    limit: Duration,
) -> Result<Option<Finished>, Error> {
    let io = |source| Error::Io { path: log.display().to_string(), source };
    let file = File::create(log).map_err(io)?;
    let both = file.try_clone().map_err(io)?;
    let mut limited = Command::new("sh");
    limited
        .args(["-c", "ulimit -S -t \"$0\" && exec \"$@\""])
        .arg(limit.as_secs().max(1).to_string())
        .arg(command.get_program())
        .args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        limited.current_dir(folder);
    }
    let status = limited
        .stdin(Stdio::null())
        .stdout(file)
        .stderr(both)
        .status()
        .map_err(|e| start_error(program, &e))?;
    let text = String::from_utf8_lossy(&std::fs::read(log).map_err(io)?).into_owned();
    if status.code() == Some(NOT_FOUND) {
        return Err(Error::ToolMissing(program.to_owned()));
    }
    let stopped = std::os::unix::process::ExitStatusExt::signal(&status) == Some(SIGXCPU);
    Ok((!stopped).then_some(Finished { success: status.success(), text }))
}

/// A command that came to its end.
#[derive(Debug)]
pub(crate) struct Finished {
    /// Its exit status was 0.
    pub success: bool,
    /// Both streams together.
    pub text: String,
}

/// The first line that a program says of its version, from the word that the line has to hold on.
pub(crate) fn version(program: &str, arguments: &[&str], word: &str) -> Result<String, Error> {
    let said = run(program, Command::new(program).args(arguments))?;
    let line = said.lines().find_map(|l| l.find(word).map(|at| l[at..].trim()));
    Ok(line.unwrap_or("unknown").to_owned())
}

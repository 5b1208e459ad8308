//! Is an output of a combinational graph ever 1?

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::Error;
use crate::tool::{run_for, tail};
use crate::vectors::Random;

use super::unroll::Graph;

/// Whether a literal is never 1: by random values, by all values, by ABC; nothing when none of them knows within `limit` of processor
/// time. `folder` is for the files in between.
pub(super) fn never(
    graph: &Graph,
    literal: u32,
    folder: &Path,
    limit: Duration,
) -> Result<Option<bool>, Error> {
    if literal == 0 {
        return Ok(Some(true));
    }
    let mut random = Random::new(literal.into());
    let mut word = || u64::from(random.word()) << 32 | u64::from(random.word());
    if (0..64).any(|_| graph.happens(literal, &mut word)) {
        return Ok(Some(false));
    }
    match graph.ever(literal) {
        Some(ever) => Ok(Some(!ever)),
        None => unsatisfiable(&graph.aiger(literal), folder, limit),
    }
}

/// Whether the output of a combinational graph is 0 for all inputs, by ABC.
fn unsatisfiable(graph: &[u8], folder: &Path, limit: Duration) -> Result<Option<bool>, Error> {
    let path = folder.join("difference.aig");
    std::fs::write(&path, graph).map_err(|source| Error::Io { path: path.display().to_string(), source })?;
    let mut abc = Command::new("yosys-abc");
    abc.args(["-c", &format!("read_aiger {}; strash; iprove", path.display())]);
    let log = folder.join("difference.log");
    let Some(said) = run_for("yosys-abc", &abc, &log, limit)? else {
        return Ok(None);
    };
    let says = |word: &str| said.text.split_whitespace().any(|w| w == word);
    if says("UNSATISFIABLE") {
        Ok(Some(true))
    } else if says("SATISFIABLE") {
        Ok(Some(false))
    } else if said.success && !says("UNDECIDED") {
        Err(Error::Tool { program: "yosys-abc".to_owned(), output: tail(&said.text) })
    } else {
        // One that gives up, or breaks off in an assertion of its own, has decided nothing.
        Ok(None)
    }
}

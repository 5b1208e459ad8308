//! The proof: Yosys turns both sides and their comparison into one and-inverter graph, ABC shows that `bad` is never 1.
//!
//! ABC's `pdr` (property directed reachability) finds the inductive invariant itself, so the proof has no bound on time
//! and needs no names of inner signals: a ring and a shifting queue can be compared though no register of one is a
//! register of the other, which temporal induction on the outputs alone could not do.
//!
//! Soundness of the start: initial values of the second writing are removed (`rust_hdl` sets all flip-flops to zero, the
//! shipped cells set none), registers are not merged, and `undc` gives every flip-flop of both sides a free value of its own
//! in the first cycle. Undefined values (`x`) become free inputs.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use tablewright_prim::Reference;

use crate::comparison::{TOP, comparison};

/// What a proof came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The two never differ.
    Equal,
    /// A sequence of inputs was found for which they differ.
    Different,
}

/// Are Yosys and its ABC installed? Says so if not.
pub(crate) fn tools_are_here() -> bool {
    let here = ["yosys", "yosys-abc"]
        .iter()
        .all(|tool| Command::new(tool).arg("-h").stdin(Stdio::null()).output().is_ok());
    if !here {
        eprintln!("skipped: yosys or yosys-abc is not installed (apt install yosys berkeley-abc)");
    }
    here
}

/// Proves or refutes that the shipped text does what the second writing does.
///
/// # Panics
///
/// If a tool rejects its input or reaches no decision; the message carries its output.
pub(crate) fn prove(reference: &Reference, shipped: &str) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("shipped.v"), shipped).unwrap();
    fs::write(folder.join("second.v"), &reference.verilog).unwrap();
    fs::write(folder.join("comparison.v"), comparison(reference)).unwrap();
    for image in &reference.images {
        fs::write(folder.join(image.file), image.text()).unwrap();
    }

    // `opt_merge` would take two registers with equal inputs for one, which also equates what they wake up with; the plain
    // `opt` passes are therefore left out.
    let script = format!(
        "read_verilog second.v; proc; setattr -unset init */w:*; \
         read_verilog shipped.v; read_verilog comparison.v; hierarchy -check -top {TOP}; proc; flatten; opt_clean; \
         memory_map; setundef -undriven -anyseq; techmap; opt_expr; opt_clean; \
         dffunmap; simplemap; aigmap; opt_clean; write_aiger graph.aig"
    );
    run(folder, "yosys", &["-q", "-p", &script]);
    let said = run(folder, "yosys-abc", &["-c", "read_aiger graph.aig; logic; undc; strash; zero; pdr"]);
    assert!(
        !said.contains("don't-care init"),
        "{}: flip-flops were assumed to wake up as 0\n{said}",
        reference.name
    );
    match (said.contains("Property proved."), said.contains("was asserted in frame")) {
        (true, false) => Outcome::Equal,
        (false, true) => Outcome::Different,
        _ => panic!("{}: no decision\n{said}", reference.name),
    }
}

/// Runs a tool in `folder` and returns what it printed.
fn run(folder: &Path, tool: &str, arguments: &[&str]) -> String {
    let output =
        Command::new(tool).args(arguments).current_dir(folder).stdin(Stdio::null()).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success(), "{tool} failed:\n{said}");
    said
}

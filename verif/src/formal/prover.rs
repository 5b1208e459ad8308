//! Proofs by Yosys and its ABC: one for pipelines, one for everything that has a state.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::Error;
use crate::tool::{run_for, tail};

/// Name of the module with the output `bad` that must never be 1.
pub(crate) const TOP: &str = "checker";

/// What a proof came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// `bad` is never 1.
    Proved,
    /// Inputs exist for which it is; what the tool says of them.
    Refuted(String),
    /// The limit came first.
    Undecided,
}

/// A folder for the files of one proof, and the limit of each.
#[derive(Debug, Clone)]
pub(crate) struct Prover {
    /// Made by whoever makes the prover.
    pub folder: PathBuf,
    /// Where Yosys runs, so that memory images are found.
    pub rtl: PathBuf,
    /// Of each proof, in processor time: what can be decided does not depend on what else the machine does.
    pub limit: Duration,
}

impl Prover {
    /// Proves that `bad` of the checker is 0 in the last of `cycles` cycles that begin in any state.
    ///
    /// For a pipeline whose outputs depend on no more than its last `cycles` cycles this holds for all time: it needs no
    /// induction, and is true from that many cycles after power-up on, whatever the registers wake up with.
    pub(crate) fn pipeline(
        &self,
        name: &str,
        prepare: &str,
        checker: &str,
        cycles: u64,
    ) -> Result<Verdict, Error> {
        let checker = self.write(name, checker)?;
        // What module and reference compute in the same way of the same operands is one cell, so that products cost nothing.
        let script = format!(
            "{prepare}; read_verilog {checker}; hierarchy -check -top {TOP}; proc; flatten; opt_clean; memory -nordff; \
             opt_expr; opt_merge; opt_clean; sat -seq {cycles} -prove-skip {} -prove bad 0 -show-inputs -show bad {TOP}",
            cycles - 1
        );
        let Some(text) = self.yosys(name, &script)? else {
            return Ok(Verdict::Undecided);
        };
        if text.contains("SAT proof finished - no model found: SUCCESS!") {
            Ok(Verdict::Proved)
        } else if text.contains("SAT proof finished - model found: FAIL!") {
            let model = text.lines().skip_while(|l| !l.contains("model found: FAIL!"));
            let model: Vec<&str> = model.filter(|l| l.contains('\\')).take(20).collect();
            Ok(Verdict::Refuted(model.join("\n")))
        } else {
            Err(Error::Tool { program: "yosys".to_owned(), output: tail(&text) })
        }
    }

    /// Proves that `bad` of the checker is never 1, by property directed reachability: no bound on time. All flip-flops
    /// wake up with free values; the checker sees to the reset.
    pub(crate) fn reachability(&self, name: &str, prepare: &str, checker: &str) -> Result<Verdict, Error> {
        let checker = self.write(name, checker)?;
        let graph = self.folder.join(format!("{name}.aig"));
        let script = format!(
            "{prepare}; read_verilog {checker}; hierarchy -check -top {TOP}; proc; flatten; opt_clean; memory_map; \
             setundef -undriven -anyseq; techmap; opt_expr; opt_clean; dffunmap; simplemap; aigmap; opt_clean; \
             write_aiger {}",
            graph.display()
        );
        if self.yosys(name, &script)?.is_none() {
            return Ok(Verdict::Undecided);
        }
        self.pdr(name, &graph, true)
    }

    /// ABC's `pdr` on a graph with one output; `free`: flip-flops without an initial value have any.
    pub(crate) fn pdr(&self, name: &str, graph: &Path, free: bool) -> Result<Verdict, Error> {
        let start = if free { "logic; undc; strash; zero" } else { "zero" };
        let script = format!("read_aiger {}; {start}; pdr", graph.display());
        let mut abc = Command::new("yosys-abc");
        let log = self.folder.join(format!("{name}.pdr.log"));
        let said = run_for("yosys-abc", abc.args(["-c", &script]), &log, self.limit)?;
        let Some(said) = said.map(|s| s.text) else {
            return Ok(Verdict::Undecided);
        };
        if said.contains("Property proved.") {
            Ok(Verdict::Proved)
        } else if let Some(line) = said.lines().find(|l| l.contains("was asserted in frame")) {
            Ok(Verdict::Refuted(line.trim().to_owned()))
        } else if said.contains("Property UNDECIDED") {
            Ok(Verdict::Undecided)
        } else {
            Err(Error::Tool { program: "yosys-abc".to_owned(), output: tail(&said) })
        }
    }

    /// Runs a script where the build's Verilog is; what Yosys said, or nothing when the limit came first.
    pub(crate) fn yosys(&self, name: &str, script: &str) -> Result<Option<String>, Error> {
        let log = self.folder.join(format!("{name}.yosys.log"));
        let mut yosys = Command::new("yosys");
        yosys.args(["-T", "-p", script]).current_dir(&self.rtl);
        match run_for("yosys", &yosys, &log, self.limit)? {
            None => Ok(None),
            Some(finished) if finished.success => Ok(Some(finished.text)),
            Some(finished) => Err(Error::Tool { program: "yosys".to_owned(), output: tail(&finished.text) }),
        }
    }

    fn write(&self, name: &str, checker: &str) -> Result<String, Error> {
        let path = self.folder.join(format!("{name}.v"));
        std::fs::write(&path, checker)
            .map_err(|source| Error::Io { path: path.display().to_string(), source })?;
        Ok(path.display().to_string())
    }
}

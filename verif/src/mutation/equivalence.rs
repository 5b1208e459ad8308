//! Is a mutant equivalent to what it was made from? Asked of its module, all inputs free.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tablewright_emit::{BuildDir, Names};

use crate::Error;
use crate::formal::prover::{Prover, Verdict};

use super::Mutant;
use super::netlist::read;

/// The proof that a mutant changes nothing, or none.
///
/// First by induction over one cycle: from any state common to both, outputs and next states agree. Then by reachability
/// from the state in which all flip-flops are zero, on the outputs alone. Modules inside the mutant's are taken out, what
/// they answer is free: a proof holds whatever they are.
pub(super) fn proof(
    build: &BuildDir,
    names: &Names,
    mutant: &Mutant,
    folder: &Path,
    limit: Duration,
) -> Result<Option<&'static str>, Error> {
    let rtl = std::path::absolute(build.rtl())
        .map_err(|source| Error::Io { path: build.rtl().display().to_string(), source })?;
    let prover = Prover { folder: folder.to_path_buf(), rtl, limit };
    let module = &mutant.module;
    let command = mutant.command.replace(&format!("-module {module} "), "-module changed ");
    let graph = folder.join("pair.aig");
    let both = format!(
        "{}\nhierarchy -top {module}\nrename {module} right\nblackbox right %n\nexpose -evert right/t:*tw_*\nopt_clean\ncopy \
         right changed\n{command}\nmemory\nopt_clean\n",
        read(&names.core()).replace("; ", "\n")
    );
    let induction = format!(
        "{both}equiv_make right changed both\nhierarchy -top both\nopt_clean\nequiv_simple\nequiv_induct -seq \
         1\nequiv_status -assert\n"
    );
    if script(&prover, "induction", &induction)? {
        return Ok(Some("induction over one cycle, from any common state"));
    }
    let miter = format!(
        "{both}miter -equiv -flatten right changed pair\nhierarchy -top pair\nproc\nsetundef -zero\ntechmap\nopt_expr\n\
         opt_clean\ndffunmap\nsimplemap\naigmap\nopt_clean\nwrite_aiger -zinit {}\n",
        graph.display()
    );
    if !script(&prover, "miter", &miter)? {
        return Ok(None);
    }
    Ok(match prover.pdr("pair", &graph, false) {
        Ok(Verdict::Proved) => Some("property directed reachability, from the state of all zeros"),
        Ok(_) | Err(Error::Tool { .. }) => None,
        Err(other) => return Err(other),
    })
}

/// Whether a script came to a good end within the limit.
fn script(prover: &Prover, name: &str, text: &str) -> Result<bool, Error> {
    let path = prover.folder.join(format!("{name}.ys"));
    std::fs::write(&path, text).map_err(|source| Error::Io { path: path.display().to_string(), source })?;
    let mut yosys = Command::new("yosys");
    yosys.arg("-q").arg(&path).current_dir(&prover.rtl);
    let log = prover.folder.join(format!("{name}.log"));
    Ok(crate::tool::run_for("yosys", &yosys, &log, prover.limit)?.is_some_and(|f| f.success))
}

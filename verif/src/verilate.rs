//! A harness in C++ and a top module, made into a program by Verilator.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tablewright_emit::{BuildDir, Names, hex};

use crate::Error;
use crate::tool::{absolute, run, run_for, tail, verilog_in};

/// What to compile: a module of `tb/` and the C++ that drives it.
pub(crate) struct Harness<'a> {
    /// The module; its file is `tb/MODULE.v`.
    pub(crate) top: &'a str,
    /// File of `tb/`.
    pub(crate) source: &'a str,
    /// Folder of `sim/` to compile in.
    pub(crate) folder: &'a str,
}

/// What the C++ compiler takes its time for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compile {
    /// A fast program, for runs of any length.
    #[default]
    ForSpeed,
    /// A program soon, some times slower: for a few hundred windows.
    ForHaste,
}

/// Compiles a harness, once for each content of the build's sources; the program's path.
pub(crate) fn compile(
    build: &BuildDir,
    harness: &Harness<'_>,
    waves: bool,
    how: Compile,
) -> Result<PathBuf, Error> {
    let top = harness.top;
    let (rtl, tb) = (build.rtl(), build.tb());
    let (optimise, kind) = match how {
        Compile::ForSpeed => ("-O2", ""),
        Compile::ForHaste => ("-O0", "-haste"),
    };
    let folder = format!("{}{}{kind}", harness.folder, if waves { "-waves" } else { "" });
    let folder = build.sim().join(folder);
    let program = absolute(&folder.join(format!("V{top}")))?;
    let stamp = folder.join("sources.sha256");
    let own = [tb.join(format!("{top}.v")), tb.join(harness.source)];
    let sources = sources_hash(&rtl, &own)?;
    if program.is_file() && std::fs::read_to_string(&stamp).is_ok_and(|s| s == sources) {
        return Ok(program);
    }
    std::fs::create_dir_all(&folder)
        .map_err(|source| Error::Io { path: folder.display().to_string(), source })?;
    let mut verilator = Command::new("verilator");
    verilator
        .args([
            "--cc",
            "--exe",
            "--build",
            "-j",
            "2",
            "-Wall",
            "--language",
            "1364-2005",
            "--top-module",
            top,
        ])
        .args(made_of(optimise))
        .args(["-y", ".", "-y", "../tb", "--Mdir"])
        .arg(absolute(&folder)?);
    if waves {
        verilator.arg("--trace-fst");
    }
    for source in &own {
        verilator.arg(absolute(source)?);
    }
    run("verilator", verilator.current_dir(&rtl))?;
    std::fs::write(&stamp, sources)
        .map_err(|source| Error::Io { path: stamp.display().to_string(), source })?;
    Ok(program)
}

/// The harness of values around other sources of the core, a program in `place`; none when compiling it takes longer than
/// `limit`. `optimise` is for the C++ compiler.
pub(crate) fn around(
    build: &BuildDir,
    names: &Names,
    place: &Path,
    sources: &[PathBuf],
    optimise: &str,
    limit: Duration,
) -> Result<Option<PathBuf>, Error> {
    let probe = names.probe();
    let mut verilator = Command::new("verilator");
    verilator
        .args(["--cc", "--exe", "--build", "-j", "2", "-Wno-fatal", "-Wno-lint", "-Wno-style"])
        .args(made_of(optimise))
        .arg(NO_BIT_TREES)
        .args(["--top-module", &probe, "--Mdir"])
        .arg(place)
        .arg("-y")
        .arg(absolute(&build.tb())?)
        .arg(format!("-DTW_VECTORS=\"{}/\"", absolute(&build.tb().join("vectors"))?.display()));
    for file in [build.tb().join(format!("{probe}.v")), build.tb().join("harness.cpp")] {
        verilator.arg(absolute(&file)?);
    }
    verilator.args(sources);
    match run_for("verilator", &verilator, &place.with_extension("log"), limit)? {
        None => Ok(None),
        Some(finished) if finished.success => Ok(Some(place.join(format!("V{probe}")))),
        Some(finished) => Err(Error::Tool { program: "verilator".to_owned(), output: tail(&finished.text) }),
    }
}

/// For netlists of gates. Verilator 5.006 makes one operation of a tree of bits, and of a deep tree of XOR, as a CRC is, a wrong one:
/// a loader's netlist then refuses a good image, where Icarus takes it.
pub(crate) const NO_BIT_TREES: &str = "-fno-const-bit-op-tree";

/// How Verilator writes a model and how it is compiled. Its functions are cut into pieces of a size that a compiler optimises
/// in seconds; in one piece they take several times as long and run no faster. What runs once, at the start, is left as it is.
/// Where nothing is optimised the pieces are larger: each reads all declarations, which are megabytes for a netlist.
pub(crate) fn made_of(optimise: &str) -> Vec<String> {
    let split = if optimise == "-O0" { 50_000 } else { 5_000 };
    let flags = format!(
        "-O3 --x-assign fast --x-initial fast --output-split {split} --output-split-cfuncs 2000 -CFLAGS -std=c++17 -MAKEFLAGS"
    );
    let make = format!("OPT_FAST={optimise} OPT_SLOW=-O0 OPT_GLOBAL=-O0");
    flags.split_whitespace().map(str::to_owned).chain([make]).collect()
}

/// Of all Verilog in `rtl/` and of the harness.
fn sources_hash(rtl: &Path, own: &[PathBuf]) -> Result<String, Error> {
    let mut hash = Sha256::new();
    let files = verilog_in(rtl)?.into_iter().map(|file| rtl.join(file));
    for path in files.chain(own.iter().cloned()) {
        let bytes =
            std::fs::read(&path).map_err(|source| Error::Io { path: path.display().to_string(), source })?;
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    }
    let digest: Vec<i64> = hash.finalize().iter().rev().map(|&b| i64::from(b)).collect();
    Ok(hex(&digest, 8))
}

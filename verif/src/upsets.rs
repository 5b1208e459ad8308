//! Flipped flip-flops, in the Verilog itself: which stages' registers an upset costs most.
//!
//! Yosys puts an inverter in front of the bits of flip-flops that are chosen, at work in one cycle. All are in one netlist, and a
//! file says which one is flipped when. What waits in memories that are written is in flip-flops here; banks of tables are another
//! check's.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rayon::prelude::*;
use serde::Serialize;
use tablewright_design::Design;
use tablewright_emit::{BuildDir, Label, Loading, Names};
use tablewright_plan::Plan;

use crate::Error;
use crate::cosim::{bitmaps_of, recorded};
use crate::faults::{Labelled, micro_f1};
use crate::tool::{absolute, run, verilog_in};
use crate::vectors::Random;
use crate::verilate::around;
use crate::wrapped::{self, Wrapped};

/// The file that says which flip-flop is flipped, and in which cycle.
const UPSET: &str = "upset.hex";
/// The core with the inverters in it.
const FLIPPED: &str = "tw_upset_core";
/// The bank of a table that is loaded, a macro on a chip.
const LOADED_BANK: &str = "tw_ram.v";
/// Of compiling it.
const COMPILE_LIMIT: Duration = Duration::from_hours(1);

/// What flips of a stage's flip-flops cost, on average over those that were flipped.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StageFault {
    /// The node, or the cell of the core that is none.
    pub stage: String,
    /// Bits it keeps.
    pub flip_flops: u64,
    /// Flips, one in a run each.
    pub flips: u64,
    /// Share of windows whose bitmap changed or never came, mean over the flips.
    pub changed_bitmaps: f64,
    /// The same of the worst flip.
    pub worst_changed_bitmaps: f64,
    /// F1 lost, mean over the flips; below 0 where a flip did good.
    pub f1_lost: f64,
    /// The same of the worst flip.
    pub worst_f1_lost: f64,
    /// Share of flips after which the last bitmap was wrong: they stay until a reset.
    pub lasting: f64,
}

/// What flips cost.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Upsets {
    /// Windows of each run; the flip comes while the first half of them does.
    pub windows: u64,
    /// Flip-flops of the core, memories that are written included.
    pub flip_flops: u64,
    /// Flips in all.
    pub flips: u64,
    /// Micro-F1 of these windows without a flip.
    pub f1: f64,
    /// Stages, the costliest first.
    pub ranking: Vec<StageFault>,
}

/// A bit of a flip-flop.
#[derive(Debug, Clone)]
struct Flip {
    stage: String,
    cell: String,
    bit: u64,
}

/// A cell of flip-flops.
struct Register {
    stage: String,
    cell: String,
    width: u64,
}

/// Flips `each` bits of every stage's flip-flops, chosen by `seed`, one in a run each, at a cycle by chance. `labelled` are windows
/// of the history; a streaming core gets their accesses one after the other, and its bitmaps at their ends count.
pub fn flip_registers(
    build: &BuildDir,
    (design, plan): (&Design, &Plan),
    labelled: &Labelled,
    (each, seed): (usize, u64),
    folder: &Path,
) -> Result<Upsets, Error> {
    let names = Names::new(&design.name);
    let registers = registers(build, &names, folder)?;
    let mut random = Random::new(seed);
    let mut flips = Vec::new();
    let mut stages: BTreeMap<&str, Vec<&Register>> = BTreeMap::new();
    for register in &registers {
        stages.entry(&register.stage).or_default().push(register);
    }
    let bits = |of: &[&Register]| of.iter().map(|r| r.width).sum::<u64>();
    for (stage, of) in &stages {
        for _ in 0..each {
            let mut bit = u64::from(random.word()) % bits(of);
            for register in of {
                if bit < register.width {
                    flips.push(Flip { stage: (*stage).to_owned(), cell: register.cell.clone(), bit });
                    break;
                }
                bit -= register.width;
            }
        }
    }
    let program = plant(build, (design, plan), &flips, folder)?;
    let piece = design.network.history / design.accesses();
    let each_access = design.accesses() * design.network.segments;
    let fed: Vec<Vec<u8>> =
        labelled.windows.iter().flat_map(|w| w.chunks_exact(each_access).map(<[u8]>::to_vec)).collect();
    let bytes = recorded(design, &fed);
    let windows = labelled.windows.len();
    let decisions = |number: usize, cycle: u64| -> Result<(Vec<Vec<i64>>, u64), Error> {
        let place = folder.join(format!("upset-{number}"));
        let io = |source| Error::Io { path: place.display().to_string(), source };
        std::fs::create_dir_all(&place).map_err(io)?;
        std::fs::write(place.join(UPSET), format!("{number:x}\n{cycle:x}\n")).map_err(io)?;
        let (all, cycles) = bitmaps_of(&program, &place, &bytes, design.network.outputs)?;
        std::fs::remove_dir_all(&place).map_err(io)?;
        // What never came predicts nothing.
        let nothing = || vec![0; design.network.outputs];
        let last = |i| all.get(i * piece + piece - 1).cloned().unwrap_or_else(nothing);
        Ok(((0..windows).map(last).collect(), cycles))
    };
    let (right, cycles) = decisions(0, 0)?;
    let f1 = micro_f1(&right, &labelled.labels);
    // Tables come first, and are not predicted with while they come.
    let first = 8 + Loading::of(design, plan).map_or(0, |l| l.image(Label::default()).len() as u64);
    let half = (cycles.saturating_sub(first) / 2).max(1);
    let at: Vec<u64> = flips.iter().map(|_| first + u64::from(random.word()) % half).collect();
    let one = |(i, &cycle): (usize, &u64)| Ok(decisions(i + 1, cycle)?.0);
    let wrong: Vec<Vec<Vec<i64>>> = at.par_iter().enumerate().map(one).collect::<Result<_, Error>>()?;
    let mut found: BTreeMap<&str, StageFault> = BTreeMap::new();
    for (flip, wrong) in flips.iter().zip(&wrong) {
        let differing = right.iter().zip(wrong).filter(|(r, w)| r != w).count();
        let share = differing as f64 / windows.max(1) as f64;
        let lost = f1 - micro_f1(wrong, &labelled.labels);
        let fault = found.entry(&flip.stage).or_insert_with(|| StageFault {
            stage: flip.stage.clone(),
            flip_flops: bits(&stages[flip.stage.as_str()]),
            flips: each as u64,
            changed_bitmaps: 0.0,
            worst_changed_bitmaps: 0.0,
            f1_lost: 0.0,
            worst_f1_lost: f64::MIN,
            lasting: 0.0,
        });
        fault.changed_bitmaps += share / each as f64;
        fault.worst_changed_bitmaps = fault.worst_changed_bitmaps.max(share);
        fault.f1_lost += lost / each as f64;
        fault.worst_f1_lost = fault.worst_f1_lost.max(lost);
        fault.lasting += f64::from(u8::from(right.last() != wrong.last())) / each as f64;
    }
    let mut ranking: Vec<StageFault> = found.into_values().collect();
    ranking.sort_by(|a, b| {
        b.f1_lost.total_cmp(&a.f1_lost).then(b.changed_bitmaps.total_cmp(&a.changed_bitmaps))
    });
    let flip_flops = registers.iter().map(|r| r.width).sum();
    Ok(Upsets { windows: windows as u64, flip_flops, flips: flips.len() as u64, f1, ranking })
}

/// From the Verilog to one module of plain flip-flops: what keeps a value or is reset does so by logic in front of it. Banks that
/// are loaded stay what they are.
fn read(build: &BuildDir, core: &str) -> Result<String, Error> {
    let mut logic = verilog_in(&build.rtl())?;
    let all = logic.len();
    logic.retain(|file| file != LOADED_BANK);
    let bank = if logic.len() < all { format!("read_verilog -lib {LOADED_BANK}\n") } else { String::new() };
    Ok(format!(
        "{bank}read_verilog {}\nhierarchy -check -top {core}\nproc\nflatten\nopt_clean\nmemory_collect\nmemory_map t:$mem_v2 \
         r:WR_PORTS>0 %i\nopt_clean\ndffunmap\nopt_clean\n",
        logic.join(" ")
    ))
}

/// All cells of flip-flops of the core.
fn registers(build: &BuildDir, names: &Names, folder: &Path) -> Result<Vec<Register>, Error> {
    let file = folder.join("registers.txt");
    let script = format!("{}dump -o {} t:$dff\n", read(build, &names.core())?, file.display());
    yosys(build, &folder.join("registers.ys"), &script)?;
    let text = std::fs::read_to_string(&file)
        .map_err(|source| Error::Io { path: file.display().to_string(), source })?;
    let mut found: Vec<Register> = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(cell) = line.strip_prefix("cell $dff ") {
            found.push(Register { stage: stage(cell), cell: cell.to_owned(), width: 1 });
        } else if let (Some(width), Some(last)) = (line.strip_prefix("parameter \\WIDTH "), found.last_mut())
        {
            last.width = width.parse().unwrap_or(1);
        }
    }
    Ok(found)
}

/// The node that a flip-flop belongs to, by the way down to its cell; the core's own cell where it is none's.
fn stage(cell: &str) -> String {
    let way = cell.replace('\\', "");
    let inner = way.split_once("u_predictor.").map_or(way.as_str(), |(_, rest)| rest);
    let from = inner.find("u_").map_or("core", |at| &inner[at + 2..]);
    let end = from.find(['.', '$', '[']).unwrap_or(from.len());
    from[..end].to_owned()
}

/// The harness around the core with the inverters.
fn plant(
    build: &BuildDir,
    (design, plan): (&Design, &Plan),
    flips: &[Flip],
    folder: &Path,
) -> Result<PathBuf, Error> {
    let names = Names::new(&design.name);
    let core = names.core();
    let width = (flips.len() + 1).next_power_of_two().ilog2().max(1);
    let mut script = read(build, &core)?;
    for (index, flip) in flips.iter().enumerate() {
        let _ = writeln!(
            script,
            "mutate -ctrl upset {width} {} -mode inv -module {core} -cell {} -port D -portbit {}",
            index + 1,
            flip.cell,
            flip.bit
        );
    }
    let netlist = folder.join("upsets.v");
    let _ = write!(script, "rename {core} {FLIPPED}\nwrite_verilog -noattr {}\n", netlist.display());
    yosys(build, &folder.join("upsets.ys"), &script)?;
    let outside = folder.join("core.v");
    let chooser = format!(
        "  reg [31:0] chosen[0:1];\n  reg [31:0] cycle = 0;\n  initial $readmemh(\"{UPSET}\", chosen);\n  always @(posedge clk) \
         cycle <= cycle + 1;\n  wire [{0}:0] upset = (cycle == chosen[1]) ? chosen[0][{0}:0] : 0;\n",
        width - 1
    );
    let wrapped = Wrapped {
        module: FLIPPED,
        choice: "upset",
        chooser: &chooser,
        // Bitmaps alone are looked at.
        values_at: None,
        tables_valid: "\\u_predictor.tables_valid ",
    };
    wrapped::write(build, (design, plan), &wrapped, &outside)?;
    let mut sources = vec![outside, netlist];
    if design.loaded.is_some() {
        sources.push(absolute(&build.rtl().join(LOADED_BANK))?);
    }
    let program = around(build, &names, &folder.join("values"), &sources, "-O1", COMPILE_LIMIT)?;
    program.ok_or_else(|| Error::Tool {
        program: "verilator".to_owned(),
        output: format!("no end within {} s of processor time", COMPILE_LIMIT.as_secs()),
    })
}

fn yosys(build: &BuildDir, path: &Path, script: &str) -> Result<(), Error> {
    std::fs::write(path, script).map_err(|source| Error::Io { path: path.display().to_string(), source })?;
    run("yosys", Command::new("yosys").arg("-q").arg(path).current_dir(build.rtl()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flip_flop_belongs_to_a_stage() {
        for (cell, expected) in [
            ("$flatten\\u_predictor.\\u_l0_ln1.\\u_sum.$procdff$412", "l0_ln1"),
            ("$memory\\u_predictor.u_l0_x.waiting[0]$77", "l0_x"),
            ("$flatten\\u_queue.$procdff$3", "queue"),
            ("$procdff$9", "core"),
        ] {
            assert_eq!(stage(cell), expected, "{cell}");
        }
    }
}

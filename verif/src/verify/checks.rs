//! The checks that are no proofs, each as a line of the certificate.

use std::path::Path;

use tablewright_design::{Design, Layout, Node};
use tablewright_emit::BuildDir;
use tablewright_plan::Plan;

use super::{Effort, UPSET_WINDOWS, Verify, Workplace, timed_check};
use crate::certificate::{Check, Group, Outcome};
use crate::faults::{Faults, Labelled, flip_tables};
use crate::gates::Gates;
use crate::mutation::Mutation;
use crate::upsets::{Upsets, flip_registers};
use crate::{
    Cosim, Error, check_images, check_looked_up, check_packed, gates, icarus, simulate, tool, vectors,
};

/// Images against the model; beside it, for one that differs, whether all lines are there.
pub(super) fn images(build: &BuildDir, design: &Design, plan: &Plan) -> (Check, Option<bool>) {
    let (fault, faulty) = check_images(build, design, plan);
    let check = Check::new(
        Group::Differential,
        "images",
        "every word and newline of every memory image against the model",
        "all images; a missing one would read as zeros in simulators",
    )
    .covering("images", tablewright_emit::images(design, plan).len() as u64)
    .covering("faulty", faulty as u64);
    let complete = fault.as_ref().map(|f| f.line > 0);
    (check.judged(fault.map(|f| format!("{} line {}: {}", f.file, f.line, f.problem))), complete)
}

/// Banks that are stored without what repeats against whole tables.
pub(super) fn packed(build: &BuildDir, design: &Design, plan: &Plan) -> Check {
    let found = check_packed(build, design, plan);
    Check::new(
        Group::Differential,
        "packed tables",
        "every entry made from the words of the images, against the whole tables",
        "every entry of every bank whose code can occur. That the Verilog makes entries of words in the same way is part of the \
         tables' proofs, where there are some",
    )
    .covering("banks", found.banks)
    .covering("entries", found.entries)
    .covering("entries that no code reaches", found.unread)
    .covering("bits whole", found.whole_bits)
    .covering("bits stored", found.stored_bits)
    .judged(found.wrong)
}

/// Rows of tables that no code should reach, against runs of the golden model.
pub(super) fn looked_up(design: &Design, wanted: &Verify, count: usize) -> Check {
    let inputs = vectors::windows(design, count, &wanted.traced, wanted.seed);
    let found = check_looked_up(design, &inputs);
    Check::new(
        Group::Differential,
        "rows never read",
        "golden model; corner cases, then the trace's windows, then random ones",
        "rows of tables that no code reaches, by enumeration of rows, or of what each lane can be \
         (gen/design/src/reach.rs), are not stored; here no run may look one up. Other rows need not all be seen",
    )
    .covering("windows", count as u64)
    .covering("rows never read", found.unread)
    .covering("rows read", found.seen)
    .covering("rows stored", found.rows)
    .judged(found.wrong)
}

/// Golden model and Verilator at every kernel boundary.
pub(super) fn compare(
    build: &BuildDir,
    design: &Design,
    plan: &Plan,
    wanted: &Verify,
    stall: f64,
    count: usize,
) -> Result<Check, Error> {
    let windows = vectors::steered(design, count, &wanted.traced, wanted.seed);
    let options = Cosim { stall, seed: wanted.seed, ..Cosim::default() };
    timed_check(|| {
        let report = simulate(build, design, plan, &windows, &options, &mut |_| ())?;
        let (name, scope) = if stall > 0.0 {
            (
                "golden = Verilator, with stalls",
                "random stalls of both streams; every value of every kernel, in value and cycle; eight resets with windows inside",
            )
        } else {
            (
                "golden = Verilator",
                "back to back; every value of every kernel, in value and cycle; eight resets with windows inside; latency and \
                 interval as planned",
            )
        };
        let method = "co-simulation, two-valued; corner cases, then the trace's windows, then random ones; half are led to every \
                      code of the first encoders";
        let check = Check::new(Group::Differential, name, method, scope)
            .covering("windows", report.vectors)
            .covering("values each", report.values_per_window)
            .covering("cycles", report.cycles)
            .covering("mismatches", report.mismatches);
        let problem = report.first.as_ref().map(|m| {
            format!(
                "kernel {}, window {}, row {}, cycle {}: expected {:?}, got {:?}",
                m.kernel, m.window, m.row, m.cycle, m.expected, m.actual
            )
        });
        let problem =
            problem.or_else(|| (!report.passed()).then(|| "latency, interval or a standstill".to_owned()));
        Ok(check.judged(problem))
    })
}

/// The shipped testbench under Icarus: unknown values, resets in the middle, stalls.
pub(super) fn shipped(build: &BuildDir, design: &Design) -> Result<Check, Error> {
    let check = Check::new(
        Group::Differential,
        "golden = Icarus",
        "the shipped testbench, four-valued",
        "bitmaps of the shipped vectors; eight resets with windows inside, random stalls, handshakes never unknown",
    );
    Ok(check.judged(icarus(build, &design.name)?.err().map(|said| tool::tail(&said))))
}

/// The netlist of gates, simulated.
pub(super) fn netlist(
    build: &BuildDir,
    design: &Design,
    wanted: &Verify,
    effort: &Effort,
    folder: &Path,
) -> Result<Check, Error> {
    let cells = if wanted.liberty.is_some() { "cells of the Liberty file" } else { "generic gates" };
    let check = |simulator: &str, compared: &str| {
        Check::new(
            Group::Differential,
            "golden = netlist",
            &format!("Yosys to {cells}, then {simulator}"),
            &format!(
                "{compared}, no delays; banks (tw_rom, tw_ram) stay as their Verilog, other memories are flip-flops; mapped \
                 without optimising for area or speed"
            ),
        )
    };
    if effort.gates.is_zero() {
        let check = check("a simulator", "nothing");
        return Ok(check.skipped("level quick does not synthesise".to_owned()));
    }
    let limited = |check: Check| {
        let mut check =
            check.skipped(format!("no end within {} s of processor time", effort.gates.as_secs()));
        check.outcome = Outcome::Undecided;
        check
    };
    let windows = vectors::covering(design, effort.gate_windows, &wanted.traced, wanted.seed);
    let gates = Gates {
        liberty: wanted.liberty.as_deref(),
        folder,
        limit: effort.gates,
        most_cells: gates::MOST_CELLS,
        windows: &windows,
    };
    let Some(mapped) = gates::simulate(build, design, &gates)? else {
        return Ok(limited(check("a simulator", "nothing")));
    };
    let check = if mapped.verilator {
        check(
            "the harness of `tablewright sim` under Verilator",
            "every value of every kernel, in value and cycle, two-valued, with stalls and without, eight resets with windows \
             inside",
        )
        .covering("windows", windows.len() as u64)
    } else {
        check("the shipped testbench under Icarus", "bitmaps of the shipped vectors, four-valued")
    };
    let check = check.covering("cells", mapped.cells);
    Ok(match mapped.verdict {
        Some(verdict) => check.judged(verdict.err()),
        None => limited(check),
    })
}

/// Flips in the tables of a design that takes windows, in the banks of the build: a ranking, and a check that says what was done.
pub(super) fn table_bits(
    (windowed, labelled): (&Design, &Labelled),
    (design, plan): (&Design, &Plan),
    seed: u64,
    each: usize,
) -> (Check, Faults) {
    let layout = |node: &Node| {
        let built = design.iter().find(|(_, other)| other.name == node.name);
        built.map_or(Layout::Rows { fold: 1 }, |(id, built)| plan.stage(id).directive.layout(built))
    };
    let found = flip_tables(windowed, layout, labelled, (each, seed));
    let check = Check::new(
        Group::Faults,
        "table bits",
        "flips on the golden model, stored bits chosen by seed",
        "one stored bit at a time, in all entries that are made of it, each bit position of each bank. A ranking, with nothing to \
         fail",
    )
    .covering("flips", found.flips)
    .covering("windows", found.windows)
    .judged(None);
    (check, found)
}

/// Flips in flip-flops, `each` of a stage: a ranking, and a check that says what was done.
pub(super) fn registers(
    (build, design, plan): (&BuildDir, &Design, &Plan),
    seed: u64,
    each: usize,
    work: &Workplace,
    labelled: &Labelled,
) -> Result<(Check, Option<Upsets>), Error> {
    let check = Check::new(
        Group::Faults,
        "registers",
        "Yosys puts an inverter in front of flip-flops; Verilator, back to back, F1 of the bitmaps",
        "one bit of one flip-flop for a cycle, by chance in the first half of a run behind the loading of tables, of each stage as \
         many; what waits in memories is in flip-flops, banks (tw_rom, tw_ram) are not. A ranking, with nothing to fail",
    );
    if each == 0 {
        return Ok((check.skipped("level quick flips none".to_owned()), None));
    }
    let few = Labelled {
        windows: labelled.windows.iter().take(UPSET_WINDOWS).cloned().collect(),
        labels: labelled.labels.iter().take(UPSET_WINDOWS).cloned().collect(),
    };
    let found = flip_registers(build, (design, plan), &few, (each, seed), &work.folder("upsets")?)?;
    let check = check
        .covering("flips", found.flips)
        .covering("flip-flops", found.flip_flops)
        .covering("windows", found.windows)
        .judged(None);
    Ok((check, Some(found)))
}

pub(super) fn judge_mutants(check: Check, found: &Mutation) -> Check {
    let problem = (found.unexcused > 0).then(|| {
        let named = found.survivors.iter().filter(|s| s.excused.is_none());
        let names: Vec<String> = named
            .map(|s| {
                let m = &s.mutant;
                format!("{} {} {}[{}] {}", m.module, m.cell, m.port, m.bit, m.mode)
            })
            .collect();
        let named = names.join("; ");
        format!("{} survived without a proof that they change nothing: {named}", found.unexcused)
    });
    let unsound = found.wrongly_excused.first().map(|m| {
        format!(
            "the proof excuses `{}`, which a simulation noticed, so none of its excuses counts",
            m.command
        )
    });
    check
        .covering("mutants", found.mutants)
        .covering("controls", found.controls)
        .covering("killed", found.killed)
        .covering("excused", found.excused)
        .covering("windows each", found.windows)
        .judged(unsound.or(problem))
}

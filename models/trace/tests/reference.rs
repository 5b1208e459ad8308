//! The cache filter beside public simulators and their load traces, on real traces where they are at hand.
//!
//! `cargo test -p tablewright-trace --test reference -- --nocapture` prints the deviations.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use std::collections::HashSet;
use std::path::PathBuf;

use tablewright_trace::champsim::Instructions;
use tablewright_trace::{CacheConfig, CacheFilter, CacheLevel, Source, Trace};

const TRACES: [&str; 5] = ["gap_pr_kron20", "gap_sssp_kron18", "libquantum_shor", "mcfns", "pb_fdtd2d"];

/// The folder of shared traces: `TABLEWRIGHT_SHARED`, or beside the workspace.
fn shared() -> Option<PathBuf> {
    let folder = std::env::var_os("TABLEWRIGHT_SHARED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    if folder.join("traces").is_dir() && folder.join("reference/champsim.csv").is_file() {
        return Some(folder);
    }
    println!("skipped: no shared traces; name their folder in TABLEWRIGHT_SHARED");
    None
}

/// Loads and reads for ownership that reach the last level in the simulators' measured window.
fn measured_window(trace: &std::path::Path, config: &CacheConfig) -> (u64, u64) {
    let mut filter = CacheFilter::new(config).unwrap();
    let mut instructions = Instructions::new(Source::open(trace).unwrap());
    let (mut loads, mut rfos) = (0, 0);
    while let Some(instruction) = instructions.next_instruction().unwrap() {
        let number = instructions.count_so_far();
        if number > 3_000_000 {
            break;
        }
        let inside = u64::from(number > 500_000);
        for address in instruction.loads.into_iter().filter(|&address| address != 0) {
            loads += inside * u64::from(filter.access(address, false));
        }
        for address in instruction.stores.into_iter().filter(|&address| address != 0) {
            rfos += inside * u64::from(filter.access(address, true));
        }
    }
    (loads, rfos)
}

fn percent(ours: u64, theirs: u64) -> f64 {
    (ours as f64 / theirs as f64 - 1.0) * 100.0
}

#[test]
fn loads_at_the_last_level_as_in_simulators() {
    let Some(shared) = shared() else { return };
    let csv = std::fs::read_to_string(shared.join("reference/champsim.csv")).unwrap();
    let mut compared = 0;
    for name in TRACES {
        let path = shared.join(format!("traces/{name}.champsimtrace.xz"));
        let default = measured_window(&path, &CacheConfig::default());
        let large_l2 = CacheConfig { l2: CacheLevel { bytes: 2 << 20, ways: 16 }, ..CacheConfig::default() };
        let large = measured_window(&path, &large_l2);
        for line in csv.lines().filter(|line| line.starts_with(name)) {
            let fields: Vec<&str> = line.split(',').collect();
            let (simulator, prefetcher) = (fields[1], fields[2]);
            if prefetcher != "no" {
                continue;
            }
            let (loads, rfos) = if simulator.starts_with("dpc4") { large } else { default };
            let reference: u64 = fields[6].parse().unwrap();
            let rfo_misses: u64 = fields[8].parse().unwrap();
            let deviation = percent(loads, reference);
            println!(
                "{name:16} {simulator:24} loads {loads:6} / {reference:6} {deviation:+6.1} %   RFOs {rfos:4}, of which \
                 missed there {rfo_misses:4}"
            );
            // Upstream issues loads out of order enough to see mcfns's lists in another order: even the older
            // simulator is 26 % below it there. Elsewhere, a few per cent.
            let limit = if (name, simulator) == ("mcfns", "champsim-2ff25011") { 30.0 } else { 4.0 };
            assert!(deviation.abs() < limit, "{name} {simulator}: {loads} loads, {reference} there");
            assert!(
                rfos as f64 > 0.97 * rfo_misses as f64,
                "{name} {simulator}: {rfos} RFOs, {rfo_misses} there"
            );
            compared += 1;
        }
    }
    assert_eq!(compared, 13);
}

/// The load traces are physical, so pages differ; instruction, program counter and place in the page agree.
#[test]
fn same_accesses_as_in_load_traces() {
    let Some(shared) = shared() else { return };
    for name in TRACES {
        let config = CacheConfig::default();
        let ours = Trace::load(&shared.join(format!("traces/{name}.champsimtrace.xz")), &config).unwrap();
        let theirs =
            Trace::load(&shared.join(format!("traces/loadtraces/{name}.loadtrace.txt.xz")), &config).unwrap();
        let place = |access: &tablewright_trace::Access| (access.id, access.ip, access.address >> 6 & 63);
        let known: HashSet<_> = ours.accesses.iter().map(place).collect();
        let found = theirs.accesses.iter().filter(|access| known.contains(&place(access))).count();
        let last = theirs.accesses.iter().map(|access| access.id).max().unwrap();
        let count = ours.accesses.iter().filter(|access| access.id <= last).count();
        let share = found as f64 / theirs.accesses.len() as f64;
        println!(
            "{name:16} accesses {count:6} / {:6} {:+.1} %   of theirs also ours {:.1} %   deltas in range, in page: ours \
             {:.3} {:.3}, theirs {:.3} {:.3}",
            theirs.accesses.len(),
            percent(count as u64, theirs.accesses.len() as u64),
            share * 100.0,
            ours.info.deltas_in_range,
            ours.info.deltas_in_page,
            theirs.info.deltas_in_range,
            theirs.info.deltas_in_page,
        );
        assert!(percent(count as u64, theirs.accesses.len() as u64).abs() < 6.0);
        // Out of order, another instruction may be the first to touch a block.
        assert!(share > 0.8, "{name}: {share}");
    }
}

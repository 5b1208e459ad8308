//! Windows, labels, splits and the dataset file.
#![allow(clippy::unwrap_used, missing_docs)]
#[allow(dead_code)]
mod common;

use common::{blocks, input, network};
use proptest::prelude::*;
use tablewright_model::InputConfig;
use tablewright_trace::window::{delta_of_output, hash_pc, output_of_delta};
use tablewright_trace::{Access, Dataset, DatasetOptions, Fractions, Rows, Split, Trace, TraceKind};

/// Set bits of a label.
fn bits(dataset: &Dataset, row: usize) -> Vec<usize> {
    (0..dataset.outputs).filter(|&i| dataset.labels[[row, i / 8]] >> (i % 8) & 1 == 1).collect()
}

#[test]
fn labels_by_hand() {
    // Current block 1000; then +1, −1, 0, +128, −128, +129 (out), −129 (out), +2 (beyond the look-ahead).
    let trace = blocks(&[5, 1000, 1001, 999, 1000, 1128, 872, 1129, 871, 1002]);
    let dataset = Dataset::from_trace(&trace, &network(2, 256), &input(7)).unwrap();
    assert_eq!(dataset.current, [1, 2]);
    assert_eq!(bits(&dataset, 0), [0, 127, 128, 255]);
    // From 1001: 999 −2, 1000 −1, 1128 +127, 872 −129 (out), 1129 +128, 871 (out), 1002 +1.
    assert_eq!(bits(&dataset, 1), [0, 126, 127, 254, 255]);
    // −1 is bit 255: the top bit of byte 31. −128 is bit 128: the bottom bit of byte 16.
    assert_eq!((dataset.labels[[0, 31]], dataset.labels[[0, 16]]), (0x80, 0x01));
}

#[test]
fn windows_by_hand() {
    // Block 0x9_5cb5 = 1001 010111 001011 010101 in 6-bit segments, least significant first.
    let pc = 0x1_2345_6789_abcd;
    let accesses = vec![
        Access { id: 1, address: 0x40, ip: 1 },
        Access { id: 2, address: 0b1001_0101_1100_1011_0101 << 6 | 63, ip: pc },
        Access { id: 3, address: 0x80, ip: 3 },
    ];
    let trace = Trace::from_accesses("t", TraceKind::ChampsimInstructions, accesses);
    let input = InputConfig { pc_segments: 3, ..input(1) };
    let options = DatasetOptions { rows: Rows::All, ..DatasetOptions::default() };
    let dataset = Dataset::from_trace_with(&trace, &network(2, 256), &input, &options).unwrap();
    assert_eq!(dataset.windows.dim(), (2, 2, 10));
    // t = 0x1_2345_6789_abcd ^ 0x1_2345 = 0x1_2345_6788_8888; its low 16 bits ^ the next 16: 0x8888 ^ 0x6788 = 0xef00.
    assert_eq!(hash_pc(pc), 0xef00);
    let newest: Vec<u8> = dataset.windows.slice(ndarray::s![0, 1, ..]).to_vec();
    assert_eq!(newest, [0b11_0101, 0b11_0010, 0b01_0101, 0b10, 0, 0, 0, 0, 0b11_1100, 0b1110]);
    assert_eq!(dataset.windows[[0, 0, 0]], 1);
    assert_eq!(dataset.windows[[1, 1, 0]], 2);
    assert_eq!(dataset.windows.slice(ndarray::s![1, 0, ..]), dataset.windows.slice(ndarray::s![0, 1, ..]));
}

#[test]
fn rows_without_a_delta_are_dropped_or_kept() {
    let trace = blocks(&[0, 1000, 2000, 2001, 9000, 9000, 9000]);
    let labelled = Dataset::from_trace(&trace, &network(1, 256), &input(1)).unwrap();
    assert_eq!(labelled.current, [2]);
    let options = DatasetOptions { rows: Rows::All, ..DatasetOptions::default() };
    let all = Dataset::from_trace_with(&trace, &network(1, 256), &input(1), &options).unwrap();
    assert_eq!(all.current, [0, 1, 2, 3, 4, 5, 6]);
    assert_eq!(bits(&all, 2), [0]);
    assert!(bits(&all, 6).is_empty());
}

#[test]
fn deltas_across_a_page_are_left_out_when_asked() {
    // Blocks 62 and 63 are in page 0, 64 in page 1.
    let trace = blocks(&[62, 63, 64, 64]);
    let paged = |page_bits| {
        let input = InputConfig { page_bits, ..input(2) };
        Dataset::from_trace(&trace, &network(1, 256), &input).unwrap()
    };
    assert_eq!((paged(Some(12)).current, bits(&paged(Some(12)), 0)), (vec![0], vec![0]));
    for wide in [Some(20), None] {
        assert_eq!(bits(&paged(wide), 0), [0, 1]);
    }
}

#[test]
fn a_sparse_label_range_has_its_own_bits() {
    let trace = blocks(&[10, 13, 7, 14, 6, 10]);
    let dataset = Dataset::from_trace(&trace, &network(1, 6), &input(5)).unwrap();
    // ±3 of 10: bit 2 and bit 3; ±4 are out.
    assert_eq!((dataset.labels.dim(), bits(&dataset, 0)), ((1, 1), vec![2, 3]));
}

#[test]
fn messages_of_traces_that_do_not_do() {
    let of = |trace: &Trace, outputs, page_bits| {
        let input = InputConfig { page_bits, ..input(128) };
        Dataset::from_trace(trace, &network(10, outputs), &input).unwrap_err().to_string()
    };
    assert_eq!(
        of(&blocks(&(0..50).collect::<Vec<_>>()), 256, None),
        "t: 50 accesses reach the predictor, at least 138 are needed (a history of 10 and a look-ahead of 128); use a \
         longer trace or one that misses the caches more"
    );
    assert_eq!(
        of(&blocks(&[77; 200]), 256, None),
        "t: every access that reaches the predictor (200) goes to the one block 0x4d, so there is no delta to learn; use a \
         trace whose program touches more memory"
    );
    assert!(of(&blocks(&[77]), 256, None).contains("reaches the predictor (1) goes to the one block 0x4d"));
    let far: Vec<u64> = (0..200).map(|i| i * 1000).collect();
    assert_eq!(
        of(&blocks(&far), 256, None),
        "t: no access is followed within 128 accesses by one that is 1 to 128 blocks away, so there is nothing to learn; \
         raise network.outputs or input.lookahead, or use another trace"
    );
    let pages: Vec<u64> = (0..200).map(|i| i * 64).collect();
    assert!(of(&blocks(&pages), 256, Some(12)).contains("128 blocks away in the same page of 4096 bytes"));
    assert_eq!(
        of(&blocks(&pages), 7, None),
        "network.outputs is 7, it must be even (half for each direction)"
    );
    assert_eq!(of(&blocks(&pages), 256, Some(6)), "input.page_bits is 6, allowed are 7 to 48");
}

#[test]
fn split_leaves_a_gap() {
    let trace = blocks(&(0..1009).collect::<Vec<_>>());
    let dataset = Dataset::from_trace(&trace, &network(10, 256), &input(100)).unwrap();
    assert_eq!((dataset.len(), dataset.current[0]), (900, 9));
    let split = Split::by_time(&dataset, 100, Fractions::default()).unwrap();
    // Row r is access r + 9; row 540 begins the validation part, so the last training row looks up to row 539.
    assert_eq!(split, Split { train: 0..440, valid: 540..620, test: 720..900 });
}

#[test]
fn split_refuses_what_leaves_nothing() {
    let trace = blocks(&(0..300).collect::<Vec<_>>());
    let dataset = Dataset::from_trace(&trace, &network(10, 256), &input(128)).unwrap();
    assert_eq!(
        Split::by_time(&dataset, 128, Fractions::default()).unwrap_err().to_string(),
        "split of 163 windows: the train part has no window left once a look-ahead of 128 accesses lies between the \
         parts, for which 645 windows are enough; use a longer trace"
    );
    for (train, valid) in [(0.6, 0.4), (0.0, 0.5), (f64::NAN, 0.2)] {
        let text = Split::by_time(&dataset, 1, Fractions { train, valid }).unwrap_err().to_string();
        assert!(text.contains("both must be above 0 and their sum below 1"), "{text}");
    }
}

#[test]
fn subsets_are_thinned_evenly() {
    let trace = blocks(&(0..200).collect::<Vec<_>>());
    let dataset = Dataset::from_trace(&trace, &network(1, 256), &input(1)).unwrap();
    assert_eq!(dataset.subset(10..20, 4).current, [10, 12, 15, 17]);
    assert_eq!(dataset.subset(10..13, 99).current, [10, 11, 12]);
    assert_eq!(dataset.subset(190..999, 99).len(), 9);
    assert!(dataset.subset(5..5, 3).is_empty());
    let two = dataset.subset(3..100, 2);
    assert_eq!(two.windows.index_axis(ndarray::Axis(0), 1), dataset.windows.index_axis(ndarray::Axis(0), 51));
    let options = DatasetOptions { max_rows: Some(2), ..DatasetOptions::default() };
    let thinned = Dataset::from_trace_with(&trace, &network(1, 256), &input(1), &options).unwrap();
    assert_eq!(thinned, dataset.subset(0..199, 2));
}

#[test]
fn files_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("d.safetensors");
    let trace = blocks(&(0..500).map(|i| i * 3 % 200).collect::<Vec<_>>());
    let dataset = Dataset::from_trace(&trace, &network(10, 30), &input(20)).unwrap();
    let split = Split::by_time(&dataset, 20, Fractions::default()).unwrap();
    dataset.save(&path, &split).unwrap();
    let first = std::fs::read(&path).unwrap();
    assert_eq!(Dataset::load(&path).unwrap(), (dataset.clone(), split.clone()));
    dataset.save(&path, &split).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), first, "the same dataset gives the same bytes");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
    // Cut at every kind of place, and with a changed header: refused, never a panic.
    for keep in [0, 4, 8, 100, first.len() - 1] {
        std::fs::write(&path, &first[..keep]).unwrap();
        let text = Dataset::load(&path).unwrap_err().to_string();
        assert!(text.contains("not a dataset file: its safetensors structure is broken"), "{text}");
    }
    for (from, to, says) in [
        ("\\\"version\\\":1", "\\\"version\\\":9", "its version is 9, this program reads 1"),
        ("\\\"outputs\\\":30", "\\\"outputs\\\":40", "do not belong together with 40 outputs"),
        ("\\\"segment_bits\\\":6", "\\\"segment_bits\\\":2", "which is no segment of 2 bits"),
        ("\"windows\"", "\"window5\"", "tensor `windows` is missing"),
        ("\"dataset\"", "\"datasex\"", "its metadata has no entry `dataset`"),
    ] {
        let at = first.windows(from.len()).position(|w| w == from.as_bytes()).unwrap();
        let mut changed = first.clone();
        changed[at..at + to.len()].copy_from_slice(to.as_bytes());
        std::fs::write(&path, changed).unwrap();
        let text = Dataset::load(&path).unwrap_err().to_string();
        assert!(text.contains(says), "{text} / {says}");
    }
    let nowhere = folder.path().join("none/d.safetensors");
    assert!(dataset.save(&nowhere, &split).unwrap_err().to_string().contains("cannot be written"));
}

proptest! {
    #[test]
    fn outputs_and_deltas_are_inverse(half in 1usize..256, delta in -300i64..300) {
        let outputs = 2 * half;
        match output_of_delta(delta, outputs) {
            Some(output) => {
                prop_assert!(output < outputs);
                prop_assert_eq!(delta_of_output(output, outputs), delta);
            }
            None => prop_assert!(delta == 0 || delta.unsigned_abs() as usize > half),
        }
    }

    #[test]
    fn no_label_looks_into_the_next_part(
        trace in proptest::collection::vec(0u64..2000, 200..400), lookahead in 1usize..20
    ) {
        let Ok(dataset) = Dataset::from_trace(&blocks(&trace), &network(3, 64), &input(lookahead)) else { return Ok(()) };
        let Ok(split) = Split::by_time(&dataset, lookahead, Fractions::default()) else { return Ok(()) };
        for (part, next) in [(&split.train, &split.valid), (&split.valid, &split.test)] {
            let last = dataset.current[part.end - 1] as usize;
            prop_assert!(last + lookahead < dataset.current[next.start] as usize);
        }
        prop_assert_eq!(split.test.end, dataset.len());
    }

    #[test]
    fn labels_agree_with_the_definition(trace in proptest::collection::vec(0u64..60, 30..60), paged in any::<bool>()) {
        let options = DatasetOptions { rows: Rows::All, max_rows: None };
        let input = InputConfig { page_bits: paged.then_some(10), ..input(9) };
        let dataset = Dataset::from_trace_with(&blocks(&trace), &network(4, 20), &input, &options).unwrap();
        for (row, &at) in dataset.current.iter().enumerate() {
            let at = at as usize;
            let expected: Vec<usize> = (0..20).filter(|&output| {
                let delta = delta_of_output(output, 20);
                trace[at + 1..(at + 10).min(trace.len())].iter().any(|&next| {
                    next as i64 - trace[at] as i64 == delta && (!paged || next / 16 == trace[at] / 16)
                })
            }).collect();
            prop_assert_eq!(bits(&dataset, row), expected);
        }
    }
}

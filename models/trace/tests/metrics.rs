//! F1, thresholds, the issue unit and the evaluation, against brute force and by hand.
#![allow(clippy::unwrap_used, clippy::float_cmp, missing_docs)]

use ndarray::{Array2, array};
use proptest::prelude::*;
use tablewright_model::InputConfig;
use tablewright_trace::baseline::{BestOffset, NextLine};
use tablewright_trace::metrics::{bitmap, confusion};
use tablewright_trace::{Confusion, Evaluation, Issuer, Score, best_threshold, bitmap_confusion, micro_f1};

#[test]
fn f1_by_hand() {
    // Labels 0 and 2 in row 0, 1 in row 1; predicted 0, 1 and 1.
    let scores = array![[0.9f32, 0.6, 0.4], [0.1, 0.8, 0.2]];
    let labels = array![[0b101u8], [0b010]];
    let counts = confusion(scores.view(), labels.view(), 0.5).unwrap();
    assert_eq!(counts, Confusion { true_positive: 2, false_positive: 1, false_negative: 1 });
    assert_eq!(micro_f1(scores.view(), labels.view(), 0.5).unwrap(), 4.0 / 6.0);
    assert_eq!((counts.precision(), counts.recall()), (2.0 / 3.0, 2.0 / 3.0));
    let best = best_threshold(scores.view(), labels.view()).unwrap().unwrap();
    // 0.4 finds all three and one false one: 6/7. 0.8 finds two and none false: 4/5.
    assert_eq!((best.threshold, best.confusion.f1()), (0.4, 6.0 / 7.0));
    assert_eq!(Confusion::default().f1(), 0.0);
    let wrong = micro_f1(scores.view(), array![[1u8]].view(), 0.5).unwrap_err().to_string();
    assert!(wrong.starts_with("metric: scores (2, 3) and labels (1, 1) do not belong together"), "{wrong}");
}

#[test]
fn nan_and_signed_zero() {
    let labels = array![[0b11u8]];
    let nan = array![[f32::NAN, f32::NAN]];
    assert!(best_threshold(nan.view(), labels.view()).unwrap().is_none());
    let zeros = array![[-0.0f32, 0.0]];
    let best = best_threshold(zeros.view(), labels.view()).unwrap().unwrap();
    assert_eq!(best.confusion.true_positive, 2);
    assert!(best_threshold(zeros.view(), array![[0u8]].view()).unwrap().is_none());
}

/// Every score as a threshold, the highest of the best.
fn brute<S: Score>(scores: &Array2<S>, labels: &Array2<u8>) -> f64 {
    scores
        .iter()
        .map(|&threshold| micro_f1(scores.view(), labels.view(), threshold).unwrap())
        .fold(0.0, f64::max)
}

proptest! {
    #[test]
    fn best_threshold_is_best(cells in proptest::collection::vec((-9i64..9, any::<bool>()), 24)) {
        let scores = Array2::from_shape_fn((2, 12), |(r, c)| cells[r * 12 + c].0);
        let mut labels = Array2::zeros((2, 2));
        for (i, _) in cells.iter().enumerate().filter(|(_, cell)| cell.1) {
            labels[[i / 12, i % 12 / 8]] |= 1u8 << (i % 12 % 8);
        }
        let floats = scores.mapv(|score| score as f32 / 7.0);
        let best = best_threshold(scores.view(), labels.view()).unwrap();
        let float = best_threshold(floats.view(), labels.view()).unwrap();
        let Some(best) = best else { prop_assert!(cells.iter().all(|cell| !cell.1)); return Ok(()) };
        let float = float.unwrap();
        prop_assert_eq!(best.confusion, confusion(scores.view(), labels.view(), best.threshold).unwrap());
        prop_assert_eq!(best.confusion.f1(), brute(&scores, &labels));
        prop_assert_eq!(float.threshold, best.threshold as f32 / 7.0);
        prop_assert_eq!(float.confusion, best.confusion);
        // The same from bitmaps.
        let rows: Vec<u8> = scores.rows().into_iter().flat_map(|row| bitmap(&row.to_vec(), best.threshold)).collect();
        let predicted = Array2::from_shape_vec((2, 2), rows).unwrap();
        prop_assert_eq!(bitmap_confusion(predicted.view(), labels.view()).unwrap(), best.confusion);
    }
}

fn input(degree: usize, filter: usize) -> InputConfig {
    InputConfig { degree, filter, ..InputConfig::default() }
}

#[test]
fn issues_best_first_within_the_degree() {
    let mut issuer = Issuer::new(&input(2, 16), 4);
    // Outputs are +1, +2, −2, −1.
    assert_eq!(issuer.access(100, &[5i64, 9, 9, 1], 5), [102, 98]);
    // Of 102, 103, 99 and 100, the first and the last are in the filter: issued, and demanded.
    assert_eq!(issuer.access(101, &[1i64, 1, 1, 1], 1), [103, 99]);
    assert!(issuer.access(500, &[4i64, 4, 4, 4], 5).is_empty());
}

#[test]
fn the_filter_forgets_the_oldest() {
    let mut issuer = Issuer::new(&input(4, 2), 2);
    // 10 enters, 11 enters (full), 9 pushes 10 out.
    assert_eq!(issuer.access(10, &[2.0f32, 1.0], 0.0), [11, 9]);
    // 11 is there; its deltas are 12, which pushes 11 out, and 10, which is no longer there.
    assert_eq!(issuer.access(11, &[2.0f32, 1.0], 0.0), [12, 10]);
    let mut none = Issuer::new(&input(4, 0), 2);
    assert_eq!(none.access(10, &[1.0f32, f32::NAN], 0.0), [11]);
    assert_eq!(none.access(10, &[1.0f32, 1.0], 0.0), [11, 9]);
    none.demand(10);
}

#[test]
fn nothing_is_issued_outside_the_page() {
    let paged = InputConfig { page_bits: Some(8), ..input(16, 16) };
    // Pages of four blocks: 102 and 103 are in that of 101, 99 is not.
    let mut issuer = Issuer::new(&paged, 4);
    assert_eq!(issuer.access(101, &[1i64, 2, 3, 4], 1), [100, 103, 102]);
    assert!(Issuer::new(&paged, 2).access(103, &[1i64, 0], 1).is_empty());
}

#[test]
fn bitmaps_issue_in_bit_order_and_blocks_wrap() {
    let top = (1 << 58) - 1;
    let mut issuer = Issuer::new(&input(16, 16), 4);
    // Bits beyond the outputs are ignored; +1 is bit 0, −1 is bit 3.
    assert_eq!(issuer.access_bitmap(0, &[0b1111_1001]), [1, top]);
    // +2 of the top block is block 1, which is in the filter.
    assert!(issuer.access_bitmap(top, &[0b0010]).is_empty());
    assert_eq!(Issuer::new(&input(16, 16), 4).access_bitmap(top, &[0b0010]), [1]);
}

#[test]
fn evaluation_by_hand() {
    let mut evaluation = Evaluation::new(2);
    evaluation.access(10, &[11, 50]); // 11 useful (1 later), 50 never
    evaluation.access(11, &[20, 13]); // 20 comes 3 later: too late; 13 comes 2 later: in time
    evaluation.access(99, &[13]); // 13 again: redundant, useful
    evaluation.access(13, &[]);
    evaluation.access(20, &[30]); // 30 unsettled at the end
    let report = evaluation.report();
    assert_eq!((report.issued, report.useful, report.covered), (6, 3, 2));
    assert_eq!((report.redundant, report.unsettled, report.accesses), (1, 1, 5));
    assert_eq!((report.accuracy, report.coverage, report.mean_degree), (0.5, 0.4, 1.2));
    assert_eq!(report.f1, 0.0);
    evaluation.predicted(&[0b011], &[0b110]);
    assert_eq!(evaluation.report().f1, 0.5);
}

proptest! {
    #[test]
    fn evaluation_agrees_with_the_definition(
        steps in proptest::collection::vec((0u64..12, proptest::collection::vec(0u64..12, 0..4)), 1..60),
        lookahead in 1usize..6
    ) {
        let mut evaluation = Evaluation::new(lookahead);
        for (block, prefetched) in &steps {
            evaluation.access(*block, prefetched);
        }
        let (mut useful, mut used) = (0, std::collections::BTreeSet::new());
        for (at, (_, prefetched)) in steps.iter().enumerate() {
            for target in prefetched {
                let later = steps[at + 1..].iter().take(lookahead).position(|(block, _)| block == target);
                if let Some(distance) = later {
                    useful += 1;
                    used.insert(at + 1 + distance);
                }
            }
        }
        let report = evaluation.report();
        prop_assert_eq!((report.useful, report.covered), (useful, used.len() as u64));
        prop_assert!(report.useful + report.unsettled <= report.issued);
    }
}

#[test]
fn baselines_follow_a_stream() {
    let (mut next, mut best) = (NextLine { degree: 1 }, BestOffset::new());
    let (mut of_next, mut of_best) = (Evaluation::new(128), Evaluation::new(128));
    for i in 0..20_000 {
        let block = 1000 + 3 * i;
        of_next.access(block, &next.access(block));
        of_best.access(block, &best.access(block));
    }
    assert_eq!(of_next.report().covered, 0);
    assert!(of_best.report().coverage > 0.7, "{:?}", of_best.report());
}

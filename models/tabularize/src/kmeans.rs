//! Prototypes for nearest-prototype encoders: k-means++ seeding, then Lloyd's iterations.

use ndarray::{Array2, ArrayView2};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use tablewright_model::Metric;

use crate::bucket::Buckets;
use crate::encode::Nearest;
use crate::rows::pieces;

const ITERATIONS: usize = 20;
/// Iterations end when the total distance falls by less than this part.
const ENOUGH: f64 = 1e-4;

/// `[k, dims]` prototypes of the rows of `x`, means for L2, medians for L1.
///
/// When there are no more than k distinct rows, these are the prototypes, and the rest repeat the last one: a tie goes
/// to the lowest index, so the repeats are never chosen. `x` has at least one row.
pub(crate) fn kmeans(x: ArrayView2<'_, f32>, k: usize, metric: Metric, rng: &mut ChaCha8Rng) -> Array2<f32> {
    let points: Vec<Vec<f32>> = x.rows().into_iter().map(|row| row.to_vec()).collect();
    let mut centres = match distinct(&points, k) {
        Some(few) => return matrix(&few, k),
        None => seed(&points, k, metric, rng),
    };
    let mut before = f64::INFINITY;
    for _ in 0..ITERATIONS {
        let near = Nearest::new(matrix(&centres, k).view(), metric);
        let found: Vec<(u16, f32)> = pieces(points.len(), 512, |range| {
            let mut scratch = vec![0.0; k];
            range
                .map(|i| {
                    let (code, distance) = near.find(&points[i], &mut scratch);
                    (code as u16, distance)
                })
                .collect::<Vec<_>>()
        })
        .concat();
        let total: f64 = found.iter().map(|f| f64::from(f.1)).sum();
        let codes: Vec<u16> = found.iter().map(|f| f.0).collect();
        let buckets = Buckets::new(codes[..].into(), k);
        let moved: Vec<Option<Vec<f32>>> =
            (0..k).into_par_iter().map(|code| centre(&points, buckets.get(code), metric)).collect();
        // A centre without points moves to a point that is far from its own.
        let mut far: Vec<usize> = Vec::new();
        if moved.iter().any(Option::is_none) {
            far = (0..points.len()).collect();
            far.sort_by(|&a, &b| found[a].1.total_cmp(&found[b].1).then(b.cmp(&a)));
        }
        for (centre, moved) in centres.iter_mut().zip(moved) {
            match (moved, far.len()) {
                (Some(moved), _) => *centre = moved,
                (None, 0) => {}
                (None, last) => {
                    centre.clone_from(&points[far[last - 1]]);
                    far.pop();
                }
            }
        }
        if total >= before * (1.0 - ENOUGH) {
            break;
        }
        before = total;
    }
    matrix(&centres, k)
}

fn matrix(rows: &[Vec<f32>], k: usize) -> Array2<f32> {
    let dims = rows[0].len();
    Array2::from_shape_fn((k, dims), |(i, j)| rows[i.min(rows.len() - 1)][j])
}

/// The distinct points in ascending order, unless there are more than `k`.
fn distinct(points: &[Vec<f32>], k: usize) -> Option<Vec<Vec<f32>>> {
    let order = |a: &Vec<f32>, b: &Vec<f32>| {
        (a.iter().zip(b))
            .map(|(x, y)| x.total_cmp(y))
            .find(|o| o.is_ne())
            .unwrap_or(std::cmp::Ordering::Equal)
    };
    let mut few: Vec<Vec<f32>> = Vec::new();
    for point in points {
        if let Err(at) = few.binary_search_by(|p| order(p, point)) {
            if few.len() == k {
                return None;
            }
            few.insert(at, point.clone());
        }
    }
    Some(few)
}

/// k-means++: each next centre is a point drawn with probability proportional to its distance from those before.
fn seed(points: &[Vec<f32>], k: usize, metric: Metric, rng: &mut ChaCha8Rng) -> Vec<Vec<f32>> {
    let mut centres = vec![points[rng.random_range(0..points.len())].clone()];
    let mut distance = vec![f32::INFINITY; points.len()];
    while centres.len() < k {
        let newest = &centres[centres.len() - 1];
        distance.par_iter_mut().zip(points).with_min_len(512).for_each(|(distance, point)| {
            let terms = point.iter().zip(newest).map(|(a, b)| a - b);
            let to_newest: f32 = match metric {
                Metric::L2 => terms.map(|d| d * d).sum(),
                Metric::L1 => terms.map(f32::abs).sum(),
            };
            *distance = distance.min(to_newest);
        });
        let total: f64 = distance.iter().map(|&d| f64::from(d)).sum();
        let mut left = rng.random::<f64>() * total;
        let drawn = distance.iter().position(|&d| {
            left -= f64::from(d);
            left < 0.0 && d > 0.0
        });
        // Rounding may leave the last draw without a point.
        centres.push(points[drawn.unwrap_or(points.len() - 1)].clone());
    }
    centres
}

/// Mean or median of some points; `None` of none.
fn centre(
    points: &[Vec<f32>],
    rows: impl ExactSizeIterator<Item = usize>,
    metric: Metric,
) -> Option<Vec<f32>> {
    let own: Vec<&Vec<f32>> = rows.map(|row| &points[row]).collect();
    let dims = own.first()?.len();
    let value = |j: usize| match metric {
        Metric::L2 => {
            let sum: f64 = own.iter().map(|p| f64::from(p[j])).sum();
            (sum / own.len() as f64) as f32
        }
        Metric::L1 => {
            let mut values: Vec<f32> = own.iter().map(|p| p[j]).collect();
            let middle = values.len() / 2;
            *values.select_nth_unstable_by(middle, f32::total_cmp).1
        }
    };
    Some((0..dims).map(value).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;
    use rand::SeedableRng;

    fn rng() -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(3)
    }

    #[test]
    fn few_distinct_rows_are_the_prototypes() {
        let x = array![[1.0_f32, 2.0], [0.0, 5.0], [1.0, 2.0]];
        let p = kmeans(x.view(), 4, Metric::L2, &mut rng());
        assert_eq!(p, array![[0.0, 5.0], [1.0, 2.0], [1.0, 2.0], [1.0, 2.0]]);
    }

    #[test]
    fn separate_clouds_are_found() {
        let x = Array2::from_shape_fn((300, 1), |(i, _)| (i % 3) as f32 * 10.0 + (i / 3) as f32 * 0.001);
        for metric in [Metric::L2, Metric::L1] {
            let p = kmeans(x.view(), 3, metric, &mut rng());
            let mut p: Vec<_> = p.iter().map(|v| v.round() as i32).collect();
            p.sort_unstable();
            assert_eq!(p, [0, 10, 20], "{metric:?}");
        }
    }
}

//! Re-arrangements between windows, tokens and heads, and work on rows in parallel.

use std::ops::Range;

use ndarray::{Array2, ArrayView2, Axis, concatenate};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

/// Rows that one task works on. Fixed, so that results never depend on the thread count.
const CHUNK: usize = 1024;

/// `f` over all of `0..count` in pieces of at most `size`, in parallel; results in order.
pub(crate) fn pieces<T: Send>(count: usize, size: usize, f: impl Fn(Range<usize>) -> T + Sync) -> Vec<T> {
    (0..count.div_ceil(size)).into_par_iter().map(|i| f(i * size..((i + 1) * size).min(count))).collect()
}

/// `f` over pieces of the rows of `x`, in parallel; its results one below the other.
pub(crate) fn map_rows<T: Clone + Send + Sync>(
    x: ArrayView2<'_, f32>,
    f: impl Fn(ArrayView2<'_, f32>) -> Array2<T> + Sync,
) -> Array2<T> {
    let parts = pieces(x.nrows(), CHUNK, |range| f(x.slice_axis(Axis(0), range.into())));
    stack(parts)
}

/// Matrices of equal width, one below the other; nothing gives a matrix without rows or columns.
pub(crate) fn stack<T: Clone>(parts: Vec<Array2<T>>) -> Array2<T> {
    let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
    match concatenate(Axis(0), &views) {
        Ok(whole) => whole,
        // Only without parts: every caller's parts come from one function and have one width.
        Err(_) => Array2::from_shape_simple_fn((0, 0), || unreachable!("no elements")),
    }
}

/// Rows `(group, token)` of heads·dims features → rows `(group, head, token)` of `dims` features.
pub(crate) fn by_head(x: ArrayView2<'_, f32>, tokens: usize, heads: usize) -> Array2<f32> {
    let dims = x.ncols() / heads;
    let mut out = Array2::zeros((x.nrows() * heads, dims));
    for (i, mut row) in out.rows_mut().into_iter().enumerate() {
        let (group, head, token) = (i / (heads * tokens), i / tokens % heads, i % tokens);
        row.assign(&x.slice(ndarray::s![group * tokens + token, head * dims..(head + 1) * dims]));
    }
    out
}

/// Rows `(group, head, token)` of `dims` features → rows `(group, token)` of heads·dims features.
pub(crate) fn merge_heads(x: ArrayView2<'_, f32>, tokens: usize, heads: usize) -> Array2<f32> {
    let dims = x.ncols();
    let mut out = Array2::zeros((x.nrows() / heads, heads * dims));
    for (i, row) in x.rows().into_iter().enumerate() {
        let (group, head, token) = (i / (heads * tokens), i / tokens % heads, i % tokens);
        out.slice_mut(ndarray::s![group * tokens + token, head * dims..(head + 1) * dims]).assign(&row);
    }
    out
}

/// Rows `(group, token)` of `features` → rows `(group, feature)` of `tokens` values: each group transposed.
pub(crate) fn columns(x: ArrayView2<'_, f32>, tokens: usize) -> Array2<f32> {
    let features = x.ncols();
    let groups = x.nrows() / tokens;
    Array2::from_shape_fn((groups * features, tokens), |(row, token)| {
        x[[row / features * tokens + token, row % features]]
    })
}

/// Of rows `(group, token)`, those of the tokens in `keep`.
pub(crate) fn keep_tokens(x: ArrayView2<'_, f32>, tokens: usize, keep: &[usize]) -> Array2<f32> {
    let rows: Vec<usize> = (0..x.nrows() / tokens)
        .flat_map(|group| keep.iter().map(move |token| group * tokens + token))
        .collect();
    x.select(Axis(0), &rows)
}

/// At most `count` of `0..n`, ascending: one drawn from each of `count` equal strata.
///
/// Drawn, not every so-manieth: a step that is a multiple of the tokens would meet one token only.
pub(crate) fn sample(n: usize, count: usize, seed: u64) -> Vec<usize> {
    if n <= count {
        return (0..n).collect();
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..count).map(|i| rng.random_range(i * n / count..(i + 1) * n / count)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn heads_go_apart_and_come_back() {
        // Two windows of three tokens, two heads of two.
        let x = Array2::from_shape_fn((6, 4), |(i, j)| (10 * i + j) as f32);
        let apart = by_head(x.view(), 3, 2);
        assert_eq!(apart.row(0), array![0.0, 1.0]);
        assert_eq!(apart.row(3), array![2.0, 3.0]);
        assert_eq!(apart.row(7), array![40.0, 41.0]);
        assert_eq!(merge_heads(apart.view(), 3, 2), x);
    }

    #[test]
    fn columns_run_over_the_tokens() {
        let x = array![[1.0_f32, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]];
        let expected = array![[1.0, 3.0], [2.0, 4.0], [5.0, 7.0], [6.0, 8.0]];
        assert_eq!(columns(x.view(), 2), expected);
    }

    #[test]
    fn a_sample_covers_the_whole_and_repeats() {
        let rows = sample(100, 10, 7);
        assert!(rows.iter().enumerate().all(|(i, row)| row / 10 == i));
        assert_eq!(rows, sample(100, 10, 7));
        assert_eq!(sample(3, 10, 7), [0, 1, 2]);
    }
}

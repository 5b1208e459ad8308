//! Sixteen tree descents at once.
//!
//! A descent is a chain of dependent fetches of thresholds, some nine cycles a level, and a processor's gather
//! instruction is no faster than as many loads. With AVX-512 the thresholds of a level fit a few registers, and
//! sixteen are fetched in one permutation. [`Plain`] says what is computed; every processor can do it.

use crate::arithmetic::Int;

/// Vectors that descend together: the 32-bit lanes of a register.
pub(crate) const SIDE: usize = 16;

/// Room for the nodes of the largest tree, K = 1024. A fixed size, so that an index taken modulo it needs no check.
const NODES: usize = 1024;

/// A balanced tree with one feature a level.
#[derive(Debug, Clone)]
pub(crate) struct Tree<T> {
    /// Feature of each level.
    split: Vec<usize>,
    /// The root at 1, the children of i at 2i and 2i + 1: level l begins at 2^l.
    heap: Box<Heap<T>>,
}

/// Aligned, so that registers are loaded from one cache line each.
#[derive(Debug, Clone)]
#[repr(align(64))]
struct Heap<T>([T; NODES]);

impl<T: Int> Tree<T> {
    /// A tree of K − 1 thresholds, level by level.
    pub(crate) fn new(split: &[usize], thresholds: &[i64]) -> Self {
        let mut heap = Box::new(Heap([T::default(); NODES]));
        heap.0[1..].iter_mut().zip(thresholds).for_each(|(node, &t)| *node = T::of(t));
        Self { split: split.to_vec(), heap }
    }

    /// The code of one vector.
    #[inline(always)]
    pub(crate) fn code(&self, x: &[T]) -> T {
        let mut node = 1;
        for &feature in &self.split {
            node = 2 * node + usize::from(x[feature] >= self.heap.0[node % NODES]);
        }
        T::small((node - (1 << self.split.len())) as i32)
    }
}

/// What a processor's vector instructions can do for descents.
pub(crate) trait Descend: Copy {
    /// Codes of sixteen vectors, of which `load` gives one feature.
    fn descend<T: Int>(self, tree: &Tree<T>, load: impl Fn(usize) -> [T; SIDE]) -> [u32; SIDE];
}

/// Nothing more than any processor.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plain;

impl Descend for Plain {
    #[inline(always)]
    fn descend<T: Int>(self, tree: &Tree<T>, load: impl Fn(usize) -> [T; SIDE]) -> [u32; SIDE] {
        let mut codes = [0; SIDE];
        for (level, &feature) in tree.split.iter().enumerate() {
            for (code, x) in codes.iter_mut().zip(load(feature)) {
                *code = 2 * *code + u32::from(x >= tree.heap.0[((1 << level) + *code as usize) % NODES]);
            }
        }
        codes
    }
}

#[cfg(target_arch = "x86_64")]
impl Descend for pulp::x86::V4 {
    #[inline(always)]
    fn descend<T: Int>(self, tree: &Tree<T>, load: impl Fn(usize) -> [T; SIDE]) -> [u32; SIDE] {
        let Some(thresholds) = T::as_i32s(&tree.heap.0) else {
            return Plain.descend(tree, load);
        };
        let avx = self.avx512f;
        let mut codes = avx._mm512_setzero_si512();
        for (level, &feature) in tree.split.iter().enumerate() {
            let lanes = load(feature);
            // The thresholds are 32-bit numbers, so the values are.
            let x = T::as_i32s(&lanes).map_or(codes, |lanes| pulp::cast(*lanes));
            let right = avx._mm512_cmpge_epi32_mask(x, fetch(self, thresholds, level, codes));
            let twice = avx._mm512_add_epi32(codes, codes);
            codes = avx._mm512_mask_add_epi32(twice, right, twice, avx._mm512_set1_epi32(1));
        }
        pulp::cast(codes)
    }
}

/// The threshold of each descent's node on `level`.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn fetch(
    simd: pulp::x86::V4,
    thresholds: &[i32; NODES],
    level: usize,
    codes: std::arch::x86_64::__m512i,
) -> std::arch::x86_64::__m512i {
    let own = &thresholds[1 << level..];
    // What lies behind the level's own thresholds is loaded too and never picked.
    let part = |i: usize| pulp::cast(*own[i * SIDE..].first_chunk::<SIDE>().unwrap_or(&[0; SIDE]));
    let avx = simd.avx512f;
    match level {
        0..=4 => avx._mm512_permutexvar_epi32(codes, part(0)),
        5 => avx._mm512_permutex2var_epi32(part(0), codes, part(1)),
        6 => {
            let low = avx._mm512_permutex2var_epi32(part(0), codes, part(1));
            let high = avx._mm512_permutex2var_epi32(part(2), codes, part(3));
            let in_high = avx._mm512_test_epi32_mask(codes, avx._mm512_set1_epi32(32));
            avx._mm512_mask_blend_epi32(in_high, low, high)
        }
        _ => {
            let codes: [u32; SIDE] = pulp::cast(codes);
            let mut fetched = [0; SIDE];
            for (fetched, code) in fetched.iter_mut().zip(codes) {
                *fetched = own[code as usize];
            }
            pulp::cast(fetched)
        }
    }
}

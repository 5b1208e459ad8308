//! What the core could do if nothing but the tables' rows had to be read: the limits the interpreter is held against.

use std::hint::black_box;

use pulp::{Arch, NullaryFnOnce};
use tablewright_design::{Design, Op};

use super::{Random, Rate, measure};

/// Every look-up of a design and none of the rest: rows of random codes, drawn beforehand, summed.
pub(crate) struct LookUps {
    kernels: Vec<Kernel>,
    sums: Vec<i16>,
    arch: Arch,
}

/// One table with its rows drawn for some inferences; an entry is a byte.
struct Kernel {
    entries: Vec<i8>,
    outputs: usize,
    subspaces: usize,
    /// Starts of rows in `entries`, `[inference, sum, subspace]`.
    starts: Vec<Vec<u32>>,
}

/// Inferences drawn; enough that neither caches nor branch predictors learn them.
const DRAWN: usize = 512;

impl LookUps {
    pub(crate) fn new(design: &Design) -> Self {
        let mut random = Random(3);
        let kernel = |n: &tablewright_design::Node| {
            let table = n.op.tables().first()?;
            // A pair table has one output and is looked up once a lane.
            let sums =
                if matches!(n.op, Op::Lookup { .. }) { n.value.rows } else { n.value.rows * n.value.lanes };
            let mut start = |c: usize| ((c * table.rows + random.below(table.rows)) * table.outputs) as u32;
            let mut draw = || (0..sums * table.subspaces).map(|i| start(i % table.subspaces)).collect();
            Some(Kernel {
                entries: table.entries.iter().map(|&e| e as i8).collect(),
                outputs: table.outputs,
                subspaces: table.subspaces,
                starts: (0..DRAWN).map(|_| draw()).collect(),
            })
        };
        Self {
            kernels: design.nodes.iter().filter_map(kernel).collect(),
            sums: vec![0; 1 << 16],
            arch: Arch::new(),
        }
    }

    pub(crate) fn rate(&mut self) -> Rate {
        let Self { kernels, sums, arch } = self;
        measure(DRAWN, |i| {
            arch.dispatch(Sums { kernels, inference: i, out: sums });
            black_box(&*sums);
        })
    }
}

struct Sums<'a> {
    kernels: &'a [Kernel],
    inference: usize,
    out: &'a mut [i16],
}

impl NullaryFnOnce for Sums<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        self.kernels.iter().for_each(|k| k.run(self.inference, self.out));
    }
}

impl Kernel {
    #[inline(always)]
    fn run(&self, inference: usize, sums: &mut [i16]) {
        let all =
            self.starts[inference].chunks_exact(self.subspaces).zip(sums.chunks_exact_mut(self.outputs));
        for (starts, sums) in all {
            let row = |&start: &u32| &self.entries[start as usize..][..self.outputs];
            let (first, rest) = starts.split_first().unwrap();
            sums.iter_mut().zip(row(first)).for_each(|(s, &e)| *s = i16::from(e));
            for start in rest {
                sums.iter_mut().zip(row(start)).for_each(|(s, &e)| *s += i16::from(e));
            }
        }
    }
}

/// Bytes a second when a buffer of `bytes` is read through again and again.
pub(crate) fn load_rate(bytes: usize) -> Rate {
    let buffer = vec![1_u64; bytes / 8];
    let arch = Arch::new();
    let passes = measure(1, |_| {
        black_box(arch.dispatch(Loads(black_box(&buffer))));
    });
    Rate { median: passes.median * bytes as f64, best: passes.best * bytes as f64 }
}

struct Loads<'a>(&'a [u64]);

impl NullaryFnOnce for Loads<'_> {
    type Output = [u64; 64];

    #[inline(always)]
    fn call(self) -> [u64; 64] {
        // As many chains as the widest registers need to hide an instruction's latency.
        let mut sums = [0; 64];
        for part in self.0.as_chunks::<64>().0 {
            sums.iter_mut().zip(part).for_each(|(s, &v)| *s ^= v);
        }
        sums
    }
}

//! Windows with their labels.

use ndarray::{Array2, Array3, ArrayView1, ArrayView2, ArrayView3, Axis};
use tablewright_model::Network;

use crate::error::Error;
use crate::rows;

/// Windows with their labels, borrowed.
#[derive(Debug, Clone, Copy)]
pub struct Data<'a> {
    /// `[N, history, segments]`, oldest access first.
    pub windows: ArrayView3<'a, u8>,
    /// `[N, ceil(outputs / 8)]`; output i is bit i % 8 of byte i / 8.
    pub labels: ArrayView2<'a, u8>,
}

impl Data<'_> {
    /// Whether the shapes are those of the network and every segment fits its bits; `part` names the data in errors.
    pub(crate) fn check(&self, part: &'static str, network: &Network) -> Result<(), Error> {
        let (n, config) = (self.windows.dim().0, &network.config);
        if n == 0 {
            return Err(Error::NoWindows { part });
        }
        let shape = |field, found: &[usize], expected: &[usize]| {
            if found == expected {
                return Ok(());
            }
            Err(Error::DataShape { part, field, found: found.to_vec(), expected: expected.to_vec() })
        };
        let windows = [n, config.history, config.segments];
        shape("windows", self.windows.shape(), &windows)?;
        let labels = [n, config.outputs.div_ceil(8)];
        shape("labels", self.labels.shape(), &labels)?;
        let limit = (1_u16 << network.input.segment_bits) - 1;
        if let Some((at, &value)) =
            (self.windows.indexed_iter()).find(|&(_, &value)| u16::from(value) > limit)
        {
            return Err(Error::Segment { part, at, value, limit });
        }
        Ok(())
    }

    /// At most `count` windows from all over the data, in their order.
    pub(crate) fn sample(&self, count: usize, seed: u64) -> Owned {
        let rows = rows::sample(self.windows.dim().0, count, seed);
        Owned { windows: self.windows.select(Axis(0), &rows), labels: self.labels.select(Axis(0), &rows) }
    }
}

/// [`Data`] that owns its rows.
pub(crate) struct Owned {
    pub(crate) windows: Array3<u8>,
    pub(crate) labels: Array2<u8>,
}

/// Bit `output` of one row of labels.
pub(crate) fn label(row: ArrayView1<'_, u8>, output: usize) -> bool {
    row[output / 8] >> (output % 8) & 1 == 1
}

//! Train, validation and test parts of a dataset, by time.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::dataset::Dataset;

/// Shares of the rows, in order of time; what is left of 1 is the test part.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fractions {
    /// Of the rows, 0 to 1.
    pub train: f64,
    /// Of the rows, 0 to 1.
    pub valid: f64,
}

impl Default for Fractions {
    fn default() -> Self {
        Self { train: 0.6, valid: 0.2 }
    }
}

/// Row ranges of the parts. No label of one part looks at an access that is current in the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// What the network learns from.
    pub train: Range<usize>,
    /// What choices are made on: stopping, thresholds.
    pub valid: Range<usize>,
    /// What is reported, and nothing is chosen on.
    pub test: Range<usize>,
}

impl Split {
    /// Splits by time. Rows whose look-ahead reaches the first row of the next part are left out between the parts.
    pub fn by_time(dataset: &Dataset, lookahead: usize, fractions: Fractions) -> Result<Self, Error> {
        let rows = dataset.len();
        let fail = |detail: String| Err(Error::Split { rows, detail });
        let Fractions { train, valid } = fractions;
        // The test part's share may not be lost in rounding: 0.6 + 0.4 is not less than 1.
        if !(train > 0.0 && valid > 0.0 && train + valid < 1.0 - 1e-9) {
            return fail(format!(
                "the train and valid fractions are {train} and {valid}; both must be above 0 and their sum below 1"
            ));
        }
        let first_valid = (rows as f64 * train).round() as usize;
        let first_test = ((rows as f64 * (train + valid)).round() as usize).min(rows);
        let split = Self {
            train: 0..last_before(dataset, first_valid, lookahead),
            valid: first_valid..last_before(dataset, first_test, lookahead).max(first_valid),
            test: first_test..rows,
        };
        for (name, part) in [("train", &split.train), ("valid", &split.valid), ("test", &split.test)] {
            if part.is_empty() {
                let enough = ((lookahead + 1) as f64 / train.min(valid)).ceil();
                return fail(format!(
                    "the {name} part has no window left once a look-ahead of {lookahead} accesses lies between the parts, \
                     for which {enough} windows are enough; use a longer trace"
                ));
            }
        }
        Ok(split)
    }

    /// Whether the parts follow each other inside `rows` rows.
    pub(crate) fn fits(&self, rows: usize) -> bool {
        let edges = [
            self.train.start,
            self.train.end,
            self.valid.start,
            self.valid.end,
            self.test.start,
            self.test.end,
            rows,
        ];
        edges.is_sorted()
    }
}

/// The end of the rows whose look-ahead does not reach the current access of row `next`.
fn last_before(dataset: &Dataset, next: usize, lookahead: usize) -> usize {
    let Some(&limit) = dataset.current.get(next) else {
        return dataset.len();
    };
    dataset.current[..next]
        .partition_point(|&current| u64::from(current) + (lookahead as u64) < u64::from(limit))
}

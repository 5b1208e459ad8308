//! What one lane of a row can be.

use crate::format::Bounds;

/// Different values that are told apart, at most; beyond, anything between the least and the largest may be.
const MOST_DIFFERENT: usize = 1 << 12;

/// Of the sums of two lanes the range that is gone through value by value, at most.
const MOST_SUMS: i64 = 1 << 16;

/// A lane by itself, whatever the other lanes of its row are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lane {
    /// One of these, ascending.
    One(Vec<i64>),
    /// Anything within.
    Within(Bounds),
}

impl Lane {
    /// These values, in any order.
    pub(super) fn of(values: impl IntoIterator<Item = i64>) -> Self {
        let mut values: Vec<i64> = values.into_iter().collect();
        values.sort_unstable();
        values.dedup();
        match values[..] {
            [low, .., high] if values.len() > MOST_DIFFERENT => Self::Within(Bounds { low, high }),
            _ => Self::One(values),
        }
    }

    /// Least and largest value; 0 where there is none.
    pub fn bounds(&self) -> Bounds {
        match self {
            Self::One(values) => Bounds::of(values.iter().copied()).unwrap_or(Bounds::point(0)),
            Self::Within(bounds) => *bounds,
        }
    }

    /// Whether it can be this.
    pub fn contains(&self, value: i64) -> bool {
        self.count(Bounds::point(value)) > 0
    }

    /// How many values within these bounds it can be.
    pub fn count(&self, within: Bounds) -> i64 {
        match self {
            Self::One(values) => {
                let below = |limit: i64| values.partition_point(|&v| v < limit) as i64;
                below(within.high + 1) - below(within.low)
            }
            Self::Within(bounds) => (bounds.high.min(within.high) - bounds.low.max(within.low) + 1).max(0),
        }
    }

    /// Whether it can be nothing at all.
    pub(super) fn is_empty(&self) -> bool {
        self.part().is_empty()
    }

    /// A function of it that never falls.
    pub(super) fn rising(&self, of: impl Fn(i64) -> i64) -> Self {
        match self {
            Self::One(values) => Self::of(values.iter().map(|&v| of(v))),
            Self::Within(bounds) => Self::Within(Bounds { low: of(bounds.low), high: of(bounds.high) }),
        }
    }

    /// Any of these.
    pub(super) fn any<'a>(lanes: impl Iterator<Item = &'a Self> + Clone) -> Self {
        let one = lanes.clone().map(|lane| match lane {
            Self::One(values) => Some(values),
            Self::Within(_) => None,
        });
        if let Some(values) = one.collect::<Option<Vec<_>>>() {
            return Self::of(values.into_iter().flatten().copied());
        }
        let bounds = lanes.filter(|lane| !lane.is_empty()).map(Self::bounds).reduce(Bounds::union);
        Self::Within(bounds.unwrap_or(Bounds::point(0)))
    }

    /// Sums with another lane that does not depend on it.
    pub(super) fn plus(&self, other: &Self) -> Self {
        let sum = self.bounds().plus(other.bounds());
        let (Self::One(a), Self::One(b)) = (self, other) else {
            return Self::Within(sum);
        };
        if a.len() * b.len() <= MOST_DIFFERENT {
            return Self::of(a.iter().flat_map(|a| b.iter().map(move |b| a + b)));
        }
        if sum.high - sum.low >= MOST_SUMS {
            return Self::Within(sum);
        }
        let mut marked = vec![false; (sum.high - sum.low + 1) as usize];
        for a in a {
            for b in b {
                marked[(a + b - sum.low) as usize] = true;
            }
        }
        Self::of((sum.low..).zip(marked).filter_map(|(value, is)| is.then_some(value)))
    }

    /// All of it.
    pub(super) fn part(&self) -> Part<'_> {
        match self {
            Self::One(values) => Part::One(values),
            Self::Within(bounds) => Part::Within(*bounds),
        }
    }
}

/// What is left of a lane between two thresholds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part<'a> {
    One(&'a [i64]),
    Within(Bounds),
}

impl Part<'_> {
    pub(super) fn is_empty(self) -> bool {
        match self {
            Self::One(values) => values.is_empty(),
            Self::Within(bounds) => bounds.low > bounds.high,
        }
    }

    /// Of it what is below `threshold`, and the rest.
    pub(super) fn split(self, threshold: i64) -> [Self; 2] {
        match self {
            Self::One(values) => {
                let (below, others) = values.split_at(values.partition_point(|&v| v < threshold));
                [below, others].map(Part::One)
            }
            Self::Within(Bounds { low, high }) => [
                Self::Within(Bounds { low, high: high.min(threshold - 1) }),
                Self::Within(Bounds { low: low.max(threshold), high }),
            ],
        }
    }
}

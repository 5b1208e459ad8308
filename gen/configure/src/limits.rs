//! What a configuration may cost.

use std::fmt;

use serde::Serialize;

use crate::figures::Figures;

/// Upper limits; a figure equal to its limit is within it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Limits {
    /// Cycles from a window to its bitmap.
    pub latency_cycles: u64,
    /// Bytes of tables and encoders.
    pub storage_bytes: u64,
    /// Cycles from one window to the next, if limited.
    pub interval_cycles: Option<u64>,
    /// Figures of the target, by what they begin with.
    pub target: Vec<TargetLimit>,
}

/// A limit on one figure of a target.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TargetLimit {
    /// What is limited: its name, or how that begins.
    pub what: String,
    /// At most.
    pub limit: f64,
}

/// What can be too much.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Limited {
    /// Cycles of latency.
    Latency,
    /// Cycles of the interval.
    Interval,
    /// Bytes of storage.
    Storage,
    /// A figure of the target.
    Target(String),
}

impl fmt::Display for Limited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latency => f.write_str("latency"),
            Self::Interval => f.write_str("interval"),
            Self::Storage => f.write_str("storage"),
            Self::Target(what) => f.write_str(what),
        }
    }
}

/// How far one figure lies beyond its limit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Excess {
    /// What is too much.
    pub what: Limited,
    /// The figure, or what it is at least.
    pub value: f64,
    /// Its limit.
    pub limit: f64,
}

impl Excess {
    /// Beyond the limit, as a share of it.
    pub fn share(&self) -> f64 {
        self.value / self.limit.max(1.0) - 1.0
    }
}

impl Limits {
    /// What is too much; empty for a configuration that may be built.
    pub fn excesses(&self, figures: &Figures) -> Vec<Excess> {
        let mut excesses = Vec::new();
        let mut check = |what: Limited, value: f64, limit: f64| {
            if value > limit {
                excesses.push(Excess { what, value, limit });
            }
        };
        check(Limited::Latency, figures.latency_cycles as f64, self.latency_cycles as f64);
        if let Some(limit) = self.interval_cycles {
            check(Limited::Interval, figures.interval_cycles as f64, limit as f64);
        }
        check(Limited::Storage, figures.storage_bytes as f64, self.storage_bytes as f64);
        for TargetLimit { what, limit } in &self.target {
            if let Some(figure) = figures.target.iter().find(|figure| figure.what.starts_with(&what[..])) {
                check(Limited::Target(figure.what.clone()), figure.value, *limit);
            }
        }
        excesses
    }

    /// What is too slow, whatever it stores.
    pub(crate) fn too_slow(&self, figures: &Figures) -> Option<Excess> {
        self.excesses(figures)
            .into_iter()
            .find(|excess| matches!(excess.what, Limited::Latency | Limited::Interval))
    }
}

//! Names in the Verilog.

/// A model's name as part of an identifier: `-` becomes `_`, and never two underscores in a row (simulators use those to
/// join hierarchy).
pub fn identifier(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        let c = if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
        if !(c == '_' && out.ends_with('_')) {
            out.push(c);
        }
    }
    out.trim_matches('_').to_owned()
}

/// Names of the modules of a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    stem: String,
}

impl Names {
    /// For a model.
    pub fn new(model: &str) -> Self {
        Self { stem: identifier(model) }
    }

    /// What all names have in common, without `tw_`.
    pub(crate) fn stem(&self) -> &str {
        &self.stem
    }

    /// The C header of what loads tables.
    pub(crate) fn header(&self) -> String {
        format!("tw_{}_load.h", self.stem)
    }

    /// The core: window in, bitmap out.
    pub fn core(&self) -> String {
        format!("tw_{}_core", self.stem)
    }

    /// What core and prefetcher have in common: window in, logits out.
    pub fn predictor(&self) -> String {
        format!("tw_{}_predictor", self.stem)
    }

    /// The prefetcher: demand accesses in, prefetch addresses out.
    pub fn prefetcher(&self) -> String {
        format!("tw_{}_prefetcher", self.stem)
    }

    /// The prefetcher with what it does inside at ports.
    pub fn prefetcher_probe(&self) -> String {
        format!("tw_{}_prefetcher_probe", self.stem)
    }

    /// The prefetcher's testbench.
    pub fn prefetcher_testbench(&self) -> String {
        format!("tw_{}_prefetcher_tb", self.stem)
    }

    /// The core with its values at ports.
    pub fn probe(&self) -> String {
        format!("tw_{}_probe", self.stem)
    }

    /// The testbench.
    pub fn testbench(&self) -> String {
        format!("tw_{}_tb", self.stem)
    }

    /// The module of one node.
    pub fn node(&self, node: &str) -> String {
        format!("tw_{}_{node}", self.stem)
    }
}

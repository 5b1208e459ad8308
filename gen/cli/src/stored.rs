//! What of the tables is stored, and what that saves, for people and for machines.

use serde::Serialize;
use tablewright_design::{Design, Saved};
use tablewright_plan::Plan;
use tablewright_plan::resources::Resources;

use crate::ui::{bits, count};

/// Of the tables of a whole design.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Stored {
    /// Bits of table entries.
    #[serde(rename = "table_bits")]
    pub(crate) whole: u64,
    /// Bits of the banks that hold them.
    #[serde(rename = "stored_table_bits")]
    pub(crate) in_banks: u64,
    /// Bits that are not stored, by why.
    #[serde(rename = "saved_table_bits")]
    pub(crate) saved: Saved,
}

impl Stored {
    /// Of a design as it is laid out.
    pub(crate) fn of(design: &Design, plan: &Plan) -> Self {
        let Resources { table_bits, stored_table_bits, saved, .. } = Resources::of_design(design, plan);
        Self { whole: table_bits, in_banks: stored_table_bits, saved }
    }

    /// Lines for people; the second and third only where something is saved.
    pub(crate) fn rows(&self) -> Vec<(&'static str, String)> {
        let mut rows = vec![("tables", bits(self.whole))];
        let saved = self.saved;
        if saved.total() > 0 {
            let share = 100.0 * self.in_banks as f64 / self.whole as f64;
            rows.push(("tables, stored", format!("{}, {share:.1} %", bits(self.in_banks))));
            let rules = [
                (saved.constant, "constant"),
                (saved.narrow, "narrow"),
                (saved.shared, "shared"),
                (saved.unread, "never read"),
            ];
            let rules = rules.iter().filter(|(bits, _)| *bits > 0);
            let rules: Vec<String> = rules.map(|(bits, why)| format!("{} {why}", count(*bits))).collect();
            rows.push(("bits not stored", rules.join(", ")));
        }
        rows
    }
}

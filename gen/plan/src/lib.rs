//! Design → Plan: when and where, and what it costs.
//!
//! * [`schedule`]: the cycle of every row of every value.

pub mod schedule;

pub use schedule::{Plan, Stage, adder_levels, lookup_latency};

#[cfg(test)]
mod tests {
    use super::*;
    use tablewright_design::{lower, passes};
    use tablewright_model::testing::{dart, dart_spec, random_model};

    #[test]
    fn show_dart() {
        let d = passes::optimise(&lower(&random_model(&dart(), dart_spec(), 1)));
        let p = Plan::serial(&d);
        for (id, n) in d.iter() {
            let s = p.stage(id);
            eprintln!("{:18} {:10} {:3}x{:3} {} first {} every {} busy {}..{}", n.name, n.op.kind(), n.value.rows, n.value.lanes, n.value.format, s.first, s.row_interval, s.busy_from, s.busy_to);
        }
        eprintln!("latency {} interval {} queue {}", p.latency, p.interval, p.queue);
    }
}

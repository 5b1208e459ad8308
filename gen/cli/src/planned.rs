//! How a design is laid out: by a plan file, by what is asked for, or as it is where nobody says anything.

use std::path::{Path, PathBuf};

use clap::builder::RangedU64ValueParser;
use tablewright_design::Design;
use tablewright_plan::folding::{self, Limits};
use tablewright_plan::{
    Directive, Directives, Elements, Plan, Rules, Shape, Style, Target, columns, pipeline, text,
};

use crate::failure::Failure;

/// Levels that are tried for a latency; more do not help.
const MOST_LEVELS: u32 = 200;

/// Options that lay a design out
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Plan")]
pub(crate) struct PlanArgs {
    /// Follow a plan file; what it leaves out is laid out as without it. `tablewright info MODEL --plan` prints one to begin with
    #[arg(long, value_name = "FILE", conflicts_with_all = ["latency", "interval", "levels"])]
    plan: Option<PathBuf>,
    /// Reach this latency with as fast a clock as it leaves: with as few levels of logic between registers as it allows
    #[arg(long, value_name = "CYCLES", value_parser = RangedU64ValueParser::<u64>::new().range(1..))]
    latency: Option<u64>,
    /// Reach this interval: compute the elements of a pair table side by side wherever that is needed, then encode as many
    /// columns of values at once as it takes
    #[arg(long, value_name = "CYCLES", value_parser = RangedU64ValueParser::<u64>::new().range(1..))]
    interval: Option<u64>,
    /// Levels of logic between two registers, at most: the fewer, the faster the clock and the more cycles. Without it as many as
    /// `--clock` leaves room for on the target, or 20
    #[arg(long, value_name = "N", conflicts_with = "latency",
          value_parser = RangedU64ValueParser::<u32>::new().range(1..=u64::from(MOST_LEVELS)))]
    levels: Option<u32>,
    /// What the banks of tables may be made of on the target: the cheapest of all, or memories alone (macros, block RAM, flip-flops),
    /// as contents need that change after the hardware was made
    #[arg(long, value_enum, value_name = "WHICH", default_value_t = BankChoice::Any)]
    banks: BankChoice,
    /// Reach this clock, by what was measured of the target's logic: put as many levels between two registers as it leaves room for,
    /// and take only memory macros that show their word within a cycle
    #[arg(long, value_name = "MHZ", value_parser = RangedU64ValueParser::<u32>::new().range(1..=100_000))]
    clock: Option<u32>,
}

/// What banks may be made of
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum BankChoice {
    /// The cheapest, constant logic included
    #[default]
    Any,
    /// Memories alone
    Memory,
}

impl PlanArgs {
    /// Whether any of them was given.
    pub(crate) fn asked(&self) -> bool {
        self.plan.is_some()
            || self.latency.is_some()
            || self.interval.is_some()
            || self.levels.is_some()
            || self.rules() != Rules::default()
    }

    /// What banks may be made of.
    fn rules(&self) -> Rules {
        Rules {
            memory_only: self.banks == BankChoice::Memory,
            period_ns: self.clock.map(|mhz| 1000.0 / f64::from(mhz)),
        }
    }

    /// The layout of a design that they ask for, its banks made of what the target has.
    pub(crate) fn directives(&self, design: &Design, target: &Target) -> Result<Directives, Failure> {
        let directives = if let Some(path) = &self.plan {
            read(path, design)?
        } else {
            let (flat, levels) = self.timed(design, target)?;
            self.folded(design, flat, levels, target)
        };
        let directives = folding::styled(design, &directives, target, self.rules());
        // What a file asks for must be there.
        folding::banks(design, &Plan::new(design, &directives), target)?;
        Ok(directives)
    }

    /// The same with rows folded where the cycles that were asked for leave room.
    fn folded(&self, design: &Design, flat: Directives, levels: u32, target: &Target) -> Directives {
        if self.interval.is_none() && self.latency.is_none() {
            return flat;
        }
        let plan = Plan::new(design, &flat);
        let limits = Limits {
            levels,
            interval: self.interval.unwrap_or(plan.interval),
            latency: self.latency.unwrap_or(u64::MAX),
        };
        let shapes: Vec<Shape> = flat.0.iter().map(Directive::shape).collect();
        let folded = folding::folded(design, &shapes, limits, target, self.rules());
        if folded == shapes { flat } else { Directives::within(design, &folded, limits.levels) }
    }

    /// The layout that the cycles and levels ask for, no row folded, and the levels.
    fn timed(&self, design: &Design, target: &Target) -> Result<(Directives, u32), Failure> {
        let room = self.room(design, target)?;
        let most = self.levels.or(room).unwrap_or(pipeline::DEFAULT_LEVELS);
        let shapes = self.shapes(design, most)?;
        let Some(wanted) = self.latency else {
            return Ok((Directives::within(design, &shapes, most), most));
        };
        let latency = |levels: u32| {
            let directives = Directives::within(design, &shapes, levels);
            (Plan::new(design, &directives).latency, directives)
        };
        // More levels never cost a cycle.
        let (mut few, mut many) = (1, room.unwrap_or(MOST_LEVELS));
        let (least, mut found) = latency(many);
        if least > wanted {
            let of = self.clock.map_or("for this model".to_owned(), |mhz| format!("at {mhz} MHz"));
            return Err(Failure::Options {
                option: "--latency",
                problem: format!(
                    "{wanted} cycles cannot be had, {least} are the fewest {of}; ask for at least those"
                ),
            });
        }
        while few < many {
            let middle = few.midpoint(many);
            let (cycles, directives) = latency(middle);
            if cycles <= wanted {
                (many, found) = (middle, directives);
            } else {
                few = middle + 1;
            }
        }
        Ok((found, many))
    }

    /// Levels that the clock leaves room for; none where no clock was asked for, or levels were.
    fn room(&self, design: &Design, target: &Target) -> Result<Option<u32>, Failure> {
        let Some(mhz) = self.clock.filter(|_| self.levels.is_none()) else { return Ok(None) };
        let Some(timing) = target.timing else {
            return Err(Failure::Options {
                option: "--clock",
                problem: format!(
                    "nobody timed the logic of target `{}`; name one whose logic was timed, or say how much fits a cycle with --levels",
                    target.name
                ),
            });
        };
        let levels = timing.levels(1000.0 / f64::from(mhz));
        // Some steps cannot be cut.
        let least = pipeline::depth(design, &Directives::within(design, &Directives::shapes(design), 1));
        if levels < least {
            return Err(Failure::Options {
                option: "--clock",
                problem: format!(
                    "{mhz} MHz leave room for {levels} levels of logic between two registers of {}, the longest step of this model has \
                     {least}; ask for at most {:.0} MHz",
                    target.name,
                    (1000.0 / timing.period_ns(least, 0.0)).floor()
                ),
            });
        }
        Ok(Some(levels.min(MOST_LEVELS)))
    }

    fn shapes(&self, design: &Design, levels: u32) -> Result<Vec<Shape>, Failure> {
        let shapes = Directives::shapes(design);
        let Some(wanted) = self.interval else {
            return Ok(shapes);
        };
        let interval =
            |shapes: &[Shape]| Plan::new(design, &Directives::within(design, shapes, levels)).interval;
        if interval(&shapes) <= wanted {
            return Ok(shapes);
        }
        // Then columns come at once, as few as will do.
        let parallel = vec![Shape::of(Elements::Parallel); design.nodes.len()];
        let most = design.nodes.iter().map(|node| node.value.rows).max().unwrap_or(1);
        let tries = (1..=most).rev().map(|groups| columns::side_by_side(design, &parallel, |_| groups));
        let mut least = u64::MAX;
        for tried in tries {
            let cycles = interval(&tried);
            if cycles <= wanted {
                return Ok(tried);
            }
            least = least.min(cycles);
        }
        Err(Failure::Options {
            option: "--interval",
            problem: format!(
                "{wanted} cycles cannot be had, {least} are the fewest for this model; ask for at least those"
            ),
        })
    }
}

/// The layout that a plan file says.
pub(crate) fn read(path: &Path, design: &Design) -> Result<Directives, Failure> {
    let plan = std::fs::read_to_string(path).map_err(|reason| Failure::Read { path: path.into(), reason })?;
    text::parse(&plan, design, &Directives::automatic(design))
        .map_err(|reason| Failure::Plan { path: path.into(), reason })
}

/// A plan with its banks chosen anew for a target.
pub(crate) fn for_target(design: &Design, plan: &Plan, target: &Target) -> Plan {
    let directives = plan.stages.iter().map(|stage| Directive { style: Style::Auto, ..stage.directive });
    let directives = Directives(directives.collect());
    Plan::new(design, &folding::styled(design, &directives, target, Rules::default()))
}

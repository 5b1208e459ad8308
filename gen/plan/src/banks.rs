//! The bank planner: what each bank of a table is made of on a target, what that wastes, and why.
//!
//! A bank of words × bits can be constant logic, flip-flops, look-up tables as memory, or tiles: the block RAM of an FPGA in one
//! of its shapes, or one of the memory macros of a process. Tiles lie side by side until the words are wide enough and one
//! above the other until they are enough words, so a wide shallow bank leaves most of a deep tile empty. Everything that can
//! be had is priced, and the cheapest is taken. Prices are modelled, shapes and bits exact.

use std::fmt;

use serde::Serialize;
use tablewright_design::Design;

use crate::resources::{Holds, Memory};
use crate::target::{Cells, Fpga, Target};

/// What a bank is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Style {
    /// Whatever the synthesis takes: nothing is said.
    Auto,
    /// Constants as logic.
    Logic,
    /// Flip-flops.
    Registers,
    /// Look-up tables as memory.
    LutRam,
    /// Block RAM in one of its shapes.
    Block {
        /// Words of one.
        words: u64,
        /// Bits of a word.
        width: u64,
    },
    /// Memory macros of one size.
    Macro {
        /// Words of one.
        words: u64,
        /// Bits of a word.
        width: u64,
    },
}

impl Style {
    /// Words and bits of the tiles it is laid of.
    pub fn tile(self) -> Option<(u64, u64)> {
        match self {
            Self::Block { words, width } | Self::Macro { words, width } => Some((words, width)),
            _ => None,
        }
    }

    /// From a plan: a keyword and, for tiles, `WORDSxBITS`; `None` where it is no style.
    pub fn parse(keyword: &str, tile: Option<&str>) -> Option<Self> {
        let shape = || {
            let (words, width) = tile?.split_once('x')?;
            let number = |text: &str| text.parse().ok().filter(|n| *n > 0);
            Some((number(words)?, number(width)?))
        };
        let plain = |style| tile.is_none().then_some(style);
        match keyword {
            "auto" => plain(Self::Auto),
            "logic" => plain(Self::Logic),
            "registers" => plain(Self::Registers),
            "lut-ram" => plain(Self::LutRam),
            "block" => shape().map(|(words, width)| Self::Block { words, width }),
            "macro" => shape().map(|(words, width)| Self::Macro { words, width }),
            _ => None,
        }
    }

    /// The value of the attribute `rom_style` for a bank whose contents are constant. Macros and flip-flops are for whoever puts
    /// them in the place of the bank: as it stands it is logic.
    pub fn rom_style(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Block { .. } => "block",
            Self::Logic | Self::Registers | Self::LutRam | Self::Macro { .. } => "logic",
        }
    }
}

impl fmt::Display for Style {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => write!(f, "auto"),
            Self::Logic => write!(f, "logic"),
            Self::Registers => write!(f, "registers"),
            Self::LutRam => write!(f, "lut-ram"),
            Self::Block { words, width } => write!(f, "block {words}x{width}"),
            Self::Macro { words, width } => write!(f, "macro {words}x{width}"),
        }
    }
}

/// What banks may be made of.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Rules {
    /// Not of constant logic, because the contents change after the hardware was made.
    pub memory_only: bool,
    /// Nanoseconds of a cycle, in which a macro must show its word.
    pub period_ns: Option<f64>,
}

impl Rules {
    /// The same for a design: what is loaded changes.
    #[must_use]
    pub fn of(self, design: &Design) -> Self {
        Self { memory_only: self.memory_only || design.loaded.is_some(), ..self }
    }
}

/// A style with its price.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Offer {
    /// What it is made of.
    pub style: Style,
    /// The tile as the vendor calls it; empty without tiles.
    pub tile: String,
    /// Tiles side by side, each with bits of every word; 0 without tiles.
    pub across: u64,
    /// Tiles one above the other, each with words; 0 without tiles.
    pub stacked: u64,
    /// Bits of one bank that hold something.
    pub used_bits: u64,
    /// Bits that one bank has; without tiles those that it uses.
    pub provided_bits: u64,
    /// Of one bank: µm² with the read register, or look-up tables and what block RAM is worth in them.
    pub cost: f64,
    /// Look-up tables of one bank.
    pub luts: u64,
    /// Block RAMs of one bank.
    pub blocks: u64,
    /// Flip-flops of the read register that need not be made, because the memory has its own.
    pub absorbed_bits: u64,
    /// Nanoseconds from the clock to the word, where the target's data say so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clk_to_q_ns: Option<f64>,
    /// Picojoules of a read, where the target's data say so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_pj: Option<f64>,
}

impl Offer {
    /// Bits that hold nothing, in percent.
    pub fn waste_percent(&self) -> f64 {
        100.0 * (self.provided_bits - self.used_bits) as f64 / self.provided_bits as f64
    }
}

/// Equal banks of a kernel, as they are planned.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bank {
    /// The kernel.
    pub kernel: String,
    /// How many there are.
    pub count: u64,
    /// Words of one.
    pub words: u64,
    /// Bits of a word.
    pub width: u64,
    /// Parts of a row that lie one under the other.
    pub fold: u32,
    /// What they are made of.
    pub chosen: Offer,
    /// What is wasted, why, and what else could have been had, for people.
    pub reason: String,
}

/// Banks that a target has no way to make.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "kernel {kernel}: `Bank {style}` cannot be had on {target}, which has {known}; write one of these, or name another --target"
)]
pub struct StyleError {
    /// The kernel.
    pub kernel: String,
    /// What was asked for.
    pub style: Style,
    /// Of which target.
    pub target: String,
    /// All styles of it.
    pub known: String,
}

/// All ways to make a bank of `words` × `width` bits, the cheapest first; of equal ones that with fewer tiles. Empty for a
/// target without prices.
pub fn offers(target: &Target, words: u64, width: u64) -> Vec<Offer> {
    let mut all = match (&target.cells, &target.fpga) {
        (Some(cells), _) => of_cells(cells, words, width),
        (None, Some(fpga)) => of_fpga(fpga, words, width),
        (None, None) => Vec::new(),
    };
    all.sort_by(|a, b| a.cost.total_cmp(&b.cost).then((a.across * a.stacked).cmp(&(b.across * b.stacked))));
    all
}

/// The cheapest that the rules allow.
pub fn choose(target: &Target, words: u64, width: u64, rules: Rules) -> Option<Offer> {
    offers(target, words, width).into_iter().find(|offer| allowed(offer, rules))
}

/// The style that makes the banks of a table cheapest, all of them: how many, words and bits of one. One directive says it
/// for all.
pub fn style(target: &Target, shapes: &[(u64, u64, u64)], rules: Rules) -> Option<Style> {
    let price = |style: Style| -> Option<f64> {
        let one = |&(count, words, width): &(u64, u64, u64)| {
            let offer =
                offers(target, words, width).into_iter().find(|o| o.style == style && allowed(o, rules));
            offer.map(|offer| count as f64 * offer.cost)
        };
        shapes.iter().map(one).sum()
    };
    let styles = shapes.iter().flat_map(|&(_, words, width)| offers(target, words, width));
    let priced = styles.filter_map(|offer| Some((offer.style, price(offer.style)?)));
    // Of equal ones the first, which a single bank would take.
    priced.reduce(|best, other| if other.1 < best.1 { other } else { best }).map(|(style, _)| style)
}

fn allowed(offer: &Offer, rules: Rules) -> bool {
    let in_time = match (rules.period_ns, offer.clk_to_q_ns) {
        (Some(period), Some(delay)) => delay <= period,
        _ => true,
    };
    in_time && !(rules.memory_only && offer.style == Style::Logic)
}

/// The price of a style that was asked for; of `auto` what the synthesis is expected to take, the cheapest of what constants
/// can be made of. `None` where the target has no such thing.
pub fn priced(target: &Target, words: u64, width: u64, style: Style) -> Option<Offer> {
    let constant = |s: Style| matches!(s, Style::Logic | Style::Block { .. });
    let fits = |offer: &Offer| match style {
        Style::Auto => constant(offer.style),
        asked => offer.style == asked,
    };
    offers(target, words, width).into_iter().find(fits)
}

/// The styles of a target, for people.
pub fn known(target: &Target) -> String {
    let mut all: Vec<Style> = offers(target, 1, 1).into_iter().map(|offer| offer.style).collect();
    all.sort_by_key(|style| (style.tile().is_some(), style.tile()));
    let all: Vec<String> = all.iter().map(|style| format!("`{style}`")).collect();
    if all.is_empty() { "no prices and takes `auto` alone".to_owned() } else { all.join(", ") }
}

/// The banks among the memories of a kernel, made as `style` says.
pub fn plan(
    target: &Target,
    kernel: &str,
    memories: &[Memory],
    fold: u32,
    style: Style,
) -> Result<Vec<Bank>, StyleError> {
    let banks = memories.iter().filter(|memory| memory.holds == Holds::TableBank);
    let one = |memory: &Memory| {
        let Memory { count, words, width, .. } = *memory;
        // What is loaded is no logic.
        let loaded = Rules { memory_only: true, ..Rules::default() };
        let offer = match style {
            Style::Auto if memory.writable => choose(target, words, width, loaded),
            _ => priced(target, words, width, style),
        };
        match offer.filter(|offer| !memory.writable || allowed(offer, loaded)) {
            Some(chosen) => {
                let reason = reason(target, words, width, fold, &chosen);
                Ok(Some(Bank { kernel: kernel.to_owned(), count, words, width, fold, chosen, reason }))
            }
            None if style == Style::Auto => Ok(None),
            None => Err(StyleError {
                kernel: kernel.to_owned(),
                style,
                target: target.name.clone(),
                known: known(target),
            }),
        }
    };
    banks.filter_map(|memory| one(memory).transpose()).collect()
}

fn of_cells(cells: &Cells, words: u64, width: u64) -> Vec<Offer> {
    let bits = words * width;
    let register = width as f64 * cells.flip_flop;
    let plain = |style, of_bit: f64| Offer { cost: bits as f64 * of_bit + register, ..untiled(style, bits) };
    let mut all = vec![plain(Style::Logic, cells.rom_bit), plain(Style::Registers, cells.writable_bit)];
    all.extend(cells.macros.iter().map(|tile| {
        let (across, stacked) = (width.div_ceil(tile.width), words.div_ceil(tile.words));
        let tiles = across * stacked;
        // Which of the stacked tiles was asked, and a multiplexer behind them.
        let select =
            if stacked > 1 { f64::from(stacked.next_power_of_two().ilog2()) * cells.flip_flop } else { 0.0 };
        let choose = ((stacked - 1) * width) as f64 * cells.shifter_bit;
        Offer {
            style: Style::Macro { words: tile.words, width: tile.width },
            tile: tile.name.clone(),
            across,
            stacked,
            used_bits: bits,
            provided_bits: tiles * tile.words * tile.width,
            cost: tiles as f64 * tile.area + select + choose,
            luts: 0,
            blocks: 0,
            absorbed_bits: width,
            clk_to_q_ns: Some(tile.clk_to_q_ns),
            read_pj: Some(across as f64 * tile.read_pj),
        }
    }));
    all
}

fn of_fpga(fpga: &Fpga, words: u64, width: u64) -> Vec<Offer> {
    let bits = words * width;
    let of_luts = |style, luts: u64| Offer { cost: luts as f64, luts, ..untiled(style, bits) };
    let [depth, lanes] = fpga.lut_ram.shape;
    let mut all = vec![
        of_luts(Style::Logic, bits.div_ceil(fpga.rom_bits_per_lut)),
        of_luts(Style::LutRam, words.div_ceil(depth) * width.div_ceil(lanes) * fpga.lut_ram.luts),
    ];
    all.extend(fpga.block_ram.shapes.iter().map(|&[tile_words, tile_width]| {
        let (across, stacked) = (width.div_ceil(tile_width), words.div_ceil(tile_words));
        let blocks = across * stacked;
        Offer {
            style: Style::Block { words: tile_words, width: tile_width },
            tile: fpga.block_ram.name.clone(),
            across,
            stacked,
            used_bits: bits,
            provided_bits: blocks * tile_words * tile_width,
            cost: (blocks * fpga.block_ram.worth_luts) as f64,
            luts: 0,
            blocks,
            absorbed_bits: width,
            clk_to_q_ns: None,
            read_pj: None,
        }
    }));
    all
}

fn untiled(style: Style, bits: u64) -> Offer {
    Offer {
        style,
        tile: String::new(),
        across: 0,
        stacked: 0,
        used_bits: bits,
        provided_bits: bits,
        cost: 0.0,
        luts: 0,
        blocks: 0,
        absorbed_bits: 0,
        clk_to_q_ns: None,
        read_pj: None,
    }
}

/// What is wasted and why, and the cheapest that is made of something else.
fn reason(target: &Target, words: u64, width: u64, fold: u32, chosen: &Offer) -> String {
    let unit = if target.cells.is_some() { "µm²" } else { "LUTs" };
    let mut said = Vec::new();
    if let Some((tile_words, tile_width)) = chosen.style.tile() {
        let Offer { across, stacked, .. } = *chosen;
        let (deep, wide) = (stacked * tile_words, across * tile_width);
        let laid = match (across, stacked) {
            (1, 1) => "one".to_owned(),
            (_, 1) => format!("{across} side by side"),
            (1, _) => format!("{stacked} stacked"),
            _ => format!("{stacked} x {across}"),
        };
        let mut wasted = Vec::new();
        if deep > words {
            wasted.push(format!("{words} of {deep} words"));
        }
        if wide > width {
            wasted.push(format!("{width} of {wide} bits"));
        }
        let used =
            if wasted.is_empty() { "all used".to_owned() } else { format!("uses {}", wasted.join(", ")) };
        said.push(format!("{laid}, {used}"));
    }
    if fold > 1 {
        said.push(format!("{fold} parts of a row in depth"));
    }
    let kind = |style: Style| std::mem::discriminant(&style);
    let other =
        offers(target, words, width).into_iter().find(|offer| kind(offer.style) != kind(chosen.style));
    if let Some(other) = other {
        let tiles = match other.across * other.stacked {
            0 => String::new(),
            1 => "1 ".to_owned(),
            tiles => format!("{tiles} "),
        };
        let full = match other.style.tile() {
            Some(_) => format!(" ({:.0} % used)", 100.0 - other.waste_percent()),
            None => String::new(),
        };
        let than = if other.cost >= chosen.cost { "dearer" } else { "cheaper" };
        said.push(format!("{tiles}{}{full} is {than}: {:.0} {unit}", other.style, other.cost));
    }
    said.join("; ")
}

#[cfg(test)]
mod tests;

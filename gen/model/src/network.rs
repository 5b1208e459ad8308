//! What a prefetch network computes: the sizes and choices shared by a float network and its table model.

use serde::{Deserialize, Serialize};

/// Which token of the last layer feeds the head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pool {
    /// Token 0, a learned constant that leads the history.
    Cls,
    /// The newest access of the history.
    Last,
    /// The mean over all tokens.
    Mean,
}

/// How the attention knows which access came when.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Positions {
    /// A learned vector for each position is added to the embedded tokens, `[tokens, dim]`. The reference network; an
    /// access has another key and value at each place of the window, so all are computed anew for every window.
    #[default]
    Absolute,
    /// A learned number for each head and age is added to the scores, `[heads, tokens]`, oldest token first. Key and
    /// value of an access depend on that access alone and are computed once, when it arrives: the streaming variant.
    /// Needs one layer and [`Pool::Last`], so that the newest token's query is the only one.
    Relative,
}

/// What a configuration is wanted for; limits differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A float network, perhaps a teacher that never becomes hardware.
    Network,
    /// A table model.
    Tables,
}

/// What turns attention scores into weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AttentionActivation {
    /// Row-wise softmax, computed between the two pair tables.
    Softmax,
    /// Element-wise sigmoid, folded into the second pair table.
    Sigmoid,
}

/// The activation between the two linear kernels of a feed-forward block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// x·Φ(x), Φ the normal distribution function (the exact form, not the tanh approximation).
    Gelu,
    /// max(x, 0).
    Relu,
}

/// Sizes and choices of the attention network (DART, arXiv 2401.06362, section on the reference model).
///
/// ```text
/// x   = embed(window) [+ cls token in front] + position        tokens() × dim
/// x  += out(attention(qkv(norm(x))))                           `layers` times
/// x  += ff2(activation(ff1(norm(x))))
/// y   = head(norm(pool(x)))                                    `outputs` logits
/// ```
///
/// `norm` is layer normalisation over `dim`. Attention has `heads` heads of `head_dim` each; scores are scaled by
/// 1/√`head_dim`. With [`Positions::Relative`] the position is added to the scores instead of the tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkConfig {
    /// Accesses in the history window, T.
    pub history: usize,
    /// Segments of one access, each an unsigned integer of [`InputConfig::segment_bits`] bits.
    pub segments: usize,
    /// Where the order of the accesses enters; absolute if a file does not say.
    #[serde(default)]
    pub positions: Positions,
    /// Which token feeds the head; [`Pool::Cls`] puts one constant token in front of the history.
    pub pool: Pool,
    /// Width of the residual stream, D.
    pub dim: usize,
    /// Attention layers, L.
    pub layers: usize,
    /// Attention heads, H.
    pub heads: usize,
    /// Width of one head's query, key and value (DART uses `dim`, so the inner width is heads × dim).
    pub head_dim: usize,
    /// Width of the feed-forward block.
    pub hidden: usize,
    /// Delta bitmap size; even. Bit i < outputs/2 is delta i+1, the others are delta i − outputs.
    pub outputs: usize,
    /// What turns scores into weights.
    pub attention: AttentionActivation,
    /// What stands between the two feed-forward kernels.
    pub activation: Activation,
    /// Added to the variance in layer normalisation.
    pub norm_eps: f64,
}

impl NetworkConfig {
    /// Tokens in the attention, n: the history and, if pooled by it, the cls token.
    pub fn tokens(&self) -> usize {
        self.history + usize::from(self.pool == Pool::Cls)
    }

    /// heads × `head_dim`.
    pub fn inner(&self) -> usize {
        self.heads * self.head_dim
    }

    /// Shape of the learned positions: `[tokens, dim]`, or `[heads, tokens]` when they are relative.
    pub fn position_shape(&self) -> [usize; 2] {
        match self.positions {
            Positions::Absolute => [self.tokens(), self.dim],
            Positions::Relative => [self.heads, self.tokens()],
        }
    }

    /// Every field outside its documented limit, as `field: value, limit`.
    pub fn violations(&self, purpose: Purpose) -> Vec<String> {
        let mut bad = Vec::new();
        let mut range = |field: &str, value: usize, low: usize, high: usize| {
            if !(low..=high).contains(&value) {
                bad.push(format!("network.{field} is {value}, allowed are {low} to {high}"));
            }
        };
        let [dim, layers, heads, head_dim, hidden] = match purpose {
            Purpose::Network => [512, 8, 16, 512, 2048],
            Purpose::Tables => [128, 4, 8, 128, 512],
        };
        range("history", self.history, 1, 64);
        range("segments", self.segments, 1, 16);
        range("dim", self.dim, 4, dim);
        range("layers", self.layers, 1, layers);
        range("heads", self.heads, 1, heads);
        range("head_dim", self.head_dim, 1, head_dim);
        range("hidden", self.hidden, 1, hidden);
        range("outputs", self.outputs, 2, 512);
        if !self.outputs.is_multiple_of(2) {
            bad.push(format!(
                "network.outputs is {}, it must be even (half for each direction)",
                self.outputs
            ));
        }
        if self.positions == Positions::Relative {
            if self.pool != Pool::Last {
                bad.push(
                    "network.positions is relative, which needs network.pool last: the newest token's query is the only one"
                        .to_owned(),
                );
            }
            if self.layers != 1 {
                bad.push(format!(
                    "network.positions is relative and network.layers {}, it must be 1: keys and values of a second layer \
                     would depend on the window again",
                    self.layers
                ));
            }
        }
        if !(self.norm_eps.is_finite() && (1e-12..=1.0).contains(&self.norm_eps)) {
            bad.push(format!("network.norm_eps is {}, allowed are 1e-12 to 1", self.norm_eps));
        }
        bad
    }
}

/// How an access becomes segments and a bitmap becomes prefetches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputConfig {
    /// log2 of the cache block size in bytes.
    pub block_bits: u32,
    /// Bits of one segment; segment s holds bits `s·segment_bits`.. of the block address, least significant first.
    pub segment_bits: u32,
    /// Of the segments, how many at the end are taken from the hashed program counter instead of the address.
    pub pc_segments: usize,
    /// A delta is labelled when it occurs within this many accesses.
    pub lookahead: usize,
    /// Prefetches issued for one access, at most.
    pub degree: usize,
    /// Entries of the recent-request filter.
    pub filter: usize,
    /// Deltas are labelled, and prefetches issued, only inside the access's page of 2^`page_bits` bytes; for physical
    /// addresses, 12. Wherever they lead if a file does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page_bits: Option<u32>,
}

impl Default for InputConfig {
    fn default() -> Self {
        Self {
            block_bits: 6,
            segment_bits: 6,
            pc_segments: 0,
            lookahead: 128,
            degree: 16,
            filter: 16,
            page_bits: None,
        }
    }
}

impl InputConfig {
    /// Every field outside its documented limit, as `field: value, limit`.
    pub fn violations(&self, segments: usize) -> Vec<String> {
        let mut bad = Vec::new();
        let mut range = |field: &str, value: usize, low: usize, high: usize| {
            if !(low..=high).contains(&value) {
                bad.push(format!("input.{field} is {value}, allowed are {low} to {high}"));
            }
        };
        range("block_bits", self.block_bits as usize, 0, 12);
        range("segment_bits", self.segment_bits as usize, 1, 8);
        range("pc_segments", self.pc_segments, 0, segments);
        range("lookahead", self.lookahead, 1, 1024);
        range("degree", self.degree, 1, 64);
        range("filter", self.filter, 0, 256);
        if let Some(bits) = self.page_bits {
            range("page_bits", bits as usize, self.block_bits as usize + 1, 48);
        }
        bad
    }
}

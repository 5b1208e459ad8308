//! Which networks are worth training before tables are made of them.

use tablewright_model::{NetworkConfig, Positions};

use crate::candidate::Candidate;
use crate::greedy::ranked;
use crate::search::spread;
use crate::survey::Survey;

/// At most `count` networks that have tables within the limits, each with the tables that the greedy rule would give it.
///
/// Absolute and relative positions take turns; of each kind the networks are spread evenly over those possible, from the
/// one with most weights on.
pub fn students(survey: &Survey, count: usize) -> Vec<&Candidate> {
    let mut kinds: [Vec<&Candidate>; 2] = [Vec::new(), Vec::new()];
    for (candidate, _) in ranked(survey) {
        let kind = match candidate.network.positions {
            Positions::Absolute => &mut kinds[0],
            Positions::Relative => &mut kinds[1],
        };
        // The first of a network is the one that the rule prefers.
        if !kind.iter().any(|known| known.network == candidate.network) {
            kind.push(candidate);
        }
    }
    for kind in &mut kinds {
        kind.sort_by_key(|candidate| std::cmp::Reverse(weights(&candidate.network)));
    }
    // What one kind cannot use is the other's.
    let second = (count / 2).min(kinds[1].len());
    let first = (count - second).min(kinds[0].len());
    let second = (count - first).min(kinds[1].len());
    let mut chosen = spread(&kinds[0], first);
    chosen.extend(spread(&kinds[1], second));
    chosen
}

/// Weights of the matrices of a network.
fn weights(network: &NetworkConfig) -> usize {
    let NetworkConfig { segments, dim, layers, hidden, outputs, .. } = *network;
    dim * (segments + outputs) + layers * dim * (4 * network.inner() + 2 * hidden)
}

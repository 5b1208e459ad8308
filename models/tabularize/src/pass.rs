//! One forward pass over a piece of the windows.

use ndarray::{Array2, ArrayView3, Axis, s};
use tablewright_model::{AttentionActivation, NetworkConfig, Pool, Positions};

use crate::evaluate::{Evaluator, Tap};
use crate::math::activate;
use crate::place::Place;
use crate::rows::{by_head, columns, keep_tokens, merge_heads};

/// What a pass ends with.
pub(crate) enum Outcome {
    Logits(Array2<f32>),
    Tap(Tap),
}

/// Tokens of a layer whose outputs reach the head.
pub(crate) fn live(config: &NetworkConfig, layer: usize) -> Vec<usize> {
    let n = config.tokens();
    match config.pool {
        _ if layer + 1 < config.layers => (0..n).collect(),
        Pool::Cls => vec![0],
        Pool::Last => vec![n - 1],
        Pool::Mean => (0..n).collect(),
    }
}

/// Numbers of one window's widest intermediate result.
pub(crate) fn widest(config: &NetworkConfig) -> usize {
    let n = config.tokens();
    let token = (3 * config.inner()).max(config.hidden).max(config.heads * n);
    (n * token).max(config.outputs)
}

/// Logits, or what happens at the kernel `stop`.
pub(crate) fn pass(net: &Evaluator, windows: ArrayView3<'_, u8>, stop: Option<Place>) -> Outcome {
    let config = &net.config;
    let n = config.tokens();
    let (heads, eps, units) = (config.heads, config.norm_eps, net.units);
    let linear_tap = |input, output, stream| {
        Outcome::Tap(Tap {
            inputs: vec![input],
            outputs: vec![output],
            queries: Vec::new(),
            stream,
            group: (1, 1),
        })
    };

    let segments = segments(windows, net.segment_bits);
    let embedded = net.embed.apply(segments.view());
    if stop == Some(Place::Embed) {
        return linear_tap(segments, embedded, None);
    }
    let mut x = tokens(config, &net.position, &embedded);

    for (l, layer) in net.layers.iter().enumerate() {
        let live = live(config, l);
        let mut h = x.clone();
        units.normalise(&mut h, eps);
        let live_rows: Vec<usize> = (0..windows.dim().0)
            .flat_map(|window| live.iter().map(move |token| window * n + token))
            .collect();
        let [q, k, v] = layer.qkv.apply(h.view(), &live_rows);
        if stop == Some(Place::Qkv(l)) {
            return Outcome::Tap(Tap {
                inputs: vec![h],
                outputs: vec![q, k, v],
                queries: live_rows,
                stream: None,
                group: (live.len(), n),
            });
        }

        let left = by_head(q.view(), live.len(), heads);
        let right = by_head(k.view(), n, heads);
        let group = (live.len(), n);
        let mut weights = layer.score.apply(left.view(), right.view(), group);
        if stop == Some(Place::Score(l)) {
            return Outcome::Tap(Tap {
                inputs: vec![left, right],
                outputs: vec![weights],
                queries: Vec::new(),
                stream: None,
                group,
            });
        }
        if config.positions == Positions::Relative {
            add_positions(&mut weights, &net.position, live.len());
        }
        if config.attention == AttentionActivation::Softmax {
            units.softmax(&mut weights);
        }

        let right = columns(by_head(v.view(), n, heads).view(), n);
        let group = (live.len(), config.head_dim);
        let mixed = layer.mix.apply(weights.view(), right.view(), group);
        if stop == Some(Place::Mix(l)) {
            return Outcome::Tap(Tap {
                inputs: vec![weights, right],
                outputs: vec![mixed],
                queries: Vec::new(),
                stream: None,
                group,
            });
        }

        let mixed = merge_heads(mixed.view(), live.len(), heads);
        x = keep_tokens(x.view(), n, &live);
        let out = layer.out.apply(mixed.view());
        if stop == Some(Place::Out(l)) {
            return linear_tap(mixed, out, Some(x));
        }
        x += &out;

        let mut h = x.clone();
        units.normalise(&mut h, eps);
        let mut hidden = layer.ff1.apply(h.view());
        if stop == Some(Place::Ff1(l)) {
            return linear_tap(h, hidden, None);
        }
        activate(&mut hidden, config.activation);
        let out = layer.ff2.apply(hidden.view());
        if stop == Some(Place::Ff2(l)) {
            return linear_tap(hidden, out, Some(x));
        }
        x += &out;
    }

    let mut pooled = pool(config, x);
    units.normalise(&mut pooled, eps);
    let logits = net.head.apply(pooled.view());
    if stop == Some(Place::Head) {
        return linear_tap(pooled, logits, None);
    }
    Outcome::Logits(logits)
}

/// Segments of all accesses as fractions, `[(window, access), segments]`.
pub(crate) fn segments(windows: ArrayView3<'_, u8>, bits: u32) -> Array2<f32> {
    let unit = 1.0 / (1_u32 << bits) as f32;
    let (count, history, segments) = windows.dim();
    Array2::from_shape_fn((count * history, segments), |(row, segment)| {
        f32::from(windows[[row / history, row % history, segment]]) * unit
    })
}

/// The embedded accesses with the cls token, if any, in front, and their positions added if those are absolute.
pub(crate) fn tokens(config: &NetworkConfig, position: &Array2<f32>, embedded: &Array2<f32>) -> Array2<f32> {
    let (n, history) = (config.tokens(), config.history);
    let lead = n - history;
    let mut x = Array2::zeros((embedded.nrows() / history * n, config.dim));
    for (row, mut token) in x.rows_mut().into_iter().enumerate() {
        let (window, at) = (row / n, row % n);
        if config.positions == Positions::Absolute {
            token.assign(&position.row(at));
        }
        if at >= lead {
            token += &embedded.row(window * history + at - lead);
        }
    }
    x
}

/// Adds relative positions `[heads, tokens]` to the scores `[(window, head, query), tokens]`.
pub(crate) fn add_positions(scores: &mut Array2<f32>, position: &Array2<f32>, queries: usize) {
    for (i, mut row) in scores.rows_mut().into_iter().enumerate() {
        row += &position.row(i / queries % position.nrows());
    }
}

/// One row for each window from the live rows of the last layer.
pub(crate) fn pool(config: &NetworkConfig, x: Array2<f32>) -> Array2<f32> {
    match config.pool {
        Pool::Cls | Pool::Last => x,
        Pool::Mean => {
            let n = config.tokens();
            let windows = x.nrows() / n;
            let mut out = Array2::zeros((windows, config.dim));
            for (window, mut row) in out.rows_mut().into_iter().enumerate() {
                let own = x.slice(s![window * n..(window + 1) * n, ..]);
                row.assign(&(own.sum_axis(Axis(0)) / n as f32));
            }
            out
        }
    }
}

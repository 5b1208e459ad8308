//! The survey and the greedy rule against checks of every candidate.

#![allow(clippy::unwrap_used)]

mod common;

use common::{base, limits, space};
use tablewright_configure::greedy::greedy;
use tablewright_configure::{Candidate, Error, Figures, Limits, Shapes, Survey, TargetLimit, students};
use tablewright_model::Positions;
use tablewright_model::testing::{dart, dart_s, dart_s_spec, dart_spec};

fn survey(limits: &Limits) -> Survey {
    Survey::of(&space(), &base(), limits, &|_| ()).unwrap()
}

/// Every candidate planned, nothing ruled out before.
fn every() -> Vec<(Candidate, Figures)> {
    space().candidates().unwrap().into_iter().map(|c| (c.clone(), Figures::of(&c, &base()))).collect()
}

#[test]
fn greedy_picks_what_a_check_of_every_candidate_picks() {
    let every = every();
    // 8 networks and 4 with relative positions, 12 choices of tables.
    assert_eq!(every.len(), 144);
    for (latency, storage) in
        [(50, 4000), (54, 8000), (54, 3000), (62, 30_000), (120, 60_000), (5000, 1 << 30)]
    {
        let limits = limits(latency, storage);
        let survey = survey(&limits);
        let within: Vec<_> =
            every.iter().filter(|(_, f)| f.latency_cycles <= latency && f.storage_bytes <= storage).collect();
        let feasible: Vec<_> = survey.feasible().map(|(candidate, _)| candidate).collect();
        assert_eq!(feasible, within.iter().map(|one| &one.0).collect::<Vec<_>>(), "{latency} {storage}");
        // The rule, written out: the largest latency, then the largest storage, then the first.
        let longest = within.iter().map(|(_, f)| f.latency_cycles).max().unwrap();
        let longest: Vec<_> = within.iter().filter(|(_, f)| f.latency_cycles == longest).collect();
        let most = longest.iter().map(|(_, f)| f.table_bits + f.encoder_bits).max().unwrap();
        let rule = longest.iter().find(|(_, f)| f.table_bits + f.encoder_bits == most).unwrap();
        let (chosen, figures) = greedy(&survey, &base(), &limits).unwrap();
        assert_eq!((chosen, figures), (&rule.0, &rule.1));
    }
}

#[test]
fn a_figure_equal_to_its_limit_is_within_it() {
    let candidate = Candidate::uniform(dart(), dart_spec());
    let figures = Figures::of(&candidate, &base());
    let exact = Limits {
        interval_cycles: Some(figures.interval_cycles),
        target: vec![TargetLimit { what: "block RAMs".into(), limit: figures.target[2].value }],
        ..limits(figures.latency_cycles, figures.storage_bytes)
    };
    assert_eq!(exact.excesses(&figures), []);
    let less: [fn(&mut Limits); 4] = [
        |l| l.latency_cycles -= 1,
        |l| l.storage_bytes -= 1,
        |l| l.interval_cycles = l.interval_cycles.map(|i| i - 1),
        |l| l.target[0].limit -= 1.0,
    ];
    let reasons = less.map(|change| {
        let mut limits = exact.clone();
        change(&mut limits);
        let excesses = limits.excesses(&figures);
        assert_eq!(excesses.len(), 1);
        excesses[0].what.to_string()
    });
    assert_eq!(reasons, ["latency", "storage", "interval", "block RAMs (DP16KD)"]);
}

#[test]
fn reasons_are_counted_and_every_candidate_is_told() {
    let limits = limits(52, 2000);
    let survey = survey(&limits);
    let groups = survey.groups();
    let against: usize = groups.iter().map(|group| group.count).sum();
    assert_eq!(against + survey.feasible().count(), 144);
    for group in &groups {
        assert_eq!(group.nearest.excesses.len(), group.reasons.len());
    }
    // What was ruled out without a plan is ruled out by a plan too.
    for (one, (candidate, figures)) in survey.all.iter().zip(every()) {
        assert_eq!(one.candidate, candidate);
        let excesses = limits.excesses(&figures);
        assert_eq!(one.excesses.is_empty(), excesses.is_empty(), "{candidate}");
        assert!(one.excesses.iter().all(|e| excesses.iter().any(|x| x.what == e.what)), "{candidate}");
        assert!(one.figures.is_none() || one.figures == Some(figures));
    }
    let misses = survey.nearest_misses(3);
    assert_eq!(misses.len(), 3);
    assert!(misses.iter().all(|miss| miss.feasible().is_none()));
}

#[test]
fn when_nothing_is_within_the_limits_one_message_says_what_could_be() {
    let message = |limits: &Limits| {
        let survey = survey(limits);
        match greedy(&survey, &base(), limits) {
            Err(error @ Error::Infeasible(_)) => error.to_string(),
            _ => panic!("something is within the limits"),
        }
    };
    let all = [
        message(&limits(30, 1 << 20)),
        message(&limits(500, 100)),
        message(&limits(38, 600)),
        message(&Limits {
            interval_cycles: Some(2),
            target: vec![TargetLimit { what: "look-up tables".into(), limit: 100.0 }],
            ..limits(500, 8000)
        }),
    ];
    insta::assert_snapshot!(all.join("\n\n"));
}

#[test]
fn values_that_no_model_may_have_are_refused() {
    let refuse = |change: &dyn Fn(&mut tablewright_configure::Space)| {
        let mut space = space();
        change(&mut space);
        match Survey::of(&space, &base(), &limits(1000, 1000), &|_| ()) {
            Err(error) => error.to_string(),
            Ok(survey) => panic!("{} candidates", survey.all.len()),
        }
    };
    let all = [
        refuse(&|s| s.tables.prototypes = vec![16, 48]),
        refuse(&|s| s.tables.subspaces = vec![17]),
        refuse(&|s| s.tables.bits = vec![5]),
        refuse(&|s| {
            let Shapes::Grid { dims, .. } = &mut s.shapes else { return };
            *dims = vec![2];
        }),
        refuse(&|s| {
            let Shapes::Grid { base, .. } = &mut s.shapes else { return };
            (base.dim, base.head_dim) = (4, 128);
        }),
    ];
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn students_differ_in_shape_and_are_the_same_every_time() {
    let survey = survey(&limits(4000, 20_000));
    let chosen = students(&survey, 3);
    assert_eq!(chosen.len(), 3);
    for (i, one) in chosen.iter().enumerate() {
        assert!(survey.feasible().any(|(candidate, _)| candidate == *one));
        assert!(chosen[..i].iter().all(|other| other.network != one.network));
    }
    assert!(chosen.iter().any(|one| one.network.positions == Positions::Relative));
    assert_eq!(students(&survey, 100).len(), 12, "every network once");
    assert_eq!(chosen, students(&survey, 3));
}

#[test]
fn narrow_kernels_get_fewer_subspaces() {
    let candidate =
        Candidate::uniform(dart_s(), tablewright_model::KernelSpec { subspaces: 16, ..dart_s_spec() });
    assert_eq!(candidate.to_string(), "L1 D16 H2 K16 C16 tree 8 bits, embed C10, layers.0.mix C11");
    let bits = Figures::of(&candidate, &base()).table_bits;
    assert!(bits >= candidate.least_table_bits() && bits < 2 * candidate.least_table_bits(), "{bits}");
}

//! No file, however damaged, makes the loader panic or accept what breaks a rule.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::LazyLock;

use proptest::prelude::*;
use support::{config, model, network, origin, rounded};
use tablewright_model::{
    EncoderKind, KernelSpec, NetworkConfig, Pool, model_from_bytes, model_to_bytes, network_from_bytes,
    network_to_bytes, testing,
};

static MODEL: LazyLock<Vec<u8>> = LazyLock::new(|| model_to_bytes(&model()).unwrap());
/// Every real tensor in half the bits.
static HALVED: LazyLock<Vec<u8>> = LazyLock::new(|| model_to_bytes(&rounded(model())).unwrap());
static NETWORK: LazyLock<Vec<u8>> = LazyLock::new(|| network_to_bytes(&network(&config())).unwrap());

/// Loading either fails with a message or gives something that is sound and can be saved again.
fn load(bytes: &[u8]) {
    match model_from_bytes(bytes, origin()) {
        Ok(model) => {
            model.check().unwrap();
            let again = model_to_bytes(&model).unwrap();
            assert_eq!(model_from_bytes(&again, origin()).unwrap(), model);
        }
        Err(error) => assert!(error.to_string().starts_with("`m.safetensors`: ")),
    }
    match network_from_bytes(bytes, origin()) {
        Ok(network) => network.check().unwrap(),
        Err(error) => assert!(error.to_string().starts_with("`m.safetensors`: ")),
    }
}

fn file() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![Just(MODEL.clone()), Just(HALVED.clone()), Just(NETWORK.clone())]
}

/// Length of everything before the tensors.
fn header_end(bytes: &[u8]) -> usize {
    8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 512,
        // Damaged files are made anew from the seed; a list of past ones would only be noise in the checkout.
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn arbitrary_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        load(&bytes);
    }

    #[test]
    fn arbitrary_headers(header in "\\{\"[a-z_]{0,12}\"[:,]([\\[\\]{}:,\"0-9a-z.-]){0,80}") {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        load(&bytes);
    }

    #[test]
    fn truncated(bytes in file(), part in 0.0..1.0) {
        let cut = (bytes.len() as f64 * part) as usize;
        load(&bytes[..cut]);
        prop_assert!(model_from_bytes(&bytes[..cut], origin()).is_err());
        prop_assert!(network_from_bytes(&bytes[..cut], origin()).is_err());
    }

    #[test]
    fn bytes_of_the_header_changed(
        bytes in file(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = bytes;
        let end = header_end(&bytes);
        for (place, value) in changes {
            bytes[place.index(end)] = value;
        }
        load(&bytes);
    }

    /// Digits stay digits, so that most files remain valid JSON with other numbers in it.
    #[test]
    fn digits_of_the_header_changed(
        bytes in file(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), b'0'..=b'9'), 1..4),
    ) {
        let mut bytes = bytes;
        let digits: Vec<usize> = (8..header_end(&bytes))
            .filter(|&place| bytes[place].is_ascii_digit())
            .collect();
        for (place, value) in changes {
            bytes[digits[place.index(digits.len())]] = value;
        }
        load(&bytes);
    }

    #[test]
    fn bytes_of_the_tensors_changed(
        bytes in file(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..16),
    ) {
        let mut bytes = bytes;
        let start = header_end(&bytes);
        let length = bytes.len() - start;
        for (place, value) in changes {
            bytes[start + place.index(length)] = value;
        }
        load(&bytes);
    }

    #[test]
    fn a_piece_cut_out_or_doubled(
        bytes in file(),
        a in any::<prop::sample::Index>(),
        b in any::<prop::sample::Index>(),
        double in any::<bool>(),
    ) {
        let (a, b) = (a.index(bytes.len()), b.index(bytes.len()));
        let (a, b) = (a.min(b), a.max(b));
        let (end, start) = if double { (b, a) } else { (a, b) };
        load(&[&bytes[..end], &bytes[start..]].concat());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Random models of any shape are sound and survive their file.
    #[test]
    fn any_shape(
        (history, segments, dim, layers) in (1_usize..8, 1_usize..11, 4_usize..20, 1_usize..3),
        (heads, head_dim, hidden, pairs) in (1_usize..4, 1_usize..9, 1_usize..20, 1_usize..30),
        (code_bits, subspaces, encoder, pool) in (1_u32..7, 1_usize..17, 0..3, 0..3),
        seed in any::<u64>(),
    ) {
        let network = NetworkConfig {
            history,
            segments,
            pool: [Pool::Cls, Pool::Last, Pool::Mean][pool as usize],
            dim,
            layers,
            heads,
            head_dim,
            hidden,
            outputs: 2 * pairs,
            ..config()
        };
        let spec = KernelSpec {
            encoder: [EncoderKind::Tree, EncoderKind::L2, EncoderKind::L1][encoder as usize],
            prototypes: 1 << code_bits,
            subspaces,
            bits: 4,
        };
        let model = testing::random_model(&network, spec, seed);
        model.check().unwrap();
        let bytes = model_to_bytes(&model).unwrap();
        prop_assert_eq!(model_from_bytes(&bytes, origin()).unwrap(), model);
    }
}

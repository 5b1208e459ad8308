//! Targets: what the hardware is made for, as data files that the program carries with it.
//!
//! Each file in `fpga/targets` is a [`Target`]: coefficients for the area model, with the measurement they come from.

use tablewright_plan::{Target, TargetError};

/// The target that is taken when none is named: it counts and models nothing.
pub const DEFAULT: &str = "generic";

/// Name and text of every target.
const FILES: [(&str, &str); 6] = [
    (DEFAULT, include_str!("../targets/generic.toml")),
    ("ecp5", include_str!("../targets/ecp5.toml")),
    ("xc7", include_str!("../targets/xc7.toml")),
    ("ihp-sg13g2", include_str!("../targets/ihp-sg13g2.toml")),
    ("nangate45", include_str!("../targets/nangate45.toml")),
    ("sky130hd", include_str!("../targets/sky130hd.toml")),
];

/// What can be wrong with a target.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A name that no target has.
    #[error("--target {name}: there is no such target; known are {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// All names.
        known: String,
    },
    /// A target file that does not parse: a fault of this program.
    #[error("target file {name}.toml: {reason}; please report this as a bug")]
    Unreadable {
        /// The target.
        name: &'static str,
        /// From the parser.
        reason: toml::de::Error,
    },
    /// A target file with senseless values: a fault of this program.
    #[error(transparent)]
    Senseless(#[from] TargetError),
}

/// Names of all targets.
pub fn names() -> impl Iterator<Item = &'static str> {
    FILES.iter().map(|(name, _)| *name)
}

/// The target of that name.
pub fn target(name: &str) -> Result<Target, Error> {
    let Some((name, text)) = FILES.iter().find(|(known, _)| *known == name) else {
        let known = names().collect::<Vec<_>>().join(", ");
        return Err(Error::Unknown { name: name.to_owned(), known });
    };
    let target: Target = toml::from_str(text).map_err(|reason| Error::Unreadable { name, reason })?;
    target.check()?;
    Ok(target)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_target_loads_under_its_name() {
        for name in names() {
            assert_eq!(target(name).unwrap().name, name);
        }
    }

    #[test]
    fn the_default_models_nothing() {
        let generic = target(DEFAULT).unwrap();
        assert_eq!((generic.cells, generic.fpga, generic.timing), (None, None, None));
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        assert_eq!(
            target("ecp6").unwrap_err().to_string(),
            "--target ecp6: there is no such target; known are generic, ecp5, xc7, ihp-sg13g2, nangate45, sky130hd"
        );
    }
}

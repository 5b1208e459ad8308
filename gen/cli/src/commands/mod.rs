//! The subcommands: each file has the arguments of one and runs it.

pub(crate) mod build;
pub(crate) mod configure;
pub(crate) mod estimate;
pub(crate) mod info;
pub(crate) mod lint;
pub(crate) mod run;
pub(crate) mod sim;
pub(crate) mod train;

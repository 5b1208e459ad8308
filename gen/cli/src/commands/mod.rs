//! The subcommands: each file has the arguments of one and runs it.

pub(crate) mod bits;
pub(crate) mod build;
pub(crate) mod configure;
pub(crate) mod distill;
pub(crate) mod estimate;
pub(crate) mod explain;
pub(crate) mod image;
pub(crate) mod info;
pub(crate) mod lint;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod sim;
pub(crate) mod tabularize;
pub(crate) mod teacher;
pub(crate) mod train;
pub(crate) mod verify;

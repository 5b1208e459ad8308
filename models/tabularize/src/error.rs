//! What can be wrong with the input of [`crate::tabularize()`].

/// Why a network cannot be turned into tables.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The network itself is wrong.
    #[error(transparent)]
    Network(#[from] tablewright_model::Error),
    /// No data.
    #[error("the {part} data hold no windows; use a longer trace or another split")]
    NoWindows {
        /// `training` or `validation`.
        part: &'static str,
    },
    /// Windows or labels of another shape than the network's.
    #[error(
        "{field} of the {part} data have the shape {found:?}, the network needs {expected:?}; cut the windows with the \
         network's history, segments and outputs"
    )]
    DataShape {
        /// `training` or `validation`.
        part: &'static str,
        /// `windows` or `labels`.
        field: &'static str,
        /// The shape of the data.
        found: Vec<usize>,
        /// The shape that the network needs.
        expected: Vec<usize>,
    },
    /// A segment that does not fit its bits.
    #[error(
        "segment {at:?} (window, access, segment) of the {part} data is {value}, more than {limit}; cut the windows \
         with the network's input.segment_bits"
    )]
    Segment {
        /// `training` or `validation`.
        part: &'static str,
        /// Window, access, segment.
        at: (usize, usize, usize),
        /// What stands there.
        value: u8,
        /// 2^`segment_bits` − 1.
        limit: u16,
    },
    /// An option outside its limits.
    #[error("options.{field} is {value}, allowed are {low} to {high}")]
    Option {
        /// The option.
        field: &'static str,
        /// Its value.
        value: usize,
        /// Smallest allowed.
        low: usize,
        /// Largest allowed.
        high: usize,
    },
    /// An override for a kernel that does not exist.
    #[error("options.kernels names `{name}`, the network's kernels are {known}")]
    UnknownKernel {
        /// The name that was given.
        name: String,
        /// Every name of this network.
        known: String,
    },
    /// K is not a power of two from 2 to 1024.
    #[error("kernel `{kernel}`: prototypes is {value}, allowed are the powers of two from 2 to 1024")]
    Prototypes {
        /// The kernel.
        kernel: String,
        /// K.
        value: usize,
    },
    /// C is 0, above 16, or more than there are features.
    #[error(
        "kernel `{kernel}`: subspaces is {value}, allowed are 1 to {high} (it encodes {features} features)"
    )]
    Subspaces {
        /// The kernel.
        kernel: String,
        /// C.
        value: usize,
        /// Largest allowed here.
        high: usize,
        /// Width of the kernel's encoded vectors.
        features: usize,
    },
    /// Not a width of table entries.
    #[error("kernel `{kernel}`: bits is {value}, allowed are 4, 6, 8, 12, 16 and 32")]
    Bits {
        /// The kernel.
        kernel: String,
        /// Bits of an entry.
        value: u32,
    },
    /// The network gave a logit that is not a number: weights too large for f32.
    #[error(
        "network `{name}` gives logits that are not finite on the {part} data; its weights overflow f32, train it with \
         a smaller learning rate or scale it"
    )]
    NotFinite {
        /// The network.
        name: String,
        /// `training` or `validation`.
        part: &'static str,
    },
    /// A kernel of a mixed evaluator is still exact.
    #[error("kernel `{kernel}` has no table yet; tabularize it before making a model")]
    Exact {
        /// The kernel.
        kernel: String,
    },
}
